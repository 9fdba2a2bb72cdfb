package policy

import (
	"weir/blocklists"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// Outcome is what became of the inspection of one body or message.
type Outcome = inspect.Outcome

// Finding judges one finding: rules about detectors in file order, then the detector's mode, then its default. A find of a
// safety detector is a safety refusal.
func (s *Snapshot) Finding(q *Subject, m *inspect.Match, tr *verdict.Trace) verdict.Verdict {
	if s == nil || m.Detector == 0 || int(m.Detector) > len(s.cfg.Detectors) {
		return verdict.Verdict{}
	}
	info := &s.cfg.Detectors[m.Detector-1]
	if info.Safety != verdict.SafetyNone {
		v := verdict.Refuse(info.Safety)
		v.Ref.Detector = m.Detector
		tr.Add(verdict.Step{Stage: verdict.StageSafety, Place: m.Phase.Place(), Subject: m.Path, Verdict: v})
		return v
	}
	var buf [maxMatches]blocklists.Match
	var h heard
	f := s.facts(q, ofTarget, buf[:0], &h)
	about := *q
	about.Place = m.Phase.Place()
	for _, r := range s.rules.findings {
		if !r.matchesFinding(m) || !r.matches(q, &f) {
			continue
		}
		v := s.ruleVerdict(r, &f, &h)
		v.Ref.Detector = m.Detector
		trial := r.onTrial(&f)
		v = s.speak(&about, verdict.StageDetectors, v, r.Observe || trial, tr)
		if r.ends() && !trial {
			return v
		}
		h.log(v)
	}
	v := verdict.Verdict{Action: info.Default, Cause: verdict.CauseDetector, Class: f.class, Grounds: h.grounds, Ref: verdict.Ref{Detector: m.Detector}, Answer: s.cfg.Answer}
	if mode, ok := s.cfg.Modes[info.Name]; ok {
		v.Action = mode
	}
	return h.final(s.speak(&about, verdict.StageDetectors, v, false, tr))
}

// DetectorOff says whether the config turned a detector off; safety detectors cannot be.
func (s *Snapshot) DetectorOff(number uint16) bool {
	if s == nil || number == 0 || int(number) > len(s.cfg.Detectors) {
		return false
	}
	info := &s.cfg.Detectors[number-1]
	return info.Safety == verdict.SafetyNone && s.cfg.Off[info.Name]
}

// Failure judges an inspection that did not complete: the config's failure mode, with its own cause.
func (s *Snapshot) Failure(q *Subject, o Outcome, tr *verdict.Trace) verdict.Verdict {
	if s == nil {
		return verdict.Verdict{}
	}
	v := verdict.Verdict{Answer: s.cfg.Answer}
	switch o {
	case inspect.Complete:
		return verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseDefault}
	case inspect.LimitSize:
		v.Action, v.Cause = s.cfg.Failures.Limit, verdict.CauseLimit
	case inspect.LimitRatio, inspect.LimitDepth:
		v.Action, v.Cause = s.cfg.Failures.Expansion, verdict.CauseLimit
	case inspect.OutOfTime:
		v.Action, v.Cause = s.cfg.Failures.Timeout, verdict.CauseTimeout
	case inspect.Panicked:
		v.Action, v.Cause = s.cfg.Failures.Panic, verdict.CauseError
	case inspect.Failed:
		v.Action, v.Cause = s.cfg.Failures.Error, verdict.CauseError
	}
	return s.speak(q, verdict.StageLimits, v, false, tr)
}
