package event

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"weir/internal/redact"
)

// ECSVersion is the version of the Elastic Common Schema whose names the lines use.
const ECSVersion = "9.0.0"

// Schema is weir.schema: the version of the meaning of the fields. It rises when a field changes or goes, not when one comes.
const Schema = 1

// Observer says which weir wrote an event; it becomes observer.*.
type Observer struct {
	Vendor, Product, Version, Hostname string
}

// Encoder turns events into lines. It is immutable and safe for concurrent use; the zero Encoder names no observer.
type Encoder struct {
	Observer Observer
}

// Append appends e as one JSON object in ECS form, and a newline: at most 32 KiB, valid UTF-8, without control characters and
// bidirectional marks, keys always in the same order. Every text passes package redact; URLs lose userinfo, query values and
// fragments. What is empty is left out. Lists that do not fit are cut, and weir.dropped says how many entries are missing.
// docs/events.md describes every field.
func (enc *Encoder) Append(dst []byte, e *Event) []byte {
	l := line{b: dst, start: len(dst)}
	l.b = append(l.b, '{')
	l.time("@timestamp", e.Time)
	l.free("message", e.Message, maxDetail)
	s := l.object("ecs")
	l.text("version", ECSVersion, maxWord)
	l.end(s)
	l.meta(e)
	l.ends(e)
	var parts redact.Parts
	if e.URL != "" {
		parts = redact.URLParts(e.URL)
	}
	l.url(parts)
	l.http(e)
	l.dns(e)
	l.tls(e)
	l.network(e)
	l.rule(e)
	l.threat(e)
	enc.observer(&l)
	l.related(e, hostOf(parts.Host))
	if e.Error != "" {
		s = l.object("error")
		l.free("message", e.Error, maxDetail)
		l.end(s)
	}
	l.own(e)
	return append(l.b, '}', '\n')
}

func (enc *Encoder) observer(l *line) {
	s := l.object("observer")
	l.text("vendor", enc.Observer.Vendor, maxWord)
	l.text("product", enc.Observer.Product, maxWord)
	l.text("type", "proxy", maxWord)
	l.text("version", enc.Observer.Version, maxWord)
	l.text("hostname", enc.Observer.Hostname, maxName)
	l.end(s)
}

// meta writes event.*.
func (l *line) meta(e *Event) {
	s := l.object("event")
	l.text("id", e.ID, maxWord)
	var room [4]string
	l.text("kind", kind(e), maxWord)
	l.texts("category", category(e, room[:0]), maxWord, maxName)
	l.texts("type", types(e, room[:0]), maxWord, maxName)
	l.text("action", e.Kind.String(), maxWord)
	l.text("outcome", outcome(e), maxWord)
	l.free("reason", e.Reason, maxDetail)
	severity, risk := score(e)
	l.count("severity", severity)
	l.count("risk_score", risk)
	l.count("duration", e.Duration.Nanoseconds())
	l.end(s)
}

// ends writes source.* and destination.*.
func (l *line) ends(e *Event) {
	s := l.object("source")
	l.addr("ip", e.Client.Addr())
	l.count("port", int64(e.Client.Port()))
	l.count("bytes", e.Sent)
	l.end(s)

	port := e.Server.Port()
	if port == 0 {
		port = e.ServerPort
	}
	s = l.object("destination")
	l.addr("ip", e.Server.Addr())
	l.count("port", int64(port))
	l.link("domain", e.ServerName, maxName)
	l.count("bytes", e.Received)
	l.end(s)
}

func (l *line) url(p redact.Parts) {
	s := l.object("url")
	l.safe("full", p.String(), maxURL)
	l.safe("scheme", p.Scheme, maxWord)
	l.safe("domain", hostOf(p.Host), maxName)
	l.safe("path", p.Path, maxURL)
	l.end(s)
}

