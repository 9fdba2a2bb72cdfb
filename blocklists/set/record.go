package set

import "encoding/binary"

// A record is the rules of one key, in the order of the lists, and the key:
//
//	rule   line u32, list u16, flags u8, size u8: 0 when a rule follows, else the octets of the key, which follow
//	key    a name, or an address (see addrKey)
//
// Records begin at multiples of recordUnit, so a rule is named by its offset in these units: that is Match.Entry. Every read is
// checked against the end: a file that lies gives nothing, never a panic.
const (
	ruleSize = 8
	atList   = 4
	atFlag   = 6
	atSize   = 7
)

// rule is one entry of one list.
type rule struct {
	line uint32
	list uint16
	flag flags
}

// record is a view of one.
type record struct {
	off   uint64 // of its first rule
	rules []byte
	key   []byte
}

// recordAt reads the record, or its rest, that begins at off.
func recordAt(b []byte, off uint64) (record, bool) {
	for end := off; end+ruleSize <= uint64(len(b)); {
		size := uint64(b[end+atSize])
		end += ruleSize
		if size == 0 {
			continue
		}
		if end+size > uint64(len(b)) {
			break
		}
		return record{off: off, rules: b[off:end], key: b[end : end+size]}, true
	}
	return record{}, false
}

// next is where the record behind r begins.
func (r record) next() uint64 { return aligned(r.off + uint64(len(r.rules)+len(r.key))) }

func aligned(n uint64) uint64 { return (n + recordUnit - 1) &^ (recordUnit - 1) }

// ruleAt reads the rule at the beginning of b, which is a part of record.rules.
func ruleAt(b []byte) rule {
	_ = b[ruleSize-1]
	return rule{line: binary.LittleEndian.Uint32(b), list: binary.LittleEndian.Uint16(b[atList:]), flag: flags(b[atFlag])}
}

// put writes r at the beginning of b.
func (r rule) put(b []byte, size uint8) {
	binary.LittleEndian.PutUint32(b, r.line)
	binary.LittleEndian.PutUint16(b[atList:], r.list)
	b[atFlag], b[atSize] = uint8(r.flag), size
}

// flags packs the scope and what else an entry says.
type flags uint8

const (
	scopeBits     flags = 3
	flagException flags = 1 << 2
	flagImportant flags = 1 << 3
	flagCancel    flags = 1 << 4
)

func flagsOf(e Entry) flags {
	f := flags(e.Scope)
	if e.Exception {
		f |= flagException
	}
	if e.Important {
		f |= flagImportant
	}
	if e.Cancel {
		f |= flagCancel
	}
	return f
}

func (f flags) scope() Scope    { return Scope(f & scopeBits) }
func (f flags) exception() bool { return f&flagException != 0 }
func (f flags) important() bool { return f&flagImportant != 0 }
