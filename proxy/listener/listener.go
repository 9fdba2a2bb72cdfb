// Package listener is stage (1) of the proxy: it accepts connections within limits, gives them deadlines, follows them until they
// are closed, hijacked ones too, and watches the framing of HTTP/1 before net/http reads it. Layer L5.
package listener

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The limits that hold when the config says nothing.
const (
	DefaultMaxConns     = 16384 // about half of a usual limit of 64 Ki descriptors: each connection may need one upstream
	DefaultMaxPerClient = 512   // far above what a browser opens; a NAT of an office is better named in the config
	DefaultWriteTimeout = time.Minute
	// lingering bounds how many refused connections may at once wait for the client to read why.
	lingering = 64
	// LingerTime is how long a client may take to read the answer before its connection is closed.
	LingerTime = time.Second
)

// Config is what a Group is made of. A zero number means its default.
type Config struct {
	MaxConns     int // open at once, all listeners together
	MaxPerClient int // open at once from one address
	// WriteTimeout is how long one write to a client may take: a peer that reads nothing holds no connection for ever.
	WriteTimeout time.Duration
	// Refused gives the octets that a client above a limit is sent before it is closed; it may be nil.
	Refused func(remote netip.AddrPort) []byte
}

// Stats counts connections.
type Stats struct {
	Accepted atomic.Uint64
	Refused  atomic.Uint64 // above a limit
	Open     atomic.Int64
}

// Group is all listeners of one proxy with the connections that they accepted. It is safe for concurrent use.
type Group struct {
	cfg   Config
	stats Stats
	wg    sync.WaitGroup // goroutines that tell a refused client why
	slots chan struct{}

	mu      sync.Mutex // guards what follows
	conns   map[*Conn]struct{}
	clients map[netip.Addr]int
	inners  []net.Listener
	closed  bool
}

// NewGroup makes a Group.
func NewGroup(cfg Config) *Group {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.MaxPerClient <= 0 {
		cfg.MaxPerClient = DefaultMaxPerClient
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	return &Group{cfg: cfg, slots: make(chan struct{}, lingering), conns: map[*Conn]struct{}{}, clients: map[netip.Addr]int{}}
}

// Stats returns the counters.
func (g *Group) Stats() *Stats { return &g.stats }

// Listen puts a listener of the system into the group and returns the one to accept from.
func (g *Group) Listen(inner net.Listener) net.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inners = append(g.inners, inner)
	return &limited{Listener: inner, group: g}
}

// limited is one listener of a Group.
type limited struct {
	net.Listener
	group *Group
}

var _ net.Listener = (*limited)(nil)

// Accept returns the next connection that is within the limits, as a *[Conn].
func (l *limited) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, fmt.Errorf("accept: %w", err)
		}
		if c := l.group.admit(nc); c != nil {
			return c, nil
		}
	}
}

func remoteOf(nc net.Conn) netip.AddrPort {
	a, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// admit counts a connection in, or refuses it and returns nil.
func (g *Group) admit(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, group: g, remote: remoteOf(nc)}
	g.mu.Lock()
	if g.closed || len(g.conns) >= g.cfg.MaxConns || g.clients[c.remote.Addr()] >= g.cfg.MaxPerClient {
		g.mu.Unlock()
		g.refuse(nc, c.remote)
		return nil
	}
	g.conns[c] = struct{}{}
	g.clients[c.remote.Addr()]++
	g.mu.Unlock()
	g.stats.Accepted.Add(1)
	g.stats.Open.Add(1)
	return c
}

// refuse tells the client why, if few others are being told, and closes.
func (g *Group) refuse(nc net.Conn, remote netip.AddrPort) {
	g.stats.Refused.Add(1)
	if g.cfg.Refused == nil {
		_ = nc.Close()
		return
	}
	select {
	case g.slots <- struct{}{}:
	default:
		_ = nc.Close()
		return
	}
	g.wg.Go(func() {
		defer func() { <-g.slots }()
		defer func() { _ = nc.Close() }()
		_ = nc.SetDeadline(time.Now().Add(LingerTime))
		if _, err := nc.Write(g.cfg.Refused(remote)); err != nil {
			return
		}
		Linger(nc)
	})
}

// Linger half-closes and reads on for a moment, until the read deadline of nc at the latest: a close with unread data would reset the connection, and the client would lose
// the answer (RFC 9112 section 9.6).
func Linger(nc net.Conn) {
	if w, ok := nc.(interface{ CloseWrite() error }); ok && w.CloseWrite() != nil {
		return
	}
	var drop [4096]byte
	for total := 0; total < 1<<18; {
		n, err := nc.Read(drop[:])
		if err != nil {
			return
		}
		total += n
	}
}

func (g *Group) gone(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	if g.clients[c.remote.Addr()]--; g.clients[c.remote.Addr()] <= 0 {
		delete(g.clients, c.remote.Addr())
	}
	g.stats.Open.Add(-1)
}

// Close ends all listeners and every connection that is still open, hijacked or not, and waits for the group's goroutines.
func (g *Group) Close() error {
	g.mu.Lock()
	g.closed = true
	inners := g.inners
	g.inners = nil
	conns := make([]*Conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	var problems []error
	for _, l := range inners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			problems = append(problems, fmt.Errorf("close listener: %w", err))
		}
	}
	for _, c := range conns {
		_ = c.Close()
	}
	g.wg.Wait()
	return errors.Join(problems...)
}
