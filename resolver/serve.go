package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/resolver/answer"
	"weir/resolver/cache"
	"weir/resolver/listener"
	"weir/resolver/query"
	"weir/resolver/upstream"
)

// Handle answers one packet; nil sends nothing. It is the one place that knows the order of the stages of doc.go. It never panics:
// what panics costs this query alone, which gets SERVFAIL.
func (r *Resolver) Handle(ctx context.Context, packet []byte, from netip.AddrPort, transport string) (out []byte) {
	r.stats.Queries.Add(1)
	defer r.rescue(packet, &out) // outermost: a panic in any stage, and in the event itself, ends here

	// (2) Before anything is decided: all later stages see the question alone. Were the packet itself carried on, policy could
	// read one question in it and the upstream another (CVE-2026-42004, CVE-2026-33597), and options could smuggle data out.
	q, refusal := query.Parse(packet)
	if refusal != nil && !refusal.Asked {
		return r.malformed(packet, from, transport, refusal)
	}
	// Before there is a transaction: one stranger with many questions, or many forged addresses, would write the event log full. The
	// first question of each in a minute goes the whole way.
	if r.turnsAway(from) {
		return r.stranger(q, transport)
	}
	t := r.begin(q, from, transport)
	defer t.end() // (9) deferred here, so that no return below can leave without an event

	// (3) Before the cache: were it behind, clients that are blocked or not served would get cached answers, and could probe the
	// cache for what others asked (coredns#8289, CVE-2026-24029).
	if t.x.Query(t.begun, inspect.Question{ID: q.ID, Name: q.Name, Type: q.Type, Class: q.Class}).Blocks() {
		return t.blocked(ctx)
	}
	// Behind (3), so that strangers learn nothing from it; before (4), so that transfers and odd classes reach no stage at all.
	if refusal != nil {
		return t.refused(refusal)
	}
	// (4) Behind the gate, so that every query is judged and seen; before the cache and the upstream, so that nobody outside can
	// say where localhost is, and these names leave no trace there (RFC 6761 section 6.3).
	if a := local(q.Key); a != nil {
		return t.local(a)
	}
	// (5) What is kept is unfiltered and was asked under the full key; the filter stands behind it. Were answers kept filtered,
	// one client's policy would answer another, and a new block would wait for the TTL (CVE-2026-26017, coredns#8272).
	part, hit := t.cached()
	if !hit {
		// (6) The only stage that sends and that waits, so behind all that can refuse and all that needs no upstream; with the key
		// alone, so that the packet judged in (3) is the packet sent. Identical questions are joined here, behind the gate, so that
		// joining skips no decision.
		var err error
		if part, err = t.fetch(ctx, t.q.Key); err != nil {
			return t.failed(err)
		}
	}
	// (7) On hits as well as on misses, as the last stage before the reply: what the gate saw is what is sent. A CNAME to a
	// blocked name, and a private address for a public one (rebinding), would otherwise come out of the cache unjudged. A chain that
	// the upstream cut goes through (4) to (7) again for the name at its end, behind the judgement of that name.
	part, err := t.judged(ctx, part)
	if err != nil {
		return t.failed(err)
	}
	if t.x.Verdict().Blocks() {
		return t.blocked(ctx)
	}
	// (8) Built from the records that were judged, never from the upstream's bytes.
	return t.send(reply{rcode: part.RCode, answer: part.Answer, age: part.Age, ede: answer.Reason{Code: answer.NoEDE}})
}

// transaction is one query on its way through Handle.
type transaction struct {
	r         *Resolver
	q         query.Query
	x         *gate.Exchange
	begun     time.Time
	transport string
	client    netip.Prefix // what counts as one client
	record    record
}

func (r *Resolver) begin(q query.Query, from netip.AddrPort, transport string) *transaction {
	now := r.now()
	flow := &inspect.Flow{Remote: from, Transport: transport}
	t := &transaction{r: r, q: q, begun: now, transport: transport, client: listener.Client(from.Addr()), x: r.gate.Begin(inspect.DNS, flow, now)}
	flow.Client = t.x.Policy().Client(from.Addr()) // the groups of the snapshot that will judge them
	t.record = record{ede: answer.NoEDE}
	return t
}

// end records the event, of a panic too, which goes on.
func (t *transaction) end() {
	p := recover()
	if p != nil {
		t.record.rcode, t.record.err = answer.RCode(dns.RcodeServerFailure), "panic"
	}
	t.x.Note(t.describe)
	t.x.Done(t.r.now())
	if p != nil {
		panic(p)
	}
}

