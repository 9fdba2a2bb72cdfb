package config

import (
	"encoding/base64"
	"strings"
)

// Transfer says which name servers give a list as a zone.
type Transfer struct {
	// Name servers, asked over TCP in this order until one answers; port 53 unless one is written. Required.
	Servers []ServerAddr `yaml:"servers" jsonschema:"required"`
	// Name of the zone. Required.
	Zone Name `yaml:"zone" jsonschema:"required"`
	// Key that signs questions and answers (TSIG, RFC 8945). Not given: nothing is signed, and whoever stands between can
	// change the list.
	TSIG TSIG `yaml:"tsig"`
}

// Given says whether the section is there.
func (t Transfer) Given() bool { return len(t.Servers) > 0 || !t.Zone.IsZero() }

// TSIG is a key that weir shares with name servers.
type TSIG struct {
	// Name of the key, as the servers know it. Required.
	Name Name `yaml:"name" jsonschema:"required"`
	// Algorithm: hmac-sha256, hmac-sha384 or hmac-sha512. Default: hmac-sha256.
	Algorithm TSIGAlgorithm `yaml:"algorithm"`
	// File with the secret in base64, as tsig-keygen prints it between quotes, 16 octets or more. It must be readable by weir
	// alone, and is read at start and reload. Required.
	SecretFile string `yaml:"secret_file" jsonschema:"required"`
}

// Given says whether the section is there.
func (t TSIG) Given() bool { return t.SecretFile != "" || !t.Name.IsZero() }

// TSIGAlgorithm is how a message is signed. Those with MD5 and SHA-1 are left out (RFC 8945 section 6).
type TSIGAlgorithm string

// The algorithms.
const (
	HMACSHA256 TSIGAlgorithm = "hmac-sha256"
	HMACSHA384 TSIGAlgorithm = "hmac-sha384"
	HMACSHA512 TSIGAlgorithm = "hmac-sha512"
)

// Words implements [Worded].
func (TSIGAlgorithm) Words() (noun string, words []string) {
	return "algorithm", []string{string(HMACSHA256), string(HMACSHA384), string(HMACSHA512)}
}

var _ Worded = TSIGAlgorithm("")

// checkListTransfer: what a zone can be, and what it cannot.
func (f *File) checkListTransfer(path string, l List) {
	if !l.Transfer.Given() {
		return
	}
	at := path + ".transfer"
	f.checkNotEmpty(at, "servers", len(l.Transfer.Servers))
	if l.Transfer.TSIG.Given() && l.Transfer.TSIG.SecretFile == "" && f.src.given(at+".tsig.secret_file") {
		f.src.report(at+".tsig.secret_file", "empty path")
	}
	if l.Format != ListAuto && l.Format != ListRPZ {
		f.src.report(path+".format", "a transferred zone is of format rpz, not %s", l.Format)
	}
	if l.SHA256 != "" {
		f.src.report(path+".sha256", "a zone has no digest: it changes record by record; sign it with tsig")
	}
}

// checkListSignature: a key of minisign, for a list from a URL.
func (f *File) checkListSignature(path string, l List) {
	if l.Minisign != "" && !isMinisignKey(l.Minisign) {
		f.src.report(path+".minisign", "not a public key of minisign: want the line of 56 characters that begins with RW")
	}
	if l.Minisign != "" && l.URL == "" {
		f.src.report(path+".minisign", "only a list with a url has a signature")
	}
	if l.SignatureURL == "" {
		return
	}
	f.checkListURL(path+".signature_url", l.SignatureURL)
	if l.Minisign == "" {
		f.src.report(path+".signature_url", "without minisign, the public key, nothing is checked")
	}
}

// isMinisignKey: "Ed", the number of the key, and the key itself, in base64.
func isMinisignKey(text string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == 2+8+32 && string(raw[:2]) == "Ed" && !strings.ContainsAny(text, "\r\n")
}

// Given says whether the file sets the value at path, such as "lists[0].refresh"; false for a File made in code.
func (f *File) Given(path string) bool { return f.src != nil && f.src.given(path) }
