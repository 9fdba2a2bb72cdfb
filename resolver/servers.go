package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/verdict"
	"weir/resolver/answer"
	"weir/resolver/cache"
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
	// soughtFor is how long what a search learnt is kept at least, whatever its TTL: servers that could not be found (RFC 9520 section 3.2: 1 s to
	// 5 min), so that a zone that does not answer costs one query its time and not all; and those that may not be kept, so that nobody turns each query
	// into maxServerQuestions by a TTL of zero.
	soughtFor = 30 * time.Second
	// serverShares is how many questions that nobody answers fit into the time of a search: two levels and the addresses.
	serverShares = 3
	// seekingPerClient is how many questions about name servers one client may have under way: four of the dearest searches, or those of some dozen
	// pages that open at once. Without it, each of a client's pending queries could be worth maxServerQuestions packets.
	seekingPerClient = 4 * maxServerQuestions
	// seekingTotal is how many there may be in all.
	seekingTotal = 4 * seekingPerClient
	// soughtEntries bounds the memory for that.
	soughtEntries = 4096
)

// Codes of what Resolver.sought keeps beside answers, which have others.
const (
	notFound = dns.RcodeServerFailure // nobody could answer
	tooLarge = dns.RcodeRefused       // longer than what is kept: no honest zone has so many servers
)

// errTooManyServers means that the zones of a name have more name servers than are looked at.
var errTooManyServers = errors.New("too many name servers")

// errNoServers means that name servers were looked for in vain a moment ago.
var errNoServers = errors.New("name servers could not be found a moment ago")

// serverSearch is the search for the name servers of the zones that one transaction led through.
type serverSearch struct {
	r       *Resolver
	x       *gate.Exchange
	client  netip.Prefix // what counts as one client
	route   int          // of the asked name
	left    int          // questions to upstreams
	entered bool
	noted   bool                   // the trace says that something could not be found out
	seen    map[hostname.Name]bool // zones looked for
	names   []hostname.Name
}

// JudgeServers shows the name servers of a name that [Resolver.Addresses] resolved, and of its chain, to the gate, in the transaction x of
// whoever goes there: what the resolver does with its own queries, for the proxy. Without a list that asks about name servers it does nothing. What blocks
// is in the verdict of x. An error means that it was not found out whether something does, and that nobody may go there: there are too many questions
// under way, or ctx ended first; that of ctx is wrapped. What cannot be found out in the time of one query is let through and counted.
func (r *Resolver) JudgeServers(ctx context.Context, x *gate.Exchange, name hostname.Name, chain []hostname.Name) error {
	if name.IsZero() {
		return nil
	}
	err := r.judgeServers(ctx, x, append([]hostname.Name{name}, chain...), r.zoneOf(name))
	if errors.Is(err, errTooManyServers) {
		x.Refuse(r.now(), verdict.SafetyDNS, verdict.PlaceServer, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("name servers of %s: %w", name, err)
	}
	return nil
}

// zoneOf returns the zones that answers in the cache tell, by the name that they are about: a negative one of either family does.
func (r *Resolver) zoneOf(name hostname.Name) map[hostname.Name]hostname.Name {
	zones := map[hostname.Name]hostname.Name{}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if part, ok := r.known(question(name, qtype)); ok {
			told(zones, part)
		}
	}
	return zones
}

// told adds the zone of the last name of an answer, when the answer says it.
func told(zones map[hostname.Name]hostname.Name, part answer.Part) {
	if zone, ok := part.Zone(); ok && len(part.Chain) > 0 {
		zones[part.Chain[len(part.Chain)-1]] = zone
	}
}

// judgeServers is [Resolver.JudgeServers] for the names of a query, the asked one first. zones are those that are known, by name.
//
// The name servers of every zone above each name are shown: behind the answer, for its triggers go before these (RPZ NSDNAME and NSIP). The zones are
// looked for as BIND does with min-ns-dots 1: from the name up to, but not including, those of one label. Names of internal zones are left out.
//
// What cannot be found out is let through and counted, as by BIND: to refuse it would make every zone unreachable whose servers
// answer for addresses alone, as many load balancers do. What has more servers than are looked at is refused.
func (r *Resolver) judgeServers(caller context.Context, x *gate.Exchange, chain []hostname.Name, zones map[hostname.Name]hostname.Name) error {
	names, addrs := x.Servers()
	if !names && !addrs {
		return nil
	}
	ctx, cancel := context.WithTimeout(caller, r.client.Timeout())
	defer cancel()
	s := &serverSearch{
		r: r, x: x, client: listener.Client(x.Client()), route: r.client.Route(chain[0]), left: maxServerQuestions, seen: map[hostname.Name]bool{},
	}
	defer s.leave()
	if err := s.judge(ctx, chain, zones, addrs); err != nil {
		return err
	}
	if x.Verdict().Blocks() {
		return nil
	}
	return context.Cause(caller) // whose time is over did not wait for what might have come
}

func (s *serverSearch) judge(ctx context.Context, chain []hostname.Name, zones map[hostname.Name]hostname.Name, addrs bool) error {
	for _, n := range chain {
		if s.r.client.Route(n) > 0 {
			continue
		}
		if err := s.zones(ctx, n, zones[n]); err != nil {
			return err
		}
	}
	if s.judgeNames(s.r.now()) || !addrs {
		return nil
	}
	found, err := s.addresses(ctx)
	if err != nil {
		return err
	}
	for _, addr := range found {
		if s.x.Address(s.r.now(), verdict.PlaceServer, addr); s.x.Verdict().Blocks() {
			break
		}
	}
	return nil
}

