package address

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Errors of [ParseIPv4Legacy]; the text around them names the part.
var (
	ErrTooManyParts = errors.New("more than four parts")
	ErrBadNumber    = errors.New("not a number")
	ErrOutOfRange   = errors.New("number out of range")
)

// ParseIPv4Legacy reads an IPv4 address the way browsers and inet_aton do: one
// to four parts, each decimal, octal (leading 0) or hexadecimal (leading 0x),
// the last part filling the octets that are left, a trailing dot allowed.
// 127.1, 0x7f.1, 2130706433 and 0177.0.0.1 are all 127.0.0.1.
//
// number tells whether the host "ends in a number". If it does, the host is an
// address or an error, never a name: with err set, refuse it. If it does not,
// addr and err are zero and the host may be a name. s is one host without port
// and brackets, already percent-decoded and mapped to ASCII.
//
// Source: WHATWG URL, "ends in a number checker" and "IPv4 parser"
// (https://url.spec.whatwg.org/#concept-ipv4-parser).
func ParseIPv4Legacy(s string) (addr netip.Addr, number bool, err error) {
	s, _ = strings.CutSuffix(s, ".")
	last := s[strings.LastIndexByte(s, '.')+1:]
	if !endsInNumber(last) {
		return netip.Addr{}, false, nil
	}
	if strings.Count(s, ".") > 3 {
		return netip.Addr{}, true, fmt.Errorf("ipv4 address: %w", ErrTooManyParts)
	}
	var value uint64
	parts := strings.Split(s, ".")
	for i, part := range parts {
		n, err := parseNumber(part)
		if err != nil {
			return netip.Addr{}, true, fmt.Errorf("ipv4 address: part %d: %w", i+1, err)
		}
		room := uint(8) // bits
		if i == len(parts)-1 {
			room = uint(8 * (5 - len(parts)))
		}
		if n >= 1<<room {
			return netip.Addr{}, true, fmt.Errorf("ipv4 address: part %d: %w", i+1, ErrOutOfRange)
		}
		value = value<<room | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true, nil
}

// endsInNumber: all digits, or a number in the sense of the IPv4 parser.
func endsInNumber(last string) bool {
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, err := parseNumber(last)
	return !errors.Is(err, ErrBadNumber)
}

// parseNumber reads one part. Numbers above 2^32 are all alike too large, so
// the value saturates instead of overflowing.
func parseNumber(s string) (uint64, error) {
	if s == "" {
		return 0, ErrBadNumber
	}
	base := uint64(10)
	switch {
	case len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x':
		base, s = 16, s[2:] // "0x" alone is zero
	case len(s) >= 2 && s[0] == '0':
		base, s = 8, s[1:]
	}
	const limit = 1 << 32
	var value uint64
	for i := range len(s) {
		d := digit(s[i])
		if d >= base {
			return 0, ErrBadNumber
		}
		value = min(value*base+d, limit)
	}
	return value, nil
}

// digit returns the value of a hexadecimal digit, or 255.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return 255
}
