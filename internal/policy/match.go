package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/blocklists"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// rule is a compiled Rule. Its sets are nil when the Rule has no such condition.
type rule struct {
	*Rule
	number    uint16
	groups    identity.Groups
	protocols uint8
	exact     map[hostname.Name]bool
	below     map[hostname.Name]scope
	lists     map[uint16]bool // lists named, and lists of the categories named
	shadows   map[uint16]bool // those of lists that are only tried out
	classes   map[verdict.Class]bool
	detectors map[uint16]bool
	hasNames  bool
	hasLists  bool
}

// ruleSets are the rules by what they speak about, each in file order. A rule may stand in several.
type ruleSets struct {
	heads    []*rule // names, addresses, requests
	address  []*rule // those of heads that can speak about the address behind a name
	listed   []*rule // those of heads that can speak about what lists hold besides names and addresses
	types    []*rule // those of heads that need a content type
	findings []*rule
	splices  []*rule
}

func (sets *ruleSets) add(r *rule) {
	switch {
	case r.Action == RuleSplice:
		sets.splices = append(sets.splices, r)
		return
	case len(r.Detectors) > 0 || r.BySeverity:
		sets.findings = append(sets.findings, r)
		return
	}
	sets.heads = append(sets.heads, r)
	if len(r.ContentTypes) > 0 {
		sets.types = append(sets.types, r)
		return
	}
	listed := r.hasLists || r.classes != nil
	if listed {
		sets.listed = append(sets.listed, r)
	}
	if listed || len(r.Addresses) > 0 {
		sets.address = append(sets.address, r)
	}
}

// scope says which of a zone's names a pattern means.
type scope uint8

const (
	scopeSuffix scope = 1 << iota // the name itself and below
	scopeBelow                    // only below
)

// heard remembers the strictest Log, the first among equals: it ends no step, but a transaction that nothing stops is recorded under it. It is kept apart
// from facts so that neither escapes to the heap.
type heard struct {
	logged  verdict.Verdict
	set     bool
	grounds verdict.Grounds // why the subject has its class, where no list says it
}

func (h *heard) log(v verdict.Verdict) {
	if !h.set || v.Stricter(h.logged) {
		h.logged, h.set = v, true
	}
}

// final returns v, or the Log that was heard before when v lets through.
func (h *heard) final(v verdict.Verdict) verdict.Verdict {
	if v.Action == verdict.Allow && h.set {
		return h.logged
	}
	return v
}

// ends says whether the rule ends its step: a rule that only observes never does, for trying a rule out must not weaken the others.
func (r *rule) ends() bool { return r.Action != RuleLog && !(r.Action == RuleBlock && r.Observe) }

// speaksBehind says whether a rule has something to say about what stands behind a target: it names addresses, or a list speaks.
func (r *rule) speaksBehind(f *facts) bool {
	return len(r.Addresses) > 0 || f.listed || f.tried && r.hasLists
}

func (r *rule) live(now time.Time) bool { return r.Until.IsZero() || now.Before(r.Until) }

// matches says whether every condition about the subject holds; conditions about findings are checked by matchesFinding.
func (r *rule) matches(q *Subject, f *facts) bool {
	return r.live(q.Now) && q.Client.Groups.Has(r.groups) && (r.protocols == 0 || r.protocols&(1<<q.Protocol) != 0) &&
		r.matchesTarget(q, f) && r.matchesRequest(q)
}

// matchesTarget checks the conditions about who is asked for.
func (r *rule) matchesTarget(q *Subject, f *facts) bool {
	return (!r.hasNames || r.matchesName(q.Name)) &&
		(!r.hasLists || r.matchesLists(f)) &&
		(r.classes == nil || f.inClass(r.classes)) &&
		(len(r.Addresses) == 0 || r.matchesAddress(q))
}

