package lookalike

import "time"

// Ages of a registration.
const (
	// Young is the age below which a registration is itself suspicious: most names of campaigns are used within weeks.
	Young = 90 * 24 * time.Hour
	// Old is the age from which ASCII likeness alone says nothing: the name outlived a renewal, and the owner of the target
	// had a year to dispute it (UDRP).
	Old = 365 * 24 * time.Hour
)

// Scores that convict, by what is known of the suspect's age.
const (
	scoreYoung   = 55
	scoreMiddle  = 75
	scoreUnknown = 80 // nothing is known: only what is hard to do by accident
	scoreSlip    = 83 // of a typing slip: swapped or doubled letters in a name that everybody types (rank 1,000) or that is protected
	scoreEver    = 90 // characters of other scripts chosen one by one do not age
)

// Judge says whether the suspicion makes the name a look-alike. Likeness alone never does: popular says that the suspect itself
// is in a popularity list, known that it was first seen here long enough ago or was approved; both acquit. age is the time since
// its registration, 0 or less when it is not known; an old name is acquitted unless it is built of characters that imitate, and
// the less is known, the more alike it must be: without an age, a typing slip counts only when it is of the likeliest kind and of a
// protected or one of the most popular names.
func Judge(s Suspicion, popular bool, age time.Duration, known bool) bool {
	if s.Kind == None || popular || known {
		return false
	}
	score := int(s.Score)
	switch {
	case s.Kind == Homoglyph && score >= scoreEver:
		return true
	case age >= Old:
		return false
	case age >= Young:
		return score >= scoreMiddle
	case age > 0:
		return score >= scoreYoung
	case s.Kind == Edit:
		return score >= scoreSlip
	default:
		return score >= scoreUnknown
	}
}
