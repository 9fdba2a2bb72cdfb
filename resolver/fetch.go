package resolver

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/answer"
	"weir/resolver/cache"
	"weir/resolver/listener"
	"weir/resolver/query"
)

// maxFollowed is how many further questions one query may cost where the upstream cuts chains: as those who do this for a living
// (glibc and BIND's views stop at 8 to 16), and less than answer.MaxChain.
const maxFollowed = 8

// errOverLimit means that too many queries wait for upstreams.
var errOverLimit = errors.New("too many queries wait for upstreams")

// cached looks the question up in the cache.
func (t *transaction) cached() (answer.Part, bool) {
	e, ok := t.r.cache.Get(t.q.Key, t.begun)
	if !ok {
		return answer.Part{}, false
	}
	t.r.stats.Hits.Add(1)
	t.record.cache = "hit"
	return answer.Part{Answer: e.Answer, Age: e.Age(t.begun)}, true
}

// fetch asks an upstream, unless somebody else asks it the same at this moment. While it waits the query counts among its client's
// pending ones and no longer among the listener's workers: a client with many slow questions stands in nobody's way but its own.
func (t *transaction) fetch(ctx context.Context, key query.Key) (answer.Part, error) {
	r := t.r
	r.stats.Misses.Add(1)
	t.record.cache = "miss"
	route := r.client.Route(key.Name)
	if !r.pending.Enter(t.client, route) {
		return answer.Part{}, errOverLimit
	}
	defer r.pending.Leave(t.client, route)
	listener.Park(ctx)
	result, err := r.fetch(ctx, key)
	t.record.upstream = result.Upstream
	if result.Shared {
		r.stats.Shared.Add(1)
	}
	return r.part(result.Entry), err
}

// part is an entry as it is now.
func (r *Resolver) part(e cache.Entry) answer.Part {
	return answer.Part{Answer: e.Answer, Age: e.Age(r.now())}
}

func (r *Resolver) fetch(ctx context.Context, key query.Key) (cache.Result, error) {
	return r.flight.Do(ctx, r.ctx, key, func(ctx context.Context) (cache.Result, error) {
		if e, ok := r.cache.Get(key, r.now()); ok { // a flight that ended since we looked
			return cache.Result{Entry: e}, nil
		}
		reply, err := r.client.Exchange(ctx, key)
		if err != nil {
			return cache.Result{}, err
		}
		a, err := answer.Scrub(key, reply.Msg, reply.Wire, r.times)
		if err != nil {
			return cache.Result{Upstream: reply.Server}, fmt.Errorf("answer of %s: %w", reply.Server, err)
		}
		return cache.Result{Entry: r.cache.Put(key, a, r.now()), Upstream: reply.Server}, nil
	})
}

// judged shows an answer to the gate. Where the upstream cut its chain it asks for the rest, piece by piece, each judged before the
// next is asked for: a blocked name is not asked for. The name servers of all zones that it led through come last.
func (t *transaction) judged(ctx context.Context, whole answer.Part) (answer.Part, error) {
	if answer.Judge(t.r.now(), t.x, whole.Answer).Blocks() {
		return whole, nil
	}
	whole, err := t.r.follow(ctx, t.q.Key, whole, func(ctx context.Context, key query.Key) (answer.Part, bool, error) {
		next, err := t.piece(ctx, key)
		if err != nil {
			return next, false, err
		}
		return next, !answer.Judge(t.r.now(), t.x, next.Answer).Blocks(), nil
	})
	if err != nil || t.x.Verdict().Blocks() {
		return whole, err
	}
	zones := map[hostname.Name]hostname.Name{}
	told(zones, whole)
	return whole, t.r.judgeServers(ctx, t.x, whole.Chain, zones)
}

// piece answers for a name at the end of a chain, by the stages (4) to (6).
func (t *transaction) piece(ctx context.Context, key query.Key) (answer.Part, error) {
	if known, ok := t.r.known(key); ok {
		return known, nil
	}
	return t.fetch(ctx, key)
}

// known answers without an upstream: from our own knowledge or from the cache.
func (r *Resolver) known(key query.Key) (answer.Part, bool) {
	if a := local(key); a != nil {
		return answer.Part{Answer: a}, true
	}
	e, ok := r.cache.Get(key, r.now())
	if !ok {
		return answer.Part{}, false
	}
	return r.part(e), true
}

// asker answers for one name of a chain; more is false when that ends the matter.
type asker func(ctx context.Context, key query.Key) (next answer.Part, more bool, err error)

// follow completes an answer whose chain is cut with what ask brings. All of that has the time of one query.
func (r *Resolver) follow(ctx context.Context, key query.Key, whole answer.Part, ask asker) (answer.Part, error) {
	target, cut := whole.Cut()
	if !cut {
		return whole, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.client.Timeout())
	defer cancel()
	asked := key.FQDN()
	for range maxFollowed {
		r.stats.Followed.Add(1)
		key.Name = target
		next, more, err := ask(ctx, key)
		if err != nil || !more {
			return whole, err
		}
		if whole, err = whole.Join(next); err != nil {
			return whole, fmt.Errorf("%s: %w", asked, err)
		}
		if target, cut = next.Cut(); !cut {
			return whole, nil
		}
	}
	return whole, fmt.Errorf("%s: %w", asked, answer.ErrChain)
}

// overLimit replies SERVFAIL to a miss for which there is no room. Of each client, one event in a minute says so as an error; more
// would let it fill the log where only what is wrong is recorded.
func (t *transaction) overLimit(err error) []byte {
	t.r.stats.OverLimit.Add(1)
	if t.r.excess.Allow(t.client, t.begun) {
		t.record.err = err.Error()
	}
	return t.send(reply{rcode: dns.RcodeServerFailure, ede: answer.Reason{Code: int(dns.ExtendedErrorCodeOther), Text: err.Error()}})
}
