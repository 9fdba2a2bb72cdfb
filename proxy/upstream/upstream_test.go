package upstream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/ca"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/proxy/blockpage"
	"weir/proxy/session"
	"weir/proxy/upstream"
)

// TestCertificateMatrix: every certificate that must not be trusted is refused, by its own name, and nothing was sent.
func TestCertificateMatrix(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	other, forger := newAuthority(t, "other root"), newAuthority(t, "test root")
	for _, c := range []struct {
		name string
		cert *tls.Certificate
		tls  *tls.Config // changes of the server
		code string
	}{
		{"expired", r.roots.leaf(t, "o.test", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-48*time.Hour), c.NotAfter.Add(-24*time.Hour)
		}), nil, ca.CodeExpired},
		{"not yet valid", r.roots.leaf(t, "o.test", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), nil, ca.CodeNotYetValid},
		{"wrong host", r.roots.leaf(t, "other.test", nil), nil, ca.CodeWrongHost},
		{"parent of the name", r.roots.leaf(t, "test", nil), nil, ca.CodeWrongHost},
		{"self-signed", (*authority)(nil).leaf(t, "o.test", nil), nil, ca.CodeSelfSigned},
		{"unknown root", other.leaf(t, "o.test", nil), nil, ca.CodeUnknownRoot},
		{"forged", forger.leaf(t, "o.test", nil), nil, ca.CodeBadSignature},
		{"common name only", r.roots.leaf(t, "o.test", func(c *x509.Certificate) { c.DNSNames = nil }), nil, ca.CodeNoSAN},
		{"for clients", r.roots.leaf(t, "o.test", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil, ca.CodeOther},
		{"TLS 1.0", r.roots.leaf(t, "o.test", nil), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, ca.CodeTLSVersion},
		{"TLS 1.1", r.roots.leaf(t, "o.test", nil), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ca.CodeTLSVersion},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				o := newOrigin(t, "127.0.0.1:0", c.cert, h2)
				if c.tls != nil {
					o.TLS.MinVersion, o.TLS.MaxVersion = c.tls.MinVersion, c.tls.MaxVersion
				}
				r := newRig(t, func(cfg *upstream.Config) { cfg.Roots = r.roots.pool() })
				r.names.set("o.test", "127.0.0.1")
				req, x := r.request(t, http.MethodPost, "https://o.test:"+o.port()+"/", strings.NewReader("secret"))
				_, err := r.send(t, req)
				if err == nil || err.Source != upstream.SourceBlocked || err.Kind != upstream.KindCertificate || err.CertCode != c.code || err.Verdict.Ref.Safety != verdict.SafetyCertificate {
					t.Fatalf("got %+v", err)
				}
				page := blockpage.Error(req, x, err)
				body, _ := io.ReadAll(page.Body)
				if page.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), err.CertText) || !strings.Contains(string(body), "certificate: "+c.code) {
					t.Errorf("%d %s", page.StatusCode, body)
				}
				if e := r.done(x); e.CertError != c.code || e.Verdict != "block" || !e.Server.IsValid() || len(o.requests()) != 0 {
					t.Errorf("event %+v, requests %q", e, o.requests())
				}
			})
		}
	}
}

// TestProtocols: HTTP/2 where the origin has it, HTTP/1.1 else and for upgrades; the Host is that of the request.
func TestProtocols(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.names.set("o.test", "127.0.0.1")
	cert := r.roots.leaf(t, "o.test", nil)
	both, old, plain := newOrigin(t, "127.0.0.1:0", cert, true), newOrigin(t, "127.0.0.1:0", cert, false), newOrigin(t, "127.0.0.1:0", nil, false)
	for _, c := range []struct {
		name, scheme string
		o            *origin
		upgrade      bool
		proto, alpn  string
	}{
		{"HTTP/2", "https", both, false, "HTTP/2.0", "h2"},
		{"HTTP/2 again", "https", both, false, "HTTP/2.0", "h2"},
		{"HTTP/1.1 over TLS", "https", old, false, "HTTP/1.1", "http/1.1"},
		{"upgrade", "https", both, true, "HTTP/1.1", ""},
		{"wss", "wss", old, true, "HTTP/1.1", "http/1.1"},
		{"plain", "http", plain, false, "HTTP/1.1", ""},
		{"ws", "ws", plain, true, "HTTP/1.1", ""},
	} {
		req, x := r.request(t, http.MethodGet, c.scheme+"://o.test:"+c.o.port()+"/path", nil)
		if c.upgrade {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "websocket")
		}
		body, err := r.send(t, req)
		if err != nil || body != c.proto+" hello" {
			t.Errorf("%s: %q %v", c.name, body, err)
			continue
		}
		seen := c.o.requests()
		if want := c.proto + " o.test:" + c.o.port() + " /path "; seen[len(seen)-1] != want {
			t.Errorf("%s: the origin saw %q, want %q", c.name, seen, want)
		}
		if e := r.done(x); e.ALPN != c.alpn || e.Server.String() != c.o.Listener.Addr().String() || (e.TLSVersion == "TLS 1.3") != (c.o != plain) {
			t.Errorf("%s: event %s %s %s", c.name, e.Server, e.ALPN, e.TLSVersion)
		}
	}
	if n := both.connections(); n != 2 {
		t.Errorf("%d connections, want one for HTTP/2 and one for upgrades", n)
	}
}

