package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"weir/internal/gate"
	"weir/internal/verdict"
	"weir/resolver"
)

// Resolve is Check, and then judges where a name leads to: it asks the upstreams of the config, outside any running weir.
func (j *Judge) Resolve(ctx context.Context, now time.Time, target string) (Answer, error) {
	x, err := j.core.gate.Check(now, j.client, target)
	if err != nil {
		return Answer{}, err
	}
	defer x.Done(now)
	name := x.Target().Name
	if name.IsZero() || x.Verdict().Blocks() {
		return j.answer(target, x), nil
	}
	r, err := newResolver(j.core.current().File, j.core.gate, slog.New(slog.DiscardHandler), false)
	if err != nil {
		return Answer{}, err
	}
	err = errors.Join(j.follow(ctx, now, r, x, strings.Contains(target, "://")), r.Shutdown(ctx))
	if err != nil {
		return Answer{}, err
	}
	return j.answer(target, x), nil
}

// follow judges where the target of x leads to: as the proxy does where dial says so, else as the resolver does.
func (j *Judge) follow(ctx context.Context, now time.Time, r *resolver.Resolver, x *gate.Exchange, dial bool) error {
	name := x.Target().Name
	found, err := r.Addresses(ctx, name)
	if err != nil && !errors.Is(err, resolver.ErrNoName) && !errors.Is(err, resolver.ErrNoAddress) {
		return err
	}
	if dial {
		judgeDial(now, x, found)
	} else {
		judgeAnswer(now, x, found)
	}
	if x.Verdict().Blocks() || dial && len(found.Addrs) == 0 {
		return nil
	}
	return r.JudgeServers(ctx, x, name, found.Chain)
}

// judgeAnswer judges where a name leads to as the resolver does: the first block condemns the whole answer.
func judgeAnswer(now time.Time, x *gate.Exchange, found resolver.Answer) {
	for _, n := range found.Chain {
		if x.Name(now, verdict.PlaceCNAME, n).Blocks() {
			return
		}
	}
	for _, a := range found.Addrs {
		if x.Address(now, verdict.PlaceAnswer, a).Blocks() {
			return
		}
	}
}

// judgeDial judges where a name leads to as the proxy does: one address that may be reached is enough.
func judgeDial(now time.Time, x *gate.Exchange, found resolver.Answer) {
	for _, n := range found.Chain {
		if x.Name(now, verdict.PlaceCNAME, n).Blocks() {
			return
		}
	}
	var refused verdict.Verdict
	admitted := false
	for _, a := range found.Addrs {
		if v := x.Address(now, verdict.PlaceDial, a.Unmap()); v.Blocks() {
			refused = v
		} else {
			admitted = true
		}
	}
	if !admitted && len(found.Addrs) > 0 {
		x.Unreachable(refused)
	}
}
