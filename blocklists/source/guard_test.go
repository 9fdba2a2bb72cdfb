package source_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
	"weir/internal/hostname"
)

func guards() []source.Canary {
	name, net := hostname.MustParse, netip.MustParsePrefix
	return []source.Canary{
		{Name: name("com"), Why: "a registry"},
		{Name: name("www.google.com"), Why: "a top site"},
		{Name: name("facebook.com"), Why: "a top site"},
		{Name: name("www.facebook.com"), Why: "a top site"},
		{Name: name("corp.internal"), Within: true, Why: "an internal zone"},
		{Prefix: net("192.0.2.53/32"), Why: "a DNS upstream"},
		{Prefix: net("2001:db8:1::/48"), Within: true, Why: "an internal network"},
	}
}

// policyHead starts a response policy zone.
const policyHead = "@ SOA a b 1 1 1 1 1\n"

// parts are lines of two numbers, from first to last and from 0 to 255.
func parts(line string, first, last int) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		for j := range 256 {
			_, _ = fmt.Fprintf(&b, line+"\n", i, j)
		}
	}
	return b.String()
}

// TestCanary: a text that would block a canary is refused as a whole, with line, entry and canary; what only looks like it is not.
func TestCanary(t *testing.T) {
	t.Parallel()
	const google, facebook, upstream = "covers www.google.com (a top site)", "covers facebook.com (a top site)", "covers 192.0.2.53 (a DNS upstream)"
	for _, c := range []struct {
		what   string
		format format.Format
		text   string
		want   string // in the error; "": it loads
		change func(*source.Source)
	}{
		{what: "suffix", format: format.Domains, text: "a.example\ngoogle.com\n", want: "line 2: ||google.com^ " + google},
		{what: "exact", format: format.Hosts, text: "0.0.0.0 www.google.com\n", want: "line 1: |www.google.com^ " + google},
		{what: "exact above", format: format.Hosts, text: "0.0.0.0 google.com\n"},
		{what: "exact beside", format: format.Hosts, text: "0.0.0.0 ads.google.com\n"},
		{what: "below a canary", format: format.Domains, text: "graph.facebook.com\n"},
		{what: "wildcard", format: format.Adblock, text: "||*.google.com^\n", want: google},
		{what: "wildcard of the name", format: format.Adblock, text: "||*.www.google.com^\n"},
		{what: "registry", format: format.Domains, text: "com\n", want: "covers com (a registry)"},
		{what: "unimportant registry", format: format.Domains, text: "a.example\nnet.kg\n"},
		{what: "star", format: format.Domains, text: "a.example\n*\n", want: "line 2: * covers everything"},
		{what: "star in RPZ", format: format.RPZ, text: "$ORIGIN r.\n@ SOA a b 1 1 1 1 1\n* CNAME .\n", want: "line 3"},
		{what: "client-IP", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n8.0.0.0.10.rpz-client-ip CNAME rpz-drop.\n16.0.0.168.192.rpz-nsip CNAME .\n32.54.2.0.192.rpz-nsip CNAME .\n"},
		{what: "NSDNAME", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\nns.evil.example.rpz-nsdname CNAME .\n*.ns.evil.example.rpz-nsdname CNAME .\n"},
		{what: "response-IP", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n32.53.2.0.192.rpz-ip CNAME .\n", want: "line 2"},
		{what: "every client", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n0.0.0.0.0.rpz-client-ip CNAME rpz-drop.\n", want: "more of the internet"},
		{what: "half of all clients", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n4.0.0.0.16.rpz-client-ip CNAME .\n", want: "more of the internet"},
		{what: "every client passes", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n0.0.0.0.0.rpz-client-ip CNAME rpz-passthru.\n* CNAME rpz-passthru.\na.example CNAME .\n"},
		{what: "every name server's address", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n0.0.0.0.0.rpz-nsip CNAME .\n", want: "more of the internet"},
		{what: "every name server", format: format.RPZ, text: "@ SOA a b 1 1 1 1 1\n*.rpz-nsdname CNAME .\n", want: "more of the internet"},
		{what: "at its usual port", format: format.Domains, text: "www.google.com:443\n", want: google},
		{what: "upstream at its port", format: format.Domains, text: "192.0.2.53:53\n", want: upstream},
		{what: "at another port", format: format.Domains, text: "www.google.com:8080\n192.0.2.53:9999\n"},
		{what: "star in dnsmasq", format: format.Dnsmasq, text: "local=/a.example/\naddress=/#/\n", want: "everything"},
		{what: "root in unbound", format: format.Unbound, text: "local-zone: \".\" always_nxdomain\n", want: "line 1: . covers"},
		{what: "internal zone", format: format.Domains, text: "host.corp.internal\n", want: "corp.internal (an internal zone)"},
		{what: "address", format: format.Addresses, text: "192.0.2.53\n", want: "line 1: 192.0.2.53 " + upstream},
		{what: "network", format: format.Addresses, text: "192.0.2.0/24\n", want: upstream},
		{what: "address beside", format: format.Addresses, text: "192.0.2.54\n"},
		{what: "in an internal network", format: format.Addresses, text: "2001:db8:1::7\n", want: "an internal network"},
		{what: "private", format: format.Addresses, text: "10.0.0.0/8\n", want: "private addresses, RFC 1918"},
		{what: "a part of private", format: format.Addresses, text: "10.9.0.0/16\n", want: "RFC 1918"},
		{what: "a private address", format: format.Addresses, text: "10.9.0.1\n"},
		{what: "loopback", format: format.Addresses, text: "127.0.0.0/8\n", want: "loopback"},
		{what: "too wide", format: format.Addresses, text: "64.0.0.0/6\n", want: "more of the internet"},
		{what: "everything", format: format.Addresses, text: "198.51.100.1\n::/0\n", want: "line 2: ::/0 covers more of the internet"},
		{what: "bogons", format: format.Addresses, text: "224.0.0.0/4\n"},
		{what: "whole host by URL", format: format.URLs, text: "http://www.google.com/\n", want: google},
		{what: "path on a host", format: format.URLs, text: "http://www.google.com/malware.exe\n"},
		{what: "address by URL", format: format.URLs, text: "https://192.0.2.53/\n", want: upstream},
		{what: "its own host", format: format.Domains, text: "lists.example\n", want: `where list "far" comes from`},
		{what: "many", format: format.Domains, text: strings.Repeat("google.com\n", 9), want: "and 4 more"},
		{what: "exception", format: format.Adblock, text: "a.example\n@@||google.com^\n"},
		{what: "only one type", format: format.Adblock, text: "||google.com^$dnstype=HTTPS\n"},
		{what: "known", format: format.Domains, text: "google.com\n", change: func(s *source.Source) { s.List.Class = set.ClassKnown }},
		{what: "logged", format: format.Domains, text: "google.com\n", change: func(s *source.Source) { s.List.Action = set.ActionLog }},
		{what: "untrusted", format: format.Domains, text: "google.com\n", want: google, change: func(s *source.Source) { s.List.Class = set.ClassUntrusted }},
		{what: "shared, blocked", format: format.Domains, text: "google.com\n", want: google, change: func(s *source.Source) { s.List.Class, s.List.Action = set.ClassShared, set.ActionBlock }},
		{what: "may", format: format.Domains, text: "facebook.com\n", change: func(s *source.Source) {
			s.MayBlock.Names = []hostname.Name{hostname.MustParse("facebook.com")}
		}},
		{what: "may, but not this", format: format.Domains, text: "facebook.com\n", want: facebook, change: func(s *source.Source) {
			s.MayBlock.Names = []hostname.Name{hostname.MustParse("google.com")}
		}},
		{what: "may a network", format: format.Addresses, text: "192.0.2.0/24\n", change: func(s *source.Source) {
			s.MayBlock.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}},
		{what: "name server of a canary", format: format.RPZ, text: policyHead + "ns1.facebook.com.rpz-nsdname CNAME .\n", want: "line 2: ns1.facebook.com.rpz-nsdname CNAME . covers name servers of facebook.com"},
		{what: "name server beside a canary", format: format.RPZ, text: policyHead + "ns1.google.com.rpz-nsdname CNAME .\n", want: "name servers of www.google.com"},
		{what: "name servers below a registry", format: format.RPZ, text: policyHead + "ns1.evil.com.rpz-nsdname CNAME .\n"},
		{what: "name servers of a canary, which may be", format: format.RPZ, text: policyHead + "ns1.facebook.com.rpz-nsdname CNAME .\n", change: func(s *source.Source) {
			s.MayBlock.Names = []hostname.Name{hostname.MustParse("facebook.com")}
		}},
		{what: "address of a canary as name server", format: format.RPZ, text: policyHead + "32.53.2.0.192.rpz-nsip CNAME .\n", want: upstream},
		{what: "half of IPv4 in parts", format: format.Addresses, text: parts("%d.%d.0.0/16", 11, 90), want: "line 8193: 43.0.0.0/16 covers more of the internet than any list may block: with the lines before it 536936448 public addresses"},
		{what: "half of IPv4 in parts, which may be", format: format.Addresses, text: parts("%d.%d.0.0/16", 11, 90), change: func(s *source.Source) {
			s.MayBlock.Prefixes = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}},
		{what: "a country", format: format.Addresses, text: parts("%d.%d.0.0/16", 41, 72)},
		{what: "reserved space in parts", format: format.Addresses, text: parts("%d.%d.0.0/16", 224, 255)},
		{what: "IPv6 in parts", format: format.Addresses, text: parts("2%x%02x::/16", 4, 4), want: "public networks of /64"},
		{what: "mapped", format: format.Addresses, text: "::ffff:192.0.2.0/120\n", want: upstream},
		{what: "known, blocked by a rule", format: format.Domains, text: "google.com\n", want: google, change: func(s *source.Source) { s.List.Class, s.MayEnd = set.ClassKnown, true }},
		{what: "logged, blocked by a rule", format: format.Domains, text: "google.com\n", want: google, change: func(s *source.Source) { s.List.Action, s.MayEnd = set.ActionLog, true }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			src := remote("far")
			src.Format = c.format
			if c.change != nil {
				c.change(&src)
			}
			good := "good.example\n"
			switch c.format {
			case format.Addresses, format.Hosts, format.URLs, format.RPZ, format.Dnsmasq, format.Unbound:
				good = "" // the first load is the bad one
			}
			o := &origin{text: good}
			dir := t.TempDir()
			cfg := source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{src}, Canaries: guards()}
			m := manager(t, cfg)
			load(t, m)
			if good != "" {
				if err := m.Refresh(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
			}
			o.set(func(o *origin) { o.text = c.text })
			err := m.Refresh(t.Context(), "")
			if c.want == "" {
				if err != nil || !m.Status()[0].Loaded {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, source.ErrCanary) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			st := m.Status()[0]
			if st.Loaded != (good != "") || st.Failing != (good != "") || st.LastError == "" {
				t.Errorf("%+v", st)
			}
			if good != "" {
				expect(t, m.Set(), "good.example", "far")
			}
		})
	}
}

// TestCanaryCopy: what is in a file or already on disk is held against the canaries too; a list that is refused costs only itself.
func TestCanaryCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	write(t, path, "www.google.com\n")
	o := &origin{text: "www.google.com\n"}
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Client: &http.Client{Transport: o}, Sources: []source.Source{
		remote("far"), {List: set.List{Name: "mine"}, Path: path, Format: format.Domains}, {List: set.List{Name: "inner"}, Text: "c.example\n"},
	}}
	m := manager(t, cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), "far"); err != nil {
		t.Fatal(err)
	}
	expect(t, m.Set(), "www.google.com", "far mine")
	cfg.Canaries = guards() // as after a change of the config
	m = manager(t, cfg)
	s, err := m.Load(t.Context())
	if !errors.Is(err, source.ErrCanary) || strings.Contains(err.Error(), "inner") {
		t.Errorf("got %v", err)
	}
	expect(t, s, "www.google.com", "")
	expect(t, s, "c.example", "inner")
	for _, st := range m.Status()[:2] {
		if st.Loaded || !strings.Contains(st.LastError, "line 1") {
			t.Errorf("%+v", st)
		}
	}
}

// TestCanaryBuiltIn: a list that is part of the program cannot know the names of a config, and is held against them too.
func TestCanaryBuiltIn(t *testing.T) {
	t.Parallel()
	m := manager(t, source.Config{Canaries: guards(), Sources: []source.Source{
		{List: set.List{Name: "fine"}, Text: "c.example\n"}, {List: set.List{Name: "inner"}, Text: "d.example\n||internal^\n||corp.internal^\n"},
	}})
	s, err := m.Load(t.Context())
	if !errors.Is(err, source.ErrCanary) || !strings.Contains(err.Error(), "corp.internal (an internal zone)") {
		t.Errorf("got %v", err)
	}
	expect(t, s, "c.example", "fine")
	expect(t, s, "d.example", "")
}

// namesText is a list of n names.
func namesText(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "n%d.example\n", i)
	}
	return b.String()
}

// TestReview: a text with far fewer or more entries waits for review, over restarts; it comes into force when it is accepted, and is
// dropped when a normal one comes.
func TestReview(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &origin{text: namesText(300), etag: `"1"`}
	cfg := source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far")}}
	m := manager(t, cfg)
	load(t, m)
	refresh := func(n int) error {
		o.set(func(o *origin) { o.text, o.etag = namesText(n), fmt.Sprintf(`"%d"`, n) })
		return m.Refresh(t.Context(), "")
	}
	check := func(what string, rules, held int) {
		t.Helper()
		st := m.Status()[0]
		if st.Rules != rules || st.Held() != (held > 0) || st.Pending.Entries != held || held > 0 && (st.Pending.Had != rules || !strings.Contains(st.LastError, "--accept")) {
			t.Errorf("%s: %+v", what, st)
		}
	}
	for _, step := range []struct{ n, rules, held int }{
		{300, 300, 0}, {160, 160, 0}, {70, 160, 70}, {70, 160, 70}, {500, 160, 500}, {200, 200, 0}, {401, 200, 401},
	} {
		if err := refresh(step.n); errors.Is(err, source.ErrHeld) != (step.held > 0) {
			t.Errorf("%d: %v", step.n, err)
		}
		check(fmt.Sprint(step.n), step.rules, step.held)
	}
	since := m.Status()[0].Pending.Since
	m = manager(t, cfg)
	load(t, m)
	check("restarted", 200, 401)
	if !m.Status()[0].Pending.Since.Equal(since) || !m.Vitals("far").Held {
		t.Error("since when is forgotten")
	}
	if err := m.Accept(t.Context(), "nothing"); !errors.Is(err, source.ErrNoList) {
		t.Error(err)
	}
	if err := m.Accept(t.Context(), "far"); err != nil {
		t.Fatal(err)
	}
	check("accepted", 401, 0)
	expect(t, m.Set(), "n400.example", "far")
	if err := m.Accept(t.Context(), "far"); !errors.Is(err, source.ErrNotHeld) {
		t.Error(err)
	}
	m = manager(t, cfg)
	load(t, m)
	check("accepted, restarted", 401, 0)
	if left, err := filepath.Glob(filepath.Join(dir, "*.held")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	cfg.Sources[0].MaxChange = source.AnyChange
	m = manager(t, cfg)
	load(t, m)
	if err := refresh(1); err != nil {
		t.Error(err)
	}
	check("any", 1, 0)
	if err := refresh(20_000); err != nil {
		t.Error(err)
	}
}

// TestReviewSpoilt: a held text that was changed on disk, or would block a canary by now, is not taken.
func TestReviewSpoilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &origin{text: namesText(300)}
	cfg := source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far")}}
	m := manager(t, cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	o.set(func(o *origin) { o.text = namesText(10) })
	if err := m.Refresh(t.Context(), ""); !errors.Is(err, source.ErrHeld) {
		t.Fatal(err)
	}
	cfg.Canaries = []source.Canary{{Name: hostname.MustParse("n5.example"), Why: "new"}}
	later := manager(t, cfg)
	_, _ = later.Load(t.Context())
	if err := later.Accept(t.Context(), "far"); !errors.Is(err, source.ErrCanary) {
		t.Errorf("canary: %v", err)
	}
	held, err := filepath.Glob(filepath.Join(dir, "*.list.held"))
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	write(t, held[0], "evil.example\n")
	if err := m.Accept(t.Context(), "far"); !errors.Is(err, source.ErrNotHeld) {
		t.Errorf("changed: %v", err)
	}
	expect(t, m.Set(), "n200.example", "far")
}

// TestExpires: a list that was not seen to be current for too long no longer counts, over a restart too, and comes back with the
// next refresh that goes well, even one that says that nothing has changed.
func TestExpires(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := &origin{text: "a.example\n", etag: `"1"`}
		src := remote("far")
		src.Expires = 24 * time.Hour
		cfg := source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{src}}
		run := func() (m *source.Manager, stop func()) {
			m = manager(t, cfg)
			load(t, m)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = m.Run(ctx, func(*set.Set) {}) })
			return m, func() { cancel(); wg.Wait() }
		}
		check := func(what string, m *source.Manager, expired bool) {
			t.Helper()
			synctest.Wait()
			st := m.Status()[0]
			want := "far"
			if expired {
				want = ""
			}
			if st.Expired != expired || st.Loaded == expired || m.Vitals("far").Expired != expired {
				t.Errorf("%s: %+v", what, st)
			}
			expect(t, m.Set(), "a.example", want)
		}
		m, stop := run()
		time.Sleep(20 * time.Hour)
		check("young", m, false)
		o.set(func(o *origin) { o.down = errors.New("no route") })
		time.Sleep(22 * time.Hour)
		check("old, but confirmed since", m, false)
		time.Sleep(4 * time.Hour)
		check("too old", m, true)
		stop()
		for range 2 { // the first start compiles, the second finds what it saved
			m, stop = run()
			check("restarted", m, true)
			stop()
		}
		m, stop = run()
		o.set(func(o *origin) { o.down = nil })
		time.Sleep(24 * time.Hour)
		check("back", m, false)
		stop()
		if s := load(t, manager(t, cfg)); time.Since(s.List(0).Updated) > 2*time.Hour || s.List(0).Updated.IsZero() {
			t.Errorf("updated %v", s.List(0).Updated)
		}
		o.set(func(o *origin) { o.down = errors.New("no route") })
		time.Sleep(48 * time.Hour)
		check("expired while nobody ran", func() *source.Manager { m := manager(t, cfg); load(t, m); return m }(), true)
	})
}

