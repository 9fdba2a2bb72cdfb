// Package session holds what is known of one client connection, and the register of everything that is live on such
// connections, so that it can be admitted again after a change of policy and drained at the end. Stages (1) to (6) share it.
// Layer L5.
package session

import (
	"context"
	"net/netip"
	"sync/atomic"

	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// Session is one client connection: a plain proxy connection, or the inside of one CONNECT tunnel. It is made before the first
// request on it is read and not changed after, but for Socket.
type Session struct {
	// Flow is what the gate knows of the connection. Its Authorized target is set inside a CONNECT tunnel.
	Flow *inspect.Flow
	// Tunnel is the exchange of the CONNECT that opened the tunnel; nil on plain proxy connections.
	Tunnel *gate.Exchange
	// Secure says whether the client speaks TLS inside the tunnel.
	Secure bool
	// Reset ends the client's connection with an error, so that a message cut short never looks whole; nil when it cannot be.
	Reset func()
	// Violation returns the violation of framing within a body that ended the stream of the client, as an error; nil when there is
	// none so far. Readers of bodies may lose it: net/http says only that a trailer section ended early. It may be nil.
	Violation func() error
	// Blocked says that the tunnel was refused and exists only to show why: every request in it is answered with the page of
	// Tunnel, and nothing goes upstream.
	Blocked bool
	// Socket ends the WebSocket that has taken the connection over, with a close frame that names the verdict; nil while there
	// is none. Who cuts the tunnel asks it first, or the client would see a reset in place of the reason.
	Socket atomic.Pointer[func(verdict.Verdict)]
}

// Inside says whether the session is the inside of a CONNECT tunnel.
func (s *Session) Inside() bool { return s.Tunnel != nil }

type (
	exchangeKey struct{}
	sessionKey  struct{}
)

// With returns a context that carries the exchange of one request: upstream finds it there.
func With(ctx context.Context, x *gate.Exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// Exchange returns the exchange of the request that ctx belongs to; nil when there is none.
func Exchange(ctx context.Context) *gate.Exchange {
	x, _ := ctx.Value(exchangeKey{}).(*gate.Exchange)
	return x
}

// WithSession returns the base context of a client connection.
func WithSession(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// Of returns the session of the connection that ctx belongs to; nil when there is none.
func Of(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// FlowNow returns the flow with its client looked up under the policy in force: a connection that is kept alive outlives policies.
func (s *Session) FlowNow(g *gate.Gate) *inspect.Flow {
	c := g.Policy().Client(s.Flow.Client.Addr)
	if c == s.Flow.Client {
		return s.Flow
	}
	flow := *s.Flow
	flow.Client = c
	return &flow
}

// Plain makes the session of a client connection that was just accepted from remote, a v4-mapped address of which counts as IPv4.
func Plain(g *gate.Gate, remote netip.AddrPort) *Session {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	return &Session{Flow: &inspect.Flow{Client: g.Policy().Client(remote.Addr()), Remote: remote, Transport: "tcp"}}
}