// local replies from our own knowledge.
func (t *transaction) local(a *answer.Answer) []byte {
	t.r.stats.Local.Add(1)
	t.record.cache = "local"
	return t.send(reply{rcode: a.RCode, answer: a, ede: answer.Reason{Code: answer.NoEDE}})
}

// refused replies to a question that no client may ask, and books it as a safety refusal.
func (t *transaction) refused(why *query.Refusal) []byte {
	t.r.stats.Malformed.Add(1)
	t.x.Refuse(t.r.now(), verdict.SafetyDNS, verdict.PlaceQuery, why.Kind)
	return t.send(reply{rcode: int(why.RCode), ede: answer.Reason{Code: int(dns.ExtendedErrorCodeNotSupported)}})
}

// blocked replies as the verdict says a block speaks.
func (t *transaction) blocked(ctx context.Context) []byte {
	t.r.stats.Blocked.Add(1)
	if t.record.cache == "" {
		t.record.cache = "local"
	}
	v, snap := t.x.Verdict(), t.x.Policy()
	if v.Ref.Safety == verdict.SafetyClient {
		return t.prohibited()
	}
	var ttl time.Duration
	if snap != nil {
		ttl = snap.AnswerTTL()
	}
	if v.Answer.Kind == verdict.AnswerData {
		return t.rewritten(ctx, ttl)
	}
	return t.speak(v, ttl)
}

// speak replies as v says, without records of a list.
func (t *transaction) speak(v verdict.Verdict, ttl time.Duration) []byte {
	how := v.Answer
	if t.x.Policy() == nil {
		how.Kind = verdict.AnswerRefused
	}
	a, rcode, ok := answer.Blocked(t.q.Key, how, ttl)
	if !ok {
		t.r.stats.Dropped.Add(1)
		return nil
	}
	return t.send(reply{rcode: rcode, answer: a, cut: how.Kind == verdict.AnswerTruncate, ede: t.why(v)})
}

// why is the extended error of a block.
func (t *transaction) why(v verdict.Verdict) answer.Reason {
	return answer.Explain(v, t.x.Reason(), t.r.scoped(t.x.Policy(), v))
}

// failed replies SERVFAIL. An answer that breaks the protocol is booked as a safety refusal; an upstream that did not answer is no
// verdict.
func (t *transaction) failed(err error) []byte {
	if errors.Is(err, errOverLimit) {
		return t.overLimit(err)
	}
	t.r.stats.Failed.Add(1)
	t.record.err = redact.Error(err)
	ede := answer.Reason{Code: int(dns.ExtendedErrorCodeNetworkError)}
	switch {
	case errors.Is(err, answer.ErrRCode):
		ede.Code = int(dns.ExtendedErrorCodeNoReachableAuthority)
	case violation(err):
		t.x.Refuse(t.r.now(), verdict.SafetyDNS, verdict.PlaceAnswer, err.Error())
		ede = answer.Reason{Code: int(dns.ExtendedErrorCodeOther), Text: "the answer breaks the protocol"}
	case errors.Is(err, upstream.ErrNone):
		ede.Text = "no upstream server"
	case errors.Is(err, cache.ErrPanic):
		t.r.stats.Panics.Add(1)
		t.r.log.Error("panic in an upstream query", "error", err)
		ede.Code = int(dns.ExtendedErrorCodeOther)
	}
	return t.send(reply{rcode: dns.RcodeServerFailure, ede: ede})
}

func violation(err error) bool {
	for _, e := range []error{answer.ErrLoop, answer.ErrChain, answer.ErrMixed, answer.ErrTooMany, answer.ErrName, errTooManyServers} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// malformed replies to what is no question, and records it. Strangers get no reply and no event: they could fill both with noise.
func (r *Resolver) malformed(packet []byte, from netip.AddrPort, transport string, why *query.Refusal) []byte {
	r.stats.Malformed.Add(1)
	if !r.gate.Policy().Client(from.Addr()).Served || why.Drop {
		r.stats.Dropped.Add(1)
		return nil
	}
	t := r.begin(query.Query{}, from, transport)
	defer t.end()
	t.x.Refuse(t.begun, verdict.SafetyDNS, verdict.PlaceQuery, why.Kind)
	t.record.rcode = answer.RCode(int(why.RCode))
	return query.HeaderReply(packet, why.RCode)
}

// rescue turns a panic into SERVFAIL.
func (r *Resolver) rescue(packet []byte, out *[]byte) {
	p := recover()
	if p == nil {
		return
	}
	r.stats.Panics.Add(1)
	r.log.Error("panic in a DNS query", "panic", redact.Text(fmt.Sprint(p)))
	*out = query.HeaderReply(packet, dns.RcodeServerFailure)
}
