package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden and the examples of docs/events.md")

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, e := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := encoder().Append(nil, e)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("run with -update if this is meant\n got %s\nwant %s", got, want)
			}
			if bytes.Contains(got, []byte("CANARY")) {
				t.Errorf("a secret is in the line: %s", got)
			}
		})
	}
}

// decode checks the frame of a line and returns its object.
func decode(t testing.TB, line []byte) map[string]any {
	t.Helper()
	if n := len(line); n == 0 || line[n-1] != '\n' || bytes.IndexByte(line, '\n') != n-1 {
		t.Fatalf("not exactly one line: %q", line)
	}
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return m
}

// at returns the value at a dotted path; "<absent>" when there is none.
func at(m map[string]any, path string) any {
	var v any = m
	for k := range strings.SplitSeq(path, ".") {
		o, ok := v.(map[string]any)
		if !ok {
			return "<absent>"
		}
		if v, ok = o[k]; !ok {
			return "<absent>"
		}
	}
	return v
}

func list(words ...any) []any { return words }

// TestFields is the differential test: the standard decoder must find what was put in.
func TestFields(t *testing.T) {
	t.Parallel()
	const absent = "<absent>"
	tests := map[string]map[string]any{
		"http": {
			"@timestamp": "2026-11-22T10:00:00.123456Z", "ecs.version": "9.0.0", "event.kind": "event", "event.category": list("web", "network"),
			"event.type": list("access", "protocol", "allowed"), "event.action": "http-request", "event.outcome": "success",
			"event.duration": 12345678.0, "event.severity": absent, "source.ip": "10.0.0.7", "source.port": 50123.0, "source.bytes": 312.0,
			"destination.ip": "203.0.113.5", "destination.port": 443.0, "destination.bytes": 48213.0, "destination.domain": "www.example.com",
			"url.full": "https://www.example.com/login?user=***&next=***", "url.domain": "www.example.com", "url.path": "/login", "url.scheme": "https",
			"http.version": "2", "http.request.mime_type": "application/json", "http.request.referrer": "https://www.example.com/start?session=***",
			"http.response.status_code": 200.0, "tls.version": "1.3", "tls.client.server_name": "www.example.com",
			"network.application": absent, "network.protocol": "http", "network.transport": "tcp", "network.type": "ipv4",
			"related.ip": list("10.0.0.7", "203.0.113.5"), "related.hosts": list("www.example.com"), "rule": absent, "threat": absent, "dns": absent,
			"weir.schema": 1.0, "weir.verdict": "allow", "weir.tls.mode": "intercept", "weir.policy.version": "9f3c2a10", "weir.mitigation": absent,
			"observer.type": "proxy", "observer.hostname": "weir-1", "weir.dropped": absent,
		},
		"http-blocked": {
			"event.kind": "alert", "event.category": list("web", "network", "intrusion_detection"), "event.type": list("access", "protocol", "denied"),
			"event.outcome": "failure", "event.severity": 73.0, "event.risk_score": 73.0, "destination.port": 80.0, "destination.ip": absent,
			"rule.name": "c2-high", "rule.ruleset": "lists", "weir.list.source": "https://lists.example/c2.txt?key=***",
			"weir.list.line": 17.0, "weir.mitigation": list("M1037"), "weir.verdict": "block",
		},
		"http-observed": {
			"event.kind": "alert", "event.type": list("access", "protocol", "info"), "event.outcome": "success", "event.severity": 73.0,
			"event.risk_score": 65.0, "weir.would": "block", "weir.mode": "observe", "rule.id": "weir.yaml:42", "rule.ruleset": "policy",
			"threat.tactic.id": list("TA0011", "TA0005"), "threat.technique.id": list("T1105", "T1027"),
			"threat.technique.subtechnique": absent, "weir.mitigation": list("M1031", "M1037"), "weir.tls.ech": true, "weir.dropped": 2.0,
			"destination.ip": "2001:db8::5",
		},
		"connect-cert": {"weir.cert_error": "expired", "event.severity": 47.0, "error.message": "dial https://old.example/x?y=***: certificate has expired"},
		"websocket": {
			"network.application": "websocket", "url.scheme": "wss", "threat.technique.id": list("T1071"),
			"threat.technique.subtechnique.id": list("T1071.001"), "threat.tactic.name": list("Command and Control"),
			"weir.websocket.messages_sent": 12.0, "weir.websocket.close_code": 1008.0, "weir.aborted": "close-1008", "event.risk_score": 99.0,
		},
		"dns": {
			"dns.id": "4711", "dns.question.registered_domain": "example.co.uk", "dns.resolved_ip": list("203.0.113.7"), "dns.response_code": "NOERROR",
			"related.hosts": list("www.example.co.uk", "edge.cdn.example"), "source.ip": "10.0.0.7", "network.type": "ipv4", "weir.dns.ede": absent,
			"event.type": list("protocol", "allowed"),
		},
		"dns-blocked": {"weir.dns.ede": 15.0, "event.type": list("protocol", "denied"), "event.kind": "alert", "network.type": "ipv6", "event.severity": 47.0},
		"finding":     {"event.action": "finding", "event.kind": "alert", "event.type": list("info"), "weir.transaction_id": id("6"), "rule.name": "eicar", "rule.ruleset": "detectors"},
		"cut":         {"event.action": "connection-cut", "event.type": list("connection", "end", "denied"), "weir.aborted": "reset"},
		"system":      {"event.action": "system", "event.kind": "event", "event.category": list("configuration"), "message": "policy reloaded", "source": absent, "network": absent},
	}
	all := samples()
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := decode(t, encoder().Append(nil, all[name]))
			for path, v := range want {
				if got := at(m, path); !reflect.DeepEqual(got, v) {
					t.Errorf("%s: got %#v, want %#v", path, got, v)
				}
			}
		})
	}
}

