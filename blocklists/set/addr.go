package set

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"unsafe"
)

// addrTable finds the prefixes that hold an address. Each prefix is a key (masked address, length); a look-up asks once for
// each length that occurs, longest first. Lists use a handful of lengths; the bound is 33 probes for IPv4 and 129 for IPv6.
type addrTable struct {
	keys  index
	rules []addrRule // grouped by prefix
	len4  lengths
	len6  lengths
}

// addrRule is one prefix of one list. IPv4 is held IPv4-mapped, is4 tells it from a real ::ffff:0:0/96.
type addrRule struct {
	hi, lo uint64
	line   uint32
	list   uint16
	bits   uint8 // of the prefix in its own family
	flag   flags
}

// flag4 marks IPv4 in addrRule.flag; scopes do not apply to addresses, so the bit above the others is free.
const flag4 flags = 1 << 5

// lengths is a bit set of the prefix lengths 0 to 128.
type lengths [3]uint64

func (l *lengths) add(n uint8) { l[n/64] |= 1 << (n % 64) }

// below returns the longest length shorter than n.
func (l *lengths) below(n int) (int, bool) {
	for i := (n - 1) >> 6; i >= 0; i-- {
		w := l[i]
		if rest := n - i*64; rest < 64 {
			w &= 1<<rest - 1
		}
		if w != 0 {
			return i*64 + 63 - bits.LeadingZeros64(w), true
		}
	}
	return 0, false
}

func newAddrRule(p netip.Prefix, list uint16, line uint32, f flags) addrRule {
	if p.Addr().Is4() {
		f |= flag4
	}
	hi, lo := halves(p.Addr())
	return addrRule{hi: hi, lo: lo, line: line, list: list, bits: uint8(p.Bits()), flag: f}
}

func halves(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func (r addrRule) sameKey(o addrRule) bool {
	return r.hi == o.hi && r.lo == o.lo && r.bits == o.bits && (r.flag^o.flag)&flag4 == 0
}

func (r addrRule) hash(seed maphash.Seed) uint64 {
	var b [18]byte
	binary.LittleEndian.PutUint64(b[:8], r.hi)
	binary.LittleEndian.PutUint64(b[8:16], r.lo)
	b[16], b[17] = r.bits, uint8(r.flag&flag4)
	return maphash.Bytes(seed, b[:])
}

func (r addrRule) entry() Entry {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.hi)
	binary.BigEndian.PutUint64(b[8:], r.lo)
	a := netip.AddrFrom16(b)
	if r.flag&flag4 != 0 {
		a = a.Unmap()
	}
	return Entry{
		Prefix: netip.PrefixFrom(a, int(r.bits)), Line: r.line,
		Exception: r.flag.exception(), Important: r.flag.important(),
	}
}

func (t *addrTable) lookup(seed maphash.Seed, addr netip.Addr, dst []Match) []Match {
	addr = addr.Unmap().WithZone("")
	if len(t.rules) == 0 || !addr.IsValid() {
		return dst
	}
	lens := &t.len6
	if addr.Is4() {
		lens = &t.len4
	}
	for n, ok := lens.below(addr.BitLen() + 1); ok; n, ok = lens.below(n) {
		p, err := addr.Prefix(n)
		if err != nil { // cannot be: n is within the family's length
			return dst
		}
		if first, found := t.find(seed, newAddrRule(p, 0, 0, 0)); found {
			dst = t.appendRules(dst, first, uint8(addr.BitLen()-n))
		}
	}
	return dst
}

func (t *addrTable) find(seed maphash.Seed, key addrRule) (first uint32, ok bool) {
	h := key.hash(seed)
	want := tag(h)
	for at := t.keys.home(h); t.keys.tags[at] != 0; at = t.keys.next(at) {
		if first = t.keys.slots[at]; t.keys.tags[at] == want && t.rules[first].sameKey(key) {
			return first, true
		}
	}
	return 0, false
}

func (t *addrTable) appendRules(dst []Match, first uint32, depth uint8) []Match {
	for i := first; int(i) < len(t.rules) && t.rules[i].sameKey(t.rules[first]); i++ {
		r := &t.rules[i]
		dst = append(dst, Match{
			Entry: i | addrEntry, List: r.list, Depth: depth,
			Exception: r.flag.exception(), Important: r.flag.important(),
		})
	}
	return dst
}

func (t *addrTable) size() uint64 {
	return uint64(t.keys.bytes()) + uint64(len(t.rules))*uint64(unsafe.Sizeof(addrRule{}))
}
