// Package blockpage is the only place where a Verdict becomes HTTP or a WebSocket close: a page for people, JSON for programs, an
// empty body for sub-resources, a status for gRPC. Every text passes package redact. Layer L5.
package blockpage

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/internal/gate"
	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/proxy/session"
	"weir/proxy/upstream"
)

// Header names that every answer of this package carries.
const (
	HeaderEventID     = "X-Weir-Event-Id"
	HeaderProxyStatus = "Proxy-Status" // RFC 9209
)

// Bounds of what a page repeats, in bytes: enough to recognise it, too little to carry something.
const (
	maxURL     = 300
	maxText    = 400
	maxDetails = 200
)

// Response answers a request that v blocks. x is the exchange that decided; req may be a CONNECT. The body is never nil, and the
// caller need not close it. For verdict.AnswerDrop the caller closes the connection instead: see [Drops].
func Response(req *http.Request, x *gate.Exchange, v verdict.Verdict) *http.Response {
	return respond(req, facts(req, x, v, time.Now()))
}

// Error answers a request that failed upstream, for a verdict or for another reason.
func Error(req *http.Request, x *gate.Exchange, e *upstream.Error) *http.Response {
	return respond(req, failed(req, x, e, time.Now()))
}

// Drops says whether v is answered by closing the connection without a word.
func Drops(v verdict.Verdict) bool { return v.Blocks() && v.Answer.Kind == verdict.AnswerDrop }

// CloseReason is the reason text of the close frame (code 1008, RFC 6455 section 7.4.1) that ends a WebSocket which v blocks.
func CloseReason(x *gate.Exchange, v verdict.Verdict) string {
	if v.Cause == verdict.CauseSafety {
		return redact.Truncate("blocked "+x.ID()+" "+v.Ref.Safety.String(), maxCloseReason)
	}
	return redact.Truncate("blocked "+x.ID(), maxCloseReason)
}

// maxCloseReason is what a control frame leaves for the reason, in bytes (RFC 6455 section 5.5).
const maxCloseReason = 123

// page is everything that an answer says, escaped.
type page struct {
	kind kind

	Title, What, Why, Detail                string
	Rule, List, Category, Entry, Detector   string
	Technique, Cause, Client, EventID, Time string
	Policy                                  bool // a decision of the policy, not a fault of the network
	bare                                    bool // nothing but the status: verdict.AnswerRefused
	close                                   bool
}

// facts collects what is said about a verdict.
func facts(req *http.Request, x *gate.Exchange, v verdict.Verdict, now time.Time) *page {
	r := x.Policy().Explain(v)
	p := &page{
		kind: verdictKind(v), Cause: v.Cause.String(), Policy: true,
		bare:  v.Answer.Kind == verdict.AnswerRefused || v.Answer.Kind == verdict.AnswerDrop,
		close: v.Answer.Kind == verdict.AnswerDrop || v.Ref.Safety == verdict.SafetyFraming,
	}
	p.common(req, x, now)
	p.explain(r)
	if v.Cause == verdict.CauseSafety {
		p.Cause = "safety: " + v.Ref.Safety.String()
	}
	return p
}

// failed collects what is said about a failure upstream.
func failed(req *http.Request, x *gate.Exchange, e *upstream.Error, now time.Time) *page {
	if e.Source == upstream.SourceBlocked {
		p := facts(req, x, e.Verdict, now)
		switch e.Kind {
		case upstream.KindCertificate:
			p.kind, p.Detail = certificateKind(e.CertCode), e.CertText
			p.Title, p.Cause = p.kind.title, "certificate: "+e.CertCode
		case upstream.KindProtocol: // the fault is the origin's: the client's connection is fine
			p.kind, p.close = failureKind(e.Kind), false
			p.Title, p.Why = p.kind.title, p.kind.why
		}
		return p
	}
	p := &page{kind: failureKind(e.Kind), Cause: e.Kind.String(), Detail: e.CertText}
	p.common(req, x, now)
	p.Why = p.kind.why
	return p
}

func (p *page) common(req *http.Request, x *gate.Exchange, now time.Time) {
	p.Title = p.kind.title
	p.What = what(req, x)
	p.Client = client(req)
	p.EventID = x.ID()
	p.Time = now.UTC().Format("2006-01-02 15:04:05 UTC")
}

func (p *page) explain(r policy.Reason) {
	p.Why = sentence(text(r.Sentence))
	p.Rule, p.List, p.Category = text(r.Rule), text(r.List), text(r.ListCategory)
	p.Entry, p.Detector, p.Technique = text(r.ListEntry), text(r.Detector), text(r.Technique)
	if p.Why == "" {
		p.Why = p.kind.why
	}
}

// sentence gives the reason of a verdict, which is part of a sentence, a capital letter and an end.
func sentence(s string) string {
	if s == "" || strings.HasPrefix(s, "http") {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

func text(s string) string { return redact.Truncate(redact.Text(s), maxText) }

// what names the thing asked for: the URL without secrets, or the host and port of a CONNECT.
func what(req *http.Request, x *gate.Exchange) string {
	target := x.Target()
	if req.Method == http.MethodConnect || req.URL == nil {
		if target.IsZero() {
			return redact.Truncate(redact.URL(req.Host), maxURL)
		}
		return redact.Truncate(redact.Text(target.String()), maxURL)
	}
	u := *req.URL
	u.User = nil
	if u.Host == "" && !target.IsZero() { // inside a tunnel
		u.Scheme, u.Host = "http", target.String()
		if s := session.Of(req.Context()); s != nil && s.Secure {
			u.Scheme = "https"
			u.Host = strings.TrimSuffix(u.Host, ":443")
		}
	}
	return redact.Truncate(redact.URL(u.String()), maxURL)
}

// client is the address that the client has for us.
func client(req *http.Request) string {
	if s := session.Of(req.Context()); s != nil && s.Flow != nil && s.Flow.Remote.IsValid() {
		return s.Flow.Remote.Addr().String()
	}
	return redact.Truncate(redact.Text(host(req.RemoteAddr)), maxURL)
}

// respond chooses the form and writes the response.
func respond(req *http.Request, p *page) *http.Response {
	h := http.Header{}
	h.Set(HeaderEventID, p.EventID)
	h.Set(HeaderProxyStatus, p.proxyStatus())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	status, body := p.kind.status, []byte(nil)
	switch f := formOf(req); {
	case f == formGRPC:
		status = http.StatusOK
		p.grpc(h)
	case p.bare || f == formEmpty:
	case f == formHTML:
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Content-Language", "en")
		body = p.html()
	case f == formJSON:
		h.Set("Content-Type", "application/problem+json")
		body = p.json()
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = p.plain()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if req.Method == http.MethodHead {
		body = nil
	}
	shut := p.close && req.ProtoMajor < 2
	if shut {
		h.Set("Connection", "close")
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req, Close: shut,
		Body: &content{Reader: bytes.NewReader(body)}, ContentLength: int64(len(body)),
	}
}

// content is a pointer type, for goproxy compares bodies.
type content struct{ io.Reader }

var _ io.ReadCloser = (*content)(nil)

// Close does nothing.
func (*content) Close() error { return nil }