// TestLiteral: an address as the target needs a certificate for that address.
func TestLiteral(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := newOrigin(t, "127.0.0.1:0", r.roots.leaf(t, "127.0.0.1", nil), true)
	if body, _, err := r.get(t, "https://127.0.0.1:"+o.port()+"/"); err != nil || body != "HTTP/2.0 hello" {
		t.Errorf("%q %v", body, err)
	}
	o = newOrigin(t, "127.0.0.1:0", r.roots.leaf(t, "o.test", nil), true)
	if _, _, err := r.get(t, "https://127.0.0.1:"+o.port()+"/"); err == nil || err.CertCode != ca.CodeWrongHost {
		t.Errorf("a certificate for a name was taken for an address: %v", err)
	}
}

// TestNeverShared: a pooled connection is used again for the same name and address only, though one certificate covers all.
func TestNeverShared(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		r := newRig(t, nil)
		cert := r.roots.leaf(t, "a.test", func(c *x509.Certificate) { c.DNSNames = []string{"a.test", "b.test"} })
		o := newOrigin(t, "127.0.0.1:0", cert, h2)
		r.names.set("a.test", "127.0.0.1")
		r.names.set("b.test", "127.0.0.1")
		for i, c := range []struct {
			name  string
			conns int
		}{{"a.test", 1}, {"b.test", 2}, {"a.test", 2}, {"b.test", 2}} {
			if _, _, err := r.get(t, "https://"+c.name+":"+o.port()+"/"); err != nil {
				t.Fatal(err)
			}
			if n := o.connections(); n != c.conns {
				t.Errorf("h2 %v, request %d: %d connections, want %d", h2, i, n, c.conns)
			}
		}
		if n := r.Stats().Reused.Load(); n != 2 {
			t.Errorf("reused %d", n)
		}
	}
}

// TestNeverStale: a pooled connection is not used when its address is not admitted any more, or not the name's any more.
func TestNeverStale(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	cert := r.roots.leaf(t, "a.test", nil)
	o := newOrigin(t, "127.0.0.1:0", cert, true)
	moved := newOrigin(t, "127.0.0.2:"+o.port(), cert, true)
	r.names.set("a.test", "127.0.0.1")
	target := "https://a.test:" + o.port() + "/"
	if _, _, err := r.get(t, target); err != nil {
		t.Fatal(err)
	}
	r.names.set("a.test", "127.0.0.2")
	if _, _, err := r.get(t, target); err != nil || len(o.requests()) != 1 || len(moved.requests()) != 1 {
		t.Fatalf("%v: %q %q", err, o.requests(), moved.requests())
	}
	r.names.set("a.test", "127.0.0.1")
	r.policy(t, nil)
	if _, _, err := r.get(t, target); err == nil || err.Verdict.Ref.Safety != verdict.SafetyPrivateAddress || len(o.requests()) != 1 {
		t.Fatalf("%v: %q", err, o.requests())
	}
}

// TestNextAddress: a refused connection is followed by the next address, of either family, and the body goes there.
func TestNextAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	r.names.set("a.test", "127.0.0.3", "127.0.0.4", "::1", "127.0.0.1")
	req, x := r.request(t, http.MethodPost, "http://a.test:"+o.port()+"/", strings.NewReader("body"))
	body := &watched{ReadCloser: req.Body}
	req.Body = body
	if got, err := r.send(t, req); err != nil || got != "HTTP/1.1 hello" {
		t.Fatalf("%q %v", got, err)
	}
	if seen := o.requests(); len(seen) != 1 || !strings.HasSuffix(seen[0], " body") || !body.closed {
		t.Errorf("%q, closed %v", seen, body.closed)
	}
	if e := r.done(x); e.Server.Addr().String() != "127.0.0.1" || e.Error != "" {
		t.Errorf("event %+v", e)
	}
	if n := r.Stats().Dials.Load(); n < 2 {
		t.Errorf("%d dials", n)
	}
}

