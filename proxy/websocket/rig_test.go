package websocket_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"weir/blocklists"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/wire/ws"
	"weir/proxy/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange makes the exchange of an admitted WebSocket, under a policy that change may alter.
func exchange(t testing.TB, change func(*policy.Config)) (*gate.Exchange, *event.Memory) {
	t.Helper()
	engine := inspect.NewEngine(detect.All(), nil)
	clients, err := identity.NewTable(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	cfg := policy.Config{
		Version: "test", Clients: clients, ConnectPorts: []uint16{443}, PlainPorts: []uint16{80}, Default: verdict.Allow, Detectors: engine.Infos(),
		Failures: policy.Failures{Limit: verdict.Log}, Limits: inspect.DefaultLimits(),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := policy.Compile(cfg, blocklists.NewBuilder().Build())
	if err != nil {
		t.Fatal(err)
	}
	events := &event.Memory{}
	g := gate.New(gate.Config{Engine: engine, Recorder: events, Allowed: true})
	g.Swap(s)
	client := netip.MustParseAddrPort("10.0.0.9:50000")
	now := time.Now()
	x := g.Begin(inspect.HTTP, &inspect.Flow{Client: s.Client(client.Addr()), Remote: client, Transport: "tcp"}, now)
	u := &url.URL{Scheme: "ws", Host: "echo.test", Path: "/"}
	if v := x.Request(now, gate.RequestHead{
		Scheme: "ws", Method: "GET", Host: u.Host, URL: u, Proto: "HTTP/1.1", Header: http.Header{},
		Target: hostname.Authority{Name: hostname.MustParse("echo.test"), Port: 80}, WebSocket: true,
	}); v.Blocks() {
		t.Fatalf("the upgrade was blocked: %+v", v)
	}
	return x, events
}

// peer collects what one end of a WebSocket received.
type peer struct {
	role    ws.Role
	deflate bool
	over    bool // no context takeover

	mu   sync.Mutex
	raw  []byte
	done bool // the stream ended
}

func (p *peer) copy(r io.Reader) {
	buf := make([]byte, 1000)
	for {
		n, err := r.Read(buf)
		p.mu.Lock()
		p.raw = append(p.raw, buf[:n]...)
		p.done = err != nil
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *peer) octets() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]byte(nil), p.raw...)
}

func (p *peer) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// items parses what came: whole messages and control frames, and what came of a message that never ended.
func (p *peer) items(t testing.TB) []string {
	t.Helper()
	items, err := parse(p.role, p.deflate, !p.over, p.octets())
	if err != nil {
		t.Errorf("what came out does not parse: %v", err)
	}
	return items
}

func parse(role ws.Role, deflate, takeover bool, raw []byte) ([]string, error) {
	l := &list{}
	l.m = ws.NewMessages(ws.Limits{MaxMessage: 1 << 30, MaxRatio: 1 << 20}, takeover, l)
	r := ws.NewReader(role, deflate, l.m)
	err := r.Feed(raw)
	if l.open {
		l.items = append(l.items, fmt.Sprintf("part:%s", l.data))
	}
	return l.items, err
}

// list is a MessageSink that writes everything down.
type list struct {
	m     *ws.Messages
	items []string
	op    ws.Opcode
	data  []byte
	open  bool
}

func (l *list) BeginMessage(op ws.Opcode) error {
	l.op, l.data, l.open = op, nil, true
	return nil
}

func (l *list) MessageData(p []byte) error {
	l.data = append(l.data, p...)
	return nil
}

func (l *list) EndMessage() error {
	l.items, l.open = append(l.items, fmt.Sprintf("%d:%s", l.op, l.data)), false
	return nil
}

func (l *list) Control(op ws.Opcode, p []byte) error {
	if op == ws.Close {
		if l.open {
			l.items, l.open = append(l.items, fmt.Sprintf("part:%s", l.data)), false
		}
		code, reason, _ := ws.CloseCode(p)
		l.items = append(l.items, fmt.Sprintf("close:%d %s", code, reason))
		return nil
	}
	l.items = append(l.items, fmt.Sprintf("%d:%s", op, p))
	return nil
}

