package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cutWait is how long a connection that a new policy blocks may live on.
const cutWait = 5 * time.Second

// link is an open connection; use sends something over it and expects it back, and fails when the connection is not the same.
type link struct {
	name string
	use  func() error
}

// rig is the world of the reload test: an HTTP origin that also echoes WebSocket messages, and one that echoes octets over TLS.
type rig struct {
	*world
	w    *weir
	echo int // port of the octet echo
	list string
	ca   string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", wsEcho)
	mux.Handle("/", sink())
	r := &rig{world: newWorld(t, mux, nil), list: filepath.Join(t.TempDir(), "list.txt")}
	cert := r.root.leaf(t, nil, certNames()...)
	r.echo = serveConns(t, &cert, func(c net.Conn) { _, _ = io.Copy(c, c) })
	writeFile(t, r.list, "first.listed.test\n")
	r.w = start(t, r.setting(r.more(), r.echo))
	r.ca = r.w.caFile()
	return r
}

func (r *rig) more() string {
	return fmt.Sprintf("lists:\n  - {name: unwanted, file: %q, format: wildcard}\nrules:\n  - {name: dark, names: [.splice.test], action: splice}\n", r.list)
}

// overHTTP1 speaks HTTP/1.1 over one connection, request by request.
func overHTTP1(c net.Conn, target, host string) func() error {
	r := bufio.NewReader(c)
	return func() error {
		_ = c.SetDeadline(time.Now().Add(ioTimeout))
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("GET /keep 0")) || resp.Close {
			return fmt.Errorf("%s, %v: %.100q", resp.Status, err, body)
		}
		return nil
	}
}

func (r *rig) plainLink(int) (link, error) {
	c, err := net.Dial("tcp", r.w.proxy)
	host := fmt.Sprintf("a.test:%d", r.plain)
	return link{"keep-alive, plain", overHTTP1(c, "http://"+host+"/keep", host)}, err
}

func (r *rig) http1Link(int) (link, error) {
	host := fmt.Sprintf("b.test:%d", r.tls)
	c, err := r.w.connectTLS(host, r.ca, "http/1.1")
	if err != nil {
		return link{}, err
	}
	return link{"keep-alive, TLS, HTTP/1.1", overHTTP1(c, "/keep", host)}, nil
}

func (r *rig) http2Link(int) (link, error) {
	c := r.w.client()
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	used := false
	return link{"keep-alive, TLS, HTTP/2", func() error {
		fresh := false
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { fresh = !i.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.https("c.test", "/keep"), http.NoBody)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || fresh && used {
			return fmt.Errorf("%s %s, new connection %v, %w", resp.Proto, resp.Status, fresh, err)
		}
		used = true
		return nil
	}}, nil
}

func (r *rig) webSocketLink(i int) (link, error) {
	authority := fmt.Sprintf("d.test:%d", r.plain)
	if i%2 == 1 {
		authority = fmt.Sprintf("d.test:%d", r.tls)
	}
	c, err := r.w.webSocket(i%2 == 1, authority, "/echo", i%4 > 1)
	n := 0
	return link{"WebSocket", func() error {
		n++
		return c.echo(1, fmt.Appendf(nil, "message %d", n), 1+n%3)
	}}, err
}

// spliceTo opens a tunnel that weir does not look into.
func (r *rig) spliceTo(name string) (*tls.Conn, error) {
	return r.w.connectTLS(fmt.Sprintf("%s:%d", name, r.echo), r.root.file)
}

func (r *rig) spliceLink(int) (link, error) {
	c, err := r.spliceTo("e.splice.test")
	n := 0
	return link{"spliced tunnel", func() error {
		n++
		_ = c.SetDeadline(time.Now().Add(ioTimeout))
		sent := fmt.Appendf(nil, "octets %d", n)
		if _, err := c.Write(sent); err != nil {
			return err
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
			return fmt.Errorf("%q came back, %w", got, err)
		}
		return nil
	}}, err
}

// open makes the 200 connections.
func (r *rig) open(t testing.TB) []link {
	t.Helper()
	var links []link
	for _, kind := range []struct {
		n    int
		open func(int) (link, error)
	}{{60, r.plainLink}, {30, r.http1Link}, {20, r.http2Link}, {50, r.webSocketLink}, {40, r.spliceLink}} {
		for i := range kind.n {
			l, err := kind.open(i)
			if err != nil {
				t.Fatal(err)
			}
			links = append(links, l)
		}
	}
	return links
}

// useAll sends something over every connection.
func useAll(t testing.TB, links []link) {
	t.Helper()
	parallel(t, 8, links, func(l link) error {
		if err := l.use(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		return nil
	})
}

func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	links := r.open(t)
	useAll(t, links)
	const reloads = 20
	for range reloads {
		busy := make(chan struct{})
		go func() {
			defer close(busy)
			useAll(t, links)
		}()
		r.w.reload()
		<-busy
		if t.Failed() {
			t.FailNow()
		}
	}
	useAll(t, links)
	if n := r.w.count("event.action", "connection-cut"); n != 0 {
		t.Errorf("%d connections were cut", n)
	}
	figure(t, "%d open connections survived %d reloads, all in use meanwhile", len(links), reloads)
	t.Run("a name that comes onto a list", func(t *testing.T) { r.cutListed(t) })
	t.Run("a broken config", func(t *testing.T) { r.breakConfig(t, links) })
	useAll(t, links)
}

