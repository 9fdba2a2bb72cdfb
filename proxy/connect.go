package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/proxy/blockpage"
	"weir/proxy/intercept"
	"weir/proxy/listener"
	"weir/proxy/session"
)

// tunnel is one CONNECT, stage (2), and what is inside, until the inner server or the splice has it.
type tunnel struct {
	s       *Server
	x       *gate.Exchange
	sess    *session.Session
	flow    *inspect.Flow
	w       *writer
	refused bool // without a page
	open    bool // somebody else ends it: the inner server's connection
}

type tunnelKey struct{}

func tunnelOf(ctx context.Context) *tunnel {
	t, _ := ctx.Value(tunnelKey{}).(*tunnel)
	return t
}

// serveConnect takes a CONNECT through the filters.
func (s *Server) serveConnect(w http.ResponseWriter, r *http.Request, sess *session.Session) {
	if sess.Inside() {
		s.nested(w, r, sess)
		return
	}
	s.stats.Connects.Add(1)
	flow := *sess.FlowNow(s.cfg.Gate) // the tunnel's own: what it is admitted for is written into it
	t := &tunnel{s: s, sess: sess, flow: &flow, w: newWriter(w, r)}
	t.x = s.cfg.Gate.Begin(inspect.Tunnel, t.flow, time.Now())
	w.Header().Set("Connection", "close") // in case it is not hijacked: what follows a CONNECT is never read as HTTP
	defer t.done()
	s.chain.ServeHTTP(t.w, r.WithContext(context.WithValue(session.With(r.Context(), t.x), tunnelKey{}, t)))
}

// nested refuses a CONNECT inside a tunnel, and extended CONNECT (RFC 8441), which no filter would see.
func (s *Server) nested(w http.ResponseWriter, r *http.Request, sess *session.Session) {
	x := s.cfg.Gate.Begin(inspect.HTTP, sess.FlowNow(s.cfg.Gate), time.Now())
	v := x.Refuse(time.Now(), verdict.SafetyUpgrade, verdict.PlaceRequest, "CONNECT")
	page := blockpage.Response(r, x, v)
	if r.ProtoMajor < 2 {
		page.Header.Set("Connection", "close")
	}
	out := newWriter(w, r)
	send(out, page)
	x.Note(func(e *event.Event) { e.Method, e.Status = r.Method, out.status })
	x.Done(time.Now())
}

// done ends a tunnel that nobody took over. A panic costs this tunnel and no other.
func (t *tunnel) done() {
	if how := recover(); how != nil {
		t.s.stats.Panics.Add(1)
		t.s.cfg.Log.Error("panic in a tunnel", "event", t.x.ID(), "panic", fmt.Sprint(how), "stack", string(debug.Stack()))
		t.x.Note(func(e *event.Event) { e.Error = "internal error: panic" })
		if t.w.hijacked == nil {
			t.w.WriteHeader(http.StatusBadGateway)
		}
	}
	if t.open {
		return
	}
	if t.w.hijacked != nil {
		_ = t.w.hijacked.Close()
	}
	t.x.Done(time.Now())
}

// admit decides about the authority. It returns the page of a refusal; nil means that the tunnel opens, or that refused says no
// without a word.
func (t *tunnel) admit(r *http.Request) *http.Response {
	now := time.Now()
	if looped(r.Header, t.s.pseudonym) {
		t.x.Refuse(now, verdict.SafetyLoop, verdict.PlaceConnect, "Via")
	}
	v := t.x.Connect(now, r.URL.Host)
	if target := t.x.Target(); !v.Blocks() && target.IsAddr() && slices.Contains(t.s.own(), netip.AddrPortFrom(target.Addr, target.Port)) {
		v = t.x.Refuse(now, verdict.SafetyLoop, verdict.PlaceConnect, target.String())
	}
	t.flow.Authorized = t.x.Target()
	switch {
	case !v.Blocks():
		return nil
	case blockpage.Drops(v):
		t.refused = true
		return nil
	case v.Cause != verdict.CauseSafety && v.Answer.Kind != verdict.AnswerRefused && t.x.Interception(now) == policy.Intercept:
		return nil // it opens only to show the page inside, where a browser displays it
	}
	page := blockpage.Response(r, t.x, v)
	page.Close = true
	t.w.linger = true
	t.x.Note(func(e *event.Event) { e.Status = page.StatusCode })
	return page
}

// serve is everything behind the 200: first bytes, verdict about them, then splice, interception or the end.
func (t *tunnel) serve(client net.Conn) {
	c, ok := client.(*intercept.Conn)
	if !ok {
		return
	}
	if _, err := c.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		t.fail("answer connect", err)
		return
	}
	t.x.Note(func(e *event.Event) { e.Status = http.StatusOK })
	first := intercept.Peek(c, t.s.cfg.Timeouts.First)
	c.Head = first.Bytes
	if first.Class == inspect.FirstNone && first.Err != nil {
		t.fail("the client left before it said anything", first.Err)
		return
	}
	v := t.x.Tunnel(time.Now(), gate.Opening{First: first.Class, Peek: first.Bytes, Hello: first.Hello})
	how := t.x.Interception(time.Now())
	switch {
	case v.Blocks():
		t.showBlocked(c, first.Class, v, how)
	case first.Class == inspect.FirstTLS && how == policy.Intercept:
		t.inside(c, true, false)
	case first.Class == inspect.FirstHTTP:
		t.inside(c, false, false)
	case first.Class == inspect.FirstHTTP2:
		t.x.Refuse(time.Now(), verdict.SafetyUpgrade, verdict.PlaceTunnel, "HTTP/2 without TLS")
	default:
		t.splice(c, first.Class == inspect.FirstTLS)
	}
}

