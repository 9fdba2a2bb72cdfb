package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/proxy/session"
)

// Resolver finds addresses and name servers. Its answers are not filtered and make no event: the exchange of the request judges them. It is
// safe for concurrent use and caches.
type Resolver interface {
	// Addresses returns the addresses of name. A name that does not exist is an error or an empty Answer; an error with a method
	// Timeout() bool that says true, or one that wraps context.DeadlineExceeded, means that nobody answered.
	Addresses(ctx context.Context, name hostname.Name) (Answer, error)
	// JudgeServers shows the name servers of the zones of name, and of the chain of its Answer, to x, when a list of x asks about them (RPZ NSDNAME and
	// NSIP): x.Verdict() then says whether they may be gone to. An error means that this was not found out; its kinds are those of Addresses.
	JudgeServers(ctx context.Context, x *gate.Exchange, name hostname.Name, chain []hostname.Name) error
}

// Answer is what a name led to.
type Answer struct {
	Addrs []netip.Addr
	Chain []hostname.Name // the CNAME targets in the order in which they were followed
}

// Config is what a Transport is made of. Zero fields take the defaults named.
type Config struct {
	Resolver      Resolver                // required unless only addresses are asked for
	Roots         *x509.CertPool          // nil: those of the system
	MinTLS        uint16                  // default and least TLS 1.2
	DialTimeout   time.Duration           // for resolving, name servers included, and again for connecting to all addresses together; default 5 s
	TLSTimeout    time.Duration           // for one handshake; default 5 s
	HeaderTimeout time.Duration           // from the end of the request to the head of the response; default 60 s
	IdleTimeout   time.Duration           // of a pooled connection; default 90 s
	StreamTimeout time.Duration           // without a byte from the origin while none is sent, and of a write that does not get on; default 10 min
	MaxIdle       int                     // pooled connections in all; default 1024
	MaxIdlePerKey int                     // pooled HTTP/1 connections per address and name; default and least 64
	MaxHeader     int64                   // octets of a response head; default 128 KiB
	OwnAddrs      func() []netip.AddrPort // our own listeners, which are never dialled; nil: none
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	// The numbers are those that secure web gateways ship: an origin that takes longer to connect is down for people.
	def(&c.DialTimeout, 5*time.Second)
	def(&c.TLSTimeout, 5*time.Second)
	def(&c.HeaderTimeout, 60*time.Second)
	def(&c.IdleTimeout, 90*time.Second)
	def(&c.StreamTimeout, 10*time.Minute)
	c.MinTLS = max(c.MinTLS, tls.VersionTLS12) // RFC 8996
	c.MaxIdlePerKey = max(c.MaxIdlePerKey, 64) // the default of net/http is 2, which makes a proxy dial all day
	if c.MaxIdle <= 0 {
		c.MaxIdle = 1024
	}
	if c.MaxHeader <= 0 {
		c.MaxHeader = 128 << 10
	}
	return c
}

// Stats counts. Every field only grows.
type Stats struct {
	Requests atomic.Uint64
	Dials    atomic.Uint64            // connections that were tried
	Reused   atomic.Uint64            // requests on a pooled connection
	Failures [kindCount]atomic.Uint64 // by Kind
}

// Transport carries requests to origins. It is an http.RoundTripper, safe for concurrent use; every error it returns is an *Error.
type Transport struct {
	cfg      Config
	sessions tls.ClientSessionCache
	both     *http.Transport // HTTP/2 where the origin speaks it
	h1       *http.Transport // for upgrades, which HTTP/2 does not have
	stats    Stats
}

var _ http.RoundTripper = (*Transport)(nil)

// sessionCache bounds the TLS sessions kept for resumption: a few KiB each.
const sessionCache = 1024

// New makes a Transport. Call Close when it is no longer used.
func New(cfg Config) *Transport {
	t := &Transport{cfg: cfg.withDefaults(), sessions: tls.NewLRUClientSessionCache(sessionCache)}
	t.both, t.h1 = t.pool("h2", "http/1.1"), t.pool("http/1.1")
	return t
}

// pool makes a pool that offers protos.
func (t *Transport) pool(protos ...string) *http.Transport {
	p := &http.Transport{
		DialContext: t.dialPlain,
		DialTLSContext: func(ctx context.Context, _, key string) (net.Conn, error) {
			return t.dialTLS(ctx, key, protos)
		},
		DisableCompression:     true, // what the client accepts is the client's affair; bodies are decoded under caps by the gate
		MaxIdleConns:           t.cfg.MaxIdle,
		MaxIdleConnsPerHost:    t.cfg.MaxIdlePerKey,
		IdleConnTimeout:        t.cfg.IdleTimeout,
		ResponseHeaderTimeout:  t.cfg.HeaderTimeout,
		ExpectContinueTimeout:  time.Second, // RFC 9110 section 10.1.1 asks not to wait for ever
		MaxResponseHeaderBytes: t.cfg.MaxHeader,
		Protocols:              new(http.Protocols),
		HTTP2:                  http2Config(),
	}
	p.Protocols.SetHTTP1(true)
	p.Protocols.SetHTTP2(len(protos) > 1)
	return p
}

// Stats returns the counters.
func (t *Transport) Stats() *Stats { return &t.stats }

