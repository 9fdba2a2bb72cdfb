package policy_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"weir/blocklists"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

type listed struct {
	blocklists.List
	names []string
}

func lists(t *testing.T, all ...listed) *blocklists.Set {
	t.Helper()
	b := blocklists.NewBuilder()
	for _, l := range all {
		n, err := b.AddList(l.List)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range l.names {
			e := blocklists.Entry{Line: uint32(i + 1)}
			text, e.Exception = strings.CutPrefix(text, "@@")
			if p, err := netip.ParsePrefix(text); err == nil {
				e.Prefix = p
			} else {
				e.Name = hostname.MustParse(text)
			}
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Build()
}

func config(t *testing.T) policy.Config {
	t.Helper()
	clients, err := identity.NewTable([]identity.Group{{Name: "lab", Networks: prefixes("10.1.0.0/16")}}, prefixes("10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	return policy.Config{
		Clients: clients, ConnectPorts: []uint16{443}, PlainPorts: []uint16{80}, Default: verdict.Allow,
		Reputation: map[verdict.Class]verdict.Action{verdict.ClassBad: verdict.Block, verdict.ClassUntrusted: verdict.Log},
		Detectors: []inspect.Info{
			{Name: "eicar", Severity: inspect.Critical, Default: verdict.Block},
			{Name: "odd", Severity: inspect.Low, Default: verdict.Log},
			{Name: "syntax", Safety: verdict.SafetyFraming},
		},
	}
}

func compile(t *testing.T, cfg policy.Config, set *blocklists.Set) *policy.Snapshot {
	t.Helper()
	s, err := policy.Compile(cfg, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOrderOfDecisions(t *testing.T) {
	t.Parallel()
	set := lists(t,
		listed{blocklists.List{Name: "bad", Category: "malware"}, []string{"evil.test", "both.test", "203.0.113.0/24"}},
		listed{blocklists.List{Name: "dyn", Class: blocklists.ClassUntrusted}, []string{"dyn.test"}},
		listed{blocklists.List{Name: "vip", Class: blocklists.ClassKnown, Action: blocklists.ActionAllow, GrantAllow: true}, []string{"both.test"}},
		listed{blocklists.List{Name: "excepted", GrantAllow: true}, []string{"ads.test", "@@ok.ads.test"}},
		listed{blocklists.List{Name: "labonly", Groups: []string{"lab"}}, []string{"games.test"}},
		listed{blocklists.List{Name: "nobody", Groups: []string{"gone"}}, []string{"nobody.test"}},
	)
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Name: "log-evil", Names: []string{".evil.test"}, Action: policy.RuleLog},
		{Name: "allow-sub", Names: []string{"fine.evil.test"}, Action: policy.RuleAllow},
		{Name: "below", Names: []string{"*.below.test"}, Action: policy.RuleBlock},
		{Name: "expired", Names: []string{"late.evil.test"}, Action: policy.RuleAllow, Until: now},
		{Name: "lab-block", Groups: []string{"lab"}, Names: []string{"lab.test"}, Action: policy.RuleBlock},
		{Name: "dns-txt", QTypes: []uint16{16}, Action: policy.RuleBlock},
		{Name: "cat", Categories: []string{"malware"}, Names: []string{"cat.evil.test"}, Action: policy.RuleAllow},
		{Name: "post", URLs: []string{"http://up.test/put/*"}, Methods: []string{"POST"}, Action: policy.RuleBlock},
		{Name: "observed", Names: []string{"watch.test"}, Action: policy.RuleBlock, Observe: true},
		{Name: "log-only", Names: []string{"log.test"}, Action: policy.RuleLog},
		{Name: "splice", Names: []string{"bank.test"}, Action: policy.RuleSplice},
	}
	s := compile(t, cfg, set)
	for _, c := range []struct {
		name   string
		q      policy.Subject
		action verdict.Action
		cause  verdict.Cause
		ref    string
	}{
		{"listed name", subject("evil.test"), verdict.Block, verdict.CauseReputation, "bad"},
		{"name below a listed one", subject("a.b.evil.test"), verdict.Block, verdict.CauseReputation, "bad"},
		{"rule before list", subject("fine.evil.test"), verdict.Allow, verdict.CauseRule, "allow-sub"},
		{"expired allow", subject("late.evil.test"), verdict.Block, verdict.CauseReputation, "bad"},
		{"allow by category", subject("cat.evil.test"), verdict.Allow, verdict.CauseRule, "cat"},
		{"wildcard does not hold for itself", subject("below.test"), verdict.Allow, verdict.CauseDefault, ""},
		{"wildcard", subject("x.below.test"), verdict.Block, verdict.CauseRule, "below"},
		{"list that allows", subject("both.test"), verdict.Allow, verdict.CauseList, "vip"},
		{"exception in a list", subject("ok.ads.test"), verdict.Allow, verdict.CauseDefault, ""},
		{"beside the exception", subject("x.ads.test"), verdict.Block, verdict.CauseReputation, "excepted"},
		{"untrusted logs", subject("x.dyn.test"), verdict.Log, verdict.CauseReputation, "dyn"},
		{"group rule for others", subject("lab.test"), verdict.Allow, verdict.CauseDefault, ""},
		{"group rule", lab(subject("lab.test")), verdict.Block, verdict.CauseRule, "lab-block"},
		{"group list for others", subject("games.test"), verdict.Allow, verdict.CauseDefault, ""},
		{"group list", lab(subject("games.test")), verdict.Block, verdict.CauseReputation, "labonly"},
		{"list of a group that is gone", lab(subject("nobody.test")), verdict.Allow, verdict.CauseDefault, ""},
		{"query type only in DNS", subject("t.test"), verdict.Allow, verdict.CauseDefault, ""},
		{"query type", dns(subject("t.test"), 16), verdict.Block, verdict.CauseRule, "dns-txt"},
		{"URL not known yet", post(subject("up.test"), ""), verdict.Allow, verdict.CauseDefault, ""},
		{"URL and method", post(subject("up.test"), "http://up.test/put/x"), verdict.Block, verdict.CauseRule, "post"},
		{"URL of another path", post(subject("up.test"), "http://up.test/get"), verdict.Allow, verdict.CauseDefault, ""},
		{"observed rule", subject("watch.test"), verdict.Log, verdict.CauseRule, "observed"},
		{"log rule", subject("log.test"), verdict.Log, verdict.CauseRule, "log-only"},
		{"literal address", literal("198.51.100.1"), verdict.Log, verdict.CauseReputation, ""},
		{"listed literal address", literal("203.0.113.9"), verdict.Block, verdict.CauseReputation, "bad"},
		{"listed literal address, v4-mapped", literal("::ffff:203.0.113.9"), verdict.Block, verdict.CauseReputation, "bad"},
	} {
		var tr verdict.Trace
		a := s.Admit(&c.q, &tr)
		r := s.Explain(a.Verdict)
		if a.Action != c.action || a.Cause != c.cause || c.ref != "" && r.Rule != c.ref && r.List != c.ref {
			t.Errorf("%s: %v by %v (%+v), want %v by %v %s", c.name, a.Action, a.Cause, r, c.action, c.cause, c.ref)
		}
		if len(tr.Steps) == 0 {
			t.Errorf("%s: nothing in the trace", c.name)
		}
		if r.Sentence == "" {
			t.Errorf("%s: no sentence", c.name)
		}
	}
	bank := subject("bank.test")
	if s.Interception(&bank) != policy.Splice {
		t.Error("splice rule does not splice")
	}
}

// TestQueryTypeRulesRefuse: NXDOMAIN for one type would deny the whole name.
func TestQueryTypeRulesRefuse(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	null := verdict.Answer{Kind: verdict.AnswerNull}
	cfg.Rules = []policy.Rule{
		{Name: "own", QTypes: []uint16{16}, Names: []string{"own.test"}, Action: policy.RuleBlock, Answer: &null},
		{Name: "txt", QTypes: []uint16{16}, Action: policy.RuleBlock},
	}
	s := compile(t, cfg, nil)
	for name, want := range map[string]verdict.AnswerKind{"own.test": verdict.AnswerNull, "x.test": verdict.AnswerRefused} {
		q := dns(subject(name), 16)
		if a := s.Admit(&q, nil); !a.Blocks() || a.Answer.Kind != want {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestLogNeverEndsAStep(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "dyn", Class: blocklists.ClassUntrusted}, []string{"dyn.test"}},
		listed{blocklists.List{Name: "logs", Action: blocklists.ActionLog}, []string{"l.test"}})
	cfg := config(t)
	cfg.Default = verdict.Block
	cfg.Rules = []policy.Rule{{Name: "log", Names: []string{"x.test"}, Action: policy.RuleLog}, {Name: "sp", Names: []string{"bank.test"}, Action: policy.RuleSplice}}
	s := compile(t, cfg, set)
	for _, name := range []string{"dyn.test", "l.test", "x.test"} {
		q := subject(name)
		if a := s.Admit(&q, nil); !a.Blocks() || a.Cause != verdict.CauseDefault {
			t.Errorf("%s: a Log ended the step: %+v", name, a)
		}
	}
	q := subject("bank.test")
	if a := s.Admit(&q, nil); a.Blocks() {
		t.Error("a splice rule lets its names through a default block")
	}
}

func TestObserveMode(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"evil.test"}})
	cfg := config(t)
	cfg.Observe, cfg.Default = true, verdict.Block
	s := compile(t, cfg, set)
	for _, name := range []string{"evil.test", "other.test"} {
		q := subject(name)
		if a := s.Admit(&q, nil); a.Action != verdict.Log || !a.Observed {
			t.Errorf("%s: %+v, want Log that would have blocked", name, a)
		}
	}
	q := subject("x.test")
	if v := s.Finding(&q, &inspect.Match{Detector: 1}, nil); v.Action != verdict.Log || !v.Observed {
		t.Errorf("finding: %+v", v)
	}
	if v := s.Finding(&q, &inspect.Match{Detector: 3}, nil); !v.Blocks() || v.Cause != verdict.CauseSafety {
		t.Errorf("safety finding in observe mode: %+v", v)
	}
	q.Addr = netip.MustParseAddr("10.0.0.1")
	if v := s.AdmitAddress(&q, nil); !v.Blocks() || v.Ref.Safety != verdict.SafetyPrivateAddress {
		t.Errorf("private address in observe mode: %+v", v)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"203.0.113.0/24"}})
	cfg := config(t)
	cfg.Internal = policy.Internal{Zones: []hostname.Name{hostname.MustParse("corp.test")}, Networks: prefixes("10.9.0.0/16", "127.0.0.2/32")}
	cfg.Rules = []policy.Rule{{Name: "net", Addresses: prefixes("198.51.100.0/24"), Action: policy.RuleBlock}}
	s := compile(t, cfg, set)
	for _, c := range []struct {
		name, addr string
		byRule     bool
		blocked    bool
	}{
		{"www.test", "192.0.2.1", false, true}, // documentation range: not public
		{"www.test", "93.184.216.34", false, false},
		{"www.test", "203.0.114.1", false, false},
		{"www.test", "198.51.101.1", false, false},
		{"www.test", "10.0.0.1", false, true},
		{"www.test", "::ffff:10.0.0.1", false, true},
		{"www.test", "64:ff9b::a00:1", false, true},
		{"www.test", "127.0.0.1", true, true},
		{"www.test", "169.254.169.254", true, true},
		{"www.test", "10.9.1.1", false, false},
		{"www.test", "127.0.0.2", false, false},
		{"a.corp.test", "10.0.0.1", false, false},
		{"a.corp.test", "127.0.0.1", false, true},
		{"a.corp.test", "169.254.169.254", false, true},
	} {
		q := subject(c.name)
		q.Addr, q.Place = netip.MustParseAddr(c.addr), verdict.PlaceDial
		if c.byRule {
			q.AllowedBy = 1
		}
		if v := s.AdmitAddress(&q, nil); v.Blocks() != c.blocked {
			t.Errorf("%s at %s: %+v, want blocked %v", c.name, c.addr, v, c.blocked)
		}
	}
}

