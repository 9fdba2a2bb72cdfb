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
	maxName    = math.MaxUint8  // the size octet of a rule; a name that [hostname.Parse] made has at most 253 octets
	maxRules   = math.MaxInt32 - 1
	maxRecords = addrEntry*recordUnit - (ruleSize + maxName) // the highest bit of an entry number marks addresses
)

// Builder collects lists and entries and makes a [Set] of them. Names are stored once, however many lists hold them; every
// list keeps its own rule and line. A Builder is used by one goroutine, and not again after [Builder.Build].
//
// Entries are only written down one behind the other, as records of one rule each (about 32 bytes, outside of the Go heap).
// Build sorts 16 bytes per entry and merges. So the memory beside the result is at most about one and a half times the result.
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

// Add adds an entry to a list. An exception of a list without GrantAllow is counted and left out, without error.
func (b *Builder) Add(list uint16, e Entry) error {
	if int(list) >= len(b.lists) {
		return fmt.Errorf("list %d: %w", list, ErrList)
	}
	if e.Name.IsZero() == !e.Prefix.IsValid() || e.Scope > Below {
		return fmt.Errorf("list %q line %d: %w", b.lists[list].Name, e.Line, ErrEntry)
	}
	if e.Exception && !b.lists[list].GrantAllow {
		if !e.Cancel {
			b.stats[list].Refused++
		}
		return nil
	}
	if e.Prefix.IsValid() {
		return b.addPrefix(list, e)
	}
	name := e.Name.String()
	if len(name) > maxName {
		return fmt.Errorf("list %q line %d: name of %d octets: %w", b.lists[list].Name, e.Line, len(name), ErrEntry)
	}
	return b.write(rule{line: e.Line, list: list, flag: flagsOf(e)}, octets(name))
}

func (b *Builder) addPrefix(list uint16, e Entry) error {
	p, ok := CanonicalPrefix(e.Prefix)
	if !ok {
		return fmt.Errorf("list %q line %d: %v: %w", b.lists[list].Name, e.Line, e.Prefix, ErrEntry)
	}
	var buf [addrKeyMax]byte
	return b.write(rule{line: e.Line, list: list, flag: flagsOf(e) &^ scopeBits}, addrKey(&buf, p.Addr(), p.Bits()))
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
func (b *Builder) write(r rule, key []byte) error {
	size := aligned(uint64(ruleSize + len(key)))
	if b.count >= maxRules || b.used+size > maxRecords {
		return fmt.Errorf("list %q line %d: %w", b.lists[r.list].Name, r.line, ErrTooMany)
	}
	if b.used+size > uint64(len(b.mem)) {
		b.grow()
	}
	r.put(b.mem[b.used:], uint8(len(key)))
	copy(b.mem[b.used+ruleSize:], key)
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
