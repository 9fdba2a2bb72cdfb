package e2e_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/internal/wire/ws"
)

// packed compresses with a writer.
func packed(t testing.TB, body []byte, w func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := w(&b)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	return packed(t, body, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

// disguise is one way to carry the test string in an HTTP body.
type disguise struct {
	name, contentType, coding string
	body                      []byte
}

func disguises(t testing.TB) []disguise {
	t.Helper()
	plain := slicesOf("some text before ", string(eicar()), " and after\n")
	json := slicesOf(`{"name": "invoice", "data": "`, base64.StdEncoding.EncodeToString(eicar()), `", "last": true}`)
	return []disguise{
		{"plain", "text/plain", "", plain},
		{"gzip", "text/plain", "gzip", gzipped(t, plain)},
		{"deflate", "text/plain", "deflate", packed(t, plain, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 9) })},
		{"br", "text/plain", "br", packed(t, plain, func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriter(w), nil })},
		{"zstd", "text/plain", "zstd", packed(t, plain, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })},
		{"gzip in gzip", "text/plain", "gzip, gzip", gzipped(t, gzipped(t, plain))},
		{"gzip file in gzip", "application/gzip", "gzip", gzipped(t, gzipped(t, plain))},
		{"base64 in JSON", "application/json", "", json},
		{"base64 in JSON, br", "application/json", "br", packed(t, json, func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriter(w), nil })},
	}
}

func slicesOf(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

// eicarSite serves the disguises under /0, /1, ...: with a length, or with /chunked/0 without; it also takes uploads and
// WebSocket messages, and counts what reached it.
type eicarSite struct {
	all []disguise

	mu      sync.Mutex
	reached [][]byte // guarded by mu: complete uploads and messages
}

func (s *eicarSite) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ws":
		wsServe(rw, r, func(c *wsConn) error {
			for {
				op, message, err := c.receive()
				if err != nil {
					return err
				}
				s.take(message)
				if string(message) == "send it" {
					message = eicar()
				}
				if err := c.send(op, message, 3); err != nil {
					return err
				}
			}
		})
	case r.Method == http.MethodPost:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			s.take(body)
		}
		_, _ = fmt.Fprintln(rw, "took", len(body), err)
	default:
		n, _ := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		d := s.all[n]
		rw.Header().Set("Content-Type", d.contentType)
		if d.coding != "" {
			rw.Header().Set("Content-Encoding", d.coding)
		}
		if !strings.HasPrefix(r.URL.Path, "/chunked/") {
			rw.Header().Set("Content-Length", strconv.Itoa(len(d.body)))
		} else {
			_ = http.NewResponseController(rw).Flush()
		}
		_, _ = rw.Write(d.body)
	}
}

func (s *eicarSite) take(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = append(s.reached, bytes.Clone(b))
}

// got says whether these octets reached the site.
func (s *eicarSite) got(b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.reached {
		if bytes.Contains(one, b) {
			return true
		}
	}
	return false
}

// variant is a way to ask.
type variant struct {
	name string
	args []string
	url  string
}

func variants(w *world, i int) []variant {
	path := "/" + strconv.Itoa(i)
	return []variant{
		{"plain", nil, w.http("a.test", path)},
		{"plain, chunked", nil, w.http("a.test", "/chunked"+path)},
		{"TLS, HTTP/1.1", []string{"--http1.1"}, w.https("a.test", path)},
		{"TLS, HTTP/2", []string{"--http2"}, w.https("a.test", path)},
		{"TLS, HTTP/2, no length", []string{"--http2"}, w.https("a.test", "/chunked"+path)},
	}
}

func TestEICAR(t *testing.T) {
	t.Parallel()
	site := &eicarSite{all: disguises(t)}
	world := newWorld(t, site, nil)
	w := start(t, world.setting(""))
	stopped := func(t *testing.T, w *weir, a answer) {
		t.Helper()
		id := a.blocked(t, 403)
		if bytes.Contains(a.body, eicar()) {
			t.Error("it came through")
		}
		if e := w.event("event.id", id); !e.is("weir.verdict", "block", "weir.cause", "detector") || !strings.Contains(fmt.Sprint(e.at("weir.findings")), "eicar") {
			t.Errorf("event: %v", e)
		}
	}
	for i, d := range site.all {
		for _, v := range variants(world, i) {
			t.Run("download, "+d.name+", "+v.name, func(t *testing.T) {
				w := w.with(t)
				stopped(t, w, w.curl(append(v.args, "-H", "Accept: text/html", v.url)...))
			})
		}
		file := writeFile(t, filepath.Join(t.TempDir(), "body"), string(d.body))
		for _, v := range variants(world, i) {
			t.Run("upload, "+d.name+", "+v.name, func(t *testing.T) {
				w := w.with(t)
				args := append(v.args, "-H", "Content-Type: "+d.contentType, "--data-binary", "@"+file)
				if d.coding != "" {
					args = append(args, "-H", "Content-Encoding: "+d.coding)
				}
				if strings.Contains(v.name, "chunked") {
					args = append(args, "-H", "Transfer-Encoding: chunked")
				}
				stopped(t, w, w.curl(append(args, v.url)...))
				if site.got(d.body) {
					t.Error("the whole body reached the origin")
				}
			})
		}
	}
}

