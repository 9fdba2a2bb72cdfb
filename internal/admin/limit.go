package admin

import (
	"net"
	"sync"
	"sync/atomic"
)

// limited closes connections above the limit at once, where waiting would let
// a health check hang behind them.
type limited struct {
	net.Listener
	slots   chan struct{}
	refused *atomic.Uint64
}

var _ net.Listener = (*limited)(nil)

// Accept returns the next connection that gets a slot.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slotted{Conn: c, slots: l.slots}, nil
		default:
			l.refused.Add(1)
			_ = c.Close()
		}
	}
}

// slotted gives its slot back when it is closed, once.
type slotted struct {
	net.Conn
	once  sync.Once
	slots chan struct{}
}

var _ net.Conn = (*slotted)(nil)

// Close closes the connection and gives its slot back.
func (c *slotted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}
