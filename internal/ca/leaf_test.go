package ca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/ca"
)

func pool(a *ca.Authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Certificate())
	return p
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + ".example"
	tests := []struct {
		name string
		good bool
	}{
		{"example.org", true},
		{"localhost", true},
		{"xn--80ak6aa92e.com", true},
		{"_dmarc.example.org", true},
		{"r1---sn-x.example.org", true},
		{"ends-.example.org", true},
		{long, true},
		{strings.Repeat("a", 64-8) + ".example", true},
		{"192.0.2.1", true},
		{"2001:db8::1", true},
		{"::ffff:192.0.2.1", true},
		{"", false},
		{".", false},
		{"*", false},
		{"*.example.org", false},
		{"a*.example.org", false},
		{"example.org.", false},
		{".example.org", false},
		{"a..b", false},
		{"Example.org", false},
		{"пример.рф", false},
		{"a b", false},
		{"a/b", false},
		{"a\x00.example.org", false},
		{"user@example.org", false},
		{"example.org:443", false},
		{"[2001:db8::1]", false},
		{"2001:DB8::1", false},
		{"2001:db8:0:0::1", false},
		{"fe80::1%eth0", false},
		{"127.1", false},
		{"0x7f.1", false},
		{"2130706433", false},
		{"1.2.3.4.5", false},
		{strings.Repeat("a", 64) + ".example", false},
		{strings.Repeat("a.", 127) + "aa", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := a.Leaf(tt.name)
			if !tt.good {
				if !errors.Is(err, ca.ErrName) {
					t.Fatalf("Leaf(%q) = %v, %v", tt.name, l, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkLeaf(t, a, l.Leaf, tt.name)
		})
	}
}

func checkLeaf(t *testing.T, a *ca.Authority, c *x509.Certificate, name string) {
	t.Helper()
	if _, err := c.Verify(x509.VerifyOptions{DNSName: name, Roots: pool(a)}); err != nil {
		t.Errorf("Verify(%q): %v", name, err)
	}
	if len(c.DNSNames)+len(c.IPAddresses) != 1 || len(c.EmailAddresses)+len(c.URIs) != 0 {
		t.Errorf("SAN: %v %v", c.DNSNames, c.IPAddresses)
	}
	if _, err := netip.ParseAddr(name); (err == nil) != (len(c.IPAddresses) == 1) {
		t.Errorf("%q has IP SAN %v", name, c.IPAddresses)
	}
	if want := len(name) <= 64; (c.Subject.CommonName == name) != want || !want && c.Subject.CommonName != "" {
		t.Errorf("CN = %q", c.Subject.CommonName)
	}
	if life := c.NotAfter.Sub(c.NotBefore); life > 30*24*time.Hour || c.NotAfter.After(a.Certificate().NotAfter) {
		t.Errorf("life %v", life)
	}
	if c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("usage: %v %v %v", c.IsCA, c.ExtKeyUsage, c.KeyUsage)
	}
	if !bytes.Equal(c.AuthorityKeyId, a.Certificate().SubjectKeyId) || len(c.SubjectKeyId) != 20 || bytes.Equal(c.SubjectKeyId, c.AuthorityKeyId) {
		t.Errorf("AKI %x, SKI %x", c.AuthorityKeyId, c.SubjectKeyId)
	}
	if bits := c.SerialNumber.BitLen(); bits > 128 || bits < 64 {
		t.Errorf("serial of %d bits", bits)
	}
}

// The flaw of the library that we do not use: leaf keys derived from the host
// name. Ours differ between CAs, and between two starts of one CA.
func TestLeafKeysDiffer(t *testing.T) {
	t.Parallel()
	a, dir := mustInit(t)
	b, _ := mustInit(t)
	again, err := ca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	serials := map[string]bool{}
	for _, authority := range []*ca.Authority{a, b, again} {
		for _, mint := range []func(string) (string, string){
			func(n string) (string, string) { return leafKey(t, authority.Leaf, n) },
			func(n string) (string, string) { return leafKey(t, authority.LeafRSA, n) },
		} {
			key, serial := mint("same.example")
			other, otherSerial := mint("other.example")
			if seen[key] || key != other || serials[serial] || serials[otherSerial] || serial == otherSerial {
				t.Error("two authorities share a leaf key, or two leaves a serial")
			}
			seen[key], serials[serial], serials[otherSerial] = true, true, true
		}
	}
}

