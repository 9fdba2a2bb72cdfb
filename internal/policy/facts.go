package policy

import (
	"weir/blocklists"
	"weir/internal/verdict"
)

// facts are the list matches and the class of one Subject, computed once.
type facts struct {
	matches []blocklists.Match // all that count for this subject, exceptions and what they beat among them
	class   verdict.Class
	decided blocklists.Match // the match that gave the class
	listed  bool             // decided is set
	fresh   bool             // first seen here a moment ago
	// unjudged: the class decides nothing, for the subject is an address behind a name, or the organisation's own.
	unjudged bool
	logs     blocklists.Match // of a list that only logs, beside decided
	logged   bool             // logs is set
	trial    blocklists.Match // what lists that are only tried out would have decided
	tried    bool             // trial is set
}

// facts looks one aspect of the subject up in the lists and gives it a class.
func (s *Snapshot) facts(q *Subject, what aspect, buf []blocklists.Match, h *heard) facts {
	f := s.heardOf(q, what, buf)
	s.standing(q, what, &f, h)
	return f
}

// heardOf says what the lists say.
func (s *Snapshot) heardOf(q *Subject, what aspect, buf []blocklists.Match) facts {
	f := facts{class: verdict.ClassUnknown, matches: s.lookUp(q, what, buf)}
	if q.Literal {
		f.class = verdict.ClassUntrusted
	}
	if len(f.matches) == 0 {
		return f
	}
	if m, ok := s.choose(f.matches, false); ok {
		f.decided, f.listed, f.class = m, true, s.listing[m.List].class
		f.logs, f.logged = s.strongest(f.matches, false, (*listing).onlyLogs)
		f.logged = f.logged && f.logs != m
	}
	f.trial, f.tried = s.choose(f.matches, true)
	return f
}

// choose finds the match that decides, among the lists that count or among those that are tried out: what allows, unless a list of a
// higher priority stops; else the match of the lowest weight, then of the highest priority, then the first.
func (s *Snapshot) choose(all []blocklists.Match, shadow bool) (blocklists.Match, bool) {
	m, ok := s.strongest(all, shadow, (*listing).decides)
	if ok && s.listing[m.List].stops {
		return m, true // an entry that allows and is of the same or a higher priority would have beaten it
	}
	if a, ok := s.strongest(all, shadow, (*listing).allows); ok {
		return a, true
	}
	return m, ok
}

func (l *listing) decides() bool  { return !l.allows() }
func (l *listing) onlyLogs() bool { return l.action == blocklists.ActionLog }

// strongest returns the match that decides first, of those lists that are meant and were not beaten.
func (s *Snapshot) strongest(all []blocklists.Match, shadow bool, meant func(*listing) bool) (best blocklists.Match, found bool) {
	for _, m := range all {
		l := &s.listing[m.List]
		if m.Exception || l.shadow != shadow || !meant(l) {
			continue
		}
		if found {
			if b := &s.listing[best.List]; l.weight > b.weight || l.weight == b.weight && l.priority <= b.priority {
				continue
			}
		}
		if _, beaten := s.beaten(m, all); !beaten {
			best, found = m, true
		}
	}
	return best, found
}

// beaten returns the first match that beats m.
func (s *Snapshot) beaten(m blocklists.Match, all []blocklists.Match) (by blocklists.Match, ok bool) {
	for _, e := range all {
		if s.beats(e, m) {
			return e, true
		}
	}
	return blocklists.Match{}, false
}

// beats says whether e lets through what m would stop: e is an exception of a granted source (others never get into the Set) or of a
// list whose action is allow, of a higher priority; or of the same, and m is not important unless e is. What is only tried out beats
// nothing that counts.
func (s *Snapshot) beats(e, m blocklists.Match) bool {
	from, of := &s.listing[e.List], &s.listing[m.List]
	if m.Exception || of.allows() || !e.Exception && !from.allows() || from.shadow && !of.shadow {
		return false
	}
	if from.priority != of.priority {
		return from.priority > of.priority
	}
	return e.Important || !m.Important || !e.Exception
}

// pardoned says whether an exception of the same list takes m back, so that the list does not hold it at all.
func (f *facts) pardoned(m blocklists.Match) bool {
	for _, e := range f.matches {
		if e.Exception && e.List == m.List && (e.Important || !m.Important) {
			return true
		}
	}
	return false
}
