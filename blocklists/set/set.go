package set

import (
	"runtime"
	"slices"
	"strings"
	"time"

	"weir/blocklists/set/mapped"
	"weir/internal/hostname"
)

// Set is an immutable snapshot of all lists. The nil and the zero Set match nothing. All methods may be called by many
// goroutines at once. Apart from the few List values it holds no pointers, and its memory lies outside of the Go heap, so its
// size costs the garbage collector nothing: per name about 3.2 bytes of index, always resident, and a record (rule, list, line
// and the name itself), which a Set from [Open] leaves in the file. The memory is given back when nobody can reach the Set any
// more, so a transaction may keep an old one; [Set.Close] is for one that nobody else has seen.
type Set struct {
	seed  seed
	index index
	table table
	has   present
	lists []List
	stats []ListStats
	note  []byte
	count Stats

	buckets, body *mapped.Region // own what index and records view; nil where that is on the heap
}

// Lookup appends to dst every entry that covers name, over all lists, most specific first (the name itself, then its parents;
// within one, in the order of the lists). It does not allocate when dst has room.
func (s *Set) Lookup(name hostname.Name, dst []Match) []Match {
	if s == nil || s.has.labels == 0 || name.IsZero() {
		return dst
	}
	return s.lookupName(name.String(), s.seed.start(), 0, s.has.labels, dst)
}

// LookupServer does the same among the entries of [Server], for the name of a name server.
func (s *Set) LookupServer(name hostname.Name, dst []Match) []Match {
	if s == nil || s.has.servers == 0 || name.IsZero() {
		return dst
	}
	return s.lookupName(name.String(), s.seed.kind(keyServer), keyServer, s.has.servers, dst)
}

// lookupName walks over a name; h is the hash of no label, kind the first octet of keys or 0, numbers has a bit for each number
// of labels that occurs.
func (s *Set) lookupName(name string, h uint64, kind byte, numbers uint64, dst []Match) []Match {
	// From right to left: one pass hashes all parents, and the processor, which rightly guesses that nothing matches, loads the
	// buckets of the longer names while it still waits for the shorter ones.
	text, start, labels := octets(name), len(dst), 0
	end := len(text)
	for end >= 0 {
		dot := lastDot(text[:end])
		h, end = s.seed.label(h, text[dot+1:end]), dot
		labels++
		here := numbers >> min(labels, maxBit)
		if here&1 != 0 && s.index.holds(h) {
			dst = s.appendName(dst, h, kind, text[end+1:], labels, end < 0)
		}
		if here>>1 == 0 && labels < maxBit { // no list has so long a name
			break
		}
	}
	runtime.KeepAlive(s) // the memory is given back when s is unreachable
	if len(dst) > start {
		upright(dst[start:], labels+strings.Count(name[:max(end, 0)], ".")+min(max(end, 0), 1))
	}
	return dst
}

// appendName appends the rules of a key in reverse order, with the labels of its name in Depth: Lookup turns both around.
func (s *Set) appendName(dst []Match, h uint64, kind byte, key []byte, labels int, whole bool) []Match {
	rec, ok := s.table.find(h, kind, key)
	if !ok {
		return dst
	}
	not := Exact
	if whole {
		not = Below
	}
	for i := len(rec.rules) - ruleSize; i >= 0; i -= ruleSize {
		if flags(rec.rules[i+atFlag]).scope() != not {
			dst = s.appendMatch(dst, rec, i, 0, uint8(labels))
		}
	}
	return dst
}

func upright(ms []Match, labels int) {
	if len(ms) > 1 {
		slices.Reverse(ms)
	}
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
	rec, i, ok := s.entryAt(uint64(m.Entry&^addrEntry) * recordUnit)
	if !ok || isAddrKey(rec.key) != m.IsAddr() {
		return Entry{}
	}
	e, ok := rec.entry(s.table.b, i)
	if !ok {
		return Entry{}
	}
	return e
}

// Holds says which kinds of entries there are, so that callers skip look-ups that cannot find anything.
func (s *Set) Holds() Kinds {
	if s == nil {
		return 0
	}
	return s.has.kinds()
}

// EntryText returns the canonical text of the matching entry (see [Entry.String]) and its line in its list.
func (s *Set) EntryText(m Match) (text string, line uint32) {
	e := s.Entry(m)
	if e == (Entry{}) {
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

// LetGo gives back what look-ups have made resident of the file that the Set was opened from, which is at most the file: a page
// for each hit and those beside it. The system keeps the pages as long as it likes; the next hit on each is a microsecond
// slower. It may be called at any time, beside look-ups.
func (s *Set) LetGo() {
	if s != nil && s.body != nil {
		s.body.LetGo()
	}
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

// Confirm notes that the content of a list was seen to be current at that moment. Only for a Set that nobody else has seen, as
// one that was just opened.
func (s *Set) Confirm(list uint16, at time.Time) {
	if int(list) < len(s.lists) {
		s.lists[list].Updated = at
	}
}
