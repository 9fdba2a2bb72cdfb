package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/event"
	"weir/proxy"
)

// smuggling is what two readers could understand in two ways (RFC 9112 section 11). HOST stands for the origin.
var smuggling = []struct{ name, raw string }{
	{"both lengths", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"},
	{"both, other order", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG"},
	{"two lengths", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
	{"equal lengths", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"},
	{"length list", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1, 1\r\n\r\na"},
	{"length sign", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\na"},
	{"xchunked", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{"space before colon", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
	{"tab value", "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"},
	{"bare lf", "GET http://HOST/ HTTP/1.1\nHost: HOST\r\n\r\n"},
	{"bare lf at the end", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n\n"},
	{"bare cr", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: b\rc\r\n\r\n"},
	{"obs-fold", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: b\r\n c\r\n\r\n"},
	{"nul", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: b\x00c\r\n\r\n"},
	{"two hosts", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nHost: other.test\r\n\r\n"},
	{"no host", "GET http://HOST/ HTTP/1.1\r\n\r\n"},
	{"other host", "GET http://HOST/ HTTP/1.1\r\nHost: other.test\r\n\r\n"},
	{"user in target", "GET http://a@HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n"},
	{"two spaces", "GET  http://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n"},
	{"http/0.9", "GET http://HOST/\r\n\r\n"},
	{"version", "GET http://HOST/ HTTP/1.2\r\nHost: HOST\r\n\r\n"},
	{"te in 1.0", "POST http://HOST/ HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"many fields", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n"},
	{"long line", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: " + strings.Repeat("b", 20000) + "\r\n\r\n"},
	{"connect with body", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n\r\nabc"},
	{"pri", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
}

func TestSmugglingCorpus(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("no"), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	for i, c := range smuggling {
		t.Run(c.name, func(t *testing.T) {
			raw := strings.ReplaceAll(c.raw, "HOST", host)
			got := r.raw(raw + "GET http://" + host + "/smuggled HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
			if err != nil || resp.StatusCode != 400 || resp.Header.Get("X-Weir-Event-Id") == "" || strings.Count(got, "HTTP/1.1") != 1 {
				t.Errorf("%v %.300q", err, got)
			}
			e := r.Wait(i + 1)[i]
			if e.Verdict != "block" || e.Cause != "safety" || len(e.Findings) == 0 {
				t.Errorf("event %+v", e)
			}
		})
	}
	if o.Conns.Load() != 0 {
		t.Error("something reached the origin")
	}
}

// TestBadChunkAbortsUpload: the head was fine, so the request began; its body never becomes whole.
func TestBadChunkAbortsUpload(t *testing.T) {
	r := newRig(t)
	var whole atomic.Int64
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if _, err := io.Copy(io.Discard, q.Body); err == nil {
			whole.Add(1)
		}
	}), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	for _, big := range []int{10, 200 << 10} {
		head := fmt.Sprintf("POST http://%s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", host, host, big, strings.Repeat("a", big))
		got := r.raw(head + "3;\x00\r\nabc\r\n0\r\n\r\nGET http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if strings.Count(got, "HTTP/1.1 200") != 0 || !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("%.200q", got)
		}
	}
	if whole.Load() != 0 {
		t.Error("the origin got a whole body")
	}
	if e := r.Wait(2)[0]; e.Cause != "safety" {
		t.Errorf("event %+v", e)
	}
}

func TestPipelining(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "<%s%s>", q.URL.Path, b)
	}), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	got := r.raw(fmt.Sprintf("POST http://%[1]s/1 HTTP/1.1\r\nHost: %[1]s\r\nContent-Length: 3\r\n\r\nabcGET http://%[1]s/2 HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET http://%[1]s/3 HTTP/1.1\r\nHost: %[1]s\r\n\n\r\n", host))
	for _, want := range []string{"</1abc>", "</2>", "HTTP/1.1 400"} {
		contains(t, got, want)
	}
	if o.Requests.Load() != 2 {
		t.Errorf("%d requests", o.Requests.Load())
	}
}

func TestExpectContinue(t *testing.T) {
	r := newRig(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		_, _ = w.Write(b)
	})
	plain, secure := r.Serve(false, h, "plain.test"), r.Serve(true, h, "secure.test")
	r.start(nil)
	c := r.client(false)
	c.Transport.(*http.Transport).ExpectContinueTimeout = 20 * time.Second
	for _, u := range []string{"http://" + hostport("plain.test", plain) + "/", "https://" + hostport("secure.test", secure) + "/"} {
		var continued atomic.Bool
		ctx := httptrace.WithClientTrace(within(t), &httptrace.ClientTrace{Got100Continue: func() { continued.Store(true) }})
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, u, strings.NewReader("payload"))
		req.Header.Set("Expect", "100-continue")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := r.body(resp); body != "payload" || !continued.Load() {
			t.Errorf("%s: %q, continued %v", u, body, continued.Load())
		}
	}
}

func TestTrailers(t *testing.T) {
	r := newRig(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "got "+q.Trailer.Get("X-Up"))
	})
	plain, secure := r.Serve(false, h, "plain.test"), r.Serve(true, h, "secure.test")
	r.start(nil)
	for _, h2 := range []bool{false, true} {
		for _, u := range []string{"http://" + hostport("plain.test", plain) + "/", "https://" + hostport("secure.test", secure) + "/"} {
			req, _ := http.NewRequest(http.MethodPost, u, io.MultiReader(strings.NewReader("data")))
			req.Trailer = http.Header{"X-Up": {"down"}}
			resp, err := r.client(h2).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if body := r.body(resp); body != "body" || resp.Trailer.Get("X-Sum") != "got down" {
				t.Errorf("%s h2 %v: %q %v", u, h2, body, resp.Trailer)
			}
		}
	}
}

func TestEventStreamIsNotHeld(t *testing.T) {
	r := newRig(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", q.URL.Query().Get("type"))
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	})
	o := r.Serve(true, h, "origin.test")
	r.Config.Limits.HoldWait = time.Hour
	r.start(nil)
	for _, h2 := range []bool{false, true} {
		for _, kind := range []string{"text/event-stream", "application/x-ndjson", "application/grpc+proto"} {
			ctx, cancel := context.WithCancel(within(t))
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+hostport("origin.test", o)+"/?type="+kind, nil)
			resp, err := r.client(h2).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 9)
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "data: 1\n\n" {
				t.Errorf("h2 %v %s: %q %v", h2, kind, b, err)
			}
			cancel()
			_ = resp.Body.Close()
		}
	}
	r.Wait(6)
}

// TestPauseReleasesTheHead: a page that comes slowly is shown after the pause, not at its end.
func TestPauseReleasesTheHead(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}), "origin.test")
	r.Config.Limits.HoldWait = time.Millisecond
	r.start(nil)
	ctx, cancel := context.WithCancel(within(t))
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostport("origin.test", o)+"/", nil)
	resp, err := r.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "first" {
		t.Errorf("%q %v", b, err)
	}
	cancel()
	_ = resp.Body.Close()
	r.Wait(1)
}

func TestLargeBodiesBothWays(t *testing.T) {
	r := newRig(t)
	const size = 5 << 20
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, q.Body)
		w.Header().Set("X-Up", fmt.Sprintf("%d %x", n, sum.Sum(nil)))
		_, _ = w.Write(data)
	})
	plain, secure := r.Serve(false, h, "plain.test"), r.Serve(true, h, "secure.test")
	r.start(nil)
	want := fmt.Sprintf("%d %x", size, sha256.Sum256(data))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, h2 := range []bool{false, true} {
		for _, u := range []string{"http://" + hostport("plain.test", plain) + "/", "https://" + hostport("secure.test", secure) + "/"}[i : i+1] {
			resp, err := r.client(h2).Post(u, "application/octet-stream", bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			n, err := io.Copy(sum, resp.Body)
			_ = resp.Body.Close()
			if got := fmt.Sprintf("%d %x", n, sum.Sum(nil)); err != nil || got != want || resp.Header.Get("X-Up") != want {
				t.Errorf("%s h2 %v: down %s, up %s, %v", u, h2, got, resp.Header.Get("X-Up"), err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 4*size {
		t.Errorf("heap grew by %d octets", grown)
	}
}

func TestSlowHeadsEnd(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("ok"), "origin.test")
	r.start(func(c *proxy.Config) {
		c.Timeouts.Header, c.Timeouts.First, c.Timeouts.Idle = 50*time.Millisecond, 50*time.Millisecond, time.Minute
	})
	host := hostport("origin.test", o)
	first := r.dial()
	_, _ = io.WriteString(first, "GET http://")
	if b, err := io.ReadAll(first); err != nil && !strings.Contains(err.Error(), "reset") || strings.Contains(string(b), "200") {
		t.Errorf("%q %v", b, err)
	}
	second := r.tls(host, "origin.test", "http/1.1") // the second head on a connection, and inside TLS
	fmt.Fprintf(second, "GET / HTTP/1.1\r\nHost: %s\r\n\r\nGET / HT", host)
	b, _ := io.ReadAll(second)
	if strings.Count(string(b), "200 OK") != 1 {
		t.Errorf("%q", b)
	}
}

func TestUpgradesOtherThanWebSocket(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, "upgrade "+q.Header.Get("Upgrade")+q.Header.Get("Http2-Settings"))
	}), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	for offer, want := range map[string]string{"h2c": "upgrade ", "foo": "403 Forbidden", "h2c, foo": "403 Forbidden", "foo/1, websocket": "403 Forbidden"} {
		got := r.raw(fmt.Sprintf("GET http://%[1]s/ HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: %[2]s\r\nHTTP2-Settings: AAA\r\n\r\n", host, offer))
		contains(t, got, want)
	}
	if o.Requests.Load() != 1 {
		t.Error("an upgrade reached the origin")
	}
}

func TestRequestsToTheProxyItself(t *testing.T) {
	r := newRig(t)
	r.start(nil)
	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHost: " + r.addr + "\r\nConnection: close\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n",
		"GET ws://x.test/ HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n",
	} {
		contains(t, r.raw(raw), "HTTP/1.1 400")
	}
	if e := r.Wait(3); slices.ContainsFunc(e, func(e *event.Event) bool { return e.Verdict != "block" }) {
		t.Error("let through")
	}
}

func TestLoopIsSeen(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("no"), "origin.test")
	r.start(func(c *proxy.Config) { c.Instance = "one" })
	req, _ := http.NewRequest(http.MethodGet, "http://"+hostport("origin.test", o)+"/", nil)
	req.Header["Via"] = []string{"1.1 other, 1.1 weir-one (x)"}
	resp, err := r.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if r.body(resp); resp.StatusCode != http.StatusLoopDetected || o.Requests.Load() != 0 {
		t.Error(resp.Status)
	}
}