// TestEICARWebSocket sends the test string in a message of three fragments, both ways, with and without deflate.
func TestEICARWebSocket(t *testing.T) {
	t.Parallel()
	site := &eicarSite{}
	world := newWorld(t, site, nil)
	w := start(t, world.setting(""))
	for _, secure := range []bool{false, true} {
		for _, deflate := range []bool{false, true} {
			for _, message := range []string{string(eicar()), "send it"} {
				t.Run(fmt.Sprintf("secure=%v deflate=%v upload=%v", secure, deflate, message != "send it"), func(t *testing.T) {
					authority := map[bool]string{false: fmt.Sprintf("a.test:%d", world.plain), true: fmt.Sprintf("a.test:%d", world.tls)}[secure]
					c, err := w.with(t).webSocket(secure, authority, "/ws", deflate)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = c.Close() }()
					if err := c.echo(ws.Text, []byte("harmless"), 3); err != nil {
						t.Fatal(err)
					}
					if err := c.send(ws.Text, []byte(message), 3); err != nil {
						t.Fatal(err)
					}
					_, got, err := c.receive()
					closed, ok := errors.AsType[*wsClosed](err)
					if !ok || closed.code != 1008 || !strings.HasPrefix(closed.reason, "blocked ") {
						t.Fatalf("received %q, %v", got, err)
					}
					_, id, _ := strings.Cut(closed.reason, " ")
					if e := w.with(t).event("event.id", id); !e.is("weir.verdict", "block", "weir.cause", "detector", "event.action", "websocket") {
						t.Errorf("event: %v", e)
					}
				})
			}
		}
	}
	if site.got(eicar()) {
		t.Error("it reached the origin")
	}
}

// rawSite answers each connection with the pieces that the request's path names, each in a write of its own.
func rawSite(t testing.TB, pieces func(path string) [][]byte) int {
	t.Helper()
	return serveConns(t, nil, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			for _, p := range pieces(req.URL.Path) {
				if _, err := c.Write(p); err != nil { // TCP_NODELAY is Go's default: a segment each
					return
				}
			}
			if strings.HasPrefix(req.URL.Path, "/eof") { // the end of the connection is that of the body
				return
			}
		}
	})
}

// TestEICARCut has an origin cut its answer at every position: in the head, in a chunk header, in the test string.
func TestEICARCut(t *testing.T) {
	t.Parallel()
	plain := slicesOf("before ", string(eicar()), " after")
	zipped := gzipped(t, plain)
	streams := map[string][]byte{
		"length":  fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(plain), plain),
		"chunked": fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", plain[:30], len(plain)-30, plain[30:]),
		"gzip":    fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(zipped), zipped),
		"eof":     fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%s", plain),
	}
	zone := newZone(t, nil)
	port := rawSite(t, func(path string) [][]byte { return cut(streams, path) })
	w := start(t, setting{ports: []int{port}, dns: zone.addr})
	client := w.client()
	var paths []string
	seed := rand.Uint64()
	t.Logf("seed of the random cuts: %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for name, stream := range streams {
		for i := 1; i < len(stream); i++ {
			paths = append(paths, fmt.Sprintf("/%s/%d", name, i))
		}
		for range 100 { // several cuts at random positions
			path := []byte("/" + name)
			for at := 0; at < len(stream); at += 1 + r.IntN(len(stream)/4) {
				path = fmt.Appendf(path, "/%d", at)
			}
			paths = append(paths, string(path))
		}
	}
	parallel(t, 8, paths, func(path string) error {
		resp, err := client.Get(fmt.Sprintf("http://a.test:%d%s", port, path))
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Weir-Event-Id") == "" || bytes.Contains(body, eicar()) {
			return fmt.Errorf("%s: %s %v, %v: %.100q", path, resp.Status, resp.Header, err, body)
		}
		return nil
	})
	figure(t, "EICAR stopped in %d streams, cut at each of their positions and at random ones", len(paths))
}

// cut returns the pieces of the stream that a path such as /gzip/17/20 names.
func cut(streams map[string][]byte, path string) (out [][]byte) {
	parts := strings.Split(path, "/")
	stream, from := streams[parts[1]], 0
	for _, p := range parts[2:] {
		at, _ := strconv.Atoi(p)
		if at > from {
			out, from = append(out, stream[from:at]), at
		}
	}
	return append(out, stream[from:])
}

