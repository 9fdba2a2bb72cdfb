package listener_test

import (
	"testing"

	"weir/internal/wire/http1"
	"weir/proxy/listener"
)

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	const post = "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
	for _, c := range []struct {
		name, raw string
		kind      http1.Kind // None: no violation
		head      bool
	}{
		{"plain", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", http1.None, false},
		{"origin form", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", http1.None, false},
		{"connect", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n\x16\x03\x01", http1.None, false},
		{"body", post + "Content-Length: 2\r\n\r\nhi", http1.None, false},
		{"body cut short", post + "Content-Length: 9\r\n\r\nhi", http1.None, false},
		{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", http1.None, false},
		{"what follows is not looked at", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\nrubbish\n\n", http1.None, false},
		{"nothing", "", http1.Truncated, true},
		{"head cut short", "GET / HTTP/1.1\r\nHost: a.te", http1.Truncated, true},
		{"folded", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n", http1.ObsFold, true},
		{"two names", "GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", http1.BadHost, true},
		{"two framings", post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http1.LengthAndEncoding, true},
		{"connect with a body", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nContent-Length: 2\r\n\r\nhi", http1.BodyWithoutBodyResponse, true},
		{"bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", http1.BadChunkSize, false},
		{"forbidden trailer", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nHost: b.test\r\n\r\n", http1.ForbiddenTrailer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, head := listener.CheckRequest([]byte(c.raw))
			if a == nil {
				a = &http1.Anomaly{}
			}
			if a.Kind != c.kind || head != c.head {
				t.Errorf("%v in head %v, want %v, %v", a.Kind, head, c.kind, c.head)
			}
		})
	}
}

// FuzzCheckRequest compares the watch with the lenient parser: what the one lets pass holds nothing that the other finds.
func FuzzCheckRequest(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n", "GET /\nHost:a\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if a, _ := listener.CheckRequest(p); a != nil {
			return
		}
		if _, found := http1.ParseRequest(p); len(found) > 0 && found[0].Kind != http1.Truncated {
			t.Errorf("passed, but the parser finds %v in %q", found, p)
		}
	})
}
