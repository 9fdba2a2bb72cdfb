package set

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
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
	maxLists = math.MaxUint16    // Match.List
	maxName  = math.MaxUint8     // rule.size; a name that [hostname.Parse] made has at most 253 octets
	maxRules = math.MaxInt32 - 1 // the highest bit of an entry number marks addresses
	maxBlob  = math.MaxUint32 - maxName
)

// Builder collects lists and entries and makes a [Set] of them. Names are stored once, however many lists hold them; every
// list keeps its own rule and line. A Builder is used by one goroutine, and not again after [Builder.Build].
type Builder struct {
	seed  maphash.Seed
	lists []List
	stats []ListStats
	gone  []bool // by list: dropped

	keys  []nameKey
	index index // hash of a name -> key
	blob  []byte
	rules []keyRule
	addrs []addrRule
}

type nameKey struct {
	off  uint32
	size uint8
}

// keyRule is a rule before the rules of one name are laid side by side.
type keyRule struct {
	key  uint32
	line uint32
	list uint16
	flag flags
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder {
	return &Builder{seed: maphash.MakeSeed(), index: newIndex(1 << 10)}
}

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
	if len(b.rules) >= maxRules || len(b.addrs) >= maxRules || len(b.blob) >= maxBlob {
		return fmt.Errorf("list %q line %d: %w", b.lists[list].Name, e.Line, ErrTooMany)
	}
	if e.Prefix.IsValid() {
		return b.addPrefix(list, e)
	}
	name := e.Name.String()
	if len(name) > maxName {
		return fmt.Errorf("list %q line %d: name of %d octets: %w", b.lists[list].Name, e.Line, len(name), ErrEntry)
	}
	b.rules = append(b.rules, keyRule{key: b.key(name), line: e.Line, list: list, flag: flagsOf(e)})
	return nil
}

