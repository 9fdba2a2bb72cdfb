package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"weir/internal/redact"
)

// The paths of the read-only listener.
const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
)

// Limits of the read-only listener. Its clients are a scraper every few
// seconds and a health check: everything here is far above what they need.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = 30 * time.Second
	maxHeaderBytes  = 8 << 10
	defaultMaxConns = 64
)

// Config is what a [Server] needs. Healthy, Ready and Log must be set.
type Config struct {
	// Hosts are the names and addresses, without port, that a Host header may
	// hold besides loopback literals, localhost and the address that the
	// connection came in at.
	Hosts []string
	// Token is the bearer token that everything except /healthz asks for;
	// "" for none, which only a loopback listener may have. See [Check].
	Token string
	// Healthy returns nil while the process is of use at all. It is called for
	// each request, concurrently, and must not block.
	Healthy func() error
	// Ready returns nil when listeners are up and a policy is loaded; whether
	// upstreams answer must not count, for a restart would not mend them.
	Ready func() error
	// Metrics are shown besides those of the Go runtime, the process and this
	// listener. See [Server.SetMetrics].
	Metrics []Metric
	// Version and Revision are the labels of weir_build_info.
	Version, Revision string
	// MaxConnections bounds the open connections; more are closed at once.
	// 0: 64.
	MaxConnections int
	// Log gets warnings and errors, after the redactor.
	Log *slog.Logger
}

// Server is the read-only admin listener: GET and HEAD on /healthz, /readyz and
// /metrics. It is safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	guard   *guard
	http    *http.Server
	metrics atomic.Pointer[exposition]
	slots   chan struct{}
	refused map[string]*atomic.Uint64 // by reason; the map never changes
}

// New makes a Server; [Server.Serve] starts it. Errors name the host, token or
// metric that is wrong.
func New(cfg Config) (*Server, error) {
	if cfg.Healthy == nil || cfg.Ready == nil || cfg.Log == nil {
		return nil, errors.New("admin server: Healthy, Ready and Log must be set")
	}
	g, err := newGuard(cfg.Hosts, cfg.Token)
	if err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = defaultMaxConns
	}
	cfg.Token = "" // the guard has its digest; nothing else needs it
	s := &Server{
		cfg:     cfg,
		log:     slog.New(redact.NewHandler(cfg.Log.Handler())),
		guard:   g,
		slots:   make(chan struct{}, cfg.MaxConnections),
		refused: map[string]*atomic.Uint64{},
	}
	for _, reason := range refusals() {
		s.refused[reason] = new(atomic.Uint64)
	}
	if err := s.SetMetrics(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	s.http = &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * meets the guard too
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

var _ http.Handler = (*Server)(nil)

// Serve answers on ln until [Server.Shutdown], which makes it return nil. It
// checks the real address of ln by [Check] first, and closes ln in any case.
func (s *Server) Serve(ln net.Listener) error {
	tcp, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		_ = ln.Close()
		return fmt.Errorf("serve admin: %v is not a TCP listener", ln.Addr())
	}
	if err := s.admit(tcp.AddrPort()); err != nil {
		_ = ln.Close()
		return fmt.Errorf("serve admin: %w", err)
	}
	err := s.http.Serve(&limited{Listener: ln, slots: s.slots, refused: s.refused["connections"]})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve admin: %w", err)
}

// admit is Check without the token, which is no longer kept.
func (s *Server) admit(listen netip.AddrPort) error {
	if s.guard.locked {
		return nil
	}
	return Check(listen, "")
}

// Shutdown closes the listeners and waits for open requests until ctx ends;
// then it cuts them and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	return shutdown(ctx, s.http)
}

func shutdown(ctx context.Context, srv *http.Server) error {
	if err := srv.Shutdown(ctx); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// ServeHTTP answers one request: guard, then one of the three paths. A panic
// below costs this request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	defer s.rescue(w)
	if no := s.guard.check(r); no.status != 0 {
		s.refuse(w, no)
		return
	}
	switch r.URL.Path {
	case pathHealth:
		s.answer(w, "healthy", s.cfg.Healthy(), !s.guard.locked)
	case pathReady:
		s.answer(w, "ready", s.cfg.Ready(), true)
	case pathMetrics:
		s.metrics.Load().handler.ServeHTTP(w, r)
	}
}

// harden sets the headers that keep a browser from doing anything with what it
// gets: not run, not guessed, not framed, not kept, not read by other pages.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Type", "text/plain; charset=utf-8")
}

// answer writes one state; the cause of a bad one only where tell is set, which
// is where the caller has shown a token or sits on this machine.
func (s *Server) answer(w http.ResponseWriter, state string, err error, tell bool) {
	if err == nil {
		_, _ = io.WriteString(w, state+"\n")
		return
	}
	s.log.Warn("admin: not "+state, "error", err)
	text := "not " + state
	if tell {
		text += ": " + redact.Error(err)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, text+"\n")
}

func (s *Server) refuse(w http.ResponseWriter, no refusal) {
	s.refused[no.reason].Add(1)
	switch no.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="weir"`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD")
	}
	if no.reason == "body" || no.reason == "method" {
		w.Header().Set("Connection", "close") // a body is not read to its end for anybody
	}
	w.WriteHeader(no.status)
	_, _ = io.WriteString(w, no.text+"\n")
}

// rescue turns a panic of a callback into a 500 and a line in the log.
func (s *Server) rescue(w http.ResponseWriter) {
	if p := recover(); p != nil {
		s.log.Error("admin: panic", "cause", fmt.Sprint(p))
		w.WriteHeader(http.StatusInternalServerError)
	}
}
