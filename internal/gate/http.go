package gate

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"weir/internal/decode"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

// RequestHead is the head of a request as it reached us.
type RequestHead struct {
	Scheme    string // http, https, ws, wss
	Method    string
	Host      string   // Host or :authority as sent
	URL       *url.URL // its path and query count; host and scheme are those of the target
	Proto     string
	Header    http.Header
	Target    hostname.Authority // where it will be sent: inside a tunnel the authorised target, else the URL's own
	WebSocket bool               // an upgrade to websocket
	Upgrade   string             // the protocol of any other upgrade (UpgradeOther): it is refused
	Anomalies []inspect.Anomaly
}

// Request judges the head of an HTTP request or WebSocket upgrade.
func (x *Exchange) Request(now time.Time, r RequestHead) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now, x.tx.Target, x.tx.Anomalies = now, r.Target, r.Anomalies
	if r.WebSocket {
		x.tx.Protocol = inspect.WebSocket
	}
	x.tx.Request = inspect.Head{Method: r.Method, Host: r.Host, Proto: r.Proto, Header: r.Header}
	if r.Upgrade != "" {
		x.refuse(verdict.SafetyUpgrade, verdict.PlaceRequest, r.Upgrade)
	}
	if !x.served() {
		return x.verdict
	}
	if r.Target.IsZero() || r.Target.Port == 0 {
		return x.refuse(verdict.SafetyTarget, verdict.PlaceURL, r.Host)
	}
	x.url = weburl.Canonical(r.Scheme, r.Target, r.URL)
	x.loose = weburl.Loose(r.Scheme, r.Target, r.URL)
	x.tx.Request.URL = x.url
	// Inside a tunnel the port is that of the CONNECT, which was asked about it.
	if secure := r.Scheme == "https" || r.Scheme == "wss"; x.tx.Flow.Authorized.IsZero() && !x.snap.Port(r.Target.Port, secure) {
		return x.refuse(verdict.SafetyPort, verdict.PlaceURL, r.Target.String())
	}
	q := x.subject(verdict.PlaceURL)
	q.ContentType = mediaType(r.Header)
	if !x.admit(&q).Blocks() {
		x.literal(&q)
	}
	return x.head(inspect.Request)
}

// Malformed judges a request that never became one: the wire validator found anomalies in its bytes.
func (x *Exchange) Malformed(now time.Time, anomalies []inspect.Anomaly) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now, x.tx.Anomalies = now, anomalies
	if !x.tx.Flow.Authorized.IsZero() {
		x.tx.Target = x.tx.Flow.Authorized
	}
	x.head(inspect.Request)
	if !x.settled {
		return x.refuse(verdict.SafetyFraming, verdict.PlaceRequest, "")
	}
	return x.verdict
}

// Response judges the head of a response.
func (x *Exchange) Response(now time.Time, status int, proto string, header http.Header) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	x.tx.Response = inspect.Head{Status: status, Proto: proto, Header: header}
	q := x.subject(verdict.PlaceReply)
	if q.ContentType = mediaType(header); q.ContentType != "" {
		if v, ok := x.snap.AdmitType(&q, &x.trace); ok {
			x.settle(v, stageOf(v))
		}
	}
	return x.head(inspect.Response)
}

// mediaType returns the declared type, lower case without parameters. Of several the last counts, as for browsers (Fetch standard,
// "extract a MIME type").
func mediaType(h http.Header) string {
	found := ""
	for _, field := range h.Values("Content-Type") {
		for value := range strings.SplitSeq(field, ",") {
			essence, _, _ := strings.Cut(value, ";")
			if essence = strings.ToLower(strings.TrimSpace(essence)); strings.Contains(essence, "/") && essence != "*/*" {
				found = essence
			}
		}
	}
	return found
}

// content describes the body that a head announces.
func (x *Exchange) content(phase inspect.Phase) inspect.Content {
	head := &x.tx.Request
	if phase == inspect.ResponseData {
		head = &x.tx.Response
	}
	c := inspect.Content{Phase: phase, Declared: mediaType(head.Header), Name: fileName(head.Header, x.url)}
	codings, err := decode.ParseContentEncoding(head.Header.Values("Content-Encoding"))
	if err != nil {
		codings = head.Header.Values("Content-Encoding") // unknown to the decoder: the inspection says so
	}
	c.Codings = codings
	return c
}

// fileName is the name under which a body would be saved: that of Content-Disposition, else the last segment of the URL.
func fileName(h http.Header, canonical string) string {
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		return path.Base(strings.ReplaceAll(params["filename"], `\`, "/"))
	}
	canonical, _, _ = strings.Cut(canonical, "?")
	if name := path.Base(canonical); name != "." && name != "/" {
		return name
	}
	return ""
}
