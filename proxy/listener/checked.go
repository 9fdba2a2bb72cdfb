package listener

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"weir/internal/wire/http1"
)

// ErrFraming is wrapped by the errors of reads that met a violation of HTTP/1 framing within a body.
var ErrFraming = errors.New("ambiguous http framing")

// FramingError is the violation that ended a body.
type FramingError struct{ http1.Anomaly }

var _ error = (*FramingError)(nil)

// Error implements error.
func (e *FramingError) Error() string { return e.Anomaly.Error() }

// Unwrap makes it an [ErrFraming].
func (e *FramingError) Unwrap() error { return ErrFraming }

const (
	// scratch is the least a read of the connection asks for: net/http reads 4 KiB at a time, or 1 octet in the background.
	scratch = 4 << 10
	// poison stands in for a head that may not be read: a NUL is no token, so net/http answers 400 and closes.
	poison = "\x00\r\n\r\n"
	// refusal begins what net/http writes then (net/http/server.go, conn.serve).
	refusal = "HTTP/1.1 400 Bad Request\r\n"
)

// Checked watches what an HTTP/1 client sends before an http.Server reads it. A head reaches the server only when it is whole
// and unambiguous; at a violation the server gets a head that it must refuse, then the end. Within a body, the read fails.
// Nothing behind a violation is ever delivered. Behind a CONNECT or an upgrade to websocket the stream is no longer HTTP:
// octets pass as they are, and the server must hijack the connection or close it.
//
// Reads are for one goroutine at a time, as net/http does; writes and deadlines may come from others.
type Checked struct {
	net.Conn
	// Owner is whatever the maker wants to find again where http.Server hands the connection out.
	Owner     any
	onAnomaly func(http1.Anomaly) []byte
	headTime  time.Duration

	valid  http1.Validator
	buf    []byte // for reads that ask for little
	held   []byte // of a head that is not whole
	out    []byte // ready to be delivered
	err    error  // behind out
	raw    bool   // not HTTP any more
	deaf   bool   // the poison is behind out: nothing more is delivered
	inBody bool   // the head of the message under way was released

	mu     sync.Mutex // guards what follows
	asked  time.Time  // read deadline that the server set
	head   time.Time  // when the head under way must be whole; zero: none is
	page   []byte     // what the server's refusal is replaced with
	poison bool       // the server was given the poison
	broken error      // a *FramingError: the violation within a body
}

var _ net.Conn = (*Checked)(nil)

// NewChecked watches c. onAnomaly is called once, at a violation in a head, and returns the response that the client gets in
// place of the server's own. headTime is how long a head may take from its first octet.
func NewChecked(c net.Conn, headTime time.Duration, onAnomaly func(http1.Anomaly) []byte) *Checked {
	return &Checked{Conn: c, headTime: headTime, onAnomaly: onAnomaly}
}

// Read implements [net.Conn].
func (c *Checked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(c.out) > 0 {
			n := copy(p, c.out)
			if c.out = c.out[n:]; len(c.out) == 0 {
				c.out = nil
			}
			return n, nil
		}
		if c.err != nil {
			return 0, c.err
		}
		if c.deaf {
			return 0, c.drain(p)
		}
		if c.raw {
			return c.Conn.Read(p)
		}
		if n, err := c.fill(p); n > 0 || err != nil {
			return n, err
		}
	}
}

// fill reads once from the connection. It returns octets in p when they may be delivered as they are; else they go to c.out.
func (c *Checked) fill(p []byte) (int, error) {
	buf := p
	if len(buf) < scratch {
		if c.buf == nil {
			c.buf = make([]byte, scratch)
		}
		buf = c.buf
	}
	n, err := c.Conn.Read(buf)
	if n == 0 {
		return 0, err
	}
	direct := len(buf) == len(p) && len(c.held) == 0
	released := c.check(buf[:n])
	if direct && released == n && c.err == nil && !c.deaf {
		return n, nil
	}
	if released > 0 {
		c.out = append(append(c.out, c.held...), buf[:released]...)
		c.held = c.held[:0]
	}
	switch {
	case c.deaf:
		c.held = nil
		c.out = append(c.out, poison...)
	case c.err != nil:
		c.held = nil
	default:
		c.held = append(c.held, buf[released:n]...)
		c.timeHead(len(c.held) > 0)
	}
	return 0, nil
}

// drain reads what follows a violation, for nobody. An end right away would make the server give up the requests before, which
// were fine.
func (c *Checked) drain(p []byte) error {
	for {
		if _, err := c.Conn.Read(p); err != nil {
			return err
		}
	}
}

// check follows p and returns how much of it, with everything held before, may be delivered.
func (c *Checked) check(p []byte) (released int) {
	for at := 0; at < len(p); {
		n := c.valid.Piece(p[at:])
		_, a := c.valid.Feed(p[at : at+n])
		if a == nil && c.headEnds() {
			a = c.endHead(p[:at+n], released)
		}
		if a != nil {
			c.violated(*a)
			return released
		}
		at += n
		if c.inBody || c.raw || c.valid.Idle() {
			released = at
		}
		if c.raw {
			return len(p)
		}
		if c.valid.Idle() {
			c.inBody = false
		}
	}
	return released
}

