package upstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"weir/proxy/blockpage"
	"weir/proxy/upstream"
)

// scripted serves every request on a connection with the same octets; closes says whether the connection ends then.
func scripted(t *testing.T, response string, closes bool) (port string, conns *atomic.Int64) {
	t.Helper()
	conns = &atomic.Int64{}
	port = listen(t, func(c net.Conn) {
		conns.Add(1)
		go func() {
			defer func() { _ = c.Close() }()
			for br := bufio.NewReader(c); ; {
				q, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, q.Body)
				if _, err = io.WriteString(c, response); err != nil || closes {
					return
				}
			}
		}()
	})
	return port, conns
}

const ok5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// TestAmbiguousResponses: what two readers could understand in two ways ends in a page, and its connection is not used again.
func TestAmbiguousResponses(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]string{
		"both lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"two lengths":         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"length sign":         "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"bare LF":             "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"bare LF in one line": "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\nhello",
		"bare CR":             "HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello",
		"obs-fold":            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
		"nul":                 "HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 5\r\n\r\nhello",
		"space before colon":  "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
		"two codings":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"chunked in 1.0":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"204 with a body":     "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
		"1xx with a body":     "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello" + ok5,
		"bad status":          "HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
		"version":             "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"no HTTP":             "SSH-2.0-x\r\n\r\n",
		"line too long":       "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 17<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.names.set("o.test", "127.0.0.1")
			port, conns := scripted(t, response, false)
			for i := range int64(2) {
				req, x := r.request(t, http.MethodGet, "http://o.test:"+port+"/", nil)
				_, err := r.send(t, req)
				var framing *upstream.FramingError
				if err == nil || err.Kind != upstream.KindProtocol || err.Source != upstream.SourceBlocked || !errors.As(err, &framing) {
					t.Fatalf("got %v", err)
				}
				page := blockpage.Error(req, x, err)
				if page.StatusCode != 502 || !strings.HasPrefix(page.Header.Get("Proxy-Status"), "weir; error=http_protocol_error;") || page.Close {
					t.Errorf("%d %s", page.StatusCode, page.Header.Get("Proxy-Status"))
				}
				if e := r.done(x); e.Verdict != "block" || e.Cause != "safety" {
					t.Errorf("event %+v", e)
				}
				if conns.Load() != i+1 {
					t.Errorf("%d connections after %d requests", conns.Load(), i+1)
				}
			}
		})
	}
}

// TestBadResponseBodies: the head was fine, so the response began; its body never becomes whole.
func TestBadResponseBodies(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	for name, response := range map[string]string{
		"bad size":          head + "0x0\r\n\r\n",
		"no end of a chunk": head + "3\r\nabcd\r\n0\r\n\r\n",
		"bare LF":           head + "3\nabc\n0\n\n",
		"NUL extension":     head + "3;\x00\r\nabc\r\n0\r\n\r\n",
		"forbidden trailer": head + "0\r\nContent-Length: 3\r\n\r\n",
		"bad trailer":       head + "0\r\nA : b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.names.set("o.test", "127.0.0.1")
			port, _ := scripted(t, response, false)
			req, _ := r.request(t, http.MethodGet, "http://o.test:"+port+"/", nil)
			resp, err := r.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			var framing *upstream.FramingError
			if !strings.HasPrefix(string(body), "hello") || !errors.As(err, &framing) {
				t.Errorf("%q %v", body, err)
			}
		})
	}
}

