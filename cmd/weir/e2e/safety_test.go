package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends octets to the proxy and returns the first response.
func (w *weir) raw(octets string) (*http.Response, error) {
	c, err := net.Dial("tcp", w.proxy)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(ioTimeout))
	if _, err := io.WriteString(c, octets); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(c), nil)
}

// TestSafety sends what must be refused whatever the policy says: observe mode lets none of it through.
func TestSafety(t *testing.T) {
	t.Parallel()
	world := newWorld(t, sink(), map[string][]string{
		"rebind.test.": {"rebind.test. 60 IN A 10.1.2.3"},
		"meta.test.":   {"meta.test. 60 IN A 169.254.169.254"},
		"mapped.test.": {"mapped.test. 60 IN AAAA ::ffff:10.1.2.3"},
		"nat64.test.":  {"nat64.test. 60 IN AAAA 64:ff9b::a01:203"},
		"gone.test.":   nil,
	})
	w := start(t, world.setting("mode: observe\n"))
	port := world.plain
	for _, tc := range []struct {
		name, url string
		status    int
		safety    string // of the event's trace; empty: a failure that is no verdict
	}{
		{"private address", fmt.Sprintf("http://10.1.2.3:%d/", port), 403, "private-address"},
		{"metadata address", fmt.Sprintf("http://169.254.169.254:%d/", port), 403, "private-address"},
		{"v4-mapped address", fmt.Sprintf("http://[::ffff:10.1.2.3]:%d/", port), 403, "private-address"},
		{"NAT64 address", fmt.Sprintf("http://[64:ff9b::a01:203]:%d/", port), 403, "private-address"},
		{"6to4 address", fmt.Sprintf("http://[2002:a01:203::1]:%d/", port), 403, "private-address"},
		{"name of a private address", fmt.Sprintf("http://rebind.test:%d/", port), 403, "private-address"},
		{"name of the metadata address", fmt.Sprintf("http://meta.test:%d/", port), 403, "private-address"},
		{"name of a v4-mapped address", fmt.Sprintf("http://mapped.test:%d/", port), 403, "private-address"},
		{"name of a NAT64 address", fmt.Sprintf("http://nat64.test:%d/", port), 403, "private-address"},
		{"port that is not named", "http://a.test:1/", 403, "port"},
		{"name without address", fmt.Sprintf("http://gone.test:%d/", port), 502, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := w.with(t)
			a := w.curl(tc.url)
			e := w.event("event.id", a.blocked(t, tc.status))
			if tc.safety != "" && (e.at("weir.verdict") != "block" || e.at("weir.cause") != "safety" || !strings.Contains(fmt.Sprint(e["weir"]), "safety:"+tc.safety)) {
				t.Errorf("event: %v", e)
			}
		})
	}
	t.Run("on the wire", func(t *testing.T) { w.with(t).wire(world) })
	t.Run("another name in the tunnel", func(t *testing.T) {
		w := w.with(t)
		for _, version := range []string{"--http1.1", "--http2"} {
			a := w.curl(version, "-H", "Host: b.test", world.https("a.test", "/"))
			if e := w.event("event.id", a.blocked(t, 421)); !e.is("weir.cause", "safety", "destination.domain", "a.test") {
				t.Errorf("event: %v", e)
			}
		}
	})
	t.Run("the proxy itself", func(t *testing.T) {
		for _, own := range []string{w.proxy, w.admin} {
			if resp, err := w.with(t).raw("GET http://" + own + "/ HTTP/1.1\r\nHost: " + own + "\r\n\r\n"); err != nil || resp.StatusCode < 400 {
				t.Errorf("%s: %v, %v", own, resp, err)
			}
		}
	})
}

// wire sends requests that two readers could read in two ways.
func (w *weir) wire(world *world) {
	host := fmt.Sprintf("a.test:%d", world.plain)
	for name, rest := range map[string]string{
		"two lengths":              "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
		"length and encoding":      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"encoding that is unknown": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two hosts":                "Host: b.test\r\n\r\n",
		"folded line":              "X-A: b\r\n c\r\n\r\n",
		"bare line feed":           "X-A: b\nX-B: c\r\n\r\n",
		"blank before the colon":   "X-A : b\r\n\r\n",
		"bad chunk":                "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
	} {
		resp, err := w.raw("POST http://" + host + "/wire HTTP/1.1\r\nHost: " + host + "\r\n" + rest)
		if err != nil || resp.StatusCode != http.StatusBadRequest || resp.Header.Get("X-Origin") != "" {
			w.t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
}

// TestForeignProtocol puts something into a tunnel that is neither TLS nor HTTP.
func TestForeignProtocol(t *testing.T) {
	t.Parallel()
	const banner = "SSH-2.0-e2e\r\n"
	zone := newZone(t, nil)
	for _, mode := range []string{"enforce", "observe"} {
		t.Run(mode, func(t *testing.T) {
			reached := make(chan string, 4)
			port := serveConns(t, nil, func(c net.Conn) {
				got := make([]byte, len(banner))
				n, _ := io.ReadFull(c, got)
				reached <- string(got[:n])
				_, _ = c.Write(got[:n])
			})
			w := start(t, setting{ports: []int{port}, dns: zone.addr, more: "mode: " + mode + "\n"})
			c, r, err := w.connect(fmt.Sprintf("a.test:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := io.WriteString(c, banner); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			_ = c.Close()
			if mode == "observe" {
				if string(got) != banner || <-reached != banner {
					t.Errorf("%q came back, %v", got, err)
				}
				w.event("event.action", "connect", "weir.verdict", "log", "weir.would", "block", "destination.domain", "a.test")
				return
			}
			if strings.Contains(string(got), "SSH") {
				t.Errorf("%q came back", got)
			}
			w.event("event.action", "connect", "weir.verdict", "block", "weir.cause", "detector", "destination.domain", "a.test")
			select {
			case octets := <-reached:
				if octets != "" {
					t.Errorf("%q reached the origin", octets)
				}
			default:
			}
		})
	}
}

// TestStream has an origin send its next event only when the client has the last one.
func TestStream(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	world := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			_, _ = fmt.Fprintf(rw, "data: %d\n\n", i)
			_ = http.NewResponseController(rw).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}), nil)
	w := start(t, world.setting(""))
	for name, url := range map[string]string{"plain": world.http("a.test", "/"), "HTTP/1.1": world.https("a.test", "/"), "HTTP/2": world.https("a.test", "/")} {
		t.Run(name, func(t *testing.T) {
			client := w.with(t).client()
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = name == "HTTP/2"
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			lines := bufio.NewScanner(resp.Body)
			for i := range 5 {
				if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) || !lines.Scan() {
					t.Fatalf("event %d: %q, %v", i, lines.Text(), lines.Err())
				}
				next <- struct{}{}
			}
			if lines.Scan() || lines.Err() != nil {
				t.Errorf("the end: %q, %v", lines.Text(), lines.Err())
			}
		})
	}
}
