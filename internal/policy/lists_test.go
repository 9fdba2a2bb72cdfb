package policy_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

// stocked is a list and its entries.
type stocked struct {
	blocklists.List
	entries []blocklists.Entry
}

func stock(t testing.TB, all ...stocked) *blocklists.Set {
	t.Helper()
	b := blocklists.NewBuilder()
	for _, l := range all {
		n, err := b.AddList(l.List)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range l.entries {
			e.Line = uint32(i + 1)
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Build()
}

func name(text string) blocklists.Entry { return blocklists.Entry{Name: hostname.MustParse(text)} }
func exactly(text string) blocklists.Entry {
	return blocklists.Entry{Name: hostname.MustParse(text), Scope: blocklists.Exact}
}

func network(text string) blocklists.Entry {
	return blocklists.Entry{Prefix: netip.MustParsePrefix(text)}
}
func link(text string) blocklists.Entry { return blocklists.Entry{URL: text} }
func but(e blocklists.Entry) blocklists.Entry {
	e.Exception = true
	return e
}

func replies(e blocklists.Entry, r set.Reply, data string) blocklists.Entry {
	e.Reply, e.Data = r, data
	return e
}

func triggered(e blocklists.Entry, by set.Trigger) blocklists.Entry {
	e.Trigger = by
	return e
}

func entries(all ...blocklists.Entry) []blocklists.Entry { return all }

// asking is a DNS query as the gate brings it.
func asking(text string, qtype uint16) policy.Subject {
	q := dns(subject(text), qtype)
	q.Place, q.Spoken = verdict.PlaceQuery, &policy.Spoken{}
	return q
}

// TestPriorities: an exception beats blocks of its own and lower priorities, and the trace says which entry beat which.
func TestPriorities(t *testing.T) {
	t.Parallel()
	set := stock(t,
		stocked{blocklists.List{Name: "low", Priority: -10}, entries(name("low.test"), name("both.test"), name("deaf.test"))},
		stocked{blocklists.List{Name: "mid", GrantAllow: true}, entries(but(exactly("ok.low.test")), but(name("high.test")), but(name("hard.test")), name("both.test"))},
		stocked{blocklists.List{Name: "high", Priority: 10}, entries(name("high.test"), name("vip.high.test"), blocklists.Entry{Name: hostname.MustParse("hard.low.test"), Important: true})},
		stocked{blocklists.List{Name: "ungranted", Priority: 100}, entries(but(name("deaf.test")))},
		stocked{blocklists.List{Name: "allow", Action: blocklists.ActionAllow, GrantAllow: true, Priority: 5}, entries(name("both.test"), name("high.test"))},
		stocked{blocklists.List{Name: "lab", Groups: []string{"lab"}, GrantAllow: true}, entries(but(name("low.test")))},
		stocked{blocklists.List{Name: "hard", Priority: -1}, entries(blocklists.Entry{Name: hostname.MustParse("hard.test"), Important: true})},
	)
	s := compile(t, config(t), set)
	for _, c := range []struct {
		q        policy.Subject
		blockedB string // by this list; "": not
		over     string
	}{
		{subject("low.test"), "low", ""},
		{subject("ok.low.test"), "", "@@|ok.low.test^ of mid over ||low.test^ of low"},
		{subject("x.ok.low.test"), "low", ""}, // the exception is for the name alone
		{lab(subject("low.test")), "", "@@||low.test^ of lab over ||low.test^ of low"},
		{lab(subject("hard.low.test")), "high", "@@||low.test^ of lab over ||low.test^ of low"}, // which is still told
		{subject("high.test"), "high", ""},                                                      // above both who let through
		{subject("vip.high.test"), "high", ""},
		{subject("both.test"), "", "||both.test^ of allow over ||both.test^ of low; ||both.test^ of allow over ||both.test^ of mid"},
		{subject("deaf.test"), "low", ""}, // the exception has no grant
		{subject("hard.test"), "", "@@||hard.test^ of mid over ||hard.test^$important of hard"},
	} {
		var tr verdict.Trace
		a := s.Admit(&c.q, &tr)
		list := s.Explain(a.Verdict).List
		if a.Blocks() != (c.blockedB != "") || c.blockedB != "" && list != c.blockedB {
			t.Errorf("%v: %v by %q, want by %q", c.q.Name, a.Action, list, c.blockedB)
		}
		if got := overs(s, &tr); got != c.over {
			t.Errorf("%v: the trace says %q, want %q", c.q.Name, got, c.over)
		}
	}
}

// overs says what a trace tells about exceptions.
func overs(s *policy.Snapshot, tr *verdict.Trace) string {
	var out []string
	for _, step := range tr.Steps {
		if step.Over.List != 0 {
			by, over := s.Explain(step.Verdict), s.Explain(verdict.Verdict{Ref: step.Over})
			out = append(out, fmt.Sprintf("%s of %s over %s of %s", by.ListEntry, by.List, over.ListEntry, over.List))
		}
	}
	return strings.Join(out, "; ")
}

// TestTrialsChangeNothing: a list that is only tried out is heard, counted, and weakens no other.
func TestTrialsChangeNothing(t *testing.T) {
	t.Parallel()
	shadow := func(name string, class blocklists.Class, action blocklists.Action) blocklists.List {
		return blocklists.List{Name: name, Class: class, Action: action, Shadow: true, GrantAllow: true, Priority: 50, Category: "trial"}
	}
	set := stock(t,
		stocked{shadow("block", blocklists.ClassKnown, blocklists.ActionBlock), entries(name("a.test"), name("real.test"))},
		stocked{shadow("bad", blocklists.ClassBad, 0), entries(name("b.test"), name("real.test"), but(name("pardon.test")))},
		stocked{shadow("untrusted", blocklists.ClassUntrusted, 0), entries(name("c.test"))},
		stocked{shadow("known", blocklists.ClassKnown, 0), entries(name("known.test"), name("real.test"))},
		stocked{shadow("allow", blocklists.ClassKnown, blocklists.ActionAllow), entries(name("real.test"), name("quiet.test"))},
		stocked{blocklists.List{Name: "real"}, entries(name("real.test"), name("pardon.test"))},
		stocked{blocklists.List{Name: "logs", Action: blocklists.ActionLog, Priority: 60}, entries(name("real.test"), name("l.test"))},
	)
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Name: "by-category", Categories: []string{"trial"}, Names: []string{"rule.c.test"}, Action: policy.RuleBlock},
		{Name: "allow", Lists: []string{"bad"}, Names: []string{"real.test"}, Action: policy.RuleAllow},
	}
	cfg.Tally = &policy.Tally{}
	s := compile(t, cfg, set)
	for _, c := range []struct {
		name     string
		action   verdict.Action
		observed bool
		by       string
	}{
		{"a.test", verdict.Log, true, "block"},
		{"b.test", verdict.Log, true, "bad"},
		{"c.test", verdict.Log, false, "untrusted"},
		{"rule.c.test", verdict.Log, true, "untrusted"}, // the rule blocks, were the list not on trial
		{"known.test", verdict.Allow, false, ""},
		{"quiet.test", verdict.Allow, false, ""},
		{"real.test", verdict.Block, false, "real"},   // in spite of the rule that allows what a list on trial holds
		{"pardon.test", verdict.Block, false, "real"}, // in spite of the exception
		{"l.test", verdict.Log, false, "logs"},
	} {
		q := subject(c.name)
		var tr verdict.Trace
		a := s.Admit(&q, &tr)
		if got := s.Explain(a.Verdict).List; a.Action != c.action || a.Observed != c.observed || got != c.by {
			t.Errorf("%s: %v observed %v by %q (%+v)", c.name, a.Action, a.Observed, got, tr.Steps)
		}
		s.Count(&tr)
	}
	for list, want := range map[string][2]uint64{"block": {1, 1}, "bad": {1, 1}, "untrusted": {2, 1}, "known": {0, 0}, "real": {2, 0}, "logs": {2, 0}} {
		got := cfg.Tally.List(list)
		if got.Hits.Load() != want[0] || got.Would.Load() != want[1] {
			t.Errorf("%s: %d hits, %d would have blocked, want %v", list, got.Hits.Load(), got.Would.Load(), want)
		}
	}
}

