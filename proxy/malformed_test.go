package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/internal/event"
	"weir/internal/testnet"
)

// badUpgrades are what no server takes for an upgrade to websocket, though the words are there. HEAD stands for target and version.
var badUpgrades = []string{
	"GET HEAD1.1\r\nHost: HOST\r\nUpgrade: websocket\r\n\r\n",
	"GET HEAD1.1\r\nHost: HOST\r\nConnection: upgrade\r\nUpgrade: xwebsocketx\r\n\r\n",
	"GET HEAD1.1\r\nHost: HOST\r\nConnection: upgrade\r\nUpgrade: foo, websocket\r\n\r\n",
	"GET HEAD1.1\r\nHost: HOST\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
	"GET HEAD1.0\r\nHost: HOST\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
	"POST HEAD1.1\r\nHost: HOST\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
}

// TestSmugglingBehindAnUpgrade: a request that only looks like an upgrade does not end the watch over its connection.
func TestSmugglingBehindAnUpgrade(t *testing.T) {
	r := newRig(t)
	plain, secure := r.Serve(false, text("no"), "plain.test"), r.Serve(true, text("no"), "secure.test")
	r.start(nil)
	anomalies := func() (n int) {
		for _, e := range r.Events.Events() {
			if e.Cause == "safety" && len(e.Findings) > 0 {
				n++
			}
		}
		return n
	}
	for i, c := range smuggling {
		for j, up := range badUpgrades {
			for _, inside := range []bool{false, true} {
				host, scheme, before := hostport("plain.test", plain), "http", anomalies()
				conn := net.Conn(nil)
				if inside {
					host, scheme = hostport("secure.test", secure), "https"
					conn = r.tls(host, "secure.test", "http/1.1")
				} else {
					conn = r.dial()
				}
				raw := strings.ReplaceAll(up, "HEAD", scheme+"://HOST/ HTTP/") + strings.ReplaceAll(c.raw, "http:", scheme+":")
				_, _ = io.WriteString(conn, strings.ReplaceAll(raw, "HOST", host))
				got, err := io.ReadAll(conn)
				_ = conn.Close()
				alive := j != 4 // HTTP/1.0 is not kept alive past a refusal of ours
				if n := strings.Count(string(got), "HTTP/1.1 400 "); err != nil || n != 1 && alive || strings.Contains(string(got), " 200 ") {
					t.Errorf("%s behind upgrade %d, inside %v: %v %.200q", c.name, j, inside, err, got)
				}
				if n := anomalies() - before; n != 1 && alive {
					t.Errorf("%s behind upgrade %d (%d), inside %v: %d events", c.name, j, i, inside, n)
				}
			}
		}
	}
	if plain.Conns.Load()+secure.Conns.Load() != 0 {
		t.Error("something reached the origin")
	}
}

// TestRefusedWebSocketEndsTheConnection: what follows a real upgrade that nobody agreed to is never read as HTTP.
func TestRefusedWebSocketEndsTheConnection(t *testing.T) {
	r := newRig(t)
	plain, secure := r.Serve(false, text("no socket"), "plain.test"), r.Serve(true, text("no socket"), "secure.test")
	r.start(nil)
	for _, o := range []*testnet.Origin{plain, secure} {
		name, target := "plain.test", "http://HOST"
		var conn net.Conn = r.dial()
		if o == secure {
			name, target = "secure.test", ""
			conn = r.tls(hostport(name, o), name, "http/1.1")
		}
		raw := "GET " + target + "/1 HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
			"GET " + target + "/2 HTTP/1.1\nHost: HOST\n\n" + "GET " + target + "/3 HTTP/1.1\r\nHost: HOST\r\n\r\n"
		_, _ = io.WriteString(conn, strings.ReplaceAll(raw, "HOST", hostport(name, o)))
		got, _ := io.ReadAll(conn)
		if strings.Count(string(got), "HTTP/1.1") != 1 || !strings.Contains(string(got), "Connection: close\r\n") || o.Requests.Load() != 1 {
			t.Errorf("%s: %d requests, %.300q", name, o.Requests.Load(), got)
		}
	}
}

