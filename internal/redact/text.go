package redact

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// invisible holds the code points that strconv.IsPrint lets through but that
// show nothing: Hangul and Khmer fillers, the combining grapheme joiner, and
// the variation selectors (in which whole messages can be smuggled). Source:
// PropList.txt of the Unicode Character Database.
var invisible = []*unicode.RangeTable{
	unicode.Other_Default_Ignorable_Code_Point,
	unicode.Variation_Selector,
}

// brailleBlank is U+2800: a symbol by category, a blank by glyph.
const brailleBlank = '\u2800'

// Text returns s as printable, valid UTF-8 on one line. Octets that are not
// UTF-8 become \xNN; every rune that is not printable becomes \u{NNNN} (upper
// case hexadecimal, at least four digits): C0 and C1 controls, DEL, bidi marks
// (U+061C, U+200E, U+200F, U+202A-202E, U+2066-2069), zero-width and all other
// format characters, line and paragraph separators, spaces other than U+0020,
// private use, unassigned and invisible code points.
//
// A backslash is left as it is: the result is for people, it cannot be parsed
// back, and escaping twice is harmless (Text(Text(s)) == Text(s)). A clean
// string is returned unchanged without an allocation.
func Text(s string) string {
	i := firstUnsafe(s)
	if i < 0 {
		return s
	}
	dst := make([]byte, 0, len(s)+16)
	dst = append(dst, s[:i]...)
	return string(Append(dst, s[i:]))
}

// Bytes is [Text] for a byte slice; it always copies.
func Bytes(b []byte) string { return Text(string(b)) }

// Append appends Text(s) to dst and returns the extended slice.
func Append(dst []byte, s string) []byte {
	for len(s) > 0 {
		i := firstUnsafe(s)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = appendEscaped(dst, r, size, s[i])
		s = s[i+size:]
	}
	return dst
}

// Truncate returns s cut to at most n bytes, on a rune boundary, with an
// ellipsis (U+2026, three bytes, counted in n) where something was cut off.
// With n < 3 there is no room for the ellipsis and the result is empty unless s
// fits. Octets that are not UTF-8 are not mended: call Text first.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	if n < len(ellipsis) {
		return ""
	}
	cut := n - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}

// firstUnsafe returns the index of the first octet that Text must escape, or -1.
func firstUnsafe(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || !visible(r) {
			return i
		}
		i += size
	}
	return -1
}

// visible tells whether r leaves a mark of its own. strconv.IsPrint accepts
// letters, marks, numbers, punctuation, symbols and U+0020 only, which leaves
// out Cc, Cf, Zl, Zp, Zs, Co and Cn.
func visible(r rune) bool {
	return strconv.IsPrint(r) && r != brailleBlank && !unicode.IsOneOf(invisible, r)
}

func appendEscaped(dst []byte, r rune, size int, first byte) []byte {
	if r == utf8.RuneError && size == 1 {
		return append(dst, '\\', 'x', upperHex[first>>4], upperHex[first&0xf])
	}
	dst = append(dst, '\\', 'u', '{')
	started := false
	for shift := 20; shift >= 0; shift -= 4 {
		d := (r >> shift) & 0xf
		if d != 0 || started || shift <= 12 {
			dst = append(dst, upperHex[d])
			started = true
		}
	}
	return append(dst, '}')
}

// mask stands for whatever was taken out.
const mask = "***"

// cutAny splits s before the first octet that is in chars.
func cutAny(s, chars string) (before, from string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
