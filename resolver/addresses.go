package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/answer"
	"weir/resolver/query"
)

// Errors of [Resolver.Addresses]; each is wrapped with the name.
var (
	ErrNoName    = errors.New("no such name")
	ErrNoAddress = errors.New("name has no address")
)

// Answer is where a name leads to. Nothing in it was judged.
type Answer struct {
	Addrs []netip.Addr    // of A, then of AAAA
	Chain []hostname.Name // the names that CNAMEs and DNAMEs lead to, the asked one left out
}

// Addresses resolves a name for the proxy: A and AAAA at once, through the same cache and the same joining of questions as the
// queries of clients. It judges nothing and records no event: the proxy's own transaction does both. One family is enough; when
// neither has an address, the error wraps ErrNoName or ErrNoAddress, or says why no upstream answered.
func (r *Resolver) Addresses(ctx context.Context, name hostname.Name) (Answer, error) {
	if name.IsZero() {
		return Answer{}, fmt.Errorf("resolve the root: %w", ErrNoAddress)
	}
	type found struct {
		answer *answer.Answer
		err    error
	}
	six := make(chan found, 1)
	go func() {
		a, err := r.lookup(ctx, query.Key{Name: name, Type: dns.TypeAAAA, Class: query.ClassIN})
		six <- found{a, err}
	}()
	v4, err4 := r.lookup(ctx, query.Key{Name: name, Type: dns.TypeA, Class: query.ClassIN})
	v6 := <-six
	var out Answer
	out.add(v4)
	out.add(v6.answer)
	if len(out.Addrs) > 0 {
		return out, nil
	}
	return out, fmt.Errorf("resolve %s: %w", name, without(v4, v6.answer, errors.Join(err4, v6.err)))
}

// lookup is one question without a client. A chain that the upstream cut is followed to its end.
func (r *Resolver) lookup(ctx context.Context, key query.Key) (*answer.Answer, error) {
	first, err := r.piece(ctx, key)
	if err != nil {
		return nil, err
	}
	whole, err := r.follow(ctx, key, first, func(ctx context.Context, key query.Key) (answer.Part, bool, error) {
		next, err := r.piece(ctx, key)
		return next, true, err
	})
	return whole.Answer, err
}

func (r *Resolver) piece(ctx context.Context, key query.Key) (answer.Part, error) {
	if known, ok := r.known(key); ok {
		return known, nil
	}
	result, err := r.fetch(ctx, key)
	return r.part(result.Entry), err
}

func (a *Answer) add(from *answer.Answer) {
	if from == nil {
		return
	}
	a.Addrs = append(a.Addrs, from.Addrs()...)
	for _, n := range from.Chain[min(1, len(from.Chain)):] {
		a.Chain = appendNew(a.Chain, n)
	}
}

func appendNew(names []hostname.Name, n hostname.Name) []hostname.Name {
	if slices.Contains(names, n) {
		return names
	}
	return append(names, n)
}

// without says why there is no address.
func without(v4, v6 *answer.Answer, err error) error {
	for _, a := range []*answer.Answer{v4, v6} {
		if a != nil && a.RCode == dns.RcodeNameError {
			return ErrNoName
		}
	}
	if err != nil {
		return err
	}
	return ErrNoAddress
}
