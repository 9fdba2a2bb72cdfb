package memory

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"
)

// The file: a page of header, then the buckets, in the byte order of the machine. It has its full length from the begin, so that no
// note meets a full disk. Two things end the process (SIGBUS), as with the snapshot of lists (docs/decisions/0006): somebody who makes
// the file shorter while it is mapped, and a disk that fails under it.
const (
	magic      = "weirseen"
	version    = 1
	orderMark  = 0x01020304
	headerSize = 4096 // a page, so that the buckets begin at a cache line
	headerUsed = 48   // and its CRC-32C

	// maxAhead is how far in the future the times of a slot may lie and still be those of a clock that was wrong, in minutes: 20 years.
	// What lies beyond is damage.
	maxAhead = 20 * 365 * 24 * 60
)

// Errors of [Open] and [OpenNames].
var (
	ErrInUse   = errors.New("another process uses it")
	ErrDamaged = errors.New("damaged or foreign")
)

// Open opens the file of a Memory, or makes it. A file that is damaged or foreign is renamed aside (its name and ".damaged") and said
// so in the log; the Memory then starts empty. One of another size is copied into one of the size that is asked for. On an error
// nothing could be opened: use [New].
func Open(c Config) (*Memory, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Path == "" {
		seed, err := newSeed()
		return New(c.Names, seed), err
	}
	m, err := open(c)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.ReadOnly:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		m, err = create(c)
	case errors.Is(err, ErrDamaged) && !c.ReadOnly:
		m, err = replace(c, err)
	}
	if err != nil {
		return nil, fmt.Errorf("memory of names: %w", err)
	}
	if m.Capacity() != bucketsFor(c.Names)*bucketSlots && !c.ReadOnly {
		return resize(c, m)
	}
	return m, nil
}

// replace sets a file aside that cannot be used.
func replace(c Config, why error) (*Memory, error) {
	aside := c.Path + ".damaged"
	if err := os.Rename(c.Path, aside); err != nil {
		return nil, errors.Join(why, err)
	}
	c.Log.Error("the memory of names could not be used and starts empty: every name counts as new", "error", why, "kept", aside)
	return create(c)
}

// header is what the first page says.
type header struct {
	slots uint64
	seed  [2]uint64
	made  uint32 // minute
}

func (h header) page() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	binary.NativeEndian.PutUint32(b[8:], version)
	binary.NativeEndian.PutUint32(b[12:], orderMark)
	binary.NativeEndian.PutUint64(b[16:], h.slots)
	binary.NativeEndian.PutUint64(b[24:], h.seed[0])
	binary.NativeEndian.PutUint64(b[32:], h.seed[1])
	binary.NativeEndian.PutUint32(b[40:], h.made)
	binary.NativeEndian.PutUint32(b[headerUsed:], crc32.Checksum(b[:headerUsed], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// parseHeader reads the first page of a file of size octets.
func parseHeader(b []byte, size int64) (header, error) {
	switch {
	case len(b) < headerSize || string(b[:8]) != magic:
		return header{}, fmt.Errorf("%w: it does not begin like a memory of names", ErrDamaged)
	case binary.NativeEndian.Uint32(b[12:]) != orderMark:
		return header{}, fmt.Errorf("%w: it is of a machine of another byte order", ErrDamaged)
	case binary.NativeEndian.Uint32(b[8:]) != version:
		return header{}, fmt.Errorf("%w: it has version %d, this program reads %d", ErrDamaged, binary.NativeEndian.Uint32(b[8:]), version)
	case binary.NativeEndian.Uint32(b[headerUsed:]) != crc32.Checksum(b[:headerUsed], crc32.MakeTable(crc32.Castagnoli)):
		return header{}, fmt.Errorf("%w: the sum of its head does not agree", ErrDamaged)
	}
	h := header{
		slots: binary.NativeEndian.Uint64(b[16:]), made: binary.NativeEndian.Uint32(b[40:]),
		seed: [2]uint64{binary.NativeEndian.Uint64(b[24:]), binary.NativeEndian.Uint64(b[32:])},
	}
	if h.slots < MinNames || h.slots > MaxNames || h.slots&(h.slots-1) != 0 || size != int64(headerSize+h.slots*slotSize) {
		return header{}, fmt.Errorf("%w: %d octets for %d names", ErrDamaged, size, h.slots)
	}
	return h, nil
}

// open opens a file that there is.
func open(c Config) (*Memory, error) {
	info, err := os.Stat(c.Path) // first: opening a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", c.Path)
	}
	mode := os.O_RDWR
	if c.ReadOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(c.Path, mode, 0)
	if err != nil {
		return nil, err
	}
	m, err := adopt(f, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.Path, err), f.Close())
	}
	return m, nil
}

