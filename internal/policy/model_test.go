package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// The model says in the plainest way what lists decide: every entry is held against the subject, one condition after the other,
// without index, weights or shortcuts. TestModel compares it with the Snapshot on many small random worlds.

// modelList is a list and what stands on it.
type modelList struct {
	blocklists.List
	number  int
	entries []blocklists.Entry
}

// hit is an entry that covers the subject. rank is the kind of trigger (0 client, 1 name or URL, 2 address), far how far it lies
// above the subject.
type hit struct {
	*modelList
	entry     blocklists.Entry
	rank, far int
}

// lessThan orders hits of one list and rank by nearness.
func (h hit) lessThan(o hit) bool {
	if h.far != o.far {
		return h.far < o.far
	}
	tight := map[blocklists.Scope]int{blocklists.Exact: 0, blocklists.Suffix: 1, blocklists.Below: 2}
	return tight[h.entry.Scope] < tight[o.entry.Scope]
}

func covers(e blocklists.Entry, q *policy.Subject) (rank, far int, ok bool) {
	switch {
	case e.Trigger == set.Client:
		return 0, e.Prefix.Addr().BitLen() - e.Prefix.Bits(), e.Prefix.Contains(q.Client.Addr)
	case e.Trigger == set.Server:
		return 0, 0, false
	case e.Prefix.IsValid():
		return 2, e.Prefix.Addr().BitLen() - e.Prefix.Bits(), q.Addr.IsValid() && e.Prefix.Contains(q.Addr)
	case e.URL != "":
		_, key, _ := strings.Cut(q.URL, "://")
		rest, below := strings.CutPrefix(key, e.URL)
		return 1, len(rest), q.URL != "" && below && (rest == "" ||
			!strings.Contains(e.URL, "?") && (strings.HasSuffix(e.URL, "/") || rest[0] == '/' || rest[0] == '?'))
	}
	name, of := q.Name.String(), e.Name.String()
	above, below := strings.CutSuffix(name, "."+of)
	far = strings.Count(above, ".") + 1
	switch e.Scope {
	case blocklists.Exact:
		return 1, 0, name == of
	case blocklists.Below:
		return 1, far, below
	}
	if name == of {
		return 1, 0, true
	}
	return 1, far, below
}

// heard returns the hits that count.
func heard(lists []*modelList, q *policy.Subject, groups map[string]identity.Groups) (out []hit) {
	for _, l := range lists {
		var all []hit
		speaks := len(l.Groups) == 0
		for _, g := range l.Groups {
			speaks = speaks || q.Client.Groups&groups[g] != 0
		}
		for _, e := range l.entries {
			rank, far, ok := covers(e, q)
			switch {
			case !ok || !speaks:
			case e.Trigger == set.Client && !e.Exception && !l.GrantClients:
			case (e.Exception || e.Reply == set.ReplyTCPOnly) && !l.GrantAllow, e.Reply == set.ReplyData && !l.GrantRewrite:
			case e.Types != "" && (q.Protocol != inspect.DNS || !e.Types.Has(q.QType)):
			default:
				all = append(all, hit{l, e, rank, far})
			}
		}
		if l.Nearest {
			best := 3
			for _, h := range all {
				best = min(best, h.rank)
			}
			all = slices.DeleteFunc(all, func(h hit) bool { return h.rank != best })
			all = slices.DeleteFunc(slices.Clone(all), func(h hit) bool { return slices.ContainsFunc(all, func(o hit) bool { return o.lessThan(h) }) })
		}
		stream := q.Stream || q.Protocol != inspect.DNS
		out = append(out, slices.DeleteFunc(all, func(h hit) bool { return stream && h.entry.Reply == set.ReplyTCPOnly })...)
	}
	return out
}

// permits says whether e lets through what m stops.
func permits(e, m hit) bool {
	allows := e.Action == blocklists.ActionAllow
	switch {
	case m.entry.Exception || m.Action == blocklists.ActionAllow: // stops nothing
		return false
	case !e.entry.Exception && !allows:
		return false
	case e.Shadow && !m.Shadow:
		return false
	case e.Priority != m.Priority:
		return e.Priority > m.Priority
	}
	return !m.entry.Important || e.entry.Important || allows && !e.entry.Exception
}

