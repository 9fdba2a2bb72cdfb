package gate_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/blocklists"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// rig is a gate with the real detectors, a small policy and a recorder that keeps events.
type rig struct {
	*gate.Gate
	events *event.Memory
	engine *inspect.Engine
}

func newRig(t testing.TB, change func(*policy.Config)) *rig {
	t.Helper()
	engine := inspect.NewEngine(detect.All(), nil)
	r := &rig{events: &event.Memory{}, engine: engine}
	r.Gate = gate.New(gate.Config{Engine: engine, Recorder: r.events, Allowed: true})
	r.Swap(snapshot(t, engine, change))
	return r
}

func snapshot(t testing.TB, engine *inspect.Engine, change func(*policy.Config)) *policy.Snapshot {
	t.Helper()
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: "bad", Category: "malware", Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(n, blocklists.Entry{Name: hostname.MustParse("evil.test"), Line: 7}); err != nil {
		t.Fatal(err)
	}
	return snapshotOf(t, engine, b.Build(), change)
}

func snapshotOf(t testing.TB, engine *inspect.Engine, lists *blocklists.Set, change func(*policy.Config)) *policy.Snapshot {
	t.Helper()
	clients, err := identity.NewTable(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	cfg := policy.Config{
		Version: "test", Clients: clients, ConnectPorts: []uint16{443}, PlainPorts: []uint16{80}, Default: verdict.Allow,
		Reputation: map[verdict.Class]verdict.Action{verdict.ClassBad: verdict.Block}, Detectors: engine.Infos(),
		Failures: policy.Failures{Limit: verdict.Log, Error: verdict.Log, Timeout: verdict.Log},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := policy.Compile(cfg, lists)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) flow() *inspect.Flow {
	addr := netip.MustParseAddrPort("10.0.0.9:50000")
	return &inspect.Flow{Client: r.Policy().Client(addr.Addr()), Remote: addr, Transport: "tcp"}
}

func (r *rig) request(t testing.TB, target string, header http.Header) *gate.Exchange {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	x := r.Begin(inspect.HTTP, r.flow(), now)
	x.Request(now, gate.RequestHead{Scheme: u.Scheme, Method: "POST", Host: u.Host, URL: u, Proto: "HTTP/1.1", Header: header, Target: host})
	return x
}

// eicar is the test file, put together here so that no scanner mistakes this source for it.
func eicar() []byte {
	return []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + `ANTIVIRUS-TEST-FILE!$H+H*`)
}

func gz(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func deflate(p []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func br(p []byte) []byte {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func zst(t testing.TB, p []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(p, nil)
}

// TestEICARAtEveryCut: the body is stopped before its last bytes are released, in every coding and with every cut.
func TestEICARAtEveryCut(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	body := append([]byte("some text before "), eicar()...)
	for _, c := range []struct {
		name, coding string
		body         []byte
	}{
		{"plain", "", body},
		{"gzip", "gzip", gz(body)},
		{"deflate", "deflate", deflate(body)},
		{"br", "br", br(body)},
		{"zstd", "zstd", zst(t, body)},
		{"gzip in gzip", "gzip, gzip", gz(gz(body))},
		{"br in gzip", "br, gzip", gz(br(body))},
		{"gzip file in gzip", "gzip", gz(gz(body))},
		{"br behind 300 KiB of zeros", "br", br(append(make([]byte, 300<<10), eicar()...))},
		{"base64 in JSON", "", []byte(`{"a":1,"file":"` + base64.StdEncoding.EncodeToString(eicar()) + `"}`)},
		{"base64 of gzip in JSON", "", []byte(`{"file":"` + base64.StdEncoding.EncodeToString(gz(eicar())) + `"}`)},
	} {
		for cut := range len(c.body) + 1 {
			for _, phase := range []inspect.Phase{inspect.RequestData, inspect.ResponseData} {
				head := http.Header{"Content-Encoding": {c.coding}}
				if c.coding == "" {
					head = http.Header{}
				}
				x := r.request(t, "http://fine.test/", head)
				if phase == inspect.ResponseData {
					x = r.request(t, "http://fine.test/", http.Header{})
					x.Response(now, 200, "HTTP/1.1", head)
				}
				x.Data(now, phase, c.body[:cut])
				x.Data(now, phase, c.body[cut:])
				if v := x.End(now, phase); !v.Blocks() || v.Cause != verdict.CauseDetector {
					t.Fatalf("%s cut at %d in phase %d: %+v", c.name, cut, phase, v)
				}
				x.Done(now)
			}
		}
	}
}

func TestObserveModeLetsThroughAndSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *policy.Config) { c.Observe = true })
	x := r.request(t, "http://evil.test/", http.Header{})
	x.Response(now, 200, "HTTP/1.1", http.Header{})
	x.Data(now, inspect.ResponseData, eicar())
	x.End(now, inspect.ResponseData)
	x.Done(now)
	e := r.events.Events()[0]
	if x.Verdict().Blocks() || e.Verdict != "log" || e.Would != "block" || e.Mode != "observe" || len(e.Findings) == 0 || e.List.Name != "bad" || e.List.Line != 7 {
		t.Errorf("event %+v", e)
	}
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, connect string
		open          gate.Opening
		blocked       bool
		cause         verdict.Cause
	}{
		{"fine", "fine.test:443", gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "fine.test"}}, false, verdict.CauseDefault},
		{"listed", "evil.test:443", gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "evil.test"}}, true, verdict.CauseReputation},
		{"listed in SNI", "fine.test:443", gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "evil.test"}}, true, verdict.CauseReputation},
		{"fronting", "fine.test:443", gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "other.test"}}, true, verdict.CauseDetector},
		{"ssh", "fine.test:443", gate.Opening{First: inspect.FirstOther, Peek: []byte("SSH-2.0-x\r\n")}, true, verdict.CauseDetector},
		{"silent", "fine.test:443", gate.Opening{First: inspect.FirstNone}, true, verdict.CauseDetector},
		{"http", "fine.test:443", gate.Opening{First: inspect.FirstHTTP, Peek: []byte("GET / HTTP/1.1\r\n")}, false, verdict.CauseDefault},
		{"port", "fine.test:22", gate.Opening{}, true, verdict.CauseSafety},
		{"bad target", "a b:443", gate.Opening{}, true, verdict.CauseSafety},
		{"private literal", "10.0.0.1:443", gate.Opening{}, true, verdict.CauseSafety},
		{"private literal spelt oddly", "0x7f.1:443", gate.Opening{}, true, verdict.CauseSafety},
	} {
		r := newRig(t, nil)
		x := r.Begin(inspect.Tunnel, r.flow(), now)
		v := x.Connect(now, c.connect)
		if !v.Blocks() {
			v = x.Tunnel(now, c.open)
		}
		if v.Blocks() != c.blocked || v.Cause != c.cause {
			t.Errorf("%s: %+v, want blocked %v by %v", c.name, v, c.blocked, c.cause)
		}
		x.Done(now)
		if e := r.events.Events(); len(e) != 1 || e[0].Verdict != v.Action.String() || len(e[0].Trace) == 0 {
			t.Errorf("%s: events %+v", c.name, e)
		}
	}
}

