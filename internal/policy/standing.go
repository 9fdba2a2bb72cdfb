package policy

import (
	"slices"
	"strings"

	"weir/blocklists"
	"weir/internal/reputation"
	"weir/internal/verdict"
)

// Standing is what gives classes under this policy; nil when nothing does.
func (s *Snapshot) Standing() *reputation.Book {
	if s == nil {
		return nil
	}
	return s.cfg.Standing
}

// standing gives the subject its class where no list condemns it or speaks for itself, and says why. An address behind a name, a
// name server and a fingerprint have none of their own: only lists give them one.
func (s *Snapshot) standing(q *Subject, what aspect, f *facts, h *heard) {
	switch {
	case f.listed && (f.class <= verdict.ClassUntrusted || s.listing[f.decided.List].action != blocklists.ActionByClass):
		return
	case what != ofTarget && !f.listed:
		f.class, f.unjudged = verdict.ClassNone, true
		return
	case q.Literal && !f.listed:
		h.grounds.Kind = verdict.GroundAddress
		return
	case what != ofTarget, q.Name.IsZero(), s.cfg.Standing == nil:
		return
	}
	ask := reputation.Question{Now: q.Now, Name: q.Name, URL: q.ownURL()}
	if f.listed {
		if s.set.Entry(f.decided).Name.IsZero() {
			return // an entry for a URL: it says what it says, and of nothing else
		}
		ask.Known, ask.Shared = f.class == verdict.ClassKnown, f.class == verdict.ClassShared
		ask.Depth = int(f.decided.Depth)
	}
	is := q.Judged.judge(s.cfg.Standing, ask)
	f.listed = f.listed && is.Class == f.class // else it is not what the list says
	f.class, h.grounds, f.fresh, f.unjudged = is.Class, is.Grounds, is.Fresh, is.Own
}

// Judged remembers for one transaction the class of the name that was asked about last: it is asked again for interception and for the
// type of the response. The zero Judged remembers nothing; it is not safe for concurrent use, and serves one Snapshot.
type Judged struct {
	ask reputation.Question
	is  reputation.Standing
}

// judge asks the Book, unless the same was asked before; time goes on during a transaction, but its name keeps its class.
func (j *Judged) judge(b *reputation.Book, ask reputation.Question) reputation.Standing {
	if j == nil {
		return b.Judge(ask)
	}
	now := ask.Now
	if ask.Now = j.ask.Now; ask != j.ask {
		ask.Now = now
		j.ask, j.is = ask, b.Judge(ask)
	}
	return j.is
}

// ownURL is the URL when it is one of the name that is asked about, and not of one that led to it.
func (q *Subject) ownURL() string {
	switch q.Place {
	case verdict.PlaceCNAME, verdict.PlaceTarget, verdict.PlaceSNI, verdict.PlaceServer:
		return ""
	default:
		return q.URL
	}
}

// standingAction is what the config does with the class; what was first seen here a moment ago gets no better treatment than what is
// unknown.
func (s *Snapshot) standingAction(f *facts) verdict.Action {
	a := s.classAction(f.class)
	if f.fresh {
		a = min(a, s.classAction(verdict.ClassUnknown))
	}
	return a
}

// inClass says whether the subject is of one of some classes: what is shared or suspect and was first seen here a moment ago is
// unknown as well.
func (f *facts) inClass(classes map[verdict.Class]bool) bool {
	return classes[f.class] || f.fresh && classes[verdict.ClassUnknown]
}

// byLock keeps clients of a lock to what it learnt. What a learnt name leads to (CNAME and SVCB targets, addresses) passes behind it,
// and so does what is the organisation's own.
func (s *Snapshot) byLock(q *Subject, f *facts, tr *verdict.Trace) (verdict.Verdict, bool) {
	switch q.Place {
	case verdict.PlaceCNAME, verdict.PlaceTarget, verdict.PlaceServer, verdict.PlaceDial, verdict.PlaceAnswer, verdict.PlaceTunnel:
		return verdict.Verdict{}, false // PlaceTunnel: the fingerprints of a ClientHello
	default:
	}
	if q.Name.IsZero() && (!q.Literal || s.ownAddress(q)) {
		return verdict.Verdict{}, false
	}
	lock, ok := s.cfg.Standing.Locked(reputation.Door{
		Now: q.Now, Groups: q.Client.Groups, Name: q.Name, Addr: q.Addr, URL: q.ownURL(), LooseURL: q.LooseURL,
	})
	if !ok {
		return verdict.Verdict{}, false
	}
	v := verdict.Verdict{
		Action: verdict.Block, Cause: verdict.CauseReputation, Class: f.class, Answer: s.cfg.Answer,
		Grounds: verdict.Grounds{Kind: verdict.GroundNotLearnt, Of: lock},
	}
	return s.speak(q, verdict.StageReputation, v, false, tr), true
}

func (s *Snapshot) ownAddress(q *Subject) bool {
	return withinOne(s.cfg.Internal.Networks, q.Addr)
}

// locks says whether some lock learns until a time, so that what is live must be admitted again when it comes.
func (s *Snapshot) locks() bool {
	return slices.ContainsFunc(s.cfg.Standing.Locks(), func(l reputation.Lock) bool { return !l.Until.IsZero() })
}

// groundsText puts grounds into words; "" where a list says why, or nothing was asked.
func groundsText(g verdict.Grounds) string {
	since := verdict.Day(g.Since)
	switch g.Kind {
	case verdict.GroundNone:
		return ""
	case verdict.GroundLookalike:
		return "look-alike of " + g.Of + " (" + g.How + ")"
	case verdict.GroundSuffix:
		return "risky suffix ." + g.Of
	case verdict.GroundNew:
		return "first seen here " + since
	case verdict.GroundSeen:
		return "known here since " + since
	case verdict.GroundTenant:
		return strings.TrimSuffix("tenant of "+g.Of+", first seen here "+since, ", first seen here ")
	case verdict.GroundAddress:
		return "an address in place of a name"
	case verdict.GroundInternal:
		return "within the internal zone " + g.Of
	case verdict.GroundNotLearnt:
		return "not learnt by lock " + g.Of
	}
	return ""
}

// reputationSentence says in words what a verdict by class is about.
func reputationSentence(v verdict.Verdict, r *Reason) string {
	switch {
	case v.Grounds.Kind == verdict.GroundNotLearnt:
		return r.Why
	case r.List != "":
		return "on list " + r.List + " (" + v.Class.String() + ")"
	case r.Why != "":
		return "reputation: " + v.Class.String() + ", " + r.Why
	}
	return "reputation: " + v.Class.String()
}
