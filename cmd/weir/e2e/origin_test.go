package e2e_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// listen opens a TCP listener on loopback and returns its port.
func listen(t testing.TB) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, l.Addr().(*net.TCPAddr).Port
}

// serveHTTP serves h on a port of its own: plain when cert is nil, else HTTP/1.1 and HTTP/2 over TLS.
func serveHTTP(t testing.TB, h http.Handler, cert *tls.Certificate) int {
	t.Helper()
	l, port := listen(t)
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: nil}
	s.ErrorLog = discardLog()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if cert == nil {
			_ = s.Serve(l)
			return
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
		_ = s.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	return port
}

// serveConns calls f for each connection of a TCP listener, or with cert of a TLS one, until the test ends.
func serveConns(t testing.TB, cert *tls.Certificate, f func(net.Conn)) int {
	t.Helper()
	l, port := listen(t)
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12})
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			go func() {
				defer stop()
				defer func() { _ = c.Close() }()
				f(c)
			}()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-ended
	})
	return port
}

// world is what most tests need around weir: names, a trusted root, and one origin for everything under *.test, plain and TLS.
type world struct {
	zone  *zone
	root  *authority
	plain int // port of http
	tls   int // port of https, HTTP/1.1 and HTTP/2
}

// certNames are the names that the origin of a world can prove.
func certNames() []string { return []string{"*.test", "*.listed.test", "*.splice.test"} }

func newWorld(t testing.TB, h http.Handler, records map[string][]string) *world {
	t.Helper()
	w := &world{zone: newZone(t, records), root: newAuthority(t, "e2e root")}
	cert := w.root.leaf(t, nil, certNames()...)
	w.plain, w.tls = serveHTTP(t, h, nil), serveHTTP(t, h, &cert)
	return w
}

// setting is that of a weir in this world.
func (w *world) setting(more string, ports ...int) setting {
	return setting{ports: append([]int{w.plain, w.tls}, ports...), dns: w.zone.addr, roots: w.root.file, more: more}
}

func (w *world) http(host, path string) string {
	return "http://" + net.JoinHostPort(host, strconv.Itoa(w.plain)) + path
}

func (w *world) https(host, path string) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(w.tls)) + path
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// tlsConfig trusts the certificates in a PEM file and nothing else.
func tlsConfig(t testing.TB, roots string) *tls.Config {
	t.Helper()
	return &tls.Config{RootCAs: pool(t, roots), MinVersion: tls.VersionTLS12}
}
