package app_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/websocket"

	"weir/internal/app"
	"weir/internal/event"
	"weir/internal/testnet"
)

// patience bounds every wait of a case: only a failure takes so long.
const patience = 20 * time.Second

// world is a running weir, a small internet around it, and the Judges that `check` and `inspect` ask under the same config.
type world struct {
	t             *testing.T
	mode          mode
	plain, secure uint16 // ports of the origin
	names         *nameServer
	contents      *contents
	file          *app.File
	live          *app.Service
	events        *event.Memory
	judges        map[string]*app.Judge // by client
}

func newWorld(t *testing.T, m mode) *world {
	t.Helper()
	w := &world{t: t, mode: m, names: newNameServer(t), contents: &contents{}, events: &event.Memory{}, judges: map[string]*app.Judge{}}
	dir := t.TempDir()
	w.serveOrigins(dir)
	w.writeLists(dir)
	w.file = w.config(dir)
	var err error
	if w.live, err = app.NewRecording(t.Context(), w.file, w.events); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.live.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := w.live.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{adult, child, stranger, otherStranger, marked} {
		if w.judges[client], err = app.NewJudge(t.Context(), w.file, netip.MustParseAddr(client)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// The clients: two groups, and one that is not served.
const (
	adult    = "127.0.0.1"
	child    = "127.0.0.2"
	stranger = "127.0.0.3"
	// otherStranger is not served either.
	otherStranger = "127.0.0.4"
	// marked is on a list itself.
	marked = "127.0.0.5"
)

// config fills in the policy of the test.
func (w *world) config(dir string) *app.File {
	w.t.Helper()
	text, err := os.ReadFile("testdata/agreement/policy.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	lists, err := filepath.Abs("testdata/agreement")
	if err != nil {
		w.t.Fatal(err)
	}
	filled := strings.NewReplacer("@MODE@", w.mode.mode, "@DEFAULT@", w.mode.fallback, "@DATA@", dir, "@DIR@", lists, "@DNS@", w.names.addr,
		"@PLAIN@", strconv.Itoa(int(w.plain)), "@SECURE@", strconv.Itoa(int(w.secure))).Replace(string(text))
	path := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(path, []byte(filled), 0o600); err != nil {
		w.t.Fatal(err)
	}
	f, err := app.Load(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := app.Validate(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
	return f
}

// serveOrigins starts the origin, once without TLS and once with a certificate for whatever name is asked for.
func (w *world) serveOrigins(dir string) {
	w.t.Helper()
	pki := testnet.NewPKI(w.t)
	leaf := pki.Leaf(nil, "127.0.0.1")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.Root().Raw})
	if err := os.WriteFile(filepath.Join(dir, "roots.pem"), root, 0o600); err != nil {
		w.t.Fatal(err)
	}
	plain := httptest.NewServer(w.contents)
	secure := httptest.NewUnstartedServer(w.contents)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients leave in the middle of handshakes here
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := leaf
		if h.ServerName != "" {
			c = pki.Leaf(nil, h.ServerName)
		}
		return &c, nil
	}}
	secure.StartTLS()
	w.t.Cleanup(plain.Close)
	w.t.Cleanup(secure.Close)
	w.plain = netip.MustParseAddrPort(plain.Listener.Addr().String()).Port()
	w.secure = netip.MustParseAddrPort(secure.Listener.Addr().String()).Port()
}

// contents is the handler of the origins: /raw/N sends octets as they are, /push/N is a WebSocket that sends one message, /sink
// one that only listens; everything else takes the body and says ok.
type contents struct {
	mu  sync.Mutex
	raw [][]byte
}

// add keeps octets and returns their number.
func (c *contents) add(raw []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, raw)
	return strconv.Itoa(len(c.raw) - 1)
}

func (c *contents) get(path string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil || n >= len(c.raw) {
		return nil
	}
	return c.raw[n]
}

func (c *contents) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/raw/"):
		conn, buffer, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buffer.Write(c.get(r.URL.Path))
		_ = buffer.Flush()
	case strings.HasPrefix(r.URL.Path, "/push/"):
		websocket.Server{Handler: func(s *websocket.Conn) { _, _ = s.Write(c.get(r.URL.Path)) }}.ServeHTTP(rw, r)
	case r.URL.Path == "/sink":
		websocket.Server{Handler: func(s *websocket.Conn) { _, _ = io.Copy(io.Discard, s) }}.ServeHTTP(rw, r)
	default:
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(rw, "ok")
	}
}

// nameServer is the upstream: it answers what it was told, else that a name has the address 127.0.0.1 and nothing else.
type nameServer struct {
	addr string
	mu   sync.Mutex
	told map[string][]dns.RR // by name and type
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameServer{addr: pc.LocalAddr().String(), told: map[string][]dns.RR{}}
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: pc, Handler: n, NotifyStartedFunc: func() { close(started) }}
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return n
}

func key(name string, qtype uint16) string {
	return strings.ToLower(name) + " " + dns.TypeToString[qtype]
}

// tell makes records the answer to a question.
func (n *nameServer) tell(t *testing.T, name string, qtype uint16, records ...string) {
	t.Helper()
	var rrs []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		rrs = append(rrs, rr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told[key(dns.Fqdn(name), qtype)] = rrs
}

func (n *nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name, qtype := q.Question[0].Name, q.Question[0].Qtype
	n.mu.Lock()
	m.Answer = n.told[key(name, qtype)]
	n.mu.Unlock()
	if len(m.Answer) == 0 && qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)}}
	}
	_ = w.WriteMsg(m)
}

// await returns the event of a client's transaction of one of the kinds; the first kind that has one wins once an event of the
// last kind, which always comes, has come. Events before number from are not looked at.
func (w *world) await(t *testing.T, from int, client net.Addr, kinds ...event.Kind) *event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := map[event.Kind]*event.Event{}
	last := kinds[len(kinds)-1]
	for n := from; found[last] == nil; n++ {
		events, err := w.events.Wait(ctx, n+1)
		if err != nil {
			t.Fatalf("no event of kind %v for %v: %v", last, client, err)
		}
		if e := events[n]; e.Client.String() == client.String() {
			found[e.Kind] = e
		}
	}
	for _, k := range kinds {
		if found[k] != nil {
			return found[k]
		}
	}
	return nil
}

// host is name with the port of the origin.
func (w *world) host(name string, secure bool) string {
	port := w.plain
	if secure {
		port = w.secure
	}
	if strings.Contains(name, ":") && !strings.HasPrefix(name, "[") {
		name = "[" + name + "]"
	}
	return fmt.Sprintf("%s:%d", name, port)
}
