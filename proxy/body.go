package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// errBlocked is wrapped by reads of a body that was blocked: nothing more of it is released.
var errBlocked = errors.New("blocked")

// body is a request or response body on its way through the gate: every octet is inspected before it is released. It is a
// pointer type, for goproxy compares bodies. One goroutine reads at a time; Close and the counters may be used by others.
type body struct {
	x      *gate.Exchange
	phase  inspect.Phase
	src    io.ReadCloser
	length int64           // as announced; -1 when it is not
	renew  func(time.Time) // sets the deadline of the next read; may be nil
	pause  time.Duration   // that deadline from now
	// trailer returns the trailer fields when the body has ended; it may be nil.
	trailer func() http.Header
	buf     []byte       // inspected, ready
	slow    chan chunk   // a read that hold left under way
	err     error        // behind buf; sticky
	total   atomic.Int64 // octets that came
	broken  atomic.Value // failure: what ended the body early
	closed  sync.Once
}

type failure struct{ err error }

// chunk is the result of one read.
type chunk struct {
	p   *[]byte
	n   int
	err error
}

// chunkSize is one read: two records of TLS.
const chunkSize = 32 << 10

// chunks recycles the memory of reads.
var chunks = sync.Pool{New: func() any {
	p := make([]byte, chunkSize)
	return &p
}}

var (
	_ io.ReadCloser = (*body)(nil)
	_ io.WriterTo   = (*body)(nil)
)

func newBody(x *gate.Exchange, phase inspect.Phase, src io.ReadCloser, length int64) *body {
	return &body{x: x, phase: phase, src: src, length: length}
}

// immediate says whether a body of this head is a stream of messages that a person or a program waits for: it is not held.
func immediate(h http.Header) bool {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch t = strings.ToLower(strings.TrimSpace(t)); t {
	case "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq", "multipart/x-mixed-replace":
		return true
	default:
		return strings.HasPrefix(t, "application/grpc")
	}
}

// patience is how much longer than one pause a sender that trickles is held in all, as a factor.
const patience = 10

// hold reads and inspects until the limit was seen, the body ended, or nothing came for a while. On a block nothing of the body
// is ever released.
func (b *body) hold(lim inspect.Limits) verdict.Verdict {
	defaults := inspect.DefaultLimits()
	if lim.Hold <= 0 {
		lim.Hold = defaults.Hold
	}
	if lim.HoldWait <= 0 {
		lim.HoldWait = defaults.HoldWait
	}
	end := time.Now().Add(patience * lim.HoldWait)
	timer := time.NewTimer(lim.HoldWait)
	defer timer.Stop()
	for b.err == nil && len(b.buf) < lim.Hold {
		b.slow = b.readAside()
		select {
		case c := <-b.slow:
			b.slow = nil
			b.keep(c)
			timer.Reset(min(lim.HoldWait, time.Until(end)))
		case <-timer.C:
			return b.x.Verdict()
		}
	}
	return b.x.Verdict()
}

// readAside reads in a goroutine of its own, which ends with the read; Close of the source ends that.
func (b *body) readAside() chan chunk {
	out := make(chan chunk, 1)
	p := chunks.Get().(*[]byte)
	b.deadline()
	go func() {
		c := chunk{p: p}
		defer func() {
			if r := recover(); r != nil {
				c.n, c.err = 0, fmt.Errorf("read body: panic: %v", r)
			}
			out <- c
		}()
		c.n, c.err = b.src.Read(*p)
	}()
	return out
}

// keep inspects what a read aside brought and adds it to what is ready.
func (b *body) keep(c chunk) {
	if n := b.inspect((*c.p)[:c.n], c.err); n > 0 {
		if b.buf == nil && b.length > 0 {
			b.buf = make([]byte, 0, min(b.length, chunkSize))
		}
		b.buf = append(b.buf, (*c.p)[:n]...)
	}
	chunks.Put(c.p)
}

// inspect shows the gate what a read brought, and returns how much of it may be released. It sets b.err when nothing follows.
func (b *body) inspect(p []byte, err error) int {
	total := b.total.Add(int64(len(p)))
	if len(p) > 0 && b.x.Data(time.Now(), b.phase, p).Blocks() {
		return b.fail(errBlocked)
	}
	if err == nil && total == b.length {
		// The client could take the message for whole once it has the last octet, so its end is judged before that is released.
		var more [1]byte
		var n int
		if n, err = b.src.Read(more[:]); n > 0 {
			return b.fail(errors.New("body longer than announced"))
		}
	}
	switch {
	case err == nil:
		return len(p)
	case errors.Is(err, io.EOF):
		if b.x.End(time.Now(), b.phase).Blocks() || b.trailersBlocked() {
			return b.fail(errBlocked)
		}
		b.err = io.EOF
		if b.renew != nil {
			b.renew(time.Time{})
		}
		return len(p)
	}
	b.fail(err)
	return len(p)
}

// trailersBlocked inspects the trailer section, which stands behind the body and has been read with its end.
func (b *body) trailersBlocked() bool {
	if b.trailer == nil {
		return false
	}
	h := b.trailer()
	return len(h) > 0 && b.x.Trailers(time.Now(), b.phase, h).Blocks()
}

func (b *body) fail(err error) int {
	b.err = fmt.Errorf("read body: %w", err)
	b.broken.CompareAndSwap(nil, failure{b.err})
	return 0
}

// failed returns what ended the body early; nil when nothing did so far.
func (b *body) failed() error {
	if b == nil {
		return nil
	}
	f, _ := b.broken.Load().(failure)
	return f.err
}

func (b *body) deadline() {
	if b.renew != nil {
		b.renew(time.Now().Add(b.pause))
	}
}

// Read implements [io.Reader]. Errors wrap that of the source, or errBlocked.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(b.buf) > 0 {
			n := copy(p, b.buf)
			if b.buf = b.buf[n:]; len(b.buf) == 0 {
				b.buf = nil
			}
			return n, nil
		}
		if b.err != nil {
			return 0, b.err
		}
		if b.slow != nil {
			c := <-b.slow
			b.slow = nil
			b.keep(c)
			continue
		}
		b.deadline()
		n, err := b.src.Read(p)
		if n = b.inspect(p[:n], err); n > 0 {
			return n, nil
		}
		if b.err == nil {
			return 0, nil
		}
	}
}

// WriteTo implements [io.WriterTo] with recycled memory.
func (b *body) WriteTo(w io.Writer) (total int64, err error) {
	p := chunks.Get().(*[]byte)
	defer chunks.Put(p)
	for {
		n, err := b.Read(*p)
		if n > 0 {
			k, err := w.Write((*p)[:n])
			total += int64(k)
			if err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Close implements [io.Closer]; it may be called more than once.
func (b *body) Close() (err error) {
	b.closed.Do(func() { err = b.src.Close() })
	return err
}
