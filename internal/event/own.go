package event

import (
	"net/netip"
	"slices"
	"strings"
)

// Budgets of the lists, in octets. With the limits of all other fields they add up to less than maxLine; the trace takes what
// is left.
const (
	maxRelated   = 1 << 10
	maxGroups    = 1 << 10
	maxFindings  = 6 << 10
	maxInspected = 1 << 10
	tail         = 64 // weir.dropped and the closing brackets
)

// maxPeers bounds the addresses and hosts of related.*.
const maxPeers = 32

// related writes related.*: every address and host of the event once, for pivoting.
func (l *line) related(e *Event, urlHost string) {
	s := l.object("related")
	l.relatedAddrs(e)
	l.relatedHosts(e, urlHost)
	l.end(s)
}

func (l *line) relatedAddrs(e *Event) {
	var room [maxPeers]netip.Addr
	list := room[:0]
	add := func(a netip.Addr) {
		if a = a.Unmap().WithZone(""); a.IsValid() && len(list) < maxPeers && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	add(e.Client.Addr())
	add(e.Server.Addr())
	if e.DNS != nil {
		for i := range e.DNS.Answers {
			add(e.DNS.Answers[i].addr())
		}
	}
	s := l.open("ip", '[')
	for i, a := range list {
		mark := len(l.b)
		l.addr("", a)
		if l.over(mark, s.inner+maxRelated, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}

func (l *line) relatedHosts(e *Event, urlHost string) {
	var room [maxPeers]string
	list := room[:0]
	add := func(name string) {
		name = strings.TrimSuffix(name, ".")
		if name != "" && len(list) < maxPeers && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	add(unlinked(e.ServerName))
	add(unlinked(e.SNI))
	add(urlHost)
	if e.DNS != nil {
		add(e.DNS.Name)
		for i := range e.DNS.Answers {
			if a := &e.DNS.Answers[i]; a.Type == "CNAME" {
				add(a.Data)
			}
		}
	}
	l.texts("hosts", list, maxName, maxRelated)
}

// own writes weir.*: what no field of ECS says.
func (l *line) own(e *Event) {
	s := l.object("weir")
	l.number("schema", Schema)
	l.text("verdict", e.Verdict, maxWord)
	l.text("would", e.Would, maxWord)
	l.text("cause", e.Cause, maxWord)
	l.text("class", e.Class, maxWord)
	l.text("why", e.Why, maxName)
	l.text("stage", e.Stage, maxWord)
	l.text("mode", e.Mode, maxWord)
	l.text("transaction_id", e.Transaction, maxWord)
	l.text("aborted", e.Aborted, maxWord)
	l.text("cert_error", e.CertError, maxPhrase)
	p := l.object("policy")
	l.text("version", e.Policy, maxWord)
	l.end(p)
	var room [2]string
	l.texts("mitigation", mitigations(e, room[:0]), maxWord, maxName)
	l.texts("groups", e.Groups, maxPhrase, maxGroups)
	l.list(&e.List)
	l.ownTLS(e)
	l.webSocket(e.WebSocket)
	l.ownDNS(e.DNS)
	l.inspected(e.Inspected)
	l.findings(e.Findings)
	l.trace(e.Trace)
	l.count("dropped", int64(l.dropped+e.Dropped))
	l.end(s)
}

func (l *line) list(e *List) {
	s := l.object("list")
	l.text("name", e.Name, maxName)
	l.text("category", e.Category, maxPhrase)
	l.link("source", e.Source, maxName)
	l.safe("entry", entry(e.Entry), maxName)
	l.count("line", int64(e.Line))
	l.count("confidence", int64(e.Confidence))
	l.flag("shadow", e.Shadow)
	l.end(s)
}

// entry keeps the mark of an adblock exception, whose @@ is no userinfo.
func entry(s string) string {
	if rest, ok := strings.CutPrefix(s, "@@"); ok {
		return "@@" + unlinked(rest)
	}
	return unlinked(s)
}

func (l *line) ownTLS(e *Event) {
	s := l.object("tls")
	l.text("mode", e.Intercepted, maxWord)
	l.text("alpn", e.ALPN, maxWord)
	l.text("ja4", e.JA4, maxWord)
	l.flag("ech", e.ECH)
	l.end(s)
}

func (l *line) webSocket(w *WebSocket) {
	if w == nil {
		return
	}
	s := l.object("websocket")
	l.number("messages_sent", w.MessagesSent)
	l.number("messages_received", w.MessagesReceived)
	l.flag("compressed", w.Compressed)
	l.count("close_code", int64(w.CloseCode))
	l.end(s)
}

func (l *line) ownDNS(d *DNS) {
	if d == nil {
		return
	}
	s := l.object("dns")
	l.text("cache", d.Cache, maxWord)
	l.link("upstream", d.Upstream, maxPhrase)
	if d.EDE >= 0 {
		l.number("ede", int64(d.EDE))
	}
	l.end(s)
}

func (l *line) inspected(list []Outcome) {
	s := l.open("inspected", '[')
	for i := range list {
		mark := len(l.b)
		o := l.object("")
		l.text("where", list[i].Where, maxPhrase)
		l.text("outcome", list[i].Outcome, maxWord)
		l.number("bytes", list[i].Bytes)
		l.end(o)
		if l.over(mark, s.inner+maxInspected, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}

func (l *line) findings(list []Finding) {
	s := l.open("findings", '[')
	for i := range list {
		f := &list[i]
		mark := len(l.b)
		o := l.object("")
		l.text("detector", f.Detector, maxPhrase)
		l.text("severity", f.Severity, maxWord)
		l.count("confidence", int64(f.Confidence))
		l.text("technique", f.Technique, maxWord)
		l.text("where", f.Where, maxName)
		l.number("offset", f.Offset)
		l.free("detail", f.Detail, maxDetail)
		l.text("action", f.Action, maxWord)
		l.end(o)
		if l.over(mark, s.inner+maxFindings, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}

// trace is written last: it may fill the line.
func (l *line) trace(list []Step) {
	s := l.open("trace", '[')
	for i := range list {
		t := &list[i]
		mark := len(l.b)
		o := l.object("")
		l.text("stage", t.Stage, maxWord)
		l.text("place", t.Place, maxWord)
		l.link("subject", t.Subject, maxName)
		l.text("verdict", t.Verdict, maxWord)
		l.text("would", t.Would, maxWord)
		l.text("cause", t.Cause, maxWord)
		l.text("class", t.Class, maxWord)
		l.text("why", t.Why, maxName)
		l.text("rule", t.Rule, maxPhrase)
		l.text("list", t.List, maxPhrase)
		l.safe("entry", entry(t.Entry), maxName)
		l.text("over_list", t.OverList, maxPhrase)
		l.safe("over_entry", entry(t.OverEntry), maxName)
		l.text("detector", t.Detector, maxPhrase)
		l.text("safety", t.Safety, maxWord)
		l.end(o)
		if l.over(mark, l.start+maxLine-tail, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}
