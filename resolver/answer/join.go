package answer

import (
	"slices"

	"github.com/miekg/dns"

	"weir/internal/hostname"
)

// Cut returns the name that an answer stops at: its chain leads there, but it neither has records of the asked type there nor says
// with an SOA that there are none (RFC 2308 section 2.2). Some upstreams leave the rest of a chain to whoever asks.
func (a *Answer) Cut() (target hostname.Name, cut bool) {
	if a.RCode != dns.RcodeSuccess || !a.Negative || len(a.Chain) < 2 || a.soa() != nil {
		return hostname.Name{}, false
	}
	return a.Chain[len(a.Chain)-1], true
}

// Part is an answer and the seconds since it was fetched.
type Part struct {
	*Answer
	Age uint32
}

// Join puts the answer for the name that p was [Answer.Cut] at behind it. Records are copied, with the TTL that is left, so that the
// age of the whole is 0. An error wraps [ErrLoop] or [ErrChain].
func (p Part) Join(next Part) (Part, error) {
	whole := &Answer{
		RCode: next.RCode, AD: p.AD && next.AD, Negative: next.Negative, TTL: min(p.TTL, next.TTL), Wire: p.Wire + next.Wire,
		Chain: slices.Clone(p.Chain), Records: append(p.aged(p.Records), next.aged(next.Records)...),
		Authority: append(p.aged(p.Authority), next.aged(next.Authority)...),
	}
	for _, n := range next.Chain[min(1, len(next.Chain)):] {
		if slices.Contains(whole.Chain, n) {
			return Part{}, ErrLoop
		}
		whole.Chain = append(whole.Chain, n)
	}
	if len(whole.Chain) > MaxChain+1 {
		return Part{}, ErrChain
	}
	return Part{Answer: whole}, nil
}

// aged copies records with the TTL that is left.
func (p Part) aged(records []dns.RR) []dns.RR {
	out := make([]dns.RR, 0, len(records))
	for _, rr := range records {
		c := dns.Copy(rr)
		c.Header().Ttl -= min(c.Header().Ttl, p.Age)
		out = append(out, c)
	}
	return out
}
