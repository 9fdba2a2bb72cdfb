package lists_test

import (
	"net/netip"
	"strings"
	"testing"

	"weir/blocklists/lists"
	"weir/blocklists/set"
	"weir/blocklists/source"
	"weir/internal/hostname"
)

// TestBuiltin: every line of every list is in force, no entry stands twice, and no name of another class hides in a list.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	m, err := source.New(source.Config{Sources: lists.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range m.Status() {
		lines := rules(t, st.Name, lists.Builtin()[i].Text)
		if st.Rules != lines || lines == 0 || len(st.Skipped) != 0 || st.Refused != 0 {
			t.Errorf("%s: %d lines, %+v", st.Name, lines, st)
		}
	}
	for _, c := range []struct{ target, list string }{
		{"www.addatamarket.net", "weir-bad"},
		{"games.cabinet-company.info", "weir-bad"},
		{"172.86.123.69", "weir-bad"},
		{"api.ipify.org", "weir-ip-lookup"},
		{"checkip.amazonaws.com", "weir-ip-lookup"},
		{"evil.duckdns.org", "weir-dynamic-dns"},
		{"dns.google", "weir-doh"},
		{"abc123.dns.nextdns.io", "weir-doh"},
		{"tenant.workers.dev", "weir-shared"},
		{"amazonaws.com", ""},
		{"www.google.com", "weir-known"},
		{"docs.google.com", "weir-shared"},
		{"download.microsoft.com", "weir-known"},
		{"home.portmap.io", "weir-tunnels"},
		{"site.rf.gd", "weir-free-hosting"},
		{"www.quad9.net", ""},
	} {
		if got := first(s, c.target); got != c.list {
			t.Errorf("%s is on %q, want %q", c.target, got, c.list)
		}
	}
}

// rules counts the rules of a text and reports the ones that stand there twice.
func rules(t *testing.T, name, text string) int {
	t.Helper()
	seen := map[string]int{}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '!' {
			continue
		}
		if before, twice := seen[line]; twice {
			t.Errorf("%s:%d: %s stands on line %d too", name, n+1, line, before)
		}
		seen[line] = n + 1
	}
	return len(seen)
}

// first names the list of the most specific match.
func first(s *set.Set, target string) string {
	var ms []set.Match
	if a, err := netip.ParseAddr(target); err == nil {
		ms = s.LookupAddr(a, nil)
	} else {
		ms = s.Lookup(hostname.MustParse(target), nil)
	}
	if len(ms) == 0 {
		return ""
	}
	return s.List(ms[0].List).Name
}
