package gate

import (
	"net/netip"
	"time"

	"weir/internal/event"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// Done ends the transaction: open inspections are closed, observers see it, and its event is recorded. Later calls do nothing.
func (x *Exchange) Done(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done {
		return
	}
	x.tx.Now = now
	x.end(inspect.RequestData)
	x.end(inspect.ResponseData)
	x.done = true
	x.snap.Count(&x.trace)
	x.gate.stats.Verdicts[x.tx.Protocol&3][x.verdict.Action].Add(1)
	if x.verdict.Cause == verdict.CauseSafety {
		x.gate.stats.Safety.Add(1)
	}
	x.tx.Verdict, x.tx.Answered = x.verdict, x.answered()
	x.gate.stats.Classes[min(x.verdict.Class, verdict.ClassKnown)].Add(1)
	for _, o := range x.gate.cfg.Observers {
		o.Observe(&x.tx)
	}
	if x.gate.cfg.Allowed || x.verdict.Action != verdict.Allow || len(x.tx.Matches) > 0 || x.event.Error != "" {
		x.gate.cfg.Recorder.Record(x.fill(now))
	}
}

// answered says whether the other side gave an answer. A tunnel that is looked into has none of its own: its requests do.
// However it ended, one that is relayed had an answer when octets came back.
func (x *Exchange) answered() bool {
	switch x.tx.Protocol {
	case inspect.DNS:
		return x.event.DNS != nil && x.event.DNS.RCod == "NOERROR" && x.event.DNS.Cache != "local" // what we say ourselves, as to ANY, is no sight
	case inspect.Tunnel:
		relayed := x.event.Intercepted == policy.Splice.String() || x.tx.First == inspect.FirstOther || x.tx.First == inspect.FirstNone
		return relayed && x.event.Received > 0
	case inspect.HTTP, inspect.WebSocket:
		return x.tx.Response.Status != 0
	}
	return false
}

// fill completes the event.
func (x *Exchange) fill(now time.Time) *event.Event {
	e := &x.event
	e.ID, e.Time, e.Duration = x.id(), x.tx.Begin, now.Sub(x.tx.Begin)
	e.Kind = [...]event.Kind{event.KindHTTP, event.KindConnect, event.KindWebSocket, event.KindDNS}[x.tx.Protocol&3]
	x.fillPeers(e)
	x.fillVerdict(e, x.verdict)
	e.Stage = x.stage.String()
	if x.tx.Protocol != inspect.DNS {
		x.fillHTTP(e)
	}
	x.fillOutcomes(e)
	for i := range x.tx.Matches {
		e.Findings = append(e.Findings, x.describe(&x.tx.Matches[i], x.tx.Matches[i].Verdict))
	}
	for _, s := range x.trace.Steps {
		e.Trace = append(e.Trace, x.step(s))
	}
	e.Dropped = x.tx.Dropped + x.trace.Dropped
	return e
}

func (x *Exchange) fillPeers(e *event.Event) {
	e.Client = x.tx.Flow.Remote
	if !e.Client.IsValid() {
		e.Client = netip.AddrPortFrom(x.tx.Flow.Client.Addr, 0)
	}
	e.Groups, e.Transport = x.snap.Groups(x.tx.Flow.Client), x.tx.Flow.Transport
	e.ServerName, e.ServerPort = x.tx.Target.Host(), x.tx.Target.Port
	if x.tx.Protocol == inspect.DNS || x.tx.Target.IsZero() {
		e.ServerName = ""
	}
	e.Policy, e.Mode = x.snap.Version(), "enforce"
	if x.snap.Observing() {
		e.Mode = "observe"
	}
}

func (x *Exchange) fillHTTP(e *event.Event) {
	r := &x.tx.Request
	e.Method, e.URL, e.HTTPVersion = r.Method, r.URL, r.Proto
	if r.Header != nil {
		e.UserAgent, e.Referrer, e.RequestType = r.Header.Get("User-Agent"), r.Header.Get("Referer"), r.Header.Get("Content-Type")
	}
	if x.tx.Response.Header != nil {
		e.ResponseType = x.tx.Response.Header.Get("Content-Type")
	}
	if hello := x.tx.Flow.Hello; hello != nil {
		e.SNI, e.JA3, e.JA4, e.ECH = hello.SNI, hello.JA3, hello.JA4, hello.ECH
	}
}

func (x *Exchange) fillVerdict(e *event.Event, v verdict.Verdict) {
	r := x.snap.Explain(v)
	e.Verdict, e.Cause, e.Class, e.Why = v.Action.String(), v.Cause.String(), v.Class.String(), r.Why
	if v.Observed {
		e.Would = verdict.Block.String()
	}
	if v.Ref.Rule != 0 {
		e.Rule = event.Rule{Name: r.Rule, File: r.RuleWhere, Text: r.RuleText}
	}
	if v.Ref.List != 0 {
		e.List = event.List{
			Name: r.List, Category: r.ListCategory, Source: r.ListSource, Entry: r.ListEntry, Line: r.ListLine,
			Confidence: r.ListConfidence, Shadow: r.ListShadow,
		}
	}
	e.Reason = r.Sentence
}

func (x *Exchange) fillOutcomes(e *event.Event) {
	for i, where := range [...]verdict.Place{verdict.PlaceUpload, verdict.PlaceDownload} {
		if b := &x.scans[i]; b.bytes > 0 || b.worst != inspect.Complete {
			e.Inspected = append(e.Inspected, event.Outcome{Where: where.String(), Outcome: b.worst.String(), Bytes: b.bytes})
		}
	}
}

// describe puts a finding into words.
func (x *Exchange) describe(m *inspect.Match, v verdict.Verdict) event.Finding {
	info := x.gate.cfg.Engine.Infos()[m.Detector-1]
	where := m.Phase.Place().String()
	if m.Path != "" {
		where += " > " + m.Path
	}
	return event.Finding{
		Detector: info.Name, Severity: m.Severity.String(), Confidence: int(m.Confidence), Technique: info.Technique, Where: where,
		Offset: m.Offset, Detail: m.Detail, Action: v.Action.String(),
	}
}

func (x *Exchange) step(s verdict.Step) event.Step {
	r := x.snap.Explain(s.Verdict)
	out := event.Step{
		Stage: s.Stage.String(), Place: s.Place.String(), Subject: s.Subject, Verdict: s.Verdict.Action.String(),
		Cause: s.Verdict.Cause.String(), Class: s.Verdict.Class.String(), Why: r.Why, Rule: r.Rule, List: r.List, Entry: r.ListEntry,
		Detector: r.Detector, Safety: r.Safety,
	}
	if s.Verdict.Observed {
		out.Would = verdict.Block.String()
	}
	if s.Over.List != 0 {
		over := x.snap.Explain(verdict.Verdict{Ref: s.Over})
		out.OverList, out.OverEntry = over.List, over.ListEntry
	}
	return out
}

// finding records one finding of a live session at once.
func (x *Exchange) finding(m *inspect.Match, v verdict.Verdict) {
	e := &event.Event{ID: event.NewID(), Transaction: x.id(), Kind: event.KindFinding, Time: x.tx.Now, Stage: stageOf(v).String()}
	x.fillPeers(e)
	x.fillVerdict(e, v)
	x.fillHTTP(e)
	e.Findings = []event.Finding{x.describe(m, v)}
	x.gate.cfg.Recorder.Record(e)
}

// Cut records that a live transaction was ended because the policy now in force blocks it. v is what Again said.
func (x *Exchange) Cut(now time.Time, v verdict.Verdict, how string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done {
		return
	}
	snap := x.gate.policy.Load()
	old := x.snap
	x.snap = snap // the words of v are those of the new policy
	e := &event.Event{ID: event.NewID(), Transaction: x.id(), Kind: event.KindCut, Time: now, Stage: stageOf(v).String(), Aborted: how}
	x.fillPeers(e)
	x.fillVerdict(e, v)
	x.fillHTTP(e)
	x.snap = old
	x.event.Aborted = how
	x.gate.stats.Cut.Add(1)
	x.gate.cfg.Recorder.Record(e)
}
