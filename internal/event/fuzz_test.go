package event_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"weir/internal/event"
)

// canary is a secret: wherever a fuzzed event carries one, the line must not show it.
const canary = "S3cretCanary"

// FuzzAppend puts any text into every field of an event. The oracle: exactly one line, at most 32 KiB, one JSON object, valid
// UTF-8, nothing invisible or bidirectional, and no secret of a URL.
func FuzzAppend(f *testing.F) {
	f.Add("plain", "www.example.com", 0)
	f.Add("\"\\\x00\r\n\x7f", "\u202e\u2066\u200f\u200b\ufeff", 3)
	f.Add("\xff\xc3", "a/b?c=d#e@f:g", 4)
	f.Add(strings.Repeat("é\"", 3000), "@@||x^", 1)
	f.Add("Bearer x", "{\"a\":[1]}", 2)
	f.Fuzz(func(t *testing.T, a, b string, kind int) {
		e := fuzzed(a, b, kind)
		line := encoder().Append(nil, e)
		m := decode(t, line)
		if len(line) > 32<<10 || !utf8.Valid(line) {
			t.Errorf("%d octets, valid UTF-8 %v", len(line), utf8.Valid(line))
		}
		for _, r := range string(bytes.TrimSuffix(line, []byte("\n"))) {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
				t.Fatalf("%U in %q", r, line)
			}
		}
		if !strings.Contains(a+b, canary) && bytes.Contains(line, []byte(canary)) {
			t.Errorf("the secret shows in %s", line)
		}
		if at(m, "weir.schema") != 1.0 {
			t.Errorf("a text broke out of its field: %s", line)
		}
	})
}

func fuzzed(a, b string, kind int) *event.Event {
	secret := "https://" + b + ":" + canary + "@host.example/" + a + "?" + b + "=" + canary + "#" + canary
	ap := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(kind), 0, 1}), 7)
	e := &event.Event{
		ID: a, Transaction: b, Kind: event.Kind(kind), Client: ap, Groups: []string{a, b}, ServerName: b, Transport: a, Method: a, URL: secret,
		HTTPVersion: b, UserAgent: a, Referrer: secret, RequestType: a, ResponseType: b, Intercepted: a, SNI: b, ALPN: a, TLSVersion: b, JA3: a, JA4: b,
		CertError: a, Verdict: b, Would: a, Cause: b, Class: a, Stage: b, Rule: event.Rule{Name: a, File: b, Text: a},
		List: event.List{Name: b, Category: a, Source: secret, Entry: a}, Reason: a, Aborted: b, Error: a, Mode: b, Policy: a, Message: b,
		Findings:  []event.Finding{{Detector: a, Severity: b, Technique: a, Where: b, Detail: a, Action: b}},
		Inspected: []event.Outcome{{Where: a, Outcome: b}},
		Trace:     []event.Step{{Stage: a, Place: b, Subject: secret, Verdict: a, Cause: b, Class: a, Rule: b, List: a, Detector: b, Safety: a, Would: b, Entry: secret, OverList: a, OverEntry: secret}},
		DNS: &event.DNS{
			Name: a, Type: b, Class: a, RCod: b, Cache: a, Upstream: secret,
			Answers: []event.Answer{{Name: a, Type: b, Data: a}, {Name: b, Type: "CNAME", Data: b}, {Name: a, Type: "A", Data: b}},
		},
	}
	if kind%2 == 0 {
		e.URL = "https://user:" + canary + "@" + a + "/?k=" + canary
	}
	return e
}
