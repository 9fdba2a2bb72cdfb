package set

import (
	"math/bits"
)

// The table is where the records lie: blocks of two cache lines, then the records that fit no block. A record lies in the block
// that its hash says, or, where that is full, in one of the next:
//
//	0       how many records are here, and in the highest bit whether one that belonged here lies further on
//	1       how many units of 4 bytes they take
//	4..     records, one behind the other; in place of a far one its stub, a rule with flagFar: line is where it lies, in units
//	        of 4 bytes, list is bits of its hash
//	124     how many records are here, again: so both lines are loaded at once
//
// Every read is checked against the end: a file that lies gives nothing, never a panic.
const (
	blockSize = 128
	blockHead = 4
	blockEnd  = 124
	blockRoom = blockEnd - blockHead
	atCount   = 0
	atUsed    = 1
	countMask = 0x0f // stubs have 8 bytes, so there are at most 15
	further   = 0x80
	// maxMoved is how many blocks a record may lie further on; the table grows until all lie within.
	maxMoved = 32
	// tableFill is how full blocks are meant to be, in percent: one record in five then lies in another block than its own, mostly the next.
	tableFill = 75
)

// table is a view of the records.
type table struct {
	b      []byte
	blocks uint64 // at the beginning of b
}

func (t *table) home(h uint64) uint64 {
	at, _ := bits.Mul64(h, t.blocks)
	return at
}

func (t *table) next(at uint64) uint64 {
	if at++; at == t.blocks {
		return 0
	}
	return at
}

// find returns the record of exactly this key.
func (t *table) find(h uint64, kind byte, key []byte) (record, bool) {
	if t.blocks == 0 {
		return record{}, false
	}
	for at, moved := t.home(h), 0; moved <= maxMoved; moved++ {
		start := at * blockSize
		block := t.b[start : start+blockSize]
		if rec, ok := t.within(h, start, min(block[atCount]&countMask, block[blockEnd]), kind, key); ok {
			return rec, true
		}
		if block[atCount]&further == 0 {
			break
		}
		at = t.next(at)
	}
	return record{}, false
}

// within looks among the n records of the block at start.
func (t *table) within(h, start uint64, n, kind byte, key []byte) (rec record, ok bool) {
	b := t.b[:start+blockEnd]
	for off := start + blockHead; n > 0 && off+ruleSize <= uint64(len(b)); n-- {
		flag, size := flags(b[off+atFlag]), uint64(b[off+atSize])
		if end := off + ruleSize + size; kind == 0 && flag&(flagExtra|flagFar) == 0 && size-1 < longKey-1 && end <= uint64(len(b)) { // one rule, nothing long
			if k := b[off+ruleSize : end]; string(k) == string(key) {
				return record{off: off, rules: b[off : off+ruleSize], key: k}, true
			}
			off = aligned(end)
			continue
		}
		if flag&flagFar != 0 {
			if rec, ok = t.far(h, b[off:], kind, key); ok {
				return rec, true
			}
			off += ruleSize
			continue
		}
		if rec, ok = recordAt(b, off); !ok {
			break
		}
		if rec.is(kind, key) {
			return rec, true
		}
		off = rec.next(b)
	}
	return record{}, false
}

// far looks at the record that a stub leads to.
func (t *table) far(h uint64, stub []byte, kind byte, key []byte) (record, bool) {
	r := ruleAt(stub)
	if r.list != farTag(h) {
		return record{}, false
	}
	rec, ok := recordAt(t.b, uint64(r.line)*recordUnit)
	return rec, ok && rec.is(kind, key)
}

// farTag takes bits that the places of a record do not depend on.
func farTag(h uint64) uint16 { return uint16(h >> 8) }

// need is how much of a block a record of size takes, in parts of wholeBlock: what is left over counts.
func need(size uint64) uint64 {
	if size > blockRoom {
		size = ruleSize // a stub
	}
	return wholeBlock / (blockRoom / size)
}

// wholeBlock is a multiple of all numbers of records that fit in a block.
const wholeBlock = 360360

// tableBlocks is how many blocks are for records that need so much; rounds is how often that was too little.
func tableBlocks(needs uint64, rounds int) uint64 {
	n := needs*100/tableFill/wholeBlock + 1
	return n + n*uint64(rounds)/2
}

// writer fills a table in the order of the hash.
type writer struct {
	table
	end uint64 // of what is written behind the blocks
}

// place reserves room for a record of size bytes and returns where it begins; ok is false when the table must grow.
func (w *writer) place(h, size uint64) (off uint64, ok bool) {
	inside := size
	if size > blockRoom {
		inside = ruleSize
	}
	at := w.home(h)
	for range maxMoved + 1 {
		b := w.b[at*blockSize : (at+1)*blockSize]
		used := uint64(b[atUsed]) * recordUnit
		if used+inside > blockRoom {
			b[atCount] |= further
			at = w.next(at)
			continue
		}
		b[atCount]++
		b[blockEnd]++
		b[atUsed] += uint8(inside / recordUnit)
		off = at*blockSize + blockHead + used
		if size > blockRoom {
			off = w.placeFar(h, size, off)
		}
		return off, true
	}
	return 0, false
}

func (w *writer) placeFar(h, size, stub uint64) uint64 {
	off := w.end
	w.end += size
	rule{line: uint32(off / recordUnit), list: farTag(h), flag: flagFar}.put(w.b[stub:], 0)
	return off
}

// entryAt returns the record in which a rule begins at off, as Match.Entry has it; ok is false when there is none.
func (s *Set) entryAt(off uint64) (rec record, at int, ok bool) {
	rest, ok := recordAt(s.table.b, off)
	if !ok || len(rest.key) == 0 {
		return record{}, 0, false
	}
	// Is there a rule at off, or the middle of something? The table knows where records begin.
	rec, ok = s.table.find(s.seed.key(rest.key), 0, rest.key)
	if !ok || off < rec.off || off >= rec.off+uint64(len(rec.rules)) || (off-rec.off)%ruleSize != 0 {
		return record{}, 0, false
	}
	return rec, int(off - rec.off), true
}

// sizeOf is what a record of these rules and this key takes.
func sizeOf(rules []rule, key []byte) uint64 {
	n := len(rules)*ruleSize + keySize(key)
	for _, r := range rules {
		n += len(r.extra)
	}
	return aligned(uint64(n))
}

// farSize is what a record may take behind the blocks.
func farSize(size uint64) uint64 {
	if size > blockRoom {
		return size
	}
	return 0
}
