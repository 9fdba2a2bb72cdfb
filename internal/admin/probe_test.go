package admin_test

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"weir/internal/admin"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	bad := func() error { return errors.New("no policy token=hunter2") }
	tests := []struct {
		name           string
		healthy, ready func() error
		token, send    string
		want           string // "" for nil
	}{
		{"fine", ok, ok, "", "", ""},
		{"fine with token", ok, ok, token, token, ""},
		{"token that nobody asks for", ok, ok, "", token, ""},
		{"no token", ok, ok, token, "", "401"},
		{"wrong token", ok, ok, token, token + "x", "401"},
		{"not ready", ok, bad, "", "", "/readyz answers 503: not ready: no policy"},
		{"not healthy", bad, ok, "", "", "/healthz answers 503: not healthy: no policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := base()
			c.Healthy, c.Ready, c.Token = tt.healthy, tt.ready, tt.token
			_, addr := start(t, c)
			for _, ip := range []string{"127.0.0.1", "0.0.0.0", "::", "::ffff:0.0.0.0"} {
				err := admin.Probe(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(ip), addr.Port()), tt.send)
				if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, admin.ErrUnhealthy) || !strings.Contains(err.Error(), tt.want)) {
					t.Fatalf("%s: got %v, want %q", ip, err, tt.want)
				}
				if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), token)) {
					t.Fatalf("unredacted: %v", err)
				}
			}
		})
	}
}

// TestProbeIgnoresEnvironment: a proxy of the environment sees neither Probe nor Dial. Loopback is exempt from the
// environment's proxies, so the address is the machine's own where it has one.
func TestProbeIgnoresEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	c := base()
	c.Token = token
	s, err := admin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	to := netip.AddrPortFrom(ownAddr(), ln.Addr().(*net.TCPAddr).AddrPort().Port())
	if err := admin.Probe(t.Context(), to, token); err != nil {
		t.Errorf("%v: %v", to, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// ownAddr is an IPv4 address of this machine, other than loopback if there is one.
func ownAddr() netip.Addr {
	own := netip.MustParseAddr("127.0.0.1")
	addrs, _ := net.InterfaceAddrs() // without the list, loopback has to do
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			return p.Addr()
		}
	}
	return own
}

func TestProbeNobody(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	if err := admin.Probe(t.Context(), addr, ""); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("got %v, want %v", err, admin.ErrNotRunning)
	}
	for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("127.0.0.1:0")} {
		if err := admin.Probe(t.Context(), addr, ""); err == nil {
			t.Errorf("%v passed", addr)
		}
	}
	if err := admin.ProbeSocket(t.Context(), socketPath(t)); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("got %v, want %v", err, admin.ErrNotRunning)
	}
}

// TestProbeStranger: what answers with a redirect, or is no weir, is not healthy.
func TestProbeStranger(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	if err := admin.Probe(t.Context(), ln.Addr().(*net.TCPAddr).AddrPort(), ""); !errors.Is(err, admin.ErrUnhealthy) {
		t.Errorf("got %v, want %v", err, admin.ErrUnhealthy)
	}
	srv.Close()
	<-done
}

func TestProbeSocket(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ready func() error
		want  error
	}{{"ready", ok, nil}, {"not ready", func() error { return errors.New("no policy") }, admin.ErrUnhealthy}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := socketPath(t)
			cfg := control()
			cfg.Ready = tt.ready
			serve(t, listen(t, path, cfg))
			if err := admin.ProbeSocket(t.Context(), path); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}
