package ca_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"weir/internal/ca"
)

// TestDescribeError makes every wrong certificate, serves it, and lets
// crypto/tls say what it thinks of it.
func TestDescribeError(t *testing.T) {
	t.Parallel()
	rootKey, leafKey, evilKey := mustKey(t), mustKey(t), mustKey(t)
	root := selfSignedCA(t, rootKey)
	unknown := issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Nobody's root"}, IsCA: true, BasicConstraintsValid: true,
	}, nil, evilKey.Public(), evilKey)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	now := time.Now()
	server := func(c x509.Certificate) *x509.Certificate {
		c.Subject = pkix.Name{CommonName: "a.example"}
		return &c
	}
	names := []string{"a.example"}
	tests := []struct {
		name, want, text string
		leaf             *x509.Certificate
		more             []*x509.Certificate
	}{
		{"good", "", "", issue(t, server(x509.Certificate{DNSNames: names}), root, leafKey.Public(), rootKey), nil},
		{"expired", ca.CodeExpired, "expired on", issue(t, server(x509.Certificate{DNSNames: names, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}), root, leafKey.Public(), rootKey), nil},
		{"not yet", ca.CodeNotYetValid, "not valid before", issue(t, server(x509.Certificate{DNSNames: names, NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}), root, leafKey.Public(), rootKey), nil},
		{"wrong host", ca.CodeWrongHost, "is for b.example, c.example, d.example and 1 more, not for a.example", issue(t, server(x509.Certificate{DNSNames: []string{"b.example", "c.example", "d.example", "e.example"}}), root, leafKey.Public(), rootKey), nil},
		{"address only", ca.CodeWrongHost, "192.0.2.1", issue(t, server(x509.Certificate{IPAddresses: []net.IP{{192, 0, 2, 1}}}), root, leafKey.Public(), rootKey), nil},
		{"no san", ca.CodeNoSAN, "common name", issue(t, server(x509.Certificate{}), root, leafKey.Public(), rootKey), nil},
		{"self-signed", ca.CodeSelfSigned, "itself", issue(t, server(x509.Certificate{DNSNames: names}), nil, leafKey.Public(), leafKey), nil},
		{"unknown root", ca.CodeUnknownRoot, "not trusted", issue(t, server(x509.Certificate{DNSNames: names}), unknown, leafKey.Public(), evilKey), nil},
		{"unknown root sent along", ca.CodeUnknownRoot, "not trusted", issue(t, server(x509.Certificate{DNSNames: names}), unknown, leafKey.Public(), evilKey), []*x509.Certificate{unknown}},
		{"client certificate", ca.CodeOther, "not meant for servers", issue(t, server(x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), root, leafKey.Public(), rootKey), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chain := [][]byte{tt.leaf.Raw}
			for _, c := range tt.more {
				chain = append(chain, c.Raw)
			}
			_, _, err := handshake(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: leafKey}}},
				&tls.Config{ServerName: "a.example", RootCAs: roots})
			code, text := ca.DescribeError(err)
			if code != tt.want || !strings.Contains(text, tt.text) {
				t.Errorf("%v\n-> %s: %q, want %s with %q", err, code, text, tt.want, tt.text)
			}
		})
	}
}

func TestDescribeForged(t *testing.T) {
	t.Parallel()
	rootKey, evilKey := mustKey(t), mustKey(t)
	root := selfSignedCA(t, rootKey)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	good := issue(t, &x509.Certificate{DNSNames: []string{"a.example"}}, root, evilKey.Public(), rootKey)
	forged := append([]byte(nil), good.Raw...)
	forged[len(forged)-1] ^= 1 // the last octet belongs to the signature
	_, _, err := handshake(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{forged}, PrivateKey: evilKey}}},
		&tls.Config{ServerName: "a.example", RootCAs: roots})
	if code, text := ca.DescribeError(err); code != ca.CodeBadSignature {
		t.Errorf("%v\n-> %s: %q", err, code, text)
	}
}

func TestDescribeHandshake(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	good := &tls.Config{ServerName: "a.example", RootCAs: pool(a)}
	tests := []struct {
		name, want string
		server     *tls.Config
		client     *tls.Config
	}{
		{"old version", ca.CodeTLSVersion, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, good},
		{"alert", ca.CodeHandshake, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, good},
		{"no common suite", ca.CodeHandshake, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, good},
	}
	leaf, err := a.Leaf("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.server.Certificates = []tls.Certificate{*leaf}
			_, _, err := handshake(t, tt.server, tt.client)
			if code, text := ca.DescribeError(err); code != tt.want || text == "" {
				t.Errorf("%v -> %s: %q, want %s", err, code, text, tt.want)
			}
		})
	}
}

func TestDescribePlain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		err        error
	}{
		{"nil", "", nil},
		{"revoked", ca.CodeRevoked, fmt.Errorf("crl: %w", ca.ErrRevoked)},
		{"not tls", ca.CodeHandshake, fmt.Errorf("dial: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})},
		{"closed", ca.CodeHandshake, io.ErrUnexpectedEOF},
		{"weak", ca.CodeBadSignature, x509.InsecureAlgorithmError(x509.SHA1WithRSA)},
		{"no roots", ca.CodeUnknownRoot, x509.SystemRootsError{Err: errors.New("x")}},
		{"unknown root without a certificate", ca.CodeUnknownRoot, x509.UnknownAuthorityError{}},
		{"other", ca.CodeOther, errors.New("dial https://u:secret@h/: no\x1b route")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, text := ca.DescribeError(tt.err)
			if code != tt.want || (text == "") != (tt.want == "") || strings.ContainsAny(text, "\x1b") || strings.Contains(text, "secret") {
				t.Errorf("%s: %q, want %s", code, text, tt.want)
			}
		})
	}
}
