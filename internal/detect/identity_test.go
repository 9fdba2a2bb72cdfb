package detect_test

import (
	"slices"
	"strings"
	"testing"

	"weir/internal/hostname"
	"weir/internal/inspect"
)

func authority(t testing.TB, text string) hostname.Authority {
	t.Helper()
	if text == "" {
		return hostname.Authority{}
	}
	a, err := hostname.ParseAuthority(text, 443)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestIdentity(t *testing.T) {
	for name, c := range map[string]struct {
		target, sni string
		ech         bool
		want        string // detector and severity
		detail      string
	}{
		"same":                       {target: "example.com", sni: "example.com"},
		"other case":                 {target: "example.com", sni: "EXAMPLE.com"},
		"trailing dot":               {target: "example.com.", sni: "example.com"},
		"internationalised":          {target: "bücher.example", sni: "xn--bcher-kva.example"},
		"fronted":                    {target: "cdn.example", sni: "evil.example", want: "identity-mismatch high", detail: "SNI evil.example, CONNECT cdn.example"},
		"subdomain":                  {target: "example.com", sni: "www.example.com", want: "identity-mismatch high"},
		"with ECH":                   {target: "example.com", sni: "outer.example", ech: true, want: "identity-mismatch high", detail: "Encrypted ClientHello"},
		"greased ECH":                {target: "example.com", sni: "example.com", ech: true},
		"no name at all":             {target: "example.com", sni: "a b", want: "identity-mismatch high", detail: "no name"},
		"address for a name":         {target: "example.com", sni: "192.0.2.1", want: "identity-mismatch high"},
		"no SNI for a name":          {target: "example.com", want: "sni-unusual low"},
		"no SNI for an address":      {target: "192.0.2.1"},
		"SNI for an address":         {target: "192.0.2.1", sni: "example.com", want: "sni-unusual medium"},
		"address as SNI":             {target: "192.0.2.1", sni: "192.0.2.1", want: "sni-unusual medium"},
		"other address as SNI":       {target: "192.0.2.1", sni: "192.0.2.9", want: "identity-mismatch high"},
		"broken SNI for an address":  {target: "192.0.2.1", sni: "a b", want: "identity-mismatch high"},
		"target from the gate alone": {sni: "evil.example", want: "identity-mismatch high"},
		"long":                       {target: "example.com", sni: strings.Repeat("x", 5000), want: "identity-mismatch high", detail: "..."},
	} {
		t.Run(name, func(t *testing.T) {
			tx := &inspect.Transaction{
				Protocol: inspect.Tunnel, First: inspect.FirstTLS, Target: authority(t, "target.example"),
				Flow: &inspect.Flow{Authorized: authority(t, c.target), Hello: &inspect.Hello{SNI: c.sni, ECH: c.ech}},
			}
			var got []string
			detail := ""
			for _, d := range []string{"identity-mismatch", "sni-unusual"} {
				for _, m := range head(t, d, inspect.Open, tx) {
					got, detail = append(got, d+" "+m.Severity.String()), m.Detail
				}
			}
			if strings.Join(got, ", ") != c.want || !strings.Contains(detail, c.detail) {
				t.Fatalf("got %q (%s), want %q (%s)", got, detail, c.want, c.detail)
			}
		})
	}
}

func TestMisdirectedRequest(t *testing.T) {
	for name, c := range map[string]struct {
		authorised, host, url string
		hello, want           bool
	}{
		"same":                    {"example.com:443", "example.com", "https://example.com/", true, false},
		"port said":               {"example.com:443", "example.com:443", "https://example.com/", true, false},
		"other case":              {"example.com:443", "EXAMPLE.com.", "https://example.com/", true, false},
		"other name":              {"example.com:443", "evil.example", "https://example.com/", true, true},
		"subdomain":               {"example.com:443", "www.example.com", "https://example.com/", true, true},
		"other port":              {"example.com:443", "example.com:8443", "https://example.com/", true, true},
		"port not said":           {"example.com:8443", "example.com", "https://example.com:8443/", true, true},
		"odd port said":           {"example.com:8443", "example.com:8443", "https://example.com:8443/", true, false},
		"plain inside CONNECT":    {"example.com:80", "example.com", "http://example.com/", false, false},
		"plain on another port":   {"example.com:8080", "example.com", "http://example.com:8080/", false, true},
		"websocket":               {"example.com:443", "example.com", "wss://example.com/", true, false},
		"no scheme, TLS":          {"example.com:443", "example.com", "/", true, false},
		"no scheme, plain":        {"example.com:80", "example.com", "/", false, false},
		"address":                 {"192.0.2.1:443", "192.0.2.1", "https://192.0.2.1/", true, false},
		"address, other form":     {"192.0.2.1:443", "3221225985", "https://192.0.2.1/", true, false},
		"address for name":        {"example.com:443", "192.0.2.1", "https://example.com/", true, true},
		"IPv6":                    {"[2001:db8::1]:443", "[2001:DB8:0::1]", "https://[2001:db8::1]/", true, false},
		"broken":                  {"example.com:443", "exa mple.com", "https://example.com/", true, true},
		"user information":        {"example.com:443", "example.com@evil.example", "https://example.com/", true, true},
		"no Host":                 {"example.com:443", "", "https://example.com/", true, false},
		"no CONNECT, any Host":    {"", "evil.example", "http://example.com/", false, false},
		"authorised without port": {"example.com:443", "example.com:443", "https://example.com/", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			tx := &inspect.Transaction{Flow: &inspect.Flow{Authorized: authority(t, c.authorised)}, Request: inspect.Head{Host: c.host, URL: c.url}}
			if c.hello {
				tx.Flow.Hello = &inspect.Hello{SNI: "example.com"}
			}
			if name == "authorised without port" {
				tx.Flow.Authorized.Port = 0
			}
			if got := head(t, "misdirected-request", inspect.Request, tx); len(got) > 1 || (len(got) == 1) != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestHTTPSyntax(t *testing.T) {
	tx := &inspect.Transaction{Anomalies: []inspect.Anomaly{{Kind: "bare-lf", Offset: 17}, {Kind: "duplicate-host", Offset: 40}}}
	var got []string
	for _, m := range head(t, "http-syntax", inspect.Request, tx) {
		got = append(got, m.Detail)
		if m.Offset == 0 {
			t.Errorf("no offset in %v", m)
		}
	}
	if !slices.Equal(got, []string{"bare-lf at octet 17", "duplicate-host at octet 40"}) {
		t.Fatalf("got %q", got)
	}
}