// TestExpiresFile: the age of a file is that of its last change.
func TestExpiresFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	write(t, path, "a.example\n")
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{{List: set.List{Name: "mine"}, Path: path, Expires: 24 * time.Hour}}}
	for range 2 {
		m := manager(t, cfg)
		expect(t, load(t, m), "a.example", "")
		if !m.Status()[0].Expired {
			t.Errorf("%+v", m.Status()[0])
		}
	}
	write(t, path, "a.example\n")
	expect(t, load(t, manager(t, cfg)), "a.example", "mine")
}

// TestFolder: each file of a directory is a list of its own; files come and go, and a bad one costs itself alone.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "lists.d")
	file := func(name string) string { return filepath.Join(folder, name) }
	if err := os.MkdirAll(file("below"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file("b.txt"), "# one\nb.example\n")
	write(t, file("a.txt"), "a.example\n")
	write(t, file(".hidden"), "hidden.example\n")
	write(t, file("page"), "<html>no list</html>")
	cfg := source.Config{Dir: filepath.Join(dir, "data"), Sources: []source.Source{
		{List: set.List{Name: "first"}, Text: "z.example\n"},
		{List: set.List{Name: "mine", Category: "own"}, Dir: folder, Format: format.Domains},
		{List: set.List{Name: "last"}, Text: "z.example\n"},
	}}
	m := manager(t, cfg)
	s, err := m.Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"mine/page"`) {
		t.Errorf("got %v", err)
	}
	expect(t, s, "a.example", "mine/a.txt")
	expect(t, s, "b.example", "mine/b.txt")
	expect(t, s, "hidden.example", "")
	expect(t, s, "z.example", "first last")
	hit := s.Lookup(hostname.MustParse("b.example"), nil)[0]
	if l := s.List(hit.List); s.Entry(hit).Line != 2 || l.Source != file("b.txt") || l.Category != "own" {
		t.Errorf("%+v, line %d", l, s.Entry(hit).Line)
	}
	var names []string
	for _, st := range m.Status() {
		names = append(names, st.Name)
	}
	if got := strings.Join(names, " "); got != "first mine mine/a.txt mine/b.txt mine/page last" || m.Status()[1].Files != 3 {
		t.Errorf("lists: %s", got)
	}
	_ = os.Remove(file("a.txt"))
	_ = os.Remove(file("page"))
	write(t, file("c.txt"), "c.example\n")
	if err := m.Refresh(t.Context(), "mine"); err != nil {
		t.Error(err)
	}
	for _, m := range []*source.Manager{m, manager(t, cfg)} {
		if m.Set() == nil {
			load(t, m)
		}
		expect(t, m.Set(), "a.example", "")
		expect(t, m.Set(), "b.example", "mine/b.txt")
		expect(t, m.Set(), "c.example", "mine/c.txt")
		expect(t, m.Set(), "z.example", "first last")
	}
	if err := os.Rename(folder, folder+".away"); err != nil { // as when a disk is not mounted
		t.Fatal(err)
	}
	m = manager(t, cfg)
	s, err = m.Load(t.Context())
	if err == nil {
		t.Error("no directory, no error")
	}
	expect(t, s, "c.example", "mine/c.txt")
	if copies, err := filepath.Glob(filepath.Join(dir, "data", "*.list")); err != nil || len(copies) != 2 {
		t.Errorf("copies: %v, %v", copies, err)
	}
}