// TestAllowCarriesToWhatTheNameLeadsTo: lists are skipped for the names and addresses behind an allowed name, but rules that stand
// before the one that allowed still speak.
func TestAllowCarriesToWhatTheNameLeadsTo(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"cdn.test", "9.9.9.0/24"}})
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Name: "never", Names: []string{".never.test"}, Action: policy.RuleBlock},
		{Name: "net", Addresses: prefixes("8.8.8.0/24"), Action: policy.RuleBlock},
		{Name: "shop", Names: []string{"shop.test"}, Action: policy.RuleAllow},
		{Name: "late", Names: []string{".late.test"}, Action: policy.RuleBlock},
		{Name: "latenet", Addresses: prefixes("8.8.4.0/24"), Action: policy.RuleBlock},
	}
	s := compile(t, cfg, set)
	shop := subject("shop.test")
	by := s.Admit(&shop, nil).AllowedBy
	if by == 0 {
		t.Fatal("the rule must allow")
	}
	for name, blocked := range map[string]bool{"cdn.test": false, "x.never.test": true, "late.test": false} {
		q := subject(name)
		q.AllowedBy = by
		if a := s.Admit(&q, nil); a.Blocks() != blocked {
			t.Errorf("%s behind shop.test: %+v", name, a)
		}
	}
	for addr, blocked := range map[string]bool{"9.9.9.9": false, "8.8.8.8": true, "8.8.4.4": false, "10.0.0.1": true} {
		q := shop
		q.AllowedBy, q.Addr = by, netip.MustParseAddr(addr)
		if v := s.AdmitAddress(&q, nil); v.Blocks() != blocked {
			t.Errorf("%s behind shop.test: %+v", addr, v)
		}
	}
}

