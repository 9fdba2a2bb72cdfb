package set

import (
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"weir/blocklists/set/mapped"
	"weir/internal/hostname"
)

// Set is an immutable snapshot of all lists. The nil and the zero Set match nothing. All methods may be called by many
// goroutines at once. Apart from the few List values it holds no pointers, and its memory lies outside of the Go heap, so its
// size costs the garbage collector nothing: per name about 8.5 bytes of index, always resident, and a record (rule, list, line
// and the name itself), which a Set from [Open] leaves in the file. The memory is given back when nobody can reach the Set any
// more, so a transaction may keep an old one; [Set.Close] is for one that nobody else has seen.
type Set struct {
	seed    seed
	index   index
	records []byte
	labels  uint64  // bit n: there are names of n labels (63: of 63 or more)
	len4    lengths // that occur
	len6    lengths
	lists   []List
	stats   []ListStats
	note    []byte
	count   Stats

	buckets, body *mapped.Region // own what index and records view; nil where that is on the heap
}

// maxLabels is the last bit of Set.labels.
const maxLabels = 63

// Lookup appends to dst every entry that covers name, over all lists, most specific first (the name itself, then its parents;
// within one, in the order of the lists). It does not allocate when dst has room.
func (s *Set) Lookup(name hostname.Name, dst []Match) []Match {
	if s == nil || s.labels == 0 || name.IsZero() {
		return dst
	}
	// From right to left: one pass hashes all parents, and the processor, which rightly guesses that nothing matches, loads the
	// buckets of the longer names while it still waits for the shorter ones.
	text, first, labels := octets(name.String()), len(dst), 0
	for h, end := s.seed.start(), len(text); end >= 0; {
		dot := lastDot(text[:end])
		h = s.seed.label(h, text[dot+1:end])
		labels++
		if s.labels>>min(labels, maxLabels)&1 != 0 {
			if rec, ok := s.find(h, text[dot+1:]); ok {
				dst = s.appendName(dst, rec, labels, dot < 0)
			}
		}
		if end = dot; s.labels>>min(labels+1, maxLabels) == 0 { // no list has so long a name
			break
		}
	}
	runtime.KeepAlive(s) // the memory is given back when s is unreachable
	if len(dst) > first {
		upright(dst[first:], strings.Count(name.String(), ".")+1)
	}
	return dst
}

// appendName appends the rules of rec in reverse order, with the labels of its name in Depth: Lookup turns both around.
func (s *Set) appendName(dst []Match, rec record, labels int, whole bool) []Match {
	for i := len(rec.rules) - ruleSize; i >= 0; i -= ruleSize {
		r := ruleAt(rec.rules[i:])
		if scope := r.flag.scope(); scope == Exact && !whole || scope == Below && whole {
			continue
		}
		dst = append(dst, Match{
			Entry: uint32((rec.off + uint64(i)) / recordUnit), List: r.list, Depth: uint8(labels),
			Exception: r.flag.exception(), Important: r.flag.important(),
		})
	}
	return dst
}

func upright(ms []Match, labels int) {
	slices.Reverse(ms)
	for i := range ms {
		ms[i].Depth = uint8(labels - int(ms[i].Depth))
	}
}

// List returns the list a Match speaks of; the zero List when i is out of range.
func (s *Set) List(i uint16) List {
	if s == nil || int(i) >= len(s.lists) {
		return List{}
	}
	return s.lists[i]
}

// Lists returns how many lists there are; their numbers are 0 to Lists()-1.
func (s *Set) Lists() int {
	if s == nil {
		return 0
	}
	return len(s.lists)
}

// Entry returns the entry of a Match of this Set; the zero Entry when it is not of this Set.
func (s *Set) Entry(m Match) Entry {
	if s == nil || s.index.n == 0 {
		return Entry{}
	}
	defer runtime.KeepAlive(s)
	off := uint64(m.Entry&^addrEntry) * recordUnit
	rest, ok := recordAt(s.records, off)
	if !ok || isAddrKey(rest.key) != m.IsAddr() {
		return Entry{}
	}
	// Is there a rule at off, or the middle of something? The index knows where records begin.
	rec, ok := s.find(s.seed.key(rest.key), rest.key)
	if !ok || off < rec.off || off >= rec.off+uint64(len(rec.rules)) || (off-rec.off)%ruleSize != 0 {
		return Entry{}
	}
	return entryOf(ruleAt(rest.rules), rest.key)
}

func entryOf(r rule, key []byte) Entry {
	e := Entry{Exception: r.flag.exception(), Important: r.flag.important(), Line: r.line}
	if isAddrKey(key) {
		e.Prefix = prefixOf(key)
		return e
	}
	name, err := hostname.FromDNS(string(key))
	if err != nil { // cannot be: it was a Name when it was added
		return Entry{}
	}
	e.Name, e.Scope = name, r.flag.scope()
	return e
}

// EntryText returns the canonical text of the matching entry (see [Entry.String]) and its line in its list.
func (s *Set) EntryText(m Match) (text string, line uint32) {
	e := s.Entry(m)
	if e.Line == 0 && e.Name.IsZero() && !e.Prefix.IsValid() {
		return "", 0
	}
	return e.String(), e.Line
}

// Note returns what [Builder.SetNote] was given; it must not be changed.
func (s *Set) Note() []byte {
	if s == nil {
		return nil
	}
	return s.note
}

// Stats returns sizes of the whole Set.
func (s *Set) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	return s.count
}

// ListStats returns what became of the entries of list i.
func (s *Set) ListStats(i uint16) ListStats {
	if s == nil || int(i) >= len(s.stats) {
		return ListStats{}
	}
	return s.stats[i]
}

// Close gives the memory of a Set back at once. It is only for a Set that nobody else can reach (one that was built to be saved,
// say); afterwards it matches nothing. Any other Set is simply dropped: it goes when the last transaction that uses it has ended.
func (s *Set) Close() {
	if s == nil {
		return
	}
	buckets, body := s.buckets, s.body
	*s = Set{}
	buckets.Free()
	body.Free()
}

// addKey counts a key that has rules.
func (s *Set) addKey(key []byte) {
	if !isAddrKey(key) {
		s.count.Names++
		s.labels |= 1 << min(strings.Count(unsafe.String(&key[0], len(key)), ".")+1, maxLabels)
		return
	}
	s.count.Addresses++
	if p := prefixOf(key); p.Addr().Is4() {
		s.len4.add(uint8(p.Bits()))
	} else {
		s.len6.add(uint8(p.Bits()))
	}
}
