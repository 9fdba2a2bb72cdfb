package reputation_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/memory"
	"weir/internal/reputation"
	"weir/internal/reputation/lookalike"
	"weir/internal/verdict"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func name(s string) hostname.Name { return hostname.MustParse(s) }

// book knows some names for some days.
func book(t *testing.T, known map[string]time.Duration) *reputation.Book {
	t.Helper()
	m := memory.New(memory.MinNames, [2]uint64{1, 2})
	for key, age := range known {
		m.Note(key, now.Add(-age))
	}
	return reputation.New(reputation.Config{
		Memory: m, UnknownFor: day, SuspectFor: 30 * day, Suffixes: []hostname.Name{name("top"), name("risky.example")},
		Internal:   []hostname.Name{name("corp.example")},
		Lookalikes: lookalike.New(append(reputation.Popular(), lookalike.Popular{Name: name("mybank.example"), Protected: true})),
	})
}

// TestClasses: of several classes the worst counts, lists of known names acquit, and only of what they name.
func TestClasses(t *testing.T) {
	t.Parallel()
	b := book(t, map[string]time.Duration{
		"old.test": 3 * day, "young.test": time.Hour, "rnybank.example": 40 * day, "rnicrosoft.com": 2 * day, "old.top": 90 * day,
		"gcs/oldbucket": 3 * day,
	})
	for _, c := range []struct {
		what  string
		ask   reputation.Question
		class verdict.Class
		kind  verdict.Ground
		of    string
		fresh bool
	}{
		{"never seen", reputation.Question{Name: name("www.new.test")}, verdict.ClassUnknown, verdict.GroundNew, "", true},
		{"seen an hour ago", reputation.Question{Name: name("young.test")}, verdict.ClassUnknown, verdict.GroundNew, "", true},
		{"seen for days, by its domain", reputation.Question{Name: name("a.b.old.test")}, verdict.ClassKnown, verdict.GroundSeen, "", false},
		{"on a list of known names", reputation.Question{Name: name("new.test"), Known: true}, verdict.ClassKnown, verdict.GroundNone, "", false},
		{"risky suffix", reputation.Question{Name: name("new.top")}, verdict.ClassUntrusted, verdict.GroundSuffix, "top", true},
		{"risky suffix, known for long", reputation.Question{Name: name("old.top")}, verdict.ClassUntrusted, verdict.GroundSuffix, "top", false},
		{"risky suffix, on a list of known names", reputation.Question{Name: name("good.top"), Known: true}, verdict.ClassKnown, verdict.GroundNone, "", false},
		{"below a risky domain", reputation.Question{Name: name("x.risky.example")}, verdict.ClassUntrusted, verdict.GroundSuffix, "risky.example", true},
		{"the suffix itself", reputation.Question{Name: name("top")}, verdict.ClassUnknown, verdict.GroundNew, "", true},
		{"look-alike of a popular name", reputation.Question{Name: name("rnicrosoft.com")}, verdict.ClassUntrusted, verdict.GroundLookalike, "microsoft.com", false},
		{"look-alike that is popular", reputation.Question{Name: name("rnicrosoft.com"), Known: true}, verdict.ClassKnown, verdict.GroundNone, "", false},
		{"look-alike that is known for long", reputation.Question{Name: name("rnybank.example")}, verdict.ClassKnown, verdict.GroundSeen, "", false},
		{"own zone", reputation.Question{Name: name("host.corp.example")}, verdict.ClassUnknown, verdict.GroundInternal, "corp.example", false},
		{"tenant by name", reputation.Question{Name: name("mine.github.io")}, verdict.ClassShared, verdict.GroundTenant, "github-pages", true},
		{"popular parent does not lift its tenant", reputation.Question{Name: name("mine.github.io"), Known: true, Depth: 1}, verdict.ClassShared, verdict.GroundTenant, "github-pages", true},
		{"popular tenant", reputation.Question{Name: name("www.mine.github.io"), Known: true, Depth: 1}, verdict.ClassKnown, verdict.GroundNone, "", false},
		{"tenant by path, new", reputation.Question{Name: name("storage.googleapis.com"), URL: "https://storage.googleapis.com/newbucket/x"}, verdict.ClassShared, verdict.GroundTenant, "gcs", true},
		{"tenant by path, known", reputation.Question{Name: name("storage.googleapis.com"), URL: "https://storage.googleapis.com/oldbucket/x"}, verdict.ClassShared, verdict.GroundTenant, "gcs", false},
		{"list of shared services", reputation.Question{Name: name("me.paste.test"), Shared: true, Depth: 1}, verdict.ClassShared, verdict.GroundTenant, "paste.test", true},
	} {
		c.ask.Now = now
		got := b.Judge(c.ask)
		if got.Class != c.class || got.Grounds.Kind != c.kind || got.Grounds.Of != c.of || got.Fresh != c.fresh {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
	var none *reputation.Book
	if none.Judge(reputation.Question{Name: name("x.test")}).Class != verdict.ClassUnknown {
		t.Error("no Book knows nothing")
	}
	if _, locked := none.Locked(reputation.Door{Name: name("x.test")}); locked {
		t.Error("no Book locks nothing")
	}
}

// watched is a Book with a lock, its memory and what the lock learns.
func watched(t *testing.T, until time.Time) (*reputation.Book, *memory.Memory, *memory.Names) {
	t.Helper()
	clients, err := identity.NewTable([]identity.Group{{Name: "servers", Networks: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	servers, _ := clients.Number("servers")
	m, names := memory.New(memory.MinNames, [2]uint64{1, 2}), memory.NewNames(filepath.Join(t.TempDir(), "servers.txt"))
	t.Cleanup(func() { _ = names.Close() })
	return reputation.New(reputation.Config{
		Memory: m, UnknownFor: day, Clients: clients, Internal: []hostname.Name{name("corp.example")},
		Locks: []reputation.Lock{{Name: "servers", Groups: servers, Until: until, Names: names}},
	}), m, names
}

// TestObserver: what passed and was answered is remembered by registrable domain or tenant, and learnt for the clients of the lock.
func TestObserver(t *testing.T) {
	t.Parallel()
	b, m, learnt := watched(t, now.Add(time.Hour))
	o := reputation.NewObserver(slog.New(slog.DiscardHandler))
	tx := func(target, client string) *inspect.Transaction {
		return &inspect.Transaction{
			Now: now, Target: hostname.Authority{Name: name(target)}, Verdict: verdict.Verdict{Action: verdict.Allow}, Answered: true,
			Flow: &inspect.Flow{Client: identity.Client{Addr: netip.MustParseAddr(client)}},
		}
	}
	o.Observe(tx("early.test", "10.2.0.1")) // before there is a Book
	o.Swap(b)
	passed := tx("www.passed.test", "10.2.0.1")
	passed.Names = []hostname.Name{name("edge.cdn.test")}
	blocked, unanswered, byPath, own := tx("blocked.test", "10.2.0.1"), tx("unanswered.test", "10.2.0.1"), tx("storage.googleapis.com", "10.2.0.1"), tx("x.corp.example", "10.2.0.1")
	blocked.Verdict.Action, unanswered.Answered, byPath.Request.URL = verdict.Block, false, "https://storage.googleapis.com/bucket/key?q"
	literal := tx("x.test", "10.2.0.1")
	literal.Target = hostname.Authority{Addr: netip.MustParseAddr("::ffff:192.0.2.1")}
	missing, gone, page, odd := tx("storage.googleapis.com", "10.2.0.1"), tx("future.github.io", "10.2.0.1"), tx("www.missing.test", "10.2.0.1"), tx("storage.googleapis.com", "10.2.0.1")
	missing.Request.URL, odd.Request.URL = "https://storage.googleapis.com/future/key", "https://storage.googleapis.com/"
	missing.Response.Status, gone.Response.Status, page.Response.Status = 404, 410, 404
	for _, x := range []*inspect.Transaction{passed, blocked, unanswered, byPath, own, literal, missing, gone, page, odd, tx("elsewhere.test", "10.3.0.1")} {
		o.Observe(x)
	}
	for key, want := range map[string]bool{
		"passed.test": true, "cdn.test": true, "gcs/bucket": true, "elsewhere.test": true, "missing.test": true,
		"gcs/future": false, "github-pages/future": false, "early.test": false, "blocked.test": false, "unanswered.test": false, "googleapis.com": false, "corp.example": false,
	} {
		if _, _, ok := m.Seen(key); ok != want {
			t.Errorf("%s: remembered %v", key, ok)
		}
	}
	for key, want := range map[string]bool{
		"www.passed.test": true, "storage.googleapis.com": true, "gcs/bucket": true, "gcs/": true, "192.0.2.1": true,
		"gcs/future":  false,
		"passed.test": false, "edge.cdn.test": false, "blocked.test": false, "unanswered.test": false, "elsewhere.test": false, "x.corp.example": false,
	} {
		if ok := learnt.Has(key, hostname.Name{}); ok != want {
			t.Errorf("%s: learnt %v", key, ok)
		}
	}
}

// TestLocked: who is locked to what, and from when on.
func TestLocked(t *testing.T) {
	t.Parallel()
	b, _, learnt := watched(t, now)
	for _, key := range []string{"good.test", "storage.googleapis.com", "gcs/bucket", "192.0.2.1"} {
		if err := learnt.Add(key); err != nil {
			t.Fatal(err)
		}
	}
	servers := b.Locks()[0].Groups
	const bucket = "https://storage.googleapis.com/"
	for _, c := range []struct {
		what string
		door reputation.Door
		want bool
	}{
		{"learnt", reputation.Door{Groups: servers, Name: name("good.test")}, false},
		{"below a learnt name", reputation.Door{Groups: servers, Name: name("www.good.test")}, true},
		{"not learnt", reputation.Door{Groups: servers, Name: name("new.test")}, true},
		{"somebody else", reputation.Door{Name: name("new.test")}, false},
		{"while it learns", reputation.Door{Now: now.Add(-time.Second), Groups: servers, Name: name("new.test")}, false},
		{"own zone", reputation.Door{Groups: servers, Name: name("x.corp.example")}, false},
		{"address", reputation.Door{Groups: servers, Addr: netip.MustParseAddr("192.0.2.1")}, false},
		{"other address", reputation.Door{Groups: servers, Addr: netip.MustParseAddr("192.0.2.2")}, true},
		{"service before its path is known", reputation.Door{Groups: servers, Name: name("storage.googleapis.com")}, false},
		{"learnt bucket", reputation.Door{Groups: servers, Name: name("storage.googleapis.com"), URL: bucket + "bucket/x"}, false},
		{"other bucket", reputation.Door{Groups: servers, Name: name("storage.googleapis.com"), URL: bucket + "other/x"}, true},
		{"path that tells no bucket", reputation.Door{Groups: servers, Name: name("storage.googleapis.com"), URL: bucket + "other;x/x"}, true},
		{"no path", reputation.Door{Groups: servers, Name: name("storage.googleapis.com"), URL: bucket}, true},
		{"other bucket for lenient servers", reputation.Door{Groups: servers, Name: name("storage.googleapis.com"), URL: bucket + "bucket/x", LooseURL: bucket + "other/x"}, true},
	} {
		if c.door.Now.IsZero() {
			c.door.Now = now
		}
		if lock, ok := b.Locked(c.door); ok != c.want || ok && lock != "servers" {
			t.Errorf("%s: %v %q", c.what, ok, lock)
		}
	}
}

// TestWatch: what is live when a lock falls shut is learnt though nothing was answered yet, and what is blocked is not.
func TestWatch(t *testing.T) {
	t.Parallel()
	b, m, learnt := watched(t, now.Add(time.Hour))
	o := reputation.NewObserver(slog.New(slog.DiscardHandler))
	o.Swap(b)
	for target, action := range map[string]verdict.Action{"live.test": verdict.Allow, "cut.test": verdict.Block} {
		o.Watch(&inspect.Transaction{
			Now: now, Target: hostname.Authority{Name: name(target)}, Verdict: verdict.Verdict{Action: action},
			Flow: &inspect.Flow{Client: identity.Client{Addr: netip.MustParseAddr("10.2.0.1")}},
		})
	}
	if !learnt.Has("live.test", name("live.test")) || learnt.Has("cut.test", name("cut.test")) {
		t.Error("learnt what was cut, or not what was live")
	}
	if _, _, ok := m.Seen("live.test"); ok {
		t.Error("remembered before it was answered")
	}
}

// TestLockSpellings: no spelling of a name opens more than the name that was learnt.
func TestLockSpellings(t *testing.T) {
	t.Parallel()
	b, _, learnt := watched(t, now)
	if err := errors.Join(learnt.Add("bücher.test"), learnt.Add("xn--bcher-kva.test"), learnt.Add("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	for text, open := range map[string]bool{
		"xn--bcher-kva.test": true, "BÜCHER.test.": true, "bücher。test": true, "XN--BCHER-KVA.TEST": true, "bucher.test": false, "xbücher.test": false, "bücher.test.evil.test": false,
		"192.0.2.1": true, "3221225985": true, "0xc0.0.2.1": true, "[::ffff:192.0.2.1]": true, "192.0.2.2": false, "[::1]": false, "[2002:c000:201::]": false,
	} {
		a, err := hostname.ParseHost(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, locked := b.Locked(reputation.Door{Now: now, Groups: b.Locks()[0].Groups, Name: a.Name, Addr: a.Addr}); locked == open {
			t.Errorf("%s: locked %v", text, locked)
		}
	}
}

func TestPopular(t *testing.T) {
	t.Parallel()
	seen := map[hostname.Name]bool{}
	for _, p := range reputation.Popular() {
		if seen[p.Name] || p.Name.Registrable() != p.Name {
			t.Errorf("%s stands twice, or is no registrable domain", p.Name)
		}
		seen[p.Name] = true
	}
}

func BenchmarkJudge(b *testing.B) {
	m := memory.New(1<<16, [2]uint64{1, 2})
	m.Note("old.test", now.Add(-90*day))
	book := reputation.New(reputation.Config{Memory: m, UnknownFor: day, SuspectFor: 30 * day, Suffixes: []hostname.Name{name("top")}, Lookalikes: lookalike.New(reputation.Popular())})
	for what, q := range map[string]reputation.Question{
		"old": {Now: now, Name: name("www.old.test")}, "new": {Now: now, Name: name("www.somebody.example")}, "tenant": {Now: now, Name: name("mine.github.io")},
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				book.Judge(q)
			}
		})
	}
}

// TestLockTellsCustomersApart: what a lock learnt of a shared service opens neither another customer nor a path that tells none.
func TestLockTellsCustomersApart(t *testing.T) {
	t.Parallel()
	const doubles = "https://drive.google.com/uc?id=a&id=b"
	learning, _, learnt := watched(t, now.Add(time.Hour))
	o := reputation.NewObserver(slog.New(slog.DiscardHandler))
	o.Swap(learning)
	door := func(link string) reputation.Door {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		return reputation.Door{Now: now.Add(2 * time.Hour), Groups: learning.Locks()[0].Groups, Name: name(u.Host), URL: link}
	}
	good := []string{
		"https://gitlab.com/api/v4/projects/good%2Frepo/x", "https://github.com/good/repo/x", "https://storage.googleapis.com/goodbucket/x", "https://api.telegram.org/bot111:AAA/x",
		"https://api.github.com/repos/good/repo", "https://api.github.com/", "https://cdn.jsdelivr.net/gh/good/repo@1/x", "https://github.com/favicon.ico", doubles,
	}
	for _, link := range good {
		d := door(link)
		o.Observe(&inspect.Transaction{
			Now: now, Target: hostname.Authority{Name: d.Name}, Verdict: verdict.Verdict{Action: verdict.Allow}, Answered: true, Request: inspect.Head{URL: link},
			Flow: &inspect.Flow{Client: identity.Client{Addr: netip.MustParseAddr("10.2.0.1")}},
		})
	}
	again := memory.NewNames(learnt.Path()) // as the next start reads it
	r, err := again.Read()
	if err != nil || len(r.Problems) > 0 {
		t.Fatal(err, r.Problems)
	}
	r.Commit()
	locked := reputation.New(reputation.Config{Locks: []reputation.Lock{{Name: "servers", Until: now, Names: again}}})
	for _, link := range good {
		if _, shut := locked.Locked(door(link)); shut {
			t.Errorf("learnt, and blocked: %s", link)
		}
	}
	for _, link := range []string{
		"https://gitlab.com/api/v4/projects/evil%2Frepo/x", "https://github.com/evil/re%20po", "https://storage.googleapis.com/evil%20/y", "https://storage.googleapis.com/goodbucket%00evil/y",
		"https://api.telegram.org/bot222%20:BBB/x", "https://api.telegram.org/bot+222:BBB/x", "https://api.telegram.org/bot" + strings.Repeat("0", 130) + "222:BBB/x",
		"https://api.github.com/gists/x", "https://api.github.com/repositories/12345", "https://cdn.jsdelivr.net/combine/gh/evil/x", "https://storage.googleapis.com/", "https://github.com/evil", doubles + "&x",
	} {
		if _, shut := locked.Locked(door(link)); !shut {
			t.Errorf("passed: %s", link)
		}
	}
}
