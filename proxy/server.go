package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/internal/wire/http1"
	"weir/proxy/blockpage"
	"weir/proxy/intercept"
	"weir/proxy/listener"
	"weir/proxy/session"
)

// Upstream is stage (5): it reaches origins, at addresses that the exchange in the request's context admitted.
type Upstream interface {
	http.RoundTripper
	// Dial connects to the target of x for a tunnel that is spliced.
	Dial(ctx context.Context, x *gate.Exchange) (net.Conn, error)
}

// Timeouts are the longest waits. A zero field means the default in brackets.
type Timeouts struct {
	Header     time.Duration // for a request head, from its first octet [10 s]
	Idle       time.Duration // between two requests of a client [60 s]
	Body       time.Duration // between two parts of a request body [2 min]
	Write      time.Duration // for one write to a client [1 min]
	First      time.Duration // for the first bytes inside a tunnel [5 s]
	Handshake  time.Duration // for TLS with a client [10 s]
	Dial       time.Duration // to the target of a tunnel, all its addresses [15 s]
	TunnelIdle time.Duration // of a spliced tunnel without traffic [10 min]
	TunnelLife time.Duration // of a spliced tunnel [12 h]
}

// Config is what a Server is made of. Gate, Authority and Upstream must be set.
type Config struct {
	Gate      *gate.Gate
	Authority intercept.Authority
	Upstream  Upstream
	// OwnAddrs returns the addresses that this program listens on: they are no targets. It may be nil.
	OwnAddrs func() []netip.AddrPort
	// Instance tells this proxy from others in Via, so that loops are seen; "" means a random one.
	Instance     string
	MaxConns     int // client connections at once; zero: listener.DefaultMaxConns
	MaxPerClient int // and from one address; zero: listener.DefaultMaxPerClient
	Timeouts     Timeouts
	Log          *slog.Logger // for operators; nil discards
}

// Stats counts what went through.
type Stats struct {
	Requests   atomic.Uint64 // that reached the filters, in tunnels and outside
	OnRequest  atomic.Uint64 // times the request filter ran
	OnResponse atomic.Uint64 // times the response filter ran
	Connects   atomic.Uint64
	WebSockets atomic.Uint64
	Tunnels    atomic.Int64  // open now
	Panics     atomic.Uint64 // each cost one transaction
	Anomalies  atomic.Uint64 // violations of HTTP/1 framing
	Cut        atomic.Uint64 // live transactions that a new policy ended
}

// Server is the HTTP and WebSocket data path. It is safe for concurrent use.
type Server struct {
	cfg       Config
	pseudonym string
	stats     Stats
	chain     http.Handler // goproxy
	group     *listener.Group
	outer     *http.Server
	inner     *intercept.Interceptor
	live      session.Registry
	crew      session.Crew    // handlers
	tunnels   session.Crew    // intercepted connections
	base      context.Context // of work that no request's context covers; ends with Close
	cancel    context.CancelFunc
	stop      chan struct{}
	stopped   sync.Once
	ticking   sync.WaitGroup
}

var (
	errCut      = errors.New("cut by a change of policy")
	errNoDial   = errors.New("goproxy must not dial")
	errNoSigner = errors.New("goproxy must not sign")
)

// maxHeader bounds heads for net/http. The validator's limit for HTTP/1 lies below it, so that our own refusal comes first.
const maxHeader = http1.MaxHead + 16<<10

// New makes a Server and starts the goroutines that it owns; Shutdown or Close end them.
func New(cfg Config) (*Server, error) {
	if cfg.Gate == nil || cfg.Authority == nil || cfg.Upstream == nil {
		return nil, errors.New("proxy: gate, certificate authority and upstream are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	if cfg.Instance == "" {
		var id [6]byte
		_, _ = rand.Read(id[:])
		cfg.Instance = hex.EncodeToString(id[:])
	}
	s := &Server{cfg: cfg, pseudonym: "weir-" + cfg.Instance, stop: make(chan struct{})}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.group = listener.NewGroup(listener.Config{
		MaxConns: cfg.MaxConns, MaxPerClient: cfg.MaxPerClient, WriteTimeout: cfg.Timeouts.Write, Refused: s.crowded,
	})
	s.chain = s.filters()
	s.inner = intercept.New(intercept.Config{
		Authority: cfg.Authority, Handler: s, HandshakeTimeout: cfg.Timeouts.Handshake, HeaderTimeout: cfg.Timeouts.Header,
		IdleTimeout: cfg.Timeouts.Idle, MaxHeaderBytes: maxHeader, OnAnomaly: s.malformed, Log: cfg.Log,
	})
	s.outer = s.outerServer()
	s.ticking.Go(s.tick)
	return s, nil
}

func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Header, 10 * time.Second},
		{&t.Idle, time.Minute},
		{&t.Body, 2 * time.Minute},
		{&t.Write, time.Minute},
		{&t.First, 5 * time.Second},
		{&t.Handshake, 10 * time.Second},
		{&t.Dial, 15 * time.Second},
		{&t.TunnelIdle, 10 * time.Minute},
		{&t.TunnelLife, 12 * time.Hour},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

func (s *Server) outerServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.cfg.Timeouts.Header,
		IdleTimeout:       s.cfg.Timeouts.Idle,
		MaxHeaderBytes:    maxHeader,
		Protocols:         &protocols,
		// net/http would answer "OPTIONS *" itself, past the filters.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(redact.NewHandler(s.cfg.Log.Handler()), slog.LevelDebug),
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if c, ok := nc.(*listener.Checked); ok {
				if sess, ok := c.Owner.(*session.Session); ok {
					return session.WithSession(ctx, sess)
				}
			}
			return ctx
		},
	}
}

