package address

import "net/netip"

// Scope says which part of the internet an address belongs to. The zero Scope
// is Invalid, never Public. The order is from the least to the most public, so
// the smaller of two scopes is the one to judge by.
type Scope uint8

// The scopes, least public first.
const (
	Invalid       Scope = iota // the zero netip.Addr
	Metadata                   // instance metadata and credential services of clouds
	Loopback                   // 127.0.0.0/8, ::1 (RFC 1122, RFC 4291)
	Unspecified                // 0.0.0.0/8, :: ("this host on this network", RFC 1122)
	LinkLocal                  // 169.254.0.0/16, fe80::/10 (RFC 3927, RFC 4291)
	Private                    // RFC 1918, fc00::/7 (RFC 4193), fec0::/10 (RFC 3879)
	CGNAT                      // 100.64.0.0/10, shared address space (RFC 6598)
	Multicast                  // 224.0.0.0/4, ff00::/8 (RFC 5771, RFC 4291)
	Broadcast                  // 255.255.255.255 (RFC 919)
	Benchmark                  // 198.18.0.0/15, 2001:2::/48 (RFC 2544, RFC 5180)
	Documentation              // 192.0.2.0/24 and others (RFC 5737, 3849, 9637)
	Reserved                   // everything else that is not globally reachable
	Public                     // globally reachable unicast
)

// scopeNames is indexed by Scope.
var scopeNames = [...]string{
	Invalid:       "invalid",
	Metadata:      "metadata",
	Loopback:      "loopback",
	Unspecified:   "unspecified",
	LinkLocal:     "link-local",
	Private:       "private",
	CGNAT:         "cgnat",
	Multicast:     "multicast",
	Broadcast:     "broadcast",
	Benchmark:     "benchmark",
	Documentation: "documentation",
	Reserved:      "reserved",
	Public:        "public",
}

// String returns a lower-case word; it is a closed set, fit for a label.
func (s Scope) String() string {
	if int(s) >= len(scopeNames) {
		s = Invalid
	}
	return scopeNames[s]
}

// ScopeOf returns the least public scope among a and every address embedded in
// it (see [Embedded]). The zone is ignored. A v4-mapped address is judged as
// its IPv4 address alone, since that is where the kernel connects; a 6to4,
// Teredo or NAT64 address is Public only if everything inside it is.
func ScopeOf(a netip.Addr) Scope {
	a = a.WithZone("")
	if a.Is4In6() {
		return scope4(a.Unmap())
	}
	if a.Is4() {
		return scope4(a)
	}
	if !a.IsValid() {
		return Invalid
	}
	scope := scope6(a)
	var in inside
	in.collect(a)
	for _, v4 := range in.list() {
		scope = min(scope, scope4(v4))
	}
	return scope
}

// IsPublic tells whether a and everything embedded in it is globally reachable.
func IsPublic(a netip.Addr) bool { return ScopeOf(a) == Public }

// block is one line of a registry.
type block struct {
	prefix netip.Prefix
	scope  Scope
}

func blocks(scope Scope, prefixes ...string) []block {
	out := make([]block, len(prefixes))
	for i, p := range prefixes {
		out[i] = block{netip.MustParsePrefix(p), scope}
	}
	return out
}

func table(groups ...[]block) []block {
	var out []block
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// The tables are searched from the top, the first hit counts, so exceptions
// stand before the block that holds them. They never change.
var (
	table4 = table(
		// Metadata and credential services: AWS, GCP, Azure, OCI, DigitalOcean;
		// ECS tasks; EKS pod identity; Alibaba; Azure wire server; OCI classic.
		blocks(Metadata, "169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32",
			"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
		blocks(Broadcast, "255.255.255.255/32"),
		blocks(Unspecified, "0.0.0.0/8"),
		blocks(Private, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
		blocks(CGNAT, "100.64.0.0/10"),
		blocks(Loopback, "127.0.0.0/8"),
		blocks(LinkLocal, "169.254.0.0/16"),
		blocks(Public, "192.0.0.9/32", "192.0.0.10/32"), // PCP and TURN anycast (RFC 7723, RFC 8155)
		blocks(Reserved, "192.0.0.0/24"),                // IETF protocol assignments (RFC 6890)
		blocks(Documentation, "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
		blocks(Reserved, "192.88.99.0/24"), // 6to4 relay anycast, withdrawn (RFC 7526)
		blocks(Benchmark, "198.18.0.0/15"),
		blocks(Multicast, "224.0.0.0/4"),
		blocks(Reserved, "240.0.0.0/4"), // class E (RFC 1112)
	)
	table6 = table(
		// AWS IMDS, EKS pod identity, GCP, Scaleway.
		blocks(Metadata, "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:42::42/128"),
		blocks(Loopback, "::1/128"),
		blocks(Unspecified, "::/128"),
		blocks(LinkLocal, "fe80::/10"),
		blocks(Private, "fc00::/7", "fec0::/10"),
		blocks(Multicast, "ff00::/8"),
		// Translators: what is inside decides (RFC 6052, RFC 8215).
		blocks(Public, "64:ff9b::/96", "64:ff9b:1::/48"),
		blocks(Public, "2001::/32"), // Teredo (RFC 4380): what is inside decides
		// PCP, TURN and DNS-SD anycast, AMT, AS112 (RFC 7723, 8155, 9665, 7450, 7535).
		blocks(Public, "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48"),
		blocks(Benchmark, "2001:2::/48"),
		// The rest of the IETF protocol assignments (RFC 2928): ORCHIDs and drone
		// ids are "globally reachable" in the registry but name no host to dial.
		blocks(Reserved, "2001::/23"),
		blocks(Documentation, "2001:db8::/32", "3fff::/20"),
		blocks(Public, "2000::/3"), // global unicast (RFC 4291, IANA allocations)
		// All else (::/8 with v4-compatible, 100::/64 discard, 5f00::/16 SRv6 SIDs,
		// unallocated space) is Reserved.
	)
)

func scope4(a netip.Addr) Scope { return lookup(table4, a, Public) }

func scope6(a netip.Addr) Scope { return lookup(table6, a, Reserved) }

func lookup(t []block, a netip.Addr, otherwise Scope) Scope {
	for i := range t {
		if t[i].prefix.Contains(a) {
			return t[i].scope
		}
	}
	return otherwise
}
