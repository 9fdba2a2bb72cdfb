package set

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// A snapshot file, all numbers little-endian, nothing between the parts:
//
//	header   512 bytes, see below; its own CRC at its end
//	meta     JSON: lists, what became of their entries, the note
//	index    see index.go; at a multiple of 128
//	table    see table.go and record.go; at a multiple of 128
//	sums     CRC-32C of each started MiB of meta, then of index, then of records
//
// The CRC of sums stands in the header. So a change of any byte, or a missing one, is found when the file is opened. Nobody is
// kept from forging a file, who may write it: it lies in weir's own directory.
const (
	headerSize = 512
	version    = 2 // 1 had names and addresses only
	sumBlock   = 1 << 20
	maxMeta    = 256 << 20 // 65535 lists with their words
)

// magic names the format. The octets behind the name find a file that was treated as text.
const magic = "weirset\x00\r\n\x1a\n\x89set"

// ErrSnapshot says that a file is no whole snapshot of a version that is known here.
var ErrSnapshot = errors.New("not a whole list snapshot")

// header is the first part, unpacked. Its fields stand in the file in this order, behind magic and version.
type header struct {
	seed                       seed
	meta, index, records, sums uint64 // sizes
	blocks                     uint64 // of the table
	names, addresses, rules    uint64
	urls, fingerprints         uint64
	has                        present
	sumsCRC                    uint32
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the package keeps it; computed by the CPU

func (h *header) words() []*uint64 {
	return append([]*uint64{
		&h.meta, &h.index, &h.records, &h.sums, &h.blocks, &h.names, &h.addresses, &h.urls, &h.fingerprints, &h.rules,
	}, h.has.words()...)
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = binary.LittleEndian.AppendUint64(b, version)
	b = h.seed.appendTo(b)
	for _, w := range h.words() {
		b = binary.LittleEndian.AppendUint64(b, *w)
	}
	b = binary.LittleEndian.AppendUint32(b, h.sumsCRC)
	b = b[:headerSize]
	binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli()))
	return b
}

// decodeHeader reads and checks a header against the size of the file.
func decodeHeader(b []byte, size int64) (h header, err error) {
	switch {
	case !bytes.HasPrefix(b, []byte(magic)):
		return h, fmt.Errorf("%w: other magic", ErrSnapshot)
	case crc32.Checksum(b[:headerSize-4], castagnoli()) != binary.LittleEndian.Uint32(b[headerSize-4:]):
		return h, fmt.Errorf("%w: header damaged", ErrSnapshot)
	}
	b = b[len(magic):]
	if v := binary.LittleEndian.Uint64(b); v != version {
		return h, fmt.Errorf("%w: version %d, %d is known", ErrSnapshot, v, version)
	}
	h.seed = seedOf(b[8:])
	b = b[8+seedSize:]
	for _, w := range h.words() {
		*w, b = binary.LittleEndian.Uint64(b), b[8:]
	}
	h.sumsCRC = binary.LittleEndian.Uint32(b)
	return h, h.check(uint64(size))
}

// check refuses what cannot be, before anything is allocated for it.
func (h *header) check(size uint64) error {
	rest := size - headerSize
	for _, part := range []uint64{h.meta, h.index, h.records, h.sums} {
		if part > rest {
			return fmt.Errorf("%w: truncated", ErrSnapshot)
		}
		rest -= part
	}
	switch {
	case rest != 0:
		return fmt.Errorf("%w: something follows", ErrSnapshot)
	case h.meta > maxMeta, h.index%partAlign != 0, h.meta%partAlign != 0, h.records > maxRecords:
		return fmt.Errorf("%w: sizes", ErrSnapshot)
	case h.sums != uint64(4*(blocks(h.meta)+blocks(h.index)+blocks(h.records))):
		return fmt.Errorf("%w: sums", ErrSnapshot)
	case h.blocks > h.records/blockSize, (h.blocks == 0) != (h.index == 0):
		return fmt.Errorf("%w: blocks", ErrSnapshot)
	case h.keys() > h.index/bucketSize*bucketSlots, h.rules > maxRules:
		return fmt.Errorf("%w: counts", ErrSnapshot)
	}
	return nil
}

// keys is how many there are; each term is bounded, so that a lie does not wrap around.
func (h *header) keys() uint64 {
	return min(h.names, maxRules) + min(h.addresses, maxRules) + min(h.urls, maxRules) + min(h.fingerprints, maxRules)
}

// blocks is how many sums a part of n bytes has.
func blocks(n uint64) int { return int((n + sumBlock - 1) / sumBlock) }

// meta is the part that is not per entry.
type meta struct {
	Lists []List      `json:"lists"`
	Stats []ListStats `json:"stats"`
	Note  []byte      `json:"note,omitempty"`
}

// encodeMeta pads with spaces, which JSON ignores, so that what follows begins at a multiple of a block.
func encodeMeta(m meta) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("save snapshot: %w", err)
	}
	for len(b)%partAlign != 0 {
		b = append(b, ' ')
	}
	return b, nil
}

func decodeMeta(b []byte) (m meta, err error) {
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if len(m.Lists) != len(m.Stats) || len(m.Lists) > maxLists {
		return m, fmt.Errorf("%w: lists", ErrSnapshot)
	}
	for i := range m.Lists {
		if l := &m.Lists[i]; l.Action == ActionAllow && !l.GrantAllow {
			return m, fmt.Errorf("%w: list %q: %w", ErrSnapshot, l.Name, ErrGrant)
		}
	}
	return m, nil
}