func TestMisdirectedRequestIsSafety(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *policy.Config) { c.Observe = true })
	flow := r.flow()
	flow.Authorized = hostname.Authority{Name: hostname.MustParse("fine.test"), Port: 443}
	for host, blocked := range map[string]bool{"fine.test": false, "FINE.test.": false, "fine.test:443": false, "evil.test": true, "fine.test:8443": true} {
		x := r.Begin(inspect.HTTP, flow, now)
		v := x.Request(now, gate.RequestHead{Scheme: "https", Method: "GET", Host: host, URL: &url.URL{Path: "/"}, Proto: "HTTP/1.1", Header: http.Header{}, Target: flow.Authorized})
		if v.Blocks() != blocked || blocked && v.Ref.Safety != verdict.SafetyMisdirected {
			t.Errorf("Host %q: %+v", host, v)
		}
	}
}

func TestStrangersAreNotServed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	flow := &inspect.Flow{Client: r.Policy().Client(netip.MustParseAddr("192.0.2.1"))}
	dns := r.Begin(inspect.DNS, flow, now)
	web := r.Begin(inspect.HTTP, flow, now)
	tun := r.Begin(inspect.Tunnel, flow, now)
	target := hostname.Authority{Name: hostname.MustParse("fine.test"), Port: 80}
	for i, v := range []verdict.Verdict{
		dns.Query(now, inspect.Question{Name: target.Name, Type: 1, Class: 1}),
		web.Request(now, gate.RequestHead{Scheme: "http", URL: &url.URL{}, Header: http.Header{}, Target: target}),
		tun.Connect(now, "fine.test:443"),
	} {
		if !v.Blocks() || v.Ref.Safety != verdict.SafetyClient {
			t.Errorf("%d: %+v", i, v)
		}
	}
}

