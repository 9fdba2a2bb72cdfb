package listener

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// acceptPause is the wait after an accept that failed for want of file descriptors: long enough not to spin.
const acceptPause = 50 * time.Millisecond

func (s *Server) accept(l *net.TCPListener) error {
	for {
		c, err := l.AcceptTCP()
		switch {
		case err == nil:
			s.admit(c)
		case s.closing.Load(), errors.Is(err, net.ErrClosed):
			return nil
		default:
			var n net.Error
			if !errors.As(err, &n) {
				return fmt.Errorf("accept on %s: %w", l.Addr(), err)
			}
			s.pause()
		}
	}
}

func (s *Server) pause() {
	t := time.NewTimer(acceptPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// admit serves a connection if the limits leave room for it.
func (s *Server) admit(c *net.TCPConn) {
	a := c.RemoteAddr().(*net.TCPAddr).AddrPort()
	from := netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	client := Client(from.Addr())
	if !s.track(c, client) {
		s.stats.Refused.Add(1)
		_ = c.Close()
		return
	}
	s.readers.Go(func() {
		defer s.untrack(c, client)
		s.serveConn(c, from)
	})
}

func (s *Server) track(c *net.TCPConn, from netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() || len(s.conns) >= s.cfg.MaxConns || s.perClient[from] >= s.cfg.MaxConnsPerClient {
		return false
	}
	s.conns[c] = struct{}{}
	s.perClient[from]++
	s.stats.Conns.Add(1)
	return true
}

func (s *Server) untrack(c *net.TCPConn, from netip.Prefix) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perClient[from]--; s.perClient[from] <= 0 {
		delete(s.perClient, from)
	}
	s.stats.Conns.Add(-1)
}

// conn is one connection: queries are read one after the other and answered as they are ready (RFC 7766 section 6.2.1.1).
type conn struct {
	*net.TCPConn
	server *Server
	from   netip.AddrPort
	slots  chan struct{} // of this connection's queries
	busy   sync.WaitGroup
	write  sync.Mutex
}

func (s *Server) serveConn(t *net.TCPConn, from netip.AddrPort) {
	c := &conn{TCPConn: t, server: s, from: from, slots: make(chan struct{}, s.cfg.MaxPerConn)}
	for {
		packet, err := c.read()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && !s.closing.Load() {
				s.stats.TimedOut.Add(1)
			}
			break
		}
		if !c.take() {
			break
		}
		c.busy.Go(func() {
			p := &place{free: func() { <-s.slots }, stats: &s.stats}
			defer c.give(p)
			if reply := s.cfg.Handler(context.WithValue(s.ctx, placeKey{}, p), packet, from, "tcp"); reply != nil {
				c.reply(reply)
			}
		})
	}
	c.busy.Wait()
}

// take waits for room for one more query: a client that sends faster than it is served is not read from.
func (c *conn) take() bool {
	select {
	case c.slots <- struct{}{}:
	case <-c.server.ctx.Done():
		return false
	}
	select {
	case c.server.slots <- struct{}{}:
		return true
	case <-c.server.ctx.Done():
		<-c.slots
		return false
	}
}

// give frees what take took; a query that parked has freed its share of the server before.
func (c *conn) give(p *place) {
	if !p.unpark() {
		p.free()
	}
	<-c.slots
}

var errLength = errors.New("length of a query is out of bounds")

// read reads one query. Each deadline is for the whole step, so that a byte now and then does not move it.
func (c *conn) read() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.server.cfg.Idle)); err != nil {
		return nil, err
	}
	if c.server.closing.Load() { // Shutdown may have set its deadline before ours
		return nil, net.ErrClosed
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n == 0 || n > MaxQuery {
		c.server.stats.Oversize.Add(1)
		return nil, errLength
	}
	if err := c.SetReadDeadline(time.Now().Add(c.server.cfg.Read)); err != nil {
		return nil, err
	}
	packet := make([]byte, n)
	_, err := io.ReadFull(c, packet)
	return packet, err
}

// reply writes one reply; a client that does not take it in time is cut off, with all that it still waits for.
func (c *conn) reply(packet []byte) {
	c.write.Lock()
	defer c.write.Unlock()
	framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, len(packet)+2), uint16(len(packet))), packet...)
	_ = c.SetWriteDeadline(time.Now().Add(c.server.cfg.Write))
	if _, err := c.Write(framed); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.server.stats.TimedOut.Add(1)
		}
		_ = c.Close()
	}
}
