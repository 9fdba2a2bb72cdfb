package upstream

import (
	"net/netip"

	"weir/internal/hostname"
)

// Key is the text of a pool key, for tests.
func Key(addr netip.AddrPort, name hostname.Name) string { return key{addr: addr, name: name}.String() }

// ParseKey reads one.
func ParseKey(text string) (netip.AddrPort, string, error) { return parseKey(text) }
