package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"weir/internal/ca"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/verdict"
)

const (
	// maxAddrs bounds the addresses of one name that are judged: the largest honest answers have about a dozen.
	maxAddrs = 16
	// maxChain bounds the CNAMEs that are judged: 11 in each family, where resolvers give up. A longer chain leads nowhere, for a name that is not
	// judged must not be gone to.
	maxChain = 2 * 11
	// maxAttempts bounds the addresses that are dialled for one request.
	maxAttempts = 4
)

// admit resolves the target of x and returns the addresses that may be dialled, in the order to try.
func (t *Transport) admit(ctx context.Context, x *gate.Exchange) ([]netip.AddrPort, *Error) {
	target := x.Target()
	switch v := x.Verdict(); {
	case v.Blocks():
		return nil, blocked(v)
	case target.IsZero() || target.Port == 0:
		return nil, internal("exchange without a target")
	}
	asked, cancel := context.WithTimeout(ctx, t.cfg.DialTimeout)
	defer cancel()
	found, failure := t.resolve(asked, ctx, x, target)
	if failure != nil {
		return nil, failure
	}
	var admitted []netip.AddrPort
	var refused verdict.Verdict
	for _, a := range found.Addrs {
		v := x.Address(time.Now(), verdict.PlaceDial, a)
		if v.Blocks() {
			refused = v
			continue
		}
		addr := netip.AddrPortFrom(a, target.Port)
		if t.own(addr) {
			return nil, blocked(x.Refuse(time.Now(), verdict.SafetyLoop, verdict.PlaceDial, addr.String()))
		}
		admitted = append(admitted, addr)
	}
	if len(admitted) == 0 {
		return nil, blocked(x.Unreachable(refused))
	}
	// Behind the addresses, for what a list says of them goes before what it says of name servers; before the dial, so that nothing is sent there.
	if failure = t.judgeServers(asked, ctx, x, target, found.Chain); failure != nil {
		return nil, failure
	}
	admitted = interleave(admitted)
	return admitted[:min(len(admitted), maxAttempts)], nil
}

// resolve returns where the target leads to, at least one address, after its CNAMEs were judged. asked is what the resolver may take of ctx.
func (t *Transport) resolve(asked, ctx context.Context, x *gate.Exchange, target hostname.Authority) (Answer, *Error) {
	if target.IsAddr() {
		return Answer{Addrs: []netip.Addr{target.Addr}}, nil
	}
	if t.cfg.Resolver == nil {
		return Answer{}, internal("no resolver")
	}
	found, err := t.cfg.Resolver.Addresses(asked, target.Name)
	if failure := unresolved(ctx, nil); failure != nil {
		return Answer{}, failure
	}
	if v, long := judgeChain(x, found.Chain); v.Blocks() {
		return Answer{}, blocked(v)
	} else if long {
		err = errChain
	}
	if failure := unresolved(ctx, err); failure != nil {
		return Answer{}, failure
	}
	out := Answer{Chain: found.Chain}
	for _, a := range found.Addrs {
		if a = a.WithZone("").Unmap(); a.IsValid() && len(out.Addrs) < maxAddrs && !slices.Contains(out.Addrs, a) {
			out.Addrs = append(out.Addrs, a)
		}
	}
	if len(out.Addrs) == 0 {
		return Answer{}, &Error{Source: SourceUpstream, Kind: KindDNS, Err: errNoAddress}
	}
	return out, nil
}

// judgeChain shows the names that a target leads to to x, as far as they are judged.
func judgeChain(x *gate.Exchange, chain []hostname.Name) (v verdict.Verdict, long bool) {
	for _, name := range chain[:min(len(chain), maxChain)] {
		if v = x.Name(time.Now(), verdict.PlaceCNAME, name); v.Blocks() {
			return v, false
		}
	}
	return x.Verdict(), len(chain) > maxChain
}

var (
	errChain     = errors.New("chain of CNAMEs that is too long")
	errNoAddress = errors.New("the name has no address")
)

// unresolved makes an Error of what a resolver failed with; nil when it did not, and the client is still there.
func unresolved(ctx context.Context, err error) *Error {
	switch {
	case ctx.Err() != nil:
		return &Error{Source: SourceClient, Kind: KindCanceled, Err: ctx.Err()}
	case err != nil:
		return &Error{Source: SourceUpstream, Kind: dnsKind(err), Err: err}
	}
	return nil
}

