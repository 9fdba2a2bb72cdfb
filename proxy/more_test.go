package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir/internal/event"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/proxy"
)

// TestEICARAtEveryCut sends it in two pieces, cut at every place.
func TestEICARAtEveryCut(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var cut int
		_, _ = fmt.Sscanf(q.URL.Path, "/%d", &cut)
		_, _ = io.WriteString(w, eicar()[:cut])
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, eicar()[cut:])
	}), "origin.test")
	r.start(nil)
	c := r.client(false)
	for cut := range len(eicar()) + 1 {
		resp, body := r.get(c, fmt.Sprintf("http://%s/%d", hostport("origin.test", o), cut))
		if resp.StatusCode != 403 {
			t.Errorf("cut %d: %s %q", cut, resp.Status, body)
		}
	}
}

func TestAddressAsTarget(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("by address"), "origin.test")
	r.start(nil)
	if _, body := r.get(r.client(true), "https://127.0.0.1:"+portText(o)+"/"); body != "by address" {
		t.Error(body)
	}
}

func TestRangeAndEncodings(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Accept", q.Header.Get("Accept-Encoding"))
		http.ServeContent(w, q, "", time.Time{}, strings.NewReader("0123456789"))
	}), "origin.test")
	r.start(nil)
	req, _ := http.NewRequest(http.MethodGet, "http://"+hostport("origin.test", o)+"/", nil)
	req.Header.Set("Range", "bytes=2-4")
	req.Header.Set("Accept-Encoding", "gzip;q=0.5, sdch, br, dcb, zstd")
	resp, err := r.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := r.body(resp); resp.StatusCode != 206 || body != "234" || resp.ContentLength != 3 {
		t.Errorf("%s %q", resp.Status, body)
	}
	if got := resp.Header.Get("X-Accept"); got != "gzip;q=0.5, br, zstd" {
		t.Errorf("Accept-Encoding %q", got)
	}
}

func TestAnswers(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("no"), "refused.test", "dropped.test")
	r.Config.Rules = []policy.Rule{
		{Name: "refuse", Where: "t:1", Names: []string{"refused.test"}, Answer: &verdict.Answer{Kind: verdict.AnswerRefused}},
		{Name: "drop", Where: "t:2", Names: []string{"dropped.test"}, Answer: &verdict.Answer{Kind: verdict.AnswerDrop}},
	}
	r.start(nil)
	for _, scheme := range []string{"http", "https"} {
		if _, err := r.client(true).Get(scheme + "://" + hostport("dropped.test", o) + "/"); err == nil {
			t.Errorf("%s: dropped, but answered", scheme)
		}
	}
	resp, body := r.get(r.client(false), "http://"+hostport("refused.test", o)+"/")
	if resp.StatusCode != 403 || body != "" {
		t.Errorf("%s %q", resp.Status, body)
	}
	c, resp := r.connect(hostport("refused.test", o))
	_ = c.Close()
	if resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	r.Wait(4)
}

// h2conn speaks frames, for what http.Transport would never send.
func (r *rig) h2(authority, name string) (*http2.Framer, func(fields ...string)) {
	r.t.Helper()
	c := r.tls(authority, name, "h2")
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	stream := uint32(1)
	return f, func(fields ...string) {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		for i := 0; i < len(fields); i += 2 {
			_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndStream: true, EndHeaders: true})
		stream += 2
	}
}

func status(t *testing.T, f *http2.Framer) string {
	t.Helper()
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch fr := fr.(type) {
		case *http2.MetaHeadersFrame:
			return fr.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset " + fr.ErrCode.String()
		}
	}
}

func TestHTTP2MustNameTheAuthorisedHost(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("ok"), "origin.test", "other.test")
	r.start(nil)
	host, other := hostport("origin.test", o), hostport("other.test", o)
	f, send := r.h2(host, "origin.test")
	for _, c := range []struct {
		want   string
		fields []string
	}{
		{"200", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", host}},
		{"421", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", other}},
		{"421", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", host, "host", other}},
		{"421", []string{":method", "GET", ":scheme", "https", ":path", "/", "host", other}},
		{"403", []string{":method", "CONNECT", ":authority", other}},
		{"200", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", host}},
	} {
		send(c.fields...)
		if got := status(t, f); got != c.want {
			t.Errorf("%v: %s, want %s", c.fields, got, c.want)
		}
	}
	if o.Requests.Load() != 2 {
		t.Errorf("%d requests at the origin", o.Requests.Load())
	}
}

func TestIdleTunnelEnds(t *testing.T) {
	r := newRig(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r.Config.Modes = map[string]verdict.Action{"tunnel-protocol": verdict.Log}
	r.Resolver.Set("silent.test", "127.0.0.1")
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	var p uint16
	_, _ = fmt.Sscan(port, &p)
	r.Open(p)
	r.start(func(c *proxy.Config) { c.Timeouts.TunnelIdle = 50 * time.Millisecond })
	c, _ := r.connect("silent.test:" + port)
	_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
	_, _ = io.ReadAll(c)
	if e := r.Wait(1)[0]; !strings.Contains(e.Error, "idle") || e.Kind != event.KindConnect {
		t.Errorf("event %+v", e)
	}
}

// TestGRPCTrailers: a status that was not announced, behind a stream that is not held.
func TestGRPCTrailers(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = io.WriteString(w, "\x00\x00\x00\x00\x02ok")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}), "origin.test")
	r.start(nil)
	req, _ := http.NewRequest(http.MethodPost, "https://"+hostport("origin.test", o)+"/svc/Call", strings.NewReader("\x00\x00\x00\x00\x00"))
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := r.client(true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := r.body(resp); resp.ProtoMajor != 2 || !strings.HasSuffix(body, "ok") || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%s %q %v", resp.Proto, body, resp.Trailer)
	}
}

// TestPolicySwapBetweenRequests: a connection that is kept alive outlives a policy; its next request is judged by the new one.
func TestPolicySwapBetweenRequests(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text("ok"), "origin.test")
	r.start(nil)
	c := r.client(false)
	u := "http://" + hostport("origin.test", o) + "/"
	for i, want := range []int{200, 403, 200} {
		if i == 1 {
			r.Swap("origin.test")
		} else {
			r.Swap()
		}
		if resp, _ := r.get(c, u); resp.StatusCode != want {
			t.Errorf("request %d: %s", i, resp.Status)
		}
	}
	if n := r.srv.Connections().Accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
