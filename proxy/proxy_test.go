package proxy_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir/internal/event"
)

func TestPlainMethods(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		w.Header().Set("X-Via", strings.Join(q.Header["Via"], ","))
		w.Header().Set("Alt-Svc", `h3=":443"`)
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		_, _ = io.WriteString(w, q.Method+" "+q.Host+" "+q.URL.String()+" "+string(b)+q.Header.Get("Proxy-Connection")+q.Header.Get("X-Nominated"))
	}), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} {
		req, _ := http.NewRequest(method, "http://"+host+"/a/../b?q=1", strings.NewReader("data"))
		req.Header.Set("Connection", "X-Nominated")
		req.Header.Set("X-Nominated", "secret")
		resp, err := r.client(false).Do(req)
		if err != nil {
			t.Fatal(method, err)
		}
		body := r.body(resp)
		want := method + " " + host + " /a/../b?q=1 data"
		if method == "HEAD" {
			want = ""
			if resp.ContentLength <= 0 {
				t.Errorf("HEAD lost its Content-Length")
			}
		}
		if resp.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", method, resp.StatusCode, body, want)
		}
		if !strings.Contains(resp.Header.Get("X-Via"), "weir-") || resp.Header.Get("Alt-Svc") != "" || resp.Header.Get("X-Hop") != "" {
			t.Errorf("%s: headers %v", method, resp.Header)
		}
	}
	events := r.Wait(7)
	e := find(events, func(e *event.Event) bool { return e.Method == "POST" })
	if e == nil || e.Status != 200 || e.Sent != 4 || e.Verdict != "allow" || e.Server.Port() != o.Port || e.Received == 0 {
		t.Errorf("event %+v", e)
	}
}

func TestInterceptHTTP1AndHTTP2(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, q.Proto+" "+q.Host)
	}), "origin.test")
	r.start(nil)
	host := hostport("origin.test", o)
	for _, h2 := range []bool{false, true} {
		resp, body := r.get(r.client(h2), "https://"+host+"/x")
		if resp.StatusCode != 200 || (resp.ProtoMajor == 2) != h2 || body != "HTTP/2.0 "+host {
			t.Errorf("h2 %v: %s %q", h2, resp.Proto, body)
		}
		if resp.TLS.PeerCertificates[0].Issuer.String() != r.authority.Certificate().Subject.String() {
			t.Error("not our certificate")
		}
	}
	events := r.Wait(2)
	e := find(events, func(e *event.Event) bool { return e.Kind == event.KindHTTP })
	if e == nil || e.SNI != "origin.test" || e.URL != "https://"+host+"/x" {
		t.Errorf("event %+v", e)
	}
}

func TestBlockedNames(t *testing.T) {
	r := newRig(t)
	o := r.Serve(true, text("no"), "bad.test")
	p := r.Serve(false, text("no"), "worse.test")
	r.start(nil, "bad.test", "worse.test")
	resp, body := r.get(r.client(true), "https://"+hostport("bad.test", o)+"/")
	mustBlock(t, resp, body)
	resp, body = r.get(r.client(false), "http://"+hostport("worse.test", p)+"/")
	mustBlock(t, resp, body)
	if o.Conns.Load()+p.Conns.Load() != 0 {
		t.Error("something reached the origin")
	}
	if r.Resolver.Asked() != 0 {
		t.Error("a blocked name was resolved")
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func TestEICARIsStopped(t *testing.T) {
	r := newRig(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		switch q.URL.Path {
		case "/plain":
			_, _ = io.WriteString(w, eicar())
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, gzipped(eicar()))
		case "/chunked":
			for _, c := range eicar() {
				_, _ = io.WriteString(w, string(c))
				_ = http.NewResponseController(w).Flush()
			}
		default:
			_, _ = io.WriteString(w, "ok")
		}
	})
	plain, secure := r.Serve(false, h, "plain.test"), r.Serve(true, h, "secure.test")
	r.start(nil)
	for _, path := range []string{"/plain", "/gzip", "/chunked"} {
		resp, body := r.get(r.client(false), "http://"+hostport("plain.test", plain)+path)
		mustBlock(t, resp, body)
		for _, h2 := range []bool{false, true} {
			resp, body := r.get(r.client(h2), "https://"+hostport("secure.test", secure)+path)
			mustBlock(t, resp, body)
			if strings.Contains(body, "EICAR-STANDARD") {
				t.Error("the page holds the body")
			}
		}
	}
	before := secure.Requests.Load()
	for _, h2 := range []bool{false, true} {
		resp, err := r.client(h2).Post("https://"+hostport("secure.test", secure)+"/up", "application/octet-stream", strings.NewReader(eicar()))
		if err != nil {
			t.Fatal(err)
		}
		mustBlock(t, resp, r.body(resp))
	}
	if secure.Requests.Load() != before {
		t.Error("the upload reached the origin")
	}
}

func TestObserveModePassesAndSaysSo(t *testing.T) {
	r := newRig(t)
	o := r.Serve(false, text(eicar()), "origin.test")
	r.Config.Observe = true
	r.start(nil)
	resp, body := r.get(r.client(false), "http://"+hostport("origin.test", o)+"/")
	if resp.StatusCode != 200 || body != eicar() {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if e := r.Wait(1)[0]; e.Verdict != "log" || e.Would != "block" || len(e.Findings) == 0 {
		t.Errorf("event %+v", e)
	}
}

func TestLateBlockAborts(t *testing.T) {
	r := newRig(t)
	filler := strings.Repeat("all is well ", 20000)
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/length" {
			w.Header().Set("Content-Length", itoa(len(filler)+68))
		}
		_, _ = io.WriteString(w, filler+eicar())
	})
	o := r.Serve(true, h, "origin.test")
	r.start(nil)
	for _, h2 := range []bool{false, true} {
		for _, path := range []string{"/", "/length"} {
			resp, err := r.client(h2).Get("https://" + hostport("origin.test", o) + path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil || strings.Contains(string(b), eicar()) || resp.StatusCode != 200 {
				t.Errorf("h2 %v %s: %d octets of %d, %v", h2, path, len(b), len(filler), err)
			}
		}
	}
	events := r.Wait(4)
	e := find(events, func(e *event.Event) bool { return e.Kind == event.KindHTTP })
	if e == nil || e.Aborted == "" || e.Verdict != "block" {
		t.Errorf("event %+v", e)
	}
}
