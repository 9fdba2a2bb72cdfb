package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/ca"
	"weir/internal/event"
	"weir/internal/redact"
	"weir/internal/testnet"
	"weir/proxy"
	"weir/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a proxy in a small internet.
type rig struct {
	*testnet.Net
	t         *testing.T
	srv       *proxy.Server
	up        *upstream.Transport
	addr      string
	authority *ca.Authority
	log       *lockedBuffer
	served    chan error
}

// lockedBuffer keeps the operator's log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	authority, err := ca.Init(t.TempDir() + "/ca")
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Net: testnet.New(t), t: t, authority: authority, log: &lockedBuffer{}}
}

// start runs the proxy under the policy as it stands.
func (r *rig) start(change func(*proxy.Config), bad ...string) {
	r.t.Helper()
	r.Swap(bad...)
	r.up = upstream.New(upstream.Config{Resolver: r.Resolver, Roots: r.PKI.Roots()})
	r.t.Cleanup(r.up.Close)
	cfg := proxy.Config{
		Gate: r.Gate, Authority: r.authority, Upstream: r.up,
		Log: slog.New(redact.NewHandler(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}
	if change != nil {
		change(&cfg)
	}
	srv, err := proxy.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	l := testnet.Listener(r.t)
	r.srv, r.addr, r.served = srv, l.Addr().String(), make(chan error, 1)
	go func() { r.served <- srv.Serve(l) }()
	r.t.Cleanup(func() {
		srv.Close()
		if err := <-r.served; err != nil {
			r.t.Errorf("serve: %v", err)
		}
	})
}

func (r *rig) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.authority.Certificate())
	return pool
}

// client returns a client that goes through the proxy and trusts its authority.
func (r *rig) client(h2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: r.roots()},
		ForceAttemptHTTP2: h2, DisableCompression: true,
	}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *rig) get(c *http.Client, u string) (*http.Response, string) {
	r.t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		r.t.Fatalf("get %s: %v", u, err)
	}
	return resp, r.body(resp)
}

func (r *rig) body(resp *http.Response) string {
	r.t.Helper()
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		r.t.Fatalf("read body: %v", err)
	}
	return string(b)
}

// dial opens a bare connection to the proxy.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// raw sends octets and returns everything that comes until the end.
func (r *rig) raw(send string) string {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c, send); err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		r.t.Errorf("read: %v after %.200q", err, b)
	}
	return string(b)
}

// connect opens a tunnel and returns its connection.
func (r *rig) connect(authority string) (net.Conn, *http.Response) {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); err != nil {
		r.t.Fatal(err)
	}
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		r.t.Fatal(err)
	}
	return &buffered{Conn: c, r: br}, resp
}

type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// tls opens a tunnel and finishes the handshake inside.
func (r *rig) tls(authority, sni string, protos ...string) *tls.Conn {
	r.t.Helper()
	c, resp := r.connect(authority)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("connect: %s", resp.Status)
	}
	tc := tls.Client(c, &tls.Config{ServerName: sni, RootCAs: r.roots(), NextProtos: protos, InsecureSkipVerify: sni == ""})
	if err := tc.Handshake(); err != nil {
		r.t.Fatalf("handshake: %v", err)
	}
	return tc
}

// find returns the first event that fits.
func find(events []*event.Event, fits func(*event.Event) bool) *event.Event {
	for _, e := range events {
		if fits(e) {
			return e
		}
	}
	return nil
}

// eicar returns the test string (eicar.org), which stands nowhere in one piece.
func eicar() string {
	return `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-` + `ANTIVIRUS-TEST-FILE!$H+H*`
}

func hostport(name string, o *testnet.Origin) string {
	return net.JoinHostPort(name, portText(o))
}

func portText(o *testnet.Origin) string {
	_, p, _ := net.SplitHostPort(o.Listener.Addr().String())
	return p
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

func mustBlock(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	if resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Weir-Event-Id") == "" {
		t.Errorf("status %d, event id %q: %.200s", resp.StatusCode, resp.Header.Get("X-Weir-Event-Id"), body)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func contains(t *testing.T, s, sub string) {
	t.Helper()
	if !strings.Contains(s, sub) {
		t.Errorf("%.300q does not contain %q", s, sub)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
