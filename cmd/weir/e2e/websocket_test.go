package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 1.3 asks for it
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/wire/ws"
)

// wsConn is one end of a WebSocket connection, spoken frame by frame.
type wsConn struct {
	net.Conn
	r      *bufio.Reader
	client bool // masks what it sends
	out    *ws.Deflater
	in     *ws.Inflater // nil without permessage-deflate
}

// wsClosed is the close frame that ended a connection.
type wsClosed struct {
	code   uint16
	reason string
}

func (e *wsClosed) Error() string { return fmt.Sprintf("closed with %d %q", e.code, e.reason) }

func wsAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

func newWSConn(c net.Conn, r *bufio.Reader, client, deflate bool) (*wsConn, error) {
	w := &wsConn{Conn: c, r: r, client: client}
	if !deflate {
		return w, nil
	}
	var err error
	w.in = ws.NewInflater(true, ws.Limits{})
	w.out, err = ws.NewDeflater(true, 0)
	return w, err
}

// frame writes one frame.
func (c *wsConn) frame(h ws.Header, payload []byte) error {
	h.Length, h.Masked = int64(len(payload)), c.client
	payload = bytes.Clone(payload)
	if c.client {
		_, _ = rand.Read(h.Mask[:])
		ws.Mask(payload, h.Mask, 0)
	}
	_, err := c.Write(append(ws.AppendHeader(nil, h), payload...))
	return err
}

// send writes one message in so many fragments, each a write of its own, with a ping in the middle of them.
func (c *wsConn) send(op ws.Opcode, message []byte, fragments int) error {
	if c.out != nil {
		var err error
		if message, err = c.out.Append(nil, message, true); err != nil {
			return err
		}
	}
	compressed := c.out != nil
	for i := range fragments {
		h := ws.Header{Opcode: ws.Continuation, Fin: i == fragments-1}
		if i == 0 {
			h.Opcode, h.RSV1 = op, compressed
		}
		if err := c.frame(h, message[len(message)*i/fragments:len(message)*(i+1)/fragments]); err != nil {
			return err
		}
		if i == 0 && fragments > 1 {
			if err := c.frame(ws.Header{Opcode: ws.Ping, Fin: true}, []byte("between")); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive reads one message; pings are answered, a close frame becomes a *wsClosed.
func (c *wsConn) receive() (op ws.Opcode, message []byte, err error) {
	compressed := false
	for {
		h, payload, err := c.readFrame()
		if err != nil {
			return 0, nil, err
		}
		switch h.Opcode {
		case ws.Close:
			code, reason, _ := ws.CloseCode(payload)
			return 0, nil, &wsClosed{code, reason}
		case ws.Ping:
			if err := c.frame(ws.Header{Opcode: ws.Pong, Fin: true}, payload); err != nil {
				return 0, nil, err
			}
			continue
		case ws.Pong:
			continue
		case ws.Text, ws.Binary:
			op, compressed = h.Opcode, h.RSV1
		case ws.Continuation:
		}
		message = append(message, payload...)
		if h.Fin {
			message, err = c.inflate(message, compressed)
			return op, message, err
		}
	}
}

func (c *wsConn) inflate(message []byte, compressed bool) ([]byte, error) {
	if !compressed {
		return message, nil
	}
	if c.in == nil {
		return nil, errors.New("a compressed message where nothing was agreed")
	}
	var out []byte
	sink := func(p []byte) error {
		out = append(out, p...)
		return nil
	}
	if err := c.in.Write(message, sink); err != nil {
		return nil, err
	}
	return out, c.in.EndMessage(sink)
}

func (c *wsConn) readFrame() (ws.Header, []byte, error) {
	for n := 2; ; n++ {
		b, err := c.r.Peek(n)
		if err != nil {
			return ws.Header{}, nil, err
		}
		h, size, err := ws.ParseHeader(b)
		if errors.Is(err, ws.ErrIncomplete) {
			continue
		}
		if err != nil {
			return h, nil, err
		}
		if h.Masked == c.client {
			return h, nil, fmt.Errorf("masked is %v from the wrong side", h.Masked)
		}
		_, _ = c.r.Discard(size)
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return h, nil, err
		}
		if h.Masked {
			ws.Mask(payload, h.Mask, 0)
		}
		return h, payload, nil
	}
}

// wsServe answers an upgrade and hands the connection to f.
func wsServe(rw http.ResponseWriter, r *http.Request, f func(*wsConn) error) {
	deflate := strings.Contains(r.Header.Get("Sec-WebSocket-Extensions"), ws.DeflateName)
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(rw, "not a WebSocket", http.StatusBadRequest)
		return
	}
	c, buf, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = c.Close() }()
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + wsAccept(r.Header.Get("Sec-WebSocket-Key")) + "\r\n"
	if deflate {
		head += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return
	}
	w, err := newWSConn(c, buf.Reader, false, deflate)
	if err != nil {
		return
	}
	if err := f(w); err != nil {
		if closed, ok := errors.AsType[*wsClosed](err); ok {
			_, _ = c.Write(ws.AppendClose(nil, closed.code, "", nil))
		}
	}
}