// outcome is what lists do about a subject.
type outcome struct {
	action   verdict.Action
	observed bool
	cause    verdict.Cause
	class    verdict.Class
	by       []hit // any of these may be named; none: nothing spoke
	beaten   bool  // something that counts would have spoken, but for an exception
}

var modelClasses = map[blocklists.Class]verdict.Class{
	blocklists.ClassBad: verdict.ClassBad, blocklists.ClassUntrusted: verdict.ClassUntrusted, blocklists.ClassShared: verdict.ClassShared,
	blocklists.ClassKnown: verdict.ClassKnown,
}

// says is what one list does by itself.
func (l *modelList) says(reputation map[verdict.Class]verdict.Action) verdict.Action {
	switch l.Action {
	case blocklists.ActionBlock:
		return verdict.Block
	case blocklists.ActionLog:
		return verdict.Log
	case blocklists.ActionAllow:
		return verdict.Allow
	}
	return reputation[modelClasses[l.Class]]
}

// standing are the hits of lists that count, or of those on trial, that nothing beats.
func standing(all []hit, shadow bool) (out []hit) {
	for _, m := range all {
		if !m.entry.Exception && m.Shadow == shadow && !slices.ContainsFunc(all, func(e hit) bool { return permits(e, m) }) {
			out = append(out, m)
		}
	}
	return out
}

// foremost keeps the hits that go before the others: those that stop; else those that allow; else those of lists that go by their
// class; else those of lists that log. Of these the worst class (a list that blocks as a whole is worse than any), then the highest
// priority.
func foremost(all []hit, reputation map[verdict.Class]verdict.Action) []hit {
	key := func(h hit) [3]int {
		class := int(modelClasses[h.Class])
		switch {
		case h.Action == blocklists.ActionBlock:
			return [3]int{0, 0, -h.Priority}
		case h.says(reputation) == verdict.Block:
			return [3]int{0, class, -h.Priority}
		case h.Action == blocklists.ActionAllow:
			return [3]int{1, 0, -h.Priority}
		case h.Action == blocklists.ActionByClass:
			return [3]int{2, class, -h.Priority}
		}
		return [3]int{3, class, -h.Priority}
	}
	var best []hit
	for _, h := range all {
		if len(best) > 0 {
			if c := slices.Compare(sliceOf(key(h)), sliceOf(key(best[0]))); c > 0 {
				continue
			} else if c < 0 {
				best = nil
			}
		}
		best = append(best, h)
	}
	return best
}

func sliceOf(k [3]int) []int { return k[:] }

// modelDecide says what must come out when no rule speaks and the default allows.
func modelDecide(all []hit, reputation map[verdict.Class]verdict.Action) outcome {
	o := outcome{action: verdict.Allow, cause: verdict.CauseDefault, class: verdict.ClassUnknown}
	real, trial := standing(all, false), standing(all, true)
	for _, m := range all {
		o.beaten = o.beaten || !m.entry.Exception && !m.Shadow && slices.ContainsFunc(all, func(e hit) bool { return permits(e, m) })
	}
	best := foremost(real, reputation)
	if len(best) > 0 {
		o.class = modelClasses[best[0].Class]
	}
	var logs []outcome // what was heard, in order
	if t := foremost(trial, reputation); len(t) > 0 && t[0].says(reputation) != verdict.Allow {
		logs = append(logs, outcome{verdict.Log, t[0].says(reputation) == verdict.Block, causeOf(t[0]), modelClasses[t[0].Class], t, o.beaten})
	}
	if len(best) > 0 {
		says := best[0].says(reputation)
		own := outcome{says, false, causeOf(best[0]), o.class, best, o.beaten}
		if l := foremost(slices.DeleteFunc(slices.Clone(real), func(h hit) bool { return h.Action != blocklists.ActionLog }), reputation); len(l) > 0 && best[0].Action != blocklists.ActionLog {
			logs = append(logs, outcome{verdict.Log, false, verdict.CauseList, modelClasses[l[0].Class], l, o.beaten})
		}
		switch {
		case says == verdict.Block:
			return own
		case says == verdict.Log:
			logs = append(logs, own)
		case best[0].Action == blocklists.ActionAllow:
			o = own
		}
	}
	for _, l := range logs {
		if o.action == verdict.Allow || l.observed && !o.observed {
			o = l
		}
	}
	return o
}