// What an HTTP/2 origin may send ahead of the client. net/http's defaults are 4 MiB a stream and 1 GiB a connection: a client that
// opens streams and reads nothing would have us buffer all of it.
const (
	// streamBuffer is one stream's: 256 KiB fill 25 Mbit/s at 80 ms, and a stream that nobody reads costs no more than one in HTTP/1
	// with its socket buffers.
	streamBuffer = 256 << 10
	// connBuffer is that of all the streams of a connection together. It is what 256 of them may take (servers allow 100 to 250):
	// clients share these connections, and with less, a few streams that one client does not read would stop everybody's.
	connBuffer = 256 * streamBuffer
)

func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerStream:     streamBuffer,
		MaxReceiveBufferPerConnection: connBuffer,
		// A ping after silence finds dead connections before a request does.
		SendPingTimeout: 30 * time.Second,
		PingTimeout:     15 * time.Second,
	}
}

// Close closes the connections that wait in the pools; those in use go on.
func (t *Transport) Close() {
	t.both.CloseIdleConnections()
	t.h1.CloseIdleConnections()
}

// RoundTrip sends a request to the target that the exchange in its context was admitted for, whatever its URL says: URL.Host is
// not looked at. Scheme https or wss means TLS. The addresses are resolved and admitted first; nothing of the body is read before
// there is a connection to one of them. A non-nil error is an *Error, is in the event already, and the body is closed.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.stats.Requests.Add(1)
	body := hold(req)
	resp, err := t.roundTrip(req, body)
	body.finish()
	if err != nil {
		body.shut()
		t.failed(session.Exchange(req.Context()), err)
		return nil, err
	}
	resp.Request = req
	return resp, nil
}

func (t *Transport) roundTrip(req *http.Request, body *upload) (*http.Response, *Error) {
	ctx := req.Context()
	x := session.Exchange(ctx)
	scheme, ok := httpScheme(req)
	if x == nil || !ok {
		return nil, internal("request without exchange, URL or known scheme")
	}
	addrs, failure := t.admit(ctx, x)
	if failure != nil {
		return nil, failure
	}
	var err error
	budget := newBudget(t.cfg.DialTimeout, len(addrs))
	for _, addr := range addrs {
		var resp *http.Response
		if resp, err = t.try(req, x, body, key{addr: addr, name: x.Target().Name, scheme: scheme}, budget.next()); err == nil {
			return resp, nil
		}
		if !again(ctx, x, err) {
			break
		}
	}
	return nil, t.explain(ctx, x, body, err)
}

// httpScheme is that of the transport; ok is false for others.
func httpScheme(req *http.Request) (scheme string, ok bool) {
	if req.URL == nil {
		return "", false
	}
	switch req.URL.Scheme {
	case "http", "ws":
		return "http", true
	case "https", "wss":
		return "https", true
	}
	return "", false
}

// try sends the request over a connection of the key's pool, which dials exactly the key's address if it has none.
func (t *Transport) try(req *http.Request, x *gate.Exchange, body *upload, k key, timeout time.Duration) (*http.Response, error) {
	x.Note(func(e *event.Event) { e.Server = k.addr })
	var watch atomic.Pointer[framed] // of the connection that is used
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			t.stats.Reused.Add(1)
		}
		conn := info.Conn
		if f, ok := conn.(*framed); ok {
			f.expect(cmp.Or(req.Method, http.MethodGet))
			watch.Store(f)
			conn = f.Conn
		}
		note(x, conn)
	}})
	out := req.WithContext(withDialTimeout(ctx, timeout))
	u := *req.URL
	u.Scheme, u.Host, u.User = k.scheme, k.String(), nil
	out.URL, out.Body = &u, body.reader()
	if out.Host == "" {
		out.Host = req.URL.Host
	}
	if out.Host == "" {
		out.Host = x.Target().String()
	}
	pool := t.both
	if upgrades(req) {
		pool = t.h1
	}
	resp, err := pool.RoundTrip(out)
	if f := watch.Load(); f != nil && err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = framedBody{resp.Body, f}
	}
	return resp, err
}

// upgrades says whether the request asks for another protocol on its connection.
func upgrades(req *http.Request) bool {
	return req.Header.Get("Upgrade") != "" || strings.EqualFold(req.Header.Get("Connection"), "upgrade")
}

// note writes into the event what is known of a connection.
func note(x *gate.Exchange, conn net.Conn) {
	remote, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	var state tls.ConnectionState
	if c, ok := conn.(*tls.Conn); ok {
		state = c.ConnectionState()
	}
	x.Note(func(e *event.Event) {
		if remote.IsValid() {
			e.Server = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
		}
		if state.Version != 0 {
			e.ALPN, e.TLSVersion = state.NegotiatedProtocol, tls.VersionName(state.Version)
		}
	})
}

// key names a pool: connections to one address and port, with one name in the handshake. Its text is used as the authority of
// the URL that net/http sees, which uses it for nothing but its pools and the dial: the Host header comes from the request.
type key struct {
	addr   netip.AddrPort
	name   hostname.Name // zero when the target is an address
	scheme string        // net/http keeps a pool for each
}

// String is "hex of the address[.name]:port".
func (k key) String() string {
	host := hexAddr(k.addr.Addr())
	if !k.name.IsZero() {
		host += "." + k.name.String()
	}
	return host + ":" + portText(k.addr.Port())
}
