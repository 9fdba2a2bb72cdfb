package blockpage_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/blocklists"
	"weir/internal/ca"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/weburl"
	"weir/proxy/blockpage"
	"weir/proxy/session"
	"weir/proxy/upstream"
)

// update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite testdata")

func newGate(t testing.TB) *gate.Gate {
	t.Helper()
	engine := inspect.NewEngine(detect.All(), nil)
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: "malware-hosts", Category: "malware", Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(n, blocklists.Entry{Name: hostname.MustParse("evil.test"), Line: 7}); err != nil {
		t.Fatal(err)
	}
	clients, err := identity.NewTable(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	s, err := policy.Compile(policy.Config{
		Version: "test", Clients: clients, ConnectPorts: []uint16{443}, PlainPorts: []uint16{80}, Default: verdict.Allow,
		Reputation: map[verdict.Class]verdict.Action{verdict.ClassBad: verdict.Block}, Detectors: engine.Infos(),
		Rules: []policy.Rule{
			{Name: "no-games", Where: "weir.yaml:3", Text: "games <b>are</b> for \u202ebreaks\x1b[31m", Names: []string{".games.test"}},
			{Name: "quiet", Names: []string{"quiet.test"}, Answer: &verdict.Answer{Kind: verdict.AnswerRefused}},
			{Name: "gone", Names: []string{"gone.test"}, Answer: &verdict.Answer{Kind: verdict.AnswerDrop}},
		},
	}, b.Build())
	if err != nil {
		t.Fatal(err)
	}
	g := gate.New(gate.Config{Engine: engine, Recorder: event.Discard{}})
	g.Swap(s)
	return g
}

// ask makes a request of a client and takes it to the gate.
func ask(t testing.TB, g *gate.Gate, method, target string, header ...string) (*http.Request, *gate.Exchange, verdict.Verdict) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(method, "http://placeholder/", nil)
	req.URL, req.Host, req.RemoteAddr = u, u.Host, "10.0.0.9:50000"
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	s := session.Plain(g, netip.MustParseAddrPort("10.0.0.9:50000"))
	req = req.WithContext(session.WithSession(req.Context(), s))
	host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	x := g.Begin(inspect.HTTP, s.Flow, now)
	v := x.Request(now, gate.RequestHead{Scheme: u.Scheme, Method: method, Host: u.Host, URL: u, Proto: "HTTP/1.1", Header: req.Header, Target: host})
	return req, x, v
}

func read(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// changing is what differs from run to run.
var changing = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)

func golden(t *testing.T, name string, r *http.Response) {
	t.Helper()
	var b strings.Builder
	b.WriteString(r.Status + "\n")
	_ = r.Header.Write(&b)
	got := changing.ReplaceAllString(strings.ReplaceAll(b.String(), "\r\n", "\n")+"\n"+read(t, r), "(changing)")
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s changed (run with -update and review):\n%s", name, got)
	}
}

