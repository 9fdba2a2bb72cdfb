package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"weir/proxy/intercept"
	"weir/proxy/listener"
)

// writer is the http.ResponseWriter that goproxy gets: it counts, flushes what has no length, keeps the length of our own pages,
// and makes a hijacked connection deliver every octet that the client sent.
type writer struct {
	http.ResponseWriter
	method   string
	length   int64 // of a page of ours; -1 otherwise
	status   int   // that was sent; 0 before
	sent     int64 // octets of body
	flushes  bool
	last     bool       // HTTP/1: the connection ends with this response
	hijacked net.Conn   // what Hijack gave away
	socket   *socketEnd // the same, when it became a WebSocket
	linger   bool       // the hijacked connection is closed after a last word
}

var (
	_ http.ResponseWriter = (*writer)(nil)
	_ http.Flusher        = (*writer)(nil)
	_ http.Hijacker       = (*writer)(nil)
)

func newWriter(w http.ResponseWriter, r *http.Request) *writer {
	return &writer{ResponseWriter: w, method: r.Method, length: -1}
}

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter]. The head of a message of unknown length goes out at once.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	h := w.Header()
	if w.last && status != http.StatusSwitchingProtocols {
		h.Set("Connection", "close")
	}
	if w.length >= 0 && h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.FormatInt(w.length, 10))
	}
	w.ResponseWriter.WriteHeader(status)
	bodiless := w.method == http.MethodHead || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
	if w.flushes = !bodiless && h.Get("Content-Length") == ""; w.flushes {
		w.Flush()
	}
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	if err == nil && w.flushes {
		w.Flush()
	}
	return n, err
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack implements [http.Hijacker]. goproxy forgets the reader for CONNECT, so what it holds is delivered by the connection.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack: %w", err)
	}
	c := &intercept.Conn{Conn: nc}
	if n := rw.Reader.Buffered(); n > 0 {
		c.Head = make([]byte, n)
		if _, err := io.ReadFull(rw.Reader, c.Head); err != nil {
			_ = nc.Close()
			return nil, nil, fmt.Errorf("hijack: %w", err)
		}
	}
	if checked, ok := nc.(*listener.Checked); ok {
		inner, rest, raw := checked.Unwrap()
		if !raw { // what the client sends on is not known to be another protocol
			_ = nc.Close()
			return nil, nil, fmt.Errorf("hijack: connection still speaks http")
		}
		c.Conn, c.Head = inner, append(c.Head, rest...)
	}
	w.hijacked = c
	w.socket = &socketEnd{Conn: c}
	empty := bufio.NewReadWriter(bufio.NewReaderSize(c, 16), bufio.NewWriterSize(c, 16))
	if w.linger {
		return &lastWord{c}, empty, nil
	}
	if w.method == http.MethodConnect {
		return c, empty, nil
	}
	return w.socket, empty, nil
}

// socketEnd is the client's end of a WebSocket: it remembers that the client is gone.
type socketEnd struct {
	*intercept.Conn
	gone atomic.Bool
}

// Read implements [net.Conn].
func (c *socketEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone.Store(true)
	}
	return n, err
}

// lastWord is a connection on which a refusal is the last thing said.
type lastWord struct{ *intercept.Conn }

// Close waits a moment for the client to read.
func (c *lastWord) Close() error {
	_ = c.SetReadDeadline(time.Now().Add(listener.LingerTime))
	listener.Linger(c.Conn.Conn)
	return c.Conn.Close()
}