// wire is a Conn between two ends that a test plays. It must be used inside a synctest bubble.
type wire struct {
	t      testing.TB
	x      *gate.Exchange
	events *event.Memory
	conn   *websocket.Conn
	server net.Conn // the server's end
	toSrv  *peer    // what the server received
	toCli  *peer    // what the client received
	wg     sync.WaitGroup
}

func start(t testing.TB, o websocket.Options, change func(*policy.Config)) *wire {
	t.Helper()
	w := &wire{t: t}
	w.x, w.events = exchange(t, change)
	near, far := net.Pipe()
	deflate := len(o.Extensions) > 0
	over := deflate && o.Extensions[0] == noTakeover
	w.toSrv, w.toCli = &peer{role: ws.FromClient, deflate: deflate, over: over}, &peer{role: ws.FromServer, deflate: deflate, over: over}
	w.server, w.conn = far, websocket.Wrap(near, w.x, o)
	w.wg.Go(func() { w.toSrv.copy(far) })
	w.wg.Go(func() { w.toCli.copy(w.conn) })
	return w
}

const (
	takeover   = "permessage-deflate"
	noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

// client sends octets as the client, server as the server; both return when all that can move has moved.
func (w *wire) client(octets []byte) {
	w.t.Helper()
	if _, err := w.conn.Write(octets); err != nil {
		w.t.Logf("client: %v", err)
	}
	synctest.Wait()
}

func (w *wire) serverSends(octets []byte) {
	w.t.Helper()
	if _, err := w.server.Write(octets); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		w.t.Errorf("server: %v", err)
	}
	synctest.Wait()
}

// send sends as the side of that role.
func (w *wire) send(from ws.Role, octets []byte) {
	if from == ws.FromClient {
		w.client(octets)
		return
	}
	w.serverSends(octets)
}

// got is what the peer of that role received.
func (w *wire) got(from ws.Role) *peer {
	if from == ws.FromClient {
		return w.toSrv
	}
	return w.toCli
}

// finish closes everything and returns the event.
func (w *wire) finish() *event.Event {
	w.t.Helper()
	if err := w.conn.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
	if err := w.conn.Close(); err != nil {
		w.t.Errorf("second close: %v", err)
	}
	_ = w.server.Close()
	w.wg.Wait()
	w.x.Done(time.Now())
	events := w.events.Events()
	return events[len(events)-1]
}

// frame writes a frame as the side of that role would.
func frame(from ws.Role, h ws.Header, payload []byte) []byte {
	h.Length = int64(len(payload))
	if h.Masked = from == ws.FromClient; h.Masked {
		h.Mask = [4]byte{0x11, 0x22, 0x33, 0x44}
	}
	out := append(ws.AppendHeader(nil, h), payload...)
	if h.Masked {
		ws.Mask(out[len(out)-len(payload):], h.Mask, 0)
	}
	return out
}

// fragments writes a message in n frames; a Deflater compresses it first.
func fragments(t testing.TB, from ws.Role, op ws.Opcode, payload []byte, n int, d *ws.Deflater) [][]byte {
	t.Helper()
	if d != nil {
		var err error
		if payload, err = d.Append(nil, payload, true); err != nil {
			t.Fatal(err)
		}
	}
	out := make([][]byte, n)
	for i := range n {
		h := ws.Header{Fin: i == n-1, Opcode: op, RSV1: d != nil && i == 0}
		if i > 0 {
			h.Opcode = ws.Continuation
		}
		out[i] = frame(from, h, payload[len(payload)*i/n:len(payload)*(i+1)/n])
	}
	return out
}

func deflater(t testing.TB, contextTakeover bool) *ws.Deflater {
	t.Helper()
	d, err := ws.NewDeflater(contextTakeover, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eicar is the test file, put together here so that no scanner mistakes this source for it.
func eicar() []byte {
	return []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + `ANTIVIRUS-TEST-FILE!$H+H*`)
}