func causeOf(h hit) verdict.Cause {
	if h.Action == blocklists.ActionByClass {
		return verdict.CauseReputation
	}
	return verdict.CauseList
}

// modelWorld makes random lists over few names, so that they meet.
func modelWorld(r *rand.Rand) []*modelList {
	var out []*modelList
	for i := range 1 + r.IntN(5) {
		l := &modelList{number: i, List: blocklists.List{
			Name: fmt.Sprint("list", i), Class: blocklists.Class(r.IntN(4)), Priority: r.IntN(3) - 1, Shadow: r.IntN(4) == 0,
			Nearest: r.IntN(3) == 0, GrantAllow: r.IntN(3) > 0, GrantRewrite: r.IntN(2) == 0, GrantClients: r.IntN(4) > 0,
		}}
		if r.IntN(2) == 0 {
			l.Action = blocklists.Action(r.IntN(4))
			l.GrantAllow = l.GrantAllow || l.Action == blocklists.ActionAllow
		}
		if r.IntN(3) == 0 {
			l.Groups = []string{[]string{"lab", "kids"}[r.IntN(2)]}
		}
		seen := map[blocklists.Entry]bool{}
		for n := range 1 + r.IntN(6) {
			e := modelEntry(r)
			if e.URL != "" && l.Nearest {
				continue // no format with such lists has URLs
			}
			same := blocklists.Entry{Name: e.Name, Prefix: e.Prefix, URL: e.URL, Trigger: e.Trigger, Scope: e.Scope}
			if e.Line = uint32(n + 1); !seen[same] {
				l.entries = append(l.entries, e)
			}
			seen[same] = true
		}
		out = append(out, l)
	}
	return out
}

var modelNames = []string{"test", "a.test", "b.a.test", "c.b.a.test", "d.test"}

func modelEntry(r *rand.Rand) (e blocklists.Entry) {
	e.Exception, e.Important = r.IntN(4) == 0, r.IntN(5) == 0
	switch r.IntN(8) {
	case 0:
		e.Prefix, e.Trigger = netip.PrefixFrom(netip.MustParseAddr("10.1.2.3"), 8*(1+r.IntN(4))).Masked(), set.Client
	case 1:
		e.Prefix = netip.PrefixFrom(netip.MustParseAddr("9.9.9.9"), 8*(1+r.IntN(4))).Masked()
	case 2:
		e.URL = modelNames[1+r.IntN(3)] + []string{"/", "/x", "/x/", "/x/y", "/x?q=1"}[r.IntN(5)]
		return e
	default:
		e.Name = hostname.MustParse(modelNames[r.IntN(len(modelNames))])
		e.Scope = blocklists.Scope(r.IntN(3))
	}
	if !e.Exception && r.IntN(3) == 0 {
		e.Reply = set.Reply(r.IntN(6))
		if e.Reply == set.ReplyData {
			e.Data = "A 192.0.2.1"
		}
	}
	if r.IntN(4) == 0 {
		e.Types = set.NewTypes(r.IntN(2) == 0, uint16(1+27*r.IntN(2)))
	}
	return e
}

func modelSubject(r *rand.Rand) policy.Subject {
	q := policy.Subject{
		Now: now, Place: verdict.PlaceQuery, Spoken: &policy.Spoken{}, Name: hostname.MustParse(modelNames[r.IntN(len(modelNames))]),
		Client:   identity.Client{Addr: netip.MustParseAddr([]string{"10.1.2.3", "10.1.9.9", "10.9.9.9"}[r.IntN(3)]), Served: true, Groups: identity.Groups(r.IntN(4))},
		Protocol: inspect.DNS, QType: []uint16{1, 28, 16}[r.IntN(3)], Stream: r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		q.Protocol, q.QType, q.Place, q.Stream = inspect.HTTP, 0, verdict.PlaceURL, true
		q.URL = "http://" + q.Name.String() + []string{"/", "/x", "/x/", "/x/y", "/x?q=1", "/xy", "/x/y/z?q=1"}[r.IntN(7)]
	}
	if r.IntN(6) == 0 {
		q.Name, q.Addr, q.Literal = hostname.Name{}, netip.MustParseAddr([]string{"9.9.9.9", "9.9.1.1", "8.8.8.8"}[r.IntN(3)]), false
		q.URL = strings.ReplaceAll(q.URL, "test", "invalid")
	}
	return q
}