// adopt makes a Memory of an open file, and owns the file from then on.
func adopt(f *os.File, c Config) (*Memory, error) {
	if !c.ReadOnly {
		if err := lock(f); err != nil {
			return nil, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	page := make([]byte, headerSize)
	n, err := f.ReadAt(page, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	h, err := parseHeader(page[:n], info.Size())
	if err != nil {
		return nil, err
	}
	b, flush, err := mapFile(f, int(info.Size()), !c.ReadOnly)
	if err != nil {
		return nil, err
	}
	buckets := b[headerSize:]
	m := &Memory{
		words: unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(buckets))), len(buckets)/8), mask: h.slots/bucketSlots - 1,
		seed: h.seed, made: h.made, frozen: c.ReadOnly, release: func() error { return errors.Join(flush(), unlock(f), f.Close()) },
	}
	runtime.AddCleanup(m, unmap, b)
	if !c.ReadOnly {
		m.sweep(c)
	}
	return m, nil
}

// sweep counts the names and clears what a crash or damage left behind. Times that are later than now are those of a clock that was
// ahead: they count from now.
func (m *Memory) sweep(c Config) {
	now, dropped := toMinute(c.Now), 0
	behind := now < m.made
	if behind {
		c.Log.Warn("the clock is before the time at which the memory of names was made: nothing is remembered until it is right",
			"made", minuteTime(m.made), "now", c.Now)
	}
	for i := 0; i < len(m.words); i += slotWords {
		h, t := m.words[i], m.words[i+1]
		if h == 0 && t == 0 {
			continue
		}
		if h == 0 || !m.plausible(t) || !behind && lastOf(t)-min(lastOf(t), now) > maxAhead {
			m.words[i], m.words[i+1] = 0, 0
			if t != claimed {
				dropped++
			}
			continue
		}
		if !behind {
			m.words[i+1] = pack(min(firstOf(t), now), min(lastOf(t), now))
		}
		m.stats.Names.Add(1)
	}
	if dropped > 0 {
		c.Log.Error("the memory of names held what no name leaves behind: it was dropped", "file", c.Path, "entries", dropped)
	}
}

// plausible says whether a Memory that was made when m was can hold such times.
func (m *Memory) plausible(t uint64) bool { return firstOf(t) >= m.made && lastOf(t) >= firstOf(t) }

// create makes an empty file and opens it.
func create(c Config) (*Memory, error) {
	seed, err := newSeed()
	if err != nil {
		return nil, err
	}
	if err := write(c, header{slots: uint64(bucketsFor(c.Names) * bucketSlots), seed: seed, made: toMinute(c.Now)}, nil); err != nil {
		return nil, err
	}
	return open(c)
}

// resize copies a Memory into a file of another size. Where that is smaller, the names that matter least go.
func resize(c Config, old *Memory) (*Memory, error) {
	defer runtime.KeepAlive(old)
	next := New(c.Names, old.seed)
	next.made = old.made
	for i := 0; i < len(old.words); i += slotWords {
		if t := old.words[i+1]; t > claimed {
			next.place(old.words[i], t)
		}
	}
	err := write(c, header{slots: uint64(next.Capacity()), seed: old.seed, made: old.made}, next.words)
	if err = errors.Join(err, old.Close()); err != nil {
		return nil, fmt.Errorf("memory of names: %w", err)
	}
	c.Log.Info("the memory of names has another size now", "names", next.Capacity(), "kept", next.stats.Names.Load())
	m, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("memory of names: %w", err)
	}
	return m, nil
}

// place puts a name with its times into a Memory that nobody else uses yet.
func (m *Memory) place(h, times uint64) {
	slot, has, found := m.victim(h)
	if !found || worth(has) >= worth(times) {
		return
	}
	if m.words[slot+1] == 0 {
		m.stats.Names.Add(1)
	}
	m.words[slot], m.words[slot+1] = h, times
}

// write puts a whole file in place: beside it first, then renamed, so that a crash leaves the old one or the new one.
func write(c Config, h header, words []uint64) (err error) {
	f, err := os.CreateTemp(filepath.Dir(c.Path), ".memory-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(h.page())
	body := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	if words == nil {
		body = make([]byte, 1<<16) // zeros, as often as needed: written, not skipped, so that the disk has room for all of them
	}
	for left := int(h.slots) * slotSize; left > 0 && err == nil; left -= len(body) {
		_, err = f.Write(body)
	}
	if err == nil && words != nil { // an empty one that a power cut spoils is made again
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.Path)
}

// newSeed is from crypto/rand.
func newSeed() (seed [2]uint64, err error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return seed, fmt.Errorf("seed: %w", err)
	}
	return [2]uint64{binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:])}, nil
}
