package memory

import (
	"encoding/binary"
	"math/bits"
)

// sip is SipHash-2-4 (Aumasson and Bernstein 2012) of s under a secret key: whoever does not know the key cannot choose names that
// meet in one bucket. The standard library's keyed hash is of no use here, for its key cannot be kept.
func sip(key [2]uint64, s string) uint64 {
	v0, v1 := key[0]^0x736f6d6570736575, key[1]^0x646f72616e646f6d
	v2, v3 := key[0]^0x6c7967656e657261, key[1]^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	n := len(s)
	var word [8]byte
	for ; len(s) >= 8; s = s[8:] {
		copy(word[:], s)
		m := binary.LittleEndian.Uint64(word[:])
		v3 ^= m
		round()
		round()
		v0 ^= m
	}
	word = [8]byte{7: byte(n)}
	copy(word[:7], s)
	m := binary.LittleEndian.Uint64(word[:])
	v3 ^= m
	round()
	round()
	v0 ^= m
	v2 ^= 0xff
	for range 4 {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}