func TestZeroEvent(t *testing.T) {
	t.Parallel()
	m := decode(t, (&event.Encoder{}).Append(nil, &event.Event{}))
	if got := at(m, "event.outcome"); got != "unknown" {
		t.Errorf("outcome %v without a verdict", got)
	}
	if got := at(m, "event.type"); !reflect.DeepEqual(got, list("access", "protocol")) {
		t.Errorf("type %v claims something without a verdict", got)
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	e := httpAllowed()
	one := encoder().Append(nil, e)
	two := encoder().Append(append([]byte(nil), one...), e)
	if !bytes.Equal(two, append(append([]byte(nil), one...), one...)) {
		t.Errorf("two lines in one buffer differ from one twice:\n%s", two)
	}
}

// huge is an event of which everything is as large and as costly to write as can be.
func huge(s string) *event.Event {
	ap := netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666%eth0]:65535")
	const n = 1000
	e := event.Event{
		ID: s, Transaction: s, Kind: event.KindHTTP, Time: time.Unix(1e9, 0), Duration: 1 << 62, Client: ap, Server: ap, ServerName: s,
		Transport: s, Method: s, URL: "https://" + s + "/" + s + "?" + s, HTTPVersion: s, UserAgent: s, Referrer: "http://h/" + s, RequestType: s,
		ResponseType: s, Status: 999, Sent: 1 << 62, Received: 1 << 62, Intercepted: s, SNI: s, ALPN: s, TLSVersion: s, JA3: s, JA4: s, ECH: true,
		CertError: s, WebSocket: &event.WebSocket{MessagesSent: 1 << 62, MessagesReceived: 1 << 62, Compressed: true, CloseCode: 4999},
		DNS:     &event.DNS{ID: 65535, Name: s, Type: s, Class: s, RCod: s, Cache: s, Upstream: s, EDE: 65535},
		Verdict: s, Would: s, Cause: s, Class: s, Stage: s, Rule: event.Rule{Name: s, File: s, Text: s},
		List: event.List{Name: s, Category: s, Source: s, Entry: s, Line: 1 << 31, Confidence: 100, Shadow: true}, Reason: s, Aborted: s, Error: s, Mode: s, Policy: s, Message: s,
		Dropped: 7,
	}
	for i := range n {
		e.Groups = append(e.Groups, s)
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, byte(i >> 8), byte(i)})
		e.DNS.Answers = append(e.DNS.Answers, event.Answer{Name: s, Type: "AAAA", Data: a.String(), TTL: 1 << 31}, event.Answer{Name: s, Type: "CNAME", Data: fmt.Sprint(i, s)})
		e.Findings = append(e.Findings, event.Finding{
			Detector: s, Severity: s, Confidence: 100, Technique: fmt.Sprintf("T%04d.%03d", 1000+i, i), Where: s, Offset: 1 << 62, Detail: s, Action: s,
		})
		e.Inspected = append(e.Inspected, event.Outcome{Where: s, Outcome: s, Bytes: 1 << 62})
		e.Trace = append(e.Trace, event.Step{Stage: s, Place: s, Subject: s, Verdict: s, Cause: s, Class: s, Rule: s, List: s, Detector: s, Safety: s, Would: s, Entry: s, OverList: s, OverEntry: s})
	}
	return &e
}

