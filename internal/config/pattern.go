package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/internal/hostname"
)

// Name is a domain name.
type Name struct{ hostname.Name }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Name) UnmarshalText(text []byte) error {
	v, err := parseName(string(text))
	*n = Name{v}
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

func parseName(s string) (hostname.Name, error) {
	if _, err := netip.ParsePrefix(s); err == nil {
		return hostname.Name{}, fmt.Errorf("%q is a network, not a name: addresses and networks have keys of their own", s)
	}
	v, err := hostname.Parse(s)
	if _, notIP := netip.ParseAddr(s); notIP == nil || errors.Is(err, hostname.ErrIsNumber) {
		return hostname.Name{}, fmt.Errorf("%q is an address, not a name: addresses and networks have keys of their own", s)
	}
	return v, err
}

// PatternKind says which names a [NamePattern] matches.
type PatternKind uint8

// The kinds.
const (
	Exact  PatternKind = iota // example.com: the name alone
	Suffix                    // .example.com: the name and all below
	Below                     // *.example.com: only what is below
)

// NamePattern matches names.
type NamePattern struct {
	Kind PatternKind
	Name hostname.Name
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *NamePattern) UnmarshalText(text []byte) error {
	s, kind := string(text), Exact
	if rest, ok := strings.CutPrefix(s, "*."); ok {
		s, kind = rest, Below
	} else if rest, ok := strings.CutPrefix(s, "."); ok {
		s, kind = rest, Suffix
	}
	if strings.Contains(s, "*") {
		return fmt.Errorf("%q: \"*\" may stand only as the whole first label, as in *.example.com", text)
	}
	n, err := parseName(s)
	if err != nil {
		return err
	}
	*p = NamePattern{Kind: kind, Name: n}
	return nil
}

// String returns the text of p.
func (p NamePattern) String() string {
	switch p.Kind {
	case Suffix:
		return "." + p.Name.String()
	case Below:
		return "*." + p.Name.String()
	}
	return p.Name.String()
}

// MarshalText implements [encoding.TextMarshaler].
func (p NamePattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// URLPattern matches URLs: SCHEME://HOST[:PORT]/PATH, see [Rule.URLs]. It is kept as written, its syntax checked.
type URLPattern string

// maxPattern bounds a URL pattern: no URL that the proxy takes by default is longer.
const maxPattern = 16 << 10

// UnmarshalText implements [encoding.TextUnmarshaler].
func (u *URLPattern) UnmarshalText(text []byte) error {
	s := string(text)
	if len(s) > maxPattern {
		return fmt.Errorf("pattern longer than %d octets", maxPattern)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return fmt.Errorf("%q has no scheme: write https://HOST/PATH or *://HOST/PATH", s)
	}
	schemes := []string{"http", "https", "ws", "wss", "*"}
	if !slices.Contains(schemes, scheme) {
		return fmt.Errorf("unknown scheme %q%s", scheme, hint(scheme, schemes))
	}
	before, _, ok0 := strings.Cut(rest, "/")
	if !ok0 {
		return fmt.Errorf("%q has no path: write %s/ or %s/*", s, s, s)
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return fmt.Errorf("%q: %q cannot stand in a URL: percent-encode it", s, rest[i:i+1])
		}
	}
	if err := checkURLHost(before); err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	*u = URLPattern(s)
	return nil
}

func checkURLHost(host string) error {
	if strings.Contains(host, "@") {
		return errors.New("user information cannot be matched")
	}
	if host == "*" {
		return nil
	}
	var p NamePattern
	bare := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		if port, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil || port == 0 || host[i+1] == '0' {
			return fmt.Errorf("bad port %q", host[i+1:])
		}
		bare = host[:i]
	}
	if bare == "*" {
		return nil
	}
	a, err := hostname.ParseHost(bare)
	if err == nil && (!a.IsAddr() || strings.Trim(bare, "[]") == a.Host()) {
		return nil
	}
	return p.UnmarshalText([]byte(bare))
}

// MarshalText implements [encoding.TextMarshaler].
func (u URLPattern) MarshalText() ([]byte, error) { return []byte(u), nil }

// Method is a request method in the letter case of the wire.
type Method string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *Method) UnmarshalText(text []byte) error {
	s := string(text)
	if !isToken(s) {
		return fmt.Errorf("%q is not a request method", s)
	}
	if up := strings.ToUpper(s); up != s {
		return fmt.Errorf("%q: request methods are in capitals (did you mean %q?)", s, up)
	}
	*m = Method(s)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (m Method) MarshalText() ([]byte, error) { return []byte(m), nil }

// MediaRange is a media type or all of one top-level type, in lower case and without parameters (RFC 9110 section 12.5.1).
type MediaRange string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *MediaRange) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	top, sub, ok := strings.Cut(s, "/")
	switch {
	case strings.Contains(s, ";"):
		return fmt.Errorf("%q: parameters are not compared, leave them out", text)
	case !ok || !isToken(top) || !isToken(sub):
		return fmt.Errorf("%q is not a media type like text/html or application/*", text)
	case strings.Contains(top, "*"), strings.Contains(sub, "*") && sub != "*":
		return fmt.Errorf("%q: \"*\" may stand only for the whole second half, as in text/*", text)
	}
	*m = MediaRange(s)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (m MediaRange) MarshalText() ([]byte, error) { return []byte(m), nil }

// isToken says whether s is a token of RFC 9110 section 5.6.2, at most 127 octets (RFC 6838 section 4.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != "" && len(s) <= 127
}