// TestGolden shows every form as it is sent.
func TestGolden(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, c := range []struct {
		name, method, target string
		header               []string
		err                  *upstream.Error
	}{
		{"list-html", "GET", "http://www.evil.test/a/b?token=SECRET&q=1#frag", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html,*/*;q=0.8"}, nil},
		{"rule-html", "GET", "http://user:pw@a.games.test/", []string{"Accept", "text/html"}, nil},
		{"list-json", "POST", "https://evil.test/api", []string{"Accept", "application/json", "Sec-Fetch-Dest", "empty"}, nil},
		{"list-plain", "GET", "https://evil.test/api", []string{"Accept", "*/*"}, nil},
		{"image", "GET", "https://evil.test/x.png", []string{"Sec-Fetch-Dest", "image", "Accept", "image/avif,*/*"}, nil},
		{"grpc", "POST", "https://evil.test/svc/Call", []string{"Content-Type", "application/grpc+proto"}, nil},
		{
			"certificate-html", "GET", "https://ok.test/",
			[]string{"Accept", "text/html"},
			&upstream.Error{Source: upstream.SourceBlocked, Kind: upstream.KindCertificate, Verdict: verdict.Refuse(verdict.SafetyCertificate), CertCode: ca.CodeExpired, CertText: "The certificate of the server expired on 1 January 2026 00:00 UTC."},
		},
		{"dns-plain", "GET", "https://ok.test/", nil, &upstream.Error{Source: upstream.SourceUpstream, Kind: upstream.KindDNS, Err: errors.New("lookup ok.test on 10.1.2.3:53: no such host")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, x, v := ask(t, g, c.method, c.target, c.header...)
			if c.err != nil {
				golden(t, c.name, blockpage.Error(req, x, c.err))
				return
			}
			golden(t, c.name, blockpage.Response(req, x, v))
		})
	}
}

// TestStatus is the table of statuses and Proxy-Status errors.
func TestStatus(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	up := func(k upstream.Kind) *upstream.Error {
		return &upstream.Error{Source: upstream.SourceUpstream, Kind: k}
	}
	refuse := func(s verdict.Safety) *upstream.Error {
		return &upstream.Error{Source: upstream.SourceBlocked, Kind: upstream.KindBlocked, Verdict: verdict.Refuse(s)}
	}
	for _, c := range []struct {
		err    *upstream.Error
		status int
		proxy  string
	}{
		{refuse(verdict.SafetyFraming), 400, "http_request_error"},
		{refuse(verdict.SafetyTarget), 400, "http_request_error"},
		{refuse(verdict.SafetyCertificate), 502, "tls_certificate_error"},
		{refuse(verdict.SafetyPrivateAddress), 403, "destination_ip_prohibited"},
		{refuse(verdict.SafetyMisdirected), 421, "http_request_denied"},
		{refuse(verdict.SafetyPort), 403, "http_request_denied"},
		{refuse(verdict.SafetyClient), 403, "http_request_denied"},
		{refuse(verdict.SafetyUpgrade), 403, "http_request_denied"},
		{refuse(verdict.SafetyLoop), 508, "proxy_loop_detected"},
		{refuse(verdict.SafetyLimit), 429, "http_request_denied"},
		{up(upstream.KindDNS), 502, "dns_error"},
		{up(upstream.KindDNSTimeout), 504, "dns_timeout"},
		{up(upstream.KindRefused), 502, "connection_refused"},
		{up(upstream.KindUnreachable), 502, "destination_ip_unroutable"},
		{up(upstream.KindTimeout), 504, "connection_timeout"},
		{up(upstream.KindTLS), 502, "tls_protocol_error"},
		{up(upstream.KindProtocol), 502, "http_protocol_error"},
		{up(upstream.KindResponseTimeout), 504, "http_response_timeout"},
		{up(upstream.KindClosed), 502, "connection_terminated"},
		{up(upstream.KindCanceled), 400, "http_request_error"},
		{&upstream.Error{}, 500, "proxy_internal_error"},
		{&upstream.Error{Source: upstream.SourceBlocked}, 403, "http_request_denied"},
	} {
		req, x, _ := ask(t, g, "GET", "https://ok.test/")
		r := blockpage.Error(req, x, c.err)
		body := read(t, r)
		if r.StatusCode != c.status || !strings.HasPrefix(r.Header.Get("Proxy-Status"), `weir; error=`+c.proxy+`; details="`) {
			t.Errorf("%v %v: %d %s", c.err.Kind, c.err.Verdict.Ref.Safety, r.StatusCode, r.Header.Get("Proxy-Status"))
		}
		if !strings.Contains(body, x.ID()) || r.Header.Get("X-Weir-Event-Id") != x.ID() {
			t.Errorf("%v: no event id: %s", c.err.Kind, body)
		}
	}
}

// TestCertificateNames: each failure has words of its own.
func TestCertificateNames(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	seen := map[string]string{}
	for _, code := range []string{
		ca.CodeExpired, ca.CodeNotYetValid, ca.CodeWrongHost, ca.CodeSelfSigned, ca.CodeUnknownRoot, ca.CodeNoSAN, ca.CodeBadSignature,
		ca.CodeRevoked, ca.CodeTLSVersion,
	} {
		req, x, _ := ask(t, g, "GET", "https://ok.test/", "Accept", "application/json")
		r := blockpage.Error(req, x, &upstream.Error{
			Source: upstream.SourceBlocked, Kind: upstream.KindCertificate, Verdict: verdict.Refuse(verdict.SafetyCertificate), CertCode: code, CertText: "words about " + code,
		})
		var got struct{ Title, Detail, Cause string }
		if err := json.Unmarshal([]byte(read(t, r)), &got); err != nil {
			t.Fatal(err)
		}
		if seen[got.Title] != "" || !strings.Contains(got.Detail, "words about "+code) || got.Cause != "certificate: "+code || r.StatusCode != 502 {
			t.Errorf("%s: %d %+v, as %q", code, r.StatusCode, got, seen[got.Title])
		}
		seen[got.Title] = code
	}
}

// TestForm says who gets what.
func TestForm(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, c := range []struct {
		name   string
		header []string
		want   string // Content-Type; "" is an empty body
	}{
		{"navigation", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, "text/html; charset=utf-8"},
		{"frame", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, "text/html; charset=utf-8"},
		{"old browser", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, "text/html; charset=utf-8"},
		{"old browser image", []string{"Accept", "image/webp,*/*;q=0.8"}, ""},
		{"script", []string{"Sec-Fetch-Dest", "script", "Accept", "*/*"}, ""},
		{"style", []string{"Sec-Fetch-Dest", "style", "Accept", "text/css,*/*;q=0.1"}, ""},
		{"fetch", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"}, ""},
		{"fetch of JSON", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json"}, "application/problem+json"},
		{"API", []string{"Accept", "application/vnd.x+json"}, "application/problem+json"},
		{"prefers JSON", []string{"Accept", "text/html;q=0.5, application/json"}, "application/problem+json"},
		{"prefers HTML", []string{"Accept", "application/json;q=0.5, text/html"}, "text/html; charset=utf-8"},
		{"refuses all", []string{"Accept", "*/*;q=0"}, ""},
		{"bad weight", []string{"Accept", "application/json;q=wrong"}, "application/problem+json"},
		{"curl", []string{"Accept", "*/*"}, "text/plain; charset=utf-8"},
		{"nothing", nil, "text/plain; charset=utf-8"},
		{"grpc", []string{"Content-Type", "application/grpc"}, "application/grpc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, x, v := ask(t, g, "GET", "https://evil.test/", c.header...)
			r := blockpage.Response(req, x, v)
			body := read(t, r)
			if got := r.Header.Get("Content-Type"); got != c.want {
				t.Errorf("Content-Type %q, want %q", got, c.want)
			}
			if (body == "") != (c.want == "" || c.want == "application/grpc") {
				t.Errorf("body %q", body)
			}
			if r.ContentLength != int64(len(body)) {
				t.Errorf("Content-Length %d for %d octets", r.ContentLength, len(body))
			}
		})
	}
}

// TestNothingGetsOut: secrets, markup and control characters of the request never stand in an answer.
func TestNothingGetsOut(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, accept := range []string{"text/html", "application/json", "*/*"} {
		req, x, v := ask(t, g, "GET", "http://user:CANARY@evil.test/%3Cscript%3Ealert(1)%3C/script%3E/%E2%80%AE?q=CANARY&password=CANARY#CANARY",
			"Accept", accept, "Authorization", "Bearer CANARY", "Cookie", "s=CANARY", "User-Agent", "CANARY")
		e := &upstream.Error{Source: upstream.SourceUpstream, Kind: upstream.KindTLS, Err: errors.New("CANARY 10.9.8.7"), CertText: "text"}
		for _, r := range []*http.Response{blockpage.Response(req, x, v), blockpage.Error(req, x, e)} {
			var b strings.Builder
			_ = r.Header.Write(&b)
			all := b.String() + read(t, r)
			for _, bad := range []string{"CANARY", "<script", "\u202e", "\x1b", "10.9.8.7"} {
				if strings.Contains(all, bad) {
					t.Errorf("%s: %q got out:\n%s", accept, bad, all)
				}
			}
		}
	}
}

// TestPolicyAllowsTheStyle: the digest in the header is that of the style sheet that is sent, and nothing else may load.
func TestPolicyAllowsTheStyle(t *testing.T) {
	t.Parallel()
	req, x, v := ask(t, newGate(t), "GET", "https://evil.test/", "Accept", "text/html")
	r := blockpage.Response(req, x, v)
	body := read(t, r)
	_, rest, _ := strings.Cut(body, "<style>")
	css, _, ok := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !ok || !strings.Contains(r.Header.Get("Content-Security-Policy"), want) {
		t.Errorf("%s not in %s", want, r.Header.Get("Content-Security-Policy"))
	}
	for _, bad := range []string{"src=", "href=", "@import", "url("} {
		if strings.Contains(body, bad) {
			t.Errorf("the page loads something: %s", bad)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	req, x, v := ask(t, g, "GET", "https://quiet.test/", "Accept", "text/html")
	if r := blockpage.Response(req, x, v); r.StatusCode != 403 || read(t, r) != "" || r.Close || blockpage.Drops(v) {
		t.Errorf("refused: %+v", r)
	}
	req, x, v = ask(t, g, "GET", "https://gone.test/", "Accept", "text/html")
	if r := blockpage.Response(req, x, v); read(t, r) != "" || !r.Close || !blockpage.Drops(v) {
		t.Errorf("drop: %+v", r)
	}
	if blockpage.Drops(verdict.Verdict{Action: verdict.Allow, Answer: verdict.Answer{Kind: verdict.AnswerDrop}}) {
		t.Error("an allowed request is dropped")
	}
	req, x, v = ask(t, g, "HEAD", "https://evil.test/", "Accept", "text/html")
	if r := blockpage.Response(req, x, v); read(t, r) != "" || r.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %+v", r)
	}
}

// TestConnect: the answer to a CONNECT without a session and without URL.
func TestConnect(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	now := time.Now()
	s := session.Plain(g, netip.MustParseAddrPort("10.0.0.9:50000"))
	x := g.Begin(inspect.Tunnel, s.Flow, now)
	v := x.Connect(now, "evil.test:443")
	req := (&http.Request{Method: http.MethodConnect, Host: "evil.test:443", RemoteAddr: "10.0.0.9:50000", Header: http.Header{}}).WithContext(context.Background())
	if body := read(t, blockpage.Response(req, x, v)); !strings.Contains(body, "evil.test:443") || !strings.Contains(body, "malware-hosts") {
		t.Error(body)
	}
	x = g.Begin(inspect.Tunnel, s.Flow, now)
	v = x.Connect(now, "not a host")
	req.Host = "not a host"
	if r := blockpage.Response(req, x, v); r.StatusCode != 400 {
		t.Error(r.Status)
	}
}

func TestCloseReason(t *testing.T) {
	t.Parallel()
	_, x, v := ask(t, newGate(t), "GET", "https://evil.test/")
	if got := blockpage.CloseReason(x, v); got != "blocked "+x.ID() {
		t.Error(got)
	}
	if got := blockpage.CloseReason(x, verdict.Refuse(verdict.SafetyWebSocket)); got != "blocked "+x.ID()+" websocket-violation" || len(got) > 123 {
		t.Error(got)
	}
}

// FuzzResponse: whatever the client sends, the answer is one that net/http can write, its Proxy-Status is an sf-string, and no
// control character stands in the body.
func FuzzResponse(f *testing.F) {
	f.Add("evil.test", "/a?b=c", "text/html", "navigate")
	f.Add("evil.test:443", "/\x00<>\"\u202e", "application/json;q=0.1,*/*", "")
	g := newGate(f)
	proxyStatus := regexp.MustCompile(`^weir; error=[a-z_]+; details="([ !#-\[\]-~]|\\["\\])*"$`)
	f.Fuzz(func(t *testing.T, host, path, accept, mode string) {
		s := session.Plain(g, netip.MustParseAddrPort("10.0.0.9:50000"))
		now := time.Now()
		x := g.Begin(inspect.Tunnel, s.Flow, now)
		v := x.Connect(now, host)
		req := &http.Request{Method: "GET", Host: host, URL: &url.URL{Scheme: "https", Host: host, Path: path}, Header: http.Header{"Accept": {accept}, "Sec-Fetch-Mode": {mode}}}
		r := blockpage.Response(req, x, v)
		if got := r.Header.Get("Proxy-Status"); !proxyStatus.MatchString(got) {
			t.Errorf("Proxy-Status %q", got)
		}
		for _, c := range read(t, r) {
			if c < ' ' && c != '\n' || c == 0x7f || c == '\u202e' {
				t.Errorf("%q in the body", c)
			}
		}
	})
}
