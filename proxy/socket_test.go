package proxy_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"weir/internal/event"
	"weir/internal/policy"
	"weir/internal/testnet"
)

func echo() http.Handler {
	return websocket.Server{Handler: func(c *websocket.Conn) { _, _ = io.Copy(c, c) }}
}

// socket opens a WebSocket on a connection inside a tunnel.
func (r *rig) socket(c net.Conn, host string, secure bool) *websocket.Conn {
	r.t.Helper()
	scheme := "ws"
	if secure {
		scheme = "wss"
	}
	cfg, err := websocket.NewConfig(scheme+"://"+host+"/chat", "http://"+host+"/")
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := websocket.NewClient(cfg, c)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *rig) openSocket(o *testnet.Origin, name string, secure bool) (*websocket.Conn, net.Conn) {
	r.t.Helper()
	host := hostport(name, o)
	if secure {
		c := r.tls(host, name, "http/1.1")
		return r.socket(c, host, true), c
	}
	c, _ := r.connect(host)
	return r.socket(c, host, false), c
}

// closeCode reads frames until a close frame and returns its code and reason.
func closeCode(t *testing.T, c io.Reader) (int, string) {
	t.Helper()
	for {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatalf("no close frame: %v", err)
		}
		p := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(c, p); err != nil {
			t.Fatal(err)
		}
		if head[0]&0xf == 8 && len(p) >= 2 {
			return int(binary.BigEndian.Uint16(p)), string(p[2:])
		}
	}
}

func TestWebSocket(t *testing.T) {
	r := newRig(t)
	plain, secure := r.Serve(false, echo(), "plain.test"), r.Serve(true, echo(), "secure.test")
	r.start(nil)
	for i, o := range []*testnet.Origin{plain, secure} {
		w, c := r.openSocket(o, []string{"plain.test", "secure.test"}[i], i == 1)
		for _, m := range []string{"hello", strings.Repeat("long ", 40000)} {
			got := make([]byte, len(m))
			if _, err := io.WriteString(w, m); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(w, got); err != nil || string(got) != m {
				t.Errorf("%.20q %v", got, err)
			}
		}
		_, _ = io.WriteString(w, eicar())
		if code, reason := closeCode(t, c); code != 1008 || !strings.HasPrefix(reason, "blocked ") {
			t.Errorf("close %d %q", code, reason)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("after the close frame: %v", err)
		}
		_ = c.Close()
	}
	events := r.Wait(6) // each: CONNECT, session, finding
	e := find(events, func(e *event.Event) bool { return e.Kind == event.KindWebSocket })
	if e == nil || e.WebSocket == nil || e.WebSocket.MessagesReceived < 2 || e.WebSocket.CloseCode != 1008 || e.Status != 101 {
		t.Errorf("event %+v", e)
	}
	if s := r.srv.Stats(); s.OnRequest.Load() != 2 || s.OnResponse.Load() != 2 || s.WebSockets.Load() != 2 {
		t.Errorf("filters ran %d and %d times", s.OnRequest.Load(), s.OnResponse.Load())
	}
}

func frame(op byte, payload string) string {
	return string([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
}

// TestWebSocketWithAbsoluteTarget opens one without a tunnel, with the first frame right behind the handshake.
func TestWebSocketWithAbsoluteTarget(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, echo(), "plain.test")
	r.start(nil)
	host := hostport("plain.test", o)
	c := r.dial()
	fmt.Fprintf(c, "GET http://%[1]s/chat HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://%[1]s\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: x-unknown\r\n\r\n%[2]s", host, frame(1, "early"))
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(br, got); err != nil || string(got[2:]) != "early" {
		t.Errorf("%q %v", got, err)
	}
	_ = c.Close()
	if e := r.Wait(1)[0]; e.Kind != event.KindWebSocket || e.WebSocket.MessagesSent != 1 {
		t.Errorf("event %+v", e)
	}
}

func TestWebSocketRefusedByTheOrigin(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "websocket") // claims an upgrade with 200
		w.Header().Set("Connection", "Upgrade")
		_, _ = io.WriteString(w, "not here")
	}), "plain.test")
	r.start(nil)
	host := hostport("plain.test", o)
	got := r.raw(fmt.Sprintf("GET http://%[1]s/ HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nGET http://%[1]s/smuggled HTTP/1.1\r\nHost: %[1]s\r\n\r\n", host))
	if !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.HasSuffix(got, "not here") || o.Requests.Load() != 1 || strings.Contains(got, "Upgrade") {
		t.Errorf("%q, %d requests", got, o.Requests.Load())
	}
}

func TestRecheckClosesWebSocket(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, echo(), "secure.test")
	r.start(nil)
	w, c := r.openSocket(o, "secure.test", true)
	_, _ = io.WriteString(w, "x")
	if _, err := io.ReadFull(w, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.Config.Rules = []policy.Rule{{Name: "no chat", Where: "t:1", URLs: []string{"*/chat"}}}
	r.Swap()
	if n := r.srv.Recheck(time.Now()); n != 1 {
		t.Errorf("cut %d", n)
	}
	if code, _ := closeCode(t, c); code != 1008 {
		t.Errorf("close %d", code)
	}
	_ = c.Close()
	if find(r.Wait(3), func(e *event.Event) bool { return e.Kind == event.KindCut }) == nil {
		t.Error("no event of the cut")
	}
}