func TestConnectMustNameItsHost(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("ok"), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	got := r.raw("CONNECT " + host + " HTTP/1.1\r\nHost: other.test\r\n\r\n")
	if e := r.Wait(1)[0]; !strings.HasPrefix(got, "HTTP/1.1 400") || e.Cause != "safety" || len(e.Findings) != 1 {
		t.Errorf("%.100q %+v", got, e)
	}
	for _, head := range []string{"1.1\r\nHost: ORIGIN.test", "1.0"} {
		c := r.dial()
		fmt.Fprintf(c, "CONNECT %s HTTP/%s\r\n\r\n", host, head)
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%q: %v %v", head, resp, err)
		}
		_ = c.Close()
	}
}

// TestHTTP2Pseudo: what net/http lets through is refused with an event that does not speak of the site.
func TestHTTP2Pseudo(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("ok"), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	f, send := r.h2(host, "origin.test")
	for i, c := range []struct {
		want   string
		fields []string
	}{
		{"421", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", host, "host", host, "host", "evil.test"}},
		{"400", []string{":method", "GET", ":scheme", "https", ":path", "https://evil.test/", ":authority", host}},
		{"400", []string{":method", "GET", ":scheme", "https", ":path", "https://" + host + "/", ":authority", host}},
		{"400", []string{":method", "GET /x HTTP/1.1", ":scheme", "https", ":path", "/", ":authority", host}},
		{"400", []string{":method", "GET", ":scheme", "https", ":path", "*", ":authority", host}},
	} {
		send(c.fields...)
		if got := status(t, f); got != c.want {
			t.Errorf("%v: %s, want %s", c.fields, got, c.want)
		}
		if e := r.Wait(i + 1)[i]; e.Verdict != "block" || e.Cause != "safety" {
			t.Errorf("%v: event %+v", c.fields, e)
		}
	}
	send(":method", "GET", ":scheme", "https", ":path", "/", ":authority", host, "host", host)
	if got := status(t, f); got != "200" || o.Requests.Load() != 1 {
		t.Errorf("%s, %d requests at the origin", got, o.Requests.Load())
	}
}

// TestEICARInTrailers: what stands behind a body is inspected before its end is released, whether it was announced or not.
func TestEICARInTrailers(t *testing.T) {
	r := newRig(t)
	big := strings.Repeat("all is well ", 20000)
	received := make(chan http.Header, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPost {
			if _, err := io.Copy(io.Discard, q.Body); err == nil {
				received <- q.Trailer
			}
			return
		}
		name := http.TrailerPrefix + "X-Sum"
		if strings.Contains(q.URL.Path, "announced") {
			name = "X-Sum"
			w.Header().Set("Trailer", name)
		}
		_, _ = io.WriteString(w, "body")
		if strings.Contains(q.URL.Path, "big") {
			_, _ = io.WriteString(w, big)
		}
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(name, eicar())
	})
	origins := map[string]*testnet.Origin{"http://plain.test": r.Serve(false, h, "plain.test"), "https://secure.test": r.Serve(true, h, "secure.test")}
	r.start(nil)
	for site, o := range origins {
		base := site + ":" + portText(o)
		for _, h2 := range []bool{false, true} {
			c := r.client(h2)
			for _, path := range []string{"/announced", "/late", "/big/announced", "/big/late"} {
				resp, err := c.Get(base + path)
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				page := resp.StatusCode == 403 && err == nil
				if cut := resp.StatusCode == 200 && err != nil; !page && !cut || strings.Contains(fmt.Sprint(resp.Trailer), "EICAR") {
					t.Errorf("%s h2 %v: %s %v %v", base+path, h2, resp.Status, err, resp.Trailer)
				}
			}
			for _, body := range []string{"data", big} {
				req, _ := http.NewRequest(http.MethodPost, base+"/", io.MultiReader(strings.NewReader(body)))
				req.Trailer = http.Header{"X-Up": {eicar()}}
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if r.body(resp); resp.StatusCode != 403 {
					t.Errorf("%s h2 %v, %d octets up: %s", base, h2, len(body), resp.Status)
				}
			}
		}
	}
	if len(received) != 0 {
		t.Errorf("the origin got a whole upload: %v", <-received)
	}
}

