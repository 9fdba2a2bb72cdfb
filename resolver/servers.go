package resolver

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/internal/verdict"
	"weir/resolver/answer"
	"weir/resolver/listener"
	"weir/resolver/query"
)

// Bounds of one search for name servers.
const (
	// maxLevels is how many of a name's zones are looked for: the two longest, between which most zone cuts lie, and the shortest
	// ones, which nobody can push out of sight by labels in front. Honest names have less.
	maxLevels = 16
	// maxServerQuestions is how many questions one query may cost: 5 zones of 13 servers with both families (RFC 9520 section 3 asks
	// for a bound; NXNSAttack is what happens without one). A name that needs more is refused: were it let through, a list could be
	// evaded by many servers.
	maxServerQuestions = 130
	// missingFor is how long servers that could not be found are not looked for again (RFC 9520 section 3.2: 1 s to 5 min), so that
	// a zone that does not answer costs one query its time and not all.
	missingFor = 30 * time.Second
	// serverShares is how many questions that nobody answers fit into the time of a search: two levels and the addresses.
	serverShares = 3
	// missingEntries bounds the memory for that.
	missingEntries = 4096
)

// errTooManyServers means that the zones of a name have more name servers than are looked at.
var errTooManyServers = errors.New("too many name servers")

// errNoServers means that name servers were looked for in vain a moment ago.
var errNoServers = errors.New("name servers could not be found a moment ago")

// serverSearch is the search for the name servers of the zones that one query led through.
type serverSearch struct {
	t       *transaction
	left    int // questions to upstreams
	entered bool
	route   int
	seen    map[hostname.Name]bool // zones looked for
	names   []hostname.Name
}

// judgeServers shows the name servers of every zone above the asked name, and above each name of its chain, to the gate, when a list asks about
// them (RPZ NSDNAME and NSIP): behind the answer, for its triggers go before these. The zones are looked for as BIND does with min-ns-dots 1: from the
// name up to, but not including, those of one label. Names of internal zones are left out.
//
// What cannot be found out is let through and counted, as by BIND: to refuse it would make every zone unreachable whose servers
// answer for addresses alone, as many load balancers do. What has more servers than are looked at is refused.
func (t *transaction) judgeServers(ctx context.Context, whole answer.Part) error {
	names, addrs := t.x.Servers()
	if !names && !addrs {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.r.client.Timeout())
	defer cancel()
	s := &serverSearch{t: t, left: maxServerQuestions, seen: map[hostname.Name]bool{}}
	defer s.leave()
	for i, n := range whole.Chain {
		if t.r.client.Route(n) > 0 {
			continue
		}
		var zone hostname.Name // of the last name, when the answer says it
		if i == len(whole.Chain)-1 {
			zone, _ = whole.Zone()
		}
		if err := s.zones(ctx, n, zone); err != nil {
			return err
		}
	}
	if s.judgeNames(t.r.now()) || !addrs {
		return nil
	}
	found, err := s.addresses(ctx)
	if err != nil {
		return err
	}
	for _, addr := range found {
		if t.x.Address(t.r.now(), verdict.PlaceServer, addr); t.x.Verdict().Blocks() {
			break
		}
	}
	return nil
}

// judgeNames shows the names in an order that does not depend on that of the answers.
func (s *serverSearch) judgeNames(now time.Time) (blocked bool) {
	slices.SortFunc(s.names, func(a, b hostname.Name) int { return strings.Compare(a.String(), b.String()) })
	for _, n := range s.names {
		if s.t.x.Name(now, verdict.PlaceServer, n).Blocks() {
			return true
		}
	}
	return false
}

// zones collects the name servers of the zones that n lies in. zone, when it is known, is the closest of them.
func (s *serverSearch) zones(ctx context.Context, n, zone hostname.Name) error {
	for _, at := range levels(n) {
		if s.seen[at] || !zone.IsZero() && at != zone && at.Within(zone) {
			continue
		}
		s.seen[at] = true
		part, err := s.ask(ctx, question(at, dns.TypeNS))
		switch {
		case errors.Is(err, errTooManyServers), errors.Is(err, errOverLimit):
			return err
		case err != nil:
			s.t.r.stats.ServersUnknown.Add(1)
			continue
		}
		s.collect(at, part.Answer)
		if up, ok := part.Zone(); ok && up != at && at.Within(up) {
			zone = up // there is no zone cut in between
		}
	}
	return nil
}

