package policy

import (
	"slices"

	"weir/blocklists"
	"weir/internal/address"
	"weir/internal/hostname"
	"weir/internal/verdict"
)

// maxMatches is how many list matches of one name are looked at without allocating: more lists than that rarely agree.
const maxMatches = 16

// Admit judges a name, an address or a request by rules, lists, reputation and default, in this order. It does not look at
// findings. Every stage that spoke is added to tr, which may be nil.
func (s *Snapshot) Admit(q *Subject, tr *verdict.Trace) Admission {
	if s == nil {
		return Admission{}
	}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(q, ofTarget, buf[:0], &h)
	if r, v := s.walk(s.rules.heads, false, q, &f, &h, tr); r != nil {
		a := Admission{Verdict: v, InspectOff: r.InspectOff}
		if r.Action == RuleAllow {
			a.AllowedBy = r.number
		}
		return a
	}
	if q.AllowedBy != 0 {
		return Admission{Verdict: h.final(s.carried(q, &f, &h)), AllowedBy: q.AllowedBy}
	}
	if v, ok := s.byStanding(q, &f, &h, tr); ok {
		return Admission{Verdict: h.final(v), Vouched: v.Action == verdict.Allow}
	}
	v := verdict.Verdict{Action: s.cfg.Default, Cause: verdict.CauseDefault, Class: f.class, Grounds: h.grounds, Answer: s.cfg.Answer}
	if v.Action == verdict.Block && q.Vouched {
		v.Action = verdict.Allow
	} else if r := s.spliced(q, &f); v.Action == verdict.Block && r != nil {
		v.Action, v.Cause, v.Ref.Rule = verdict.Allow, verdict.CauseRule, r.number
	}
	return Admission{Verdict: h.final(s.speak(q, verdict.StageDefault, v, false, tr))}
}

// AdmitType judges a response once its content type is known: only rules that ask for one speak. ok is false when none did.
func (s *Snapshot) AdmitType(q *Subject, tr *verdict.Trace) (v verdict.Verdict, ok bool) {
	if s == nil {
		return verdict.Verdict{}, true
	}
	if len(s.rules.types) == 0 {
		return verdict.Verdict{}, false
	}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(q, ofTarget, buf[:0], &h)
	if r, v := s.walk(s.rules.types, false, q, &f, &h, tr); r != nil {
		return v, true
	}
	return h.logged, h.set
}

// AdmitAddress judges an address that a name led to, at dial or in a DNS answer: private addresses first, then rules and lists
// that name addresses. An address that was itself the target was judged by Admit, but for being private.
func (s *Snapshot) AdmitAddress(q *Subject, tr *verdict.Trace) verdict.Verdict {
	if s == nil {
		return verdict.Verdict{}
	}
	if v, ok := s.private(q); ok {
		tr.Add(verdict.Step{Stage: verdict.StageSafety, Place: q.Place, Subject: q.Addr.String(), Verdict: v})
		return v
	}
	if q.Literal {
		return verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseDefault}
	}
	about := *q
	about.Name = hostname.Name{}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(&about, ofAddress, buf[:0], &h)
	about.Name = q.Name // rules may name both
	if r, v := s.walk(s.rules.address, true, &about, &f, &h, tr); r != nil {
		return v
	}
	if q.AllowedBy != 0 {
		return h.final(s.carried(q, &f, &h))
	}
	about.Name = hostname.Name{} // the trace says the address
	if v, ok := s.byStanding(&about, &f, &h, tr); ok {
		return h.final(v)
	}
	return h.final(verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseDefault, Class: f.class, Grounds: h.grounds})
}

// AdmitHello judges a connection by the fingerprints of its ClientHello: only lists that hold one of them speak, and rules that ask
// for lists, categories or classes. ok is false when none did.
func (s *Snapshot) AdmitHello(q *Subject, tr *verdict.Trace) (v verdict.Verdict, ok bool) {
	return s.admitListed(q, ofHello, tr)
}

// AdmitServer judges a name server of the asked zone by its name or its address: only lists with entries about name servers speak (RPZ
// NSDNAME and NSIP), and rules that ask for lists, categories or classes. ok is false when none did.
func (s *Snapshot) AdmitServer(q *Subject, tr *verdict.Trace) (v verdict.Verdict, ok bool) {
	return s.admitListed(q, ofServer, tr)
}

// admitListed judges what stands beside a target that was admitted.
func (s *Snapshot) admitListed(q *Subject, what aspect, tr *verdict.Trace) (verdict.Verdict, bool) {
	if s == nil {
		return verdict.Verdict{}, true
	}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(q, what, buf[:0], &h)
	if len(f.matches) == 0 {
		return verdict.Verdict{}, false
	}
	if r, v := s.walk(s.rules.listed, true, q, &f, &h, tr); r != nil {
		return v, true
	}
	if q.AllowedBy == 0 {
		if v, ok := s.byStanding(q, &f, &h, tr); ok {
			return h.final(v), true
		}
	}
	return h.logged, h.set
}

