// Package intercept is stage (3) of the proxy: what is inside a CONNECT tunnel. It classifies the first bytes, finishes the TLS
// handshake under our certificate authority for the name that was admitted (never for the one that the client repeats), and
// serves HTTP/1.1 and HTTP/2 from there with one shared http.Server each. Layer L5.
package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/redact"
	"weir/internal/wire/http1"
	"weir/proxy/listener"
	"weir/proxy/session"
)

// Authority mints certificates; package ca has one.
type Authority interface {
	// TLSConfig returns the shared configuration of all handshakes; nameOf says for which name a connection was admitted.
	TLSConfig(nameOf func(*tls.ClientHelloInfo) (string, error), protos []string) *tls.Config
}

// Config is what an Interceptor is made of. Every field must be set.
type Config struct {
	Authority        Authority
	Handler          http.Handler // its requests carry the session of their connection, see session.Of
	HandshakeTimeout time.Duration
	HeaderTimeout    time.Duration // for one head
	IdleTimeout      time.Duration // between requests
	MaxHeaderBytes   int
	// OnAnomaly is told of a violation of framing in a head and returns the whole response that the client gets.
	OnAnomaly func(*session.Session, http1.Anomaly) []byte
	Log       *slog.Logger
}

// Stats counts handshakes.
type Stats struct {
	Handshakes atomic.Uint64
	Failures   atomic.Uint64
	HTTP2      atomic.Uint64 // connections that negotiated h2
}

// Conn is a client connection inside a CONNECT tunnel.
type Conn struct {
	net.Conn
	Head    []byte           // octets to deliver first
	Name    string           // that the tunnel was admitted for: the name or address on the certificate
	Session *session.Session // of the requests on it
	OnClose func()           // called once; may be nil

	once sync.Once
}

var _ net.Conn = (*Conn)(nil)

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.Head) > 0 && len(p) > 0 {
		n := copy(p, c.Head)
		if c.Head = c.Head[n:]; len(c.Head) == 0 {
			c.Head = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close implements [net.Conn].
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		if c.OnClose != nil {
			c.OnClose()
		}
	})
	return err
}

// Interceptor serves what is inside tunnels. It is safe for concurrent use.
type Interceptor struct {
	cfg    Config
	tls    *tls.Config // one for all connections, so that sessions can be resumed and ticket keys rotate
	h1, h2 *http.Server
	c1, c2 *listener.Channel
	wg     sync.WaitGroup // the two accept loops
	stats  Stats
}

var errNotOurs = errors.New("connection is not from a tunnel")

// New makes an Interceptor and starts its servers; Close ends them.
func New(cfg Config) *Interceptor {
	i := &Interceptor{cfg: cfg, c1: listener.NewChannel(), c2: listener.NewChannel()}
	i.tls = cfg.Authority.TLSConfig(func(hello *tls.ClientHelloInfo) (string, error) {
		c, ok := hello.Conn.(*Conn)
		if !ok {
			return "", errNotOurs
		}
		return c.Name, nil
	}, []string{"h2", "http/1.1"})
	i.h1, i.h2 = i.server(false), i.server(true)
	i.wg.Go(func() { _ = i.h1.Serve(i.c1) })
	i.wg.Go(func() { _ = i.h2.Serve(i.c2) })
	return i
}

// Stats returns the counters.
func (i *Interceptor) Stats() *Stats { return &i.stats }

func (i *Interceptor) server(h2 bool) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	return &http.Server{
		Handler:           i.cfg.Handler,
		ReadHeaderTimeout: i.cfg.HeaderTimeout,
		IdleTimeout:       i.cfg.IdleTimeout,
		MaxHeaderBytes:    i.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(redact.NewHandler(i.cfg.Log.Handler()), slog.LevelDebug),
		Protocols:         &protocols,
		HTTP2:             HTTP2Limits(),
		// net/http would answer "OPTIONS *" itself, past the filters.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if c := connOf(nc); c != nil {
				return session.WithSession(ctx, c.Session)
			}
			return ctx
		},
	}
}

// HTTP2Limits returns the limits of HTTP/2 connections of clients: 128 streams are what browsers use at most, and windows of
// 1 MiB a stream and 4 MiB a connection fill a 100 Mbit/s line at 80 ms.
func HTTP2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          128,
		MaxReceiveBufferPerStream:     1 << 20,
		MaxReceiveBufferPerConnection: 4<<20 - 1,
		MaxDecoderHeaderTableSize:     4 << 10,
		SendPingTimeout:               30 * time.Second,
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              time.Minute,
	}
}

// connOf finds the tunnel below what http.Server was given.
func connOf(nc net.Conn) *Conn {
	for {
		switch c := nc.(type) {
		case *Conn:
			return c
		case *listener.Checked:
			nc = c.Conn
		case *tls.Conn:
			nc = c.NetConn()
		default:
			return nil
		}
	}
}

// TLS finishes the handshake on c within the handshake timeout and hands the connection to the server of the protocol that was
// negotiated. negotiated is called before that. On an error the connection is still the caller's to close.
func (i *Interceptor) TLS(c *Conn, negotiated func(tls.ConnectionState)) error {
	ctx, cancel := context.WithTimeout(context.Background(), i.cfg.HandshakeTimeout)
	defer cancel()
	tc := tls.Server(c, i.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		i.stats.Failures.Add(1)
		return fmt.Errorf("tls handshake with client: %w", err)
	}
	i.stats.Handshakes.Add(1)
	state := tc.ConnectionState()
	negotiated(state)
	if state.NegotiatedProtocol == "h2" {
		i.stats.HTTP2.Add(1)
		return push(i.c2, tc)
	}
	return push(i.c1, i.checked(tc, c))
}

// Plain hands a connection without TLS to the HTTP/1.1 server. On an error it is still the caller's to close.
func (i *Interceptor) Plain(c *Conn) error { return push(i.c1, i.checked(c, c)) }

func (i *Interceptor) checked(nc net.Conn, c *Conn) net.Conn {
	checked := listener.NewChecked(nc, i.cfg.HeaderTimeout, func(a http1.Anomaly) []byte { return i.cfg.OnAnomaly(c.Session, a) })
	if c.Session != nil {
		c.Session.Violation = checked.Violation
	}
	return checked
}

func push(l *listener.Channel, nc net.Conn) error {
	if l.Push(nc) {
		return nil
	}
	return fmt.Errorf("serve tunnel: %w", net.ErrClosed)
}

// Shutdown lets requests under way end until ctx does, and accepts no more.
func (i *Interceptor) Shutdown(ctx context.Context) error {
	var wg sync.WaitGroup
	var e1, e2 error
	wg.Go(func() { e1 = i.h1.Shutdown(ctx) })
	wg.Go(func() { e2 = i.h2.Shutdown(ctx) })
	wg.Wait()
	return errors.Join(e1, e2)
}

// Close ends everything at once and waits for the accept loops.
func (i *Interceptor) Close() {
	_ = i.h1.Close()
	_ = i.h2.Close()
	i.wg.Wait()
}