// collect adds the name servers that an answer gives to a zone; those of the target of a CNAME belong to another one.
func (s *serverSearch) collect(zone hostname.Name, a *answer.Answer) {
	for _, rr := range a.Records {
		ns, ok := rr.(*dns.NS)
		if !ok || ns.Hdr.Name != zone.String()+"." {
			continue
		}
		if n, err := hostname.FromDNS(ns.Ns); err == nil && !slices.Contains(s.names, n) {
			s.names = append(s.names, n)
		}
	}
}

// levels lists a name and the names above it that have a dot, at most maxLevels of them.
func levels(n hostname.Name) (out []hostname.Name) {
	for ok := true; ok && n.Labels() > 1; n, ok = n.Parent() {
		out = append(out, n)
	}
	if over := len(out) - maxLevels; over > 0 {
		out = slices.Delete(out, 2, 2+over)
	}
	return out
}

func question(n hostname.Name, qtype uint16) query.Key {
	return query.Key{Name: n, Type: qtype, Class: query.ClassIN}
}

// ask answers from the cache or asks an upstream.
func (s *serverSearch) ask(ctx context.Context, key query.Key) (answer.Part, error) {
	if part, ok := s.t.r.known(key); ok {
		return part, nil
	}
	if err := s.prepare(ctx, key); err != nil {
		return answer.Part{}, err
	}
	return s.t.r.seek(ctx, key)
}

// prepare makes room for a question to an upstream. Like any that waits, the search counts among the pending ones of its client.
func (s *serverSearch) prepare(ctx context.Context, key query.Key) error {
	r := s.t.r
	if _, missing := r.missing.Get(key, r.now()); missing {
		return errNoServers
	}
	if s.left--; s.left < 0 {
		return errTooManyServers
	}
	if !s.entered {
		s.route = r.client.Route(s.t.q.Name)
		if !r.pending.Enter(s.t.client, s.route) {
			return errOverLimit
		}
		s.entered = true
		listener.Park(ctx)
	}
	return nil
}

func (s *serverSearch) leave() {
	if s.entered {
		s.t.r.pending.Leave(s.t.client, s.route)
	}
}

// seek asks an upstream about name servers, with a share of the time of the search, and remembers when that brought nothing. A question that
// the search had no time left for is not remembered: the next search asks it.
func (r *Resolver) seek(ctx context.Context, key query.Key) (answer.Part, error) {
	r.stats.Servers.Add(1)
	share, cancel := context.WithTimeout(ctx, r.client.Timeout()/serverShares)
	defer cancel()
	result, err := r.fetch(share, key)
	if err != nil {
		if ctx.Err() == nil {
			r.missing.Put(key, &answer.Answer{TTL: missingFor}, r.now())
		}
		return answer.Part{}, err
	}
	return r.part(result.Entry), nil
}

// addresses finds the addresses of all name servers that were collected, at once.
func (s *serverSearch) addresses(ctx context.Context) ([]netip.Addr, error) {
	var out []netip.Addr
	var unknown []query.Key
	for _, n := range s.names {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			key := question(n, qtype)
			if part, ok := s.t.r.known(key); ok {
				out = append(out, part.Addrs()...)
				continue
			}
			switch err := s.prepare(ctx, key); {
			case errors.Is(err, errNoServers):
				s.t.r.stats.ServersUnknown.Add(1)
			case err != nil:
				return nil, err
			default:
				unknown = append(unknown, key)
			}
		}
	}
	return append(out, s.t.r.seekAll(ctx, unknown)...), nil
}

// seekAll asks several questions at once; the addresses come in the order of the questions.
func (r *Resolver) seekAll(ctx context.Context, keys []query.Key) (out []netip.Addr) {
	found := make([][]netip.Addr, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() {
			part, err := r.seek(ctx, key)
			if err != nil {
				r.stats.ServersUnknown.Add(1)
				return
			}
			found[i] = part.Addrs()
		})
	}
	all.Wait()
	return slices.Concat(found...)
}