// private refuses addresses that only an internal entry may reach, in every embedding.
func (s *Snapshot) private(q *Subject) (verdict.Verdict, bool) {
	scope := address.ScopeOf(q.Addr)
	if scope == address.Public {
		return verdict.Verdict{}, false
	}
	if withinOne(s.cfg.Internal.Networks, q.Addr) {
		return verdict.Verdict{}, false
	}
	if scope == address.Private || scope == address.CGNAT {
		if slices.ContainsFunc(s.cfg.Internal.Zones, q.Name.Within) {
			return verdict.Verdict{}, false
		}
	}
	return verdict.Refuse(verdict.SafetyPrivateAddress), true
}

// Port says whether clients may reach a port: one list for TLS (CONNECT, https, wss), one for the rest.
func (s *Snapshot) Port(port uint16, tls bool) bool {
	if s == nil {
		return false
	}
	if tls {
		return slices.Contains(s.cfg.ConnectPorts, port)
	}
	return slices.Contains(s.cfg.PlainPorts, port)
}

// Interception says whether TLS to the subject is decrypted: the first splice rule that matches decides, else the default.
func (s *Snapshot) Interception(q *Subject) Interception {
	if s == nil {
		return Intercept
	}
	if len(s.rules.splices) == 0 {
		return s.cfg.Interception
	}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(q, ofTarget, buf[:0], &h)
	if s.spliced(q, &f) != nil {
		return Splice
	}
	return s.cfg.Interception
}

// spliced returns the first splice rule that matches; nil when there is none.
func (s *Snapshot) spliced(q *Subject, f *facts) *rule {
	for _, r := range s.rules.splices {
		if r.matches(q, f) {
			return r
		}
	}
	return nil
}

// walk asks rules in file order. behind: the subject is the address behind a name, of which rules about lists and classes speak
// only when a list does. It returns the first Allow or Block and its verdict; nil when there is none. Logs are heard.
func (s *Snapshot) walk(rules []*rule, behind bool, q *Subject, f *facts, h *heard, tr *verdict.Trace) (*rule, verdict.Verdict) {
	for _, r := range rules {
		if q.AllowedBy != 0 && r.number >= q.AllowedBy {
			break
		}
		if behind && !r.speaksBehind(f) || !r.matches(q, f) {
			continue
		}
		trial := r.onTrial(f)
		v := s.speak(q, verdict.StageRules, s.ruleVerdict(r, f, h), r.Observe || trial, tr)
		if r.ends() && !trial {
			return r, v
		}
		h.log(v)
	}
	return nil, verdict.Verdict{}
}

// carried is the permission of the rule that allowed the name which led to the subject.
func (s *Snapshot) carried(q *Subject, f *facts, h *heard) verdict.Verdict {
	return verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseRule, Class: f.class, Grounds: h.grounds, Ref: verdict.Ref{Rule: q.AllowedBy}}
}

func (s *Snapshot) ruleVerdict(r *rule, f *facts, h *heard) verdict.Verdict {
	v := verdict.Verdict{Cause: verdict.CauseRule, Class: f.class, Grounds: h.grounds, Ref: verdict.Ref{Rule: r.number}}
	m, cited := r.cited(f)
	if cited {
		s.cite(&v.Ref, m)
	}
	switch r.Action {
	case RuleAllow:
		v.Action = verdict.Allow
	case RuleLog:
		v.Action = verdict.Log
	case RuleBlock, RuleSplice:
		v.Answer = s.cfg.Answer
		if cited && r.hasLists {
			v.Answer = s.answer(m)
		}
		if len(r.QTypes) > 0 && v.Answer.Kind <= verdict.AnswerNXDOMAIN {
			v.Answer.Kind = verdict.AnswerRefused // NXDOMAIN would deny the other types too (RFC 8020)
		}
		if r.Answer != nil {
			v.Answer = *r.Answer
		}
	}
	return v
}

func (s *Snapshot) cite(ref *verdict.Ref, m blocklists.Match) {
	ref.List, ref.Entry = m.List+1, m.Entry
}

// speak applies observe mode to a policy verdict and records it.
func (s *Snapshot) speak(q *Subject, stage verdict.Stage, v verdict.Verdict, observe bool, tr *verdict.Trace) verdict.Verdict {
	if v.Action == verdict.Block && (observe || s.cfg.Observe) {
		v.Action, v.Observed = verdict.Log, true
	}
	if tr != nil {
		tr.Add(verdict.Step{Stage: stage, Place: q.Place, Subject: q.text(), Verdict: v})
	}
	return v
}
