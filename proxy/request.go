package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/proxy/blockpage"
	"weir/proxy/websocket"
)

// aim finds out where a request goes, inside a tunnel always to the authorised target, and returns its absolute URL. What is
// wrong with it is kept for the request stage, so that the filters and the event run for refusals too.
func (t *trip) aim(r *http.Request) *url.URL {
	u := *r.URL
	if t.sess.Inside() {
		t.aimInside(r)
	} else {
		t.aimPlain(r)
	}
	switch {
	case t.unsafe.safety != verdict.SafetyNone:
	case looped(r.Header, t.s.pseudonym):
		t.unsafe = refusal{verdict.SafetyLoop, verdict.PlaceRequest, "Via"}
	case t.target.IsAddr() && slices.ContainsFunc(t.s.own(), t.isOwn):
		t.unsafe = refusal{verdict.SafetyLoop, verdict.PlaceURL, t.target.String()}
	}
	u.Scheme, u.Host, u.User, u.Opaque = t.scheme, t.authority(), nil, ""
	u.Fragment, u.RawFragment = "", ""
	return &u
}

func (t *trip) aimInside(r *http.Request) {
	t.target, t.scheme = t.sess.Flow.Authorized, "http"
	if t.sess.Secure {
		t.scheme = "https"
	}
	for _, host := range r.Header["Host"] { // HTTP/2: beside :authority
		if !strings.EqualFold(host, r.Host) {
			t.unsafe = refusal{verdict.SafetyMisdirected, verdict.PlaceHost, host}
		}
	}
	if r.ProtoMajor == 2 {
		t.pseudo(r)
	}
	if r.URL.Scheme != "" && !strings.EqualFold(r.URL.Scheme, t.scheme) {
		t.unsafe = refusal{verdict.SafetyTarget, verdict.PlaceURL, r.URL.Scheme}
	}
}

// pseudo refuses what net/http lets through of the pseudo-header fields of HTTP/2 (RFC 9113 section 8.3.1), with an event. What is
// no method would fail later, and then look like a fault of the site. A :scheme that is not that of the connection cannot be seen
// here (net/http does not tell); it changes nothing, for the scheme is always taken from the tunnel.
func (t *trip) pseudo(r *http.Request) {
	switch {
	case !isToken(r.Method):
		t.unsafe = refusal{verdict.SafetyFraming, verdict.PlaceRequest, ":method"}
	case !strings.HasPrefix(r.RequestURI, "/") && (r.RequestURI != "*" || r.Method != http.MethodOptions):
		t.unsafe = refusal{verdict.SafetyTarget, verdict.PlaceURL, ":path"}
	}
}

// isToken reports a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}) < 0
}

// aimPlain takes the target from the absolute form. Origin form (a request to the proxy itself) has none, and is refused.
func (t *trip) aimPlain(r *http.Request) {
	t.scheme = "http"
	if s := strings.ToLower(r.URL.Scheme); s == "https" {
		t.scheme = s
	} else if s != "http" {
		t.unsafe = refusal{verdict.SafetyTarget, verdict.PlaceURL, r.Host}
		return
	}
	target, err := hostname.ParseAuthority(r.URL.Host, defaultPort(t.scheme))
	if err != nil || r.URL.User != nil {
		t.unsafe = refusal{verdict.SafetyTarget, verdict.PlaceURL, r.URL.Host}
		return
	}
	t.target = target
}

// authority is the target as Host and :authority spell it, without a default port.
func (t *trip) authority() string {
	if t.target.IsZero() {
		return "invalid." // never dialled: the request is refused
	}
	a := t.target
	if a.Port == defaultPort(t.scheme) {
		a.Port = 0
	}
	return a.String()
}

// request is stage (4): the head through the gate, then as much of the body as is held. It returns the request to send, or the
// page that answers it.
func (t *trip) request(r *http.Request) (*http.Request, *http.Response) {
	t.s.stats.OnRequest.Add(1)
	if t.sess.Blocked {
		v := t.x.Verdict()
		return r, t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	now := time.Now()
	if f := t.unsafe; f.safety != verdict.SafetyNone {
		t.x.Refuse(now, f.safety, f.place, f.subject)
	}
	h := gate.RequestHead{
		Scheme: t.headScheme(), Method: r.Method, Host: r.Host, URL: r.URL, Proto: r.Proto, Header: t.in.Header, Target: t.target,
		WebSocket: t.wants == upgradeWebSocket,
	}
	if t.wants == upgradeOther {
		h.Upgrade = strings.Join(t.in.Header["Upgrade"], ", ")
	}
	v := t.x.Request(now, h)
	if v.Blocks() {
		return r, t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	t.remove = t.s.live.Add(t.x, func() netip.Addr { return serverOf(t.x) }, t.cut)
	out := t.outgoing(r)
	if t.up == nil || immediate(r.Header) {
		return out, nil
	}
	if v := t.up.hold(t.x.Limits()); v.Blocks() || t.up.failed() != nil {
		return r, t.uploadFailed(v)
	}
	return out, nil
}

func (t *trip) headScheme() string {
	if t.wants != upgradeWebSocket {
		return t.scheme
	}
	return strings.Replace(t.scheme, "http", "ws", 1)
}

// outgoing is the request as it goes upstream: absolute URL and Host from the authorised target, no field of this hop, only
// codings that can be inspected, the body under inspection. The original keeps its header, which detectors may look at again.
func (t *trip) outgoing(r *http.Request) *http.Request {
	out := *r
	out.Host = t.authority()
	out.Header = r.Header.Clone()
	stripHops(out.Header)
	offerDecodable(out.Header)
	out.Header.Del("Expect") // answered here: the client is told to go on when its body is first read
	out.Header.Add("Via", viaVersion(r)+" "+t.s.pseudonym)
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // none was sent, none is made up
	}
	if t.wants == upgradeWebSocket {
		asUpgrade(out.Header)
		websocket.Prepare(out.Header)
	}
	out.Close, out.TransferEncoding = false, nil
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		out.Body = http.NoBody
		return &out
	}
	t.up = newBody(t.x, inspect.RequestData, io.NopCloser(r.Body), r.ContentLength) // the server closes its body itself
	t.up.trailer = func() http.Header { return t.in.Trailer }
	rc := http.NewResponseController(t.w.ResponseWriter)
	t.up.renew = func(at time.Time) { _ = rc.SetReadDeadline(at) }
	t.up.pause = t.s.cfg.Timeouts.Body
	out.Body = t.up
	return &out
}

func viaVersion(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return "2.0"
	}
	return "1.1"
}

// uploadFailed answers a request whose body was blocked or broke before anything went upstream.
func (t *trip) uploadFailed(v verdict.Verdict) *http.Response {
	if err := t.up.failed(); !v.Blocks() && err != nil {
		v = t.bodyFault(err)
	}
	if v.Blocks() {
		return t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	return t.finishPage(blockpage.Error(t.in, t.x, clientGone(t.up.failed())), v)
}

// bodyFault books a violation of framing within a request body; other faults of the client are no verdict.
func (t *trip) bodyFault(err error) verdict.Verdict {
	framing := framingOf(err)
	if framing == nil && t.sess.Violation != nil {
		framing = framingOf(t.sess.Violation())
	}
	if framing != nil {
		t.s.stats.Anomalies.Add(1)
		return t.x.Refuse(time.Now(), verdict.SafetyFraming, verdict.PlaceUpload, framing.Kind.String())
	}
	return t.x.Verdict()
}

func isBlocked(err error) bool { return errors.Is(err, errBlocked) }