// TestManyLists: what the 40th list says counts as much as what the first says.
func TestManyLists(t *testing.T) {
	t.Parallel()
	var all []stocked
	for i := range 40 {
		l := blocklists.List{Name: fmt.Sprint("known", i), Class: blocklists.ClassKnown, Shadow: i%5 == 0}
		if i%3 == 0 {
			l.Action = blocklists.ActionLog
		}
		all = append(all, stocked{l, entries(name("x.test"), exactly("x.test"), name("test"))})
	}
	q := subject("x.test")
	if a := compile(t, config(t), stock(t, all...)).Admit(&q, nil); a.Blocks() {
		t.Fatalf("%+v", a)
	}
	all = append(all, stocked{blocklists.List{Name: "bad"}, entries(name("test"))})
	s := compile(t, config(t), stock(t, all...))
	if a := s.Admit(&q, nil); !a.Blocks() || s.Explain(a.Verdict).List != "bad" {
		t.Errorf("a block behind 160 other matches: %+v", a)
	}
	all = append(all, stocked{blocklists.List{Name: "ok", GrantAllow: true}, entries(but(name("test")))})
	s = compile(t, config(t), stock(t, all...))
	if a := s.Admit(&q, nil); a.Blocks() {
		t.Errorf("an exception behind 161 other matches: %+v", a)
	}
}

