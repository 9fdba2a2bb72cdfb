package reputation

import (
	"cmp"
	"slices"
	"strings"

	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

// Bounds of what lists say about who is worth imitating.
const (
	// minPopular is the shortest list that counts: who names fewer means them, and protects them by name. It also keeps the short
	// list that is built in from having a whole snapshot read.
	minPopular = 100
	// maxRank is the last rank that counts: a look-alike of what stands further down is convicted by nothing but the age of its
	// registration, which is not known here (package lookalike takes 30 off, and wants 80).
	maxRank = 100_000
	// maxTargets bounds the names of all lists together, the first lists first: at about 26 octets each, names included.
	maxTargets = 1_000_000
	// unranked is the best rank that a list without order gives: typing slips are looked for in what everybody types, which such a
	// list does not tell.
	unranked = 1001
	// sorted is the share of neighbours in the order of the alphabet, in percent, from which that is the order of a list, and not
	// rank; by chance it is 50.
	sorted = 90
)

// Ranked are the names that lists of class known call popular, for others to imitate, with their ranks: a line of such a list is its
// rank, as with Tranco and Umbrella. A list in the order of the alphabet tells no rank: its names are as popular as the last of a list of
// its length. Lists that are only tried out do not count.
func Ranked(s *set.Set) []lookalike.Popular {
	var out []lookalike.Popular
	lists, found := PopularityLists(s), make([][]ranked, s.Lists())
	for name, at := range s.Names(maxRank, lists...) {
		found[at.List] = append(found[at.List], ranked{name, at.Line})
	}
	for _, l := range lists {
		names := ordered(found[l], s.ListStats(l).Names)
		out = append(out, names[:min(len(names), maxTargets-len(out))]...)
		found[l] = nil
	}
	return out
}

// ranked is a name and its line.
type ranked struct {
	name hostname.Name
	line uint32
}

// PopularityLists are the lists that [Ranked] reads.
func PopularityLists(s *set.Set) (out []uint16) {
	for i := range s.Lists() {
		n := uint16(i)
		if l := s.List(n); l.Class == set.ClassKnown && !l.Shadow && s.ListStats(n).Names >= minPopular {
			out = append(out, n)
		}
	}
	return out
}

// ordered gives each name of a list of so many names its rank, the best first.
func ordered(names []ranked, all int) []lookalike.Popular {
	slices.SortFunc(names, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.line, b.line), strings.Compare(a.name.String(), b.name.String()))
	})
	same := alphabetical(names)
	if same && all > maxRank {
		return nil // all are as popular as the last
	}
	out := make([]lookalike.Popular, 0, len(names))
	for _, n := range names {
		rank := max(int(n.line), 1)
		if same {
			rank = max(all, unranked)
		}
		out = append(out, lookalike.Popular{Name: n.name, Rank: rank})
	}
	return out
}

// alphabetical says whether the names stand in the order of the alphabet, or all in one line, where no order is known.
func alphabetical(names []ranked) bool {
	up := 0
	for i := 1; i < len(names); i++ {
		if names[i-1].name.String() < names[i].name.String() {
			up++
		}
	}
	return up*100 >= sorted*(len(names)-1)
}