// parallel calls f for every item from n goroutines, and reports what fails.
func parallel[T any](t testing.TB, n int, items []T, f func(T) error) {
	t.Helper()
	work := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for item := range work {
				if err := f(item); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	wg.Wait()
}

// TestLateBlock has the head released before the test string is complete: what remains never arrives, and the client sees that
// the transfer failed.
func TestLateBlock(t *testing.T) {
	t.Parallel()
	half := make(chan struct{}, 1)
	world := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		_, _ = rw.Write(eicar()[:40])
		_ = http.NewResponseController(rw).Flush()
		<-half // the client has the head
		_, _ = rw.Write(eicar()[40:])
	}), nil)
	w := start(t, world.setting(""))
	for _, tc := range []struct {
		name string
		url  string
		h2   bool
	}{{"plain", world.http("a.test", "/late"), false}, {"HTTP/1.1", world.https("a.test", "/late"), false}, {"HTTP/2", world.https("a.test", "/late"), true}} {
		t.Run(tc.name, func(t *testing.T) {
			client := w.with(t).client()
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = tc.h2
			resp, err := client.Get(tc.url)
			half <- struct{}{}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK || err == nil || len(body) > 67 {
				t.Errorf("%s, %d octets, %v", resp.Status, len(body), err)
			}
		})
	}
	w.event("url.path", "/late", "url.scheme", "http", "weir.verdict", "block", "weir.aborted", "reset")
	w.event("url.path", "/late", "url.scheme", "https", "http.version", "1.1", "weir.verdict", "block", "weir.aborted", "reset")
	w.event("url.path", "/late", "url.scheme", "https", "http.version", "2", "weir.verdict", "block", "weir.aborted", "rst-stream")
}

// TestObserve proves that observe mode lets through and says what would have been.
func TestObserve(t *testing.T) {
	t.Parallel()
	site := &eicarSite{all: disguises(t)}
	world := newWorld(t, site, nil)
	list := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte("listed.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, world.setting("mode: observe\nlists:\n  - {name: unwanted, file: "+list+", format: wildcard}\n"))
	for i, d := range site.all {
		for _, v := range variants(world, i) {
			t.Run(d.name+", "+v.name, func(t *testing.T) {
				w := w.with(t)
				a := w.curl(append(v.args, "-A", t.Name(), v.url)...)
				if a.status != 200 || !bytes.Equal(a.body, d.body) {
					t.Fatalf("not as it was sent: %v", a)
				}
				if e := w.event("user_agent.original", t.Name()); !e.is("weir.verdict", "log", "weir.would", "block", "weir.cause", "detector", "weir.mode", "observe") {
					t.Errorf("event: %v", e)
				}
			})
		}
	}
	t.Run("message", func(t *testing.T) {
		c, err := w.with(t).webSocket(true, fmt.Sprintf("a.test:%d", world.tls), "/ws", true)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if err := c.echo(ws.Text, eicar(), 3); err != nil {
			t.Fatal(err)
		}
		w.with(t).event("event.action", "finding", "weir.would", "block")
	})
	t.Run("name", func(t *testing.T) {
		w := w.with(t)
		if out := w.dig("x.listed.test"); !strings.Contains(out, "NOERROR") || !strings.Contains(out, "127.0.0.1") {
			t.Error(out)
		}
		if a := w.curl(world.http("x.listed.test", "/0")); a.status != 200 {
			t.Error(a)
		}
		w.event("dns.question.name", "x.listed.test", "weir.verdict", "log", "weir.would", "block", "weir.list.name", "unwanted")
	})
	// What guards weir itself stays enforced.
	if a := w.curl("http://10.1.2.3:80/"); a.status == 200 {
		t.Error(a)
	}
}

// client is an HTTP client of weir's proxy that trusts its CA.
func (w *weir) client() *http.Client {
	w.t.Helper()
	tr := &http.Transport{
		Proxy: http.ProxyURL(mustURL(w.t, "http://"+w.proxy)), TLSClientConfig: tlsConfig(w.t, w.caFile()), DisableCompression: true, MaxIdleConnsPerHost: 64,
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// TestEICARCutUpload has a client cut its request at every position.
func TestEICARCutUpload(t *testing.T) {
	t.Parallel()
	site := &eicarSite{}
	world := newWorld(t, site, nil)
	w := start(t, world.setting(""))
	body := slicesOf("before ", string(eicar()), " after")
	requests := map[string][]byte{
		"length":  fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a.test:%d\r\nContent-Length: %d\r\n\r\n%s", world.http("a.test", "/"), world.plain, len(body), body),
		"chunked": fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a.test:%d\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", world.http("a.test", "/"), world.plain, body[:30], len(body)-30, body[30:]),
	}
	var paths []string
	for name, request := range requests {
		for i := range len(request) {
			paths = append(paths, fmt.Sprintf("/%s/%d", name, i))
		}
	}
	parallel(t, 8, paths, func(path string) error {
		c, err := net.Dial("tcp", w.proxy)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(ioTimeout))
		for _, piece := range cut(requests, path) {
			if _, err := c.Write(piece); err != nil {
				return err
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Weir-Event-Id") == "" {
			return fmt.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
		return nil
	})
	if site.got([]byte("after")) {
		t.Error("a whole body reached the origin")
	}
	figure(t, "EICAR stopped in %d uploads, cut at each of their positions", len(paths))
}
