package ca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/ca"
)

func mustInit(t testing.TB) (*ca.Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := ca.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %04o", e.Name(), info.Mode().Perm()))
	}
	return strings.Join(names, "\n")
}

func TestInit(t *testing.T) {
	t.Parallel()
	a, dir := mustInit(t)
	if got, want := list(t, dir), "CREATED 0644\nca.crt 0644\nca.key 0600"; got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
	c := a.Certificate()
	if !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("CA: %v, path length %d, usage %b", c.IsCA, c.MaxPathLen, c.KeyUsage)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T", c.PublicKey)
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		t.Error(err)
	}
	b, _ := mustInit(t)
	if b.Certificate().Subject.CommonName == c.Subject.CommonName || b.Certificate().SerialNumber.Cmp(c.SerialNumber) == 0 {
		t.Error("two CAs look alike")
	}
	if _, err := ca.Init(dir); !errors.Is(err, ca.ErrExists) {
		t.Errorf("second Init: %v", err)
	}
	again, err := ca.Open(dir)
	if err != nil || again.Fingerprint() != a.Fingerprint() || !bytes.Equal(again.CertificatePEM(), a.CertificatePEM()) {
		t.Errorf("Open: %v, %v", again, err)
	}
}

// No verb shows a key.
func TestFormat(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	want := "certificate authority sha256:" + a.Fingerprint()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, a); got != want {
			t.Errorf("%s = %q", verb, got)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	_, otherDir := mustInit(t)
	move := func(from, to string) error { return os.Rename(from, to) }
	tests := []struct {
		name   string
		spoil  func(dir string) error
		want   error
		text   string
		opened bool // whether Open then succeeds
	}{
		{"nothing yet", func(d string) error { return os.RemoveAll(d) }, ca.ErrNone, "", true},
		{"key lost", func(d string) error { return os.Remove(d + "/ca.key") }, ca.ErrLost, "ca.key", false},
		{"certificate lost", func(d string) error { return os.Remove(d + "/ca.crt") }, ca.ErrLost, "ca.crt", false},
		{"both lost", func(d string) error {
			return errors.Join(os.Remove(d+"/ca.crt"), os.Remove(d+"/ca.key"))
		}, ca.ErrLost, "restore the files from a backup", false},
		{"marker and key lost", func(d string) error {
			return errors.Join(os.Remove(d+"/CREATED"), os.Remove(d+"/ca.key"))
		}, ca.ErrLost, "ca.key", false},
		{"group may read", func(d string) error { return os.Chmod(d+"/ca.key", 0o640) }, ca.ErrKeyMode, "chmod 600", false},
		{"others may read", func(d string) error { return os.Chmod(d+"/ca.key", 0o604) }, ca.ErrKeyMode, "0604", false},
		{"key of another CA", func(d string) error { return copyFile(otherDir+"/ca.key", d+"/ca.key") }, ca.ErrMismatch, "private key", false},
		{"certificate of another CA", func(d string) error { return copyFile(otherDir+"/ca.crt", d+"/ca.crt") }, ca.ErrMismatch, "CREATED", false},
		{"marker garbled", func(d string) error { return os.WriteFile(d+"/CREATED", []byte("x\n"), 0o600) }, nil, "CREATED:1", false},
		{"key garbled", func(d string) error { return os.WriteFile(d+"/ca.key", []byte("x"), 0o600) }, nil, "ca.key", false},
		{"certificate garbled", func(d string) error { return os.WriteFile(d+"/ca.crt", []byte("x"), 0o600) }, nil, "ca.crt", false},
		{"key is a directory", func(d string) error {
			return errors.Join(os.Remove(d+"/ca.key"), os.Mkdir(d+"/ca.key", 0o700))
		}, nil, "no regular file", false},
		{"swapped", func(d string) error {
			return errors.Join(move(d+"/ca.key", d+"/x"), move(d+"/ca.crt", d+"/ca.key"), move(d+"/x", d+"/ca.crt"), os.Chmod(d+"/ca.key", 0o600))
		}, nil, "unexpected PEM block", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before, dir := mustInit(t)
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := ca.Load(dir)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Load: %v, want %v with %q", err, tt.want, tt.text)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE KEY-----") {
				t.Errorf("the error shows the key: %v", err)
			}
			a, err := ca.Open(dir)
			if (err == nil) != tt.opened {
				t.Errorf("Open: %v", err)
			}
			if err == nil && a.Fingerprint() == before.Fingerprint() {
				t.Error("the old CA came back")
			}
		})
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// A crash at any step of Init leaves either nothing that counts or a CA that
// the next start completes.
func TestCrash(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		key, crt, mark bool // whether that step had been done
		same           bool // whether the CA survives
	}{
		{"before the marker", false, false, false, false},
		{"after the marker", false, false, true, true},
		{"after the key", true, false, true, true},
		{"after all", true, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, dir := mustInit(t)
			suffix := "." + a.Fingerprint()[:16] + ".new"
			for name, done := range map[string]bool{"ca.key": tt.key, "ca.crt": tt.crt} {
				if !done {
					if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+suffix)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !tt.mark {
				if err := os.Remove(filepath.Join(dir, "CREATED")); err != nil {
					t.Fatal(err)
				}
			}
			b, err := ca.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if same := a.Fingerprint() == b.Fingerprint(); same != tt.same {
				t.Errorf("same CA: %v, want %v", same, tt.same)
			}
			if got, want := list(t, dir), "CREATED 0644\nca.crt 0644\nca.key 0600"; got != want {
				t.Errorf("files:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestOpenRace(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := filepath.Join(t.TempDir(), "ca")
		var wg sync.WaitGroup
		found := make([]string, 8)
		for i := range found {
			wg.Go(func() {
				a, err := ca.Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				found[i] = a.Fingerprint()
			})
		}
		wg.Wait()
		for _, f := range found {
			if f != found[0] {
				t.Fatalf("two CAs in one directory: %v", found)
			}
		}
	}
}

// An operator's own CA is taken as it is, and from then on marked.
func TestAdopt(t *testing.T) {
	t.Parallel()
	a, dir := mustInit(t)
	if err := os.Remove(filepath.Join(dir, "CREATED")); err != nil {
		t.Fatal(err)
	}
	b, err := ca.Load(dir)
	if err != nil || a.Fingerprint() != b.Fingerprint() {
		t.Fatalf("%v, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "CREATED")); err != nil {
		t.Error(err)
	}
}

func TestValidity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, dir := mustInit(t)
		time.Sleep(5*365*24*time.Hour - time.Hour)
		a, err := ca.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := a.Leaf("a.example")
		if err != nil || l.Leaf.NotAfter.After(a.Certificate().NotAfter) {
			t.Fatalf("the leaf outlives the CA: %v, %v", l, err)
		}
		time.Sleep(4 * 24 * time.Hour)
		if _, err := a.Leaf("b.example"); !errors.Is(err, ca.ErrValidity) {
			t.Errorf("a dead CA signs: %v", err)
		}
		if _, err := a.Leaf("a.example"); !errors.Is(err, ca.ErrValidity) {
			t.Errorf("a dead CA serves: %v", err)
		}
		if _, err := ca.Open(dir); !errors.Is(err, ca.ErrValidity) || !strings.Contains(err.Error(), "expired at") {
			t.Errorf("Open: %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	l, err := a.Leaf("a.example")
	if err != nil {
		t.Fatal(err)
	}
	key := l.PrivateKey.(*ecdsa.PrivateKey)
	if _, err := ca.New(l.Leaf, key, nil, ca.Options{}); !errors.Is(err, ca.ErrUnusable) {
		t.Errorf("a leaf as CA: %v", err)
	}
	if _, err := ca.New(a.Certificate(), key, nil, ca.Options{}); !errors.Is(err, ca.ErrMismatch) {
		t.Errorf("foreign key: %v", err)
	}
	future := &x509.Certificate{
		SerialNumber: l.Leaf.SerialNumber, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, future, future, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	future, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.New(future, key, nil, ca.Options{}); !errors.Is(err, ca.ErrValidity) || !strings.Contains(err.Error(), "begins at") {
		t.Errorf("not yet valid: %v", err)
	}
}

func TestCertificatePEM(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	block, rest := pem.Decode(a.CertificatePEM())
	if block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, a.Certificate().Raw) {
		t.Error("not the certificate in PEM")
	}
}
