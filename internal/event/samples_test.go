package event_test

import (
	"net/netip"
	"time"

	"weir/internal/event"
)

// samples are events as the data paths produce them: one or two of each kind, together with every field.
func samples() map[string]*event.Event {
	return map[string]*event.Event{
		"http":          httpAllowed(),
		"http-blocked":  httpBlocked(),
		"http-observed": httpObserved(),
		"connect":       connectSpliced(),
		"connect-cert":  connectRefused(),
		"websocket":     webSocket(),
		"dns":           dnsAllowed(),
		"dns-blocked":   dnsBlocked(),
		"finding":       finding(),
		"cut":           cut(),
		"system":        system(),
	}
}

func encoder() *event.Encoder {
	return &event.Encoder{Observer: event.Observer{Vendor: "weir", Product: "weir", Version: "0.1.0", Hostname: "weir-1"}}
}

func id(last string) string { return "0193a1b2-c3d4-7e5f-8a6b-00000000000" + last }

// base is what every transaction has.
func base(k event.Kind, n string) event.Event {
	return event.Event{
		ID: id(n), Kind: k, Time: time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.FixedZone("", 2*3600)), Duration: 12345678,
		Client: netip.MustParseAddrPort("10.0.0.7:50123"), Groups: []string{"staff"}, Transport: "tcp",
		Mode: "enforce", Policy: "9f3c2a10",
	}
}

func httpAllowed() *event.Event {
	e := base(event.KindHTTP, "1")
	e.Server, e.ServerName, e.ServerPort = netip.MustParseAddrPort("203.0.113.5:443"), "www.example.com", 443
	e.Method, e.HTTPVersion, e.Status = "POST", "HTTP/2.0", 200
	e.URL = "https://alice:CANARY@www.example.com/login?user=CANARY&next=%2Fhome#CANARY"
	e.Referrer = "https://www.example.com/start?session=CANARY"
	e.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	e.RequestType, e.ResponseType = "application/json; charset=utf-8", "text/html"
	e.Sent, e.Received = 312, 48213
	e.Intercepted, e.SNI, e.ALPN, e.TLSVersion = "intercept", "www.example.com", "h2", "TLS 1.3"
	e.JA3, e.JA4 = "e7d705a3286e19ea42f587b344ee6865", "t13d1516h2_8daaf6152771_02713d6af862"
	e.Verdict, e.Cause, e.Class, e.Stage = "allow", "default", "unknown", "default"
	e.Why = "first seen here 2026-11-22"
	e.Inspected = []event.Outcome{{Where: "upload", Outcome: "complete", Bytes: 312}, {Where: "download", Outcome: "limit:size", Bytes: 1 << 20}}
	e.Trace = []event.Step{
		{Stage: "reputation", Place: "host", Subject: "www.example.com", Verdict: "allow", Cause: "reputation", Class: "unknown", Why: "first seen here 2026-11-22"},
		{Stage: "default", Place: "url", Subject: "https://www.example.com/login?user=CANARY", Verdict: "allow", Cause: "default"},
	}
	return &e
}

func httpBlocked() *event.Event {
	e := base(event.KindHTTP, "2")
	e.ServerName, e.ServerPort = "cdn.evil.example", 80
	e.Method, e.URL, e.HTTPVersion, e.Status = "GET", "http://cdn.evil.example/gate.php?id=CANARY", "HTTP/1.1", 403
	e.UserAgent = "curl/8.14.1"
	e.Verdict, e.Cause, e.Class, e.Stage = "block", "list", "bad", "lists"
	e.Reason = "the name is on the list c2-high"
	e.List = event.List{Name: "c2-high", Category: "malware", Source: "https://lists.example/c2.txt?key=CANARY", Entry: "*.evil.example", Line: 17}
	e.Trace = []event.Step{{Stage: "lists", Place: "host", Subject: "cdn.evil.example", Verdict: "block", Cause: "list", Class: "bad", List: "c2-high"}}
	return &e
}

func httpObserved() *event.Event {
	e := base(event.KindHTTP, "3")
	e.ServerName, e.ServerPort, e.Server = "files.example", 443, netip.MustParseAddrPort("[2001:db8::5]:443")
	e.Method, e.URL, e.HTTPVersion, e.Status = "GET", "https://files.example/report.pdf", "HTTP/1.1", 200
	e.ResponseType, e.Received, e.Intercepted, e.ECH = "application/pdf", 73802, "intercept", true
	e.Verdict, e.Would, e.Cause, e.Stage, e.Mode = "log", "block", "rule", "rules", "observe"
	e.Rule = event.Rule{Name: "no-disguised-programs", File: "weir.yaml:42", Text: "programs come from the software store"}
	e.Reason = "a rule matched what was found in the download"
	e.Findings = []event.Finding{
		{Detector: "magic-mismatch", Severity: "high", Confidence: 90, Technique: "T1105", Where: "download > gzip", Offset: 0, Detail: "declared application/pdf, is a Windows program", Action: "log"},
		{Detector: "hidden-base64", Severity: "medium", Confidence: 60, Technique: "T1027", Where: "download > gzip > base64", Offset: 4096, Detail: "a program in base64", Action: "log"},
	}
	e.Trace = []event.Step{{Stage: "detectors", Place: "download", Subject: "download > gzip", Verdict: "log", Cause: "detector", Rule: "no-disguised-programs", Detector: "magic-mismatch"}}
	e.Dropped = 2
	return &e
}

