package gate_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
)

func benchRig(b *testing.B) *rig {
	r := newRig(b, nil)
	r.Gate = gate.New(gate.Config{Engine: r.engine, Recorder: event.Discard{}, Allowed: true})
	r.Swap(snapshot(b, r.engine, nil))
	return r
}

// BenchmarkRequest is one request and response without bodies through all phases, its event built and thrown away.
func BenchmarkRequest(b *testing.B) {
	r := benchRig(b)
	u := &url.URL{Path: "/index.html", RawQuery: "a=b"}
	header := http.Header{"User-Agent": {"curl/8"}, "Accept": {"*/*"}}
	reply := http.Header{"Content-Type": {"text/html"}}
	target := hostname.Authority{Name: hostname.MustParse("www.fine.test"), Port: 80}
	b.ReportAllocs()
	for b.Loop() {
		x := r.Begin(inspect.HTTP, r.flow(), now)
		x.Request(now, gate.RequestHead{Scheme: "http", Method: "GET", Host: "www.fine.test", URL: u, Proto: "HTTP/1.1", Header: header, Target: target})
		x.Response(now, 200, "HTTP/1.1", reply)
		x.Done(now)
	}
}

// BenchmarkBody is a body of 64 KiB in reads of 16 KiB.
func BenchmarkBody(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	binary := make([]byte, 64<<10)
	for i := range binary {
		binary[i] = byte(random.Uint32())
	}
	text := bytes.Repeat([]byte("<p class=\"main\">The quick brown fox, 42 times, /a/path/to/some.css; </p>\n"), 900)[:64<<10]
	encoded := []byte(base64.StdEncoding.EncodeToString(binary))[:64<<10]
	for _, c := range []struct {
		name string
		body []byte
	}{{"binary", binary}, {"text", text}, {"base64", encoded}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchRig(b)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				x := r.Content(now, r.flow().Client.Addr, 200, "HTTP/1.1", http.Header{})
				for p := c.body; len(p) > 0; p = p[16<<10:] {
					x.Data(now, inspect.ResponseData, p[:16<<10])
				}
				x.End(now, inspect.ResponseData)
				x.Done(now)
			}
		})
	}
}

// BenchmarkQuery is one DNS query that is allowed, its event built and thrown away.
func BenchmarkQuery(b *testing.B) {
	r := benchRig(b)
	q := inspect.Question{Name: hostname.MustParse("www.fine.test"), Type: 1, Class: 1}
	b.ReportAllocs()
	for b.Loop() {
		x := r.Begin(inspect.DNS, r.flow(), now)
		x.Query(now, q)
		x.Done(now)
	}
}

// BenchmarkShortRuns is a body of many base64 runs of 59 characters: each is a layer of its own.
func BenchmarkShortRuns(b *testing.B) {
	r := benchRig(b)
	random := rand.New(rand.NewPCG(3, 4))
	var body []byte
	for len(body) < 64<<10 {
		var p [44]byte
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		body = append(append(body, base64.RawStdEncoding.EncodeToString(p[:])...), '"')
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		x := r.Content(now, r.flow().Client.Addr, 200, "HTTP/1.1", http.Header{})
		x.Data(now, inspect.ResponseData, body)
		x.End(now, inspect.ResponseData)
		x.Done(now)
	}
}