func TestNothingIsAdmittedBeforeThePolicy(t *testing.T) {
	t.Parallel()
	g := gate.New(gate.Config{Engine: inspect.NewEngine(detect.All(), nil), Recorder: &event.Memory{}})
	x := g.Begin(inspect.DNS, &inspect.Flow{Client: identity.Client{Served: true}}, now)
	if v := x.Query(now, inspect.Question{Name: hostname.MustParse("fine.test"), Type: 1, Class: 1}); !v.Blocks() {
		t.Errorf("%+v", v)
	}
	x.Done(now)
}

func TestFailureModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		modes policy.Failures
		want  verdict.Action
	}{
		{"block", policy.Failures{}, verdict.Block},
		{"log", policy.Failures{Error: verdict.Log, Limit: verdict.Log}, verdict.Log},
	} {
		r := newRig(t, func(p *policy.Config) { p.Failures = c.modes })
		x := r.request(t, "http://fine.test/", http.Header{"Content-Encoding": {"gzip"}})
		x.Data(now, inspect.RequestData, []byte("this is no gzip"))
		if v := x.End(now, inspect.RequestData); v.Action != c.want || v.Cause != verdict.CauseError {
			t.Errorf("%s: %+v", c.name, v)
		}
		x.Done(now)
		if got := r.events.Events()[0].Inspected; len(got) != 1 || got[0].Outcome != "error" {
			t.Errorf("%s: inspected %+v", c.name, got)
		}
	}
}

