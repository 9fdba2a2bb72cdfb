package upstream_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
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
	"weir/internal/weburl"
	"weir/proxy/session"
	"weir/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a Resolver from a table.
type names struct {
	mu      sync.Mutex
	answers map[string]upstream.Answer
	err     error
	servers map[string]string // the name server of a name
	hangs   bool              // the name servers do not answer
	chains  [][]hostname.Name // for which name servers were asked for
}

func (n *names) Addresses(ctx context.Context, name hostname.Name) (upstream.Answer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return upstream.Answer{}, n.err
	}
	a, ok := n.answers[name.String()]
	if !ok {
		return upstream.Answer{}, &net.DNSError{Err: "no such host", Name: name.String(), IsNotFound: true}
	}
	return a, ctx.Err()
}

// JudgeServers judges the name servers of the table; those of what is not in it are unknown.
func (n *names) JudgeServers(ctx context.Context, x *gate.Exchange, name hostname.Name, chain []hostname.Name) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chains = append(n.chains, append([]hostname.Name{name}, chain...))
	if named, _ := x.Servers(); !named {
		return nil
	}
	if n.hangs {
		<-ctx.Done()
		return fmt.Errorf("name servers of %v: %w", name, ctx.Err())
	}
	if server, ok := n.servers[name.String()]; ok {
		x.Name(time.Now(), verdict.PlaceServer, hostname.MustParse(server))
	}
	return nil
}

func (n *names) set(name string, addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.answers == nil {
		n.answers = map[string]upstream.Answer{}
	}
	var a upstream.Answer
	for _, s := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	n.answers[name] = a
}

// rig is a transport with a gate and names of its own.
type rig struct {
	*upstream.Transport
	gate   *gate.Gate
	engine *inspect.Engine
	names  *names
	events *event.Memory
	roots  *authority
}

// loopback lets the tests reach origins on loopback.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func newRig(t testing.TB, change func(*upstream.Config)) *rig {
	t.Helper()
	r := &rig{engine: inspect.NewEngine(detect.All(), nil), names: &names{}, events: &event.Memory{}, roots: newAuthority(t, "test root")}
	r.gate = gate.New(gate.Config{Engine: r.engine, Recorder: r.events, Allowed: true})
	r.policy(t, loopback)
	cfg := upstream.Config{Resolver: r.names, Roots: r.roots.pool()}
	if change != nil {
		change(&cfg)
	}
	r.Transport = upstream.New(cfg)
	t.Cleanup(r.Close)
	return r
}

// policy puts a policy in force under which only the networks given are internal.
func (r *rig) policy(t testing.TB, internal []netip.Prefix) { r.policyWith(t, internal) }

// policyWith is policy with more entries on its list.
func (r *rig) policyWith(t testing.TB, internal []netip.Prefix, more ...blocklists.Entry) {
	t.Helper()
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: "bad", Category: "malware", Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append(more, blocklists.Entry{Name: hostname.MustParse("evil.test")}) {
		if err := b.Add(n, e); err != nil {
			t.Fatal(err)
		}
	}
	clients, err := identity.NewTable(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	s, err := policy.Compile(policy.Config{
		Version: "test", Clients: clients, Default: verdict.Allow, Detectors: r.engine.Infos(), Internal: policy.Internal{Networks: internal},
		Reputation: map[verdict.Class]verdict.Action{verdict.ClassBad: verdict.Block},
	}, b.Build())
	if err != nil {
		t.Fatal(err)
	}
	r.gate.Swap(s)
}

// request makes an admitted request with its exchange.
func (r *rig) request(t testing.TB, method, target string, body io.Reader) (*http.Request, *gate.Exchange) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	s := session.Plain(r.gate, netip.MustParseAddrPort("10.0.0.9:50000"))
	s.Flow.Authorized = host
	x := r.gate.Begin(inspect.HTTP, s.Flow, time.Now())
	req, err := http.NewRequestWithContext(session.With(t.Context(), x), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	x.Request(time.Now(), gate.RequestHead{Scheme: u.Scheme, Method: method, Host: u.Host, URL: u, Proto: "HTTP/1.1", Header: req.Header, Target: host})
	return req, x
}

// get sends a GET and returns the body, or the Error.
func (r *rig) get(t testing.TB, target string) (string, *gate.Exchange, *upstream.Error) {
	t.Helper()
	req, x := r.request(t, http.MethodGet, target, nil)
	body, err := r.send(t, req)
	return body, x, err
}

func (r *rig) send(t testing.TB, req *http.Request) (string, *upstream.Error) {
	t.Helper()
	resp, err := r.RoundTrip(req)
	if err != nil {
		var e *upstream.Error
		if !errors.As(err, &e) {
			t.Fatalf("a bare error: %v", err)
		}
		return "", e
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.Proto + " " + string(b), nil
}

// done ends an exchange and returns its event.
func (r *rig) done(x *gate.Exchange) *event.Event {
	x.Done(time.Now())
	for _, e := range r.events.Events() {
		if e.ID == x.ID() {
			return e
		}
	}
	return &event.Event{}
}

// origin is an HTTP server on loopback that counts its connections.
type origin struct {
	*httptest.Server
	mu    sync.Mutex
	conns int
	seen  []string // "HTTP/2.0 host path body"
}

// newOrigin starts one; cert nil: plain HTTP.
func newOrigin(t testing.TB, addr string, cert *tls.Certificate, h2 bool) *origin {
	t.Helper()
	o := &origin{}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.seen = append(o.seen, r.Proto+" "+r.Host+" "+r.URL.Path+" "+string(b))
		o.mu.Unlock()
		_, _ = io.WriteString(w, "hello")
	}))
	_ = o.Listener.Close()
	o.Listener = l
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			o.mu.Lock()
			o.conns++
			o.mu.Unlock()
		}
	}
	o.Config.ErrorLog = nil
	o.EnableHTTP2 = h2
	if cert == nil {
		o.Start()
	} else {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
		o.StartTLS()
	}
	t.Cleanup(o.Close)
	return o
}

func (o *origin) port() string {
	return strconv.Itoa(o.Listener.Addr().(*net.TCPAddr).Port)
}

func (o *origin) connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conns
}

func (o *origin) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// leaf signs a certificate for host; change may spoil it; a nil authority lets it sign itself.
func (a *authority) leaf(t testing.TB, host string, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{host}
	}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, crypto.Signer(key)
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
