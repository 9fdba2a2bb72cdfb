// Package memory keeps what weir has seen, bounded and across restarts: since when a name is known here ([Memory]), and the names that
// a lock has learnt ([Names]). It decides nothing and reads no clock. Layer L1.
package memory

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// The shape of the table.
const (
	slotWords   = 2 // the keyed hash of the name, and its times
	bucketSlots = 4 // one cache line of 64 octets, so that a look-up costs one load from each of its two buckets
	bucketWords = slotWords * bucketSlots
	slotSize    = 8 * slotWords

	// MinNames and MaxNames bound how many names a Memory holds: 64 KiB to 4 GiB.
	MinNames = 4 << 10
	MaxNames = 256 << 20
)

// Established is how long a name must have been in use before newer names no longer push it out: whoever floods the memory with
// names has to come back with each of them for longer than that.
const Established = 24 * time.Hour

// claimed marks the times of a slot that is being written: no time is before 1970.
const claimed = 1

// Config says where a Memory lies and how much it holds.
type Config struct {
	Path     string       // the file; "" keeps it in memory only
	Names    int          // at most so many names, from MinNames to MaxNames; rounded up to a power of two
	Now      time.Time    // of the opening: what claims to be later is pulled back to it
	ReadOnly bool         // look at what another process writes; without a file nothing was seen
	Log      *slog.Logger // what happens to a file that cannot be used; nil: nobody is told
}

// Memory says since when names are known here, and when each was last seen. It holds hashes and no names. It is safe for concurrent
// use, takes no lock and allocates nothing; with a file there is nothing to save: every note is in the file when Note returns, and
// the end of the process loses none (the end of the machine loses what the kernel had not yet written). The nil Memory is empty and
// forgets.
type Memory struct {
	words   []uint64 // buckets; on the heap, or mapped from the file
	mask    uint64   // number of buckets - 1
	seed    [2]uint64
	made    uint32 // minute before which no clock can be right
	frozen  bool
	release func() error
	stats   Stats
}

// Stats counts what a Memory holds and loses.
type Stats struct {
	Names    atomic.Int64  // held now
	Replaced atomic.Uint64 // pushed out by others
	Refused  atomic.Uint64 // not noted, because the clock was before the memory was made
}

// New makes a Memory that lives as long as the process, for at most names names. seed is secret, so that nobody can choose names that
// push a certain other one out.
func New(names int, seed [2]uint64) *Memory {
	buckets := bucketsFor(names)
	m := &Memory{words: make([]uint64, buckets*bucketWords), seed: seed}
	m.mask = uint64(buckets - 1)
	return m
}

// bucketsFor rounds up to a power of two.
func bucketsFor(names int) int {
	names = min(max(names, MinNames), MaxNames)
	n := MinNames / bucketSlots
	for n*bucketSlots < names {
		n *= 2
	}
	return n
}

// Stats returns the counters.
func (m *Memory) Stats() *Stats {
	if m == nil {
		return &Stats{}
	}
	return &m.stats
}

// Capacity is how many names there is room for.
func (m *Memory) Capacity() int {
	if m == nil {
		return 0
	}
	return len(m.words) / slotWords
}

// Seen returns when key was first and last noted, to the minute; ok is false when it never was, or is forgotten.
func (m *Memory) Seen(key string) (first, last time.Time, ok bool) {
	if m == nil {
		return first, last, false
	}
	defer runtime.KeepAlive(m) // the mapping goes when m is unreachable
	h := m.hash(key)
	for _, b := range m.buckets(h) {
		for i := b; i < b+bucketWords; i += slotWords {
			if t, ok := m.read(i, h); ok {
				return minuteTime(firstOf(t)), minuteTime(lastOf(t)), true
			}
		}
	}
	return first, last, false
}

// read returns the times of slot i when it holds h. The times are read on both sides of the hash: a slot that is written meanwhile is
// not taken for another name's.
func (m *Memory) read(i, h uint64) (times uint64, ok bool) {
	if atomic.LoadUint64(&m.words[i]) != h {
		return 0, false
	}
	t := atomic.LoadUint64(&m.words[i+1])
	if t <= claimed || atomic.LoadUint64(&m.words[i]) != h || atomic.LoadUint64(&m.words[i+1]) != t {
		return 0, false
	}
	return t, true
}

