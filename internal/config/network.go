package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Prefix is a network or a single address. Its text is CIDR notation or an address alone, which means itself only.
type Prefix struct{ netip.Prefix }

// UnmarshalText implements [encoding.TextUnmarshaler]. Refused: zones, IPv4 addresses written as IPv6, and networks with
// host bits set, which are more often mistakes than meant.
func (p *Prefix) UnmarshalText(text []byte) error {
	s := string(text)
	var v netip.Prefix
	if strings.Contains(s, "/") {
		var err error
		if v, err = netip.ParsePrefix(s); err != nil {
			return fmt.Errorf("%q is not a network like 10.0.0.0/8 or 2001:db8::/32", s)
		}
	} else {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return fmt.Errorf("%q is neither an address nor a network like 10.0.0.0/8", s)
		}
		v = netip.PrefixFrom(a, a.BitLen())
	}
	if v.Addr().Is4In6() {
		return fmt.Errorf("%q is an IPv4 address written as IPv6: write it as IPv4", s)
	}
	if m := v.Masked(); m != v {
		return fmt.Errorf("%q has host bits set (did you mean %q?)", s, m)
	}
	*p = Prefix{v}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p Prefix) MarshalText() ([]byte, error) {
	if p.IsValid() && p.IsSingleIP() {
		return p.Addr().MarshalText()
	}
	return p.Prefix.MarshalText()
}

// NameOrNet is a name, or a network or address; Prefix counts only when Name is the zero one.
type NameOrNet struct {
	Name   Name
	Prefix Prefix
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *NameOrNet) UnmarshalText(text []byte) error {
	var p Prefix
	err := p.UnmarshalText(text)
	if err == nil {
		*n = NameOrNet{Prefix: p}
		return nil
	}
	if strings.ContainsAny(string(text), "/:") {
		return err
	}
	var name Name
	if err := name.UnmarshalText(text); err != nil {
		return err
	}
	*n = NameOrNet{Name: name}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (n NameOrNet) MarshalText() ([]byte, error) {
	if n.Prefix.IsValid() {
		return n.Prefix.MarshalText()
	}
	return n.Name.MarshalText()
}

// AddrPort is an address and a port to listen on. The zero AddrPort is "off"; its text is "".
type AddrPort struct{ netip.AddrPort }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *AddrPort) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*a = AddrPort{}
		return nil
	}
	if strings.HasPrefix(s, ":") {
		return fmt.Errorf("%q has no address: write 127.0.0.1%s, or 0.0.0.0%s for all of IPv4, or [::]%s for all", s, s, s, s)
	}
	v, err := netip.ParseAddrPort(s)
	if err != nil || !plain(v.Addr()) {
		return fmt.Errorf("%q is not an address and a port like 127.0.0.1:3128 or [::1]:3128", s)
	}
	*a = AddrPort{v}
	return nil
}

// plain says whether a is not an IPv4 address written as IPv6, and its zone, if any, reads like the name of an interface.
func plain(a netip.Addr) bool {
	return !a.Is4In6() && strings.IndexFunc(a.Zone(), func(r rune) bool { return !isSlug(string(r)) && r != '.' && r != '_' && r != '-' }) < 0
}

// MarshalText implements [encoding.TextMarshaler].
func (a AddrPort) MarshalText() ([]byte, error) { return a.AddrPort.MarshalText() }

// ServerAddr is the address and port of a DNS server; the port is 53 when none was written.
type ServerAddr struct{ netip.AddrPort }

