package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"weir/internal/hostname"
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
	found, err := j.addresses(ctx, name)
	if err != nil {
		return Answer{}, err
	}
	place := verdict.PlaceAnswer
	if strings.Contains(target, "://") {
		place = verdict.PlaceDial
	}
	for _, n := range found.Chain {
		x.Name(now, verdict.PlaceCNAME, n)
	}
	for _, a := range found.Addrs {
		x.Unreachable(x.Address(now, place, a))
	}
	return j.answer(target, x), nil
}

// addresses asks the upstreams of the config where a name leads to; a name that leads nowhere is no error.
func (j *Judge) addresses(ctx context.Context, name hostname.Name) (resolver.Answer, error) {
	r, err := newResolver(j.core.current().File, j.core.gate, slog.New(slog.DiscardHandler), false)
	if err != nil {
		return resolver.Answer{}, err
	}
	found, err := r.Addresses(ctx, name)
	if errors.Is(err, resolver.ErrNoName) || errors.Is(err, resolver.ErrNoAddress) {
		err = nil
	}
	return found, errors.Join(err, r.Shutdown(ctx))
}
