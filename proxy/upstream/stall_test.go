package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
)

// pour answers every request with an endless body, but /small, and counts what it could send.
func pour(sent *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/small" {
			_, _ = io.WriteString(w, "hello")
			return
		}
		for p := make([]byte, 16<<10); ; {
			n, err := w.Write(p)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
}

// TestUnreadStreamsAreBounded: responses over HTTP/2 that nobody reads are not fetched into memory, and do not keep others, over the
// same connection, from being read.
func TestUnreadStreamsAreBounded(t *testing.T) {
	const streams = 60
	r := newRig(t, nil)
	r.names.set("o.test", "127.0.0.1")
	var sent atomic.Int64
	o := newOrigin(t, "127.0.0.1:0", r.roots.leaf(t, "o.test", nil), true)
	o.Config.Handler = pour(&sent)
	base := "https://o.test:" + o.port()
	for i := range streams {
		req, _ := r.request(t, http.MethodGet, fmt.Sprint(base, "/", i), nil)
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
	}
	last := int64(-1)
	for now := sent.Load(); now != last; now = sent.Load() { // until no window is left
		last = now
		for range 20 {
			if body, _, err := r.get(t, base+"/small"); err != nil || body != "HTTP/2.0 hello" {
				t.Fatal(body, err)
			}
			runtime.Gosched()
		}
	}
	if each := sent.Load() / streams; each > 400<<10 {
		t.Errorf("%d octets each were fetched", each)
	}
	if o.connections() != 1 {
		t.Errorf("%d connections", o.connections())
	}
}

// BenchmarkDownloadHTTP2 is one body of 100 MB: the window must not slow a fast line down.
func BenchmarkDownloadHTTP2(b *testing.B) {
	const size = 100 << 20
	r := newRig(b, nil)
	r.names.set("o.test", "127.0.0.1")
	o := newOrigin(b, "127.0.0.1:0", r.roots.leaf(b, "o.test", nil), true)
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p := make([]byte, 64<<10)
		for range size / len(p) {
			_, _ = w.Write(p)
		}
	})
	b.SetBytes(size)
	for b.Loop() {
		req, _ := r.request(b, http.MethodGet, "https://o.test:"+o.port()+"/", nil)
		resp, err := r.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil || resp.ProtoMajor != 2 {
			b.Fatal(n, err, resp.Proto)
		}
		_ = resp.Body.Close()
	}
}