// dnsPort is the port of DNS (RFC 1035 section 4.2).
const dnsPort = 53

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *ServerAddr) UnmarshalText(text []byte) error {
	s := string(text)
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if i, err := netip.ParseAddr(bare); err == nil && plain(i) {
		*a = ServerAddr{netip.AddrPortFrom(i, dnsPort)}
		return nil
	}
	v, err := netip.ParseAddrPort(s)
	switch {
	case strings.Contains(s, "://"):
		return fmt.Errorf("%q: only plain DNS servers can be upstreams, as 10.0.0.1 or 10.0.0.1:53", s)
	case err != nil || !plain(v.Addr()):
		return fmt.Errorf("%q is not a DNS server's address like 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53", s)
	case v.Port() == 0:
		return fmt.Errorf("%q has port 0", s)
	}
	*a = ServerAddr{v}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (a ServerAddr) MarshalText() ([]byte, error) { return a.AddrPort.MarshalText() }

// ServeWord stands for a set of client networks.
type ServeWord string

// The words of clients.serve.
const (
	ServePrivate  ServeWord = "private"  // RFC 1918, RFC 4193, link-local and loopback
	ServeLoopback ServeWord = "loopback" // 127.0.0.0/8 and ::1
	ServeAny      ServeWord = "any"      // everybody
)

// ClientNet is a network of clients or a word that stands for several; Prefix counts only when Word is "".
type ClientNet struct {
	Word   ServeWord
	Prefix Prefix
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *ClientNet) UnmarshalText(text []byte) error {
	switch w := ServeWord(text); w {
	case ServePrivate, ServeLoopback, ServeAny:
		*c = ClientNet{Word: w}
		return nil
	}
	var p Prefix
	if err := p.UnmarshalText(text); err != nil {
		words := []string{string(ServePrivate), string(ServeLoopback), string(ServeAny)}
		if strings.ContainsAny(string(text), ".:/") {
			return err
		}
		return fmt.Errorf("%q is neither a network nor a word%s", text, hint(string(text), words))
	}
	*c = ClientNet{Prefix: p}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c ClientNet) MarshalText() ([]byte, error) {
	if c.Word != "" {
		return []byte(c.Word), nil
	}
	return c.Prefix.MarshalText()
}

// Prefixes returns the networks meant by c; none for the zero ClientNet.
func (c ClientNet) Prefixes() []netip.Prefix {
	var texts []string
	switch c.Word {
	case "":
		if !c.Prefix.IsValid() {
			return nil
		}
		return []netip.Prefix{c.Prefix.Prefix}
	case ServeLoopback:
		texts = []string{"127.0.0.0/8", "::1/128"}
	case ServeAny:
		texts = []string{"0.0.0.0/0", "::/0"}
	case ServePrivate:
		texts = []string{
			"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
		}
	}
	out := make([]netip.Prefix, 0, len(texts))
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// BlockAnswer is how a blocked name is answered in DNS: one of the words, or an address of each family at most.
type BlockAnswer string

// The words of answers; page is for rules only.
const (
	AnswerPage     = "page"
	AnswerNXDOMAIN = "nxdomain" // RFC 8020
	AnswerNoData   = "nodata"   // the name exists, with nothing of the asked type
	AnswerNullIP   = "null_ip"  // 0.0.0.0 and ::
	AnswerRefused  = "refused"  // RCODE 5
	AnswerDrop     = "drop"     // no answer
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *BlockAnswer) UnmarshalText(text []byte) error {
	s, err := parseAnswer(string(text), []string{AnswerNXDOMAIN, AnswerNoData, AnswerNullIP, AnswerRefused, AnswerDrop})
	*a = BlockAnswer(s)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (a BlockAnswer) MarshalText() ([]byte, error) { return []byte(a), nil }

// Addrs returns the addresses of a; both are invalid when a is a word, and one may be.
func (a BlockAnswer) Addrs() (v4, v6 netip.Addr) { return answerAddrs(string(a)) }

// RuleAnswer is how a blocking rule speaks: a word of [BlockAnswer], page, or addresses. "" is "not given".
type RuleAnswer string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *RuleAnswer) UnmarshalText(text []byte) error {
	s, err := parseAnswer(string(text), []string{AnswerPage, AnswerNXDOMAIN, AnswerNoData, AnswerNullIP, AnswerRefused, AnswerDrop})
	*a = RuleAnswer(s)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (a RuleAnswer) MarshalText() ([]byte, error) { return []byte(a), nil }

// Addrs returns the addresses of a; both are invalid when a is a word or "", and one may be.
func (a RuleAnswer) Addrs() (v4, v6 netip.Addr) { return answerAddrs(string(a)) }

func parseAnswer(s string, words []string) (string, error) {
	if slices.Contains(words, s) {
		return s, nil
	}
	fields := strings.Fields(s)
	var texts []string
	var families [2]int
	for _, f := range fields {
		a, err := netip.ParseAddr(f)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return "", fmt.Errorf("unknown answer %q%s, or an address", s, hint(s, words))
		}
		families[(a.BitLen()-32)/96]++
		texts = append(texts, a.String())
	}
	if len(texts) == 0 {
		return "", errEmpty
	}
	if families[0] > 1 || families[1] > 1 {
		return "", errors.New("more than one address of a family")
	}
	return strings.Join(texts, " "), nil
}

func answerAddrs(s string) (v4, v6 netip.Addr) {
	for f := range strings.FieldsSeq(s) {
		if a, err := netip.ParseAddr(f); err == nil && a.Is4() {
			v4 = a
		} else if err == nil {
			v6 = a
		}
	}
	return v4, v6
}
