package policy

import (
	"weir/blocklists"
	"weir/internal/verdict"
)

// byStanding asks the lists, then the reputation class.
func (s *Snapshot) byStanding(q *Subject, f *facts, h *heard, tr *verdict.Trace) (verdict.Verdict, bool) {
	if len(f.matches) > 0 {
		s.tryOut(q, f, h, tr)
		s.tracePardons(q, f, tr)
		if v, ok := s.byLists(q, f, h, tr); ok {
			return v, true
		}
	}
	if v, ok := s.byReputation(q, f, h, tr); ok {
		return v, true
	}
	return s.byLock(q, f, tr)
}

// tryOut records what lists that are only tried out would have done.
func (s *Snapshot) tryOut(q *Subject, f *facts, h *heard, tr *verdict.Trace) {
	if !f.tried {
		return
	}
	l := &s.listing[f.trial.List]
	stage, v := verdict.StageLists, s.listVerdict(f.trial)
	if l.action == blocklists.ActionByClass {
		stage, v.Action, v.Cause = verdict.StageReputation, s.classAction(l.class), verdict.CauseReputation
	}
	if v.Action != verdict.Allow {
		h.log(s.speak(q, stage, v, true, tr))
	}
}

// maxPardons bounds how many steps of a trace one subject gets for entries that were beaten.
const maxPardons = 8

// tracePardons records which entry of which list let through what which other one would have stopped or logged.
func (s *Snapshot) tracePardons(q *Subject, f *facts, tr *verdict.Trace) {
	if tr == nil {
		return
	}
	left := maxPardons
	for _, m := range f.matches {
		if m.Exception || s.listing[m.List].shadow || left == 0 {
			continue
		}
		if e, ok := s.beaten(m, f.matches); ok {
			v := verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseList, Class: f.class}
			s.cite(&v.Ref, e)
			tr.Add(verdict.Step{
				Stage: verdict.StageLists, Place: q.Place, Subject: q.text(), Verdict: v, Over: verdict.Ref{List: m.List + 1, Entry: m.Entry},
			})
			left--
		}
	}
}

// byLists lets lists with an action of their own speak.
func (s *Snapshot) byLists(q *Subject, f *facts, h *heard, tr *verdict.Trace) (verdict.Verdict, bool) {
	if f.logged {
		h.log(s.speak(q, verdict.StageLists, s.listVerdict(f.logs), false, tr))
	}
	if !f.listed || s.listing[f.decided.List].action == blocklists.ActionByClass {
		return verdict.Verdict{}, false
	}
	v := s.speak(q, verdict.StageLists, s.listVerdict(f.decided), false, tr)
	if v.Action == verdict.Log && !v.Observed {
		h.log(v)
		return verdict.Verdict{}, false
	}
	return v, true
}

// listVerdict is what a list with an action of its own says; of one that leaves it to its class, a block.
func (s *Snapshot) listVerdict(m blocklists.Match) verdict.Verdict {
	l := &s.listing[m.List]
	v := verdict.Verdict{Cause: verdict.CauseList, Class: l.class, Answer: s.answer(m)}
	s.cite(&v.Ref, m)
	switch l.action {
	case blocklists.ActionAllow:
		v.Action = verdict.Allow
	case blocklists.ActionLog:
		v.Action = verdict.Log
	case blocklists.ActionBlock, blocklists.ActionByClass:
		v.Action = verdict.Block
	}
	return v
}
