package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// DefaultCacheSize is how many leaf certificates are kept. At about 2 KiB each
// that is 8 MiB; a large office opens fewer names in a day.
const DefaultCacheSize = 4096

// minRSABits is the smallest RSA key of a CA that is accepted (CA/Browser Forum
// Baseline Requirements 6.1.5).
const minRSABits = 2048

// Errors of [New] and [Load] about the certificate and its key.
var (
	// ErrUnusable: the certificate is no CA certificate or its key is too weak.
	ErrUnusable = errors.New("certificate cannot serve as a certificate authority")
	// ErrMismatch: key, certificate and marker do not belong together.
	ErrMismatch = errors.New("does not match")
	// ErrValidity: the CA certificate has expired or is not valid yet.
	ErrValidity = errors.New("certificate authority is not valid now")
)

// Options are the settings of an Authority.
type Options struct {
	// CacheSize is the greatest number of cached leaf certificates; zero or less
	// means DefaultCacheSize.
	CacheSize int
	// LeafLife is how long leaf certificates are good; zero means LeafLife, and more than 30 days is cut.
	LeafLife time.Duration
	// Organization stands in the name of a CA that is made; empty means weir.
	Organization string
}

func (o Options) organization() string {
	if o.Organization == "" {
		return "weir"
	}
	return o.Organization
}

func (o Options) leafLife() time.Duration {
	if o.LeafLife <= 0 {
		return LeafLife
	}
	return min(o.LeafLife, maxLeafLife)
}

// maxLeafLife is the longest life of a leaf: a stolen leaf key is worth little for long.
const maxLeafLife = 30 * 24 * time.Hour

// Authority is one generation of the certificate authority. It is safe for
// concurrent use. Make one with New, Open, Init or Load.
type Authority struct {
	cert   *x509.Certificate
	above  [][]byte // DER sent behind every leaf: the CA and its parents, if it is no root
	pem    []byte
	signer crypto.Signer
	life   time.Duration // of leaves

	// leafKey is the key of every ECDSA leaf of this generation. Sharing it costs
	// nothing: whoever could steal one leaf key from this process could steal
	// them all, the certificates differ in name only, and TLS 1.2 and 1.3 use a
	// fresh ephemeral key for every connection. It makes minting one signature
	// instead of one key pair and one signature. It is never written to disk.
	leafKey *ecdsa.PrivateKey
	leafID  []byte
	// rsaKey is made at the first client that cannot do ECDSA.
	rsaKey func() (*rsa.PrivateKey, error)

	cache  *lru.Cache[leafID, *leaf]
	flight singleflight.Group
	stats  struct{ minted, hits, evictions atomic.Uint64 }

	mu      sync.Mutex // guards what follows
	tickets [][32]byte // newest first
	rotated time.Time
	configs []*tls.Config
}

var _ fmt.Formatter = (*Authority)(nil)

// New makes an Authority of a CA certificate, its key and, if the certificate
// is no root, the certificates above it in order. The key may live anywhere
// (KMS, HSM): only Public and Sign are called. It refuses a certificate that is
// no CA, is not valid now, does not belong to the key, or has a weak key.
func New(cert *x509.Certificate, signer crypto.Signer, above []*x509.Certificate, o Options) (*Authority, error) {
	if err := usable(cert, signer); err != nil {
		return nil, fmt.Errorf("certificate authority %q: %w", cert.Subject.CommonName, err)
	}
	if err := validAt(cert, time.Now()); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make leaf key: %w", err)
	}
	id, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	a := &Authority{
		cert: cert, signer: signer, leafKey: key, leafID: id, life: o.leafLife(),
		pem: encodeCertificate(cert.Raw),
		rsaKey: sync.OnceValues(func() (*rsa.PrivateKey, error) {
			return rsa.GenerateKey(rand.Reader, minRSABits)
		}),
		rotated: time.Now(),
		tickets: [][32]byte{newTicketKey()},
	}
	if !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		a.above = append(a.above, cert.Raw)
		for _, c := range above {
			a.above = append(a.above, c.Raw)
		}
	}
	size := o.CacheSize
	if size <= 0 {
		size = DefaultCacheSize
	}
	a.cache, err = lru.NewWithEvict(size, func(leafID, *leaf) { a.stats.evictions.Add(1) })
	if err != nil {
		return nil, fmt.Errorf("make leaf cache: %w", err)
	}
	return a, nil
}

// usable checks what does not depend on the time.
func usable(cert *x509.Certificate, signer crypto.Signer) error {
	if !cert.BasicConstraintsValid || !cert.IsCA {
		return fmt.Errorf("%w: basic constraints do not say CA", ErrUnusable)
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("%w: key usage lacks certSign", ErrUnusable)
	}
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if !key.Equal(signer.Public()) {
			return fmt.Errorf("private key %w the certificate", ErrMismatch)
		}
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("%w: RSA key of %d bits, at least %d are needed", ErrUnusable, key.N.BitLen(), minRSABits)
		}
		if !key.Equal(signer.Public()) {
			return fmt.Errorf("private key %w the certificate", ErrMismatch)
		}
	default:
		return fmt.Errorf("%w: key is neither ECDSA nor RSA", ErrUnusable)
	}
	return nil
}

// validAt names the side on which now lies outside the validity of cert.
func validAt(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Errorf("%w: it begins at %s, the clock says %s", ErrValidity,
			cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !now.Before(cert.NotAfter):
		return fmt.Errorf("%w: it expired at %s, the clock says %s; rotate it and give clients the new certificate", ErrValidity,
			cert.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// Certificate returns the CA certificate; do not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// CertificatePEM returns the CA certificate as clients import it.
func (a *Authority) CertificatePEM() []byte { return bytes.Clone(a.pem) }

// Fingerprint returns the SHA-256 of the CA certificate in lower-case
// hexadecimal.
func (a *Authority) Fingerprint() string { return fingerprint(a.cert.Raw) }

// String names the CA by its fingerprint; it shows no key.
func (a *Authority) String() string { return "certificate authority sha256:" + a.Fingerprint() }

// Format prints String for every verb, so that no %+v shows a key.
func (a *Authority) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, a.String()) }

// Stats are counters since the Authority was made.
type Stats struct {
	Minted    uint64 // leaf certificates signed
	Hits      uint64 // leaf certificates served from the cache
	Evictions uint64 // leaf certificates dropped because the cache was full
	Cached    int    // leaf certificates in the cache now
}

// Stats returns the counters now.
func (a *Authority) Stats() Stats {
	return Stats{
		Minted:    a.stats.minted.Load(),
		Hits:      a.stats.hits.Load(),
		Evictions: a.stats.evictions.Load(),
		Cached:    a.cache.Len(),
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
