package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/intercept"
	"weir/proxy/listener"
)

// spliceRound is how much is relayed before the deadline is renewed. Between two TCP connections the kernel moves the octets
// (splice(2)), so nothing is seen of them meanwhile.
const spliceRound = 4 << 20

// splice relays a tunnel both ways. Each direction is half-closed when its sender is done.
type splice struct {
	idle time.Duration // nothing in either direction for this long ends it
	life time.Duration // the whole

	end  time.Time
	last atomic.Int64 // UnixNano of the last octets in any direction
}

var (
	errIdle = errors.New("tunnel was idle for too long")
	errLife = errors.New("tunnel reached its greatest age")
)

// run returns the octets from the client and to it, and what ended the tunnel early.
func (s *splice) run(c *intercept.Conn, server net.Conn) (sent, received int64, err error) {
	client := net.Conn(c)
	head := c.Head
	c.Head = nil
	raw, bare := c.Conn.(*listener.Conn)
	if bare {
		client = raw.Bare()
		_ = client.SetWriteDeadline(time.Time{})
	}
	now := time.Now()
	s.end = now.Add(s.life)
	s.last.Store(now.UnixNano())
	n, err := server.Write(head)
	if err != nil {
		return int64(n), 0, fmt.Errorf("relay: %w", err)
	}
	sent = int64(n)
	var wg sync.WaitGroup
	var errUp, errDown error
	var up, down int64
	wg.Go(func() {
		up, errUp = s.copy(server, client)
		s.half(server, client, errUp)
	})
	down, errDown = s.copy(client, server)
	s.half(client, server, errDown)
	wg.Wait()
	if errUp == nil || errors.Is(errUp, net.ErrClosed) { // what closed the other direction says more
		errUp = errDown
	}
	return sent + up, down, errUp
}

// half passes the end of one direction on; after an error both connections end.
func (s *splice) half(dst, src net.Conn, err error) {
	if w, ok := dst.(interface{ CloseWrite() error }); ok && err == nil && w.CloseWrite() == nil {
		return
	}
	_ = dst.Close()
	_ = src.Close()
}

// copy relays one direction until its end, an error, or a limit of time.
func (s *splice) copy(dst, src net.Conn) (total int64, err error) {
	for {
		now := time.Now()
		if !now.Before(s.end) {
			return total, errLife
		}
		until := time.Unix(0, s.last.Load()).Add(s.idle)
		if s.end.Before(until) {
			until = s.end
		}
		if err := src.SetReadDeadline(until); err != nil {
			return total, fmt.Errorf("relay: %w", err)
		}
		_ = dst.SetWriteDeadline(now.Add(s.idle))
		n, err := io.Copy(dst, io.LimitReader(src, spliceRound))
		if total += n; n > 0 {
			s.last.Store(time.Now().UnixNano())
		}
		switch {
		case err == nil && n < spliceRound:
			return total, nil
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return total, fmt.Errorf("relay: %w", err)
		case n == 0 && time.Since(time.Unix(0, s.last.Load())) >= s.idle:
			return total, errIdle
		}
	}
}