// judgeServers shows the name servers of a target that is a name to x.
func (t *Transport) judgeServers(asked, ctx context.Context, x *gate.Exchange, target hostname.Authority, chain []hostname.Name) *Error {
	if target.IsAddr() {
		return nil
	}
	err := t.cfg.Resolver.JudgeServers(asked, x, target.Name, chain)
	if v := x.Verdict(); v.Blocks() {
		return blocked(v)
	}
	return unresolved(ctx, err)
}

// interleave puts IPv6 and IPv4 addresses by turns, the family of the first one first (RFC 8305 section 4).
func interleave(in []netip.AddrPort) []netip.AddrPort {
	var first, second []netip.AddrPort
	for _, a := range in {
		if a.Addr().Is4() == in[0].Addr().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.AddrPort, 0, len(in))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// own says whether addr is one of our listeners: a request to it would come back for ever.
func (t *Transport) own(addr netip.AddrPort) bool {
	if t.cfg.OwnAddrs == nil {
		return false
	}
	for _, mine := range t.cfg.OwnAddrs() {
		if mine.Port() != addr.Port() {
			continue
		}
		if a := mine.Addr().WithZone("").Unmap(); a == addr.Addr() || a.IsUnspecified() && ofThisHost(addr.Addr()) {
			return true
		}
	}
	return false
}

// ofThisHost says whether an address is one of this machine's; when the machine does not tell, only loopback is known to be.
func ofThisHost(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// again says whether another address may be tried: only when this one could not be connected to, so that nothing was sent.
func again(ctx context.Context, x *gate.Exchange, err error) bool {
	var dial *dialError
	return errors.As(err, &dial) && ctx.Err() == nil && !x.Verdict().Blocks()
}

// explain makes an Error of whatever ended an attempt. A certificate that does not verify is booked as a safety refusal.
func (t *Transport) explain(ctx context.Context, x *gate.Exchange, body *upload, err error) *Error {
	var dial *dialError
	var handshake *handshakeError
	var framing *FramingError
	switch v := x.Verdict(); {
	case v.Blocks():
		return &Error{Source: SourceBlocked, Kind: KindBlocked, Verdict: v, Err: err}
	case ctx.Err() != nil:
		return &Error{Source: SourceClient, Kind: KindCanceled, Err: ctx.Err()}
	case body.failure() != nil:
		return &Error{Source: SourceClient, Kind: KindCanceled, Err: body.failure()}
	case errors.As(err, &dial):
		return &Error{Source: SourceUpstream, Kind: dialKind(err), Err: err}
	case errors.As(err, &handshake):
		return explainHandshake(x, handshake.err)
	case errors.As(err, &framing):
		return Malformed(x, framing)
	}
	return &Error{Source: SourceUpstream, Kind: exchangeKind(err), Err: err}
}

func explainHandshake(x *gate.Exchange, err error) *Error {
	code, text := ca.DescribeError(err)
	x.Note(func(e *event.Event) { e.CertError = code })
	out := &Error{Source: SourceUpstream, Kind: KindTLS, CertCode: code, CertText: text, Err: err}
	var verification *tls.CertificateVerificationError
	switch {
	case code == ca.CodeHandshake, code == ca.CodeOther && !errors.As(err, &verification):
		if timedOut(err) {
			out.Kind, out.CertCode, out.CertText = KindTimeout, "", ""
		}
	default:
		out.Source, out.Kind = SourceBlocked, KindCertificate
		out.Verdict = x.Refuse(time.Now(), verdict.SafetyCertificate, verdict.PlaceTLS, code)
	}
	return out
}

// Malformed books a violation of framing in a response as a safety refusal of x, and returns the Error that says so.
func Malformed(x *gate.Exchange, e *FramingError) *Error {
	v := x.Refuse(time.Now(), verdict.SafetyFraming, verdict.PlaceReply, e.Kind.String())
	return &Error{Source: SourceBlocked, Kind: KindProtocol, Verdict: v, Err: e}
}

// failed counts a failure, and writes one that is no verdict into the event.
func (t *Transport) failed(x *gate.Exchange, e *Error) {
	t.stats.Failures[e.Kind].Add(1)
	if x == nil || e.Source == SourceBlocked {
		return
	}
	x.Note(func(ev *event.Event) {
		if ev.Error == "" {
			ev.Error = e.Error()
		}
	})
}