// hostOf takes the port off a redacted host; the brackets of an IPv6 address go too.
func hostOf(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return inner
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

func (l *line) http(e *Event) {
	s := l.object("http")
	r := l.object("request")
	l.text("method", e.Method, maxWord)
	l.text("mime_type", mimeType(e.RequestType), maxPhrase)
	l.link("referrer", e.Referrer, maxURL)
	l.end(r)
	r = l.object("response")
	l.count("status_code", int64(e.Status))
	l.text("mime_type", mimeType(e.ResponseType), maxPhrase)
	l.end(r)
	v := strings.TrimPrefix(e.HTTPVersion, "HTTP/")
	l.text("version", strings.TrimSuffix(v, ".0"), maxWord)
	l.end(s)

	s = l.object("user_agent")
	l.free("original", e.UserAgent, maxAgent)
	l.end(s)
}

// mimeType is a Content-Type without its parameters: a boundary says nothing, and a parameter can hold anything.
func mimeType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return lower(strings.TrimSpace(t[:min(len(t), 2*maxPhrase)]))
}

// lower returns s in lower case; strings.ToLower would put U+FFFD in the place of octets that are not UTF-8.
func lower(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return strings.ToLower(s)
}

// maxAnswers bounds, in octets, the two lists of a DNS answer.
const (
	maxAnswers  = 4 << 10
	maxResolved = 1 << 10
)

func (l *line) dns(e *Event) {
	d := e.DNS
	if d == nil {
		return
	}
	s := l.object("dns")
	l.key("id")
	l.b = append(l.b, '"')
	l.b = strconv.AppendUint(l.b, uint64(d.ID), 10)
	l.b = append(l.b, '"')
	q := l.object("question")
	l.text("name", d.Name, maxName)
	l.text("type", d.Type, maxWord)
	l.text("class", d.Class, maxWord)
	l.text("registered_domain", registered(d.Name), maxName)
	l.end(q)
	l.text("response_code", d.RCod, maxWord)
	l.answers(d.Answers)
	a := l.open("resolved_ip", '[')
	for i, r := range d.Answers {
		mark := len(l.b)
		l.addr("", r.addr())
		if l.over(mark, a.inner+maxResolved, len(d.Answers)-i) {
			break
		}
	}
	l.close(a, ']')
	l.end(s)
}

func (l *line) answers(list []Answer) {
	s := l.open("answers", '[')
	for i, r := range list {
		mark := len(l.b)
		a := l.object("")
		l.text("name", r.Name, maxName)
		l.text("type", r.Type, maxWord)
		l.count("ttl", int64(r.TTL))
		l.text("data", r.Data, maxName)
		l.end(a)
		if l.over(mark, s.inner+maxAnswers, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}

// registered returns the name that somebody registered: one label below the public suffix.
func registered(name string) string {
	name = lower(strings.TrimSuffix(name, "."))
	if len(name) > maxName || strings.Count(name, ".") == 0 {
		return ""
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return d
}

func (l *line) tls(e *Event) {
	s := l.object("tls")
	l.text("version", strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(e.TLSVersion, "TLS"), "v")), maxWord)
	c := l.object("client")
	l.link("server_name", e.SNI, maxName)
	l.text("ja3", e.JA3, maxWord)
	l.end(c)
	l.end(s)
}

func (l *line) network(e *Event) {
	s := l.object("network")
	application, protocol := spoken(e)
	l.text("application", application, maxWord)
	l.text("protocol", protocol, maxWord)
	l.text("transport", transport(e.Transport), maxWord)
	switch a := e.Client.Addr().Unmap(); {
	case a.Is4():
		l.text("type", "ipv4", maxWord)
	case a.Is6():
		l.text("type", "ipv6", maxWord)
	}
	l.end(s)
}

// rule writes what decided: the policy's rule, else the list, else, in a finding, the detector.
func (l *line) rule(e *Event) {
	s := l.object("rule")
	switch {
	case e.Rule != Rule{}:
		l.text("id", e.Rule.File, maxName)
		l.text("name", e.Rule.Name, maxName)
		l.text("description", e.Rule.Text, maxDetail)
		l.text("ruleset", "policy", maxWord)
	case e.List.Name != "":
		l.text("name", e.List.Name, maxName)
		l.text("ruleset", "lists", maxWord)
	case e.Kind == KindFinding && len(e.Findings) > 0:
		l.text("name", e.Findings[0].Detector, maxName)
		l.text("ruleset", "detectors", maxWord)
	}
	l.end(s)
}
