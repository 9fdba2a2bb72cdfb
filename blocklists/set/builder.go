package set

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"weir/blocklists/set/mapped"
)

// Errors of [Builder].
var (
	ErrGrant   = errors.New("a list may only allow with a grant")
	ErrList    = errors.New("no such list in this builder")
	ErrEntry   = errors.New("not a valid entry")
	ErrTooMany = errors.New("too many lists, entries or bytes of names")
)

// Limits of the compact form.
const (
	maxLists   = math.MaxUint16 // Match.List
	maxRules   = math.MaxInt32 - 1
	maxRecords = addrEntry * recordUnit // the highest bit of an entry number marks addresses
)

// Builder collects lists and entries and makes a [Set] of them. Names are stored once, however many lists hold them; every
// list keeps its own rule and line. A Builder is used by one goroutine, and not again after [Builder.Build].
//
// Entries are only written down one behind the other, as records of one rule each (about 32 bytes, outside of the Go heap).
// Build sorts 16 bytes per entry and merges. So the memory beside the result is at most about as much as the result.
type Builder struct {
	lists []List
	stats []ListStats
	gone  []bool // by list: dropped
	note  []byte

	raw   *mapped.Region // nil: mem is on the heap
	mem   []byte
	used  uint64
	count int // rules in mem
}

// firstMem is what a Builder reserves at first; only what is touched becomes resident.
const firstMem = 64 << 10

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return &Builder{} }

// AddList adds a list and returns its number. A list that allows without a grant is refused ([ErrGrant]).
func (b *Builder) AddList(l List) (uint16, error) {
	if l.Action == ActionAllow && !l.GrantAllow {
		return 0, fmt.Errorf("list %q: %w", l.Name, ErrGrant)
	}
	if len(b.lists) >= maxLists {
		return 0, fmt.Errorf("list %q: %w", l.Name, ErrTooMany)
	}
	l.Groups = slices.Clone(l.Groups)
	b.lists = append(b.lists, l)
	b.stats = append(b.stats, ListStats{})
	b.gone = append(b.gone, false)
	return uint16(len(b.lists) - 1), nil
}

// SetNote keeps text with the Set, for whoever saves it: at most 16 MB, not interpreted.
func (b *Builder) SetNote(note []byte) { b.note = slices.Clone(note) }

// Drop removes all entries of a list again, as when its source turned out to be broken halfway. The list itself stays, empty.
func (b *Builder) Drop(list uint16) {
	if int(list) < len(b.gone) {
		b.gone[list] = true
	}
}

// SetNearest sets [List.Nearest] of a list, which is known only when its format is.
func (b *Builder) SetNearest(list uint16) {
	if int(list) < len(b.lists) {
		b.lists[list].Nearest = true
	}
}

// Add adds an entry to a list. What the list has no grant for is counted and left out, without error: exceptions and ReplyTCPOnly
// without GrantAllow, ReplyData without GrantRewrite, Trigger Client, but for exceptions, without GrantClients. See [List.Refuses].
func (b *Builder) Add(list uint16, e Entry) error {
	if int(list) >= len(b.lists) {
		return fmt.Errorf("list %d: %w", list, ErrList)
	}
	if e.Prefix.IsValid() {
		p, ok := CanonicalPrefix(e.Prefix)
		if !ok {
			return fmt.Errorf("list %q line %d: %v: %w", b.lists[list].Name, e.Line, e.Prefix, ErrEntry)
		}
		e.Prefix = p
	}
	if !e.valid() {
		return fmt.Errorf("list %q line %d: %w", b.lists[list].Name, e.Line, ErrEntry)
	}
	if b.refused(list, &e) {
		return nil
	}
	if e.Name.IsZero() {
		e.Scope = Suffix
	}
	var buf [addrKeyMax]byte
	return b.write(rule{line: e.Line, list: list, flag: flagsOf(e)}, keyOf(&buf, &e), &e)
}

// refused says whether the list has no grant for e, and counts that.
func (b *Builder) refused(list uint16, e *Entry) bool {
	grant := b.lists[list].lacks(e)
	if grant != nil && !e.Cancel {
		*grant(&b.stats[list])++
	}
	return grant != nil
}

// Refuses says whether e needs a grant that the list has not.
func (l *List) Refuses(e Entry) bool { return l.lacks(&e) != nil }

// lacks returns where it is counted that the list has no grant for e; nil when it needs none or has it.
func (l *List) lacks(e *Entry) func(*ListStats) *int {
	switch {
	case e.Trigger == Client && !e.Exception && !l.GrantClients:
		return func(s *ListStats) *int { return &s.RefusedClients }
	case (e.Exception || e.Reply == ReplyTCPOnly) && !l.GrantAllow:
		return func(s *ListStats) *int { return &s.Refused }
	case e.Reply == ReplyData && !l.GrantRewrite:
		return func(s *ListStats) *int { return &s.RefusedRewrites }
	}
	return nil
}

// CanonicalPrefix masks p and turns an IPv4-mapped one into IPv4; ok is false for one that is wider than the mapped space.
func CanonicalPrefix(p netip.Prefix) (canonical netip.Prefix, ok bool) {
	a, n := p.Addr(), p.Bits()
	if a.Is4In6() {
		if a, n = a.Unmap(), n-96; n < 0 {
			return netip.Prefix{}, false
		}
	}
	p = netip.PrefixFrom(a.WithZone(""), n).Masked()
	return p, p.IsValid()
}

// write appends a record of one rule.
func (b *Builder) write(r rule, key []byte, e *Entry) error {
	size := uint64(ruleSize + keySize(key))
	if r.flag&flagExtra != 0 {
		size += uint64(extraSize + len(e.Types) + len(e.Data))
	}
	size = aligned(size)
	if b.count >= maxRules || b.used+size > maxRecords {
		return fmt.Errorf("list %q line %d: %w", b.lists[r.list].Name, r.line, ErrTooMany)
	}
	if b.used+size > uint64(len(b.mem)) {
		b.grow()
	}
	at := b.used + uint64(r.put(b.mem[b.used:], len(key)))
	at += uint64(copy(b.mem[at:], key))
	if r.flag&flagExtra != 0 {
		appendExtra(b.mem[at:at:len(b.mem)], e)
	}
	b.used += size
	b.count++
	return nil
}

// grow doubles the memory; on Linux its pages move without being copied.
func (b *Builder) grow() {
	if len(b.mem) == 0 {
		b.raw, b.mem = reserve(firstMem)
		return
	}
	if b.raw != nil && b.raw.Resize(2*len(b.mem)) == nil {
		b.mem = b.raw.Bytes()
		return
	}
	raw, mem := reserve(2 * len(b.mem))
	copy(mem, b.mem[:b.used])
	b.raw.Free()
	b.raw, b.mem = raw, mem
}

// reserve gives n bytes outside of the Go heap, or on it where the system refuses.
func reserve(n int) (*mapped.Region, []byte) {
	if r, err := mapped.Anonymous(n); err == nil {
		return r, r.Bytes()
	}
	return nil, make([]byte, n)
}
