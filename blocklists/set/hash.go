package set

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// seed keys the hash. It is random for each Set and stored with it: nobody can write a list of names that collide, nor ask for
// such names.
type seed [5]uint64

// seedSize is the size of a seed in a file.
const seedSize = 5 * 8

func newSeed() seed {
	var b [seedSize]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return seedOf(b[:])
}

func seedOf(b []byte) (s seed) {
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return s
}

func (s *seed) appendTo(b []byte) []byte {
	for _, k := range s {
		b = binary.LittleEndian.AppendUint64(b, k)
	}
	return b
}

// start is the hash of no label.
func (s *seed) start() uint64 { return s[4] }

// label adds the label to the left to the hash of its parent: so one pass from right to left hashes a name and all its
// parents. It folds 64x64-bit products, as wyhash and Go's own map do, with 256 secret bits.
func (s *seed) label(h uint64, l []byte) uint64 {
	var x, y uint64
	n := len(l)
	switch {
	case n > 16:
		rest := l
		for ; len(rest) > 16; rest = rest[16:] {
			h = fold(binary.LittleEndian.Uint64(rest)^h^s[2], binary.LittleEndian.Uint64(rest[8:])^s[3])
		}
		x, y = binary.LittleEndian.Uint64(l[n-16:]), binary.LittleEndian.Uint64(l[n-8:])
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(l), binary.LittleEndian.Uint64(l[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(l)), uint64(binary.LittleEndian.Uint32(l[n-4:]))
	case n > 0:
		x = uint64(l[0])<<16 | uint64(l[n>>1])<<8 | uint64(l[n-1])
	}
	return fold(x^h^s[0], y^s[1]^uint64(n))
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// lastDot is a plain loop: labels are short.
func lastDot(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '.' {
			return i
		}
	}
	return -1
}

// octets views a string as bytes, to be read only.
func octets(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
