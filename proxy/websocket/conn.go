// Package websocket is stages (4) and (6) of the proxy for messages: it stands between the two ends of an upgraded connection,
// parses every frame of both directions, has every message inspected, and writes frames anew. No octet passes that was not
// parsed. Layer L5.
//
// A message is held until it ended and was judged, until more of it came than the hold limit, or until the sender paused for
// longer than the hold wait; then it goes on as it comes, and a later block sends nothing more. Compressed messages are inspected
// decompressed and forwarded as the sender compressed them. A block closes both sides with 1008, a violation of the protocol with
// the code that RFC 6455 gives it.
package websocket

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/internal/wire/ws"
	"weir/proxy/blockpage"
)

const (
	// readSize is how much is read from the server at once: the buffer size of io.Copy, which serves the other direction.
	readSize = 32 << 10
	// feedSize is how much is parsed before what is released goes out: it bounds what a direction holds above the hold limit.
	feedSize = 16 << 10
	// maxPending is how much may wait for the client before the server is not read any more.
	maxPending = 64 << 10
	// farewell is how long each side may take to get the close frame before its connection is closed: closing at once, with
	// octets of the peer still unread, would reset the connection and destroy the frame.
	farewell = 500 * time.Millisecond
	// patience is how much longer than the hold wait a sender that never pauses, but trickles, is held, as a factor.
	patience = 10
)

// Options says how a connection was upgraded.
type Options struct {
	// Extensions are the values of Sec-WebSocket-Extensions in the 101 response.
	Extensions []string
	// Offered are those of the request as it went upstream; nil: the answer is not compared with the offer.
	Offered []string
}

// Conn is an inspected WebSocket, from the client's point of view: Write takes what the client sent, Read gives what the client
// gets. Read and Write may be called at the same time, each by one goroutine; Close and Block by any.
type Conn struct {
	x      *gate.Exchange
	server io.ReadWriteCloser
	up     *direction // client to server
	down   *direction // server to client
	limits inspect.Limits
	comp   bool

	serverMu     sync.Mutex // guards writing to server
	serverClosed bool       // a close frame went to the server

	mu           sync.Mutex // guards what follows; taken last
	cond         *sync.Cond // of mu: something below changed
	pending      []byte     // whole frames for the client
	clientClosed bool       // a close frame is among what went to the client
	answered     bool       // a close frame went to the server
	ended        bool       // we ended it: close frames of ours are on their way
	lingering    bool
	over         bool // nothing more will go to the client
	closed       bool // Close was called
	code         int  // the first close code

	pumped    chan struct{} // closed when the server is not read any more
	others    sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

var _ io.ReadWriteCloser = (*Conn)(nil)

// errOver says that the connection has ended; why was dealt with already.
var errOver = errors.New("websocket: connection has ended")

// blockedError carries the verdict that ended a message.
type blockedError struct{ v verdict.Verdict }

func (blockedError) Error() string { return "websocket: blocked" }

// Wrap makes a Conn of the body of a 101 response. It reads from server from now on; the caller must call Close, and after it
// calls x.Done. An extension that is not understood ends the connection at once.
func Wrap(server io.ReadWriteCloser, x *gate.Exchange, o Options) *Conn {
	c := &Conn{x: x, server: server, limits: x.Limits(), pumped: make(chan struct{})}
	c.cond = sync.NewCond(&c.mu)
	def := inspect.DefaultLimits()
	if c.limits.Hold <= 0 {
		c.limits.Hold = def.Hold
	}
	if c.limits.HoldWait <= 0 {
		c.limits.HoldWait = def.HoldWait
	}
	a, err := agree(o.Extensions, o.Offered)
	c.comp = a.deflate
	c.up = newDirection(c, ws.FromClient, inspect.RequestData, a.deflate, !a.params.ClientNoContextTakeover)
	c.down = newDirection(c, ws.FromServer, inspect.ResponseData, a.deflate, !a.params.ServerNoContextTakeover)
	go c.pump()
	if err != nil {
		c.end(ws.CodeProtocolError, x.Refuse(time.Now(), verdict.SafetyWebSocket, verdict.PlaceReply, extensionsHeader))
	}
	return c
}

// Write inspects what the client sent and passes on what may pass. It does not change p. After the connection was ended by us it
// takes and drops everything until Close, so that the client can send its own close frame.
func (c *Conn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		switch ended, closed := c.state(); {
		case closed:
			return done, errOver
		case ended:
			return len(p), nil
		}
		n := min(len(p)-done, feedSize)
		if err := c.up.feed(p[done : done+n]); err != nil {
			if c.fail(c.up, err); !c.isEnded() {
				return done, err
			}
		}
		done += n
	}
	return done, nil
}

// Read returns what may go to the client; io.EOF when there will be nothing more.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case c.closed:
			return 0, io.EOF
		case len(c.pending) > 0:
			n := copy(p, c.pending)
			c.pending = c.pending[:copy(c.pending, c.pending[n:])]
			c.cond.Broadcast()
			return n, nil
		case c.over, c.clientClosed && c.answered && !c.ended:
			return 0, io.EOF
		case c.ended && !c.lingering:
			c.lingering = true
			time.AfterFunc(farewell, c.stop)
		}
		c.cond.Wait()
	}
}

