package admin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdef-token"

func ok() error { return nil }

// base is a Config that works.
func base() admin.Config {
	return admin.Config{Healthy: ok, Ready: ok, Log: slog.New(slog.DiscardHandler), Version: "1.2.3", Revision: "abc"}
}

// start serves cfg on loopback until the test ends.
func start(t *testing.T, cfg admin.Config) (*admin.Server, netip.AddrPort) {
	t.Helper()
	s, err := admin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, ln.Addr().(*net.TCPAddr).AddrPort()
}

// raw sends octets as they are and reads one answer.
func raw(t *testing.T, addr netip.AddrPort, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	open := base()
	open.Hosts = []string{"Weir.Example", "192.0.2.7", "2001:db8::7"}
	locked := open
	locked.Token = token
	_, openAt := start(t, open)
	_, lockedAt := start(t, locked)
	tests := []struct {
		name    string
		line    string
		headers string
		locked  bool
		want    int
	}{
		{"health", "GET /healthz", "Host: localhost", false, 200},
		{"health, HEAD", "HEAD /healthz", "Host: localhost", false, 200},
		{"ready", "GET /readyz", "Host: LOCALHOST:8090", false, 200},
		{"metrics", "GET /metrics", "Host: 127.0.0.1:1", false, 200},
		{"query is nothing", "GET /readyz?x=1", "Host: localhost", false, 200},
		{"other path", "GET /", "Host: localhost", false, 404},
		{"below a path", "GET /healthz/", "Host: localhost", false, 404},
		{"dots", "GET /x/../healthz", "Host: localhost", false, 404},
		{"profiles", "GET /debug/pprof/", "Host: localhost", false, 404},
		{"POST to another path", "POST /reload", "Host: localhost\r\nContent-Length: 0", false, 404},
		{"POST", "POST /healthz", "Host: localhost\r\nContent-Length: 0", false, 405},
		{"DELETE", "DELETE /metrics", "Host: localhost", false, 405},
		{"OPTIONS", "OPTIONS /healthz", "Host: localhost", false, 405},
		{"OPTIONS *", "OPTIONS *", "Host: localhost", false, 404},
		{"CONNECT", "CONNECT localhost:443", "Host: localhost", false, 404},
		{"GET with a body", "GET /healthz", "Host: localhost\r\nContent-Length: 3\r\n\r\nabc", false, 413},
		{"GET with chunks", "GET /healthz", "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0", false, 413},

		{"loopback of another number", "GET /healthz", "Host: 127.8.9.10", false, 200},
		{"loopback, IPv6", "GET /healthz", "Host: [::1]:8090", false, 200},
		{"configured name", "GET /healthz", "Host: weir.EXAMPLE:80", false, 200},
		{"configured address", "GET /healthz", "Host: 192.0.2.7", false, 200},
		{"configured address, IPv6", "GET /healthz", "Host: [2001:DB8:0::7]", false, 200},
		{"rebound name", "GET /healthz", "Host: evil.example:8090", false, 421},
		{"below a configured name", "GET /healthz", "Host: a.weir.example", false, 421},
		{"name that begins like loopback", "GET /healthz", "Host: 127.0.0.1.evil.example", false, 421},
		{"other address", "GET /healthz", "Host: 192.0.2.8", false, 421},
		{"unspecified address", "GET /healthz", "Host: 0.0.0.0:8090", false, 421},
		{"no host", "GET /healthz", "Host:", false, 421},
		{"rebound absolute form", "GET http://evil.example/healthz", "Host: localhost", false, 421},
		{"host before method", "POST /healthz", "Host: evil.example\r\nContent-Length: 0", false, 421},

		{"own origin", "GET /readyz", "Host: localhost:8090\r\nOrigin: http://localhost:8090", false, 200},
		{"other origin", "GET /readyz", "Host: localhost:8090\r\nOrigin: https://evil.example", false, 403},
		{"other port", "GET /readyz", "Host: localhost:8090\r\nOrigin: http://localhost:3000", false, 403},
		{"null origin", "GET /readyz", "Host: localhost:8090\r\nOrigin: null", false, 403},
		{"empty origin", "GET /readyz", "Host: localhost:8090\r\nOrigin:", false, 403},
		{"two origins", "GET /readyz", "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://localhost", false, 403},
		{"preflight", "OPTIONS /readyz", "Host: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: GET", false, 403},
		{"cross-site", "GET /readyz", "Host: localhost\r\nSec-Fetch-Site: cross-site", false, 403},
		{"same-site", "GET /readyz", "Host: localhost\r\nSec-Fetch-Site: same-site", false, 403},
		{"same-origin", "GET /readyz", "Host: localhost\r\nSec-Fetch-Site: same-origin", false, 200},
		{"address bar", "GET /readyz", "Host: localhost\r\nSec-Fetch-Site: none", false, 200},

		{"health needs no token", "GET /healthz", "Host: localhost", true, 200},
		{"no token", "GET /readyz", "Host: localhost", true, 401},
		{"no token, other path", "GET /secret", "Host: localhost", true, 401},
		{"token", "GET /readyz", "Host: localhost\r\nAuthorization: Bearer " + token, true, 200},
		{"token, scheme in other letters", "GET /metrics", "Host: localhost\r\nAuthorization: bearer " + token, true, 200},
		{"wrong token", "GET /metrics", "Host: localhost\r\nAuthorization: Bearer " + token + "x", true, 401},
		{"token cut", "GET /metrics", "Host: localhost\r\nAuthorization: Bearer " + token[:16], true, 401},
		{"other scheme", "GET /metrics", "Host: localhost\r\nAuthorization: Basic " + token, true, 401},
		{"two tokens", "GET /metrics", "Host: localhost\r\nAuthorization: Bearer " + token + "\r\nAuthorization: Bearer " + token, true, 401},
		{"token in the query", "GET /metrics?token=" + token, "Host: localhost", true, 401},
		{"token does not cure a host", "GET /metrics", "Host: evil.example\r\nAuthorization: Bearer " + token, true, 421},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := openAt
			if tt.locked {
				addr = lockedAt
			}
			resp, body := raw(t, addr, tt.line+" HTTP/1.1\r\n"+tt.headers+"\r\n\r\n")
			if resp.StatusCode != tt.want {
				t.Fatalf("got %d %q, want %d", resp.StatusCode, body, tt.want)
			}
			for name, value := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
				"X-Content-Type-Options":  "nosniff",
				"Cache-Control":           "no-store",
			} {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s: got %q, want %q", name, got, value)
				}
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin may read the answer")
			}
			if strings.Contains(body, token) {
				t.Error("the token is in the answer")
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, listen, token string
		want                error
	}{
		{"loopback", "127.0.0.1:8090", "", nil},
		{"loopback of another number", "127.1.2.3:8090", "", nil},
		{"loopback, IPv6", "[::1]:8090", "", nil},
		{"loopback, mapped", "[::ffff:127.0.0.1]:8090", "", nil},
		{"loopback with token", "127.0.0.1:8090", token, nil},
		{"every address", "0.0.0.0:8090", "", admin.ErrOpenListener},
		{"every address, IPv6", "[::]:8090", "", admin.ErrOpenListener},
		{"private", "10.0.0.1:8090", "", admin.ErrOpenListener},
		{"private with token", "10.0.0.1:8090", token, nil},
		{"every address with token", "0.0.0.0:8090", token, nil},
		{"padded token", "0.0.0.0:8090", "MDEyMzQ1Njc4OWFiY2Q=", nil},
		{"short token", "0.0.0.0:8090", "secret", admin.ErrToken},
		{"token with a blank", "0.0.0.0:8090", "0123456789 abcdefg", admin.ErrToken},
		{"token with a line end", "0.0.0.0:8090", token + "\n", admin.ErrToken},
		{"bad token on loopback", "127.0.0.1:8090", "0123456789äbcdefg", admin.ErrToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := admin.Check(netip.MustParseAddrPort(tt.listen), tt.token)
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), tt.token) && tt.token != "" {
				t.Fatalf("%v shows the token", err)
			}
		})
	}
	if admin.Check(netip.AddrPort{}, token) == nil {
		t.Error("no address passed")
	}
}

