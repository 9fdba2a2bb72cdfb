// Package listener takes queries from the network and sends the replies back: UDP and TCP (RFC 1035 section 4.2, RFC 7766). It
// looks at lengths only; what a packet means is the handler's business. Everything is bounded: packets, workers, connections in
// all and for each client, and the time that a peer may take to read or write. [Fair], [Rate] and [Once] are the bounds for the stages
// behind it, which know what a packet means. Layer L5.
package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers one packet. A nil reply sends nothing. It must not panic, and must not keep packet. transport is "udp" or "tcp".
// One that has to wait for others calls [Park] first.
type Handler func(ctx context.Context, packet []byte, from netip.AddrPort, transport string) []byte

// Config is what a Server is made of. Zero numbers and times take the default.
type Config struct {
	Listen  []netip.AddrPort // UDP and TCP each; port 0: the system chooses one for both
	Handler Handler

	Sockets           int           // UDP sockets for each address; default: one for each core (one socket caps a server at about 90k queries/s)
	Workers           int           // queries handled at once, for UDP and TCP each, without those that Park; default 1024. UDP queries beyond are dropped, TCP waits
	MaxConns          int           // TCP connections at once; default 2048
	MaxConnsPerClient int           // of one IPv4 address or IPv6 /64; default 32, so that one client with all its connections full leaves half of the workers to others
	MaxPerConn        int           // queries of one connection handled at once; default 16
	Idle              time.Duration // for the next query on a connection to begin; default 10 s (RFC 7766 section 6.2.3)
	Read              time.Duration // for a query that began to be complete; default 2 s
	Write             time.Duration // for a client to take a reply; default 5 s
}

// MaxQuery is the longest query read, in octets: a name, an OPT record and any options a client has reason to send fit many times.
const MaxQuery = 4096

// bindTries: for port 0 the system chooses a UDP port that is now and then taken on TCP.
const bindTries = 16

// Stats counts what never reached the handler. Every field only grows, but for Conns and Parked.
type Stats struct {
	Dropped  atomic.Uint64 // UDP queries beyond the workers
	Refused  atomic.Uint64 // TCP connections beyond the limits
	TimedOut atomic.Uint64 // TCP connections whose peer was too slow
	Oversize atomic.Uint64 // queries longer than MaxQuery, or without a length
	Conns    atomic.Int64  // TCP connections now
	Parked   atomic.Int64  // queries that wait for others now
}

// Server is a set of sockets. Use: New, Serve, Shutdown.
type Server struct {
	cfg   Config
	stats Stats
	udp   []*net.UDPConn
	tcp   []*net.TCPListener

	ctx     context.Context // of handlers
	cancel  context.CancelFunc
	closing atomic.Bool
	drained sync.Once
	readers sync.WaitGroup // readers of sockets, accept loops, connections
	workers sync.WaitGroup
	jobs    chan job
	started atomic.Int64  // workers of UDP
	slots   chan struct{} // of TCP queries

	mu        sync.Mutex
	conns     map[*net.TCPConn]struct{}
	perClient map[netip.Prefix]int
}

// New binds all sockets, or none. The TCP socket of an address is bound first and alone, so that a second server on the same
// address is an error although the UDP sockets share theirs.
func New(cfg Config) (*Server, error) {
	cfg.defaults()
	s := &Server{
		cfg: cfg, jobs: make(chan job), slots: make(chan struct{}, cfg.Workers),
		conns: map[*net.TCPConn]struct{}{}, perClient: map[netip.Prefix]int{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, addr := range cfg.Listen {
		if err := s.bind(addr); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (c *Config) defaults() {
	number := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	span := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	number(&c.Sockets, runtime.GOMAXPROCS(0))
	number(&c.Workers, 1024)
	number(&c.MaxConns, 2048)
	number(&c.MaxConnsPerClient, 32)
	number(&c.MaxPerConn, 16)
	span(&c.Idle, 10*time.Second)
	span(&c.Read, 2*time.Second)
	span(&c.Write, 5*time.Second)
}

func (s *Server) bind(addr netip.AddrPort) error {
	var err error
	for range bindTries {
		if err = s.bindBoth(addr); err == nil || addr.Port() != 0 {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return nil
}

func (s *Server) bindBoth(addr netip.AddrPort) error {
	tcp, err := net.ListenTCP(network("tcp", addr), net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	bound := netip.AddrPortFrom(addr.Addr(), tcp.Addr().(*net.TCPAddr).AddrPort().Port())
	udp, err := listenUDP(s.ctx, bound, s.cfg.Sockets)
	if err != nil {
		return errors.Join(err, tcp.Close())
	}
	s.tcp, s.udp = append(s.tcp, tcp), append(s.udp, udp...)
	return nil
}

// network keeps 0.0.0.0 to IPv4: under the plain word Go listens on IPv6 too, which nobody asked for.
func network(word string, addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return word + "4"
	}
	return word
}

// Addrs returns the addresses bound, ports filled in, in the order of the config.
func (s *Server) Addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(s.tcp))
	for _, l := range s.tcp {
		a := l.Addr().(*net.TCPAddr).AddrPort()
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return out
}

// Stats returns the counters.
func (s *Server) Stats() *Stats { return &s.stats }

// Serve handles queries until Shutdown, which must be called in any case. It returns nil then, and an error when a socket failed
// before.
func (s *Server) Serve() error {
	failed := s.read()
	if cap(failed) == 0 {
		<-s.ctx.Done()
		return nil
	}
	var err error
	for range cap(failed) {
		if e := <-failed; e != nil && err == nil && !s.closing.Load() {
			err = e
			s.close()
		}
	}
	return err
}

// read starts the readers, unless Shutdown came first; the lock keeps them from starting behind its back.
func (s *Server) read() (failed chan error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return nil
	}
	failed = make(chan error, len(s.udp)+len(s.tcp))
	for _, c := range s.udp {
		s.readers.Go(func() { failed <- s.readUDP(c) })
	}
	for _, l := range s.tcp {
		s.readers.Go(func() { failed <- s.accept(l) })
	}
	return failed
}

// Shutdown stops taking queries and waits for those under way to be answered. When ctx ends first, they are abandoned and ctx's
// error is returned. No goroutine is left in either case. A second call finds nothing to do.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	s.mu.Unlock()
	past := time.Unix(1, 0)
	for _, c := range s.udp {
		_ = c.SetReadDeadline(past)
	}
	for _, l := range s.tcp {
		_ = l.SetDeadline(past)
	}
	s.eachConn(func(c *net.TCPConn) { _ = c.SetReadDeadline(past) })
	drained := make(chan struct{})
	go func() {
		s.readers.Wait()
		s.drained.Do(func() { close(s.jobs) })
		s.workers.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("drain DNS queries: %w", context.Cause(ctx))
		s.cancel()
		s.eachConn(func(c *net.TCPConn) { _ = c.Close() })
		<-drained
	}
	s.close()
	return err
}

func (s *Server) close() {
	s.cancel()
	for _, c := range s.udp {
		_ = c.Close()
	}
	for _, l := range s.tcp {
		_ = l.Close()
	}
}

func (s *Server) eachConn(f func(*net.TCPConn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}
