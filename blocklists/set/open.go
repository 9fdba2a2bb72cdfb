package set

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"sync"
	"sync/atomic"

	"weir/blocklists/set/mapped"
)

// maxReaders bounds who reads blocks of a file at once; more than four wait for the memory bus.
const maxReaders = 4

// Open returns the Set that [Set.Save] wrote. All sums are checked before it returns, so a damaged, truncated or foreign file is
// an error ([ErrSnapshot]) and never a wrong answer. The index is read into memory; the records stay in the file, which is
// mapped until the Set is unreachable. Replace the file by Save; nobody may change it in place.
func Open(path string) (*Set, error) {
	f, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := load(f)
	if err = errors.Join(err, f.Close()); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func load(f *mapped.File) (*Set, error) {
	if f.Size() < headerSize {
		return nil, fmt.Errorf("%w: truncated", ErrSnapshot)
	}
	head := make([]byte, headerSize)
	if err := f.ReadFull(head, 0); err != nil {
		return nil, err
	}
	h, err := decodeHeader(head, f.Size())
	if err != nil {
		return nil, err
	}
	sums := make([]byte, h.sums)
	if err := f.ReadFull(sums, f.Size()-int64(h.sums)); err != nil {
		return nil, err
	}
	if crc32.Checksum(sums, castagnoli()) != h.sumsCRC {
		return nil, fmt.Errorf("%w: sums damaged", ErrSnapshot)
	}
	s := &Set{
		seed: h.seed, has: h.has,
		count: Stats{
			Names: int(h.names), Addresses: int(h.addresses), URLs: int(h.urls), Fingerprints: int(h.fingerprints), Rules: int(h.rules),
			Mapped: uint64(f.Size()),
		},
	}
	if err := s.fill(f, &h, sums); err != nil {
		s.Close()
		return nil, err
	}
	s.count.Lists = len(s.lists)
	s.count.Bytes = s.size()
	return s, nil
}

// fill reads and checks all parts.
func (s *Set) fill(f *mapped.File, h *header, sums []byte) error {
	metaText := make([]byte, h.meta)
	var buckets []byte
	s.buckets, buckets = reserve(int(h.index))
	if s.buckets != nil {
		s.buckets.Huge()
	}
	r := reader{f: f, sums: sums}
	r.add(headerSize, h.meta, metaText)
	r.add(headerSize+h.meta, h.index, buckets)
	r.add(headerSize+h.meta+h.index, h.records, nil)
	if err := r.run(); err != nil {
		return err
	}
	m, err := decodeMeta(metaText)
	if err != nil {
		return err
	}
	s.lists, s.stats, s.note = m.Lists, m.Stats, m.Note
	s.index = indexOf(buckets)
	if s.body, err = f.Map(); err != nil {
		return err
	}
	start := headerSize + h.meta + h.index
	s.table = table{b: s.body.Bytes()[start : start+h.records], blocks: h.blocks}
	return nil
}

// reader reads blocks and checks their sums, several at a time. It reads the records too, but only into a buffer: what is
// mapped stays untouched, so that it does not become resident.
type reader struct {
	f    *mapped.File
	sums []byte
	todo []block
}

type block struct {
	off  int64
	size int
	dst  []byte // nil: only to be checked
}

// add plans a part.
func (r *reader) add(off, size uint64, dst []byte) {
	for at := uint64(0); at < size; at += sumBlock {
		b := block{off: int64(off + at), size: int(min(size-at, sumBlock))}
		if dst != nil {
			b.dst = dst[at : at+uint64(b.size)]
		}
		r.todo = append(r.todo, b)
	}
}

// run reads everything; the error is the first that was met.
func (r *reader) run() error {
	workers := min(maxReaders, runtime.GOMAXPROCS(0), 1+len(r.todo)/8) // a few blocks are read before another goroutine has begun
	var next atomic.Int64
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			scratch := make([]byte, min(sumBlock, int(r.f.Size())))
			for i := next.Add(1) - 1; int(i) < len(r.todo) && errs[w] == nil; i = next.Add(1) - 1 {
				errs[w] = r.check(int(i), scratch)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *reader) check(i int, scratch []byte) error {
	b := r.todo[i]
	if b.dst == nil {
		b.dst = scratch[:b.size]
	}
	if err := r.f.ReadFull(b.dst, b.off); err != nil {
		return err
	}
	if crc32.Checksum(b.dst, castagnoli()) != binary.LittleEndian.Uint32(r.sums[4*i:]) {
		return fmt.Errorf("%w: damaged at byte %d and the MiB behind it", ErrSnapshot, b.off)
	}
	return nil
}