// TestListedURLsAreNotEvaded: no spelling of a listed URL that a server could read as such gets past the list; what is another
// resource does.
func TestListedURLsAreNotEvaded(t *testing.T) {
	t.Parallel()
	set := stock(t,
		stocked{blocklists.List{Name: "urls", Category: "malware"}, entries(link("x.test/bad/file.exe"), link("x.test/dir/"), link("x.test:8080/q?id=1"))},
		stocked{blocklists.List{Name: "pardons", GrantAllow: true}, entries(but(link("x.test/dir/fine/")))},
	)
	cfg := config(t)
	cfg.PlainPorts = []uint16{80, 8080, 443}
	s := compile(t, cfg, set)
	for _, c := range []struct {
		url     string
		blocked bool
	}{
		{"http://x.test/bad/file.exe", true},
		{"https://x.test/bad/file.exe", true},
		{"http://X.TEST/bad/file.exe", true},
		{"HTTP://x.test:80/bad/file.exe", true},
		{"https://x.test:443/bad/file.exe", true},
		{"ws://x.test/bad/file.exe", true},
		{"http://x.test./bad/file.exe", true},
		{"http://x.test/bad/file.exe?x=1", true},
		{"http://x.test/bad/file.exe#top", true},
		{"http://x.test//bad///file.exe", true},
		{"http://x.test/./bad/../bad/file.exe", true},
		{"http://x.test/a/%2e%2e/bad/file.exe", true},
		{"http://x.test/b%61d/fil%65.exe", true},
		{"http://x.test/b%2561d/file.exe", true},
		{"http://x.test/bad%2ffile.exe", true},
		{"http://x.test/bad%5cfile.exe", true},
		{"http://x.test/bad;v=1/file.exe;x", true},
		{"http://x.test/a/..;/bad/file.exe", true},
		{"http://x.test/dir/below/it", true},
		{"http://x.test/dir/fine/it", false},
		{"http://x.test/dir/fine/..%2fevil", true}, // the exception holds for one reading alone
		{"http://x.test/dir/fine/..;/evil", true},
		{"http://x.test/bad/file.exe2", false},
		{"http://x.test/bad", false},
		{"http://y.test/bad/file.exe", false},
		{"http://x.test:8080/q?id=1", true},
		{"http://x.test:8080/q?id=2", false},
		{"http://x.test:8080/bad/file.exe", false}, // another server
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		scheme := strings.ToLower(u.Scheme)
		target, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(scheme))
		if err != nil {
			t.Fatal(err)
		}
		q := subject(target.Name.String())
		q.Place, q.URL, q.LooseURL = verdict.PlaceURL, weburl.Canonical(scheme, target, u), weburl.Loose(scheme, target, u)
		var tr verdict.Trace
		if a := s.Admit(&q, &tr); a.Blocks() != c.blocked {
			t.Errorf("%s (%s, %s): %+v", c.url, q.URL, q.LooseURL, a)
		}
		q.URL, q.LooseURL = "", ""
		if a := s.Admit(&q, nil); a.Blocks() || a.Class != verdict.ClassUnknown {
			t.Errorf("the host of %s has the class of the URL: %+v", c.url, a)
		}
	}
}

