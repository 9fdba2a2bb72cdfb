package gate

import (
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/inspect"
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

// Name judges a name that an answer leads to: the target of a CNAME (PlaceCNAME) or of SVCB, HTTPS, MX, SRV or NS (PlaceTarget).
// A name that was allowed by rule carries its permission to the names behind it: only rules before that one speak about them.
func (x *Exchange) Name(now time.Time, place verdict.Place, name hostname.Name) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	q := x.subject(place)
	q.Name, q.Addr = name, netip.Addr{}
	a := x.snap.Admit(&q, &x.trace)
	return x.settle(a.Verdict, stageOf(a.Verdict))
}
