package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/resolver/answer"
	"weir/resolver/query"
)

// rewritten replies with the records of the list that decided. Where they are a CNAME, its target is resolved through the stages (4)
// to (7) and put behind it; what is blocked there is answered as that block speaks. Nothing of it is cached but what upstreams sent.
func (t *transaction) rewritten(ctx context.Context, ttl time.Duration) []byte {
	t.r.stats.Rewritten.Add(1)
	if t.q.Type == dns.TypeANY { // as for any other name
		return t.send(reply{answer: answer.NoAny(t.q.Key, ttl), ede: t.why(t.x.Verdict())})
	}
	for range maxFollowed {
		v := t.x.Verdict()
		own, err := answer.Data(t.q.Key, t.x.Records(), ttl)
		if err != nil {
			t.record.err = redact.Error(err)
		}
		switch {
		case errors.Is(err, answer.ErrLong): // RFC 6672 section 2.2
			return t.send(reply{rcode: dns.RcodeYXDomain, ede: t.why(v)})
		case own == nil:
			return t.failed(err)
		}
		part, blocked, err := t.behind(ctx, answer.Part{Answer: own})
		switch now := t.x.Verdict(); {
		case err != nil:
			return t.failed(err)
		case !blocked:
			return t.send(reply{rcode: part.RCode, answer: part.Answer, age: part.Age, ede: t.why(v)})
		case now.Answer.Kind != verdict.AnswerData:
			return t.speak(now, ttl)
		}
		// The target is rewritten itself, by another list: its records are the answer.
	}
	return t.failed(fmt.Errorf("%s: %w", t.q.FQDN(), answer.ErrLoop))
}

// behind completes an answer that a list gave. blocked: the verdict is now that on what lies behind it.
func (t *transaction) behind(ctx context.Context, own answer.Part) (whole answer.Part, blocked bool, err error) {
	w := &walled{x: t.x, v: verdict.Verdict{Action: verdict.Allow}}
	if target, cut := own.Cut(); !cut {
		return own, false, nil
	} else if w.Name(t.r.now(), verdict.PlaceCNAME, target).Blocks() {
		return own, true, nil
	}
	whole, err = t.r.follow(ctx, t.q.Key, own, func(ctx context.Context, key query.Key) (answer.Part, bool, error) {
		next, err := t.piece(ctx, key)
		if err != nil {
			return next, false, err
		}
		return next, !answer.Judge(t.r.now(), w, next.Answer).Blocks(), nil
	})
	if w.refused != "" && err == nil {
		err = fmt.Errorf("%q behind %s: %w", w.refused, t.q.FQDN(), answer.ErrName)
	}
	return whole, w.v.Blocks(), err
}

// walled is the gate for what lies behind the CNAME of a list.
type walled struct {
	x *gate.Exchange
	v verdict.Verdict // the strictest so far
	// refused is a target that is no name: the whole answer is none then.
	refused string
}

var _ answer.Gate = (*walled)(nil)

// Name implements answer.Gate.
func (w *walled) Name(now time.Time, place verdict.Place, name hostname.Name) verdict.Verdict {
	return w.add(w.x.Rewritten(now, place, name, netip.Addr{}))
}

// Address implements answer.Gate.
func (w *walled) Address(now time.Time, place verdict.Place, addr netip.Addr) verdict.Verdict {
	return w.add(w.x.Rewritten(now, place, hostname.Name{}, addr))
}

// Refuse implements answer.Gate.
func (w *walled) Refuse(_ time.Time, s verdict.Safety, _ verdict.Place, subject string) verdict.Verdict {
	w.refused = subject
	return w.add(verdict.Refuse(s))
}

// Verdict implements answer.Gate.
func (w *walled) Verdict() verdict.Verdict { return w.v }

func (w *walled) add(v verdict.Verdict) verdict.Verdict {
	w.v = w.v.Worse(v)
	return w.v
}
