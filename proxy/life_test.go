package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/proxy"
)

// wrapped is an upstream that a test changes.
type wrapped struct {
	proxy.Upstream
	trip func(*http.Request) (*http.Response, error)
}

func (w *wrapped) RoundTrip(r *http.Request) (*http.Response, error) { return w.trip(r) }

func TestFiltersRunOnceForEveryRequest(t *testing.T) {
	r := newRig(t)
	h := text("ok")
	plain, secure := r.Serve(false, h, "plain.test", "bad.test"), r.Serve(true, h, "secure.test")
	r.Open(1)
	r.Resolver.Set("gone.test", "127.0.0.1")
	r.start(nil, "bad.test")
	do := []struct {
		name string
		h2   bool
		url  string
	}{
		{"plain", false, "http://" + hostport("plain.test", plain)},
		{"intercepted", false, "https://" + hostport("secure.test", secure)},
		{"intercepted h2", true, "https://" + hostport("secure.test", secure)},
		{"blocked", false, "http://" + hostport("bad.test", plain)},
		{"blocked inside", true, "https://" + hostport("bad.test", secure)},
		{"no such name", false, "http://nobody.test:" + portText(plain)},
		{"origin gone", false, "http://gone.test:1"},
		{"origin gone h2", true, "https://gone.test:1"},
		{"not tls", true, "https://" + hostport("plain.test", plain)},
	}
	for i, c := range do {
		r.get(r.client(c.h2), c.url+"/")
		s := r.srv.Stats()
		if n := uint64(i + 1); s.Requests.Load() != n || s.OnRequest.Load() != n || s.OnResponse.Load() != n {
			t.Errorf("%s: %d requests, %d times OnRequest, %d times OnResponse, want %d", c.name, s.Requests.Load(), s.OnRequest.Load(), s.OnResponse.Load(), n)
		}
	}
}

// TestGoproxyOnlyDispatches reads our one file that speaks to goproxy: no stock action, no signer, no dialler of its own. That
// they are not reached at run time shows in the certificates, which are ours (TestInterceptHTTP1AndHTTP2), and in the tunnels
// that goproxy's own dialling hooks would have broken (errNoDial).
func TestGoproxyOnlyDispatches(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "goproxy.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{
		"NewProxyHttpServer": true, "ProxyCtx": true, "ConnectAction": true, "RejectConnect": true, "ConnectHijack": true,
		"RoundTripperFunc": true, "Logger": true, "CertStorage": true,
	}
	seen := 0
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "goproxy" {
			if seen++; !allowed[sel.Sel.Name] {
				t.Errorf("goproxy.%s is used", sel.Sel.Name)
			}
		}
		for _, no := range []string{"AllowHTTP2", "KeepHeader", "KeepDestinationHeaders"} {
			if sel.Sel.Name == no {
				t.Errorf("%s is used", no)
			}
		}
		return true
	})
	if seen == 0 {
		t.Error("nothing was looked at")
	}
}

func TestPanicCostsOneTransaction(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("fine"), "origin.test")
	r.start(func(c *proxy.Config) {
		up := c.Upstream
		c.Upstream = &wrapped{Upstream: up, trip: func(q *http.Request) (*http.Response, error) {
			if q.URL.Path == "/panic" {
				panic("a bug")
			}
			return up.RoundTrip(q)
		}}
	})
	for _, h2 := range []bool{false, true} {
		c := r.client(h2)
		resp, body := r.get(c, "https://"+hostport("origin.test", o)+"/panic")
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("X-Weir-Event-Id") == "" {
			t.Errorf("%s %q", resp.Status, body)
		}
		if _, body := r.get(c, "https://"+hostport("origin.test", o)+"/"); body != "fine" {
			t.Errorf("after the panic: %q", body)
		}
	}
	if n := r.srv.Stats().Panics.Load(); n != 2 {
		t.Errorf("%d panics", n)
	}
	if e := find(r.Wait(4), func(e *event.Event) bool { return strings.Contains(e.URL, "/panic") }); e == nil || e.Error == "" || e.Status != 502 {
		t.Errorf("event %+v", e)
	}
}

func TestUpstreamCertificateFailureIsAPage(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("no"), "origin.test")
	r.Resolver.Set("wrong.test", "127.0.0.1")
	r.start(nil)
	resp, body := r.get(r.client(true), "https://"+hostport("wrong.test", o)+"/")
	if resp.StatusCode != http.StatusBadGateway || o.Requests.Load() != 0 {
		t.Errorf("%s %q", resp.Status, body)
	}
	e := find(r.Wait(1), func(e *event.Event) bool { return e.Kind == event.KindHTTP })
	if e == nil || e.CertError != "wrong-host" || e.Verdict != "block" {
		t.Errorf("event %+v", e)
	}
}

func TestRecheckCutsRequestsUnderWay(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}), "origin.test")
	p := r.Serve(false, o.Config.Handler, "plain.test")
	r.start(nil)
	for _, u := range []string{"https://" + hostport("origin.test", o), "http://" + hostport("plain.test", p)} {
		r.Swap()
		resp, err := r.client(true).Get(u + "/events")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		r.Config.Rules = []policy.Rule{{Name: "no events", Where: "t:1", URLs: []string{"*/events"}}}
		r.Swap()
		r.Config.Rules = nil
		if n := r.srv.Recheck(time.Now()); n != 1 {
			t.Errorf("cut %d", n)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the stream ended as if it were whole")
		}
		_ = resp.Body.Close()
	}
}

