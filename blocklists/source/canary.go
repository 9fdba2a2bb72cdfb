package source

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/internal/hostname"
)

// Canary is a name or a network that no list may block: exactly one of Name and Prefix is set.
type Canary struct {
	Name   hostname.Name
	Prefix netip.Prefix
	// Within means everything below the name, or inside the prefix, as well, as far as lists from the network go: an internal
	// zone, an internal network. A file is the operator's own, who may well block one machine there.
	Within bool
	// Networks means every large network that touches the prefix, from a /16 of IPv4 or a /32 of IPv6 up, and nothing smaller in
	// it: private space, of which lists may well name a part.
	Networks bool
	// Why is for people: "a top site", "an internal zone".
	Why string
}

// String returns the name or the prefix.
func (c Canary) String() string {
	switch {
	case !c.Name.IsZero():
		return c.Name.String()
	case c.Prefix.IsSingleIP():
		return c.Prefix.Addr().String()
	}
	return c.Prefix.String()
}

// Allowance names canaries that one list may block all the same: what equals, or lies below or inside, one of these.
type Allowance struct {
	Names    []hostname.Name
	Prefixes []netip.Prefix
}

func (a Allowance) covers(c Canary) bool {
	if !c.Name.IsZero() {
		return slices.ContainsFunc(a.Names, func(n hostname.Name) bool { return c.Name.Within(n) })
	}
	return slices.ContainsFunc(a.Prefixes, func(p netip.Prefix) bool { return contains(p, c.Prefix) })
}

// contains says whether all of inner lies in outer.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// ErrCanary refuses a text that would block a [Canary].
var ErrCanary = errors.New("the list would block what must never be blocked")

// reach is how an entry that carries a name covers a canary.
type reach uint8

const (
	itself reach = 1 << iota // the name is that of a canary
	above                    // a canary lies below the name
	zone                     // everything below the name is one
)

// canaries is the set of them, made so that an entry costs one look-up; where there are internal zones, one for each label.
type canaries struct {
	all   []Canary
	names map[string]reach
	homes map[string]bool // their registrable domains, where name servers of theirs are
	zones bool
	spans []netip.Prefix // the widest prefixes, disjoint, in order
}