// wsEcho sends every message back, in as many fragments as the URL's query says, or one.
func wsEcho(rw http.ResponseWriter, r *http.Request) {
	fragments := 1
	_, _ = fmt.Sscan(r.URL.Query().Get("fragments"), &fragments)
	wsServe(rw, r, func(c *wsConn) error {
		for {
			op, message, err := c.receive()
			if err != nil {
				return err
			}
			if err := c.send(op, message, fragments); err != nil {
				return err
			}
		}
	})
}

// ioTimeout bounds every read and write of the Go clients.
const ioTimeout = 20 * time.Second

// connect opens a tunnel to authority through the proxy.
func (w *weir) connect(authority string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", w.proxy)
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(ioTimeout))
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", authority, authority); err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, errors.Join(fmt.Errorf("CONNECT %s: %s", authority, resp.Status), c.Close())
	}
	return c, r, nil
}

// connectTLS opens a tunnel and speaks TLS in it; roots is the CA of weir, or that of the origin for a spliced tunnel.
func (w *weir) connectTLS(authority, roots string, protocols ...string) (*tls.Conn, error) {
	c, r, err := w.connect(authority)
	if err != nil {
		return nil, err
	}
	if r.Buffered() != 0 {
		return nil, errors.Join(errors.New("octets behind the answer to CONNECT"), c.Close())
	}
	host, _, _ := net.SplitHostPort(authority)
	s := tls.Client(c, &tls.Config{ServerName: host, RootCAs: pool(w.t, roots), NextProtos: protocols, MinVersion: tls.VersionTLS12})
	if err := s.Handshake(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return s, nil
}

// webSocket opens a WebSocket through the proxy: wss in an intercepted tunnel, ws by a plain request.
func (w *weir) webSocket(secure bool, authority, path string, deflate bool) (*wsConn, error) {
	var c net.Conn
	target, err := path, error(nil)
	if secure {
		c, err = w.connectTLS(authority, w.caFile(), "http/1.1")
	} else {
		target = "http://" + authority + path
		c, err = net.Dial("tcp", w.proxy)
	}
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(ioTimeout))
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", target, authority, key)
	if deflate {
		head += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != wsAccept(key) {
		return nil, errors.Join(fmt.Errorf("upgrade of %s: %s %v", target, resp.Status, resp.Header), c.Close())
	}
	return newWSConn(c, r, true, resp.Header.Get("Sec-WebSocket-Extensions") != "")
}

// echo sends a message and expects it back.
func (c *wsConn) echo(op ws.Opcode, message []byte, fragments int) error {
	_ = c.SetDeadline(time.Now().Add(ioTimeout))
	sent := make(chan error, 1) // large messages fill all buffers: both ways at once
	go func() { sent <- c.send(op, message, fragments) }()
	gotOp, got, err := c.receive()
	if err != nil {
		return err
	}
	if gotOp != op || !bytes.Equal(got, message) {
		return fmt.Errorf("%d octets of type %d came back, sent %d of type %d", len(got), gotOp, len(message), op)
	}
	return <-sent
}

func TestWebSocketEcho(t *testing.T) {
	t.Parallel()
	world := newWorld(t, http.HandlerFunc(wsEcho), nil)
	w := start(t, world.setting(""))
	messages := [][]byte{[]byte("hello"), {}, []byte("Grüße"), bytes.Repeat([]byte("again "), 20000), random(300<<10, 3), []byte("last")}
	for _, secure := range []bool{false, true} {
		for _, deflate := range []bool{false, true} {
			for _, fragments := range []int{1, 3, 7} {
				t.Run(fmt.Sprintf("secure=%v deflate=%v fragments=%d", secure, deflate, fragments), func(t *testing.T) {
					authority := map[bool]string{false: fmt.Sprintf("a.test:%d", world.plain), true: fmt.Sprintf("a.test:%d", world.tls)}[secure]
					c, err := w.with(t).webSocket(secure, authority, fmt.Sprintf("/echo?fragments=%d", fragments), deflate)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = c.Close() }()
					if deflate != (c.in != nil) {
						t.Errorf("deflate: %v", c.in != nil)
					}
					for i, m := range messages {
						op := ws.Binary
						if i < 4 {
							op = ws.Text
						}
						if err := c.echo(op, m, fragments); err != nil {
							t.Fatalf("message %d: %v", i, err)
						}
					}
					if _, err := c.Write(ws.AppendClose(nil, 1000, "bye", &[4]byte{1, 2, 3, 4})); err != nil {
						t.Fatal(err)
					}
					if _, _, err := c.receive(); err == nil || !strings.Contains(err.Error(), "closed with 1000") {
						t.Errorf("close: %v", err)
					}
				})
			}
		}
	}
	e := w.event("event.action", "websocket", "weir.websocket.compressed", "true", "weir.tls.mode", "intercept")
	if !e.is("weir.verdict", "allow", "weir.websocket.messages_sent", "6", "weir.websocket.messages_received", "6", "weir.websocket.close_code", "1000") {
		t.Errorf("event: %v", e)
	}
}
