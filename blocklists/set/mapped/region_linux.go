package mapped

import (
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"
)

// hugePage is the common size; kernels align a mapping to it only when its length is a multiple.
const hugePage = 2 << 20

// hugeFrom is where huge pages pay: below, zeroing one costs more than the page-table walks that it saves.
const hugeFrom = 4 << 20

// Region is memory outside of the Go heap: neither scanned, nor counted when the collector paces itself. It is given back when
// the Region is unreachable, so whoever holds a slice of [Region.Bytes] must hold the Region too.
type Region struct {
	b       []byte // as long as was asked for
	all     []byte // as mapped
	file    bool   // of a file, to be read only
	cleanup runtime.Cleanup
}

// Anonymous returns n zero bytes that become resident as they are touched. n may be zero.
func Anonymous(n int) (*Region, error) {
	if n < 0 {
		return nil, fmt.Errorf("reserve memory: %w", ErrSize)
	}
	if n == 0 {
		return &Region{}, nil
	}
	all, err := unix.Mmap(-1, 0, rounded(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("reserve memory: %w", err)
	}
	return own(all, n), nil
}

func rounded(n int) int {
	if n < hugeFrom || n > math.MaxInt-hugePage {
		return n
	}
	return (n + hugePage - 1) &^ (hugePage - 1)
}

// Map maps the whole file, to be read only. Pages become resident as they are touched and may be dropped under memory pressure.
// The file must never be changed in place afterwards, least of all be made shorter: [Replace] writes a new one.
func (f *File) Map() (*Region, error) {
	if f.size <= 0 || f.size != int64(int(f.size)) {
		return nil, fmt.Errorf("map snapshot: %w", ErrSize)
	}
	b, err := unix.Mmap(int(f.f.Fd()), 0, int(f.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map snapshot: %w", err)
	}
	_ = unix.Madvise(b, unix.MADV_RANDOM) // advice: hits fall anywhere, reading ahead would be wasted
	r := own(b, len(b))
	r.file = true
	return r, nil
}

func own(all []byte, n int) *Region {
	r := &Region{b: all[:n:n], all: all}
	r.watch()
	return r
}

func (r *Region) watch() {
	r.cleanup = runtime.AddCleanup(r, func(b []byte) { _ = unix.Munmap(b) }, r.all) // fails only for what is no mapping
}

// Bytes is the memory. It must not be used after [Region.Free], nor across [Region.Resize].
func (r *Region) Bytes() []byte { return r.b }

// Huge asks for huge pages, where the system has them: look-ups then miss the page-table cache less. For memory that is read
// at random and filled whole.
func (r *Region) Huge() {
	if len(r.b) >= hugeFrom {
		_ = unix.Madvise(r.all, unix.MADV_HUGEPAGE) // advice: refused where the kernel lacks it
	}
}

// LetGo makes a mapped file not resident. It is read again, from the cache of the system, when somebody looks: so it may be
// called at any time, beside readers. It does nothing to anonymous memory, whose contents it would destroy.
func (r *Region) LetGo() {
	if r.file {
		_ = unix.Madvise(r.all, unix.MADV_DONTNEED) // it stays resident, else
	}
}

// Resize changes the length of an anonymous region without copying; it may move.
func (r *Region) Resize(n int) error {
	if n == len(r.b) {
		return nil
	}
	if n <= 0 || len(r.b) == 0 {
		return fmt.Errorf("resize memory: %w", ErrSize)
	}
	b, err := unix.Mremap(r.all, rounded(n), unix.MREMAP_MAYMOVE)
	if err != nil {
		return fmt.Errorf("resize memory: %w", err)
	}
	r.cleanup.Stop()
	r.all, r.b = b, b[:n:n]
	r.watch()
	return nil
}

// Free gives the memory back at once. For memory that nobody else has seen; all other is freed when it is unreachable.
func (r *Region) Free() {
	if r == nil || len(r.b) == 0 {
		return
	}
	r.cleanup.Stop()
	_ = unix.Munmap(r.all) // fails only for what is no mapping
	r.b, r.all = nil, nil
}
