package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const (
	// caYears is the life of a CA: long enough not to surprise an office, short
	// enough that a forgotten one dies.
	caYears = 5
	// clockSkew is how far clients' clocks may be behind (measured by browsers'
	// makers: nearly all wrong clocks are within the hour).
	clockSkew = time.Hour
	// serialBytes: 128 random bits, above the 64 that the CA/Browser Forum asks
	// for (BR 7.1) and below the 20 octets of RFC 5280 4.1.2.2.
	serialBytes = 16
)

// pair is a new CA as it will stand on disk.
type pair struct {
	certPEM, keyPEM []byte
	fingerprint     string
}

// generate makes a CA: ECDSA P-256, five years, path length 0. Its name carries
// the date and a random id, so that two installations differ in every list of
// certificates.
func generate(now time.Time, organization string) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make certificate authority key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return pair{}, err
	}
	id, err := keyID(key.Public())
	if err != nil {
		return pair{}, err
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return pair{}, fmt.Errorf("name certificate authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization: []string{organization},
			CommonName:   "weir CA " + now.UTC().Format(time.DateOnly) + " " + hex.EncodeToString(random[:]),
		},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return pair{}, fmt.Errorf("sign certificate authority: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, fmt.Errorf("encode certificate authority key: %w", err)
	}
	return pair{
		certPEM:     encodeCertificate(der),
		keyPEM:      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		fingerprint: fingerprint(der),
	}, nil
}

// newSerial returns a positive random number of up to 128 bits.
func newSerial() (*big.Int, error) {
	var b [serialBytes]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("make serial number: %w", err)
		}
		if n := new(big.Int).SetBytes(b[:]); n.Sign() > 0 {
			return n, nil
		}
	}
}

// keyID is the key identifier of RFC 7093 section 2, method 1 on the whole
// SubjectPublicKeyInfo: the leftmost 160 bits of its SHA-256.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}
