package upstream

import (
	"net"
	"net/netip"

	"weir/internal/hostname"
)

// Key is the text of a pool key, for tests.
func Key(addr netip.AddrPort, name hostname.Name) string { return key{addr: addr, name: name}.String() }

// ParseKey reads one.
func ParseKey(text string) (netip.AddrPort, string, error) { return parseKey(text) }

// Framed puts the watch over responses on a connection on which a request of that method went out.
func Framed(c net.Conn, method string) net.Conn {
	f := newFramed(c)
	f.expect(method)
	return f
}