func (t *tunnel) fail(what string, err error) {
	t.x.Note(func(e *event.Event) { e.Error = what + ": " + redact.Error(err) })
}

// showBlocked serves the block page inside a tunnel that is blocked, if the client speaks something in which there are pages.
func (t *tunnel) showBlocked(c *intercept.Conn, first inspect.First, v verdict.Verdict, how policy.Interception) {
	switch {
	case blockpage.Drops(v):
	case first == inspect.FirstTLS && how == policy.Intercept:
		t.inside(c, true, true)
	case first == inspect.FirstHTTP:
		t.inside(c, false, true)
	}
}

// inside hands the tunnel to the inner servers. From then on its end is that of the connection.
func (t *tunnel) inside(c *intercept.Conn, secure, blocked bool) {
	raw, _ := c.Conn.(*listener.Conn)
	sess := &session.Session{Flow: t.flow, Tunnel: t.x, Secure: secure, Blocked: blocked}
	if raw != nil {
		sess.Reset = raw.Reset
	}
	if secure {
		inner := *t.flow
		inner.Transport = "tls"
		sess.Flow = &inner
		t.x.Note(func(e *event.Event) { e.Intercepted = policy.Intercept.String() })
	}
	c.Name, c.Session = t.flow.Authorized.Host(), sess
	remove := func() {}
	if !blocked {
		remove = t.s.live.Add(t.x, nil, func(v verdict.Verdict) { t.cut(c, sess, v) })
	}
	t.s.stats.Tunnels.Add(1)
	c.OnClose = func() {
		remove()
		t.s.stats.Tunnels.Add(-1)
		t.octets(raw)
		t.x.Done(time.Now())
		t.s.tunnels.Leave()
	}
	if !t.s.tunnels.Enter() {
		c.OnClose = nil
		remove()
		t.s.stats.Tunnels.Add(-1)
		return
	}
	t.open = true
	if err := t.hand(c, secure); err != nil {
		t.fail("no tunnel", explain(err))
		_ = c.Close()
	}
}

func (t *tunnel) hand(c *intercept.Conn, secure bool) error {
	if !secure {
		return t.s.inner.Plain(c)
	}
	return t.s.inner.TLS(c, func(state tls.ConnectionState) {
		t.x.Note(func(e *event.Event) { e.ALPN, e.TLSVersion = state.NegotiatedProtocol, tls.VersionName(state.Version) })
	})
}

// explain says in words what the alerts mean with which clients refuse the certificates of a proxy that they do not trust.
func explain(err error) error {
	for _, alert := range []string{"unknown certificate authority", "bad certificate", "unknown certificate", "certificate required"} {
		if strings.Contains(err.Error(), "remote error: tls: "+alert) {
			return fmt.Errorf("the client does not trust this proxy's certificate authority: %w", err)
		}
	}
	return err
}

// cut ends the inside of a tunnel from outside. A WebSocket in it says why before it closes the connection.
func (t *tunnel) cut(c *intercept.Conn, sess *session.Session, v verdict.Verdict) {
	if end := sess.Socket.Load(); end != nil && v != (verdict.Verdict{}) {
		(*end)(v)
		return
	}
	t.reset(c)
}

// reset ends a tunnel from outside.
func (t *tunnel) reset(c *intercept.Conn) {
	if raw, ok := c.Conn.(*listener.Conn); ok {
		raw.Reset()
	}
	_ = c.Close()
}

func (t *tunnel) octets(raw *listener.Conn) {
	if raw == nil {
		return
	}
	sent, received := raw.Octets()
	t.x.Note(func(e *event.Event) { e.Sent, e.Received = sent, received })
}

// splice relays without looking inside: TLS that the policy does not decrypt, or a protocol that it lets through.
func (t *tunnel) splice(c *intercept.Conn, secure bool) {
	if secure {
		t.x.Note(func(e *event.Event) { e.Intercepted = policy.Splice.String() })
	}
	ctx, cancel := context.WithTimeout(t.s.base, t.s.cfg.Timeouts.Dial)
	defer cancel()
	server, err := t.s.cfg.Upstream.Dial(ctx, t.x)
	if err != nil {
		if !t.x.Verdict().Blocks() {
			t.fail("no connection to the target", err)
		}
		return
	}
	defer func() { _ = server.Close() }()
	defer t.s.live.Add(t.x, func() netip.Addr { return serverOf(t.x) }, func(verdict.Verdict) {
		t.reset(c)
		_ = server.Close()
	})()
	t.s.stats.Tunnels.Add(1)
	defer t.s.stats.Tunnels.Add(-1)
	s := splice{idle: t.s.cfg.Timeouts.TunnelIdle, life: t.s.cfg.Timeouts.TunnelLife}
	sent, received, err := s.run(c, server)
	t.x.Note(func(e *event.Event) {
		e.Sent, e.Received = sent, received
		if err != nil && !errors.Is(err, net.ErrClosed) && e.Aborted == "" {
			e.Error = redact.Error(err)
		}
	})
}
