package set

import (
	"encoding/binary"
	"math/bits"
)

// The index is a filter that is always in memory: it says of a hash whether a key may have it, and never no when one has. It is
// an open-addressed table of buckets, two in a cache line:
//
//	0..25   13 tags of 16 bits, the low bits of the hash
//	26      how many slots are taken
//	28..31  a filter of the keys that belonged here but found the bucket full: look on in the next when its bit is set
//
// A look-up reads one bucket per parent of a name and goes to the table of records (table.go) only when a tag is equal: for a
// name that is on no list once in 5000 probes. Where the table would have the key follows from the hash alone, so that the
// processor, once it expects a hit, loads from both at the same time.
const (
	bucketSize  = 32
	bucketSlots = 13
	atTaken     = 26
	atMore      = 28
	// fill is how many slots are meant to be taken on average: 10 of 13 are 3.2 bytes a key; one bucket in seven overflows, and
	// the filter keeps all but one look-up in a hundred from going on in vain.
	fill = 10
	// partAlign is the alignment of what follows: blocks of the table.
	partAlign = blockSize
)

// index is a view of the buckets.
type index struct {
	b []byte
	n uint64 // buckets
}

// indexSize is the size of an index for n keys; none for none.
func indexSize(n int) int {
	if n == 0 {
		return 0
	}
	return (n/fill*bucketSize + 2*bucketSize + partAlign - 1) &^ (partAlign - 1)
}

func indexOf(b []byte) index { return index{b: b, n: uint64(len(b) / bucketSize)} }

// home maps the hash to a bucket without division (Lemire's fast range); it grows with the hash.
func (x index) home(h uint64) uint64 {
	at, _ := bits.Mul64(h, x.n)
	return at
}

func (x index) bucket(at uint64) *[bucketSize]byte {
	return (*[bucketSize]byte)(x.b[at*bucketSize : (at+1)*bucketSize])
}

func (x index) next(at uint64) uint64 {
	if at++; at == x.n {
		return 0
	}
	return at
}

// put notes h. The index must have room.
func (x index) put(h uint64) {
	at := x.home(h)
	for x.bucket(at)[atTaken] == bucketSlots {
		b := x.bucket(at)
		binary.LittleEndian.PutUint32(b[atMore:], binary.LittleEndian.Uint32(b[atMore:])|1<<moreBit(h))
		at = x.next(at)
	}
	b := x.bucket(at)
	binary.LittleEndian.PutUint16(b[2*int(b[atTaken]):], uint16(h))
	b[atTaken]++
}

// moreBit takes bits of the hash that neither tag nor home depend on.
func moreBit(h uint64) uint { return uint(h>>16) % 32 }

const (
	lanes = 0x0001_0001_0001_0001
	tops  = 0x8000_8000_8000_8000
)

// equal marks, in the top bit of each 16-bit lane of w, whether it is equal to t; a lane above an equal one may be marked too.
func equal(w, t uint64) uint64 {
	w ^= t
	return (w - lanes) &^ w & tops
}

// holds says whether a key with this hash may be there. A tag of an empty slot is 0, which may lead to the table in vain.
func (x index) holds(h uint64) bool {
	t := uint64(uint16(h)) * lanes
	at := x.home(h)
	for range x.n { // ends at the first bucket that held all that belonged there
		b := x.bucket(at)
		last := binary.LittleEndian.Uint64(b[24:]) // a tag, then other things
		if equal(binary.LittleEndian.Uint64(b[0:]), t)|equal(binary.LittleEndian.Uint64(b[8:]), t)|
			equal(binary.LittleEndian.Uint64(b[16:]), t)|equal(last, t)&0xffff != 0 {
			return true
		}
		if uint32(last>>32)>>moreBit(h)&1 == 0 {
			return false
		}
		at = x.next(at)
	}
	return false
}

// find returns the record of exactly this key. kind is the first octet of a key that does not stand in front of key, or 0.
func (s *Set) find(h uint64, kind byte, key []byte) (rec record, ok bool) {
	if !s.index.holds(h) {
		return record{}, false
	}
	return s.table.find(h, kind, key)
}