// cutListed opens a connection of each kind to a name, puts the name onto a list, and waits for their ends.
func (r *rig) cutListed(t *testing.T) {
	w := r.w.with(t)
	spliced, err := r.spliceTo("late.splice.test")
	if err != nil {
		t.Fatal(err)
	}
	intercepted, err := w.connectTLS(fmt.Sprintf("late.test:%d", r.tls), r.ca, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := w.webSocket(true, fmt.Sprintf("late.test:%d", r.tls), "/echo", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(socket.echo(1, []byte("still open"), 1), overHTTP1(intercepted, "/keep", fmt.Sprintf("late.test:%d", r.tls))()); err != nil {
		t.Fatal(err)
	}
	if out := w.dig("late.test"); !strings.Contains(out, "NOERROR") {
		t.Fatal(out)
	}
	ends := make(chan string, 3)
	var began atomic.Int64
	ended := func(kind string, c net.Conn, read func() error) {
		_ = c.SetDeadline(time.Now().Add(ioTimeout))
		err := read()
		took := time.Since(time.Unix(0, began.Load()))
		if errors.Is(err, os.ErrDeadlineExceeded) || took > cutWait {
			t.Errorf("%s ended %v after SIGHUP with %v", kind, took, err)
		}
		ends <- fmt.Sprintf("%s %d ms", kind, took.Milliseconds())
	}
	one := func(c net.Conn) func() error {
		return func() error {
			_, err := c.Read(make([]byte, 1))
			return err
		}
	}
	writeFile(t, r.list, "first.listed.test\nlate.test\nlate.splice.test\n")
	began.Store(time.Now().UnixNano())
	go ended("spliced tunnel", spliced, one(spliced))
	go ended("intercepted tunnel", intercepted, one(intercepted))
	go ended("WebSocket", socket, func() error {
		_, _, err := socket.receive()
		if closed, ok := errors.AsType[*wsClosed](err); !ok || closed.code != 1008 {
			t.Errorf("the WebSocket ended with %v", err)
		}
		return err
	})
	w.reload()
	if out := w.dig("late.test"); !strings.Contains(out, "NXDOMAIN") || !strings.Contains(out, "EDE: 15") {
		t.Errorf("the next query:\n%s", out)
	}
	if a := w.curl(r.http("late.test", "/")); a.status != 403 {
		t.Errorf("the next request: %v", a)
	}
	figure(t, "cut after SIGHUP: %s, %s, %s", <-ends, <-ends, <-ends)
	for _, name := range []string{"late.splice.test", "late.test"} {
		if e := w.event("event.action", "connection-cut", "destination.domain", name); !e.is("weir.verdict", "block", "weir.list.name", "unwanted") || e.at("weir.transaction_id") == "" {
			t.Errorf("event: %v", e)
		}
	}
}

// breakConfig reloads files with mistakes: everything stays as it is, and the log says where the mistake is.
func (r *rig) breakConfig(t *testing.T, links []link) {
	w := r.w.with(t)
	good := readFile(t, w.config)
	version := w.event("event.action", "system", "message", reloaded).at("weir.policy.version")
	reloads := w.count("event.action", "system", "message", reloaded)
	at := strings.Count(good, "\n") + 1
	for _, tc := range []struct{ name, more, want string }{
		{"unknown key", "defualt: block\n", fmt.Sprintf("%s:%d:1: ", w.config, at)},
		{"unknown word", "default: perhaps\n", fmt.Sprintf("%s:%d:10: ", w.config, at)},
		{"no YAML", "default: [\n", fmt.Sprintf("%s:%d:", w.config, at)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			writeFile(t, w.config, good+tc.more)
			w.signal(syscall.SIGHUP)
			until(t, startWait, "the log says where", func() error {
				text := readFile(t, w.log)
				if !strings.Contains(text, tc.want) || !regexp.MustCompile(regexp.QuoteMeta(w.config)+`:\d+:\d+: `).MatchString(text) {
					return fmt.Errorf("%q is not in\n%s", tc.want, tail([]byte(text), 500))
				}
				return nil
			})
			useAll(t, links)
			w := w.with(t)
			if out := w.dig("x.first.listed.test"); !strings.Contains(out, "NXDOMAIN") {
				t.Error(out)
			}
			if out := w.dig("free.test"); !strings.Contains(out, "NOERROR") {
				t.Error(out)
			}
		})
	}
	if n := w.count("event.action", "system", "message", reloaded); n != reloads {
		t.Errorf("%d reloads of broken files", n-reloads)
	}
	writeFile(t, w.config, good)
	w.reload()
	if version == "" {
		t.Error("a reload's event does not say the version of the policy")
	}
}
