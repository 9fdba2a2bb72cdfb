package app

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"

	"weir/blocklists/source"
	"weir/internal/config"
)

// maxSecret bounds the file of a TSIG secret: the longest useful one has 128 octets, the block of SHA-512.
const maxSecret = 4 << 10

// transfer turns the section of the config file at path into what package source wants. A secret that cannot be read or used is
// a problem of the config.
func transfer(f *config.File, path string, t config.Transfer) (source.Transfer, error) {
	out := source.Transfer{Zone: t.Zone.String(), Servers: make([]netip.AddrPort, len(t.Servers))}
	for i, s := range t.Servers {
		out.Servers[i] = s.AddrPort
	}
	if !t.TSIG.Given() {
		return out, nil
	}
	out.Key = source.Key{Name: t.TSIG.Name.String(), Algorithm: string(t.TSIG.Algorithm)}
	at := path + ".tsig.secret_file"
	text, err := readRegular(t.TSIG.SecretFile, maxSecret)
	if err != nil {
		return out, problem(f, at, err)
	}
	// What is wrong with the text is not told: it is secret.
	out.Key.Secret, err = base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(out.Key.Secret) < source.MinSecret {
		return out, problem(f, at, fmt.Errorf("%s: want a secret of %d octets or more in base64, and nothing else", t.TSIG.SecretFile, source.MinSecret))
	}
	return out, nil
}
