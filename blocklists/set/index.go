package set

import "math/bits"

// index is an open-addressed table from a 64-bit hash to a number. One tag byte per slot, scanned linearly, settles most
// misses within one cache line; the caller verifies the key itself, so a hash collision costs time and never a false hit.
type index struct {
	tags  []uint8 // 0: empty
	slots []uint32
}

// newIndex makes room for n numbers at a load of two thirds: five tag bytes are read on an average miss.
func newIndex(n int) index {
	size := n + n/2 + 1
	return index{tags: make([]uint8, size), slots: make([]uint32, size)}
}

// home maps the hash to a slot without division (Lemire's fast range).
func (x *index) home(h uint64) int {
	hi, _ := bits.Mul64(h, uint64(len(x.tags)))
	return int(hi)
}

// tag takes the low bits, which home does not depend on.
func tag(h uint64) uint8 {
	if t := uint8(h); t != 0 {
		return t
	}
	return 1
}

// put stores v under h. The index must have room.
func (x *index) put(h uint64, v uint32) {
	at := x.home(h)
	for x.tags[at] != 0 {
		at = x.next(at)
	}
	x.tags[at], x.slots[at] = tag(h), v
}

func (x *index) next(at int) int {
	if at++; at == len(x.tags) {
		return 0
	}
	return at
}

func (x *index) bytes() int { return 5 * len(x.tags) }
