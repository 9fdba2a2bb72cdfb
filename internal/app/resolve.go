package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"weir/internal/gate"
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
	judge := judgeAnswer
	if strings.Contains(target, "://") {
		judge = judgeDial
	}
	judge(now, x, found)
	return j.answer(target, x), nil
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
