package ca

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"time"
)

const (
	// TicketLife is how long one session ticket key seals new tickets.
	TicketLife = 8 * time.Hour
	// ticketKeys is how many keys open tickets: with TicketLife, a day, which is
	// as long as RFC 8446 C.4 and practice allow without hurting forward secrecy.
	ticketKeys = 3
)

// TLSConfig returns the tls.Config for the client side of interception. Make
// one per Authority and use that very value in tls.Server for every connection:
// a clone does not follow RotateTickets.
//
// nameOf says for which name the connection was admitted; it must not simply
// repeat hello.ServerName. It finds its connection by hello.Conn or
// hello.Context, is called for every handshake, resumed ones too, once or twice,
// and must be quick. An error ends the handshake. A certificate is minted for
// what it returns and for nothing else. protos are the ALPN protocols, best
// first.
func (a *Authority) TLSConfig(nameOf func(*tls.ClientHelloInfo) (string, error), protos []string) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: slices.Clone(protos),
		// GetCertificate is not asked when a session is resumed; this is, so a
		// ticket is no way around the admission of a name.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			_, err := admitted(nameOf, hello)
			return nil, err
		},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name, err := admitted(nameOf, hello)
			if err != nil {
				return nil, err
			}
			return a.leaf(leafID{name: name, rsa: !knowsECDSA(hello)})
		},
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.SetSessionTicketKeys(a.tickets)
	a.configs = append(a.configs, c)
	return c
}

func admitted(nameOf func(*tls.ClientHelloInfo) (string, error), hello *tls.ClientHelloInfo) (string, error) {
	name, err := nameOf(hello)
	if err != nil {
		return "", fmt.Errorf("client handshake: %w", err)
	}
	if name == "" {
		return "", fmt.Errorf("client handshake: %w: no name was admitted", ErrName)
	}
	return name, nil
}

// RotateTickets puts a new session ticket key in front if the newest one is
// older than TicketLife at now, and tells whether it did. The last three keys
// still open tickets. The owner of the Authority calls it from a ticker of any
// period; running connections do not notice.
func (a *Authority) RotateTickets(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.rotated) < TicketLife {
		return false
	}
	a.rotated = now
	a.tickets = slices.Insert(a.tickets, 0, newTicketKey())
	a.tickets = a.tickets[:min(len(a.tickets), ticketKeys)]
	for _, c := range a.configs {
		c.SetSessionTicketKeys(a.tickets)
	}
	return true
}

// newTicketKey cannot fail: crypto/rand.Read ends the process instead.
func newTicketKey() (key [32]byte) {
	_, _ = rand.Read(key[:])
	return key
}

// knowsECDSA tells whether the client can check an ECDSA P-256 certificate. In
// TLS 1.3 the signature scheme names the curve (RFC 8446 4.2.3); in TLS 1.2 a
// cipher suite and the curve must be offered too (RFC 8422 5.1). It does not
// use hello.SupportsCertificate, which also compares SNI, which may honestly
// differ from the admitted name.
func knowsECDSA(hello *tls.ClientHelloInfo) bool {
	if !slices.Contains(hello.SignatureSchemes, tls.ECDSAWithP256AndSHA256) {
		return false
	}
	if slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
		return true
	}
	return slices.Contains(hello.SupportedCurves, tls.CurveP256) &&
		slices.ContainsFunc(hello.CipherSuites, isECDSASuite)
}

// isECDSASuite lists the TLS 1.2 suites with ECDSA that crypto/tls can serve.
func isECDSASuite(suite uint16) bool {
	switch suite {
	case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:
		return true
	}
	return false
}