// unknown counts what could not be found out; the trace says the first.
func (s *serverSearch) unknown(n hostname.Name) {
	s.r.stats.ServersUnknown.Add(1)
	if !s.noted {
		s.noted = true
		s.x.Unknown(s.r.now(), verdict.PlaceServer, n.String())
	}
}

// judgeNames shows the names in an order that does not depend on that of the answers.
func (s *serverSearch) judgeNames(now time.Time) (blocked bool) {
	slices.SortFunc(s.names, func(a, b hostname.Name) int { return strings.Compare(a.String(), b.String()) })
	for _, n := range s.names {
		if s.x.Name(now, verdict.PlaceServer, n).Blocks() {
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
		case refuses(err):
			return err
		case err != nil:
			s.unknown(at)
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

// known answers from what is kept. Without an answer and an error, an upstream has to be asked.
func (s *serverSearch) known(key query.Key) (part answer.Part, ok bool, err error) {
	if part, ok = s.r.known(key); ok {
		return part, true, nil
	}
	e, ok := s.r.sought.Get(key, s.r.now())
	switch {
	case !ok:
		return part, false, nil
	case e.Answer.RCode == notFound:
		return part, false, errNoServers
	case e.Answer.RCode == tooLarge:
		return part, false, errTooManyServers
	}
	return s.r.part(e), true, nil
}

// ask answers from what is kept or asks an upstream.
func (s *serverSearch) ask(ctx context.Context, key query.Key) (answer.Part, error) {
	if part, ok, err := s.known(key); ok || err != nil {
		return part, err
	}
	if err := s.prepare(ctx); err != nil {
		return answer.Part{}, err
	}
	return s.seek(ctx, key)
}

// prepare makes room for a question to an upstream. Like any that waits, the search counts among the pending ones of its client.
func (s *serverSearch) prepare(ctx context.Context) error {
	if s.left--; s.left < 0 {
		return errTooManyServers
	}
	if !s.entered {
		if !s.r.pending.Enter(s.client, s.route) {
			return errOverLimit
		}
		s.entered = true
		listener.Park(ctx)
	}
	return nil
}

func (s *serverSearch) leave() {
	if s.entered {
		s.r.pending.Leave(s.client, s.route)
	}
}

// seek asks an upstream about name servers, with a share of the time of the search, and keeps what that brought. A question that the search had no time
// left for is not remembered: the next search asks it. All searches of one client have so many questions under way and no more.
func (s *serverSearch) seek(ctx context.Context, key query.Key) (answer.Part, error) {
	r := s.r
	if !r.seeking.Enter(s.client, s.route) {
		return answer.Part{}, errOverLimit
	}
	defer r.seeking.Leave(s.client, s.route)
	r.stats.Servers.Add(1)
	share, cancel := context.WithTimeout(ctx, r.client.Timeout()/serverShares)
	defer cancel()
	result, err := r.fetch(share, key)
	switch {
	case err != nil && ctx.Err() != nil:
		return answer.Part{}, err
	case err != nil:
		r.remember(key, &answer.Answer{RCode: notFound})
		return answer.Part{}, err
	case result.Entry.Answer.Wire > cache.MaxWire:
		r.remember(key, &answer.Answer{RCode: tooLarge})
		return answer.Part{}, errTooManyServers
	case result.Entry.Answer.TTL < soughtFor:
		r.remember(key, result.Entry.Answer)
	}
	return r.part(result.Entry), nil
}

// remember keeps what a search learnt.
func (r *Resolver) remember(key query.Key, a *answer.Answer) {
	kept := *a
	kept.TTL = soughtFor
	r.sought.Put(key, &kept, r.now())
}

// addresses finds the addresses of all name servers that were collected, at once.
func (s *serverSearch) addresses(ctx context.Context) ([]netip.Addr, error) {
	var out []netip.Addr
	var unknown []query.Key
	for _, n := range s.names {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			key := question(n, qtype)
			part, ok, err := s.known(key)
			if !ok && err == nil {
				unknown, err = append(unknown, key), s.prepare(ctx)
			}
			switch {
			case errors.Is(err, errNoServers):
				s.unknown(n)
			case err != nil:
				return nil, err
			case ok:
				out = append(out, part.Addrs()...)
			}
		}
	}
	found, err := s.seekAll(ctx, unknown)
	return append(out, found...), err
}

// refuses says whether what a search failed with means that the name may not be gone to.
func refuses(err error) bool {
	return errors.Is(err, errOverLimit) || errors.Is(err, errTooManyServers)
}

// seekAll asks several questions at once; the addresses come in the order of the questions. One that refuses the name ends all.
func (s *serverSearch) seekAll(ctx context.Context, keys []query.Key) (out []netip.Addr, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, failed := make([][]netip.Addr, len(keys)), make([]error, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() {
			var part answer.Part
			if part, failed[i] = s.seek(ctx, key); failed[i] == nil {
				found[i] = part.Addrs()
			} else if refuses(failed[i]) {
				cancel()
			}
		})
	}
	all.Wait()
	if i := slices.IndexFunc(failed, refuses); i >= 0 {
		return nil, failed[i]
	}
	for i, err := range failed {
		if err != nil {
			s.unknown(keys[i].Name)
		}
	}
	return slices.Concat(found...), nil
}
