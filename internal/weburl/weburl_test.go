package weburl_test

import (
	"net/url"
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
		"http://EXAMPLE.test:80/%61/../b/./c//d?q=%2f%41": "http://example.test/b/c/d?q=%2FA",
		"https://example.test":                            "https://example.test/",
		"https://example.test:8443/x/":                    "https://example.test:8443/x/",
		"http://example.test/a/..":                        "http://example.test/",
		"http://example.test/?a b'\"<é>%zz|":              "http://example.test/?a%20b%27%22%3C%C3%A9%3E%zz|",
		"http://example.test/../../etc":                   "http://example.test/etc",
	} {
		target, u := parse(t, in)
		if got := weburl.Canonical(u.Scheme, target, u); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
	}
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
