package set

import (
	"encoding/binary"
	"math/bits"
)

// The index is an open-addressed table of buckets, each one cache line, that leads from the hash of a key to its record:
//
//	0..19   10 tags of 16 bits, the low bits of the hash
//	20      how many slots are taken
//	22..23  a filter of the keys that belonged here but found the bucket full: look on in the next when its bit is set
//	24..63  10 references of 32 bits, the offset of the record in units of 4 bytes
//
// A look-up reads one line per parent of a name and goes to the record only when a tag is equal (for a name that is on no list:
// once in 8000 probes); there the bytes are compared, so that there are no false hits.
const (
	bucketSize  = 64
	bucketSlots = 10
	atTaken     = 20
	atMore      = 22
	atRefs      = 24
	// fillFourths is how many slots are meant to be taken on average, in fourths: 7.5 of 10 are 8.5 bytes a key; one bucket in
	// six overflows, and the filter keeps all but one look-up in a hundred from going on in vain.
	fillFourths = 30
	// recordUnit is the alignment of records: 31 bits of units reach 8 GB.
	recordUnit = 4
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
	return (n*4/fillFourths + 1) * bucketSize
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

// put stores a reference under h. The index must have room.
func (x index) put(h uint64, ref uint32) {
	at := x.home(h)
	for x.bucket(at)[atTaken] == bucketSlots {
		b := x.bucket(at)
		binary.LittleEndian.PutUint16(b[atMore:], binary.LittleEndian.Uint16(b[atMore:])|1<<moreBit(h))
		at = x.next(at)
	}
	b := x.bucket(at)
	i := int(b[atTaken])
	binary.LittleEndian.PutUint16(b[2*i:], uint16(h))
	binary.LittleEndian.PutUint32(b[atRefs+4*i:], ref)
	b[atTaken]++
}

// moreBit takes bits of the hash that neither tag nor home depend on.
func moreBit(h uint64) uint { return uint(h>>16) % 16 }

const (
	lanes = 0x0001_0001_0001_0001
	tops  = 0x8000_8000_8000_8000
)

// equal marks, in the top bit of each 16-bit lane of w, whether it is equal to t; a lane above an equal one may be marked too.
func equal(w, t uint64) uint64 {
	w ^= t
	return (w - lanes) &^ w & tops
}

// find returns the record of exactly this key. kind is the first octet of a key that does not stand in front of key, or 0.
func (s *Set) find(h uint64, kind byte, key []byte) (rec record, ok bool) {
	t := uint64(uint16(h)) * lanes
	at := s.index.home(h)
	for range s.index.n { // ends at the first bucket that held all that belonged there
		b := s.index.bucket(at)
		low, high := equal(binary.LittleEndian.Uint64(b[0:]), t), equal(binary.LittleEndian.Uint64(b[8:]), t)
		last := equal(binary.LittleEndian.Uint64(b[16:]), t) & 0xffff_ffff // two tags, then other things
		if low|high|last != 0 {
			if rec, ok = s.verify(b, low>>15|high>>14|last>>13, kind, key); ok {
				return rec, true
			}
		}
		if binary.LittleEndian.Uint16(b[atMore:])>>moreBit(h)&1 == 0 {
			return record{}, false
		}
		at = s.index.next(at)
	}
	return record{}, false
}

// verify compares the bytes behind every candidate: bit 16*i+j stands for slot 4*j+i.
func (s *Set) verify(b *[bucketSize]byte, marks uint64, kind byte, key []byte) (record, bool) {
	for ; marks != 0; marks &= marks - 1 {
		bit := bits.TrailingZeros64(marks)
		slot := 4*(bit%16) + bit/16
		if slot >= int(b[atTaken]) {
			continue // an empty slot has tag 0
		}
		rec, ok := recordAt(s.records, uint64(binary.LittleEndian.Uint32(b[(atRefs+4*slot)%bucketSize:]))*recordUnit)
		if ok && rec.is(kind, key) {
			return rec, true
		}
	}
	return record{}, false
}
