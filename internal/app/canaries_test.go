package app_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/app"
	"weir/internal/config"
)

// TestDNSServersAreCanaries: without upstreams in the config those of the system may not be blocked, with some only those.
func TestDNSServersAreCanaries(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("search example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &config.File{}
	got, why := app.DNSServers(f, file)
	if want := []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}; !slices.Equal(got, want) || !strings.Contains(why, "resolv.conf") {
		t.Errorf("got %v, %q", got, why)
	}
	if got, _ := app.DNSServers(f, file+".none"); len(got) != 0 {
		t.Errorf("without a file: %v", got)
	}
	f.Resolver.Upstreams = []config.ServerAddr{{AddrPort: netip.MustParseAddrPort("198.51.100.1:53")}}
	if got, _ := app.DNSServers(f, file); !slices.Equal(got, []netip.Addr{netip.MustParseAddr("198.51.100.1")}) {
		t.Errorf("configured: %v", got)
	}
}
