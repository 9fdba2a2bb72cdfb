package set_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// The linear reference: every entry of every list is held against the question, one after the other, by the plainest words of
// what it covers. It shares no code with the Set.

// question is what is asked; one of name, addr, url and print.
type question struct {
	trigger set.Trigger
	name    hostname.Name
	addr    netip.Addr
	url     string
	print   string
}

func (q question) ask(s *set.Set, dst []set.Match) []set.Match {
	switch {
	case q.url != "":
		return s.LookupURL(q.url, dst)
	case q.print != "":
		return s.LookupFingerprint(q.print, dst)
	case q.addr.IsValid():
		return [...]func(netip.Addr, []set.Match) []set.Match{s.LookupAddr, s.LookupClient, s.LookupServerAddr}[q.trigger](q.addr, dst)
	case q.trigger == set.Server:
		return s.LookupServer(q.name, dst)
	}
	return s.Lookup(q.name, dst)
}

// covers says whether e covers q, and how far above it lies.
func (q question) covers(e set.Entry) (depth int, ok bool) {
	switch {
	case q.print != "":
		return 0, e.Fingerprint == q.print
	case q.url != "":
		return aboveURL(e.URL, q.url), e.URL != "" && coversURL(e.URL, q.url)
	case e.Trigger != q.trigger:
		return 0, false
	case q.addr.IsValid():
		return q.addr.BitLen() - e.Prefix.Bits(), e.Prefix.IsValid() && e.Prefix.Contains(q.addr)
	}
	return q.name.Labels() - e.Name.Labels(), !e.Name.IsZero() && reaches(e, q.name)
}

func coversURL(entry, url string) bool {
	path, _, _ := strings.Cut(url, "?")
	switch {
	case url == entry:
		return true
	case strings.Contains(entry, "?"):
		return false
	case strings.HasSuffix(entry, "/"):
		return strings.HasPrefix(path, entry)
	}
	return path == entry || strings.HasPrefix(path, entry+"/")
}

// aboveURL counts the longer entries that could cover url.
func aboveURL(entry, url string) int {
	n := 0
	for end := len(entry) + 1; end <= len(url); end++ {
		if coversURL(url[:end], url) {
			n++
		}
	}
	return min(n, 255)
}

