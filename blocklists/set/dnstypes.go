package set

import (
	"slices"
	"strconv"
	"strings"
)

// Types is a set of DNS types, as adblock's $dnstype gives it. "" is all types. Otherwise the first octet is 0 (only these) or
// 1 (all but these) and the types follow, big-endian, in order and once each. Types are comparable.
type Types string

// NewTypes makes a set of the given types, or of all but these. Without types it is the set of all types. More than [MaxTypes]
// make a set that no Builder takes.
func NewTypes(except bool, types ...uint16) Types {
	if len(types) == 0 {
		return ""
	}
	sorted := slices.Clone(types)
	slices.Sort(sorted)
	b := make([]byte, 1, 1+2*len(sorted))
	if except {
		b[0] = 1
	}
	for _, t := range slices.Compact(sorted) {
		b = append(b, byte(t>>8), byte(t))
	}
	return Types(b)
}

// Has says whether a question of this type is meant.
func (t Types) Has(qtype uint16) bool {
	if t == "" {
		return true
	}
	for i := 1; i+1 < len(t); i += 2 {
		if t.at(i) == qtype {
			return t[0] == 0
		}
	}
	return t[0] != 0
}

func (t Types) at(i int) uint16 { return uint16(t[i])<<8 | uint16(t[i+1]) }

func (t Types) valid() bool {
	if t == "" {
		return true
	}
	if t[0] > 1 || len(t) < 3 || len(t)%2 == 0 || len(t) > 1+2*MaxTypes {
		return false
	}
	for i := 3; i < len(t); i += 2 {
		if t.at(i-2) >= t.at(i) {
			return false
		}
	}
	return true
}

// String returns the value of adblock's $dnstype: "A|AAAA", or "~A|~AAAA" for all but these. Types without a name are written as
// RFC 3597 section 5 does: "TYPE65280".
func (t Types) String() string {
	var b strings.Builder
	for i := 1; i+1 < len(t); i += 2 {
		if i > 1 {
			b.WriteByte('|')
		}
		if t[0] != 0 {
			b.WriteByte('~')
		}
		b.WriteString(typeName(t.at(i)))
	}
	return b.String()
}

// typeName names what lists speak of (IANA, DNS parameters).
func typeName(t uint16) string {
	switch t {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 12:
		return "PTR"
	case 13:
		return "HINFO"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 33:
		return "SRV"
	case 35:
		return "NAPTR"
	}
	return lateTypeName(t)
}

func lateTypeName(t uint16) string {
	switch t {
	case 39:
		return "DNAME"
	case 43:
		return "DS"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 52:
		return "TLSA"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 255:
		return "ANY"
	case 257:
		return "CAA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}