// Block ends the connection because a policy that came into force later blocks it.
func (c *Conn) Block(v verdict.Verdict) { c.end(ws.CodePolicy, v) }

// Close closes the connection to the server and waits until nothing of this Conn runs any more. It sends nothing. Calls after the
// first do nothing.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.cond.Broadcast()
		c.mu.Unlock()
		c.closeErr = c.server.Close()
		<-c.pumped
		c.others.Wait()
		c.up.rest()
		c.down.rest()
		c.note()
	})
	return c.closeErr
}

// note writes the counters into the event.
func (c *Conn) note() {
	up, down := c.up.count(), c.down.count()
	c.mu.Lock()
	code := c.code
	c.mu.Unlock()
	c.x.Note(func(e *event.Event) {
		e.WebSocket = &event.WebSocket{MessagesSent: up.messages, MessagesReceived: down.messages, Compressed: c.comp, CloseCode: code}
		e.Sent, e.Received = up.octets, down.octets
	})
}

func (c *Conn) state() (ended, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.closed
}

func (c *Conn) isEnded() bool {
	ended, _ := c.state()
	return ended
}

// stop lets Read end once everything pending was read.
func (c *Conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.cond.Broadcast()
}

// pump reads from the server until it ends; after we ended the connection it drops what comes.
func (c *Conn) pump() {
	defer close(c.pumped)
	defer c.survive()
	buf := make([]byte, readSize)
	for {
		n, err := c.server.Read(buf)
		if n > 0 && !c.isEnded() {
			if err := c.down.feed(buf[:n]); err != nil {
				c.fail(c.down, err)
			}
		}
		if err != nil {
			if !c.isEnded() {
				c.stop()
			}
			return
		}
	}
}

// survive keeps a panic from being more than the end of this connection.
func (c *Conn) survive() {
	if how := recover(); how != nil {
		c.x.Note(func(e *event.Event) { e.Error = fmt.Sprintf("websocket: panic: %v", how) })
		c.stop()
		_ = c.server.Close() // there is nobody left to tell
	}
}

// fail ends the connection for what a direction ran into.
func (c *Conn) fail(d *direction, err error) {
	var stopped blockedError
	var violation *ws.Error
	switch {
	case errors.As(err, &stopped):
		c.end(ws.CodePolicy, stopped.v)
	case errors.As(err, &violation):
		s := verdict.SafetyWebSocket
		if violation.Code == ws.CodeTooBig {
			s = verdict.SafetyLimit
		}
		c.end(violation.Code, c.x.Refuse(time.Now(), s, d.phase.Place(), string(violation.Reason)))
	case errors.Is(err, errOver):
	default: // the other side cannot be written to
		c.stop()
	}
}

// end sends close frames to both sides, once; a side that already got one gets none. The client learns the event's id.
func (c *Conn) end(code uint16, v verdict.Verdict) {
	reason := blockpage.CloseReason(c.x, v)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.closed {
		return
	}
	c.ended = true
	if !c.clientClosed {
		c.clientClosed = true
		c.pending = ws.AppendClose(c.pending, code, reason, nil)
	}
	if c.code == 0 {
		c.code = int(code)
	}
	c.cond.Broadcast()
	c.x.Note(func(e *event.Event) { e.Aborted = fmt.Sprintf("close-%d", code) })
	c.others.Go(func() { c.dismiss(code) })
}

// dismiss tells the server, waits a moment for it, and closes the connection to it.
func (c *Conn) dismiss(code uint16) {
	defer c.survive()
	timer := time.AfterFunc(farewell, func() { _ = c.server.Close() })
	defer timer.Stop()
	c.serverMu.Lock()
	if !c.serverClosed {
		c.serverClosed = true
		mask := newMask()
		if _, err := c.server.Write(ws.AppendClose(nil, code, "", &mask)); err != nil {
			_ = c.server.Close() // it is gone
		}
	}
	c.serverMu.Unlock()
	<-c.pumped
	_ = c.server.Close() // at the latest now
}

// toServer writes a frame to the server.
func (c *Conn) toServer(frame []byte, last bool) error {
	c.serverMu.Lock()
	defer c.serverMu.Unlock()
	if c.serverClosed || c.isEnded() {
		return errOver
	}
	if _, err := c.server.Write(frame); err != nil {
		return fmt.Errorf("write to the server: %w", err)
	}
	if last {
		c.serverClosed = true
		c.mu.Lock()
		c.answered = true
		c.cond.Broadcast()
		c.mu.Unlock()
	}
	return nil
}

// toClient queues a frame for the client, and waits while too much is queued.
func (c *Conn) toClient(frame []byte, last bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > maxPending && !c.ended && !c.closed {
		c.cond.Wait()
	}
	if c.clientClosed || c.ended || c.closed {
		return errOver
	}
	c.pending = append(c.pending, frame...)
	c.clientClosed = last
	c.cond.Broadcast()
	return nil
}

// closing notes the code of a close frame that passes.
func (c *Conn) closing(code uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.code = int(code)
	}
}

// newMask makes a masking key: unpredictable, so that no client chooses what octets appear on the wire (RFC 6455 section 10.3).
func newMask() (m [4]byte) {
	_, _ = rand.Read(m[:]) // never fails: it ends the process instead
	return m
}
