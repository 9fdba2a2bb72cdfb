package gate_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/memory"
	"weir/internal/policy"
	"weir/internal/reputation"
	"weir/internal/reputation/lookalike"
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

// judged is a gate that gives classes and remembers: one name that is known here for long, all others new.
func judged(b *testing.B) *rig {
	seen := memory.New(1<<16, [2]uint64{1, 2})
	seen.Note("fine.test", now.Add(-90*24*time.Hour))
	book := reputation.New(reputation.Config{
		Memory: seen, UnknownFor: 24 * time.Hour, SuspectFor: 30 * 24 * time.Hour, Lookalikes: lookalike.New(reputation.Popular()),
		Suffixes: []hostname.Name{hostname.MustParse("top")},
	})
	o := reputation.NewObserver(nil)
	o.Swap(book)
	r := benchRig(b)
	r.Gate = gate.New(gate.Config{Engine: r.engine, Recorder: event.Discard{}, Observers: []inspect.Observer{o}})
	r.Swap(snapshot(b, r.engine, func(c *policy.Config) { c.Standing = book }))
	return r
}

// BenchmarkJudged is a tunnel's CONNECT, a request and a query, with a class for the name, which is known or new here.
func BenchmarkJudged(b *testing.B) {
	u := &url.URL{Path: "/index.html", RawQuery: "a=b"}
	header, reply := http.Header{"User-Agent": {"curl/8"}}, http.Header{"Content-Type": {"text/html"}}
	for _, name := range []string{"www.fine.test", "www.somebody-new.example"} {
		r := judged(b)
		target := hostname.Authority{Name: hostname.MustParse(name), Port: 80}
		b.Run("connect/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := r.Begin(inspect.Tunnel, r.flow(), now)
				x.Connect(now, name+":443")
				x.Interception(now)
				x.Done(now)
			}
		})
		b.Run("request/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := r.Begin(inspect.HTTP, r.flow(), now)
				x.Request(now, gate.RequestHead{Scheme: "http", Method: "GET", Host: name, URL: u, Proto: "HTTP/1.1", Header: header, Target: target})
				x.Response(now, 200, "HTTP/1.1", reply)
				x.Done(now)
			}
		})
		b.Run("query/"+name, func(b *testing.B) {
			q := inspect.Question{Name: target.Name, Type: 1, Class: 1}
			b.ReportAllocs()
			for b.Loop() {
				x := r.Begin(inspect.DNS, r.flow(), now)
				x.Query(now, q)
				x.Note(func(e *event.Event) { e.DNS = &event.DNS{RCod: "NOERROR"} })
				x.Done(now)
			}
		})
	}
}
