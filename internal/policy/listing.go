package policy

import (
	"weir/blocklists"
	"weir/internal/identity"
	"weir/internal/verdict"
)

// listing is what policy needs of a list, by list number.
type listing struct {
	action   blocklists.Action
	class    verdict.Class
	groups   identity.Groups
	priority int
	weight   int  // the lower, the sooner its matches decide; see weigh
	dead     bool // its groups do not exist: it never speaks
	shadow   bool // it changes no verdict
	nearest  bool // within it only the nearest entry counts
	stops    bool // its matches block, unless observed
	tally    *ListTally
}

// The bands of listing.weight: whatever stops goes before all that does not, so that no list that logs hides one that blocks, and
// within a band the worse class decides.
const (
	bandStops = 16 * iota
	bandClass
	bandLogs
)

func (s *Snapshot) compileLists() {
	for i := range s.set.Lists() {
		l := s.set.List(uint16(i))
		out := listing{
			action: l.Action, class: classOf(l.Class), priority: l.Priority, shadow: l.Shadow, nearest: l.Nearest,
			tally: s.cfg.Tally.List(l.Name),
		}
		for _, name := range l.Groups {
			g, ok := s.cfg.Clients.Number(name)
			out.groups |= g
			out.dead = out.dead || !ok
		}
		s.weigh(&out)
		s.listing = append(s.listing, out)
	}
	s.holds = s.set.Holds()
}

// weigh works out whether a list stops and how early it decides.
func (s *Snapshot) weigh(l *listing) {
	switch l.action {
	case blocklists.ActionBlock:
		l.stops, l.weight = true, bandStops
	case blocklists.ActionByClass:
		l.stops = s.classAction(l.class) == verdict.Block
		l.weight = bandClass + int(l.class)
		if l.stops {
			l.weight = bandStops + int(l.class)
		}
	case blocklists.ActionLog:
		l.weight = bandLogs + int(l.class)
	case blocklists.ActionAllow: // is chosen apart from the others
	}
}

// allows says whether a list lets through what it holds.
func (l *listing) allows() bool { return l.action == blocklists.ActionAllow }

func classOf(c blocklists.Class) verdict.Class {
	switch c {
	case blocklists.ClassUntrusted:
		return verdict.ClassUntrusted
	case blocklists.ClassShared:
		return verdict.ClassShared
	case blocklists.ClassKnown:
		return verdict.ClassKnown
	default:
		return verdict.ClassBad
	}
}
