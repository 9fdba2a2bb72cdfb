package admin_test

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"weir/internal/admin"
)

var hostForm = regexp.MustCompile(`^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$`)

// naive is the Host check written from the standard's grammar with other tools.
func naive(hosts []string, host string, local net.IP) bool {
	m := hostForm.FindStringSubmatch(host)
	if m == nil {
		return false
	}
	if m[3] != "" {
		if port, err := strconv.Atoi(m[3]); err != nil || port < 1 || port > 65535 {
			return false
		}
	}
	text := m[1] + m[2]
	ip := net.ParseIP(text)
	if m[1] != "" && (ip == nil || net.ParseIP("["+text) != nil || !slices.Contains([]byte(text), ':')) {
		return false
	}
	if ip != nil {
		return ip.IsLoopback() || ip.Equal(local) || slices.ContainsFunc(hosts, func(h string) bool { return ip.Equal(net.ParseIP(h)) })
	}
	same := func(h string) bool {
		return len(h) == len(text) && regexp.MustCompile(`^(?i:`+regexp.QuoteMeta(h)+`)$`).MatchString(text)
	}
	return same("localhost") || slices.ContainsFunc(hosts, same)
}

func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"localhost", "LocalHost:8090", "127.0.0.1", "127.1", "0177.0.0.1", "2130706433", "[::1]:80", "[::1", "::1", "[127.0.0.1]",
		"[::ffff:127.0.0.1]", "[fe80::1%lo]", "localhost:", "localhost:0", "localhost:65536", "localhost:00080", "localhost:+80",
		"localhost.", "a.weir.example", "weir.example", "evil.example:80", "10.0.0.9", "192.0.2.7:1", "[2001:db8::7]", "", ":80",
		"localho\u017ft", "\u212aelvin", "user@localhost", "localhost/x", "127.0.0.1.", "[::1]x", "[]", "[::1]:80:80", "0.0.0.0", "[::]",
	} {
		f.Add(seed)
	}
	hosts := []string{"weir.example", "192.0.2.7", "2001:db8::7", "kelvin"}
	local := netip.MustParseAddr("10.0.0.9")
	f.Fuzz(func(t *testing.T, host string) {
		got, err := admin.HostOK(hosts, host, local)
		if err != nil {
			t.Fatal(err)
		}
		if want := naive(hosts, host, net.IP(local.AsSlice())); got != want {
			t.Fatalf("Host %q: got %v, want %v", host, got, want)
		}
	})
}
