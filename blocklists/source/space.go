package source

import (
	"fmt"
	"math"
	"net/netip"

	"weir/internal/address"
)

// How much public space one list may block in all of its prefixes: an eighth of IPv4, more than all but the largest country has (the
// RIRs' delegated statistics), and a sixty-fourth of the global unicast space of IPv6, a /9.
const (
	most4 = 1 << 29 // addresses
	most6 = 1 << 55 // networks of /64
)

// space sums up the public space that the prefixes of one list cover. What lies in two prefixes counts twice: no publisher repeats so
// much.
type space struct{ v4, v6 uint64 }

// add adds a prefix; what is not "" says of how much the list has passed what it may block, once.
func (s *space) add(p netip.Prefix) (what string) {
	sum, most, unit, bits := &s.v6, uint64(most6), "networks of /64", min(p.Bits(), 64)
	if p.Addr().Is4() {
		sum, most, unit, bits = &s.v4, most4, "addresses", p.Bits()+32
	}
	if *sum > most || !public(p) {
		return ""
	}
	size := uint64(math.MaxUint64)
	if bits > 0 {
		size = 1 << (64 - bits)
	}
	if *sum += min(size, math.MaxUint64-*sum); *sum <= most {
		return ""
	}
	return fmt.Sprintf("%s: with the lines before it %d public %s, of which a list may block %d", tooWide, *sum, unit, most)
}

// public says whether a prefix, of IPv6 or at least a /8 of IPv4, begins or ends in public space.
func public(p netip.Prefix) bool {
	if p.Addr().Is6() {
		return globalUnicast(p)
	}
	last := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return address.IsPublic(p.Addr()) || address.IsPublic(netip.AddrFrom4(last))
}

// globalUnicast says whether an IPv6 prefix lies in 2000::/3, RFC 4291 section 2.4.
func globalUnicast(p netip.Prefix) bool { return p.Addr().As16()[0]&0xe0 == 0x20 }
