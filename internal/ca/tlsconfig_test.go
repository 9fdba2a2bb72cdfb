package ca_test

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
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/ca"
)

type tlsCertificate = tls.Certificate

// countingSigner stands for a key that weir cannot see, such as an HSM's.
type countingSigner struct {
	crypto.Signer
	n int
}

func (s *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.n++
	return s.Signer.Sign(r, digest, opts)
}

func mustKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue signs a certificate; with no parent it signs itself.
func issue(t testing.TB, c, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func selfSignedCA(t testing.TB, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	return issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, nil, signer.Public(), signer)
}

// handshake runs both sides over loopback. A pipe has no buffer, so a client
// that refuses a certificate and a server that is still writing would wait for
// each other.
func handshake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	right, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	left, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return converse(left, right, server, client)
}

// handshakePipe is handshake for a synctest bubble, for clients that trust the
// server.
func handshakePipe(server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	left, right := net.Pipe()
	return converse(left, right, server, client)
}

// converse lets the server send one octet after the handshake, so that TLS 1.3
// tickets arrive, and returns what each side saw.
func converse(left, right net.Conn, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		s := tls.Server(left, server)
		err := s.HandshakeContext(ctx)
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		_ = left.Close()
		done <- err
	}()
	c := tls.Client(right, client)
	clientErr = c.HandshakeContext(ctx)
	if clientErr == nil {
		var b [1]byte
		_, clientErr = io.ReadFull(c, b[:])
	}
	_ = right.Close()
	return c.ConnectionState(), <-done, clientErr
}

func fixed(name string) func(*tls.ClientHelloInfo) (string, error) {
	return func(*tls.ClientHelloInfo) (string, error) { return name, nil }
}

func TestTLSConfig(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	refused := errors.New("not admitted")
	tests := []struct {
		name   string
		nameOf func(*tls.ClientHelloInfo) (string, error)
		client *tls.Config
		alg    x509.PublicKeyAlgorithm
		bad    error
	}{
		{"tls 1.3", fixed("a.example"), &tls.Config{ServerName: "a.example"}, x509.ECDSA, nil},
		{"tls 1.2", fixed("a.example"), &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}, x509.ECDSA, nil},
		{"tls 1.2 with RSA suites only", fixed("a.example"), &tls.Config{
			ServerName: "a.example", MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		}, x509.RSA, nil},
		{"tls 1.2 without P-256", fixed("a.example"), &tls.Config{
			ServerName: "a.example", MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519},
		}, x509.RSA, nil},
		{"address", fixed("192.0.2.7"), &tls.Config{ServerName: "192.0.2.7"}, x509.ECDSA, nil},
		{"refused", func(*tls.ClientHelloInfo) (string, error) { return "", refused }, &tls.Config{ServerName: "a.example"}, 0, refused},
		{"empty", fixed(""), &tls.Config{ServerName: "a.example"}, 0, ca.ErrName},
		{"wildcard", fixed("*.example"), &tls.Config{ServerName: "a.example"}, 0, ca.ErrName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.client.RootCAs = pool(a)
			tt.client.NextProtos = []string{"h2"}
			state, serverErr, clientErr := handshake(t, a.TLSConfig(tt.nameOf, []string{"h2", "http/1.1"}), tt.client)
			if tt.bad != nil {
				if !errors.Is(serverErr, tt.bad) || clientErr == nil {
					t.Errorf("server %v, client %v", serverErr, clientErr)
				}
				return
			}
			if serverErr != nil || clientErr != nil {
				t.Fatalf("server %v, client %v", serverErr, clientErr)
			}
			if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != tt.alg || state.NegotiatedProtocol != "h2" {
				t.Errorf("got %v and %q", got, state.NegotiatedProtocol)
			}
			if len(state.PeerCertificates) != 1 {
				t.Error("the root is sent along")
			}
		})
	}
}

func TestOldVersionRefused(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	_, serverErr, clientErr := handshake(t, a.TLSConfig(fixed("a.example"), nil), &tls.Config{
		ServerName: "a.example", RootCAs: pool(a), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if serverErr == nil || clientErr == nil {
		t.Error("TLS 1.1 is served")
	}
}

// A client may ask for any SNI; the certificate is for the admitted name only.
func TestNameIsAdmittedNotAsked(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	state, _, err := handshake(t, a.TLSConfig(fixed("admitted.example"), nil), &tls.Config{
		ServerName: "bank.example", RootCAs: pool(a), InsecureSkipVerify: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := state.PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != "admitted.example" {
		t.Errorf("minted for %v", got)
	}
	if a.Stats().Minted != 1 {
		t.Errorf("stats %+v", a.Stats())
	}
}

// An intermediate CA is sent along, so that clients that know only its root
// can build the chain.
func TestIntermediate(t *testing.T) {
	t.Parallel()
	rootKey, key := mustKey(t), mustKey(t)
	root := selfSignedCA(t, rootKey)
	middle := issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test intermediate"}, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, root, key.Public(), rootKey)
	a, err := ca.New(middle, &countingSigner{Signer: key}, nil, ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, serverErr, clientErr := handshake(t, a.TLSConfig(fixed("a.example"), nil), &tls.Config{ServerName: "a.example", RootCAs: roots})
	if serverErr != nil || clientErr != nil {
		t.Errorf("server %v, client %v", serverErr, clientErr)
	}
}

func TestResumption(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]uint16{"tls 1.3": tls.VersionTLS13, "tls 1.2": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testResumption(t, version) })
		})
	}
}

func testResumption(t *testing.T, version uint16) {
	a, _ := mustInit(t)
	var refuse error
	server := a.TLSConfig(func(*tls.ClientHelloInfo) (string, error) { return "a.example", refuse }, nil)
	client := &tls.Config{
		ServerName: "a.example", RootCAs: pool(a), MaxVersion: version,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	try := func(when string, want bool) {
		t.Helper()
		state, serverErr, clientErr := handshakePipe(server, client)
		if serverErr != nil || clientErr != nil || state.DidResume != want {
			t.Errorf("%s: resumed %v, want %v (server %v, client %v)", when, state.DidResume, want, serverErr, clientErr)
		}
	}
	try("first", false)
	try("second", true)
	if a.RotateTickets(time.Now().Add(ca.TicketLife - time.Minute)) {
		t.Error("rotated too early")
	}
	now := time.Now()
	for i := range 2 {
		now = now.Add(ca.TicketLife)
		if !a.RotateTickets(now) {
			t.Fatalf("rotation %d is not due", i)
		}
	}
	try("after two rotations", true)
	// The ticket just received is sealed by the newest key: three more rotations
	// push that key out.
	for range 3 {
		now = now.Add(ca.TicketLife)
		a.RotateTickets(now)
	}
	try("after three more", false)
	try("again", true)
	refuse = errors.New("blocked meanwhile")
	if _, serverErr, clientErr := handshakePipe(server, client); !errors.Is(serverErr, refuse) || clientErr == nil {
		t.Errorf("a ticket is a way around admission: server %v, client %v", serverErr, clientErr)
	}
}

func TestDescribeNames(t *testing.T) {
	t.Parallel()
	// A certificate cannot smuggle control characters into the sentence.
	evil := &x509.Certificate{DNSNames: []string{"a\x1b\u202e.example"}}
	evil.Extensions = []pkix.Extension{{Id: []int{2, 5, 29, 17}}}
	code, text := ca.DescribeError(x509.HostnameError{Certificate: evil, Host: "b\n.example"})
	if code != ca.CodeWrongHost || strings.ContainsAny(text, "\x1b\n\u202e") {
		t.Errorf("%s: %q", code, text)
	}
}
