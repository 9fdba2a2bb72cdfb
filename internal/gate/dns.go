package gate

import (
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// Query judges the question of a DNS query.
func (x *Exchange) Query(now time.Time, question inspect.Question) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now, x.tx.Question = now, question
	x.tx.Target = hostname.Authority{Name: question.Name}
	if !x.served() {
		return x.verdict
	}
	q := x.subject(verdict.PlaceQuery)
	x.admit(&q)
	return x.head(inspect.Request)
}

// Name judges a name that an answer leads to: the target of a CNAME (PlaceCNAME) or of SVCB, HTTPS, MX, SRV or NS (PlaceTarget), or
// the name of a name server of the asked zone (PlaceServer), of which only lists speak that ask about name servers.
// A name that was allowed by rule carries its permission to the names behind it: only rules before that one speak about them.
func (x *Exchange) Name(now time.Time, place verdict.Place, name hostname.Name) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	q := x.subject(place)
	q.Name, q.Addr = name, netip.Addr{}
	if place == verdict.PlaceServer {
		return x.server(&q)
	}
	a := x.snap.Admit(&q, &x.trace)
	if place == verdict.PlaceCNAME { // the answer goes on there; what the others name nobody has asked for yet, and need not exist
		x.passing(name)
	}
	return x.settle(a.Verdict, stageOf(a.Verdict))
}

// server judges a name server.
func (x *Exchange) server(q *policy.Subject) verdict.Verdict {
	if v, ok := x.snap.AdmitServer(q, &x.trace); ok {
		x.settle(v, stageOf(v))
	}
	return x.verdict
}

// Unknown writes into the trace that lists could not be asked about something, for it could not be found out: a name server of the asked zone. What
// becomes of the transaction is the caller's choice, and subject says what was looked for.
func (x *Exchange) Unknown(now time.Time, place verdict.Place, subject string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	v := verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseError}
	x.trace.Add(verdict.Step{Stage: verdict.StageLists, Place: place, Subject: subject, Verdict: v})
}

// Servers says whether a list asks about the name servers of the asked name's zones: about their names, about their addresses. What a rule allowed
// is not asked about, for lists do not speak on it.
func (x *Exchange) Servers() (names, addresses bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.admitted.AllowedBy != 0 {
		return false, false
	}
	return x.snap.ServerTriggers()
}

// Rewritten judges what a list leads to that answered with a CNAME of its own: the name (PlaceCNAME, PlaceTarget) or, when that is zero, the
// address. The transaction is blocked by that list already, and the list does not speak on its own target; whatever else blocks the target takes the place
// of the verdict.
func (x *Exchange) Rewritten(now time.Time, place verdict.Place, name hostname.Name, addr netip.Addr) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	q := x.subject(place)
	q.Name, q.Addr, q.Mute = name, addr, x.verdict.Ref.List
	var v verdict.Verdict
	if name.IsZero() {
		q.Name = x.tx.Target.Name
		v = x.snap.AdmitAddress(&q, &x.trace)
	} else {
		v = x.snap.Admit(&q, &x.trace).Verdict
	}
	if v.Blocks() {
		x.verdict, x.stage = v, stageOf(v)
	}
	return v
}

// passing keeps a name for those who see the transaction when it is over; blocked ones are never asked for.
func (x *Exchange) passing(name hostname.Name) {
	if len(x.tx.Names) < inspect.MaxNames {
		x.tx.Names = append(x.tx.Names, name)
	}
}