func (b *Builder) addPrefix(list uint16, e Entry) error {
	p, ok := CanonicalPrefix(e.Prefix)
	if !ok {
		return fmt.Errorf("list %q line %d: %v: %w", b.lists[list].Name, e.Line, e.Prefix, ErrEntry)
	}
	b.addrs = append(b.addrs, newAddrRule(p, list, e.Line, flagsOf(e)&^scopeBits))
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

// key returns the number of a name, a new one if it was not seen before.
func (b *Builder) key(name string) uint32 {
	h := maphash.String(b.seed, name)
	want := tag(h)
	for at := b.index.home(h); b.index.tags[at] != 0; at = b.index.next(at) {
		k := b.index.slots[at]
		if b.index.tags[at] == want && string(b.name(b.keys[k])) == name {
			return k
		}
	}
	if 3*(len(b.keys)+1) > 2*len(b.index.tags) {
		b.grow()
	}
	k := uint32(len(b.keys))
	b.keys = append(b.keys, nameKey{off: uint32(len(b.blob)), size: uint8(len(name))})
	b.blob = append(b.blob, name...)
	b.index.put(h, k)
	return k
}

func (b *Builder) name(k nameKey) []byte { return b.blob[k.off : k.off+uint32(k.size)] }

func (b *Builder) grow() {
	b.index = newIndex(2 * (len(b.keys) + 1))
	for i, k := range b.keys {
		b.index.put(maphash.Bytes(b.seed, b.name(k)), uint32(i))
	}
}

// Build makes the Set: it removes what was dropped, cancelled or said twice by one list, and lays everything out.
func (b *Builder) Build() *Set {
	s := &Set{seed: b.seed, lists: b.lists, stats: b.stats}
	b.index = index{} // the Set gets its own: free the memory first
	b.buildNames(s)
	b.buildAddrs(s)
	for i := range b.gone {
		if b.gone[i] {
			s.stats[i] = ListStats{}
		}
	}
	s.count = Stats{
		Lists: len(s.lists), Names: s.count.Names, Addresses: s.count.Addresses,
		Rules: len(s.rules) + len(s.addrs.rules), Bytes: s.size(),
	}
	return s
}

func (b *Builder) buildNames(s *Set) {
	byKey := b.sortedRules()
	live, names, size := byKey[:0], 0, 0
	for start := 0; start < len(byKey); {
		end := start + 1
		for end < len(byKey) && byKey[end].key == byKey[start].key {
			end++
		}
		before := len(live)
		live = appendLive(live, byKey[start:end])
		if len(live) > before {
			names++
			size += int(b.keys[byKey[end-1].key].size)
		}
		start = end
	}
	s.rules, s.names = make([]rule, len(live)), newIndex(names)
	blob := make([]byte, 0, size)
	last := uint32(math.MaxUint32)
	for i, r := range live {
		k := b.keys[r.key]
		if r.key != last {
			s.names.put(maphash.Bytes(b.seed, b.name(k)), uint32(i))
			blob = append(blob, b.name(k)...)
			last = r.key
		}
		s.rules[i] = rule{off: uint32(len(blob) - int(k.size)), line: r.line, list: r.list, size: k.size, flag: r.flag}
		s.stats[r.list].Names++
	}
	s.blob, s.count.Names = string(blob), names
	b.rules, b.blob, b.keys = nil, nil, nil
}

// sortedRules returns the rules of lists that were not dropped, by key (in order of first appearance), then list, then what
// they say, a cancelling one first. Rules come in almost grouped order from one list, so they are counted into place.
func (b *Builder) sortedRules() []keyRule {
	at := make([]uint32, len(b.keys)+1)
	for _, r := range b.rules {
		if !b.gone[r.list] {
			at[r.key+1]++
		}
	}
	for i := 1; i < len(at); i++ {
		at[i] += at[i-1]
	}
	out := make([]keyRule, at[len(at)-1])
	for _, r := range b.rules {
		if !b.gone[r.list] {
			out[at[r.key]] = r
			at[r.key]++
		}
	}
	start := uint32(0)
	for _, end := range at[:len(b.keys)] { // at[k] is now the end of key k
		if end-start > 1 {
			slices.SortFunc(out[start:end], func(x, y keyRule) int {
				return cmp.Or(cmp.Compare(x.list, y.list), compareFlags(x.flag, y.flag), cmp.Compare(x.line, y.line))
			})
		}
		start = end
	}
	return out
}

// compareFlags puts a cancelling entry before the entries it cancels.
func compareFlags(x, y flags) int {
	return cmp.Or(cmp.Compare(x&^flagCancel, y&^flagCancel), cmp.Compare(y&flagCancel, x&flagCancel))
}

// appendLive appends the first of each run of equal rules of one key, unless the run starts with a cancellation. dst may share
// memory with group, behind which it never runs ahead.
func appendLive(dst, group []keyRule) []keyRule {
	for i := 0; i < len(group); {
		r := group[i]
		same := func(o keyRule) bool { return o.list == r.list && (o.flag^r.flag)&^flagCancel == 0 }
		for i++; i < len(group) && same(group[i]); i++ {
		}
		if r.flag&flagCancel == 0 {
			dst = append(dst, r)
		}
	}
	return dst
}

func (b *Builder) buildAddrs(s *Set) {
	rules := slices.DeleteFunc(b.addrs, func(r addrRule) bool { return b.gone[r.list] })
	slices.SortFunc(rules, func(x, y addrRule) int {
		return cmp.Or(cmp.Compare(x.flag&flag4, y.flag&flag4), cmp.Compare(x.hi, y.hi), cmp.Compare(x.lo, y.lo),
			cmp.Compare(x.bits, y.bits), cmp.Compare(x.list, y.list), compareFlags(x.flag, y.flag), cmp.Compare(x.line, y.line))
	})
	live := rules[:0]
	for i := 0; i < len(rules); {
		r := rules[i]
		for i++; i < len(rules) && r.sameKey(rules[i]) && r.list == rules[i].list && (r.flag^rules[i].flag)&^flagCancel == 0; i++ {
		}
		if r.flag&flagCancel == 0 {
			live = append(live, r)
		}
	}
	s.addrs = newAddrTable(b.seed, slices.Clone(live))
	b.addrs = nil
	for i, r := range s.addrs.rules {
		s.stats[r.list].Addresses++
		if i == 0 || !r.sameKey(s.addrs.rules[i-1]) {
			s.count.Addresses++
		}
	}
}

// newAddrTable takes sorted rules.
func newAddrTable(seed maphash.Seed, rules []addrRule) addrTable {
	t := addrTable{keys: newIndex(len(rules)), rules: rules}
	for i, r := range rules {
		if i > 0 && r.sameKey(rules[i-1]) {
			continue
		}
		t.keys.put(r.hash(seed), uint32(i))
		if r.flag&flag4 != 0 {
			t.len4.add(r.bits)
		} else {
			t.len6.add(r.bits)
		}
	}
	return t
}