// TestHarmlessFindingsHideNothing: findings that only log do not keep a later one from being judged.
func TestHarmlessFindingsHideNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	x := r.request(t, "http://fine.test/", http.Header{})
	script := `"` + base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\necho this is a script that is long enough\n")) + `" ; `
	x.Data(now, inspect.RequestData, []byte(strings.Repeat(script, 3*inspect.MaxMatches)))
	if x.Verdict().Blocks() {
		t.Fatal("scripts only log")
	}
	if !x.Data(now, inspect.RequestData, eicar()).Blocks() {
		t.Fatal("EICAR behind many findings must block")
	}
	x.Done(now)
	e := r.events.Events()[0]
	seen := false
	for _, f := range e.Findings {
		seen = seen || f.Detector == "eicar"
	}
	if last := e.Trace[len(e.Trace)-1]; !seen || last.Detector != "eicar" {
		t.Errorf("what blocked is not in the event: %+v", e)
	}
}

// TestBombsAreBlockedByDefault: content codings that expand beyond all use hide what is behind; an archive is a matter of size.
func TestBombsAreBlockedByDefault(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *policy.Config) { c.Failures = policy.Failures{Limit: verdict.Log, Error: verdict.Log} })
	bomb := gz(append(make([]byte, 20<<20), eicar()...))
	for _, c := range []struct {
		name, coding string
		blocked      bool
	}{{"coding", "gzip", true}, {"archive", "", false}} {
		head := http.Header{}
		if c.coding != "" {
			head.Set("Content-Encoding", c.coding)
		}
		x := r.request(t, "http://fine.test/", head)
		x.Data(now, inspect.RequestData, bomb)
		if v := x.End(now, inspect.RequestData); v.Blocks() != c.blocked || v.Cause != verdict.CauseLimit {
			t.Errorf("%s: %+v", c.name, v)
		}
		x.Done(now)
	}
}

// TestEveryFailureIsJudged: an earlier failure that logs does not hide a later one that blocks.
func TestEveryFailureIsJudged(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *policy.Config) {
		c.Failures = policy.Failures{Expansion: verdict.Log, Limit: verdict.Log}
	})
	deep := eicar()
	for range 7 {
		deep = gz(deep)
	}
	x := r.request(t, "http://fine.test/", http.Header{"Content-Encoding": {"gzip"}})
	x.Data(now, inspect.RequestData, deep)
	if x.Verdict().Blocks() {
		t.Fatalf("nesting only logs here: %+v", x.Verdict())
	}
	x.Data(now, inspect.RequestData, []byte("\x1f\x8b\x08 and then no gzip"))
	if v := x.End(now, inspect.RequestData); !v.Blocks() || v.Cause != verdict.CauseError {
		t.Errorf("%+v", v)
	}
}

func TestControlAndTrailers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	x := r.request(t, "http://fine.test/", http.Header{})
	x.Message(now, inspect.RequestData)
	x.Data(now, inspect.RequestData, []byte("an open message"))
	if x.Control(now, inspect.RequestData, []byte("ping")).Blocks() {
		t.Fatal("a harmless ping")
	}
	if !x.Control(now, inspect.RequestData, eicar()).Blocks() {
		t.Error("EICAR in a control frame inside a message")
	}
	y := r.request(t, "http://fine.test/", http.Header{})
	if y.Trailers(now, inspect.ResponseData, http.Header{"X-Sum": {"abc"}}).Blocks() || !y.Trailers(now, inspect.ResponseData, http.Header{"X-Data": {string(eicar())}}).Blocks() {
		t.Error("trailers are not inspected")
	}
}

// TestLyingContentEncoding: what is hidden under a coding that is unknown, wrong or doubled is found.
func TestLyingContentEncoding(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, coding := range []string{"foo", "none", "gzip;q=1", "aes128gcm, gzip", "br", "identity"} {
		x := r.request(t, "http://fine.test/", http.Header{"Content-Encoding": {coding}})
		x.Data(now, inspect.RequestData, gz(eicar()))
		if v := x.End(now, inspect.RequestData); !v.Blocks() || v.Cause != verdict.CauseDetector {
			t.Errorf("gzip under %q: %+v", coding, v)
		}
	}
	x := r.request(t, "http://fine.test/", http.Header{"Content-Encoding": {"gzip"}})
	x.Data(now, inspect.RequestData, []byte(`{"f":"`+base64.StdEncoding.EncodeToString(gz(eicar()))+`"}`))
	if v := x.End(now, inspect.RequestData); !v.Blocks() {
		t.Errorf("base64 under gzip: %+v", v)
	}
}

func TestAgainUnderANewPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	x := r.Begin(inspect.Tunnel, r.flow(), now)
	x.Connect(now, "fine.test:443")
	server := netip.MustParseAddr("93.184.216.34")
	if x.Again(now, server).Blocks() {
		t.Fatal("must still be allowed")
	}
	r.Swap(snapshot(t, r.engine, func(c *policy.Config) {
		c.Rules = []policy.Rule{{Name: "gone", Names: []string{"fine.test"}, Action: policy.RuleBlock}}
	}))
	v := x.Again(now, server)
	if !v.Blocks() {
		t.Fatalf("%+v", v)
	}
	x.Cut(now, v, "reset")
	x.Done(now)
	x.Done(now)
	events := r.events.Events()
	if len(events) != 2 || events[0].Kind != event.KindCut || events[0].Rule.Name != "gone" || events[0].Transaction != events[1].ID || events[1].Aborted != "reset" {
		t.Errorf("events %+v", events)
	}
}

func TestWebSocketFindingsAreEventsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	u := &url.URL{Path: "/chat"}
	target := hostname.Authority{Name: hostname.MustParse("fine.test"), Port: 80}
	x := r.Begin(inspect.HTTP, r.flow(), now)
	x.Request(now, gate.RequestHead{Scheme: "ws", Method: "GET", Host: "fine.test", URL: u, Header: http.Header{}, Target: target, WebSocket: true})
	x.Response(now, 101, "HTTP/1.1", http.Header{})
	x.Message(now, inspect.ResponseData)
	x.Data(now, inspect.ResponseData, []byte("hello"))
	if x.End(now, inspect.ResponseData).Blocks() {
		t.Fatal("a harmless message")
	}
	x.Message(now, inspect.RequestData)
	for _, part := range bytes.SplitAfter(eicar(), []byte("-")) {
		x.Data(now, inspect.RequestData, part)
	}
	if !x.End(now, inspect.RequestData).Blocks() {
		t.Fatal("EICAR in fragments must block")
	}
	if e := r.events.Events(); len(e) != 1 || e[0].Kind != event.KindFinding || e[0].Transaction != x.ID() || !strings.HasPrefix(e[0].Findings[0].Where, "upload") {
		t.Fatalf("events %+v", e)
	}
	x.Done(now)
	if e := r.events.Events(); len(e) != 2 || e[1].Kind != event.KindWebSocket {
		t.Fatalf("events %+v", e)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	client := netip.MustParseAddr("10.0.0.1")
	for target, blocked := range map[string]bool{
		"evil.test": true, "a.evil.test": true, "fine.test": false, "https://evil.test/x": true, "https://fine.test/": false, "http://evil.test": true,
		"wss://evil.test/": true, "10.0.0.1": true, "http://10.0.0.1/": true, "93.184.216.34": false, "https://fine.test:22/": true, "http://fine.test:22/": true,
	} {
		x, err := r.Check(now, client, target)
		if err != nil || x.Verdict().Blocks() != blocked {
			t.Errorf("%s: %+v, %v", target, x.Verdict(), err)
		}
	}
	for _, bad := range []string{"", "ftp://x.test/", "http://", "a b", "http://a b/"} {
		if _, err := r.Check(now, client, bad); err == nil {
			t.Errorf("%q must be refused", bad)
		}
	}
}