// script is an origin that answers each request with the same octets and closes.
func (r *rig) script(name, response string) (host string) {
	l := testnet.Listener(r.t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, response)
			}
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	addr := l.Addr().(*net.TCPAddr)
	r.Open(uint16(addr.Port))
	r.Resolver.Set(name, "127.0.0.1")
	return fmt.Sprintf("%s:%d", name, addr.Port)
}

// TestAmbiguousResponse: a page while there can be one, a broken transfer after that, the reason in the event in both cases.
func TestAmbiguousResponse(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	for name, c := range map[string]struct {
		response string
		late     bool
	}{
		"head":         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
		"chunk":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0x0\r\n\r\n", false},
		"trailer":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: a\r\n\r\n", false},
		"late chunk":   {fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0x0\r\n\r\n", len(big), big), true},
		"late trailer": {fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nA : b\r\n\r\n", len(big), big), true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			host := r.script("origin.test", c.response)
			r.start(nil)
			resp, err := r.client(false).Get("http://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if want := map[bool]int{false: 502, true: 200}[c.late]; resp.StatusCode != want || (err != nil) != c.late {
				t.Errorf("%s %v", resp.Status, err)
			}
			if e := r.Wait(1)[0]; e.Verdict != "block" || e.Cause != "safety" || (e.Aborted != "") != c.late {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// TestOurFieldsAreOurs: an origin cannot pass its answer off as a page of ours.
func TestOurFieldsAreOurs(t *testing.T) {
	r := newRig(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Weir-Event-Id", "made up")
		w.Header()["x-weir-other"] = []string{"made up"}
		w.Header().Set("Trailer", "X-Weir-Sum, X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Weir-Sum", "made up")
		w.Header().Set("X-Sum", "kept")
		w.Header().Set(http.TrailerPrefix+"X-Weir-Late", "made up")
	})
	origins := map[string]*testnet.Origin{"http://plain.test": r.Serve(false, h, "plain.test"), "https://secure.test": r.Serve(true, h, "secure.test")}
	r.start(nil)
	for site, o := range origins {
		for _, h2 := range []bool{false, true} {
			resp, body := r.get(r.client(h2), site+":"+portText(o)+"/")
			if all := fmt.Sprint(resp.Header, resp.Trailer); body != "body" || strings.Contains(all, "made up") || resp.Trailer.Get("X-Sum") != "kept" {
				t.Errorf("%s h2 %v: %q %s", site, h2, body, all)
			}
		}
	}
}

// TestEmptyLineBeforeARequest is tolerated once (RFC 9112 section 2.2), outside of tunnels and inside.
func TestEmptyLineBeforeARequest(t *testing.T) {
	r := newRig(t)
	plain, secure := r.Serve(false, text("ok"), "plain.test"), r.Serve(true, text("ok"), "secure.test")
	r.start(nil)
	want := []string{"200", "200", "400"}
	for _, o := range []*testnet.Origin{plain, secure} {
		name, target := "plain.test", "http://HOST/"
		var conn net.Conn = r.dial()
		if o == secure {
			name, target = "secure.test", "/"
			conn = r.tls(hostport(name, o), name, "http/1.1")
		}
		get := "GET " + target + " HTTP/1.1\r\nHost: HOST\r\n\r\n"
		raw := "\r\n" + "POST " + target + " HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nab" + "\r\n" + get + "\r\n\r\n" + get
		_, _ = io.WriteString(conn, strings.ReplaceAll(raw, "HOST", hostport(name, o)))
		var got []string
		for br := bufio.NewReader(conn); ; {
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				break
			}
			r.body(resp)
			got = append(got, itoa(resp.StatusCode))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if e := find(r.Events.Events(), func(e *event.Event) bool { return e.Cause == "safety" }); e == nil {
		t.Error("no event")
	}
}
