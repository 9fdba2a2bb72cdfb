package listener

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"weir/internal/gate"
	"weir/internal/wire/http1"
)

// ErrFraming is wrapped by the errors of reads that met a violation of HTTP/1 framing within a body.
var ErrFraming = errors.New("ambiguous http framing")

// errImpatient ends a connection on which too much came before the answer to a CONNECT or an upgrade.
var errImpatient = errors.New("client sends before it was answered")

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
	// connect begins the one request after which the stream is a tunnel.
	connect   = "CONNECT "
	emptyLine = "\r\n"
	// maxBehind is what a client may send behind a CONNECT or an upgrade before it got the answer: a ClientHello, most of all, or
	// a gRPC request with it. RFC 6455 section 4.1 lets a WebSocket client send nothing.
	maxBehind = 64 << 10
	// refusal begins what net/http writes then (net/http/server.go, conn.serve).
	refusal = "HTTP/1.1 400 Bad Request\r\n"
)

// Checked watches what an HTTP/1 client sends before an http.Server reads it. A head reaches the server only when it is whole
// and unambiguous; at a violation the server gets a head that it must refuse, then the end. Within a body, the read fails.
// Nothing behind a violation is ever delivered, nor behind a CONNECT or an upgrade to websocket: that is HTTP no more if the
// server agrees, and then it hijacks the connection and takes what came from Unwrap; if it does not, it can only close.
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
	raw    bool   // not HTTP any more, if the server agrees
	behind []byte // the head that asked for that
	blank  int    // octets of an empty line before the head under way
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
			return 0, c.wait()
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
	n, released := c.check(buf[:n])
	if direct && released == n && c.err == nil && !c.deaf {
		return n, nil
	}
	c.sort(buf[:released], buf[released:n])
	return 0, nil
}

// sort puts what was read where it belongs: what may be delivered, and the rest.
func (c *Checked) sort(released, rest []byte) {
	if len(released) > 0 {
		c.out = append(append(c.out, c.held...), released...)
		c.held = c.held[:0]
	}
	switch {
	case c.deaf:
		c.held = nil
		c.out = append(c.out, poison...)
	case c.err != nil:
		c.held = nil
	case c.raw:
		c.behind = append(c.behind, rest...)
	default:
		c.held = append(c.held, rest...)
		c.timeHead(len(c.held) > 0)
	}
}

// wait keeps what the client sends before the server has hijacked the connection. It returns when reading fails, or is interrupted:
// net/http reads in the background, to see that the client is gone.
func (c *Checked) wait() error {
	if c.buf == nil {
		c.buf = make([]byte, scratch)
	}
	for len(c.behind) <= maxBehind {
		n, err := c.Conn.Read(c.buf)
		if c.behind = append(c.behind, c.buf[:n]...); err != nil {
			return err
		}
	}
	return errImpatient
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

// check follows p and returns how much of it, with everything held before, may be delivered. It takes an empty line before a
// request line out of p, of which the first kept octets are left.
func (c *Checked) check(p []byte) (kept, released int) {
	for at := 0; at < len(p); {
		if c.skips(p[at]) {
			p = append(p[:at], p[at+1:]...)
			continue
		}
		n := c.valid.Piece(p[at:])
		_, a := c.valid.Feed(p[at : at+n])
		if a == nil && c.headEnds() {
			a = c.endHead(p[:at+n], released)
		}
		if a != nil {
			c.violated(*a)
			return len(p), released
		}
		at += n
		if c.inBody || c.raw || c.valid.Idle() {
			released = at
		}
		if c.raw {
			return len(p), released
		}
		if c.valid.Idle() {
			c.inBody = false
		}
	}
	return len(p), released
}

// skips says whether an octet belongs to the one empty line that clients may send before a request line (RFC 9112 section 2.2):
// old ones end their bodies with it. It is not delivered, for net/http takes none.
func (c *Checked) skips(octet byte) bool {
	if !c.valid.Idle() || c.blank >= len(emptyLine) {
		return false
	}
	if octet == emptyLine[c.blank] {
		c.blank++
		return true
	}
	if c.blank > 0 { // a CR that ends no line
		c.blank = len(emptyLine)
		c.valid.Feed([]byte(emptyLine[:1]))
	}
	return false
}

// CheckRequest runs the watch over a request that lies in memory whole. It returns the violation that would end it, and whether
// that stands in its head, so that it never becomes a request; nil when there is none. A head that does not end is a violation
// here; what follows the request is not looked at.
func CheckRequest(p []byte) (a *http1.Anomaly, head bool) {
	p = bytes.TrimPrefix(p, []byte(emptyLine))
	c := &Checked{blank: len(emptyLine), onAnomaly: func(found http1.Anomaly) []byte {
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
	c.blank = 0
	if !sameHost(head) {
		return &http1.Anomaly{Kind: http1.BadHost}
	}
	c.inBody = c.valid.InBody()
	if !bytes.HasPrefix(head, []byte(connect)) && !upgrades(head, c.inBody) {
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
// (RFC 9112 section 3.2.2), but then two names for one request went through, and net/http keeps only one of them. That of a CONNECT
// must name the same host; its port may be another or absent (section 3.2.3 asks for the authority, old clients leave it out).
func sameHost(head []byte) bool {
	line, fields, _ := bytes.Cut(head, []byte("\n"))
	method, target, _ := bytes.Cut(line, []byte(" "))
	if string(method)+" " == connect {
		authority, _, _ := bytes.Cut(target, []byte(" "))
		named, ok := hostField(fields)
		return !ok || bytes.EqualFold(withoutPort(named), withoutPort(authority))
	}
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
	named, ok := hostField(fields)
	return !ok || bytes.EqualFold(bytes.TrimSuffix(named, []byte(port)), bytes.TrimSuffix(host, []byte(port)))
}

// hostField returns the value of Host; the validator has seen to it that there is one at most.
func hostField(fields []byte) (value []byte, ok bool) {
	for field := range bytes.Lines(fields) {
		name, value, _ := bytes.Cut(field, []byte(":"))
		if bytes.EqualFold(name, []byte("host")) {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}

func withoutPort(authority []byte) []byte {
	if i := bytes.LastIndexByte(authority, ':'); i > bytes.LastIndexByte(authority, ']') {
		return authority[:i]
	}
	return authority
}

// upgrades says whether the server will take a head for an upgrade to websocket: by the very rule that it goes by.
func upgrades(head []byte, body bool) bool {
	if !bytes.Contains(bytes.ToLower(head), []byte("\nupgrade:")) {
		return false // spares nearly all requests the parsing
	}
	m, _ := http1.ParseRequest(head)
	h := http.Header{}
	for _, f := range m.Fields {
		h.Add(f.Name, f.Value)
	}
	return gate.UpgradeOf(m.Method, m.Version, h, body) == gate.UpgradeWebSocket
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
	undelivered, c.out, c.behind = append(c.out, c.behind...), nil, nil
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
