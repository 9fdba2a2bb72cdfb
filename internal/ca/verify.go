package ca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"weir/internal/redact"
)

// The closed set of codes that DescribeError returns.
const (
	CodeExpired      = "expired"
	CodeNotYetValid  = "not-yet-valid"
	CodeWrongHost    = "wrong-host"
	CodeSelfSigned   = "self-signed"
	CodeUnknownRoot  = "unknown-root"
	CodeNoSAN        = "no-san"
	CodeBadSignature = "bad-signature"
	CodeRevoked      = "revoked"
	CodeTLSVersion   = "tls-version"
	CodeHandshake    = "handshake"
	CodeOther        = "other"
)

// ErrRevoked is what a revocation check (OCSP, CRL, a list of fingerprints)
// wraps, so that DescribeError can name it. crypto/tls itself checks none.
var ErrRevoked = errors.New("certificate is revoked")

// sanOID is the subject alternative name extension (RFC 5280 4.2.1.6).
var sanOID = asn1.ObjectIdentifier{2, 5, 29, 17}

// maxNames is how many names of a wrong certificate a sentence shows.
const maxNames = 3

// DescribeError names what went wrong in a TLS handshake with an upstream
// server: one code of the closed set, and a sentence for people. The sentence
// may hold names from the certificate; it is escaped and short. A nil error
// gives two empty strings.
func DescribeError(err error) (code, text string) {
	if err == nil {
		return "", ""
	}
	if errors.Is(err, ErrRevoked) {
		return CodeRevoked, "The certificate of the server has been revoked."
	}
	if code, text = describeCertificate(err); code != "" {
		return code, text
	}
	if code, text = describeHandshake(err); code != "" {
		return code, text
	}
	return CodeOther, "The secure connection to the server failed: " + redact.Truncate(redact.Error(err), 300) + "."
}

// describeCertificate covers what x509 verification reports.
func describeCertificate(err error) (code, text string) {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var weak x509.InsecureAlgorithmError
	var roots x509.SystemRootsError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid):
		return describeInvalid(invalid)
	case errors.As(err, &host):
		return describeHost(host)
	case errors.As(err, &unknown):
		return describeUnknown(err, unknown)
	case errors.As(err, &weak):
		return CodeBadSignature, "The certificate of the server is signed with an algorithm that is no longer safe."
	case errors.As(err, &roots):
		return CodeUnknownRoot, "No trusted root certificates are installed on this machine, so no server can be checked."
	case errors.As(err, &verification):
		if badSignature(verification.Error()) {
			return CodeBadSignature, "The signature on the certificate of the server is wrong."
		}
		return CodeOther, "The certificate of the server was refused: " + redact.Truncate(redact.Error(verification.Err), 300) + "."
	}
	return "", ""
}

func describeInvalid(e x509.CertificateInvalidError) (code, text string) {
	switch e.Reason {
	case x509.Expired:
		// The x509 package has one reason for both ends and tells them apart in
		// the detail only.
		if strings.Contains(e.Detail, " is before ") {
			return CodeNotYetValid, "The certificate of the server is not valid before " + day(e.Cert.NotBefore) + "."
		}
		return CodeExpired, "The certificate of the server expired on " + day(e.Cert.NotAfter) + "."
	case x509.CANotAuthorizedForThisName:
		return CodeOther, "The authority that signed the certificate of the server may not sign for this name."
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return CodeOther, "The certificate is not meant for servers."
	case x509.NotAuthorizedToSign, x509.TooManyIntermediates:
		return CodeOther, "The certificate of the server was signed by a certificate that may not sign it."
	}
	return CodeOther, "The certificate of the server is invalid: " + redact.Truncate(redact.Error(e), 300) + "."
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006 15:04 MST") }

func describeHost(e x509.HostnameError) (code, text string) {
	wanted := redact.Truncate(redact.Text(e.Host), 100)
	if !hasSAN(e.Certificate) {
		return CodeNoSAN, "The certificate of the server names its host only in the outdated common name, not in the subject alternative name, so it cannot be checked for " + wanted + "."
	}
	names := append([]string(nil), e.Certificate.DNSNames...)
	for _, ip := range e.Certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return CodeWrongHost, "The certificate of the server names no host, so it is not for " + wanted + "."
	}
	more := ""
	if len(names) > maxNames {
		more = fmt.Sprintf(" and %d more", len(names)-maxNames)
		names = names[:maxNames]
	}
	for i, n := range names {
		names[i] = redact.Truncate(redact.Text(n), 100)
	}
	return CodeWrongHost, "The certificate of the server is for " + strings.Join(names, ", ") + more + ", not for " + wanted + "."
}

func hasSAN(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(sanOID) {
			return true
		}
	}
	return false
}

// describeUnknown tells a leaf that signed itself from a chain that ends in an
// unknown root, and both from a chain whose signature is forged.
func describeUnknown(err error, unknown x509.UnknownAuthorityError) (code, text string) {
	leaf := unknown.Cert
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		leaf = verification.UnverifiedCertificates[0]
	}
	if leaf != nil && selfSigned(leaf) {
		return CodeSelfSigned, "The server signed its certificate itself, so nobody vouches for it."
	}
	if badSignature(unknown.Error()) {
		return CodeBadSignature, "The signature on the certificate of the server is wrong."
	}
	return CodeUnknownRoot, "The certificate of the server was signed by an authority that is not trusted here."
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// badSignature looks for the texts of crypto/x509 and crypto/rsa; there is no
// exported error for them.
func badSignature(text string) bool {
	for _, s := range []string{"ECDSA verification failure", "Ed25519 verification failure", "crypto/rsa: verification error"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// describeHandshake covers what is no fault of a certificate.
func describeHandshake(err error) (code, text string) {
	msg := err.Error()
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	remote := errors.As(err, &alert) || errors.As(err, &op) && op.Op == "remote error"
	switch {
	case strings.Contains(msg, "tls: protocol version not supported"),
		strings.Contains(msg, "tls: server selected unsupported protocol version"),
		strings.Contains(msg, "tls: no supported versions satisfy"):
		return CodeTLSVersion, "The server speaks no version of TLS that is still safe (1.2 or newer)."
	case errors.As(err, &record):
		return CodeHandshake, "The server does not speak TLS on this port."
	case remote:
		return CodeHandshake, "The server refused the TLS handshake."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return CodeHandshake, "The server closed the connection during the TLS handshake."
	case strings.Contains(msg, "tls: "):
		return CodeHandshake, "The TLS handshake with the server failed: " + redact.Truncate(redact.Error(err), 300) + "."
	}
	return "", ""
}
