package resolver

import (
	"net/netip"

	"github.com/miekg/dns"

	"weir/resolver/answer"
	"weir/resolver/listener"
	"weir/resolver/query"
)

// turnsAway says whether a query is of a client that is not served and that an event of this minute already tells of.
func (r *Resolver) turnsAway(from netip.AddrPort) bool {
	if r.gate.Policy().Client(from.Addr()).Served {
		return false
	}
	r.stats.Strangers.Add(1)
	return !r.strangers.Allow(listener.Client(from.Addr()), r.now())
}

// stranger refuses a query without a transaction.
func (r *Resolver) stranger(q query.Query, transport string) []byte {
	r.stats.Blocked.Add(1)
	t := &transaction{r: r, q: q, transport: transport}
	return t.prohibited()
}

// prohibited refuses those who are not served, or says nothing when too many of them were told in this second: their addresses may
// be forged, and then what we say hits somebody else.
func (t *transaction) prohibited() []byte {
	if !t.r.refusals.Allow(t.r.now()) {
		t.r.stats.Dropped.Add(1)
		return nil
	}
	return t.send(reply{rcode: dns.RcodeRefused, ede: answer.Reason{Code: int(dns.ExtendedErrorCodeProhibited)}})
}
