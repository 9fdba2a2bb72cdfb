package verdict

import "time"

// Ground is a kind of reason for a class.
type Ground uint8

// The grounds. GroundNone: a list says so ([Ref].List), or nothing was asked.
const (
	GroundNone      Ground = iota
	GroundLookalike        // it imitates Of, which is popular or protected; How says by what
	GroundSuffix           // it was registered below Of, where much is that is bad
	GroundNew              // no list speaks of it, and it was first seen here only Since
	GroundSeen             // no list speaks of it, but it is known here Since
	GroundTenant           // a customer's part of the service Of; first seen here Since
	GroundAddress          // an address where a name should be
	GroundInternal         // within the organisation's own zone Of
	GroundNotLearnt        // whatever its class is: the lock Of had not learnt it before its time was over
)

// String returns the word used in events and on the command line; "" for GroundNone.
func (g Ground) String() string { return name(grounds[:], int(g)) }

var grounds = [...]string{
	"", "look-alike", "risky-suffix", "new", "seen", "tenant", "address", "internal", "not-learnt",
}

// Grounds say why a name or an address has its class, where that is not a list entry.
type Grounds struct {
	Kind  Ground
	Since uint32 // minutes since 1970; 0 when it says nothing
	Of    string // a name, or that of a lock
	How   string // what makes a look-alike one
}

// Day is a time of [Grounds].Since as people read it, in UTC; "" for 0.
func Day(minute uint32) string {
	if minute == 0 {
		return ""
	}
	return time.Unix(int64(minute)*60, 0).UTC().Format(time.DateOnly)
}