// watched notes what becomes of a body.
type watched struct {
	io.ReadCloser
	read, closed bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.read = true
	return w.ReadCloser.Read(p)
}

func (w *watched) Close() error {
	w.closed = true
	return w.ReadCloser.Close()
}

// TestPrivateRefused: no spelling of an address that is not public is dialled, and no body is read.
func TestPrivateRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.policy(t, nil)
	for _, a := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1",
		"255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254", "fec0::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::",
	} {
		for _, target := range []string{"name", "literal"} {
			host := "x.test"
			if r.names.set(host, a); target == "literal" {
				host = "[" + a + "]"
				if !strings.Contains(a, ":") {
					host = a
				}
			}
			req, x := r.request(t, http.MethodPost, "http://"+host+"/", strings.NewReader("secret"))
			body := &watched{ReadCloser: req.Body}
			req.Body = body
			_, err := r.send(t, req)
			if err == nil || err.Source != upstream.SourceBlocked || err.Verdict.Ref.Safety != verdict.SafetyPrivateAddress || body.read || !body.closed {
				t.Errorf("%s as %s: %v, body read %v closed %v", a, target, err, body.read, body.closed)
				continue
			}
			page := blockpage.Error(req, x, err)
			if page.StatusCode != 403 || !strings.Contains(page.Header.Get("Proxy-Status"), "destination_ip_prohibited") {
				t.Errorf("%s: %d %s", a, page.StatusCode, page.Header.Get("Proxy-Status"))
			}
		}
	}
	if n := r.Stats().Dials.Load(); n != 0 {
		t.Errorf("%d dials", n)
	}
}

// TestOneAdmittedAddress: of several addresses only the admitted ones are dialled.
func TestOneAdmittedAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	r.names.set("a.test", "169.254.169.254", "10.0.0.1", "127.0.0.1")
	_, x, err := r.get(t, "http://a.test:"+o.port()+"/")
	if e := r.done(x); err != nil || e.Verdict != "allow" || r.Stats().Dials.Load() != 1 {
		t.Errorf("%v %+v", err, e)
	}
}

// TestChain: a CNAME to a listed name blocks before anything is dialled.
func TestChain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.names.answers = map[string]upstream.Answer{"ok.test": {
		Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Chain: []hostname.Name{hostname.MustParse("cdn.test"), hostname.MustParse("c2.evil.test")},
	}}
	_, x, err := r.get(t, "http://ok.test:9/")
	if err == nil || err.Source != upstream.SourceBlocked || err.Verdict.Cause != verdict.CauseReputation || r.Stats().Dials.Load() != 0 {
		t.Fatalf("%+v", err)
	}
	if e := r.done(x); e.List.Name != "bad" {
		t.Errorf("event %+v", e)
	}
}

// TestLoop: our own listeners are never dialled, wildcard ones on every address of the machine.
func TestLoop(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"127.0.0.1:3128", "0.0.0.0:3128", "[::]:3128"} {
		r := newRig(t, func(c *upstream.Config) {
			c.OwnAddrs = func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort(own)} }
		})
		r.names.set("me.test", "127.0.0.1")
		req, x := r.request(t, http.MethodGet, "http://me.test:3128/", nil)
		_, err := r.send(t, req)
		if err == nil || err.Verdict.Ref.Safety != verdict.SafetyLoop || r.Stats().Dials.Load() != 0 {
			t.Errorf("%s: %+v", own, err)
			continue
		}
		if page := blockpage.Error(req, x, err); page.StatusCode != http.StatusLoopDetected {
			t.Error(page.Status)
		}
	}
}

// listen serves raw TCP connections with f until the test ends.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// full is a listener whose queue is full: the kernel drops every further SYN.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*syscall.SockaddrInet4).Port)).String()
	for range 8 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// TestFailures: each failure has its kind, status and Proxy-Status, and stands in the event as an error, not as a verdict.