// matchesRequest checks the conditions about what is asked.
func (r *rule) matchesRequest(q *Subject) bool {
	return (len(r.URLs) == 0 || r.matchesURL(q)) &&
		(len(r.Methods) == 0 || containsFold(r.Methods, q.Method)) &&
		(len(r.ContentTypes) == 0 || matchesType(r.ContentTypes, q.ContentType)) &&
		(len(r.QTypes) == 0 || q.Protocol == inspect.DNS && slices.Contains(r.QTypes, q.QType))
}

// matchesURL: where servers may read a URL in two ways, what stops holds for either, what lets through only for both.
func (r *rule) matchesURL(q *Subject) bool {
	if q.URL == "" {
		return false
	}
	strict := anyGlob(r.URLs, q.URL)
	if q.LooseURL == "" {
		return strict
	}
	loose := anyGlob(r.URLs, q.LooseURL)
	if r.Action == RuleAllow {
		return strict && loose
	}
	return strict || loose
}

func (r *rule) matchesName(n hostname.Name) bool {
	if n.IsZero() {
		return false
	}
	if r.exact[n] || r.below[n]&scopeSuffix != 0 {
		return true
	}
	for p, ok := n.Parent(); ok; p, ok = p.Parent() {
		if r.below[p] != 0 {
			return true
		}
	}
	return false
}

// matchesLists: a list that is only tried out makes a rule observe what it would block, and lets nothing through.
func (r *rule) matchesLists(f *facts) bool {
	_, ok := r.held(f, false)
	if !ok && r.Action != RuleAllow && r.Action != RuleSplice {
		_, ok = r.held(f, true)
	}
	return ok
}

// onTrial says whether r holds because of lists that are only tried out.
func (r *rule) onTrial(f *facts) bool {
	if !r.hasLists {
		return false
	}
	_, ok := r.held(f, false)
	return !ok
}

// cited returns the match to name beside the rule: of the lists that it asks for, else the one that gave the class.
func (r *rule) cited(f *facts) (blocklists.Match, bool) {
	if !r.hasLists || f.listed && r.lists[f.decided.List] {
		return f.decided, f.listed
	}
	if m, ok := r.held(f, false); ok {
		return m, true
	}
	return r.held(f, true)
}

// held returns the first match of the lists that r asks for, of those that count or of those that are tried out.
func (r *rule) held(f *facts, shadow bool) (blocklists.Match, bool) {
	for _, m := range f.matches {
		if !m.Exception && r.lists[m.List] && r.shadows[m.List] == shadow && !f.pardoned(m) {
			return m, true
		}
	}
	return blocklists.Match{}, false
}

// matchesAddress sees through every embedding: what stops holds for any address inside, what lets through only for all of them.
func (r *rule) matchesAddress(q *Subject) bool {
	if !q.Addr.IsValid() {
		return false
	}
	if r.Action == RuleAllow || r.Action == RuleSplice {
		return withinOne(r.Addresses, q.Addr)
	}
	addr := q.Addr.WithZone("")
	return holds(r.Addresses, addr) || holds(r.Addresses, addr.Unmap()) ||
		slices.ContainsFunc(embedded(addr), func(a netip.Addr) bool { return holds(r.Addresses, a) })
}

func (r *rule) matchesFinding(m *inspect.Match) bool {
	return (r.detectors == nil || r.detectors[m.Detector]) && (!r.BySeverity || m.Severity >= r.MinSeverity)
}

func containsFold(set []string, v string) bool {
	return slices.ContainsFunc(set, func(s string) bool { return strings.EqualFold(s, v) })
}

func matchesType(patterns []string, mediaType string) bool {
	for _, p := range patterns {
		if family, ok := strings.CutSuffix(p, "/*"); ok {
			if strings.HasPrefix(mediaType, family+"/") {
				return true
			}
			continue
		}
		if p == mediaType && p != "" {
			return true
		}
	}
	return false
}

func anyGlob(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return glob(p, s) })
}

// glob matches s against a pattern in which '*' is any run of characters. It never backtracks further than the last star, so
// hostile input costs at most len(pattern) * len(s).
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
