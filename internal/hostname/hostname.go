// Package hostname holds names in the one form that every list and rule is keyed on: A-labels, lower case, no trailing dot,
// no port. Only [Parse] and [FromDNS] make a [Name]; what does not parse is refused by the caller and never judged as the zero
// Name. Layer L0.
package hostname

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Limits of RFC 1035 section 2.3.4, in octets of the text form without trailing dot.
const (
	// MaxLength is the longest name: 255 octets on the wire are 253 in text.
	MaxLength = 253
	// MaxLabel is the longest label.
	MaxLabel = 63
)

// Errors of [Parse] and [FromDNS]; each is wrapped with the offending name.
var (
	ErrEmpty    = errors.New("empty name")
	ErrTooLong  = errors.New("name longer than 253 octets")
	ErrLabel    = errors.New("empty label or label longer than 63 octets")
	ErrOctet    = errors.New("octet not allowed in a name")
	ErrIDN      = errors.New("not a valid internationalised name")
	ErrIsNumber = errors.New("name ends in a number: an address, not a name")
)

// Name is a host or domain name in canonical form: lower-case A-labels joined by dots, no trailing dot. The zero Name is no
// name at all and matches nothing. Names are comparable.
type Name struct{ s string }

// idnaProfile maps user input as browsers do (UTS 46, non-transitional), but lets underscores and other DNS-only octets pass:
// the octet check is ours.
var idnaProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule(), idna.CheckHyphens(false))

// Parse turns text from a URL, a Host header, an SNI, a config or a list into a Name. One trailing dot is removed, upper case
// and U-labels are folded (UTS 46). Refused: empty names and labels, over-long ones, any octet other than letters, digits, '-'
// and '_', and names whose last label is a number (those are addresses: WHATWG URL, "ends in a number").
func Parse(text string) (Name, error) {
	s := strings.TrimSuffix(text, ".")
	if s == "" {
		return Name{}, fmt.Errorf("%q: %w", text, ErrEmpty)
	}
	if len(s) > 4*MaxLength { // punycode never makes a name shorter than a quarter of its UTF-8
		return Name{}, fmt.Errorf("%.40q...: %w", text, ErrTooLong)
	}
	canonical, ascii := foldASCII(s)
	if !ascii {
		mapped, err := idnaProfile.ToASCII(s)
		if err != nil || !utf8.ValidString(s) {
			return Name{}, fmt.Errorf("%q: %w", text, ErrIDN)
		}
		canonical = strings.TrimSuffix(mapped, ".")
	}
	if err := checkHost(canonical); err != nil {
		return Name{}, fmt.Errorf("%q: %w", text, err)
	}
	return Name{canonical}, nil
}

// MustParse is [Parse] for names written in our own code; it panics on a name that does not parse.
func MustParse(text string) Name {
	n, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return n
}

// foldASCII lowers ASCII letters; ascii is false when other octets occur, and then the result is meaningless.
func foldASCII(s string) (folded string, ascii bool) {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return "", false
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s, true
	}
	return strings.ToLower(s), true
}

func checkHost(s string) error {
	if err := checkShape(s); err != nil {
		return err
	}
	for i := range len(s) {
		if c := s[i]; !hostOctet(c) && c != '.' {
			return fmt.Errorf("%w: %q at %d", ErrOctet, c, i)
		}
	}
	if last := s[strings.LastIndexByte(s, '.')+1:]; isNumber(last) {
		return ErrIsNumber
	}
	return nil
}

// checkShape checks lengths only; escapes of [FromDNS] are counted as written.
func checkShape(s string) error {
	if s == "" {
		return ErrEmpty
	}
	if len(s) > MaxLength {
		return ErrTooLong
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > MaxLabel {
			return ErrLabel
		}
	}
	return nil
}

func hostOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// isNumber says whether a last label makes the whole an IPv4 address in the WHATWG parser: all digits, or 0x and hex digits.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// FromDNS makes a Name of one that came in a DNS packet, in presentation form (RFC 1035 section 5.1: `\DDD` and `\X` escapes,
// with or without trailing dot). Letters are folded; an octet that [Parse] would refuse stays as a lower-case-safe `\DDD`
// escape, so that it is judged by list and rule under its parents instead of being refused. The root is ErrEmpty.
func FromDNS(presentation string) (Name, error) {
	s := presentation
	if s == "." {
		return Name{}, ErrEmpty
	}
	if strings.HasSuffix(s, ".") && !escapedDot(s) {
		s = s[:len(s)-1]
	}
	if folded, ascii := foldASCII(s); ascii && plain(folded) {
		if err := checkShape(folded); err != nil {
			return Name{}, fmt.Errorf("%q: %w", presentation, err)
		}
		return Name{folded}, nil
	}
	return fromEscaped(presentation, s)
}