// TestUnambiguousResponses: every way in which a message may end is understood, and the connection is used again where it may be.
func TestUnambiguousResponses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, response string
		closes                 bool
		status                 int
		body                   string
		conns                  int64 // after three requests
	}{
		{"length", "GET", ok5, false, 200, "hello", 1},
		{"chunked", "POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", false, 200, "hello", 1},
		{"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", 1},
		{"HEAD with length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, "", 1},
		{"HEAD chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, "", 1},
		{"HEAD without length", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", false, 200, "", 1},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", 1},
		{"204 with length 0", "DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204, "", 1},
		{"304 with length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, "", 1},
		{"interim", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok5, false, 200, "hello", 1},
		{"until close", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", true, 200, "hello", 3},
		{"until close, HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true, 200, "hello\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 3},
		{"empty until close", "GET", "HTTP/1.1 200 OK\r\n\r\n", true, 200, "", 3},
		{"something behind", "GET", ok5 + ok5, false, 200, "hello", 3},
		{"a body behind HEAD", "HEAD", ok5, false, 200, "", 3},
		{"a body behind 304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", false, 304, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.names.set("o.test", "127.0.0.1")
			port, conns := scripted(t, c.response, c.closes)
			for range 3 {
				req, x := r.request(t, c.method, "http://o.test:"+port+"/", nil)
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != c.status || string(body) != c.body {
					t.Errorf("%s %q %v", resp.Status, body, err)
				}
				if e := r.done(x); e.Verdict != "allow" {
					t.Errorf("event %+v", e)
				}
			}
			if conns.Load() != c.conns {
				t.Errorf("%d connections, want %d", conns.Load(), c.conns)
			}
		})
	}
}

// TestUpgradeIsNotHTTP: behind a 101 the stream is whatever it became, in both directions.
func TestUpgradeIsNotHTTP(t *testing.T) {
	t.Parallel()
	const frames = "\x81\x05hello\n\x00\r\n\r\nHTTP/1.1\n"
	port := listen(t, func(c net.Conn) {
		go func() {
			defer func() { _ = c.Close() }()
			br := bufio.NewReader(c)
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+frames)
			_, _ = io.CopyN(c, br, 4)
		}()
	})
	r := newRig(t, nil)
	r.names.set("o.test", "127.0.0.1")
	req, _ := r.request(t, http.MethodGet, "http://o.test:"+port+"/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s, %T", resp.Status, resp.Body)
	}
	_, _ = io.WriteString(rw, "back")
	if got, err := io.ReadAll(rw); err != nil || string(got) != frames+"back" {
		t.Errorf("%q %v", got, err)
	}
	_ = rw.Close()
}

// pieces is a connection that delivers pieces and then ends.
type pieces struct {
	net.Conn // nil: nothing else is called
	left     [][]byte
}

func (s *pieces) Read(p []byte) (int, error) {
	for len(s.left) > 0 && len(s.left[0]) == 0 {
		s.left = s.left[1:]
	}
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.left[0])
	s.left[0] = s.left[0][n:]
	return n, nil
}

func deliver(size int, method string, in ...[]byte) (string, error) {
	var out bytes.Buffer
	c := upstream.Framed(&pieces{left: in}, method)
	for p := make([]byte, size); ; {
		n, err := c.Read(p)
		out.Write(p[:n])
		if err != nil {
			return out.String(), err
		}
	}
}

// FuzzFramed: what is delivered is a prefix of what came, and neither it nor the end depend on the cuts.
func FuzzFramed(f *testing.F) {
	for _, s := range []string{
		ok5, ok5 + ok5, "HTTP/1.1 101 S\r\nA: b\r\n\r\n\r\n\n\x00", "HTTP/1.1 103 E\r\n\r\n" + ok5, "HTTP/1.1 200 OK\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\nx", "HTTP/1.1 200 OK\nA: b\n\n", "SSH-2.0-x\r\n\r\n",
	} {
		for _, head := range []bool{false, true} {
			f.Add([]byte(s), uint16(7), uint8(3), head)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, size uint8, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		whole, err1 := deliver(4096, method, bytes.Clone(in))
		at := int(cut) % (len(in) + 1)
		parts, err2 := deliver(int(size)+1, method, bytes.Clone(in[:at]), bytes.Clone(in[at:]))
		if !strings.HasPrefix(string(in), whole) || !strings.HasPrefix(string(in), parts) {
			t.Fatalf("delivered %q and %q of %q", whole, parts, in)
		}
		var f1, f2 *upstream.FramingError
		if errors.As(err1, &f1) != errors.As(err2, &f2) || f1 != nil && *f1 != *f2 {
			t.Fatalf("whole: %v, parts: %v", err1, err2)
		}
		if f1 == nil && whole != parts {
			t.Fatalf("whole %q, parts %q", whole, parts)
		}
	})
}

// TestFramedAtEveryCut: a head is delivered whole or not at all.
func TestFramedAtEveryCut(t *testing.T) {
	t.Parallel()
	const in = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 S\r\nConnection: Upgrade\r\n\r\n\x81\n\r\n\r\n"
	for _, size := range []int{1, 3, 4096} {
		for cut := range len(in) {
			if got, err := deliver(size, "GET", []byte(in[:cut]), []byte(in[cut:])); got != in || !errors.Is(err, io.EOF) {
				t.Fatalf("cut %d: %q %v", cut, got, err)
			}
		}
		bad := "HTTP/1.1 200 OK\r\nA: b\r\nC : d\r\n\r\n"
		if got, err := deliver(size, "GET", []byte(bad)); got != "" || err == nil {
			t.Error(fmt.Sprint(got, err))
		}
	}
}
