package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCertificates is the matrix of certificates that an origin must not get away with.
func TestCertificates(t *testing.T) {
	t.Parallel()
	zone, root, stranger := newZone(t, nil), newAuthority(t, "e2e root"), newAuthority(t, "stranger")
	past := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	}
	matrix := []struct {
		name, code, title, detail string // what the page and Proxy-Status say
		cert                      tls.Certificate
	}{
		{"expired", "expired", "Certificate expired", "expired", root.leaf(t, past, "expired.test")},
		{"wrong-host", "wrong-host", "Certificate is for another site", "other.test", root.leaf(t, nil, "other.test")},
		{"self-signed", "self-signed", "Self-signed certificate", "signed its certificate itself", selfSigned(t, "self-signed.test")},
		{"unknown-root", "unknown-root", "Certificate from an unknown authority", "authority that is not trusted", stranger.leaf(t, nil, "unknown-root.test")},
		{"no-san", "no-san", "Certificate without a usable name", "name", root.leaf(t, func(c *x509.Certificate) { c.DNSNames = nil }, "no-san.test")},
	}
	good := root.leaf(t, nil, "good.test")
	ports := []int{serveHTTP(t, sink(), &good)}
	for _, m := range matrix {
		ports = append(ports, serveHTTP(t, sink(), &m.cert))
	}
	w := start(t, setting{ports: ports, dns: zone.addr, roots: root.file})
	if a := w.curl(fmt.Sprintf("https://good.test:%d/", ports[0])); a.status != 200 || a.header.Get("X-Origin") == "" {
		t.Fatalf("the good one: %v", a)
	}
	for i, m := range matrix {
		url := fmt.Sprintf("https://%s.test:%d/", m.name, ports[i+1])
		for _, version := range []string{"--http1.1", "--http2"} {
			for _, accept := range []string{"text/html", "application/json"} {
				t.Run(m.name+" "+version+" "+accept, func(t *testing.T) {
					w := w.with(t)
					a := w.curl(version, "-H", "Accept: "+accept, url)
					id := a.blocked(t, 502)
					if a.header.Get("X-Origin") != "" || strings.Contains(string(a.body), "HTTP/") {
						t.Errorf("the origin was reached: %v", a)
					}
					if !strings.Contains(string(a.body), m.title) || !strings.Contains(string(a.body), id) {
						t.Errorf("the page does not say %q: %v", m.title, a)
					}
					if s := a.header.Get("Proxy-Status"); !strings.Contains(s, "tls_certificate_error") || !strings.Contains(s, m.detail) {
						t.Errorf("Proxy-Status: %s", s)
					}
					if e := w.event("event.id", id); !e.is("weir.cert_error", m.code, "weir.cause", "safety", "weir.verdict", "block") {
						t.Errorf("event: %v", e)
					}
				})
			}
		}
	}
}
