package set

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"unsafe"

	"weir/internal/hostname"
)

// Set is an immutable snapshot of all lists. The nil and the zero Set match nothing. All methods may be called by many
// goroutines at once. Apart from the few List values it holds no pointers per entry, so its size costs the garbage collector
// nothing; about 40 bytes per name of average length.
type Set struct {
	seed  maphash.Seed // random: nobody can write a list of colliding names
	names index        // hash of a name -> its first rule
	rules []rule       // grouped by name
	blob  string       // the names, back to back
	addrs addrTable
	lists []List
	stats []ListStats
	count Stats
}

// rule is one entry of one list; rules of one name share off and lie side by side, in the order of the lists.
type rule struct {
	off  uint32 // of the name in blob
	line uint32
	list uint16
	size uint8 // of the name
	flag flags
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

// Lookup appends to dst every entry that covers name, over all lists, most specific first (the name itself, then its parents;
// within one, in the order of the lists). It does not allocate when dst has room.
func (s *Set) Lookup(name hostname.Name, dst []Match) []Match {
	if s == nil || len(s.rules) == 0 || name.IsZero() {
		return dst
	}
	text := name.String()
	for depth := 0; ; depth++ {
		if first, ok := s.find(text); ok {
			dst = s.appendRules(dst, first, min(depth, 255))
		}
		dot := strings.IndexByte(text, '.')
		if dot < 0 {
			return dst
		}
		text = text[dot+1:]
	}
}

// find returns the first rule of exactly this name. The bytes are compared: there are no false hits.
func (s *Set) find(text string) (first uint32, ok bool) {
	h := maphash.String(s.seed, text)
	t := tag(h)
	for at := s.names.home(h); s.names.tags[at] != 0; at = s.names.next(at) {
		if s.names.tags[at] != t {
			continue
		}
		first = s.names.slots[at]
		if r := &s.rules[first]; int(r.size) == len(text) && s.blob[r.off:r.off+uint32(r.size)] == text {
			return first, true
		}
	}
	return 0, false
}

func (s *Set) appendRules(dst []Match, first uint32, depth int) []Match {
	off := s.rules[first].off
	for i := first; int(i) < len(s.rules) && s.rules[i].off == off; i++ {
		r := &s.rules[i]
		if scope := r.flag.scope(); scope == Exact && depth > 0 || scope == Below && depth == 0 {
			continue
		}
		dst = append(dst, Match{
			Entry: i, List: r.list, Depth: uint8(depth),
			Exception: r.flag.exception(), Important: r.flag.important(),
		})
	}
	return dst
}

// LookupAddr appends to dst every entry whose address or prefix holds addr, longest prefix first. IPv4-mapped addresses are
// unmapped and zones ignored. It does not allocate when dst has room.
func (s *Set) LookupAddr(addr netip.Addr, dst []Match) []Match {
	if s == nil {
		return dst
	}
	return s.addrs.lookup(s.seed, addr, dst)
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
	switch {
	case s == nil:
	case m.IsAddr() && int(m.Entry&^addrEntry) < len(s.addrs.rules):
		return s.addrs.rules[m.Entry&^addrEntry].entry()
	case !m.IsAddr() && int(m.Entry) < len(s.rules):
		return s.entry(s.rules[m.Entry])
	}
	return Entry{}
}

func (s *Set) entry(r rule) Entry {
	name, err := hostname.FromDNS(s.blob[r.off : r.off+uint32(r.size)])
	if err != nil { // cannot be: it was a Name when it was added
		return Entry{}
	}
	return Entry{Name: name, Scope: r.flag.scope(), Exception: r.flag.exception(), Important: r.flag.important(), Line: r.line}
}

// EntryText returns the canonical text of the matching entry (see [Entry.String]) and its line in its list.
func (s *Set) EntryText(m Match) (text string, line uint32) {
	e := s.Entry(m)
	if e.Line == 0 && e.Name.IsZero() && !e.Prefix.IsValid() {
		return "", 0
	}
	return e.String(), e.Line
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

func (s *Set) size() uint64 {
	n := uint64(unsafe.Sizeof(*s)) + uint64(len(s.blob)) + uint64(s.names.bytes()) + uint64(len(s.rules))*uint64(unsafe.Sizeof(rule{}))
	return n + s.addrs.size()
}
