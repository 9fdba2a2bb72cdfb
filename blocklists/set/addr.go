package set

import (
	"math/bits"
	"net/netip"
	"runtime"
)

// Addresses stand in the same index and records as names. Their key is an octet for trigger and family, the length of the prefix
// and the address. A look-up asks once for each length that occurs, longest first. Lists use a handful of lengths; the bound is
// 33 probes for IPv4 and 129 for IPv6.
const addrKeyMax = 18

// addrKey writes the key of a canonical prefix.
func addrKey(dst *[addrKeyMax]byte, t Trigger, a netip.Addr, n int) []byte {
	dst[0] = [...]byte{0, asClient, asServer}[t%3]
	dst[1] = uint8(n)
	if a.Is4() {
		dst[0] |= family4
		b := a.As4()
		return dst[:2+copy(dst[2:], b[:])]
	}
	dst[0] |= family6
	b := a.As16()
	return dst[:2+copy(dst[2:], b[:])]
}

// family numbers the families: 0 is IPv4.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// prefixOf reads a key; the zero Prefix when it is none.
func prefixOf(k []byte) netip.Prefix {
	if len(k) < 2 {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(k[2:])
	if !ok || a.Is4() != (k[0]&^(asClient|asServer) == family4) {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, int(k[1]))
}

// lengths is a bit set of the prefix lengths 0 to 128.
type lengths [3]uint64

func (l *lengths) add(n uint8) {
	if n <= 128 {
		l[n/64] |= 1 << (n % 64)
	}
}

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

// LookupAddr appends to dst every entry whose address or prefix holds addr, longest prefix first. IPv4-mapped addresses are
// unmapped and zones ignored. It does not allocate when dst has room.
func (s *Set) LookupAddr(addr netip.Addr, dst []Match) []Match {
	return s.lookupAddr(Target, addr, dst)
}

// LookupClient does the same among the entries of [Client], for the address of who asks.
func (s *Set) LookupClient(addr netip.Addr, dst []Match) []Match {
	return s.lookupAddr(Client, addr, dst)
}

// LookupServerAddr does the same among the entries of [Server], for the address of a name server.
func (s *Set) LookupServerAddr(addr netip.Addr, dst []Match) []Match {
	return s.lookupAddr(Server, addr, dst)
}

func (s *Set) lookupAddr(t Trigger, addr netip.Addr, dst []Match) []Match {
	if s == nil || s.index.n == 0 || !addr.IsValid() {
		return dst
	}
	addr = addr.Unmap().WithZone("")
	lens := &s.has.prefix[t][family(addr)]
	var buf [addrKeyMax]byte
	for n, ok := lens.below(addr.BitLen() + 1); ok; n, ok = lens.below(n) {
		p, err := addr.Prefix(n)
		if err != nil { // cannot be: n is within the family's length
			break
		}
		key := addrKey(&buf, t, p.Addr(), n)
		if rec, found := s.find(s.seed.label(s.seed.start(), key), 0, key); found {
			for i := 0; i < len(rec.rules); i += ruleSize {
				dst = s.appendMatch(dst, rec, i, addrEntry, uint8(addr.BitLen()-n))
			}
		}
	}
	runtime.KeepAlive(s) // the memory is given back when s is unreachable
	return dst
}
