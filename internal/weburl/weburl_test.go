package weburl_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"weir/internal/hostname"
	"weir/internal/weburl"
)

func parse(t testing.TB, in string) (hostname.Authority, *url.URL) {
	t.Helper()
	u, err := url.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	target, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	return target, u
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://EXAMPLE.test:80/%61/../b/./c//d?q=%2f%41": "http://example.test/b/c/d?q=/A",
		"http://example.test/m%281%29.exe":                "http://example.test/m(1).exe",
		"http://example.test/a%2fb\"":                     "http://example.test/a%2Fb%22",
		"http://example.test/?a%3db=c%3D%3d&d=%26%2b+":    "http://example.test/?a%3Db=c==&d=%26%2B+",
		"http://example.test/?%%34%31":                    "http://example.test/?%2541",
		"https://example.test":                            "https://example.test/",
		"https://example.test:8443/x/":                    "https://example.test:8443/x/",
		"http://example.test/a/..":                        "http://example.test/",
		"http://example.test/?a b'\"<é>%zz|":              "http://example.test/?a%20b%27%22%3C%C3%A9%3E%25zz|",
		"http://example.test/../../etc":                   "http://example.test/etc",
	} {
		target, u := parse(t, in)
		if got := weburl.Canonical(u.Scheme, target, u); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestCanonicalOctets: escaped or not, a visible octet is one, but where it parts what a URL is made of.
func TestCanonicalOctets(t *testing.T) {
	t.Parallel()
	for c := byte('!'); c <= '~'; c++ {
		for form, apart := range map[string]string{"http://x.test/a%sb": "/?#%", "http://x.test/?q=%s": "#%&+"} {
			if strings.IndexByte(apart, c) >= 0 {
				continue
			}
			var keys [3]string
			for i, spelled := range []string{string(c), fmt.Sprintf("%%%02x", c), fmt.Sprintf("%%%02X", c)} {
				target, u := parse(t, fmt.Sprintf(form, spelled))
				keys[i] = weburl.Canonical(u.Scheme, target, u)
			}
			if keys[1] != keys[0] || keys[2] != keys[0] {
				t.Errorf("%q has the keys %q", c, keys)
			}
		}
	}
}

// escapeAll escapes every octet of a canonical URL whose escape means the same.
func escapeAll(canonical string) string {
	at := strings.Index(canonical, "://") + 3
	at += strings.IndexByte(canonical[at:], '/')
	var out strings.Builder
	out.WriteString(canonical[:at])
	query, value := false, false
	for rest := canonical[at:]; rest != ""; {
		c, size := rest[0], 1
		switch {
		case c == '%': // an escape that stays
			size = 3
			out.WriteString(strings.ToLower(rest[:size]))
		case !query && (c == '/' || c == '?'), query && (c == '&' || c == '+' || c == '=' && !value):
			out.WriteString(rest[:size])
		default:
			out.WriteString(fmt.Sprintf("%%%02x", c))
		}
		value = query && c != '&' && (value || c == '=')
		query = query || c == '?'
		rest = rest[size:]
	}
	return out.String()
}

func TestLoose(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://x.test/a/b":          "",
		"http://x.test/a%2fb":        "http://x.test/a/b",
		"http://x.test/a%252fb?q":    "http://x.test/a/b?q",
		"http://x.test/x/..;p/a":     "http://x.test/a",
		"http://x.test/x%5c..%5cb/a": "http://x.test/b/a",
	} {
		target, u := parse(t, in)
		if got := weburl.Loose(u.Scheme, target, u); got != want {
			t.Errorf("Loose(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://x.test/":          "x.test/",
		"https://x.test/a?b":      "x.test/a?b",
		"http://x.test:443/":      "x.test:443/",
		"http://[2001:db8::1]/a":  "[2001:db8::1]/a",
		"x.test/r?to=http://y/":   "x.test/r?to=http://y/",
		"http://x.test/?http://y": "x.test/?http://y",
		"x.test/":                 "x.test/",
	} {
		if got := weburl.Key(in); got != want {
			t.Errorf("Key(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzCanonical: the canonical spelling is one: spelled again it stays, it is printable, and its key has no scheme.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"http://a.example/%61/../b//?q=%2f'\"", "https://A.example:443/\u00fc?\u00fc", "http://[2001:db8::1]:81/;x=%252e/..%5c", "http://a.example/?%zz%4", "http://a.example/%2e%2e/%2E", "http://a.example/m%281%29[;]?a%3db=%3d%26&c=:/?@%2b+%%34%31"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
		if err != nil {
			return
		}
		once := weburl.Canonical(u.Scheme, host, u)
		again, err := url.Parse(once)
		if err != nil {
			t.Fatalf("%q is spelled %q: %v", text, once, err)
		}
		if twice := weburl.Canonical(u.Scheme, host, again); twice != once {
			t.Fatalf("%q is spelled %q, and that %q", text, once, twice)
		}
		spelled, err := url.Parse(escapeAll(once))
		if err != nil {
			t.Fatalf("%q is escaped as %q: %v", once, escapeAll(once), err)
		}
		if other := weburl.Canonical(u.Scheme, host, spelled); other != once {
			t.Fatalf("%q is spelled %q, and escaped (%q) %q", text, once, escapeAll(once), other)
		}
		for i := range len(once) {
			if once[i] <= ' ' || once[i] > '~' {
				t.Fatalf("%q is spelled %q", text, once)
			}
		}
		if u.Scheme+"://"+weburl.Key(once) != once {
			t.Fatalf("the key of %q is %q", once, weburl.Key(once))
		}
		if loose := weburl.Loose(u.Scheme, host, u); loose == once {
			t.Fatalf("%q: the loose spelling is the canonical one", text)
		}
	})
}
