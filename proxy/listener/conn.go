package listener

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is an accepted connection: it counts octets, bounds each write in time and leaves its group when it is closed.
type Conn struct {
	net.Conn
	group  *Group
	remote netip.AddrPort
	once   sync.Once
	err    error

	read, written atomic.Int64
	renewed       atomic.Int64 // UnixNano of the last write deadline
}

var _ net.Conn = (*Conn)(nil)

// Remote returns the client's address; a v4-mapped one is its IPv4 address.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Octets returns what was read from and written to the client so far.
func (c *Conn) Octets() (read, written int64) { return c.read.Load(), c.written.Load() }

// Bare returns the connection of the system, for splice(2); octets that go over it are booked with Book.
func (c *Conn) Bare() net.Conn { return c.Conn }

// Book adds octets that went over the bare connection.
func (c *Conn) Book(read, written int64) {
	c.read.Add(read)
	c.written.Add(written)
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// Write implements [net.Conn]. It fails when the client takes nothing for the write timeout of the group.
func (c *Conn) Write(p []byte) (int, error) {
	// A deadline is renewed at most every 64th of its time: setting one for each write costs more than small writes do.
	if now, d := time.Now(), c.group.cfg.WriteTimeout; now.UnixNano()-c.renewed.Load() > int64(d/64) {
		c.renewed.Store(now.UnixNano())
		if err := c.Conn.SetWriteDeadline(now.Add(d)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// SetWriteDeadline does nothing: every write has its own. It keeps others from lifting it.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the deadline of reads; see SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// CloseWrite half-closes the connection.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Reset closes the connection so that the client sees an error, never a clean end: what it was sent was cut short.
func (c *Conn) Reset() {
	if tc, ok := c.Conn.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	_ = c.Close()
}

// Close implements [net.Conn]. Calls after the first return what the first did.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		c.group.gone(c)
	})
	return c.err
}