// CheckRequest runs the watch over a request that lies in memory whole. It returns the violation that would end it, and whether
// that stands in its head, so that it never becomes a request; nil when there is none. A head that does not end is a violation
// here; what follows the request is not looked at.
func CheckRequest(p []byte) (a *http1.Anomaly, head bool) {
	c := &Checked{onAnomaly: func(found http1.Anomaly) []byte {
		a, head = &found, true
		return nil
	}}
	for at := 0; at < len(p) && a == nil && c.valid.Complete() == 0 && !c.raw; {
		n := c.valid.Piece(p[at:])
		c.held = p[:at]
		if c.inBody {
			c.held = nil
		}
		c.check(p[at : at+n])
		at += n
		var framing *FramingError
		if errors.As(c.err, &framing) {
			return &framing.Anomaly, false
		}
	}
	if a == nil && !c.inBody && !c.raw && c.valid.Complete() == 0 {
		return &http1.Anomaly{Kind: http1.Truncated, Offset: int64(len(p))}, true
	}
	return a, head
}

// headEnds says whether the piece just fed ended a head.
func (c *Checked) headEnds() bool { return !c.inBody && (c.valid.Idle() || c.valid.InBody()) }

// endHead looks at a whole head, which begins with what is held unless something of this read was released before.
func (c *Checked) endHead(p []byte, released int) *http1.Anomaly {
	head := p[released:]
	if released == 0 && len(c.held) > 0 {
		head = append(bytes.Clone(c.held), head...)
	}
	c.timeHead(false)
	if !sameHost(head) {
		return &http1.Anomaly{Kind: http1.BadHost}
	}
	c.inBody = c.valid.InBody()
	if !bytes.HasPrefix(head, []byte("CONNECT ")) && !upgrades(head) {
		return nil
	}
	if c.inBody { // nothing says what a body before a switch of protocols would be (RFC 9110 section 9.3.6)
		c.inBody = false
		return &http1.Anomaly{Kind: http1.BodyWithoutBodyResponse}
	}
	c.raw = true
	c.valid.Detach()
	return nil
}

// sameHost says whether the Host field of a request in absolute-form names the host of its target. A proxy may ignore the field
// (RFC 9112 section 3.2.2), but then two names for one request went through, and net/http keeps only one of them.
func sameHost(head []byte) bool {
	line, fields, _ := bytes.Cut(head, []byte("\n"))
	_, target, _ := bytes.Cut(line, []byte(" "))
	scheme, rest, absolute := bytes.Cut(target, []byte("://"))
	if !absolute || bytes.ContainsAny(scheme, "/?") {
		return true
	}
	port := ":80"
	if bytes.EqualFold(scheme, []byte("https")) || bytes.EqualFold(scheme, []byte("wss")) {
		port = ":443"
	}
	host := rest
	if i := bytes.IndexAny(rest, "/? "); i >= 0 {
		host = rest[:i]
	}
	for field := range bytes.Lines(fields) {
		name, value, _ := bytes.Cut(field, []byte(":"))
		if bytes.EqualFold(name, []byte("host")) {
			named := bytes.TrimSuffix(bytes.TrimSpace(value), []byte(port))
			return bytes.EqualFold(named, bytes.TrimSuffix(host, []byte(port)))
		}
	}
	return true
}

// upgrades says whether a head asks for the WebSocket protocol.
func upgrades(head []byte) bool {
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("upgrade")) && bytes.Contains(bytes.ToLower(value), []byte("websocket")) {
			return true
		}
	}
	return false
}

func (c *Checked) violated(a http1.Anomaly) {
	if c.inBody {
		c.err = &FramingError{Anomaly: a}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.broken = c.err
		return
	}
	c.deaf = true
	page := c.onAnomaly(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.poison, c.page = true, page
}

// Violation returns the *[FramingError] that ended a body, as reads say too; nil when there is none so far. It may be called from
// any goroutine.
func (c *Checked) Violation() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// Write implements [net.Conn]. The server's refusal of a poisoned head is replaced by our page.
func (c *Checked) Write(p []byte) (int, error) {
	c.mu.Lock()
	replace := c.poison && c.page != nil && bytes.HasPrefix(p, []byte(refusal)) && bytes.HasSuffix(p, []byte("400 Bad Request"))
	page := c.page
	if replace {
		c.page = nil
	}
	c.mu.Unlock()
	if !replace {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(page); err != nil {
		return 0, fmt.Errorf("write refusal: %w", err)
	}
	return len(p), nil
}

// timeHead begins or ends the time that a head may take. The server's own time for it begins only with the first octets that it
// sees.
func (c *Checked) timeHead(held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !held && !c.head.IsZero():
		c.head = time.Time{}
	case held && c.head.IsZero():
		c.head = time.Now().Add(c.headTime)
	default:
		return
	}
	c.deadline()
}

func (c *Checked) deadline() {
	t := c.asked
	if !c.head.IsZero() && (t.IsZero() || c.head.Before(t)) {
		t = c.head
	}
	_ = c.Conn.SetReadDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *Checked) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = t
	c.deadline()
	return nil
}

// SetDeadline implements [net.Conn].
func (c *Checked) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// Unwrap ends the watch over a hijacked connection: it returns the connection below and what was read from it but not delivered.
// ok is false when the stream is still HTTP, as far as its octets say.
func (c *Checked) Unwrap() (inner net.Conn, undelivered []byte, ok bool) {
	undelivered, c.out = c.out, nil
	return c.Conn, undelivered, c.raw
}

// Close implements [net.Conn]. After a refusal the client gets a moment to read it.
func (c *Checked) Close() error {
	c.mu.Lock()
	refused := c.poison && c.page == nil
	c.mu.Unlock()
	if refused {
		_ = c.Conn.SetReadDeadline(time.Now().Add(LingerTime))
		Linger(c.Conn)
	}
	return c.Conn.Close()
}

// CloseWrite half-closes the connection if it can be.
func (c *Checked) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