func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"quotes":     strings.Repeat(`"`, 5000),
		"controls":   strings.Repeat("\x00", 5000),
		"wide":       strings.Repeat("\U0001F30A", 2000),
		"broken":     strings.Repeat("\xff", 5000),
		"blanks":     strings.Repeat(`\ `, 5000),
		"short":      strings.Repeat("x", 64),
		"middling":   strings.Repeat("x", 250),
		"credential": strings.Repeat("user:pw@", 600),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := encoder().Append(nil, huge(s))
			m := decode(t, line)
			if len(line) > 32<<10 {
				t.Errorf("%d octets in a line", len(line))
			}
			if n, ok := at(m, "weir.dropped").(float64); !ok || n < 1000 {
				t.Errorf("weir.dropped is %v", at(m, "weir.dropped"))
			}
			if _, ok := at(m, "weir.trace").([]any); !ok {
				t.Error("nothing is left of the trace")
			}
		})
	}
}

// TestCutLists proves that what is shown and what is counted add up.
func TestCutLists(t *testing.T) {
	t.Parallel()
	e := &event.Event{Kind: event.KindHTTP}
	for range 900 {
		e.Trace = append(e.Trace, event.Step{Stage: "rules", Subject: strings.Repeat("n", 200)})
	}
	m := decode(t, encoder().Append(nil, e))
	shown, dropped := len(at(m, "weir.trace").([]any)), int(at(m, "weir.dropped").(float64))
	if shown == 0 || shown+dropped != len(e.Trace) {
		t.Errorf("%d shown and %d dropped of %d", shown, dropped, len(e.Trace))
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	e := &event.Event{
		Kind: event.KindHTTP, Method: strings.Repeat("é", 40), ServerName: strings.Repeat("a", 255),
		UserAgent: strings.Repeat("word ", 2000), Error: strings.Repeat("x", 300) + "user:CANARY" + strings.Repeat("y", 5000) + "@host",
	}
	m := decode(t, encoder().Append(nil, e))
	for path, want := range map[string]any{
		"http.request.method": strings.Repeat("é", 30) + "…",
		"destination.domain":  e.ServerName, "error.message": "***",
	} {
		if got := at(m, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	ua := at(m, "user_agent.original").(string)
	if len(ua) > 512 || !strings.HasSuffix(ua, "…") {
		t.Errorf("user agent of %d octets: %q", len(ua), ua)
	}
}

func TestTechniques(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ technique, sub, tactic string }{
		"T1001": {"T1001", "", "TA0011"}, "T1027": {"T1027", "", "TA0005"}, "T1030": {"T1030", "", "TA0010"}, "T1041": {"T1041", "", "TA0010"},
		"T1048": {"T1048", "", "TA0010"}, "T1071": {"T1071", "", "TA0011"}, "T1071.001": {"T1071", "T1071.001", "TA0011"},
		"T1071.005": {"T1071", "T1071.005", "TA0011"}, "T1090.004": {"T1090", "T1090.004", "TA0011"}, "T1102": {"T1102", "", "TA0011"},
		"T1105": {"T1105", "", "TA0011"}, "T1132": {"T1132", "", "TA0011"}, "T1568.002": {"T1568", "T1568.002", "TA0011"},
		"T1571": {"T1571", "", "TA0011"}, "T1572": {"T1572", "", "TA0011"}, "T1573": {"T1573", "", "TA0011"},
		"T1999": {"T1999", "", ""}, "": {}, "T10": {}, "TA0011": {}, "T1071.1": {}, "T1071-001": {}, "t1071": {},
	}
	for id, want := range tests {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			m := decode(t, encoder().Append(nil, &event.Event{Findings: []event.Finding{{Technique: id}, {Technique: id}}}))
			for path, w := range map[string]string{"threat.technique.id": want.technique, "threat.technique.subtechnique.id": want.sub, "threat.tactic.id": want.tactic} {
				var expect any = "<absent>"
				if w != "" {
					expect = list(w)
				}
				if got := at(m, path); !reflect.DeepEqual(got, expect) {
					t.Errorf("%s: got %v, want %v", path, got, expect)
				}
			}
		})
	}
}

// TestAllocations holds the budget of a line: a plain DNS event costs none, a URL what its redaction costs.
func TestAllocations(t *testing.T) {
	enc, buf := encoder(), make([]byte, 0, 64<<10)
	for name, budget := range map[string]float64{
		"dns":  3,  // the upstream's URL form is taken apart
		"http": 80, // three URLs and their queries are taken apart and joined again, the User-Agent is scrubbed
		"cut":  0,
	} {
		e := samples()[name]
		if n := testing.AllocsPerRun(100, func() { buf = enc.Append(buf[:0], e) }); n > budget {
			t.Errorf("%s: %v allocations, budget %v", name, n, budget)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"dns", "http", "websocket"} {
		b.Run(name, func(b *testing.B) {
			enc, buf, e := encoder(), make([]byte, 0, 64<<10), samples()[name]
			b.ReportAllocs()
			for b.Loop() {
				buf = enc.Append(buf[:0], e)
			}
		})
	}
}
