package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"weir/internal/address"
)

const (
	// LeafLife is how long a leaf certificate is valid, besides the hour of clock
	// skew. Browsers refuse more than 398 days for public roots; ours is short
	// because a leaf cannot be revoked.
	LeafLife = 14 * 24 * time.Hour
	// renewShare is the share of its life that a cached leaf still has when it is replaced: a quarter.
	renewShare = 4
	// maxCommonName is the upper bound of a common name (RFC 5280 appendix A,
	// ub-common-name); longer names stand in the SAN only.
	maxCommonName = 64
	// maxName and maxLabel are the limits of RFC 1035 2.3.4, in octets of text.
	maxName  = 253
	maxLabel = 63
)

// ErrName says that no certificate is minted for such a name.
var ErrName = errors.New("name cannot have a certificate")

// leafID is the key of the cache.
type leafID struct {
	name string
	rsa  bool
}

// leaf is a cached certificate and the span in which it is served.
type leaf struct {
	cert    *tls.Certificate
	from    time.Time
	refresh time.Time
}

func (l *leaf) fresh(now time.Time) bool {
	return !now.Before(l.from) && now.Before(l.refresh)
}

// Leaf returns a certificate for an admitted name: a host name in canonical
// form (A-labels, lower case, no trailing dot, no wildcard) or an IP address as
// netip.Addr prints it. Anything else gives ErrName. It comes from the cache,
// or is minted: requests for the same name at the same time mint it once. The
// certificate is shared; do not change it.
func (a *Authority) Leaf(name string) (*tls.Certificate, error) {
	return a.leaf(leafID{name: name})
}

// LeafRSA is Leaf with an RSA key, for clients that cannot do ECDSA. The first
// call makes the key, which takes up to a second.
func (a *Authority) LeafRSA(name string) (*tls.Certificate, error) {
	return a.leaf(leafID{name: name, rsa: true})
}

func (a *Authority) leaf(id leafID) (*tls.Certificate, error) {
	if l, ok := a.cache.Get(id); ok && l.fresh(time.Now()) {
		a.stats.hits.Add(1)
		return l.cert, nil
	}
	key := id.name
	if id.rsa {
		key = "rsa " + key // no admissible name holds a blank
	}
	v, err, _ := a.flight.Do(key, func() (any, error) {
		now := time.Now()
		// Another flight may have landed between the look-up and here.
		if l, ok := a.cache.Get(id); ok && l.fresh(now) {
			return l, nil
		}
		l, err := a.mint(id, now)
		if err != nil {
			return nil, err
		}
		a.cache.Add(id, l)
		return l, nil
	})
	if err != nil {
		return nil, fmt.Errorf("leaf certificate for %q: %w", id.name, err)
	}
	return v.(*leaf).cert, nil
}

// mint signs one leaf.
func (a *Authority) mint(id leafID, now time.Time) (*leaf, error) {
	if err := validAt(a.cert, now); err != nil {
		return nil, err
	}
	template, err := a.template(id.name, now)
	if err != nil {
		return nil, err
	}
	var key crypto.Signer = a.leafKey
	template.SubjectKeyId = a.leafID
	if id.rsa {
		rsaKey, err := a.rsaKey()
		if err != nil {
			return nil, fmt.Errorf("make RSA leaf key: %w", err)
		}
		key = rsaKey
		if template.SubjectKeyId, err = keyID(key.Public()); err != nil {
			return nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse what was signed: %w", err)
	}
	a.stats.minted.Add(1)
	refresh := parsed.NotAfter
	if refresh.Before(a.cert.NotAfter) {
		refresh = refresh.Add(-a.life / renewShare)
	} // else the CA ends first: no younger leaf would live longer
	return &leaf{
		cert:    &tls.Certificate{Certificate: append([][]byte{der}, a.above...), PrivateKey: key, Leaf: parsed},
		from:    parsed.NotBefore,
		refresh: refresh,
	}, nil
}

// template describes a leaf: one name in the SAN, server authentication only,
// a life within that of the CA. AKI is added by the x509 package.
func (a *Authority) template(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"weir"}},
		NotBefore:             later(now.Add(-clockSkew), a.cert.NotBefore),
		NotAfter:              earlier(now.Add(a.life), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(name) <= maxCommonName {
		t.Subject.CommonName = name
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" || addr.String() != name {
			return nil, fmt.Errorf("%w: address is not in canonical form", ErrName)
		}
		t.IPAddresses = []net.IP{addr.Unmap().AsSlice()}
		return t, nil
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	t.DNSNames = []string{name}
	return t, nil
}

// checkName accepts what hostname.Name can hold and a certificate may say:
// letters, digits, hyphens and underscores (which real hosts use).
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: length %d, 1 to %d is allowed", ErrName, len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return fmt.Errorf("%w: label of %d octets, 1 to %d is allowed", ErrName, len(label), maxLabel)
		}
		for i := range len(label) {
			if !nameByte(label[i]) {
				return fmt.Errorf("%w: octet %#02x", ErrName, label[i])
			}
		}
	}
	if _, number, _ := address.ParseIPv4Legacy(name); number {
		return fmt.Errorf("%w: it ends in a number but is no address in canonical form", ErrName)
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