func newCanaries(all []Canary) *canaries {
	c := &canaries{all: all, names: make(map[string]reach, 4*len(all)), homes: make(map[string]bool, len(all))}
	for _, one := range all {
		if one.Name.IsZero() {
			c.spans = append(c.spans, one.Prefix)
			continue
		}
		c.homes[one.Name.Registrable().String()] = true
		what := itself
		if one.Within {
			what |= zone
			c.zones = true
		}
		c.names[one.Name.String()] |= what
		for up, ok := one.Name.Parent(); ok; up, ok = up.Parent() {
			c.names[up.String()] |= above
		}
	}
	slices.SortFunc(c.spans, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	widest := c.spans[:0]
	for _, p := range c.spans {
		if n := len(widest); n == 0 || !contains(widest[n-1], p) {
			widest = append(widest, p)
		}
	}
	c.spans = widest
	return c
}

// nameHit says whether a rule for a name may cover a canary.
func (c *canaries) nameHit(name hostname.Name, scope set.Scope, remote bool) bool {
	r := c.names[name.String()]
	if scope != set.Below && r&itself != 0 || scope != set.Exact && r&above != 0 || r&zone != 0 {
		return true
	}
	if !c.zones || !remote {
		return false
	}
	for up, ok := name.Parent(); ok; up, ok = up.Parent() {
		if c.names[up.String()]&zone != 0 {
			return true
		}
	}
	return false
}

// serves returns the first canary that an entry about name servers speaks of by their name, and the list may not block.
func (c *canaries) serves(e format.Entry, may Allowance, remote bool) (Canary, bool) {
	home := e.Name.Registrable()
	if !c.homes[home.String()] && !c.nameHit(e.Name, e.Scope, remote) {
		return Canary{}, false
	}
	for _, one := range c.all {
		if one.Name.IsZero() || may.covers(one) {
			continue
		}
		if one.Name.Registrable() == home && !home.IsPublicSuffix() || one.coveredBy(e) {
			return one, true
		}
	}
	return Canary{}, false
}

// prefixHit says whether a prefix may cover a canary.
func (c *canaries) prefixHit(p netip.Prefix) bool {
	i, found := slices.BinarySearchFunc(c.spans, p.Addr(), func(s netip.Prefix, a netip.Addr) int { return s.Addr().Compare(a) })
	return found || i > 0 && c.spans[i-1].Overlaps(p) || i < len(c.spans) && c.spans[i].Overlaps(p)
}

// covered returns the first canary that an entry covers and the list may not; ok is false when there is none.
func (c *canaries) covered(e format.Entry, may Allowance, remote bool) (Canary, bool) {
	for _, one := range c.all {
		one.Within = one.Within && remote
		if one.coveredBy(e) && !may.covers(one) && !(one.Networks && e.Trigger == set.Server) { // none is a name server's
			return one, true
		}
	}
	return Canary{}, false
}

func (c Canary) coveredBy(e format.Entry) bool {
	if c.Name.IsZero() != e.Name.IsZero() {
		return false
	}
	if c.Name.IsZero() {
		return c.inPrefix(e.Prefix)
	}
	switch {
	case c.Within && e.Name.Within(c.Name):
		return true
	case e.Name == c.Name:
		return e.Scope != set.Below
	}
	return e.Scope != set.Exact && c.Name.Within(e.Name)
}

// large4 and large6 are what [Canary.Networks] means by large: a whole site, by RFC 1918 habit and RFC 6177.
const (
	large4 = 16
	large6 = 32
)

func (c Canary) inPrefix(p netip.Prefix) bool {
	if c.Networks {
		large := p.Bits() <= large6
		if p.Addr().Is4() {
			large = p.Bits() <= large4
		}
		return large && c.Prefix.Overlaps(p)
	}
	return contains(p, c.Prefix) || c.Within && contains(c.Prefix, p)
}

// origins are the hosts that the lists come from: without them no list could be mended.
func origins(sources []Source) (out []Canary) {
	for _, s := range sources {
		u, err := url.Parse(s.URL)
		why := fmt.Sprintf("where list %q comes from", s.List.Name)
		for _, server := range s.Transfer.Servers {
			out = append(out, Canary{Prefix: netip.PrefixFrom(server.Addr(), server.Addr().BitLen()), Why: why})
		}
		if s.URL == "" || err != nil {
			continue
		}
		host, err := hostname.ParseHost(u.Hostname())
		if err != nil {
			continue
		}
		if host.IsAddr() {
			out = append(out, Canary{Prefix: netip.PrefixFrom(host.Addr, host.Addr.BitLen()), Why: why})
			continue
		}
		out = append(out, Canary{Name: host.Name, Why: why})
	}
	return out
}

// private is the space that no list of names or addresses in the internet has anything to say about.
func private() (out []Canary) {
	for _, p := range [...]struct{ prefix, why string }{
		{"10.0.0.0/8", "private addresses, RFC 1918"},
		{"172.16.0.0/12", "private addresses, RFC 1918"},
		{"192.168.0.0/16", "private addresses, RFC 1918"},
		{"127.0.0.0/8", "loopback, RFC 1122"},
		{"169.254.0.0/16", "link-local addresses, RFC 3927"},
		{"100.64.0.0/10", "shared addresses, RFC 6598"},
		{"::1/128", "loopback, RFC 4291"},
		{"fc00::/7", "private addresses, RFC 4193"},
		{"fe80::/10", "link-local addresses, RFC 4291"},
	} {
		out = append(out, Canary{Prefix: netip.MustParsePrefix(p.prefix), Networks: true, Why: p.why})
	}
	return out
}