// TestFingerprints: a fingerprint speaks about the connection alone, to lists and to rules that ask for lists.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	const ja3, ja4 = "e7d705a3286e19ea42f587b344ee6865", "t13d1516h2_8daaf6152771_b186095e22b6"
	set := stock(t,
		stocked{blocklists.List{Name: "ja3", Category: "c2"}, entries(blocklists.Entry{Fingerprint: ja3})},
		stocked{blocklists.List{Name: "ja4", Class: blocklists.ClassUntrusted}, entries(blocklists.Entry{Fingerprint: ja4})},
		stocked{blocklists.List{Name: "names"}, entries(name("evil.test"))},
	)
	plain := config(t)
	rules := config(t)
	rules.Rules = []policy.Rule{
		{Name: "everything", Names: []string{".other.test"}, Action: policy.RuleBlock},
		{Name: "may", Lists: []string{"ja3"}, Names: []string{"may.test"}, Action: policy.RuleAllow},
		{Name: "classes", Classes: []verdict.Class{verdict.ClassUntrusted}, Action: policy.RuleBlock},
		{Name: "unknown", Classes: []verdict.Class{verdict.ClassUnknown}, Action: policy.RuleBlock},
		{Name: "names", Names: []string{"allowed.test"}, Action: policy.RuleAllow},
	}
	for _, c := range []struct {
		what      string
		cfg       policy.Config
		host      string
		ja3, ja4  string
		allowedBy uint16
		ok        bool
		action    verdict.Action
		by        string
	}{
		{"JA3", plain, "x.test", ja3, "-", 0, true, verdict.Block, "ja3"},
		{"JA4 of a class that is logged", plain, "x.test", "-", ja4, 0, true, verdict.Log, "ja4"},
		{"both", plain, "x.test", ja3, ja4, 0, true, verdict.Block, "ja3"},
		{"none", plain, "x.test", "-", "-", 0, false, 0, ""},
		{"no hello", plain, "x.test", "", "", 0, false, 0, ""},
		{"a listed name is judged elsewhere", plain, "evil.test", "-", "-", 0, false, 0, ""},
		{"rule for this host", rules, "may.test", ja3, "-", 0, true, verdict.Allow, "may"},
		{"rule about the class", rules, "x.test", "-", ja4, 0, true, verdict.Block, "classes"},
		{"rules about other things are silent", rules, "other.test", "-", "-", 0, false, 0, ""},
		{"a name that a rule allowed", rules, "allowed.test", ja3, "-", 5, false, 0, ""},
		{"but for rules before it", rules, "allowed.test", "-", ja4, 5, true, verdict.Block, "classes"},
	} {
		s := compile(t, c.cfg, set)
		q := subject(c.host)
		q.Protocol, q.Place, q.JA3, q.JA4, q.AllowedBy = inspect.Tunnel, verdict.PlaceTunnel, c.ja3, c.ja4, c.allowedBy
		var tr verdict.Trace
		v, ok := s.AdmitHello(&q, &tr)
		about := s.Explain(v)
		if ok != c.ok || ok && (v.Action != c.action || about.List != c.by && about.Rule != c.by) {
			t.Errorf("%s: %v %+v %+v", c.what, ok, v, about)
		}
		if ok && (len(tr.Steps) == 0 || !strings.Contains(tr.Steps[0].Subject, c.ja3)) {
			t.Errorf("%s: trace %+v", c.what, tr.Steps)
		}
	}
}