// Note says that key was seen at now. A name that is not held yet takes a free slot; where there is none it takes that of the name
// which matters least: one that was not in use for [Established], else the one that was not seen for longest. Time that runs
// backwards never makes a name older: what was first seen later than now counts from now, and before the memory was made nothing is
// noted.
func (m *Memory) Note(key string, now time.Time) {
	if m == nil || m.frozen {
		return
	}
	minute := toMinute(now)
	if minute < m.made || minute == 0 {
		m.stats.Refused.Add(1)
		return
	}
	defer runtime.KeepAlive(m) // the mapping goes when m is unreachable
	h := m.hash(key)
	for range 8 { // two that write one slot: one of them looks again
		held, done := m.touch(h, minute)
		if done || !held && m.insert(h, minute) {
			return
		}
	}
}

// touch notes a name that is held.
func (m *Memory) touch(h uint64, minute uint32) (held, done bool) {
	for _, b := range m.buckets(h) {
		for i := b; i < b+bucketWords; i += slotWords {
			old, ok := m.read(i, h)
			if !ok {
				continue
			}
			next := pack(min(firstOf(old), minute), minute)
			return true, next == old || atomic.CompareAndSwapUint64(&m.words[i+1], old, next)
		}
	}
	return false, false
}

// insert puts a name that is not held into the slot that matters least. It is claimed first, so that neither a reader nor the next
// start after a crash finds the name of one with the times of the other.
func (m *Memory) insert(h uint64, minute uint32) bool {
	slot, times, found := m.victim(h)
	if !found || !atomic.CompareAndSwapUint64(&m.words[slot+1], times, claimed) {
		return false
	}
	atomic.StoreUint64(&m.words[slot], h)
	atomic.StoreUint64(&m.words[slot+1], pack(minute, minute))
	if times == 0 {
		m.stats.Names.Add(1)
	} else {
		m.stats.Replaced.Add(1)
	}
	return true
}

// victim is the slot that matters least of those where h may be: a free one of the bucket with more of them, else that of least worth.
func (m *Memory) victim(h uint64) (slot, times uint64, found bool) {
	best := uint64(math.MaxUint64)
	for _, b := range m.buckets(h) {
		used, free := uint64(0), uint64(0)
		for i := b; i < b+bucketWords; i += slotWords {
			t := atomic.LoadUint64(&m.words[i+1])
			if t == 0 {
				free = i
				continue
			}
			used++
			if v := worth(t); t != claimed && v < best {
				slot, times, best, found = i, t, v, true
			}
		}
		if used < bucketSlots && used < best { // the times of all names are greater: they are minutes since 1970
			slot, times, best, found = free, 0, used, true
		}
	}
	return slot, times, found
}

// worth orders slots: free, then names that were seen for less than Established, then the others; each by when they were last seen.
func worth(t uint64) uint64 {
	v := uint64(lastOf(t))
	if lastOf(t)-firstOf(t) >= uint32(Established/time.Minute) {
		v |= 1 << 32
	}
	return v
}

// buckets are the two places that a name may be in: with two to choose from, and the emptier one taken, a table that is three quarters
// full has pushed out less than one name in a hundred.
func (m *Memory) buckets(h uint64) [2]uint64 {
	first := h & m.mask
	second := (h >> 32) * 0x9e3779b97f4a7c15 >> 20 & m.mask
	if second == first {
		second = first ^ 1
	}
	return [2]uint64{first * bucketWords, second * bucketWords}
}

// hash never returns 0.
func (m *Memory) hash(key string) uint64 {
	return max(sip(m.seed, key), 1)
}

// Close gives the file back, so that another process may open it. Whoever still uses m does no harm: the memory itself goes when nobody
// can reach m. It must not be called twice at once.
func (m *Memory) Close() error {
	if m == nil || m.release == nil {
		return nil
	}
	release := m.release
	m.release = nil
	if err := release(); err != nil {
		return fmt.Errorf("close memory of names: %w", err)
	}
	return nil
}

func pack(first, last uint32) uint64 { return uint64(first)<<32 | uint64(last) }
func firstOf(t uint64) uint32        { return uint32(t >> 32) }
func lastOf(t uint64) uint32         { return uint32(t) }

func toMinute(t time.Time) uint32 {
	m := t.Unix() / 60
	if m < 0 || m > math.MaxUint32 {
		return 0
	}
	return uint32(m)
}

func minuteTime(m uint32) time.Time { return time.Unix(int64(m)*60, 0).UTC() }