// TestModel holds the Snapshot against the model.
func TestModel(t *testing.T) {
	t.Parallel()
	clients, err := identity.NewTable([]identity.Group{{Name: "lab"}, {Name: "kids"}}, prefixes("10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]identity.Groups{}
	for _, name := range []string{"lab", "kids"} {
		groups[name], _ = clients.Number(name)
	}
	seen := map[string]int{}
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		world := modelWorld(r)
		b := blocklists.NewBuilder()
		for _, l := range world {
			n, err := b.AddList(l.List)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range l.entries {
				if err := b.Add(n, e); err != nil {
					t.Fatalf("%v: %v", e, err)
				}
			}
		}
		cfg := config(t)
		cfg.Clients = clients
		for c := verdict.ClassBad; c <= verdict.ClassKnown; c++ {
			cfg.Reputation[c] = verdict.Allow
		}
		cfg.Reputation[verdict.ClassBad] = verdict.Block
		cfg.Reputation[verdict.ClassUntrusted] = verdict.Action(r.IntN(3))
		cfg.Reputation[verdict.ClassShared] = verdict.Action(r.IntN(3))
		s := compile(t, cfg, b.Build())
		for range 8 {
			q := modelSubject(r)
			want := modelDecide(heard(world, &q, groups), cfg.Reputation)
			var tr verdict.Trace
			got := s.Admit(&q, &tr).Verdict
			if problem := differs(s, got, want, &tr); problem != "" {
				t.Fatalf("seed %d: %s\n%v %v %q groups %v type %d stream %v\ngot  %+v %+v\nwant %+v\n%s", seed, problem, q.Name, q.Addr, q.URL,
					q.Client.Groups, q.QType, q.Stream, got, s.Explain(got), want, describe(world))
			}
			seen[fmt.Sprint(want.action, want.observed, want.cause)]++
			if want.beaten {
				seen["beaten"]++
			}
		}
	}
	for _, kind := range []string{
		"block false list", "block false reputation", "log false list", "log true list", "log true reputation", "log false reputation",
		"allow false list", "allow false default", "beaten",
	} {
		if seen[strings.ReplaceAll(kind, " ", " ")] < 50 {
			t.Errorf("%q came %d times only: %v", kind, seen[kind], seen)
		}
	}
}

func differs(s *policy.Snapshot, got verdict.Verdict, want outcome, tr *verdict.Trace) string {
	if got.Action != want.action || got.Observed != want.observed || got.Cause != want.cause || len(want.by) == 0 && got.Class != want.class {
		return "another verdict"
	}
	about := s.Explain(got)
	named := len(want.by) == 0 && about.List == ""
	answered := false
	for _, h := range want.by {
		if h.Name == about.List && h.entry.String() == about.ListEntry && h.entry.Line == about.ListLine {
			named, answered = got.Class == modelClasses[h.Class], got.Action != verdict.Block || answerOf(h.entry) == got.Answer.Kind
		}
	}
	if !named || len(want.by) > 0 && !answered {
		return "another entry or answer"
	}
	over := false
	for _, step := range tr.Steps {
		over = over || step.Over.List != 0
	}
	if over != want.beaten {
		return "the trace does not tell of exceptions"
	}
	return ""
}

func answerOf(e blocklists.Entry) verdict.AnswerKind {
	kinds := map[set.Reply]verdict.AnswerKind{
		set.ReplyNXDOMAIN: verdict.AnswerNXDOMAIN, set.ReplyNoData: verdict.AnswerNoData, set.ReplyDrop: verdict.AnswerDrop,
		set.ReplyTCPOnly: verdict.AnswerTruncate, set.ReplyData: verdict.AnswerData,
	}
	k := kinds[e.Reply]
	if e.Types != "" && k <= verdict.AnswerNXDOMAIN {
		return verdict.AnswerNoData
	}
	return k
}

func describe(world []*modelList) string {
	var b strings.Builder
	for _, l := range world {
		fmt.Fprintf(&b, "%+v\n", l.List)
		for _, e := range l.entries {
			fmt.Fprintf(&b, "   %v %+v\n", e, e)
		}
	}
	return b.String()
}