// TestNearestWithin: of what one policy zone says, only the best entry counts: client before name before address before the name of a
// server before its address, exact before wildcard, longest first; other lists speak all the same.
func TestNearestWithin(t *testing.T) {
	t.Parallel()
	zone := func(name string) blocklists.List {
		return blocklists.List{Name: name, Nearest: true, GrantAllow: true, GrantRewrite: true, GrantClients: true}
	}
	set := stock(t,
		stocked{zone("zone"), entries(
			triggered(but(network("10.5.0.0/16")), set.Client), triggered(network("10.6.0.0/16"), set.Client),
			triggered(but(network("10.6.6.6/32")), set.Client),
			blocklists.Entry{Name: hostname.MustParse("wild.test"), Scope: blocklists.Below}, but(exactly("ok.wild.test")), exactly("deep.ok.wild.test"),
			but(exactly("passed.test")), exactly("blocked.test"), replies(exactly("tcp.test"), set.ReplyTCPOnly, ""), name("tcp.test"),
			network("9.9.0.0/16"), but(network("9.9.9.0/24")), network("9.9.9.9/32"),
			triggered(name("ns.test"), set.Server), triggered(but(exactly("good.ns.test")), set.Server), triggered(network("8.8.0.0/16"), set.Server),
		)},
		stocked{blocklists.List{Name: "other", Class: blocklists.ClassUntrusted, Action: blocklists.ActionBlock, Priority: 1}, entries(exactly("ok.wild.test"))},
	)
	s := compile(t, config(t), set)
	type step struct {
		kind, subject string
		list          string // that blocks; "": nothing does
	}
	for _, c := range []struct {
		name, client string
		stream       bool
		steps        []step
	}{
		{"wildcard", "10.0.0.9", false, []step{{"name", "x.wild.test", "zone"}}},
		{"exact before wildcard", "10.0.0.9", false, []step{{"name", "deep.ok.wild.test", "zone"}}},
		{"an exception is no suffix", "10.0.0.9", false, []step{{"name", "x.ok.wild.test", "zone"}}},
		{"another list of a higher priority", "10.0.0.9", false, []step{{"name", "ok.wild.test", "other"}}},
		{"a passed name passes its addresses and servers", "10.0.0.9", false, []step{
			{"name", "passed.test", ""}, {"address", "9.9.9.9", ""}, {"server", "x.ns.test", ""}, {"server", "8.8.8.8", ""},
		}},
		{"and what it is an alias of, as a rule does", "10.0.0.9", false, []step{{"name", "passed.test", ""}, {"cname", "blocked.test", ""}}},
		{"but not in other lists", "10.0.0.9", false, []step{{"name", "passed.test", ""}, {"cname", "ok.wild.test", "other"}}},
		{"and not another name", "10.0.0.9", false, []step{{"name", "passed.test", ""}, {"name", "blocked.test", "zone"}}},
		{"a passed address passes no name", "10.0.0.9", false, []step{{"address", "9.9.9.1", ""}, {"cname", "blocked.test", "zone"}}},
		{"a passed client passes all", "10.5.0.1", false, []step{
			{"name", "blocked.test", ""}, {"cname", "blocked.test", ""}, {"address", "9.9.9.9", ""}, {"server", "x.ns.test", ""},
		}},
		{"a client is blocked before its name is passed", "10.6.0.1", false, []step{{"name", "passed.test", "zone"}}},
		{"longest client first", "10.6.6.6", false, []step{{"name", "blocked.test", ""}}},
		{"longest prefix first", "10.0.0.9", false, []step{{"name", "fine.test", ""}, {"address", "9.9.1.1", "zone"}}},
		{"longest prefix passes", "10.0.0.9", false, []step{
			{"name", "fine.test", ""}, {"address", "9.9.9.1", ""}, {"address", "9.9.9.9", "zone"},
		}},
		{"a passed address passes the servers", "10.0.0.9", false, []step{{"address", "9.9.9.1", ""}, {"server", "x.ns.test", ""}}},
		{"server", "10.0.0.9", false, []step{{"name", "fine.test", ""}, {"server", "x.ns.test", "zone"}}},
		{"server's address", "10.0.0.9", false, []step{{"name", "fine.test", ""}, {"server", "8.8.8.8", "zone"}}},
		{"a passed server passes the addresses of servers", "10.0.0.9", false, []step{{"server", "good.ns.test", ""}, {"server", "8.8.8.8", ""}}},
		{"a name of a server is nothing to those who ask for it", "10.0.0.9", false, []step{{"name", "x.ns.test", ""}, {"address", "8.8.8.8", ""}}},
		{"over UDP only truncated", "10.0.0.9", false, []step{{"name", "tcp.test", "zone"}}},
		{"over TCP passed, and with it the address", "10.0.0.9", true, []step{{"name", "tcp.test", ""}, {"address", "9.9.9.9", ""}}},
		{"exact beside a suffix", "10.0.0.9", true, []step{{"name", "x.tcp.test", "zone"}}},
	} {
		memory := &policy.Spoken{}
		for _, st := range c.steps {
			q := asking("fine.test", 1)
			q.Client.Addr, q.Stream, q.Spoken = netip.MustParseAddr(c.client), c.stream, memory
			v := take(s, &q, st.kind, st.subject)
			if got := s.Explain(v).List; v.Blocks() != (st.list != "") || v.Blocks() && got != st.list {
				t.Errorf("%s: %s %s: %v by %q, want %q", c.name, st.kind, st.subject, v.Action, got, st.list)
			}
		}
	}
}

