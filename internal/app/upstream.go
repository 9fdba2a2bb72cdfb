package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"weir/internal/config"
)

// roots returns what an origin's certificate may chain to; nil means the system's roots. A file that is wrong is a problem of the
// config.
func roots(f *config.File) (*x509.CertPool, error) {
	u := &f.Proxy.Upstream
	if u.ExtraRootsFile == "" {
		if u.Roots == config.RootsSystem {
			return nil, nil
		}
		return x509.NewCertPool(), nil
	}
	text, err := readRegular(u.ExtraRootsFile, maxRoots)
	if err != nil {
		return nil, problem(f, "proxy.upstream.extra_roots_file", err)
	}
	pool := x509.NewCertPool()
	if u.Roots == config.RootsSystem {
		if pool, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("system roots: %w", err)
		}
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, problem(f, "proxy.upstream.extra_roots_file", fmt.Errorf("%s: %w", u.ExtraRootsFile, errNoCertificate))
	}
	return pool, nil
}

var errNoCertificate = errors.New("no certificate in PEM form")

func minTLS(v config.TLSVersion) uint16 {
	if v == config.TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}