func leafKey(t *testing.T, mint func(string) (cert *tlsCertificate, err error), name string) (key, serial string) {
	t.Helper()
	l, err := mint(name)
	if err != nil {
		t.Fatal(err)
	}
	switch k := l.Leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return string(b), l.Leaf.SerialNumber.String()
	case *rsa.PublicKey:
		if k.N.BitLen() != 2048 {
			t.Errorf("RSA key of %d bits", k.N.BitLen())
		}
		return k.N.String(), l.Leaf.SerialNumber.String()
	}
	t.Fatalf("key is %T", l.Leaf.PublicKey)
	return "", ""
}

func TestSingleFlight(t *testing.T) {
	t.Parallel()
	a, _ := mustInit(t)
	const n = 64
	start := make(chan struct{})
	var wg sync.WaitGroup
	got := make([]*tlsCertificate, n)
	for i := range n {
		wg.Go(func() {
			<-start
			l, err := a.Leaf("one.example")
			if err != nil {
				t.Error(err)
			}
			got[i] = l
		})
	}
	close(start)
	wg.Wait()
	if s := a.Stats(); s.Minted != 1 || s.Cached != 1 {
		t.Errorf("stats %+v, want exactly one mint", s)
	}
	for _, l := range got {
		if l != got[0] {
			t.Fatal("two certificates for one name")
		}
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, _ := mustInit(t)
		signer := &countingSigner{Signer: mustKey(t)}
		a, err := ca.New(selfSignedCA(t, signer), signer, nil, ca.Options{CacheSize: 2})
		if err != nil {
			t.Fatal(err)
		}
		if first.Fingerprint() == a.Fingerprint() {
			t.Fatal("not another CA")
		}
		signer.n = 0
		leaf := func(name string) *tlsCertificate {
			l, err := a.Leaf(name)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		one := leaf("a.example")
		if leaf("a.example") != one || signer.n != 1 {
			t.Error("not cached")
		}
		leaf("b.example")
		leaf("c.example")
		if s := a.Stats(); s != (ca.Stats{Minted: 3, Hits: 1, Evictions: 1, Cached: 2}) {
			t.Errorf("stats %+v", s)
		}
		c := leaf("c.example")
		time.Sleep(ca.LeafLife*3/4 - time.Second)
		if leaf("c.example") != c {
			t.Error("minted again too early")
		}
		time.Sleep(2 * time.Second)
		if leaf("c.example") == c {
			t.Error("a leaf with less than a quarter of its life left is still served")
		}
		if _, err := a.Leaf("bad name"); err == nil || a.Stats().Cached != 2 {
			t.Error("an error was cached")
		}
	})
}

// Every intercepted handshake that is no resumption passes here.
func TestCachedLeafAllocs(t *testing.T) {
	a, _ := mustInit(t)
	if _, err := a.Leaf("hot.example"); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = a.Leaf("hot.example") }); n != 0 {
		t.Errorf("a cached leaf allocates %v times, want 0", n)
	}
}

func FuzzLeaf(f *testing.F) {
	for _, s := range []string{"example.org", "*.example.org", "192.0.2.1", "2001:db8::1", "a_b.c", "127.1", "-a.b", "xn--a"} {
		f.Add(s)
	}
	a, _ := mustInit(f)
	f.Fuzz(func(t *testing.T, name string) {
		l, err := a.Leaf(name)
		if err != nil {
			if !errors.Is(err, ca.ErrName) {
				t.Errorf("Leaf(%q): %v", name, err)
			}
			return
		}
		c := l.Leaf
		san := append([]string(nil), c.DNSNames...)
		for _, ip := range c.IPAddresses {
			addr, _ := netip.AddrFromSlice(ip)
			want, err := netip.ParseAddr(name)
			if err != nil || want.Unmap() != addr.Unmap() {
				t.Errorf("Leaf(%q) is for %v", name, ip)
			}
			san = append(san, name)
		}
		if len(san) != 1 || san[0] != name || strings.ContainsAny(name, "* \x00%") {
			t.Errorf("Leaf(%q) is for %q", name, san)
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool(a)}); err != nil {
			t.Errorf("Leaf(%q): %v", name, err)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	a, _ := mustInit(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if _, err := a.Leaf(fmt.Sprintf("n%d.example", i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	a, _ := mustInit(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Leaf("hot.example"); err != nil {
			b.Fatal(err)
		}
	}
}