// escapedDot says whether the final dot of s is itself escaped, as in `a\.`.
func escapedDot(s string) bool {
	n := 0
	for i := len(s) - 2; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

func plain(s string) bool {
	for i := range len(s) {
		if !hostOctet(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func fromEscaped(presentation, s string) (Name, error) {
	var b strings.Builder
	wire, label := 0, 0 // octets on the wire without the root, and in this label
	for i := 0; i < len(s); {
		c, n, dot, err := octet(s[i:])
		if err != nil {
			return Name{}, fmt.Errorf("%q: %w", presentation, err)
		}
		i += n
		wire++
		if dot {
			if label == 0 {
				return Name{}, fmt.Errorf("%q: %w", presentation, ErrLabel)
			}
			label = 0
			b.WriteByte('.')
			continue
		}
		if label++; label > MaxLabel {
			return Name{}, fmt.Errorf("%q: %w", presentation, ErrLabel)
		}
		appendOctet(&b, c)
	}
	if label == 0 {
		return Name{}, fmt.Errorf("%q: %w", presentation, ErrLabel)
	}
	if wire > MaxLength {
		return Name{}, fmt.Errorf("%q: %w", presentation, ErrTooLong)
	}
	return Name{b.String()}, nil
}

// octet reads one octet of presentation form; dot is true for a label separator.
func octet(s string) (c byte, n int, dot bool, err error) {
	switch {
	case s[0] == '.':
		return '.', 1, true, nil
	case s[0] != '\\':
		return s[0], 1, false, nil
	case len(s) >= 4 && digit(s[1]) && digit(s[2]) && digit(s[3]):
		v := int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
		if v > 255 {
			return 0, 0, false, ErrOctet
		}
		return byte(v), 4, false, nil
	case len(s) >= 2 && !digit(s[1]):
		return s[1], 2, false, nil
	}
	return 0, 0, false, ErrOctet
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func appendOctet(b *strings.Builder, c byte) {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	if hostOctet(c) {
		b.WriteByte(c)
		return
	}
	b.WriteString(fmt.Sprintf("\\%03d", c))
}

// String returns the canonical text; "" for the zero Name.
func (n Name) String() string { return n.s }

// IsZero says whether n is no name at all.
func (n Name) IsZero() bool { return n.s == "" }

// Parent cuts the leftmost label off; ok is false when n has only one label.
func (n Name) Parent() (parent Name, ok bool) {
	_, rest, ok := strings.Cut(n.s, ".")
	return Name{rest}, ok
}

// Within says whether n is zone or lies below it. Nothing lies within the zero Name.
func (n Name) Within(zone Name) bool {
	if zone.s == "" || !strings.HasSuffix(n.s, zone.s) {
		return false
	}
	return len(n.s) == len(zone.s) || n.s[len(n.s)-len(zone.s)-1] == '.'
}

// Labels counts the labels of n.
func (n Name) Labels() int {
	if n.s == "" {
		return 0
	}
	return strings.Count(n.s, ".") + 1
}

// Registrable returns the registrable domain of n (public suffix plus one label, private section of the Public Suffix List
// included); n itself when n is a public suffix.
func (n Name) Registrable() Name {
	if r, err := publicsuffix.EffectiveTLDPlusOne(n.s); err == nil {
		return Name{r}
	}
	return n
}

// IsPublicSuffix says whether n itself is a public suffix ("com", "co.uk", "github.io"), or a lone label.
func (n Name) IsPublicSuffix() bool {
	s, _ := publicsuffix.PublicSuffix(n.s)
	return s == n.s
}

// Unicode returns n with U-labels for human readers; the caller must escape it (package redact) before it is shown.
func (n Name) Unicode() string {
	u, err := idna.Display.ToUnicode(n.s)
	if err != nil {
		return n.s
	}
	return u
}
