package listener

import (
	"net"
	"net/netip"
	"sync"
)

// Channel is a listener whose connections are pushed into it: it feeds an http.Server with connections that were opened inside
// others.
type Channel struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

var _ net.Listener = (*Channel)(nil)

// NewChannel makes a Channel.
func NewChannel() *Channel { return &Channel{conns: make(chan net.Conn), done: make(chan struct{})} }

// Push hands a connection to Accept; false means that the channel is closed and the connection still the caller's.
func (l *Channel) Push(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements [net.Listener].
func (l *Channel) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *Channel) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener]; there is no address.
func (l *Channel) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPort{}) }
