package memory

import (
	"encoding/binary"
	"hash/crc32"
)

// SIP lets tests compare the hash with its published vectors.
func SIP(key [2]uint64, s string) uint64 { return sip(key, s) }

// Seal makes the sum of the head right again, so that what is behind it is looked at.
func Seal(b []byte) {
	if len(b) >= headerSize {
		binary.NativeEndian.PutUint32(b[headerUsed:], crc32.Checksum(b[:headerUsed], crc32.MakeTable(crc32.Castagnoli)))
	}
}
