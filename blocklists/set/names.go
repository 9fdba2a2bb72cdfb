package set

import (
	"iter"
	"runtime"

	"weir/internal/hostname"
)

// Place is where an entry stands.
type Place struct {
	List uint16
	Line uint32 // in a list that is in the order of rank, its rank
}

// Names yields every name that one of some lists holds up to line last (0: without end), with the place: what blocks or gives a class,
// of whatever scope, but no exceptions and no names of servers. A name that several lists hold comes once for each. The order is that of the
// table, which is none. It reads all records once, so of a Set from [Open] the whole file is touched: it is for whoever prepares
// something when lists change, never for a decision.
func (s *Set) Names(last uint32, lists ...uint16) iter.Seq2[hostname.Name, Place] {
	return func(yield func(hostname.Name, Place) bool) {
		if s == nil || s.has.labels == 0 || len(lists) == 0 {
			return
		}
		defer runtime.KeepAlive(s) // the memory is given back when s is unreachable
		wanted := make([]bool, len(s.lists))
		for _, l := range lists {
			if int(l) < len(wanted) {
				wanted[l] = true
			}
		}
		for rec := range s.table.records() {
			if isName(rec.key) && !rec.yield(wanted, last, yield) {
				return
			}
		}
	}
}

// yield calls yield for each rule of a wanted list.
func (r record) yield(wanted []bool, last uint32, yield func(hostname.Name, Place) bool) bool {
	var name hostname.Name
	for i := 0; i < len(r.rules); i += ruleSize {
		u := ruleAt(r.rules[i:])
		if int(u.list) >= len(wanted) || !wanted[u.list] || u.flag.exception() || last != 0 && u.line > last {
			continue
		}
		if name.IsZero() {
			if name = nameOf(r.key); name.IsZero() {
				return true // no name: the file lies
			}
		}
		if !yield(name, Place{List: u.list, Line: u.line}) {
			return false
		}
	}
	return true
}

// records yields every record of the table.
func (t *table) records() iter.Seq[record] {
	return func(yield func(record) bool) {
		for at := range t.blocks {
			start := at * blockSize
			b := t.b[:start+blockEnd]
			off := start + blockHead
			for n := min(t.b[start+atCount]&countMask, t.b[start+blockEnd]); n > 0 && off+ruleSize <= uint64(len(b)); n-- {
				rec, next, ok := t.recordIn(b, off)
				if !ok {
					break
				}
				if off = next; len(rec.key) > 0 && !yield(rec) {
					return
				}
			}
		}
	}
}

// recordIn reads the record at off of a block, which may lie elsewhere, and says where the next one begins.
func (t *table) recordIn(block []byte, off uint64) (rec record, next uint64, ok bool) {
	if flags(block[off+atFlag])&flagFar == 0 {
		if rec, ok = recordAt(block, off); ok {
			next = rec.next(block)
		}
		return rec, next, ok
	}
	rec, ok = recordAt(t.b, uint64(ruleAt(block[off:]).line)*recordUnit)
	if !ok {
		rec = record{} // the file lies: on with the next
	}
	return rec, off + ruleSize, true
}
