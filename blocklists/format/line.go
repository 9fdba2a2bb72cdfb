package format

import (
	"cmp"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// cutComment cuts an inline comment: '#' or ';' at the start of the line or after a blank.
func cutComment(line string) (rest string, found bool) {
	for i := range len(line) {
		if line[i] != '#' && line[i] != ';' {
			continue
		}
		if i == 0 || line[i-1] == ' ' || line[i-1] == '\t' {
			return strings.TrimRight(line[:i], " \t"), true
		}
	}
	return line, false
}

// target reads one word as a name or an address. Names come back as they are covered by a rule about the name alone; see
// [broad] for rules that cover what is below.
func target(word string) (hostname.Name, netip.Prefix, Reason) {
	if !utf8.ValidString(word) { // garbage by the megabyte must not reach IDNA
		return hostname.Name{}, netip.Prefix{}, ReasonName
	}
	if n, err := hostname.Parse(word); err == nil {
		return n, netip.Prefix{}, ""
	}
	if strings.IndexByte(word, '\\') >= 0 {
		return escapedTarget(word)
	}
	if strings.ContainsAny(word, "*?") {
		return hostname.Name{}, netip.Prefix{}, ReasonPattern
	}
	if strings.Contains(word, "/") {
		return prefixTarget(word)
	}
	a, err := hostname.ParseHost(word)
	switch {
	case err != nil:
		return hostname.Name{}, netip.Prefix{}, ReasonName
	case a.IsAddr():
		return hostname.Name{}, netip.PrefixFrom(a.Addr, a.Addr.BitLen()), ""
	}
	return a.Name, netip.Prefix{}, ""
}

// escapedTarget reads a name with octets that no host has, in the one spelling of [hostname.FromDNS].
func escapedTarget(word string) (hostname.Name, netip.Prefix, Reason) {
	n, err := hostname.FromDNS(word)
	if err != nil || n.String() != word {
		return hostname.Name{}, netip.Prefix{}, ReasonName
	}
	return n, netip.Prefix{}, ""
}

// prefixTarget reads "address/bits". Host bits may be set (lists often write 192.0.2.1/24): they are masked.
func prefixTarget(word string) (hostname.Name, netip.Prefix, Reason) {
	p, err := netip.ParsePrefix(word)
	if err != nil {
		return hostname.Name{}, netip.Prefix{}, ReasonPath
	}
	p, why := narrow(p)
	return hostname.Name{}, p, why
}

// narrow returns the canonical form of a prefix, unless it is too wide for a list.
func narrow(p netip.Prefix) (netip.Prefix, Reason) {
	p, ok := set.CanonicalPrefix(p)
	if !ok {
		return netip.Prefix{}, ReasonAddress
	}
	least := MinBits6
	if p.Addr().Is4() {
		least = MinBits4
	}
	if p.Bits() < least {
		return netip.Prefix{}, ReasonTooBroad
	}
	return p, ""
}

// broad says whether a rule for everything below n would cover a registry: a public suffix of the ICANN section, or a lone
// label. Private suffixes (duckdns.org) belong to one owner and are fair targets.
func broad(n hostname.Name) bool {
	s := n.String()
	suffix, icann := publicsuffix.PublicSuffix(s)
	return suffix == s && (icann || !strings.Contains(s, "."))
}

// putTarget emits word under the scope and the flags of e.
func (p *parser) putTarget(word string, e Entry) {
	name, prefix, why := target(word)
	switch {
	case why != "":
		p.skipAt(cmp.Or(e.Line, p.line), why, word)
	case prefix.IsValid() && e.Scope == set.Below:
		p.skipAt(cmp.Or(e.Line, p.line), ReasonPattern, word) // nothing lies below an address
	case prefix.IsValid():
		e.Prefix, e.Scope = prefix, set.Suffix
		p.put(e)
	case e.Scope != set.Exact && broad(name):
		p.skipAt(cmp.Or(e.Line, p.line), ReasonPublicSuffix, word)
	default:
		e.Name = name
		p.put(e)
	}
}

// domainLine reads a line of Domains and Wildcard, which share a grammar.
func (p *parser) domainLine(line string) {
	if line[0] == '!' { // a comment in adblock lists that were renamed to domains
		return
	}
	word, _ := cutComment(line)
	if word == "" {
		return
	}
	host, path := cutHost(word)
	switch _, port := hostPort(strings.TrimSuffix(word, "/")); {
	case strings.ContainsAny(word, " \t"):
		p.skip(ReasonTrailing, word)
	case port, strings.Contains(word, "://"), len(path) > 1 && path[0] == '/' && !isAddress(word) && !strings.Contains(host, "*"):
		p.putURL(word, Entry{})
	case strings.Count(word, ":") == 1:
		p.skip(ReasonPath, word) // of a port that is none, or behind a pattern
	default:
		p.putWord(word, Entry{})
	}
}

// putWord reads x, .x, *.x and =x.
func (p *parser) putWord(word string, e Entry) {
	switch {
	case strings.HasPrefix(word, "*."):
		word = word[2:]
	case strings.HasPrefix(word, "="):
		word, e.Scope = word[1:], set.Exact
	case strings.HasPrefix(word, "."):
		word = word[1:]
	}
	p.putTarget(word, e)
}

// addressLine reads a line of Addresses.
func (p *parser) addressLine(line string) {
	word, _ := cutComment(line)
	if word == "" {
		return
	}
	if strings.ContainsAny(word, " \t") {
		p.skip(ReasonTrailing, word)
		return
	}
	if a, ok := hostPort(word); ok && (a.IsAddr() || p.lenient) {
		p.putPort(a, word, Entry{})
		return
	}
	if p.lenient {
		p.putWord(word, Entry{})
		return
	}
	_, prefix, why := target(word)
	switch {
	case prefix.IsValid():
		p.put(Entry{Prefix: prefix})
	case why == ReasonTooBroad:
		p.skip(why, word)
	default:
		p.skip(ReasonAddress, word)
	}
}

// localNames stand in every system's own hosts file (RFC 6761 section 6.3, Debian and Apple defaults); they are no block rules.
var localNames = map[string]bool{
	"localhost": true, "localhost.localdomain": true, "local": true, "broadcasthost": true,
	"localhost4": true, "localhost4.localdomain4": true, "localhost6": true, "localhost6.localdomain6": true,
	"ip6-localhost": true, "ip6-loopback": true, "ip6-localnet": true, "ip6-mcastprefix": true,
	"ip6-allnodes": true, "ip6-allrouters": true, "ip6-allhosts": true, "loopback": true,
}

// hostsLine reads "address name...". A bare name is taken too: many lists called hosts files are a mixture.
func (p *parser) hostsLine(line string) {
	line, _ = cutComment(line)
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	addr, err := netip.ParseAddr(words[0])
	if err != nil {
		if len(words) > 1 {
			p.skip(ReasonAddress, line)
			return
		}
		p.putHost(words[0], Entry{Scope: set.Exact})
		return
	}
	if len(words) == 1 {
		p.putTarget(words[0], Entry{})
		return
	}
	e := Entry{Scope: set.Exact}
	if !sink(addr) {
		if e = dataEntry(addr); addr.Zone() != "" {
			p.skip(ReasonAddress, line)
			return
		}
		e.Scope = set.Exact
	}
	for _, w := range words[1:] {
		p.putHost(w, e)
	}
}

// putHost emits one name of a hosts line.
func (p *parser) putHost(word string, e Entry) {
	if localNames[strings.ToLower(strings.TrimSuffix(word, "."))] || word == "0.0.0.0" {
		p.skip(ReasonLocal, word)
		return
	}
	if e.Reply == set.ReplyData {
		p.putName(word, e)
		return
	}
	p.putTarget(word, e)
}

// putName emits word, which must be a name: an address has no records.
func (p *parser) putName(word string, e Entry) {
	if _, prefix, _ := target(word); prefix.IsValid() {
		p.skipAt(cmp.Or(e.Line, p.line), ReasonName, word)
		return
	}
	p.putTarget(word, e)
}

// sink says whether a hosts line with this address blocks: the unspecified, loopback, broadcast and link-local addresses lead
// nowhere.
func sink(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
