package redact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"weir/internal/redact"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "connection refused", "connection refused"},
		{"english words", "the basic constraints are wrong: token count 3", "the basic constraints are wrong: token count 3"},
		{"url in quotes", `Get "https://u:p@h/a?b=c d&e=f": EOF`, `Get "https://h/a?b=***&e=***": EOF`},
		{"url bare", "see https://h/?x=1, then stop.", "see https://h/?x=***, then stop."},
		{"relative target", "bad target /p?a=b here", "bad target /p?a=*** here"},
		{"quoted relative target", `parse "/p?a=b c": bad`, `parse "/p?a=***": bad`},
		{"bad port", `parse "http://u:pa/ss@h": invalid port ":pa" after host`, `parse "http://***/***": invalid port *** after host`},
		{"authorization", "bad Authorization: Basic abc\nnext", `bad Authorization: ***\u{000A}next`},
		{"cookie in a map", "map[A:[b] Cookie:[x=y]]", "map[A:[b] Cookie:***"},
		{"json header", `{"Set-Cookie":["a=b"]}`, `{"Set-Cookie":***`},
		{"bearer", "sent Bearer abc.DEF-1 to it", "sent Bearer *** to it"},
		{"jwt", "got eyJhbGciOiJIUzI1NiJ9.e30.sig", "got ***"},
		{"userinfo", "dial user:pw@host:3128", "dial ***@host:3128"},
		{"pair", "password=hunter2 next", "password=*** next"},
		{"json pair", `{"api_key": "a\"b", "x":1}`, `{"api_key": ***, "x":1}`},
		{"private key", "x -----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY----- y", "x *** y"},
		{"cut private key", "-----BEGIN PRIVATE KEY-----\nabc", "***"},
		{"host and port stay", "dial tcp 192.0.2.1:443: i/o timeout", "dial tcp 192.0.2.1:443: i/o timeout"},
		{"ipv6 stays", "dial tcp [2001:db8::1]:443", "dial tcp [2001:db8::1]:443"},
		{"controls", "a\x1bb", `a\u{001B}b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Scrub(tt.in); got != tt.want {
				t.Errorf("Scrub(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	if got := redact.Error(nil); got != "" {
		t.Errorf("Error(nil) = %q", got)
	}
	err := fmt.Errorf("fetch: %w", &url.Error{Op: "Get", URL: "https://u:p@h/?k=v", Err: errors.New("no\nroute")})
	if got, want := redact.Error(err), `fetch: Get "https://h/?k=***": no\u{000A}route`; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
}

const canary = "CANARY7f3a"

type stringer struct{}

func (stringer) String() string { return "Authorization: " + canary }

type valuer struct{}

func (valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("url", "https://h/?a="+canary), slog.Any("password", canary))
}

type panicker struct{}

func (*panicker) String() string { panic("no\x1b") }

func TestHandler(t *testing.T) {
	t.Parallel()
	target, err := url.Parse("https://u:" + canary + "@h/?x=" + canary)
	if err != nil {
		t.Fatal(err)
	}
	record := func(log *slog.Logger) {
		log = log.With("cookie", canary, "u", "https://h/?a="+canary).WithGroup("g\x1b").With("token", 7)
		log.Error("message\x1b[0m\u202e https://h/?a="+canary,
			"err", errors.New("Cookie: "+canary+"\x1b"),
			"stringer", stringer{}, "valuer", valuer{}, "panicker", (*panicker)(nil),
			"header", http.Header{"X-Private": {canary}, "Server": {"ok\x1b"}},
			"url", target, "urlvalue", *target, "values", url.Values{"k": {canary}},
			"bytes", []byte("password="+canary), "any", struct{ Token string }{canary},
			"pointer", &struct{ Cookie string }{canary},
			slog.Group("inner", "secret", canary, "s", "Bearer "+canary),
			"key\x1b", "v", "n", 12, "ok", true, "nil", nil, "slice", []string{"a\x1b"},
		)
	}
	for _, kind := range []string{"json", "text"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			var inner slog.Handler = slog.NewJSONHandler(&b, nil)
			if kind == "text" {
				inner = slog.NewTextHandler(&b, nil)
			}
			record(slog.New(redact.NewHandler(inner)))
			out := b.String()
			if strings.Contains(out, canary) {
				t.Errorf("the secret shows: %s", out)
			}
			// A JSON or text handler would itself print an escape as \u001b or \x1b;
			// neither may appear, since nothing unsafe may reach it.
			for _, bad := range []string{`\u001b`, `\x1b`, "\x1b", "\u202e", `"n":"12"`} {
				if strings.Contains(out, bad) {
					t.Errorf("output holds %q: %s", bad, out)
				}
			}
			for _, want := range []string{"***", "12", "true", "Server"} {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q: %s", want, out)
				}
			}
		})
	}
}

func TestHandlerEnabled(t *testing.T) {
	t.Parallel()
	h := redact.NewHandler(slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if h.Enabled(context.Background(), slog.LevelInfo) || !h.Enabled(context.Background(), slog.LevelError) {
		t.Error("the level of the inner handler is not asked")
	}
}

func FuzzScrub(f *testing.F) {
	for _, s := range []string{`Get "https://u:p@h/?a=b": EOF`, "Cookie: a\nb", "eyJabcdefghij.x", "\x1b?=@:", "user:pw@h"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		assertSafe(t, before, redact.Scrub(before))
		if strings.Contains(before+after, canary) {
			return
		}
		// A credential header on a line of its own never shows.
		in := before + "\nAuthorization: Basic " + canary + "\n" + after
		out := redact.Scrub(in)
		assertSafe(t, in, out)
		if strings.Contains(out, canary) {
			t.Errorf("Scrub(%q) = %q shows the secret", in, out)
		}
	})
}