// take judges a subject as the gate would.
func take(s *policy.Snapshot, q *policy.Subject, kind, text string) verdict.Verdict {
	allowed := verdict.Verdict{Action: verdict.Allow}
	switch kind {
	case "address":
		q.Place, q.Addr = verdict.PlaceAnswer, netip.MustParseAddr(text)
		return s.AdmitAddress(q, nil)
	case "server":
		q.Place, q.Name = verdict.PlaceServer, hostname.Name{}
		if a, err := netip.ParseAddr(text); err == nil {
			q.Addr = a
		} else {
			q.Name = hostname.MustParse(text)
		}
		if v, ok := s.AdmitServer(q, nil); ok {
			return v
		}
		return allowed
	case "cname":
		q.Place = verdict.PlaceCNAME
	}
	q.Name = hostname.MustParse(text)
	return s.Admit(q, nil).Verdict
}

// TestTypesOfEntries: an entry about some types speaks of DNS questions of these types alone, and denies no other type.
func TestTypesOfEntries(t *testing.T) {
	t.Parallel()
	typed := func(e blocklists.Entry, except bool, types ...uint16) blocklists.Entry {
		e.Types = set.NewTypes(except, types...)
		return e
	}
	refused := verdict.Answer{Kind: verdict.AnswerRefused}
	lists := stock(t,
		stocked{blocklists.List{Name: "l", GrantAllow: true}, entries(typed(name("v6.test"), false, 28), typed(name("notv4.test"), true, 1),
			name("all.test"), typed(but(name("all.test")), false, 1), typed(replies(name("nx.test"), set.ReplyNXDOMAIN, ""), false, 28))})
	for _, c := range []struct {
		name    string
		qtype   uint16 // 0: HTTP
		answer  verdict.Answer
		blocked bool
		want    verdict.AnswerKind
	}{
		{"v6.test", 28, verdict.Answer{}, true, verdict.AnswerNoData},
		{"x.v6.test", 28, verdict.Answer{Kind: verdict.AnswerNXDOMAIN}, true, verdict.AnswerNoData},
		{"v6.test", 28, refused, true, verdict.AnswerRefused},
		{"v6.test", 1, verdict.Answer{}, false, 0},
		{"v6.test", 0, verdict.Answer{}, false, 0},
		{"notv4.test", 16, verdict.Answer{}, true, verdict.AnswerNoData},
		{"notv4.test", 1, verdict.Answer{}, false, 0},
		{"notv4.test", 0, verdict.Answer{}, false, 0},
		{"all.test", 28, verdict.Answer{}, true, verdict.AnswerPage},
		{"all.test", 1, verdict.Answer{}, false, 0},
		{"all.test", 0, verdict.Answer{}, true, verdict.AnswerPage},
		{"nx.test", 28, verdict.Answer{}, true, verdict.AnswerNoData},
	} {
		cfg := config(t)
		cfg.Answer = c.answer
		s := compile(t, cfg, lists)
		q := asking(c.name, c.qtype)
		if c.qtype == 0 {
			q.Protocol, q.Place = inspect.HTTP, verdict.PlaceURL
		}
		if a := s.Admit(&q, nil); a.Blocks() != c.blocked || c.blocked && a.Answer.Kind != c.want {
			t.Errorf("%s type %d: %+v", c.name, c.qtype, a)
		}
	}
}

