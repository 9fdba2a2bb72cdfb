// Package testnet is a small internet on loopback for tests: origins over HTTP and HTTPS, name servers that answer what the test
// says, a policy that can be built and swapped, and a gate that keeps its events in memory. Nothing in it leaves the machine.
package testnet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/blocklists"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/proxy/upstream"
)

// Loopback is what the default policy names internal, so that origins on this machine can be reached.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// Net is one small internet. Everything in it ends with the test.
type Net struct {
	t        testing.TB
	Gate     *gate.Gate
	Events   *event.Memory
	Resolver *Resolver
	Config   policy.Config // what Swap compiles; change it, then call Swap
	PKI      *PKI
}

// New makes a Net with a policy that serves loopback and allows everything that is not bad. ports are those that clients may
// reach, for CONNECT and for plain HTTP.
func New(t testing.TB) *Net {
	t.Helper()
	engine := inspect.NewEngine(detect.All(), time.Now)
	clients, err := identity.NewTable(nil, Loopback())
	if err != nil {
		t.Fatal(err)
	}
	n := &Net{t: t, Events: &event.Memory{}, Resolver: &Resolver{names: map[string]upstream.Answer{}}, PKI: NewPKI(t)}
	n.Gate = gate.New(gate.Config{Engine: engine, Recorder: n.Events, Allowed: true})
	n.Config = policy.Config{
		Version: "test", Clients: clients, Internal: policy.Internal{Networks: Loopback()},
		Default: verdict.Allow, Detectors: engine.Infos(), Limits: inspect.DefaultLimits(),
		Failures: policy.Failures{Limit: verdict.Log, Error: verdict.Log, Timeout: verdict.Log},
	}
	return n
}

// Open lets clients reach a port.
func (n *Net) Open(port uint16) {
	n.Config.ConnectPorts = append(n.Config.ConnectPorts, port)
	n.Config.PlainPorts = append(n.Config.PlainPorts, port)
}

// Swap puts the policy of Config in force, with one list, of class bad, of the names given.
func (n *Net) Swap(bad ...string) {
	n.t.Helper()
	b := blocklists.NewBuilder()
	list, err := b.AddList(blocklists.List{Name: "bad-names", Category: "c2", Source: "test"})
	if err != nil {
		n.t.Fatal(err)
	}
	for i, name := range bad {
		if err := b.Add(list, blocklists.Entry{Name: hostname.MustParse(name), Line: uint32(i + 1)}); err != nil {
			n.t.Fatal(err)
		}
	}
	snap, err := policy.Compile(n.Config, b.Build())
	if err != nil {
		n.t.Fatal(err)
	}
	n.Gate.Swap(snap)
}

// Wait returns the events as soon as there are count of them; it fails the test when they do not come.
func (n *Net) Wait(count int) []*event.Event {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	events, err := n.Events.Wait(ctx, count)
	if err != nil {
		n.t.Fatal(err)
	}
	return events
}

// Resolver answers from a table.
type Resolver struct {
	mu    sync.Mutex
	names map[string]upstream.Answer
	asked atomic.Int64
}

var _ upstream.Resolver = (*Resolver)(nil)

// ErrNoName is what a Resolver says about names that it was not told.
var ErrNoName = errors.New("no such name")

// Set tells the addresses of a name.
func (r *Resolver) Set(name string, addrs ...string) {
	var a upstream.Answer
	for _, s := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[name] = a
}

// Alias tells that a name leads to others.
func (r *Resolver) Alias(name string, chain ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.names[name]
	for _, c := range chain {
		a.Chain = append(a.Chain, hostname.MustParse(c))
	}
	r.names[name] = a
}

// Asked returns how many questions came.
func (r *Resolver) Asked() int { return int(r.asked.Load()) }

// Addresses implements upstream.Resolver.
func (r *Resolver) Addresses(_ context.Context, name hostname.Name) (upstream.Answer, error) {
	r.asked.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.names[name.String()]
	if !ok {
		return upstream.Answer{}, fmt.Errorf("%v: %w", name, ErrNoName)
	}
	return a, nil
}

// JudgeServers implements upstream.Resolver: nothing is known of name servers.
func (*Resolver) JudgeServers(context.Context, *gate.Exchange, hostname.Name, []hostname.Name) error {
	return nil
}

// PKI is a certificate authority for origins.
type PKI struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewPKI makes a PKI.
func NewPKI(t testing.TB) *PKI {
	t.Helper()
	p := &PKI{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "testnet root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	p.key = p.newKey()
	p.cert = p.parse(x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key))
	return p
}

func (p *PKI) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

func (p *PKI) parse(der []byte, err error) *x509.Certificate {
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// Roots returns a pool with the authority.
func (p *PKI) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

// Root returns the authority's certificate.
func (p *PKI) Root() *x509.Certificate { return p.cert }

// Leaf makes a certificate for names and addresses; change, which may be nil, alters the template first.
func (p *PKI) Leaf(change func(*x509.Certificate), hosts ...string) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	if change != nil {
		change(template)
	}
	key := p.newKey()
	cert := p.parse(x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), p.key))
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// Origin is a server of the small internet.
type Origin struct {
	*httptest.Server
	Port uint16
	// Requests counts what reached the handler.
	Requests atomic.Int64
	// Conns counts connections.
	Conns atomic.Int64
}

// Serve starts an origin on 127.0.0.1 that answers for names, and lets clients reach its port. secure: over TLS, with HTTP/2.
func (n *Net) Serve(secure bool, h http.Handler, names ...string) *Origin {
	n.t.Helper()
	o := &Origin{}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.Requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			o.Conns.Add(1)
		}
	}
	if secure {
		o.EnableHTTP2 = true
		o.TLS = &tls.Config{Certificates: []tls.Certificate{n.PKI.Leaf(nil, append(names, "127.0.0.1")...)}, MinVersion: tls.VersionTLS12}
		o.StartTLS()
	} else {
		o.Start()
	}
	n.t.Cleanup(o.Close)
	o.Port = netip.MustParseAddrPort(o.Listener.Addr().String()).Port()
	n.Open(o.Port)
	for _, name := range names {
		n.Resolver.Set(name, "127.0.0.1")
	}
	return o
}

// Listener opens a listener on loopback.
func Listener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
