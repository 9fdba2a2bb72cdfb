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

// TestListsThatRulesBlock: a list that does not block by itself may hold no canary either where the config blocks what it holds.
func TestListsThatRulesBlock(t *testing.T) {
	t.Parallel()
	const rule = "rules:\n  - {name: r, action: block, "
	for name, c := range map[string]struct {
		list, rest string
		refused    bool
	}{
		"known":                    {list: "class: known"},
		"log":                      {list: "action: log"},
		"shared":                   {list: "class: shared"},
		"shared, blocked":          {list: "class: shared", rest: "reputation: {shared: block}\n", refused: true},
		"shared, logged, blocked":  {list: "class: shared, action: log", rest: "reputation: {shared: block}\n"},
		"known, blocked":           {list: "class: known", rest: "reputation: {known: block}\n", refused: true},
		"category":                 {list: "class: known, category: ads", rest: rule + "categories: [ads]}\n", refused: true},
		"another category":         {list: "class: known, category: ads", rest: rule + "categories: [c2]}\n"},
		"by name":                  {list: "action: log", rest: rule + "lists: [mine]}\n", refused: true},
		"by name, tried out":       {list: "action: log", rest: rule + "lists: [mine], observe: true}\n", refused: true},
		"by class":                 {list: "class: shared", rest: rule + "classes: [shared]}\n", refused: true},
		"by class and other names": {list: "class: shared", rest: rule + "classes: [shared], names: [.other.example]}\n"},
		"allowed":                  {list: "class: known", rest: "rules:\n  - {name: r, action: allow, lists: [mine]}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "mine.txt")
			if err := os.WriteFile(file, []byte("a.example\ngoogle.com\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f := load(t, "lists:\n  - {name: mine, file: '"+file+"', format: domains, "+c.list+"}\n"+c.rest)
			states, err := app.ListsStatus(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if refused := strings.Contains(states[0].LastError, "google.com"); refused != c.refused || (states[0].Rules == 0) != c.refused {
				t.Errorf("refused %v, want %v: %+v", refused, c.refused, states[0])
			}
			for _, s := range states[1:] {
				if s.Rules == 0 {
					t.Errorf("built-in list %s: %s", s.Name, s.LastError)
				}
			}
		})
	}
}
