package hostname

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrAuthority is wrapped by the errors of [ParseAuthority].
var ErrAuthority = errors.New("not a valid host or host:port")

// Authority is the target of a request: a Name or an address, and a port. Exactly one of Name and Addr is set in a valid one.
// Authorities are comparable.
type Authority struct {
	Name Name
	Addr netip.Addr // unmapped, without zone
	Port uint16     // 0 when none was given and no default was known
}

// ParseAuthority reads "host", "host:port", "[v6]" or "[v6]:port" as it stands in CONNECT, Host, :authority or a URL. Every
// spelling of an IPv4 address that a URL parser accepts (127.1, 0x7f.1, 2130706433, 0177.0.0.1) becomes the address it means;
// userinfo, zones, empty ports and port 0 are refused. defaultPort fills in an absent port.
func ParseAuthority(text string, defaultPort uint16) (Authority, error) {
	host, port, err := splitPort(text, defaultPort)
	if err != nil {
		return Authority{}, fmt.Errorf("%q: %w", text, err)
	}
	a, err := ParseHost(host)
	if err != nil {
		return Authority{}, err
	}
	a.Port = port
	return a, nil
}

// ParseHost reads a host without a port: a name, an IPv4 address in any spelling, or an IPv6 address with or without brackets.
func ParseHost(host string) (Authority, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || addr.Zone() != "" || !strings.Contains(inner, ":") {
			return Authority{}, fmt.Errorf("%q: %w", host, ErrAuthority)
		}
		return Authority{Addr: addr.Unmap()}, nil
	}
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return Authority{}, fmt.Errorf("%q: %w", host, ErrAuthority)
		}
		return Authority{Addr: addr.Unmap()}, nil
	}
	n, err := Parse(host)
	if err == nil {
		return Authority{Name: n}, nil
	}
	if !errors.Is(err, ErrIsNumber) {
		return Authority{}, err
	}
	addr, ok := parseIPv4(strings.ToLower(strings.TrimSuffix(host, ".")))
	if !ok {
		return Authority{}, fmt.Errorf("%q: %w", host, ErrAuthority)
	}
	return Authority{Addr: addr}, nil
}

// splitPort splits off ":port"; a colon inside brackets or in a bare IPv6 address is none.
func splitPort(text string, defaultPort uint16) (host string, port uint16, err error) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 || colon < strings.LastIndexByte(text, ']') || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
		return text, defaultPort, nil
	}
	digits := text[colon+1:]
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", 0, ErrAuthority
	}
	p, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || p == 0 {
		return "", 0, ErrAuthority
	}
	return text[:colon], uint16(p), nil
}

// parseIPv4 is the IPv4 parser of the WHATWG URL standard: one to four parts, each decimal, octal (0) or hexadecimal (0x), the
// last part filling the remaining octets.
func parseIPv4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, part := range parts {
		n, ok := parseIPv4Part(part)
		if !ok {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			if n > 255 {
				return netip.Addr{}, false
			}
			v |= n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return netip.Addr{}, false
		}
		v |= n
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

func parseIPv4Part(part string) (uint64, bool) {
	switch {
	case part == "":
		return 0, false
	case part == "0x":
		return 0, true
	case strings.HasPrefix(part, "0x"):
		n, err := strconv.ParseUint(part[2:], 16, 40)
		return n, err == nil
	case len(part) > 1 && part[0] == '0':
		n, err := strconv.ParseUint(part[1:], 8, 40)
		return n, err == nil
	}
	n, err := strconv.ParseUint(part, 10, 40)
	return n, err == nil
}

// IsAddr says whether the host is an address, not a name.
func (a Authority) IsAddr() bool { return a.Addr.IsValid() }

// IsZero says whether a names no host at all.
func (a Authority) IsZero() bool { return a.Name.IsZero() && !a.Addr.IsValid() }

// Host returns the host without port and without brackets.
func (a Authority) Host() string {
	if a.Addr.IsValid() {
		return a.Addr.String()
	}
	return a.Name.String()
}

// SameHost says whether both name the same host; ports are not compared.
func (a Authority) SameHost(b Authority) bool { return a.Name == b.Name && a.Addr == b.Addr }

// String returns host:port, with brackets around IPv6; no port when it is 0.
func (a Authority) String() string {
	host := a.Host()
	if a.Addr.Is6() {
		host = "[" + host + "]"
	}
	if a.Port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(int(a.Port))
}
