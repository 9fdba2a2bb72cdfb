package upstream

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// ResolvConf is where the system names its servers (resolv.conf(5)).
const ResolvConf = "/etc/resolv.conf"

// port is that of DNS (RFC 1035 section 4.2).
const port = 53

// System reads the servers of the system from a file in the form of resolv.conf(5); "" is [ResolvConf]. A file that cannot be read
// is an error; one that names no server is none.
func System(file string) ([]netip.AddrPort, error) {
	if file == "" {
		file = ResolvConf
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("servers of the system: %w", err)
	}
	defer f.Close()
	var out []netip.AddrPort
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			out = append(out, netip.AddrPortFrom(addr.Unmap(), port))
		}
	}
	return out, nil
}

// Without drops the servers that are ourselves: a query sent there would come back for ever. own are the addresses listened on; an
// unspecified one stands for every address of this machine that can be told without asking it, the loopback ones.
func Without(servers, own []netip.AddrPort) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(servers), func(s netip.AddrPort) bool {
		return slices.ContainsFunc(own, func(o netip.AddrPort) bool {
			if s.Port() != o.Port() {
				return false
			}
			a, b := s.Addr().Unmap(), o.Addr().Unmap()
			return a == b || a.IsUnspecified() || b.IsUnspecified() && a.IsLoopback()
		})
	})
}