// TestObservedRuleWeakensNothing: a rule on trial never ends the search.
func TestObservedRuleWeakensNothing(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"evil.test"}})
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Name: "trial", Names: []string{".test"}, Action: policy.RuleBlock, Observe: true},
		{Name: "real", Names: []string{"real.test"}, Action: policy.RuleBlock},
	}
	s := compile(t, cfg, set)
	for name, want := range map[string]verdict.Action{"evil.test": verdict.Block, "real.test": verdict.Block, "other.test": verdict.Log} {
		q := subject(name)
		if a := s.Admit(&q, nil); a.Action != want || want == verdict.Log && !a.Observed {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestRulesAboutListsSpeakOfAddresses: where a name leads to is judged by rules that ask for lists, categories and classes too, and
// the entry cited is that of the address.
func TestRulesAboutListsSpeakOfAddresses(t *testing.T) {
	t.Parallel()
	set := lists(t,
		listed{blocklists.List{Name: "names"}, []string{"a.test", "b.test", "c.test"}},
		listed{blocklists.List{Name: "ips", Class: blocklists.ClassUntrusted, Category: "scan"}, []string{"9.9.9.0/24"}})
	for _, r := range []policy.Rule{
		{Name: "r", Lists: []string{"ips"}}, {Name: "r", Categories: []string{"scan"}}, {Name: "r", Classes: []verdict.Class{verdict.ClassUntrusted}},
	} {
		cfg := config(t)
		cfg.Rules = []policy.Rule{r, {Name: "unknown", Classes: []verdict.Class{verdict.ClassUnknown}, Names: []string{"never.test"}}}
		s := compile(t, cfg, set)
		q := subject("fine.test")
		q.Addr = netip.MustParseAddr("9.9.9.9")
		v := s.AdmitAddress(&q, nil)
		if about := s.Explain(v); !v.Blocks() || about.Rule != "r" || about.ListEntry != "9.9.9.0/24" || about.ListLine != 1 {
			t.Errorf("%+v: %+v %+v", r, v, about)
		}
		q.Addr = netip.MustParseAddr("8.8.8.8")
		if v := s.AdmitAddress(&q, nil); v.Blocks() {
			t.Errorf("%+v: an address on no list: %+v", r, v)
		}
	}
}

func TestAddressRulesSeeThroughEmbedding(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Rules = []policy.Rule{{Name: "net", Addresses: prefixes("9.9.9.0/24"), Action: policy.RuleBlock}}
	s := compile(t, cfg, nil)
	for _, addr := range []string{"9.9.9.9", "::ffff:9.9.9.9", "64:ff9b::909:909", "2002:909:909::1"} {
		q := literal(addr)
		if a := s.Admit(&q, nil); !a.Blocks() {
			t.Errorf("%s: %+v", addr, a)
		}
	}
}

// TestAllowListUnderDefaultBlock: what an allowed name leads to is not stopped by the default, but by lists and rules.
func TestAllowListUnderDefaultBlock(t *testing.T) {
	t.Parallel()
	set := lists(t, listed{blocklists.List{Name: "ok", Class: blocklists.ClassKnown, Action: blocklists.ActionAllow, GrantAllow: true}, []string{"ok.test"}},
		listed{blocklists.List{Name: "bad"}, []string{"evil.test"}})
	cfg := config(t)
	cfg.Default = verdict.Block
	s := compile(t, cfg, set)
	q := subject("ok.test")
	a := s.Admit(&q, nil)
	if a.Blocks() || !a.Vouched {
		t.Fatalf("%+v", a)
	}
	for name, blocked := range map[string]bool{"cdn.test": false, "evil.test": true} {
		q := subject(name)
		q.Vouched = a.Vouched
		if a := s.Admit(&q, nil); a.Blocks() != blocked {
			t.Errorf("%s behind ok.test: %+v", name, a)
		}
	}
}

func TestURLsThatServersReadInTwoWays(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Name: "stop", URLs: []string{"http://x.test/secret/*"}, Action: policy.RuleBlock},
		{Name: "let", URLs: []string{"http://x.test/ok/*"}, Action: policy.RuleAllow},
	}
	cfg.Default = verdict.Block
	s := compile(t, cfg, nil)
	for path, want := range map[string]string{
		"/secret/a": "stop", "/secret%2fa": "stop", "/secret%252fa": "stop", "/x/..%2fsecret/a": "stop", "/x/..;/secret/a": "stop", "/secret%5ca": "stop",
		"/ok/a": "let", "/ok/..%2fe": "", "/ok%2fa": "", "/ok/a%20b": "let",
	} {
		u, err := url.Parse("http://x.test" + path)
		if err != nil {
			t.Fatal(err)
		}
		target := hostname.Authority{Name: hostname.MustParse("x.test"), Port: 80}
		q := post(subject("x.test"), weburl.Canonical("http", target, u))
		q.LooseURL = weburl.Loose("http", target, u)
		if got := s.Explain(s.Admit(&q, nil).Verdict).Rule; got != want {
			t.Errorf("%s (%s, %s): rule %q, want %q", path, q.URL, q.LooseURL, got, want)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	high := inspect.High
	cfg.Rules = []policy.Rule{
		{Name: "lab-may", Groups: []string{"lab"}, Detectors: []string{"eicar"}, Action: policy.RuleAllow},
		{Name: "high", BySeverity: true, MinSeverity: high, Names: []string{"strict.test"}, Action: policy.RuleBlock},
	}
	cfg.Modes = map[string]verdict.Action{"odd": verdict.Block}
	s := compile(t, cfg, nil)
	for _, c := range []struct {
		name string
		q    policy.Subject
		m    inspect.Match
		want verdict.Action
	}{
		{"default of the detector", subject("x.test"), inspect.Match{Detector: 1}, verdict.Block},
		{"allowed by rule", lab(subject("x.test")), inspect.Match{Detector: 1}, verdict.Allow},
		{"mode", subject("x.test"), inspect.Match{Detector: 2}, verdict.Block},
		{"severity", subject("strict.test"), inspect.Match{Detector: 2, Severity: inspect.Critical}, verdict.Block},
		{"safety", lab(subject("x.test")), inspect.Match{Detector: 3}, verdict.Block},
		{"a number that is no detector", subject("x.test"), inspect.Match{Detector: 9}, verdict.Block},
	} {
		if v := s.Finding(&c.q, &c.m, nil); v.Action != c.want {
			t.Errorf("%s: %+v, want %v", c.name, v, c.want)
		}
	}
}

func TestCompileProblems(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Rules = []policy.Rule{
		{Where: "weir.yaml:7", Name: "a", Groups: []string{"nope"}, Lists: []string{"none"}, Detectors: []string{"zap"}, Names: []string{"a b"}},
		{Where: "weir.yaml:9", Name: "b", InspectOff: true, Action: policy.RuleBlock},
	}
	_, err := policy.Compile(cfg, nil)
	if err == nil {
		t.Fatal("must not compile")
	}
	for _, want := range []string{"weir.yaml:7", `unknown group "nope"`, `unknown list "none"`, `unknown detector "zap"`, `"a b"`, "weir.yaml:9", "inspect: off"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s:\n%v", want, err)
		}
	}
}

func TestNilSnapshotBlocks(t *testing.T) {
	t.Parallel()
	var s *policy.Snapshot
	q := subject("x.test")
	if !s.Admit(&q, nil).Blocks() || !s.AdmitAddress(&q, nil).Blocks() || !s.Finding(&q, &inspect.Match{Detector: 1}, nil).Blocks() ||
		!s.Failure(&q, inspect.Complete, nil).Blocks() || s.Port(443, true) {
		t.Error("the nil snapshot must block")
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"evil.test"}})
	s := compile(t, config(t), set)
	q := subject("a.b.c.other.test")
	if n := testing.AllocsPerRun(100, func() { s.Admit(&q, nil) }); n != 0 {
		t.Errorf("%v allocations per admission", n)
	}
}

func subject(name string) policy.Subject {
	return policy.Subject{Now: now, Client: identity.Client{Addr: netip.MustParseAddr("10.0.0.9"), Served: true}, Name: hostname.MustParse(name)}
}

func lab(q policy.Subject) policy.Subject { q.Client.Groups = 1; return q }

func dns(q policy.Subject, qtype uint16) policy.Subject {
	q.Protocol, q.QType = inspect.DNS, qtype
	return q
}

func post(q policy.Subject, u string) policy.Subject { q.Method, q.URL = "POST", u; return q }

func literal(addr string) policy.Subject {
	return policy.Subject{Now: now, Addr: netip.MustParseAddr(addr), Literal: true}
}
