package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
)

// job is one datagram.
type job struct {
	conn *net.UDPConn
	buf  *[]byte
	n    int
	from netip.AddrPort
}

// buffers are reused: a datagram of MaxQuery octets, and one more that shows that it was longer.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, MaxQuery+1)
	return &b
}}

// listenUDP opens n sockets on one address; the kernel spreads clients over them.
func listenUDP(ctx context.Context, addr netip.AddrPort, n int) ([]*net.UDPConn, error) {
	var out []*net.UDPConn
	cfg := net.ListenConfig{Control: share}
	if !canShare {
		n = 1
	}
	for range n {
		c, err := cfg.ListenPacket(ctx, network("udp", addr), addr.String())
		if err != nil {
			for _, c := range out {
				_ = c.Close()
			}
			return nil, fmt.Errorf("udp: %w", err)
		}
		out = append(out, c.(*net.UDPConn))
	}
	return out, nil
}

// readUDP hands datagrams to workers until the server closes. A read error of one datagram (an ICMP message about an earlier
// reply) does not end it.
func (s *Server) readUDP(c *net.UDPConn) error {
	for {
		buf := buffers.Get().(*[]byte)
		n, from, err := c.ReadFromUDPAddrPort(*buf)
		if err != nil {
			buffers.Put(buf)
			if s.closing.Load() || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if transient(err) {
				continue
			}
			return fmt.Errorf("read from %s: %w", c.LocalAddr(), err)
		}
		if n > MaxQuery || from.Port() == 0 { // nothing can be sent to port 0
			s.stats.Oversize.Add(1)
			buffers.Put(buf)
			continue
		}
		s.dispatch(job{c, buf, n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())})
	}
}

// dispatch gives a job to a worker that waits, or to a new one; when all are busy it is dropped: the client asks again, and a
// queue would only make answers late.
func (s *Server) dispatch(j job) {
	select {
	case s.jobs <- j:
		return
	default:
	}
	if !s.takeWorker() {
		s.stats.Dropped.Add(1)
		buffers.Put(j.buf)
		return
	}
	s.workers.Go(func() { s.worker(j) })
}

func (s *Server) work(ctx context.Context, j job) {
	defer buffers.Put(j.buf)
	if reply := s.cfg.Handler(ctx, (*j.buf)[:j.n], j.from, "udp"); reply != nil {
		_, _ = j.conn.WriteToUDPAddrPort(reply, j.from) // the client asks again
	}
}
