package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/proxy"
)

func TestSplice(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("from the origin"), "bank.test")
	r.Config.Rules = []policy.Rule{{Name: "bank", Where: "t:1", Names: []string{".bank.test"}, Action: policy.RuleSplice}}
	r.start(nil)
	c, _ := r.connect(hostport("bank.test", o))
	tc := tls.Client(c, &tls.Config{ServerName: "bank.test", RootCAs: r.PKI.Roots()})
	_, _ = io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+hostport("bank.test", o)+"\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(tc)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(b), "from the origin")
	_ = tc.Close()
	e := r.Wait(1)[0]
	if e.Intercepted != "splice" || e.Sent == 0 || e.Received == 0 || e.SNI != "bank.test" || e.Server.Port() != o.Port || e.Kind != event.KindConnect {
		t.Errorf("event %+v", e)
	}
}

// TestPipelinedClientHello sends the ClientHello right behind CONNECT, in one segment: goproxy alone would lose it.
func TestPipelinedClientHello(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("hello"), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	c := &pipelined{Conn: r.dial(), head: "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"}
	tc := tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: r.roots()})
	_, err := io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(tc)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(b), "hello")
}

// pipelined writes head before the first octets and skips the answer to it.
type pipelined struct {
	net.Conn
	head    string
	skipped bool
	r       *bufio.Reader
}

func (p *pipelined) Write(b []byte) (int, error) {
	head := p.head
	p.head = ""
	n, err := p.Conn.Write(append([]byte(head), b...))
	return max(n-len(head), 0), err
}

func (p *pipelined) Read(b []byte) (int, error) {
	if !p.skipped {
		p.skipped, p.r = true, bufio.NewReader(p.Conn)
		if _, err := http.ReadResponse(p.r, &http.Request{Method: http.MethodConnect}); err != nil {
			return 0, err
		}
	}
	return p.r.Read(b)
}

func TestNamesMustAgree(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("reached"), "a.test", "b.test")
	r.Config.Off = map[string]bool{"identity-mismatch": true} // the SNI alone is judged elsewhere
	r.start(nil)
	for _, sni := range []string{"a.test", "b.test"} {
		for _, host := range []string{"a.test", "b.test", "A.TEST", "127.0.0.1", "a.test.", "[::1]"} {
			for _, absolute := range []bool{false, true} {
				tc := r.tls(hostport("a.test", o), "", "http/1.1")
				_ = tc.Close()
				tc = r.tlsAs(hostport("a.test", o), sni)
				authority := host + ":" + portText(o)
				target := "/"
				if absolute {
					target = "https://" + authority + "/"
				}
				fmt.Fprintf(tc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, authority)
				resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
				if err != nil {
					t.Fatal(sni, host, absolute, err)
				}
				want := http.StatusMisdirectedRequest
				if strings.HasPrefix(strings.ToLower(host), "a.test") {
					want = http.StatusOK
				}
				if body := r.body(resp); resp.StatusCode != want || (want == http.StatusOK) != (body == "reached") {
					t.Errorf("SNI %s, Host %s, absolute %v: %d %.80q, want %d", sni, host, absolute, resp.StatusCode, body, want)
				}
				_ = tc.Close()
			}
		}
	}
}