func connectSpliced() *event.Event {
	e := base(event.KindConnect, "4")
	e.Server, e.ServerName, e.ServerPort = netip.MustParseAddrPort("203.0.113.9:443"), "bank.example", 443
	e.Method, e.HTTPVersion, e.Status = "CONNECT", "HTTP/1.1", 200
	e.Sent, e.Received, e.Intercepted, e.SNI, e.TLSVersion = 5120, 90112, "splice", "bank.example", "1.3"
	e.Verdict, e.Cause, e.Class, e.Stage = "allow", "rule", "known", "rules"
	e.Rule = event.Rule{Name: "banks-unread", File: "weir.yaml:30"}
	return &e
}

func connectRefused() *event.Event {
	e := base(event.KindConnect, "5")
	e.Server, e.ServerName, e.ServerPort = netip.MustParseAddrPort("203.0.113.10:443"), "old.example", 443
	e.Method, e.HTTPVersion, e.Status, e.Intercepted, e.SNI = "CONNECT", "HTTP/1.1", 502, "intercept", "old.example"
	e.Verdict, e.Cause, e.Stage, e.CertError = "block", "safety", "safety", "expired"
	e.Reason = "the certificate of old.example ended on 2026-10-01"
	e.Error = "dial https://user:CANARY@old.example/x?y=CANARY: certificate has expired"
	e.Trace = []event.Step{{Stage: "safety", Place: "tls", Subject: "old.example", Verdict: "block", Cause: "safety", Safety: "bad-certificate"}}
	return &e
}

func webSocket() *event.Event {
	e := base(event.KindWebSocket, "6")
	e.Server, e.ServerName, e.ServerPort = netip.MustParseAddrPort("203.0.113.5:443"), "chat.example", 443
	e.Method, e.URL, e.HTTPVersion, e.Status = "GET", "wss://chat.example/socket?token=CANARY", "HTTP/1.1", 101
	e.Sent, e.Received, e.Intercepted = 2048, 4096, "intercept"
	e.WebSocket = &event.WebSocket{MessagesSent: 12, MessagesReceived: 40, Compressed: true, CloseCode: 1008}
	e.Verdict, e.Cause, e.Class, e.Stage, e.Aborted = "block", "detector", "unknown", "detectors", "close-1008"
	e.Reason = "a message held the EICAR test file"
	e.Findings = []event.Finding{{Detector: "eicar", Severity: "critical", Confidence: 100, Technique: "T1071.001", Where: "download > message 40 > deflate", Offset: 12, Detail: "EICAR test file", Action: "block"}}
	return &e
}

func dnsAllowed() *event.Event {
	e := base(event.KindDNS, "7")
	e.Transport, e.Duration = "udp", 1200345
	e.Client = netip.MustParseAddrPort("[::ffff:10.0.0.7]:40000")
	e.DNS = &event.DNS{
		ID: 4711, Name: "www.example.co.uk", Type: "A", Class: "IN", RCod: "NOERROR", Cache: "miss", Upstream: "tls://9.9.9.9:853", EDE: -1,
		Answers: []event.Answer{
			{Name: "www.example.co.uk", Type: "CNAME", TTL: 300, Data: "edge.cdn.example."},
			{Name: "edge.cdn.example", Type: "A", TTL: 60, Data: "203.0.113.7"},
		},
	}
	e.Verdict, e.Cause, e.Class, e.Stage = "allow", "default", "known", "default"
	return &e
}

func dnsBlocked() *event.Event {
	e := base(event.KindDNS, "8")
	e.Transport, e.Duration, e.Client = "udp", 90000, netip.MustParseAddrPort("[2001:db8:1::7]:40001")
	e.DNS = &event.DNS{Name: "a.tracker.example", Type: "HTTPS", Class: "IN", RCod: "NXDOMAIN", Cache: "local", EDE: 15}
	e.Verdict, e.Cause, e.Class, e.Stage = "block", "reputation", "untrusted", "reputation"
	e.Reason = "the name is in the class untrusted"
	return &e
}

func finding() *event.Event {
	e := base(event.KindFinding, "9")
	e.Transaction, e.Duration, e.ServerName, e.Method = id("6"), 0, "chat.example", "GET"
	e.Verdict, e.Cause, e.Stage = "log", "detector", "detectors"
	e.Findings = []event.Finding{{Detector: "eicar", Severity: "critical", Confidence: 100, Technique: "T1071.001", Where: "download > message 40 > deflate", Offset: 12, Detail: "EICAR test file", Action: "log"}}
	return &e
}

func cut() *event.Event {
	e := base(event.KindCut, "a")
	e.Transaction, e.ServerName, e.ServerPort, e.Duration = id("4"), "bank.example", 443, 0
	e.Verdict, e.Cause, e.Stage, e.Aborted = "block", "list", "lists", "reset"
	e.Reason = "the new policy blocks this connection"
	e.List = event.List{Name: "c2-high", Category: "malware", Entry: "bank.example", Line: 3}
	return &e
}

func system() *event.Event {
	return &event.Event{
		ID: id("b"), Kind: event.KindSystem, Time: time.Date(2026, 11, 22, 10, 5, 0, 0, time.UTC), Policy: "9f3c2a11", Mode: "enforce",
		Message: "policy reloaded",
	}
}
