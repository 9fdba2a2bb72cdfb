// Package needle finds the first of a set of long, fixed byte strings in a stream. It is made for few needles of some length
// (signatures and their encoded forms), where it looks at a fraction of the bytes: Wu and Manber, "A fast algorithm for
// multi-pattern searching" (1994), with windows aligned to the needles' ends so that a stream needs to look back only.
package needle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a [Set], in octets and needles.
const (
	// MinLen is the shortest needle: below it the search would visit every octet, and other algorithms serve better.
	MinLen = 8
	// MaxLen is the longest needle; a stream keeps one octet less than the longest of its set.
	MaxLen = 256
	// MaxNeedles is bounded by the one-octet bucket numbers.
	MaxNeedles = 255
)

const (
	gram      = 4           // octets that one probe looks at
	tableBits = 13          // 8 KiB: stays in a first-level cache; a thousand grams fill an eighth of it
	multiply  = 0x9E3779B1  // 2^32 divided by the golden ratio: Fibonacci hashing
	maxShift  = 255         // shifts are stored in one octet
	keepMax   = MaxLen - 1  // octets that a match can reach back into earlier writes
	joinMax   = 2 * keepMax // the end of the earlier writes and the begin of this one
)

// ErrNeedle is wrapped by the errors of [New].
var ErrNeedle = errors.New("needle set out of limits")

// Set is an immutable set of needles, safe for use by many goroutines.
type Set struct {
	needles [][]byte
	window  int // octets of each needle's end that the shift table knows
	longest int
	shift   [1 << tableBits]uint8
	bucket  [1 << tableBits]uint8 // number in buckets of the needles that end in this gram
	buckets [][]uint8
}

// New builds a Set. Needles are copied; they are known by their index from then on. An empty set, more than [MaxNeedles], or a
// needle outside [MinLen] to [MaxLen] is refused.
func New(needles [][]byte) (*Set, error) {
	if len(needles) == 0 || len(needles) > MaxNeedles {
		return nil, fmt.Errorf("%d needles, 1 to %d allowed: %w", len(needles), MaxNeedles, ErrNeedle)
	}
	s := &Set{window: maxShift, buckets: make([][]uint8, 1)}
	for i, n := range needles {
		if len(n) < MinLen || len(n) > MaxLen {
			return nil, fmt.Errorf("needle %d has %d octets, %d to %d allowed: %w", i, len(n), MinLen, MaxLen, ErrNeedle)
		}
		s.needles = append(s.needles, bytes.Clone(n))
		s.window = min(s.window, len(n))
		s.longest = max(s.longest, len(n))
	}
	for i := range s.shift {
		s.shift[i] = uint8(s.window - gram + 1)
	}
	for i, n := range s.needles {
		s.add(uint8(i), n)
	}
	return s, nil
}

// MustNew is [New] for needles that stand in our own code; it panics on a set that New refuses.
func MustNew(needles [][]byte) *Set {
	s, err := New(needles)
	if err != nil {
		panic(err)
	}
	return s
}

// add enters the grams of the last window octets of needle n.
func (s *Set) add(i uint8, n []byte) {
	tail := n[len(n)-s.window:]
	for end := gram; end <= len(tail); end++ {
		h := hash(tail[end-gram:])
		s.shift[h] = min(s.shift[h], uint8(len(tail)-end))
	}
	h := hash(tail[len(tail)-gram:])
	if s.bucket[h] == 0 {
		s.bucket[h] = uint8(len(s.buckets))
		s.buckets = append(s.buckets, nil)
	}
	s.buckets[s.bucket[h]] = append(s.buckets[s.bucket[h]], i)
}

func hash(p []byte) uint32 { return binary.LittleEndian.Uint32(p) * multiply >> (32 - tableBits) }

// scan looks for a needle that ends at end or later in p. It returns its number and end; or -1 and the first end, beyond p, that
// is still open.
func (s *Set) scan(p []byte, end int) (number, at int) {
	for end <= len(p) {
		h := hash(p[end-gram : end])
		if skip := s.shift[h]; skip != 0 {
			end += int(skip)
			continue
		}
		for _, i := range s.buckets[s.bucket[h]] {
			if n := s.needles[i]; len(n) <= end && bytes.Equal(n, p[end-len(n):end]) {
				return int(i), end
			}
		}
		end++
	}
	return -1, end
}

// Hit is a needle that was found.
type Hit struct {
	Needle int   // index in the slice given to [New]
	Offset int64 // octets from the begin of the stream to the needle's first octet
}

// Finder looks for the first needle of a stream: the one that ends first; of those that end together, the one with the lowest
// index. What it finds does not depend on how the stream is cut. Make one with [Set.Finder]; it is not safe for concurrent use.
type Finder struct {
	set   *Set
	total int64 // octets seen
	next  int64 // the lowest end that has not been ruled out
	done  bool
	kept  int // octets in keep
	keep  [keepMax]byte
}

// Finder returns a Finder at the begin of a stream.
func (s *Set) Finder() Finder { return Finder{set: s, next: int64(s.window)} }

// Reset makes f ready for another stream, as [Set.Finder] does, without clearing what it need not.
func (f *Finder) Reset(s *Set) {
	f.set, f.total, f.next, f.done, f.kept = s, 0, int64(s.window), false, 0
}

// Write takes the next octets of the stream and returns the first needle that ends in them; after a hit it returns nothing
// more. It does not allocate and keeps no reference to p.
func (f *Finder) Write(p []byte) (hit Hit, ok bool) {
	if f.done || len(p) == 0 {
		return Hit{}, false
	}
	near := min(len(p), f.set.longest-1) // needles that end in p[:near] can begin in earlier writes
	if int(f.next-f.total) <= near {
		var join [joinMax]byte
		n := copy(join[:], f.keep[:f.kept])
		n += copy(join[n:], p[:near])
		if hit, ok = f.look(join[:n], f.kept); ok {
			return hit, true
		}
	}
	if int(f.next-f.total) <= len(p) {
		if hit, ok = f.look(p, 0); ok {
			return hit, true
		}
	}
	f.total += int64(len(p))
	f.remember(p)
	return Hit{}, false
}

// look scans p, whose octet number back is the first of the current write.
func (f *Finder) look(p []byte, back int) (Hit, bool) {
	i, end := f.set.scan(p, int(f.next-f.total)+back)
	f.next = f.total + int64(end-back)
	if i < 0 {
		return Hit{}, false
	}
	f.done = true
	return Hit{Needle: i, Offset: f.next - int64(len(f.set.needles[i]))}, true
}

// remember keeps the last octets of the stream.
func (f *Finder) remember(p []byte) {
	room := f.set.longest - 1
	if len(p) >= room {
		f.kept = copy(f.keep[:room], p[len(p)-room:])
		return
	}
	if over := f.kept + len(p) - room; over > 0 {
		f.kept = copy(f.keep[:], f.keep[over:f.kept])
	}
	f.kept += copy(f.keep[f.kept:room], p)
}