// TestReplies: an entry's own reply goes before the policy's, a rule's own before both; the records of an answer come whole.
func TestReplies(t *testing.T) {
	t.Parallel()
	walled := blocklists.Entry{Name: hostname.MustParse("x.test"), Scope: blocklists.Below, Reply: set.ReplyData, Data: "CNAME *.walled.test."}
	lists := stock(t,
		stocked{blocklists.List{Name: "zone", Nearest: true, GrantAllow: true, GrantRewrite: true, GrantClients: true}, entries(
			replies(exactly("x.test"), set.ReplyData, "A 192.0.2.1"), replies(exactly("x.test"), set.ReplyData, "A 192.0.2.2"),
			replies(exactly("x.test"), set.ReplyData, `TXT "why"`), walled, replies(exactly("nx.test"), set.ReplyNXDOMAIN, ""),
			replies(exactly("nodata.test"), set.ReplyNoData, ""), replies(exactly("drop.test"), set.ReplyDrop, ""),
			replies(exactly("tcp.test"), set.ReplyTCPOnly, ""), exactly("plain.test"),
			triggered(replies(network("10.7.0.0/16"), set.ReplyData, "A 192.0.2.7"), set.Client), replies(network("9.9.9.0/24"), set.ReplyData, "A 192.0.2.9"),
			triggered(replies(exactly("ns.test"), set.ReplyData, "A 192.0.2.53"), set.Server),
			triggered(replies(network("8.8.8.8/32"), set.ReplyData, "AAAA 2001:db8::8"), set.Server))},
		stocked{blocklists.List{Name: "refused"}, entries(replies(exactly("ungranted.test"), set.ReplyData, "A 192.0.2.66"), replies(exactly("ungranted.test"), set.ReplyTCPOnly, ""))},
	)
	cfg := config(t)
	null := verdict.Answer{Kind: verdict.AnswerNull}
	cfg.Answer = verdict.Answer{Kind: verdict.AnswerRefused}
	cfg.Rules = []policy.Rule{
		{Name: "own", Lists: []string{"zone"}, Names: []string{"nodata.test"}, Groups: []string{"lab"}, Action: policy.RuleBlock, Answer: &null},
		{Name: "entry's", Lists: []string{"zone"}, Names: []string{"drop.test"}, Groups: []string{"lab"}, Action: policy.RuleBlock},
		{Name: "policy's", Names: []string{"nx.test"}, Groups: []string{"lab"}, Action: policy.RuleBlock},
	}
	s := compile(t, cfg, lists)
	for _, c := range []struct {
		kind, subject string
		client        string
		lab           bool
		want          verdict.AnswerKind
		records       []string
	}{
		{"name", "x.test", "", false, verdict.AnswerData, []string{"A 192.0.2.1", "A 192.0.2.2", `TXT "why"`}},
		{"name", "a.x.test", "", false, verdict.AnswerData, []string{"CNAME *.walled.test."}},
		{"cname", "a.b.x.test", "", false, verdict.AnswerData, []string{"CNAME *.walled.test."}},
		{"name", "nx.test", "", false, verdict.AnswerNXDOMAIN, nil},
		{"name", "nodata.test", "", false, verdict.AnswerNoData, nil},
		{"name", "drop.test", "", false, verdict.AnswerDrop, nil},
		{"name", "tcp.test", "", false, verdict.AnswerTruncate, nil},
		{"name", "plain.test", "", false, verdict.AnswerRefused, nil},
		{"name", "x.test", "10.7.0.1", false, verdict.AnswerData, []string{"A 192.0.2.7"}},
		{"address", "9.9.9.9", "", false, verdict.AnswerData, []string{"A 192.0.2.9"}},
		{"server", "ns.test", "", false, verdict.AnswerData, []string{"A 192.0.2.53"}},
		{"server", "8.8.8.8", "", false, verdict.AnswerData, []string{"AAAA 2001:db8::8"}},
		{"name", "nodata.test", "", true, verdict.AnswerNull, nil},
		{"name", "drop.test", "", true, verdict.AnswerDrop, nil},
		{"name", "nx.test", "", true, verdict.AnswerRefused, nil},
	} {
		q := asking("fine.test", 1)
		if c.client != "" {
			q.Client.Addr = netip.MustParseAddr(c.client)
		}
		if c.lab {
			q = lab(q)
		}
		v := take(s, &q, c.kind, c.subject)
		if !v.Blocks() || v.Answer.Kind != c.want || !slices.Equal(s.Records(v), c.records) {
			t.Errorf("%s %s for %q: %+v %q", c.kind, c.subject, c.client, v, s.Records(v))
		}
	}
	q := asking("ungranted.test", 1)
	if a := s.Admit(&q, nil); a.Blocks() {
		t.Errorf("what was refused for want of a grant speaks: %+v", a)
	}
	if names, addrs := s.ServerTriggers(); !names || !addrs {
		t.Error("nobody would look for name servers")
	}
	if names, addrs := compile(t, cfg, stock(t, stocked{blocklists.List{Name: "zone"}, entries(exactly("x.test"), network("9.9.9.9/32"))})).ServerTriggers(); names || addrs {
		t.Error("name servers would be looked for in vain")
	}
}