func TestFailures(t *testing.T) {
	t.Parallel()
	var held []net.Conn
	t.Cleanup(func() {
		for _, c := range held {
			_ = c.Close()
		}
	})
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}
	closed, garbage := listen(t, answer("")), listen(t, answer("SSH-2.0-x\r\n\r\n"))
	big := listen(t, answer("HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("x", 1<<13)+"\r\n", 7)+"\r\n"))
	silent := listen(t, func(c net.Conn) { held = append(held, c) })
	queue := full(t)
	for _, c := range []struct {
		name, target string
		dns          error
		kind         upstream.Kind
		status       int
		proxy        string
	}{
		{"no such name", "http://none.test/", nil, upstream.KindDNS, 502, "dns_error"},
		{"no address", "http://empty.test/", nil, upstream.KindDNS, 502, "dns_error"},
		{"name servers fail", "http://o.test/", errors.New("SERVFAIL"), upstream.KindDNS, 502, "dns_error"},
		{"name servers silent", "http://o.test/", context.DeadlineExceeded, upstream.KindDNSTimeout, 504, "dns_timeout"},
		{"refused", "http://o.test:1/", nil, upstream.KindRefused, 502, "connection_refused"},
		{"timeout", "http://o.test:" + queue + "/", nil, upstream.KindTimeout, 504, "connection_timeout"},
		{"handshake silent", "https://o.test:" + silent + "/", nil, upstream.KindTimeout, 504, "connection_timeout"},
		{"no TLS", "https://o.test:" + garbage + "/", nil, upstream.KindTLS, 502, "tls_protocol_error"},
		{"closed in handshake", "https://o.test:" + closed + "/", nil, upstream.KindTLS, 502, "tls_protocol_error"},
		{"head too big", "http://o.test:" + big + "/", nil, upstream.KindProtocol, 502, "http_protocol_error"},
		{"closed", "http://o.test:" + closed + "/", nil, upstream.KindClosed, 502, "connection_terminated"},
		{"no answer", "http://o.test:" + silent + "/", nil, upstream.KindResponseTimeout, 504, "http_response_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(cfg *upstream.Config) {
				cfg.DialTimeout, cfg.TLSTimeout, cfg.HeaderTimeout, cfg.MaxHeader = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond, 4096
			})
			r.names.set("o.test", "127.0.0.1")
			r.names.set("empty.test")
			r.names.err = c.dns
			req, x := r.request(t, http.MethodGet, c.target, nil)
			_, err := r.send(t, req)
			if err == nil || err.Kind != c.kind || err.Source != upstream.SourceUpstream {
				t.Fatalf("got %v (%+v)", err, err)
			}
			page := blockpage.Error(req, x, err)
			if page.StatusCode != c.status || !strings.HasPrefix(page.Header.Get("Proxy-Status"), "weir; error="+c.proxy+";") {
				t.Errorf("%d %s", page.StatusCode, page.Header.Get("Proxy-Status"))
			}
			if e := r.done(x); e.Error == "" || e.Verdict != "allow" || r.Stats().Failures[c.kind].Load() != 1 {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// TestStalledBody: an origin that stops in the middle of a body does not hold the connection for ever.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	var held []net.Conn
	t.Cleanup(func() {
		for _, c := range held {
			_ = c.Close()
		}
	})
	port := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		held = append(held, c)
	})
	r := newRig(t, func(cfg *upstream.Config) { cfg.StreamTimeout = 200 * time.Millisecond })
	r.names.set("o.test", "127.0.0.1")
	req, _ := r.request(t, http.MethodGet, "http://o.test:"+port+"/", nil)
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	var timeout net.Error
	if string(body) != "half" || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%q %v", body, err)
	}
	_ = resp.Body.Close()
}

// TestClientFailures: a client that goes away or a body that fails is not the origin's fault; a body that is blocked is a verdict.
func TestClientFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	r.names.set("o.test", "127.0.0.1")
	req, _ := r.request(t, http.MethodPost, "http://o.test:"+o.port()+"/", io.MultiReader(strings.NewReader("some"), broken{}))
	if _, err := r.send(t, req); err == nil || err.Source != upstream.SourceClient {
		t.Errorf("broken body: %+v", err)
	}
	req, x := r.request(t, http.MethodPost, "http://o.test:"+o.port()+"/", nil)
	req.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
		x.Refuse(time.Now(), verdict.SafetyLimit, verdict.PlaceUpload, "")
		return 0, errors.New("blocked")
	}))
	if _, err := r.send(t, req); err == nil || err.Source != upstream.SourceBlocked || err.Verdict.Ref.Safety != verdict.SafetyLimit {
		t.Errorf("blocked body: %+v", err)
	}
	req, _ = r.request(t, http.MethodGet, "http://o.test:"+o.port()+"/", nil)
	ctx, cancel := context.WithCancel(req.Context())
	cancel()
	if _, err := r.send(t, req.WithContext(ctx)); err == nil || err.Kind != upstream.KindCanceled || err.Source != upstream.SourceClient {
		t.Errorf("canceled: %+v", err)
	}
	if seen := o.requests(); len(seen) > 2 {
		t.Errorf("%q", seen)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("client reset") }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestFailClosed: a request that nobody admitted goes nowhere.
func TestFailClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.names.set("o.test", "127.0.0.1")
	req, _ := r.request(t, http.MethodGet, "http://o.test:1/", nil)
	if _, err := r.send(t, req.WithContext(context.Background())); err == nil || err.Source != upstream.SourceInternal {
		t.Errorf("without exchange: %v", err)
	}
	x := r.gate.Begin(inspect.HTTP, session.Plain(r.gate, netip.MustParseAddrPort("10.0.0.9:1")).Flow, time.Now())
	if _, err := r.send(t, req.WithContext(session.With(t.Context(), x))); err == nil {
		t.Error("a request that was not judged went out")
	}
	req, _ = r.request(t, http.MethodGet, "http://evil.test:1/", nil)
	if _, err := r.send(t, req); err == nil || err.Source != upstream.SourceBlocked {
		t.Errorf("blocked request: %v", err)
	}
	req, _ = r.request(t, http.MethodGet, "ftp://o.test:1/", nil)
	if _, err := r.send(t, req); err == nil || err.Source != upstream.SourceInternal {
		t.Errorf("scheme: %v", err)
	}
	// The target is the one that was admitted, whatever became of the URL.
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	req, _ = r.request(t, http.MethodGet, "http://o.test:"+o.port()+"/", nil)
	req.URL.Host = "169.254.169.254"
	if _, err := r.send(t, req); err != nil || len(o.requests()) != 1 {
		t.Errorf("%v %q", err, o.requests())
	}
	if n := r.Stats().Dials.Load(); n != 1 {
		t.Errorf("%d dials", n)
	}
}

// TestDial: spliced tunnels are admitted alike and get the bare connection.
func TestDial(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	r.names.set("o.test", "127.0.0.3", "127.0.0.1")
	_, x := r.request(t, http.MethodGet, "http://o.test:"+o.port()+"/", nil)
	c, err := r.Dial(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(*net.TCPConn); !ok || c.RemoteAddr().String() != o.Listener.Addr().String() || r.done(x).Server.String() != c.RemoteAddr().String() {
		t.Errorf("%T to %s", c, c.RemoteAddr())
	}
	_, x = r.request(t, http.MethodGet, "http://none.test/", nil)
	var e *upstream.Error
	if c, err := r.Dial(t.Context(), x); c != nil || !errors.As(err, &e) || e.Kind != upstream.KindDNS {
		t.Errorf("%v %v", c, err)
	}
}

// TestConcurrent: many requests at once to few names share pools and nothing else.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	cert := r.roots.leaf(t, "a.test", func(c *x509.Certificate) { c.DNSNames = []string{"*.test"} })
	o := newOrigin(t, "127.0.0.1:0", cert, true)
	errs := make(chan *upstream.Error)
	for i := range 60 {
		name := string(rune('a'+i%3)) + ".test"
		r.names.set(name, "127.0.0.1")
		req, _ := r.request(t, http.MethodGet, "https://"+name+":"+o.port()+"/", nil)
		go func() {
			_, err := r.send(t, req)
			errs <- err
		}()
	}
	for range 60 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, s := range o.requests() {
		if !strings.HasPrefix(s, "HTTP/2.0 ") {
			t.Error(s)
		}
	}
}

// FuzzKey: no text makes net/http's pool key name another address or host than the one that was admitted.
func FuzzKey(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, "a.test", uint16(443))
	f.Add([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "", uint16(1))
	f.Fuzz(func(t *testing.T, octets []byte, text string, port uint16) {
		a, ok := netip.AddrFromSlice(octets)
		name, err := hostname.Parse(text)
		if !ok || port == 0 || err != nil && text != "" {
			return
		}
		want := netip.AddrPortFrom(a, port)
		key := upstream.Key(want, name)
		got, host, err := upstream.ParseKey(key)
		if err != nil || got != want || !name.IsZero() && host != name.String() || name.IsZero() && host != a.String() {
			t.Errorf("%q: %v %q %v", key, got, host, err)
		}
		if u, err := url.Parse("https://" + key + "/"); err != nil || u.Host != key {
			t.Errorf("%q is no authority: %v", key, err)
		}
	})
}
