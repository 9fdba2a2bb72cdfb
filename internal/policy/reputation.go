package policy

import (
	"weir/blocklists"
	"weir/internal/verdict"
)

// classAction is what the config does with a class that it may not name: bad blocks, the others pass.
func (s *Snapshot) classAction(class verdict.Class) verdict.Action {
	action, ok := s.cfg.Reputation[class]
	if !ok && class != verdict.ClassBad {
		action = verdict.Allow
	}
	return action
}

// byReputation acts on the class; only a block ends the step, so that the default still speaks.
func (s *Snapshot) byReputation(q *Subject, f *facts, h *heard, tr *verdict.Trace) (verdict.Verdict, bool) {
	if f.unjudged || f.listed && s.listing[f.decided.List].action != blocklists.ActionByClass {
		return verdict.Verdict{}, false // the list spoke for itself
	}
	v := verdict.Verdict{Action: s.standingAction(f), Cause: verdict.CauseReputation, Class: f.class, Grounds: h.grounds, Answer: s.cfg.Answer}
	if f.listed {
		s.cite(&v.Ref, f.decided)
		v.Answer = s.answer(f.decided)
	}
	if v.Action == verdict.Allow {
		if f.class != verdict.ClassUnknown {
			s.speak(q, verdict.StageReputation, v, false, tr)
		}
		return verdict.Verdict{}, false
	}
	action := v.Action
	v = s.speak(q, verdict.StageReputation, v, false, tr)
	if action == verdict.Log {
		h.log(v)
		return verdict.Verdict{}, false
	}
	return v, true
}