// TestOwnExceptionsAreNoPart: what a list takes back is not on it, for rules that ask for the list as well.
func TestOwnExceptionsAreNoPart(t *testing.T) {
	t.Parallel()
	lists := stock(t, stocked{blocklists.List{Name: "l", Class: blocklists.ClassShared, GrantAllow: true}, entries(name("x.test"), but(name("ok.x.test")))},
		stocked{blocklists.List{Name: "o", GrantAllow: true, Priority: 9}, entries(but(name("y.x.test")))})
	cfg := config(t)
	cfg.Rules = []policy.Rule{{Name: "r", Lists: []string{"l"}, Action: policy.RuleBlock}}
	s := compile(t, cfg, lists)
	for text, blocked := range map[string]bool{"x.test": true, "ok.x.test": false, "y.x.test": true} {
		q := subject(text)
		if a := s.Admit(&q, nil); a.Blocks() != blocked {
			t.Errorf("%s: %+v", text, a)
		}
	}
}

func TestNilSnapshotBlocksWhatStandsBeside(t *testing.T) {
	t.Parallel()
	var s *policy.Snapshot
	q := subject("x.test")
	if v, ok := s.AdmitHello(&q, nil); !ok || !v.Blocks() {
		t.Error("hello")
	}
	if v, ok := s.AdmitServer(&q, nil); !ok || !v.Blocks() {
		t.Error("server")
	}
	if names, addrs := s.ServerTriggers(); names || addrs || s.Records(verdict.Verdict{Answer: verdict.Answer{Kind: verdict.AnswerData}}) != nil {
		t.Error("triggers or records")
	}
	s.Count(&verdict.Trace{})
}

// TestAdmitAllocatesNothingBesideOtherKinds: lists of URLs, fingerprints and triggers cost those who meet none of them nothing, nor does
// a plain hit.
func TestAdmitAllocatesNothingBesideOtherKinds(t *testing.T) {
	lists := stock(t,
		stocked{blocklists.List{Name: "bad", Priority: 3}, entries(name("evil.test"), link("x.test/a"), blocklists.Entry{Fingerprint: "e7d705a3286e19ea42f587b344ee6865"})},
		stocked{blocklists.List{Name: "zone", Nearest: true, GrantAllow: true, GrantClients: true}, entries(name("other.test"), triggered(network("10.99.0.0/16"), set.Client), triggered(name("ns.test"), set.Server))})
	s := compile(t, config(t), lists)
	miss, hit, nearest := asking("a.b.c.fine.test", 1), asking("a.evil.test", 1), asking("a.other.test", 1)
	miss.URL, miss.LooseURL = "http://a.b.c.fine.test/x/y", "http://a.b.c.fine.test/x"
	hello, server := subject("fine.test"), subject("ns.fine.test")
	hello.JA3, hello.JA4 = strings.Repeat("a", 32), "t13d1516h2_8daaf6152771_b186095e22b6"
	s.Admit(&nearest, nil)
	for what, f := range map[string]func(){
		"miss": func() { s.Admit(&miss, nil) }, "hit": func() { s.Admit(&hit, nil) }, "nearest": func() { s.Admit(&nearest, nil) },
		"hello": func() { s.AdmitHello(&hello, nil) }, "server": func() { s.AdmitServer(&server, nil) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
