package hostname_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"weir/internal/hostname"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"Example.COM.", "example.com", nil},
		{"_dmarc.example.com", "_dmarc.example.com", nil},
		{"bücher.example", "xn--bcher-kva.example", nil},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", nil},
		{"ＥＸＡＭＰＬＥ。com", "example.com", nil},
		{long + ".x", long + ".x", nil},
		{"", "", hostname.ErrEmpty},
		{".", "", hostname.ErrEmpty},
		{"a..b", "", hostname.ErrLabel},
		{".a", "", hostname.ErrLabel},
		{"a.b..", "", hostname.ErrLabel},
		{long + "a.x", "", hostname.ErrLabel},
		{strings.Repeat(long+".", 4) + "x", "", hostname.ErrTooLong},
		{"a b.example", "", hostname.ErrOctet},
		{"a/b", "", hostname.ErrOctet},
		{"user@host", "", hostname.ErrOctet},
		{"a\x00b", "", hostname.ErrOctet},
		{"127.0.0.1", "", hostname.ErrIsNumber},
		{"127.1", "", hostname.ErrIsNumber},
		{"foo.0x7f", "", hostname.ErrIsNumber},
		{"2130706433", "", hostname.ErrIsNumber},
		{"1.2.3.example", "1.2.3.example", nil},
		{"\xff\xfe.example", "", hostname.ErrIDN},
	} {
		got, err := hostname.Parse(c.in)
		if !errors.Is(err, c.err) || got.String() != c.want {
			t.Errorf("Parse(%q) = %q, %v; want %q, %v", c.in, got, err, c.want, c.err)
		}
	}
}

func TestFromDNS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"WWW.Example.com.", "www.example.com"},
		{`a\.b.example.`, `a\046b.example`},
		{`\065bc.example.`, "abc.example"},
		{`x\000y.example`, `x\000y.example`},
		{`a\..`, `a\046`},
		{"x y.example.", `x\032y.example`},
		{"10.in-addr.arpa.", "10.in-addr.arpa"},
		{"1.2.3.4.", "1.2.3.4"},
	} {
		got, err := hostname.FromDNS(c.in)
		if err != nil || got.String() != c.want {
			t.Errorf("FromDNS(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{".", "", "a..b.", `a\256.x`, `a\1`, `\`, strings.Repeat(`\001`, 64) + ".x"} {
		if got, err := hostname.FromDNS(bad); err == nil {
			t.Errorf("FromDNS(%q) = %q, want an error", bad, got)
		}
	}
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"example.com:8443", "example.com:8443"},
		{"EXAMPLE.com.", "example.com:443"},
		{"127.1", "127.0.0.1:443"},
		{"0x7f.1:80", "127.0.0.1:80"},
		{"2130706433", "127.0.0.1:443"},
		{"0177.0.0.1", "127.0.0.1:443"},
		{"[::1]:80", "[::1]:80"},
		{"[::ffff:10.0.0.1]", "10.0.0.1:443"},
		{"::1", "[::1]:443"},
		{"127.0.0.1.", "127.0.0.1:443"},
	} {
		got, err := hostname.ParseAuthority(c.in, 443)
		if err != nil || got.String() != c.want {
			t.Errorf("ParseAuthority(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ":80", "a:", "a:0", "a:65536", "a:+1", "user@a:80", "[::1", "::1]", "[a]:80", "[1.2.3.4]", "fe80::1%eth0", "[fe80::1%25eth0]", "256.1.1.1", "1.2.3.4.5", "0x.0x.0x.0x.1", "a b:1"} {
		if got, err := hostname.ParseAuthority(bad, 443); err == nil {
			t.Errorf("ParseAuthority(%q) = %q, want an error", bad, got)
		}
	}
}

func TestWithinAndParents(t *testing.T) {
	t.Parallel()
	n := hostname.MustParse("a.b.example.co.uk")
	for zone, want := range map[string]bool{"a.b.example.co.uk": true, "example.co.uk": true, "uk": true, "xample.co.uk": false, "c.a.b.example.co.uk": false} {
		if got := n.Within(hostname.MustParse(zone)); got != want {
			t.Errorf("%v within %s = %v", n, zone, got)
		}
	}
	if n.Within(hostname.Name{}) || (hostname.Name{}).Within(n) {
		t.Error("the zero Name must contain and match nothing")
	}
	if got := n.Registrable().String(); got != "example.co.uk" {
		t.Errorf("registrable = %q", got)
	}
	if p, ok := n.Parent(); !ok || p.String() != "b.example.co.uk" || n.Labels() != 5 {
		t.Errorf("parent = %q, labels = %d", p, n.Labels())
	}
	if p, ok := hostname.MustParse("com").Parent(); ok || !p.IsZero() {
		t.Errorf("parent of a lone label = %q", p)
	}
	if !hostname.MustParse("github.io").IsPublicSuffix() || hostname.MustParse("example.github.io").IsPublicSuffix() {
		t.Error("private suffixes count")
	}
}

// FuzzParse: a parsed name is canonical (parsing it again changes nothing), and FromDNS agrees on it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"example.com", "BÜCHER.example", "a\x00b", "127.1", "ﬀ.example", "a.b.c.d.e", "xn--0", "١.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := hostname.Parse(s)
		if err != nil {
			if !n.IsZero() {
				t.Fatalf("error with a name: %q", n)
			}
			return
		}
		if again, err := hostname.Parse(n.String()); err != nil || again != n {
			t.Fatalf("Parse(%q) = %q, again %q, %v", s, n, again, err)
		}
		if dns, err := hostname.FromDNS(n.String() + "."); err != nil || dns != n {
			t.Fatalf("FromDNS(%q) = %q, %v", n, dns, err)
		}
		if _, err := netip.ParseAddr(n.String()); err == nil {
			t.Fatalf("an address became a name: %q", n)
		}
	})
}

// FuzzAuthority: what was parsed prints to something that parses to the same.
func FuzzAuthority(f *testing.F) {
	for _, s := range []string{"a:80", "[::1]:80", "1.2.3.4", "0x7f.1", "::1", "a@b:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := hostname.ParseAuthority(s, 443)
		if err != nil {
			return
		}
		if again, err := hostname.ParseAuthority(a.String(), 1); err != nil || again != a {
			t.Fatalf("%q -> %v -> %v, %v", s, a, again, err)
		}
		if a.Name.IsZero() == !a.Addr.IsValid() {
			t.Fatalf("%q: neither or both of name and address: %+v", s, a)
		}
	})
}