// TestServeChecksAddress: whatever the config said, a listener that stands open is not served.
func TestServeChecksAddress(t *testing.T) {
	t.Parallel()
	s, err := admin.New(base())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); !errors.Is(err, admin.ErrOpenListener) {
		t.Fatalf("got %v, want %v", err, admin.ErrOpenListener)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("the listener is still open: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*admin.Config)
		want   string
	}{
		{"zero", func(c *admin.Config) { *c = admin.Config{} }, "must be set"},
		{"no log", func(c *admin.Config) { c.Log = nil }, "must be set"},
		{"no ready", func(c *admin.Config) { c.Ready = nil }, "must be set"},
		{"short token", func(c *admin.Config) { c.Token = "abc" }, "at least 16"},
		{"host with port", func(c *admin.Config) { c.Hosts = []string{"weir.example:8090"} }, "without port"},
		{"pattern", func(c *admin.Config) { c.Hosts = []string{"*.example"} }, "name or an address"},
		{"empty host", func(c *admin.Config) { c.Hosts = []string{""} }, "name or an address"},
		{"bad metric", func(c *admin.Config) { c.Metrics = []admin.Metric{{Name: "weir_x"}} }, `metric "weir_x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := base()
			tt.change(&c)
			if _, err := admin.New(c); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	secret := func() error { return errors.New("no policy: token=hunter2 \x1b[31mred") }
	tests := []struct {
		name           string
		healthy, ready func() error
		token          string
		path           string
		status         int
		body           string
	}{
		{"not ready, with the cause", ok, secret, "", "/readyz", 503, "not ready: no policy"},
		{"not healthy, with the cause", secret, ok, "", "/healthz", 503, "not healthy: no policy"},
		{"not healthy, without token no cause", secret, ok, token, "/healthz", 503, "not healthy\n"},
		{"healthy though not ready", ok, secret, "", "/healthz", 200, "healthy\n"},
		{"a panic costs the request", func() error { panic("boom") }, ok, "", "/healthz", 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			c := base()
			c.Healthy, c.Ready, c.Token = tt.healthy, tt.ready, tt.token
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
			s, err := admin.New(c)
			if err != nil {
				t.Fatal(err)
			}
			w := &recorder{header: http.Header{}}
			s.ServeHTTP(w, request(t, tt.path))
			if w.status != tt.status || !strings.HasPrefix(w.body.String(), tt.body) {
				t.Fatalf("got %d %q, want %d %q", w.status, w.body.String(), tt.status, tt.body)
			}
			for _, out := range []string{w.body.String(), log.String()} {
				if strings.Contains(out, "hunter2") || strings.Contains(out, "\x1b") {
					t.Errorf("unredacted: %q", out)
				}
			}
			if tt.status != 200 && log.Len() == 0 {
				t.Error("nothing in the log")
			}
		})
	}
}

// recorder is the least ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func request(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestConnectionLimit: what is above the limit is closed at once, and a slot comes back.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	c := base()
	c.MaxConnections = 1
	_, addr := start(t, c)
	hold, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	// An answered request proves that this connection has the slot.
	if _, err := fmt.Fprint(hold, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(hold), nil); err != nil {
		t.Fatal(err)
	}
	more, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if n, err := more.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d octets on a connection above the limit", n)
	}
	hold.Close()
	for { // the server sees the close in its own time; a refused try costs nothing
		if err := admin.Probe(t.Context(), addr, ""); err == nil {
			break
		} else if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}
