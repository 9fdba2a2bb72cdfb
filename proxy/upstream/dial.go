package upstream

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
)

func hexAddr(a netip.Addr) string { return hex.EncodeToString(a.AsSlice()) }

func portText(p uint16) string { return strconv.Itoa(int(p)) }

// parseKey is the inverse of key.String; host is the text for the handshake: the name, or the address of a literal target.
func parseKey(text string) (addr netip.AddrPort, host string, err error) {
	authority, port, ok := strings.Cut(text, ":")
	digits, name, named := strings.Cut(authority, ".")
	octets, hexErr := hex.DecodeString(digits)
	a, sized := netip.AddrFromSlice(octets)
	p, portErr := strconv.ParseUint(port, 10, 16)
	if !ok || hexErr != nil || !sized || portErr != nil || p == 0 {
		return netip.AddrPort{}, "", fmt.Errorf("pool key %q is not one of ours", text)
	}
	if named {
		n, err := hostname.Parse(name)
		if err != nil || n.String() != name {
			return netip.AddrPort{}, "", fmt.Errorf("pool key %q: name is not canonical", text)
		}
	} else {
		name = a.String()
	}
	return netip.AddrPortFrom(a, uint16(p)), name, nil
}

// dialTimeoutKey is the context key of the time that one attempt to connect may take.
type dialTimeoutKey struct{}

func withDialTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, dialTimeoutKey{}, d)
}

// dialTimeout returns the time for one attempt: net/http dials with the values of the request's context, not with its deadline.
func (t *Transport) dialTimeout(ctx context.Context) time.Duration {
	if d, ok := ctx.Value(dialTimeoutKey{}).(time.Duration); ok && d > 0 {
		return min(d, t.cfg.DialTimeout)
	}
	return t.cfg.DialTimeout
}

func (t *Transport) dialPlain(ctx context.Context, _, text string) (net.Conn, error) {
	addr, _, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	c, err := t.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	return newFramed(&deadlineConn{Conn: c, timeout: t.cfg.StreamTimeout}), nil
}

func (t *Transport) dialTLS(ctx context.Context, text string, protos []string) (net.Conn, error) {
	addr, host, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	c, err := t.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(&deadlineConn{Conn: c, timeout: t.cfg.StreamTimeout}, &tls.Config{
		ServerName: host, RootCAs: t.cfg.Roots, MinVersion: t.cfg.MinTLS, NextProtos: protos, ClientSessionCache: t.sessions,
	})
	ctx, cancel := context.WithTimeout(ctx, t.cfg.TLSTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = c.Close() // the handshake's error says all
		return nil, &handshakeError{err}
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		return conn, nil // net/http looks for this type
	}
	return newFramed(conn), nil
}

// connect makes a TCP connection to exactly addr, and makes sure of it before and after.
func (t *Transport) connect(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	t.stats.Dials.Add(1)
	d := net.Dialer{Timeout: t.dialTimeout(ctx), Control: func(_, address string, _ syscall.RawConn) error {
		if got, err := netip.ParseAddrPort(address); err != nil || got != addr {
			return fmt.Errorf("about to connect to %s instead of %s", address, addr)
		}
		return nil
	}}
	c, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, &dialError{err}
	}
	conn, ok := c.(*net.TCPConn)
	if remote, err := netip.ParseAddrPort(c.RemoteAddr().String()); !ok || err != nil || remote != addr {
		_ = c.Close() // it is not the one that was asked for
		return nil, fmt.Errorf("connected to %s instead of %s", c.RemoteAddr(), addr)
	}
	return conn, nil
}

// Dial connects to the target of x for a tunnel that is not decrypted: the addresses are resolved and admitted as for a request.
// The connection is a *net.TCPConn. A non-nil error is an *Error and in the event already.
func (t *Transport) Dial(ctx context.Context, x *gate.Exchange) (net.Conn, error) {
	c, failure := t.dial(ctx, x)
	if failure != nil {
		t.failed(x, failure)
		return nil, failure
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, x *gate.Exchange) (*net.TCPConn, *Error) {
	addrs, failure := t.admit(ctx, x)
	if failure != nil {
		return nil, failure
	}
	var err error
	budget := newBudget(t.cfg.DialTimeout, len(addrs))
	for _, addr := range addrs {
		x.Note(func(e *event.Event) { e.Server = addr })
		var c *net.TCPConn
		if c, err = t.connect(withDialTimeout(ctx, budget.next()), addr); err == nil {
			return c, nil
		}
		if !again(ctx, x, err) {
			break
		}
	}
	return nil, t.explain(ctx, x, nil, err)
}

// budget shares the time to connect among addresses, as net.Dialer does.
type budget struct {
	deadline time.Time
	left     int
}

// leastAttempt is what one address gets even when there are many: less would miss a lost SYN, which is sent again after 1 s.
const leastAttempt = 2 * time.Second

func newBudget(total time.Duration, addrs int) *budget {
	return &budget{deadline: time.Now().Add(total), left: addrs}
}

// next returns the time for the next attempt.
func (b *budget) next() time.Duration {
	rest := time.Until(b.deadline)
	share := max(rest/time.Duration(max(b.left, 1)), leastAttempt)
	b.left--
	return max(min(share, rest), time.Millisecond)
}

// deadlineConn gives a pooled connection deadlines, so that a silent origin cannot hold it for ever. What is written also renews the
// deadline of reading: during a long upload, net/http waits for the answer all the time.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

var _ net.Conn = (*deadlineConn)(nil)

// Read is net.Conn's, with a deadline.
func (c *deadlineConn) Read(p []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write is net.Conn's, with a deadline.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.Conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