func TestExpiringAllowIsCut(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("hi"), "origin.test")
	until := time.Now().Add(500 * time.Millisecond)
	r.Config.Rules = []policy.Rule{{Name: "for now", Where: "t:1", Names: []string{"origin.test"}, Action: policy.RuleAllow, Until: until}}
	r.start(nil, "origin.test")
	tc := r.tls(hostport("origin.test", o), "origin.test")
	if _, err := tc.Read(make([]byte, 1)); err == nil || time.Now().Before(until) {
		t.Errorf("%v", err)
	}
}

func TestShutdownDrains(t *testing.T) {
	r := newRig(t)
	begun, release := make(chan struct{}), make(chan struct{})
	o := r.Serve(true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(w, "to the end")
	}), "origin.test")
	r.start(nil)
	got := make(chan string, 1)
	go func() {
		resp, err := r.client(true).Get("https://" + hostport("origin.test", o) + "/")
		if err != nil {
			got <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		got <- string(b)
	}()
	<-begun
	down := make(chan error, 1)
	go func() { down <- r.srv.Shutdown(within(t)) }()
	for { // until the listener is closed
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	close(release)
	if s := <-got; s != "to the end" {
		t.Error(s)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("hi"), "origin.test", "bank.test")
	r.Config.Rules = []policy.Rule{{Name: "bank", Where: "t:1", Names: []string{".bank.test"}, Action: policy.RuleSplice}}
	r.start(nil)
	c, _ := r.connect(hostport("bank.test", o))
	tc := tls.Client(c, &tls.Config{ServerName: "bank.test", RootCAs: r.PKI.Roots()})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := tc.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is open")
	}
	r.Wait(1)
}

func TestConnectionLimits(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("ok"), "origin.test")
	r.start(func(c *proxy.Config) { c.MaxPerClient = 1 })
	held := r.dial()
	host := hostport("origin.test", o)
	req := fmt.Sprintf("GET http://%[1]s/ HTTP/1.1\r\nHost: %[1]s\r\nConnection: close\r\n\r\n", host)
	for r.srv.Connections().Accepted.Load() == 0 { // until the first is counted
		time.Sleep(time.Millisecond)
	}
	contains(t, r.raw(req), "HTTP/1.1 429")
	_, _ = io.WriteString(held, req)
	b, _ := io.ReadAll(held)
	contains(t, string(b), "200 OK")
	e := r.Wait(2)
	if find(e, func(e *event.Event) bool { return e.Status == 429 }) == nil {
		t.Error("no event of the refusal")
	}
}

func TestUnservedClient(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("no"), "origin.test")
	r.Config.Clients = nil
	r.start(nil)
	c, resp := r.connect(hostport("origin.test", o))
	_ = c.Close()
	if resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	contains(t, r.raw("GET http://x.test/ HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n"), "403 Forbidden")
}

func TestSecretsStayInside(t *testing.T) {
	r := newRig(t)
	const canary = "CANARY-7f3a"
	o := r.Serve(true, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(fmt.Sprint(q.Header), canary+"-proxy") {
			t.Error("proxy credentials reached the origin")
		}
		w.Header().Set("Set-Cookie", "s="+canary)
		if q.URL.Path == "/eicar" {
			_, _ = io.WriteString(w, eicar())
		}
	}), "origin.test")
	r.start(nil)
	var pages strings.Builder
	for _, path := range []string{"/", "/eicar"} {
		for _, host := range []string{hostport("origin.test", o), "nobody.test:" + portText(o)} {
			req, _ := http.NewRequest(http.MethodPost, "https://"+host+path+"?token="+canary+"&password="+canary, strings.NewReader("pw="+canary))
			for _, h := range []string{"Authorization", "Cookie", "X-Api-Key"} {
				req.Header.Set(h, "Bearer "+canary)
			}
			req.Header.Set("Proxy-Authorization", "Basic "+canary+"-proxy")
			resp, err := r.client(true).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := r.body(resp)
			if resp.StatusCode != 200 {
				pages.WriteString(body + fmt.Sprint(resp.Header))
			}
		}
	}
	var out []byte
	var enc event.Encoder
	for _, e := range r.Wait(4) {
		out = enc.Append(out, e)
	}
	for name, s := range map[string]string{"events": string(out), "log": r.log.String(), "pages": pages.String()} {
		if strings.Contains(s, canary) {
			t.Errorf("%s hold a secret: %s", name, s)
		}
	}
}

// TestNoPolicyBlocks: before the first policy everything is refused.
func TestNoPolicyBlocks(t *testing.T) {
	r := newRig(t)
	r.start(nil)
	r.Gate.Swap(nil)
	contains(t, r.raw("GET http://x.test/ HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n"), "403 Forbidden")
	var none *policy.Snapshot
	x := gate.New(gate.Config{Recorder: r.Events, Engine: inspect.NewEngine(nil, nil)}).Begin(inspect.HTTP, &inspect.Flow{}, time.Now())
	if v := x.Connect(time.Now(), "a.test:443"); !v.Blocks() || none.Observing() {
		t.Error("open without a policy")
	}
	x.Done(time.Now())
}
