package set

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"

	"weir/blocklists/set/mapped"
)

// Save writes the Set to path, so that [Open] finds it there. A crash at any moment leaves the file that was there before, or
// the new one, whole and synced. It writes about 50 bytes per name of average length.
func (s *Set) Save(path string) error {
	if s == nil {
		s = &Set{}
	}
	m, err := encodeMeta(meta{Lists: s.lists, Stats: s.stats, Note: s.note})
	if err != nil {
		return err
	}
	var sums []byte
	for _, part := range [][]byte{m, s.index.b, s.table.b} {
		sums = appendSums(sums, part)
	}
	h := header{
		seed: s.seed, meta: uint64(len(m)), index: uint64(len(s.index.b)), records: uint64(len(s.table.b)), sums: uint64(len(sums)), blocks: s.table.blocks,
		names: uint64(s.count.Names), addresses: uint64(s.count.Addresses), rules: uint64(s.count.Rules),
		urls: uint64(s.count.URLs), fingerprints: uint64(s.count.Fingerprints), has: s.has, sumsCRC: crc32.Checksum(sums, castagnoli()),
	}
	if err := h.check(headerSize + h.meta + h.index + h.records + h.sums); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	err = mapped.Replace(path, h.encode(), m, s.index.b, s.table.b, sums)
	runtime.KeepAlive(s)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func appendSums(sums, part []byte) []byte {
	for len(part) > 0 {
		n := min(len(part), sumBlock)
		sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(part[:n], castagnoli()))
		part = part[n:]
	}
	return sums
}
