package address

import "net/netip"

// maxEmbedded is how many IPv4 addresses one IPv6 address can hold in all the
// formats known here: four local NAT64 layouts and one ISATAP suffix.
const maxEmbedded = 8

// inside is a list without a heap.
type inside struct {
	addrs [maxEmbedded]netip.Addr
	n     int
}

func (in *inside) list() []netip.Addr { return in.addrs[:in.n] }

func (in *inside) add(a, b, c, d byte) {
	if in.n < maxEmbedded {
		in.addrs[in.n] = netip.AddrFrom4([4]byte{a, b, c, d})
		in.n++
	}
}

// The prefixes that mark an IPv4 address inside an IPv6 address.
var (
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 2.5.5.1, deprecated
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	oneV6      = netip.IPv6Loopback()
	zeroV6     = netip.IPv6Unspecified()
)

// Embedded returns the IPv4 addresses inside a, the likeliest first; nil for an
// address that holds none. The formats: v4-mapped and v4-compatible (RFC 4291),
// NAT64 under 64:ff9b::/96 and 64:ff9b:1::/48 (RFC 6052, RFC 8215), 6to4
// (RFC 3056), Teredo (RFC 4380: the client, whose bits are inverted, then the
// server), ISATAP (RFC 5214).
//
// 64:ff9b:1::/48 is a pool from which an operator takes a prefix of any length,
// and the address does not say which: all four layouts of RFC 6052 2.2 are
// returned, but those that give 0.0.0.0/8 (the zeros around a shorter layout)
// only when there is nothing else.
func Embedded(a netip.Addr) []netip.Addr {
	var in inside
	in.collect(a.WithZone(""))
	return append([]netip.Addr(nil), in.list()...)
}

// Unwrap strips the zone and peels off the IPv6 format around an IPv4 address:
// it returns the first address of [Embedded], or a without its zone. For Teredo
// that is the client. Judge with [ScopeOf], which looks at all of them.
func Unwrap(a netip.Addr) netip.Addr {
	a = a.WithZone("")
	var in inside
	in.collect(a)
	if in.n == 0 {
		return a
	}
	return in.addrs[0]
}

// collect lists what is inside a, which has no zone.
func (in *inside) collect(a netip.Addr) {
	if !a.Is6() {
		return
	}
	b := a.As16()
	switch {
	case a == zeroV6 || a == oneV6:
		return
	case a.Is4In6(), compatible.Contains(a), nat64.Contains(a):
		in.add(b[12], b[13], b[14], b[15])
		return
	case nat64Local.Contains(a):
		in.localNAT64(b)
	case sixToFour.Contains(a):
		in.add(b[2], b[3], b[4], b[5])
	case teredo.Contains(a):
		in.add(^b[12], ^b[13], ^b[14], ^b[15])
		in.add(b[4], b[5], b[6], b[7])
	}
	// ISATAP: interface identifier 0000:5efe or 0200:5efe (the u bit), then the
	// IPv4 address (RFC 5214 6.1), below any prefix.
	if b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		in.add(b[12], b[13], b[14], b[15])
	}
}

// localNAT64 adds the layouts for prefixes of 48, 56, 64 and 96 bits (RFC 6052
// 2.2); octet 8 is the u octet and belongs to none of them. Layouts whose suffix
// is zero, as the RFC asks, come first; but translators ignore the suffix, so
// the others count too.
func (in *inside) localNAT64(b [16]byte) {
	layouts := [4]struct {
		v4     [4]byte
		suffix []byte
	}{
		{[4]byte{b[6], b[7], b[9], b[10]}, b[11:]},
		{[4]byte{b[7], b[9], b[10], b[11]}, b[12:]},
		{[4]byte{b[9], b[10], b[11], b[12]}, b[13:]},
		{[4]byte{b[12], b[13], b[14], b[15]}, nil},
	}
	for _, proper := range [2]bool{true, false} {
		for _, l := range layouts {
			if l.v4[0] != 0 && allZero(l.suffix) == proper {
				in.add(l.v4[0], l.v4[1], l.v4[2], l.v4[3])
			}
		}
	}
	if in.n == 0 {
		in.add(b[12], b[13], b[14], b[15])
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