// linear answers q as "depth list entry" per line, sorted. Even lists may allow, those of number 0 and 1 modulo 4 may rewrite.
func linear(lists [][]set.Entry, q question) string {
	var out []string
	for l, entries := range lists {
		gone := map[set.Entry]bool{} // cancelled, or seen
		for _, e := range entries {
			if e.Line = 0; e.Cancel {
				e.Cancel = false
				gone[e] = true
			}
		}
		for _, e := range entries {
			bare := e
			bare.Line = 0
			allows := e.Exception || e.Reply == set.ReplyTCPOnly
			if e.Cancel || gone[bare] || allows && l%2 != 0 || e.Reply == set.ReplyData && l%4 > 1 {
				continue
			}
			gone[bare] = true
			if depth, ok := q.covers(e); ok {
				out = append(out, fmt.Sprintf("%03d l%d %+v", depth, l, e))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// answer says the same of a Set, and checks what a Match says against its entry.
func answer(t *testing.T, s *set.Set, q question) string {
	t.Helper()
	ms := q.ask(s, nil)
	if !slices.IsSortedFunc(ms, func(x, y set.Match) int { return int(x.Depth) - int(y.Depth) }) {
		t.Fatalf("%+v: order: %v", q, ms)
	}
	var out []string
	for _, m := range ms {
		e := s.Entry(m)
		extra := e.Reply != set.ReplyPolicy || e.Types != "" || e.Trigger != set.Target
		if m.Exception != e.Exception || m.Important != e.Important || m.Extra != extra || m.IsAddr() != e.Prefix.IsValid() {
			t.Fatalf("%+v of %+v", m, e)
		}
		out = append(out, fmt.Sprintf("%03d %s %+v", m.Depth, s.List(m.List).Name, e))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// generator makes entries and questions of few parts, so that they meet.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) addr() netip.Addr {
	if g.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{192, 0, byte(g.IntN(2)), byte(g.IntN(8))})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 15: byte(g.IntN(8)), 14: byte(g.IntN(2))})
}

func (g generator) url() string {
	var b strings.Builder
	b.WriteString(g.one("a.b", "b", "b:80", "a.b:8443"))
	n := 1 + g.IntN(4)
	if g.IntN(20) == 0 {
		n += 60 + g.IntN(10)
	}
	for range n {
		b.WriteByte('/')
		b.WriteString(g.one("a", "b", "ab", strings.Repeat("l", 20)))
	}
	if g.IntN(3) == 0 {
		b.WriteByte('/')
	}
	if g.IntN(4) == 0 {
		b.WriteString(g.one("?", "?a", "?a/b?", "?"+strings.Repeat("q/", 140)))
	}
	return b.String()
}

func (g generator) print() string {
	return g.one(strings.Repeat("a", 32), strings.Repeat("0", 32), ja3, ja4, "q"+ja4[1:])
}

func (g generator) entry(line int) set.Entry {
	e := set.Entry{Line: uint32(line), Important: g.IntN(4) == 0, Cancel: g.IntN(8) == 0, Exception: g.IntN(4) == 0}
	switch g.IntN(6) {
	case 0:
		e.URL = g.url()
		return e
	case 1:
		e.Fingerprint = g.print()
		return e
	case 2, 3:
		a := g.addr()
		e.Prefix = netip.PrefixFrom(a, a.BitLen()-g.IntN(a.BitLen()+1)).Masked()
		e.Trigger = set.Trigger(g.IntN(3))
	default:
		e.Name, e.Scope, e.Trigger = randomName(g.Rand), set.Scope(g.IntN(3)), set.Trigger(2*g.IntN(2))
	}
	if g.IntN(2) == 0 && !e.Exception {
		if e.Reply = set.Reply(g.IntN(6)); e.Reply == set.ReplyData {
			e.Data = g.one("A 192.0.2.1", "CNAME *.w.example.", `TXT "a"`, "TXT "+strings.Repeat("x", 300))
		}
	}
	if g.IntN(3) == 0 {
		e.Types = set.NewTypes(g.IntN(2) == 0, uint16(g.IntN(3)), uint16(g.IntN(70000)))
	}
	return e
}

func (g generator) lists() [][]set.Entry {
	out := make([][]set.Entry, 1+g.IntN(6))
	for i := range out {
		for line := range g.IntN(80) {
			out[i] = append(out[i], g.entry(line+1))
		}
	}
	return out
}

func (g generator) question() question {
	switch g.IntN(4) {
	case 0:
		return question{url: g.url()}
	case 1:
		return question{print: g.print()}
	case 2:
		return question{addr: g.addr(), trigger: set.Trigger(g.IntN(3))}
	}
	return question{name: randomName(g.Rand), trigger: set.Trigger(2 * g.IntN(2))}
}

// FuzzLinear: of every kind and trigger, a Set says what the linear reference says, as built and as saved and opened.
func FuzzLinear(f *testing.F) {
	for i := range uint64(40) {
		f.Add(i, i)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		g := generator{rand.New(rand.NewPCG(a, b))}
		lists := g.lists()
		built := build(t, lists...)
		opened := reopened(t, built)
		defer opened.Close()
		if built.Holds() != opened.Holds() {
			t.Fatalf("holds %b, opened %b", built.Holds(), opened.Holds())
		}
		for range 60 {
			q := g.question()
			want := linear(lists, q)
			for what, s := range map[string]*set.Set{"built": built, "opened": opened} {
				if got := answer(t, s, q); got != want {
					t.Fatalf("%s: %+v of %+v:\n got %s\nwant %s", what, q, lists, got, want)
				}
			}
		}
	})
}

// TestEntryText: what a hit shows tells entries apart, of every kind.
func TestEntryText(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(5, 5))}
	seen := map[string]set.Entry{}
	for range 100_000 {
		e := g.entry(0)
		text := e.String()
		if was, ok := seen[text]; ok && was != e {
			t.Fatalf("%s: %+v and %+v", text, was, e)
		}
		seen[text] = e
	}
}
