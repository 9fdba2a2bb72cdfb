package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"

	"weir/internal/wire/http1"
)

// FramingError is a violation of HTTP/1 framing in what an origin sent: two readers could see two different messages in it. It
// ends the connection; what goes before it was delivered.
type FramingError struct{ http1.Anomaly }

var _ error = (*FramingError)(nil)

// Error implements error.
func (e *FramingError) Error() string { return "response: " + e.Anomaly.Error() }

// framed watches what an HTTP/1 origin sends before net/http reads it, which is more lenient: it takes a bare LF, folded lines, a
// Content-Length beside a Transfer-Encoding. A head is delivered only when it is whole and unambiguous, a body up to its violation.
// Old servers that end lines with a bare LF are refused all the same: what this proxy reads as one answer, a client or a cache
// behind it could read as two. Behind a 101 the stream is no longer HTTP and passes as it is.
//
// Reads are for one goroutine at a time, as net/http does.
type framed struct {
	net.Conn
	valid *http1.Validator
	head  []byte // of a head that is not whole
	out   []byte // ready to be delivered
	err   error  // behind out; sticky
	raw   bool   // not HTTP any more

	mu      sync.Mutex // guards what follows
	method  string     // of the request that waits for its answer
	waiting bool
	broken  error // a *FramingError
}

var _ net.Conn = (*framed)(nil)

func newFramed(c net.Conn) *framed {
	f := &framed{Conn: c}
	f.valid = http1.NewResponseValidator(f.answered)
	return f
}

// expect says that a request of that method goes out: net/http sends one at a time on a connection.
func (f *framed) expect(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.method, f.waiting = method, true
}

// answered takes the request that a final response answers.
func (f *framed) answered() (method string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method, ok, f.waiting = f.method, f.waiting, false
	return method, ok
}

// Read implements [net.Conn]. Errors are those of the connection, or a *[FramingError].
func (f *framed) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(f.out) > 0 {
			n := copy(p, f.out)
			if f.out = f.out[n:]; len(f.out) == 0 {
				f.out = nil
			}
			return n, nil
		}
		if f.err != nil {
			return 0, f.err
		}
		n, err := f.Conn.Read(p)
		if n == 0 || f.raw {
			return n, err
		}
		released := f.check(p[:n])
		f.err = first(f.err, err)
		if released == n && len(f.head) == 0 {
			return n, nil
		}
		if released > 0 {
			f.out = append(f.head, p[:released]...)
			f.head = nil
		}
		f.head = append(f.head, p[released:n]...)
	}
}

func (f *framed) violated(a http1.Anomaly) {
	f.err = &FramingError{Anomaly: a}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = f.err
}

func (f *framed) violation() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}

// framedBody is the body of a response. net/http says of a violation in the trailer section only that it ended early.
type framedBody struct {
	io.ReadCloser
	conn *framed
}

// Read implements [io.Reader].
func (b framedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = first(b.conn.violation(), err)
	}
	return n, err
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// check follows p and returns how much of it, with everything held before, may be delivered.
func (f *framed) check(p []byte) (released int) {
	for at := 0; at < len(p); {
		inHead := !f.valid.InBody()
		n := f.valid.Piece(p[at:])
		if _, a := f.valid.Feed(p[at : at+n]); a != nil {
			f.violated(*a)
			return released
		}
		at += n
		switch {
		case f.valid.InBody() || f.valid.Idle():
			released = at
		case inHead && f.endsHead(p[released:at], released > 0): // and neither a body nor another message follows: a 101
			f.raw = true
			return len(p)
		}
	}
	return released
}

// endsHead says whether p, behind what is held unless something before p was released, ends a head.
func (f *framed) endsHead(p []byte, fresh bool) bool {
	const end = "\r\n\r\n"
	if !fresh && len(p) < len(end) {
		tail := f.head[max(0, len(f.head)-len(end)):]
		p = append(bytes.Clone(tail), p...)
	}
	return bytes.HasSuffix(p, []byte(end))
}
