package policy

import (
	"slices"

	"weir/blocklists"
	"weir/internal/reputation"
	"weir/internal/verdict"
)

// Explain puts a Verdict of this Snapshot into words. Entries and reasons come from files: escape them before they are shown.
func (s *Snapshot) Explain(v verdict.Verdict) Reason {
	r := Reason{Safety: v.Ref.Safety.String(), Answer: v.Answer.Kind.String(), Why: groundsText(v.Grounds)}
	if s != nil {
		s.explainRule(v.Ref, &r)
		s.explainList(v.Ref, &r)
		if d := int(v.Ref.Detector); d > 0 && d <= len(s.cfg.Detectors) {
			r.Detector, r.Technique = s.cfg.Detectors[d-1].Name, s.cfg.Detectors[d-1].Technique
		}
	}
	r.Sentence = sentence(v, &r)
	return r
}

func (s *Snapshot) explainRule(ref verdict.Ref, r *Reason) {
	if n := int(ref.Rule); n > 0 && n <= len(s.cfg.Rules) {
		rule := &s.cfg.Rules[n-1]
		r.Rule, r.RuleWhere, r.RuleText = rule.Name, rule.Where, rule.Text
	}
}

func (s *Snapshot) explainList(ref verdict.Ref, r *Reason) {
	if n := int(ref.List); n > 0 && n <= s.set.Lists() {
		l := s.set.List(uint16(n - 1))
		r.List, r.ListCategory, r.ListSource = l.Name, l.Category, l.Source
		r.ListConfidence, r.ListShadow = l.Confidence, l.Shadow
		r.ListEntry, r.ListLine = s.set.EntryText(blocklists.Match{List: uint16(n - 1), Entry: ref.Entry})
	}
}

// safetySentences says in words what each safety refusal is.
var safetySentences = [...]string{
	verdict.SafetyNone:           "",
	verdict.SafetyFraming:        "the HTTP message is ambiguous, as in request smuggling",
	verdict.SafetyCertificate:    "the certificate of the site could not be verified",
	verdict.SafetyPrivateAddress: "the address is private and the configuration does not name it as internal",
	verdict.SafetyMisdirected:    "the request names another host than the one that the connection was opened for",
	verdict.SafetyTarget:         "the target is not a valid host name or address",
	verdict.SafetyPort:           "the port is not one that may be reached",
	verdict.SafetyClient:         "this client is not one that is served here",
	verdict.SafetyLoop:           "the request came back to this proxy",
	verdict.SafetyLimit:          "a limit was reached",
	verdict.SafetyWebSocket:      "the WebSocket frames break the protocol",
	verdict.SafetyDNS:            "the DNS packet is not one plain question or its answer",
	verdict.SafetyUpgrade:        "only an upgrade to websocket is allowed",
}

// failureSentences say in words what kept an inspection from being complete, and what the default is.
var failureSentences = map[verdict.Cause]string{
	verdict.CauseLimit:   "the content could not be inspected within the limits",
	verdict.CauseTimeout: "the inspection took too long",
	verdict.CauseError:   "the content could not be inspected",
	verdict.CauseDefault: "the default of the policy",
}

func sentence(v verdict.Verdict, r *Reason) string {
	switch {
	case v.Cause == verdict.CauseSafety && int(v.Ref.Safety) < len(safetySentences):
		return safetySentences[v.Ref.Safety]
	case v.Cause == verdict.CauseRule && r.RuleText != "":
		return r.RuleText
	case v.Cause == verdict.CauseRule:
		return "rule " + r.Rule
	case v.Cause == verdict.CauseList:
		return "on list " + r.List
	case v.Cause == verdict.CauseReputation:
		return reputationSentence(v, r)
	case v.Cause == verdict.CauseDetector:
		return "detector " + r.Detector + " found something"
	}
	return failureSentences[v.Cause]
}

// Scoped says whether the rule, list or lock of a Verdict speaks to some groups of clients only.
func (s *Snapshot) Scoped(v verdict.Verdict) bool {
	if s == nil {
		return false
	}
	if v.Grounds.Kind == verdict.GroundNotLearnt {
		return slices.ContainsFunc(s.cfg.Standing.Locks(), func(l reputation.Lock) bool { return l.Name == v.Grounds.Of && l.Groups != 0 })
	}
	ref := v.Ref
	if n := int(ref.Rule); n > 0 && n <= len(s.cfg.Rules) {
		return len(s.cfg.Rules[n-1].Groups) > 0
	}
	if n := int(ref.List); n > 0 && n <= len(s.listing) {
		return s.listing[n-1].groups != 0
	}
	return false
}
