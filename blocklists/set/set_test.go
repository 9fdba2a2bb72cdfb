package set_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// named makes an entry for a name.
func named(name string, line uint32, change ...func(*set.Entry)) set.Entry {
	e := set.Entry{Name: hostname.MustParse(name), Line: line}
	for _, f := range change {
		f(&e)
	}
	return e
}

func exact(e *set.Entry)     { e.Scope = set.Exact }
func below(e *set.Entry)     { e.Scope = set.Below }
func exception(e *set.Entry) { e.Exception = true }
func important(e *set.Entry) { e.Important = true }
func cancel(e *set.Entry)    { e.Cancel = true }

func prefix(p string, line uint32) set.Entry {
	return set.Entry{Prefix: netip.MustParsePrefix(p), Line: line}
}

// build makes a Set of lists l0, l1, ...; even ones may allow, every first and second of four may rewrite.
func build(t testing.TB, lists ...[]set.Entry) *set.Set {
	t.Helper()
	b := set.NewBuilder()
	for i, entries := range lists {
		n, err := b.AddList(set.List{Name: fmt.Sprintf("l%d", i), GrantAllow: i%2 == 0, GrantRewrite: i%4 < 2, GrantClients: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Build()
}

// say renders matches as "list:text:line@depth".
func say(s *set.Set, ms []set.Match) string {
	var out []string
	for _, m := range ms {
		text, line := s.EntryText(m)
		out = append(out, fmt.Sprintf("%s:%s:%d@%d", s.List(m.List).Name, text, line, m.Depth))
	}
	return strings.Join(out, " ")
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := build(
		t,
		[]set.Entry{
			named("example.com", 1), named("a.example.com", 2, exact), named("example.com", 9), named("b.example.com", 3, below),
			named("ok.example.com", 4, exception), named("loud.example.com", 5, important),
			named("gone.example.net", 7, cancel), named("gone.example.net", 6), named("gone.example.net", 8, exact),
		},
		[]set.Entry{named("example.com", 11), named("refused.example.org", 12, exception), named("gone.example.net", 13)},
	)
	for _, c := range []struct{ name, want string }{
		{"example.com", "l0:||example.com^:1@0 l1:||example.com^:11@0"},
		{"a.example.com", "l0:|a.example.com^:2@0 l0:||example.com^:1@1 l1:||example.com^:11@1"},
		{"x.a.example.com", "l0:||example.com^:1@2 l1:||example.com^:11@2"},
		{"b.example.com", "l0:||example.com^:1@1 l1:||example.com^:11@1"},
		{"x.b.example.com", "l0:||*.b.example.com^:3@1 l0:||example.com^:1@2 l1:||example.com^:11@2"},
		{"ok.example.com", "l0:@@||ok.example.com^:4@0 l0:||example.com^:1@1 l1:||example.com^:11@1"},
		{"loud.example.com", "l0:||loud.example.com^$important:5@0 l0:||example.com^:1@1 l1:||example.com^:11@1"},
		{"gone.example.net", "l0:|gone.example.net^:8@0 l1:||gone.example.net^:13@0"},
		{"refused.example.org", ""},
		{"xexample.com", ""},
		{"com", ""},
	} {
		if got := say(s, s.Lookup(hostname.MustParse(c.name), nil)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	if got := s.ListStats(1); got.Refused != 1 || got.Names != 2 {
		t.Errorf("list 1: %+v", got)
	}
	if got := s.Stats(); got.Names != 6 || got.Rules != 8 || got.Lists != 2 || got.Bytes == 0 {
		t.Errorf("stats: %+v", got)
	}
}

func TestLookupAddr(t *testing.T) {
	t.Parallel()
	s := build(
		t,
		[]set.Entry{prefix("192.0.2.0/24", 1), prefix("192.0.2.1/32", 2), prefix("2001:db8::/32", 3), prefix("192.0.2.1/32", 5)},
		[]set.Entry{prefix("192.0.2.1/32", 4), prefix("0.0.0.0/0", 6), prefix("::/0", 7), prefix("::ffff:198.51.100.0/120", 8)},
	)
	for _, c := range []struct{ addr, want string }{
		{"192.0.2.1", "l0:192.0.2.1:2@0 l1:192.0.2.1:4@0 l0:192.0.2.0/24:1@8 l1:0.0.0.0/0:6@32"},
		{"::ffff:192.0.2.9", "l0:192.0.2.0/24:1@8 l1:0.0.0.0/0:6@32"},
		{"2001:db8::1", "l0:2001:db8::/32:3@96 l1:::/0:7@128"},
		{"fe80::1%eth0", "l1:::/0:7@128"},
		{"198.51.100.7", "l1:198.51.100.0/24:8@8 l1:0.0.0.0/0:6@32"},
		{"203.0.113.1", "l1:0.0.0.0/0:6@32"},
	} {
		if got := say(s, s.LookupAddr(netip.MustParseAddr(c.addr), nil)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.addr, got, c.want)
		}
	}
	if got := s.LookupAddr(netip.Addr{}, nil); got != nil {
		t.Errorf("zero address matches %v", got)
	}
	if got := s.Stats().Addresses; got != 6 {
		t.Errorf("addresses = %d", got)
	}
}

// TestNothing: nil, zero and empty Sets match nothing and answer every question.
func TestNothing(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*set.Set{"nil": nil, "zero": {}, "empty": set.NewBuilder().Build(), "empty lists": build(t, nil, nil)} {
		if s.Lookup(hostname.MustParse("a.example"), nil) != nil || s.LookupAddr(netip.MustParseAddr("::1"), nil) != nil {
			t.Errorf("%s matches", name)
		}
		text, line := s.EntryText(set.Match{Entry: 7, List: 7})
		if text != "" || line != 0 || s.List(7).Name != "" || s.ListStats(7) != (set.ListStats{}) || s.Stats().Names != 0 {
			t.Errorf("%s speaks", name)
		}
	}
	if got := build(t, []set.Entry{named("a.example", 1)}).Lookup(hostname.Name{}, nil); got != nil {
		t.Errorf("the zero Name matches %v", got)
	}
}

func TestBuilderRefuses(t *testing.T) {
	t.Parallel()
	b := set.NewBuilder()
	if _, err := b.AddList(set.List{Name: "a", Action: set.ActionAllow}); !errors.Is(err, set.ErrGrant) {
		t.Errorf("allow without grant: %v", err)
	}
	n, err := b.AddList(set.List{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	both := named("a.example", 1)
	both.Prefix = netip.MustParsePrefix("192.0.2.0/24")
	rpz := func(change func(*set.Entry)) set.Entry { return named("a.example", 1, change) }
	for what, e := range map[string]set.Entry{
		"empty": {}, "both": both, "scope": {Name: both.Name, Scope: 3}, "mapped": prefix("::ffff:0.0.0.0/90", 1),
		"trigger": rpz(func(e *set.Entry) { e.Trigger = 3 }), "client name": rpz(func(e *set.Entry) { e.Trigger = set.Client }),
		"reply": rpz(func(e *set.Entry) { e.Reply = 6 }), "data alone": rpz(func(e *set.Entry) { e.Data = "A 192.0.2.1" }),
		"no data":      rpz(func(e *set.Entry) { e.Reply = set.ReplyData }),
		"two lines":    rpz(func(e *set.Entry) { e.Reply, e.Data = set.ReplyData, "A 192.0.2.1\nA 192.0.2.2" }),
		"half a reply": rpz(func(e *set.Entry) { e.Exception, e.Reply = true, set.ReplyDrop }),
		"types":        rpz(func(e *set.Entry) { e.Types = "\x02\x00\x01" }), "no types": rpz(func(e *set.Entry) { e.Types = "\x00" }),
		"unsorted": rpz(func(e *set.Entry) { e.Types = "\x00\x00\x02\x00\x01" }),
		"host":     {URL: "a.example"}, "no host": {URL: "/a"}, "space": {URL: "a.example/a b"}, "long URL": {URL: "a/" + strings.Repeat("a", set.MaxURL)},
		"URL reply": {URL: "a.example/", Reply: set.ReplyDrop}, "URL trigger": {URL: "a.example/", Trigger: set.Server},
		"upper": {Fingerprint: strings.Repeat("A", 32)}, "short": {Fingerprint: "abc"}, "joined": {Fingerprint: strings.Repeat("a", 36)},
	} {
		if err := b.Add(n, e); !errors.Is(err, set.ErrEntry) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := b.Add(7, named("a.example", 1)); !errors.Is(err, set.ErrList) {
		t.Errorf("no list: %v", err)
	}
}

// TestDrop: a list that broke halfway leaves nothing behind.
func TestDrop(t *testing.T) {
	t.Parallel()
	b := set.NewBuilder()
	for i := range 2 {
		n, err := b.AddList(set.List{Name: fmt.Sprint("l", i)})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []set.Entry{named("a.example", 1), named(fmt.Sprintf("only%d.example", i), 2), prefix("192.0.2.0/24", 3)} {
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Drop(0)
	s := b.Build()
	if got := say(s, s.Lookup(hostname.MustParse("a.example"), nil)); got != "l1:||a.example^:1@0" {
		t.Errorf("got %s", got)
	}
	if got := say(s, s.LookupAddr(netip.MustParseAddr("192.0.2.1"), s.Lookup(hostname.MustParse("only0.example"), nil))); got != "l1:192.0.2.0/24:3@8" {
		t.Errorf("got %s", got)
	}
	if s.ListStats(0) != (set.ListStats{}) || s.Stats().Names != 2 {
		t.Errorf("stats: %+v %+v", s.ListStats(0), s.Stats())
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for c := set.ClassBad; c <= set.ClassKnown; c++ {
		if got, err := set.ParseClass(c.String()); got != c || err != nil {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for a := set.ActionByClass; a <= set.ActionAllow; a++ {
		if got, err := set.ParseAction(a.String()); got != a || err != nil {
			t.Errorf("%v: %v, %v", a, got, err)
		}
	}
	if c, err := set.ParseClass("good"); err == nil || c != set.ClassBad {
		t.Errorf("good: %v, %v", c, err)
	}
	if got := set.Class(9).String() + set.Below.String(); got != "invalid(9)below" {
		t.Error(got)
	}
}

// naive is the reference: a map from canonical text to entries, asked for each parent.
type naive struct{ lists [][]set.Entry }

func (n naive) lookup(name hostname.Name) string {
	var out []string
	for l, entries := range n.lists {
		cancelled, seen := map[string]bool{}, map[string]bool{}
		for _, e := range entries {
			if e.Cancel {
				e.Cancel = false
				cancelled[e.String()] = true
			}
		}
		for _, e := range entries {
			text := e.String()
			granted := !e.Exception || l%2 == 0
			if granted && !e.Cancel && !cancelled[text] && !seen[text] && reaches(e, name) {
				seen[text] = true
				out = append(out, fmt.Sprintf("%03d l%d %s", name.Labels()-e.Name.Labels(), l, text))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func reaches(e set.Entry, name hostname.Name) bool {
	switch e.Scope {
	case set.Exact:
		return name == e.Name
	case set.Below:
		return name != e.Name && name.Within(e.Name)
	}
	return name.Within(e.Name)
}

func sorted(s *set.Set, ms []set.Match) string {
	var out []string
	for _, m := range ms {
		text, _ := s.EntryText(m)
		out = append(out, fmt.Sprintf("%03d %s %s", m.Depth, s.List(m.List).Name, text))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// randomName draws from few labels, so that names meet.
func randomName(r *rand.Rand) hostname.Name {
	labels := make([]string, 1+r.IntN(4))
	for i := range labels {
		labels[i] = string(rune('a' + r.IntN(4)))
	}
	return hostname.MustParse(strings.Join(labels, "."))
}

func randomLists(r *rand.Rand) [][]set.Entry {
	lists := make([][]set.Entry, 1+r.IntN(4))
	for i := range lists {
		for line := range r.IntN(60) {
			lists[i] = append(lists[i], set.Entry{
				Name: randomName(r), Line: uint32(line + 1), Scope: set.Scope(r.IntN(3)),
				Exception: r.IntN(4) == 0, Important: r.IntN(4) == 0, Cancel: r.IntN(8) == 0,
			})
		}
	}
	return lists
}

// FuzzLookup: the Set says of every name what the naive reference says, most specific first.
func FuzzLookup(f *testing.F) {
	for i := range uint64(50) {
		f.Add(i, i)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		lists := randomLists(r)
		s := build(t, lists...)
		for range 50 {
			name := randomName(r)
			ms := s.Lookup(name, nil)
			if got, want := sorted(s, ms), (naive{lists}).lookup(name); got != want {
				t.Fatalf("%v of %v:\n got %s\nwant %s", name, lists, got, want)
			}
			if !slices.IsSortedFunc(ms, func(x, y set.Match) int { return int(x.Depth) - int(y.Depth) }) {
				t.Fatalf("order: %v", ms)
			}
		}
	})
}

// FuzzLookupAddr: the same for addresses, against a walk over all prefixes.
func FuzzLookupAddr(f *testing.F) {
	for i := range uint64(50) {
		f.Add(i, i)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		addr := func() netip.Addr {
			if r.IntN(2) == 0 {
				return netip.AddrFrom4([4]byte{192, 0, byte(r.IntN(2)), byte(r.IntN(8))})
			}
			return netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.IntN(8)), 14: byte(r.IntN(2))})
		}
		var entries []set.Entry
		for line := range r.IntN(80) {
			a := addr()
			p, err := a.Prefix(a.BitLen() - r.IntN(a.BitLen()+1))
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, set.Entry{Prefix: p, Line: uint32(line)})
		}
		s := build(t, entries)
		for range 40 {
			a := addr()
			var want []netip.Prefix
			for _, e := range entries {
				if e.Prefix.Contains(a) && !slices.Contains(want, e.Prefix) {
					want = append(want, e.Prefix)
				}
			}
			slices.SortFunc(want, func(x, y netip.Prefix) int { return y.Bits() - x.Bits() })
			var got []netip.Prefix
			for _, m := range s.LookupAddr(a, nil) {
				got = append(got, s.Entry(m).Prefix)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v: got %v, want %v", a, got, want)
			}
		}
	})
}

// TestAllocs: a look-up never allocates when there is room for the answer.
func TestAllocs(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 3))}
	var entries []set.Entry
	for line := range 2000 {
		entries = append(entries, g.entry(line+1))
	}
	s := reopened(t, build(t, entries, []set.Entry{named("example.com", 1)}))
	dst := make([]set.Match, 0, 2*len(entries))
	questions := []question{
		{name: hostname.MustParse("a.b.example.com")},
		{name: hostname.MustParse("a.b.example.net")},
		{addr: netip.MustParseAddr("198.51.100.1")},
		{addr: netip.MustParseAddr("2001:db8::1")},
		{url: "a.b/" + strings.Repeat("a/", 5000)},
		{url: "c/"},
		{print: "none"},
	}
	for range 200 {
		questions = append(questions, g.question())
	}
	for _, q := range questions {
		if n := testing.AllocsPerRun(10, func() { dst = q.ask(s, dst[:0]) }); n != 0 {
			t.Errorf("%+v: %v allocations", q, n)
		}
	}
}

// TestConcurrent: many readers share one Set (for the race detector).
func TestConcurrent(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	lists := randomLists(r)
	s := build(t, lists...)
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(i, i))
			var dst []set.Match
			for range 500 {
				name := randomName(r)
				dst = s.Lookup(name, dst[:0])
				if got, want := sorted(s, dst), (naive{lists}).lookup(name); got != want {
					t.Errorf("%v: got %s, want %s", name, got, want)
				}
			}
		})
	}
	wg.Wait()
}
