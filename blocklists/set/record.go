package set

import "encoding/binary"

// A record is the rules of one key, in the order of the lists, the key, and what some of its rules say beside:
//
//	rule   line u32, list u16, flags u8, size u8: 0 when a rule follows, else the octets of the key
//	long   u16, only when size is 255: the octets of the key
//	key    see key.go
//	extra  for each rule with that flag, in their order: reply u8, octets of types u16, of data u16, types, data
//
// Records begin at multiples of recordUnit, so a rule is named by its offset in these units: that is Match.Entry. Every read is
// checked against the end: a file that lies gives nothing, never a panic.
const (
	recordUnit = 4 // alignment of records: 31 bits of units reach 8 GB
	ruleSize   = 8
	atList     = 4
	atFlag     = 6
	atSize     = 7
	longKey    = 255 // the size that says that the real one follows
	longSize   = 2
	extraSize  = 5
)

// rule is one entry of one list.
type rule struct {
	line  uint32
	list  uint16
	flag  flags
	extra []byte // view of its extra; nil without
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
		start := end
		if size == longKey {
			if start += longSize; start > uint64(len(b)) {
				break
			}
			size = uint64(binary.LittleEndian.Uint16(b[end:]))
		}
		if start+size > uint64(len(b)) {
			break
		}
		return record{off: off, rules: b[off:end], key: b[start : start+size]}, true
	}
	return record{}, false
}

// is compares the key with kind and key; kind 0 is none.
func (r record) is(kind byte, key []byte) bool {
	if kind == 0 {
		return string(r.key) == string(key)
	}
	return len(r.key) > 0 && r.key[0] == kind && string(r.key[1:]) == string(key)
}

// appendMatch appends a Match of the rule at i of rec.rules. A rule of a list that there is not, in a file that lies, is none:
// nothing is blocked in nobody's name.
func (s *Set) appendMatch(dst []Match, rec record, i int, mark uint32, depth uint8) []Match {
	u := ruleAt(rec.rules[i:])
	if int(u.list) >= len(s.lists) {
		return dst
	}
	return append(dst, Match{
		Entry: uint32((rec.off+uint64(i))/recordUnit) | mark, List: u.list, Depth: depth, Exception: u.flag.exception(),
		Important: u.flag.important(), Extra: u.flag&flagExtra != 0 || triggerOf(rec.key) != Target,
	})
}

// keyEnd is where the extras begin.
func (r record) keyEnd() uint64 {
	end := r.off + uint64(len(r.rules)+len(r.key))
	if r.rules[len(r.rules)-ruleSize+atSize] == longKey {
		end += longSize
	}
	return end
}

// extraOf returns the extra of the rule at i of r.rules, and where the next one begins; b is what r is a view of. The extra is nil
// for a rule without, and where b lies.
func (r record) extraOf(b []byte, i int) (extra []byte, end uint64) {
	end = r.keyEnd()
	for at := 0; at <= i; at += ruleSize {
		extra = nil
		if flags(r.rules[at+atFlag])&flagExtra == 0 {
			continue
		}
		if end > uint64(len(b)) || len(b)-int(end) < extraSize {
			return nil, uint64(len(b))
		}
		size := extraSize + uint64(binary.LittleEndian.Uint16(b[end+1:])) + uint64(binary.LittleEndian.Uint16(b[end+3:]))
		if size > uint64(len(b))-end {
			return nil, uint64(len(b))
		}
		extra = b[end : end+size]
		end += size
	}
	return extra, end
}

// hasExtra says whether e says more than a rule holds.
func hasExtra(e *Entry) bool { return e.Reply != ReplyPolicy || e.Types != "" }

// appendExtra writes what extraOf finds.
func appendExtra(b []byte, e *Entry) []byte {
	b = append(b, byte(e.Reply))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.Types)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.Data)))
	return append(append(b, e.Types...), e.Data...)
}

// setExtra puts into e what an extra says.
func setExtra(e *Entry, extra []byte) {
	if len(extra) < extraSize {
		return
	}
	types := int(binary.LittleEndian.Uint16(extra[1:]))
	e.Reply, e.Types, e.Data = Reply(extra[0]), Types(extra[extraSize:extraSize+types]), string(extra[extraSize+types:])
}

// entry makes the Entry of the rule at i of r.rules again; ok is false for a key that is none. Where b lies about the rest, that is
// left out: what matched always has a name.
func (r record) entry(b []byte, i int) (e Entry, ok bool) {
	u := ruleAt(r.rules[i:])
	e = Entry{Exception: u.flag.exception(), Important: u.flag.important(), Line: u.line}
	setKey(&e, r.key, u.flag.scope())
	if u.flag&flagExtra != 0 {
		full := e
		extra, _ := r.extraOf(b, i)
		if setExtra(&full, extra); full.validRest() {
			e = full
		}
	}
	return e, e.oneKind()
}

// next is where the record behind r begins.
func (r record) next(b []byte) uint64 {
	_, end := r.extraOf(b, len(r.rules)-ruleSize)
	return aligned(end)
}

func aligned(n uint64) uint64 { return (n + recordUnit - 1) &^ (recordUnit - 1) }

// ruleAt reads the rule at the beginning of b, which is a part of record.rules.
func ruleAt(b []byte) rule {
	_ = b[ruleSize-1]
	return rule{line: binary.LittleEndian.Uint32(b), list: binary.LittleEndian.Uint16(b[atList:]), flag: flags(b[atFlag])}
}

// put writes r at the beginning of b; size is that of the key behind it, or 0. It returns how much it wrote.
func (r rule) put(b []byte, size int) int {
	binary.LittleEndian.PutUint32(b, r.line)
	binary.LittleEndian.PutUint16(b[atList:], r.list)
	b[atFlag], b[atSize] = uint8(r.flag), uint8(min(size, longKey))
	if size < longKey {
		return ruleSize
	}
	binary.LittleEndian.PutUint16(b[ruleSize:], uint16(size))
	return ruleSize + longSize
}

// keySize is what a key takes in a record, its long size included.
func keySize(key []byte) int {
	if len(key) < longKey {
		return len(key)
	}
	return longSize + len(key)
}

// flags packs the scope and what else an entry says.
type flags uint8

const (
	scopeBits     flags = 3
	flagException flags = 1 << 2
	flagImportant flags = 1 << 3
	flagCancel    flags = 1 << 4
	flagExtra     flags = 1 << 5
	flagFar       flags = 1 << 6 // no rule, but a stub: see table.go
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
	if hasExtra(&e) {
		f |= flagExtra
	}
	return f
}

func (f flags) scope() Scope    { return Scope(f&scopeBits) % (Below + 1) }
func (f flags) exception() bool { return f&flagException != 0 }
func (f flags) important() bool { return f&flagImportant != 0 }