// Stats returns the counters.
func (s *Server) Stats() *Stats { return &s.stats }

// Connections returns the counters of client connections.
func (s *Server) Connections() *listener.Stats { return s.group.Stats() }

// Handshakes returns the counters of TLS with clients.
func (s *Server) Handshakes() *intercept.Stats { return s.inner.Stats() }

// Live returns how many requests and tunnels are under way.
func (s *Server) Live() int { return s.live.Len() }

// Serve accepts clients from listeners until Shutdown or Close. It returns nil then, and otherwise the first error of a listener,
// after having closed the others.
func (s *Server) Serve(listeners ...net.Listener) error {
	errs := make(chan error, len(listeners))
	for _, l := range listeners {
		ours := &outerListener{Listener: s.group.Listen(l), server: s}
		go func() { errs <- s.outer.Serve(ours) }()
	}
	var first error
	for range listeners {
		if err := <-errs; first == nil && !errors.Is(err, http.ErrServerClosed) && !s.stopping() {
			first = fmt.Errorf("serve proxy: %w", err)
			s.Close()
		}
	}
	return first
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// outerListener puts the framing watch on every connection that a client opens.
type outerListener struct {
	net.Listener
	server *Server
}

// Accept implements [net.Listener].
func (l *outerListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := nc.(*listener.Conn)
	sess := session.Plain(l.server.cfg.Gate, c.Remote())
	sess.Reset = c.Reset
	checked := listener.NewChecked(c, l.server.cfg.Timeouts.Header, func(a http1.Anomaly) []byte { return l.server.malformed(sess, a) })
	checked.Owner, sess.Violation = sess, checked.Violation
	return checked, nil
}

// ServeHTTP takes a request of a client, inside a tunnel or outside.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sess := session.Of(r.Context())
	if sess == nil || !s.crew.Enter() {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.crew.Leave()
	if r.Method == http.MethodConnect {
		s.serveConnect(w, r, sess)
		return
	}
	s.serveRequest(w, r, sess)
}

// malformed records a head that broke the rules of framing, and returns the whole answer.
func (s *Server) malformed(sess *session.Session, a http1.Anomaly) []byte {
	s.stats.Anomalies.Add(1)
	x := s.cfg.Gate.Begin(inspect.HTTP, sess.FlowNow(s.cfg.Gate), time.Now())
	v := x.Malformed(time.Now(), []inspect.Anomaly{{Kind: a.Kind.String(), Offset: a.Offset}})
	return s.refusal(sess, x, v)
}

// crowded records a connection above a limit, and returns the whole answer.
func (s *Server) crowded(remote netip.AddrPort) []byte {
	sess := session.Plain(s.cfg.Gate, remote)
	x := s.cfg.Gate.Begin(inspect.HTTP, sess.Flow, time.Now())
	return s.refusal(sess, x, x.Refuse(time.Now(), verdict.SafetyLimit, verdict.PlaceClient, remote.Addr().String()))
}

// refusal is the answer to something that never became a request.
func (s *Server) refusal(sess *session.Session, x *gate.Exchange, v verdict.Verdict) []byte {
	r, err := http.NewRequestWithContext(session.WithSession(context.Background(), sess), http.MethodGet, "/", nil)
	if err != nil {
		return nil
	}
	page := blockpage.Response(r, x, v)
	page.Close = true
	x.Note(func(e *event.Event) { e.Status = page.StatusCode })
	x.Done(time.Now())
	var b bytes.Buffer
	if page.Write(&b) != nil {
		return nil
	}
	return b.Bytes()
}

func (s *Server) own() []netip.AddrPort {
	if s.cfg.OwnAddrs == nil {
		return nil
	}
	return s.cfg.OwnAddrs()
}

func (t *trip) isOwn(a netip.AddrPort) bool {
	return a.Port() == t.target.Port && a.Addr().Unmap() == t.target.Addr
}

// Recheck admits everything live again under the policy now in force and cuts what it blocks, with an event each. Call it after
// every swap of the policy. It returns how many were cut.
func (s *Server) Recheck(now time.Time) int {
	n := s.live.Recheck(now)
	s.stats.Cut.Add(uint64(n))
	return n
}

// tick admits again every second while the policy has rules that expire.
func (s *Server) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			if s.cfg.Gate.Policy().Expires() {
				s.Recheck(now)
			}
		case <-s.stop:
			return
		}
	}
}

// Shutdown stops accepting, lets what is under way end, tunnels and WebSockets too, and closes what is left when ctx ends, which
// is then its error. When it returns nothing of the Server runs any more.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopped.Do(func() { close(s.stop) })
	var wg sync.WaitGroup
	for _, f := range []func(context.Context) error{s.outer.Shutdown, s.inner.Shutdown} {
		wg.Go(func() { _ = f(ctx) })
	}
	wg.Wait()
	drained := s.live.Wait(ctx.Done())
	s.Close()
	if !drained {
		return fmt.Errorf("drain proxy: %w", context.Cause(ctx))
	}
	return nil
}

// Close ends everything at once and waits for it.
func (s *Server) Close() {
	s.stopped.Do(func() { close(s.stop) })
	s.cancel()
	s.live.CutAll()
	_ = s.outer.Close()
	_ = s.group.Close()
	s.inner.Close()
	s.crew.Close(nil)
	s.tunnels.Close(nil)
	s.ticking.Wait()
}