// tlsAs shows sni and verifies nothing: the certificate is for the name of the CONNECT.
func (r *rig) tlsAs(authority, sni string) *tls.Conn {
	r.t.Helper()
	c, _ := r.connect(authority)
	tc := tls.Client(c, &tls.Config{ServerName: sni, InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	name, _, _ := net.SplitHostPort(authority)
	if got := tc.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != name {
		r.t.Errorf("certificate for %q, want %q", got, name)
	}
	return tc
}

func TestConnectRefusals(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("no"), "origin.test")
	r.Config.Internal = policy.Internal{}
	r.start(nil)
	port := ":" + portText(o)
	for authority, status := range map[string]int{
		"origin.test:22": 403, "127.0.0.1" + port: 403, "[::ffff:127.0.0.1]" + port: 403, "2130706433" + port: 403,
		"0x7f.1" + port: 403, "169.254.169.254" + port: 403, "[::1]" + port: 403, "a_b..c" + port: 400,
	} {
		c, resp := r.connect(authority)
		if resp.StatusCode != status || resp.Header.Get("X-Weir-Event-Id") == "" {
			t.Errorf("%s: %s", authority, resp.Status)
		}
		_ = c.Close()
	}
	// The name is judged at CONNECT, its private address where it is dialled: the page comes inside.
	resp, body := r.get(r.client(false), "https://"+hostport("origin.test", o)+"/")
	mustBlock(t, resp, body)
	contains(t, body, "private")
	if o.Conns.Load() != 0 {
		t.Error("dialled")
	}
}

func TestOtherProtocolsInTunnels(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("plain inside"), "origin.test")
	r.start(func(c *proxy.Config) { c.Timeouts.First = 100 * time.Millisecond })
	host := hostport("origin.test", o)
	cases := []struct{ name, send, want string }{
		{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", ""},
		{"silence", "", ""},
		{"h2c", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		{"half a hello", "\x16\x03\x01\x02\x00\x01", ""},
		{"http", "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n", "plain inside"},
		{"other host", "GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n", "421 Misdirected"},
		{"nested connect", "CONNECT x.test:443 HTTP/1.1\r\nHost: x.test:443\r\n\r\n", "403 Forbidden"},
		{"smuggled", "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			nc, resp := r.connect(host)
			if resp.StatusCode != 200 {
				t.Fatal(resp.Status)
			}
			_, _ = io.WriteString(nc, c.send)
			b, _ := io.ReadAll(nc)
			if c.want == "" && len(b) > 0 {
				t.Errorf("answered %q", b)
			}
			contains(t, string(b), c.want)
		})
	}
	if o.Requests.Load() != 1 {
		t.Errorf("%d requests at the origin", o.Requests.Load())
	}
}

func TestPolicyMayLetOtherProtocolsThrough(t *testing.T) {
	r := newRig(t)
	r.Config.Modes = map[string]verdict.Action{"tunnel-protocol": verdict.Log}
	r.Serve(false, text(""), "echo.test")
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		c, err := echo.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(c, c)
		_ = c.Close()
	}()
	port := netip.MustParseAddrPort(echo.Addr().String()).Port()
	r.Open(port)
	r.start(nil)
	c, _ := r.connect(fmt.Sprintf("echo.test:%d", port))
	_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
	_ = c.(*buffered).Conn.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil || string(b) != "SSH-2.0-x\r\n" {
		t.Errorf("%q %v", b, err)
	}
	if e := r.Wait(1)[0]; e.Sent != 11 || e.Received != 11 || e.Verdict != "log" {
		t.Errorf("event %+v", e)
	}
}

func TestClientThatDoesNotTrustUs(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("no"), "origin.test")
	r.start(nil)
	c, _ := r.connect(hostport("origin.test", o))
	if err := tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: r.PKI.Roots()}).Handshake(); err == nil {
		t.Fatal("handshake without trust")
	}
	contains(t, r.Wait(1)[0].Error, "does not trust")
}

func TestRecheckCutsTunnels(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("hi"), "origin.test", "other.test", "bank.test")
	r.Config.Rules = []policy.Rule{{Name: "bank", Where: "t:1", Names: []string{".bank.test"}, Action: policy.RuleSplice}}
	r.start(nil)
	inspected, kept := r.tls(hostport("origin.test", o), "origin.test"), r.tls(hostport("other.test", o), "other.test")
	c, _ := r.connect(hostport("bank.test", o))
	spliced := tls.Client(c, &tls.Config{ServerName: "bank.test", RootCAs: r.PKI.Roots()})
	if err := spliced.Handshake(); err != nil {
		t.Fatal(err)
	}
	if n := r.srv.Recheck(time.Now()); n != 0 {
		t.Errorf("cut %d without a change", n)
	}
	r.Swap("origin.test", "bank.test")
	if n := r.srv.Recheck(time.Now()); n != 2 {
		t.Errorf("cut %d, want 2", n)
	}
	for _, tc := range []*tls.Conn{inspected, spliced} {
		if _, err := tc.Read(make([]byte, 1)); err == nil {
			t.Error("still open")
		}
	}
	fmt.Fprintf(kept, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hostport("other.test", o))
	if b, err := io.ReadAll(kept); err != nil || !strings.HasSuffix(string(b), "hi") {
		t.Errorf("%q %v", b, err)
	}
	cuts := 0
	for _, e := range r.Wait(5) {
		if e.Kind == event.KindCut {
			cuts++
		}
	}
	if cuts != 2 {
		t.Errorf("%d events of cuts", cuts)
	}
}
