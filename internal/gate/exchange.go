package gate

import (
	"net/netip"
	"time"

	"weir/internal/event"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// ID returns the transaction's id, which its event will carry.
func (x *Exchange) ID() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.id()
}

func (x *Exchange) id() string {
	if x.tx.ID == "" {
		x.tx.ID = event.NewID()
	}
	return x.tx.ID
}

// Verdict returns the strictest verdict so far.
func (x *Exchange) Verdict() verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.verdict
}

// Stage returns the stage that gave the verdict.
func (x *Exchange) Stage() verdict.Stage {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stage
}

// Trace returns a copy of the decision trace so far.
func (x *Exchange) Trace() verdict.Trace {
	x.mu.Lock()
	defer x.mu.Unlock()
	return verdict.Trace{Steps: append([]verdict.Step(nil), x.trace.Steps...), Dropped: x.trace.Dropped}
}

// Findings returns a copy of what detectors found so far.
func (x *Exchange) Findings() []inspect.Match {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]inspect.Match(nil), x.tx.Matches...)
}

// Protocol returns what the transaction speaks.
func (x *Exchange) Protocol() inspect.Protocol {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tx.Protocol
}

// Client returns the address of who asks.
func (x *Exchange) Client() netip.Addr { return x.tx.Flow.Client.Addr }

// Policy returns the policy that the transaction began with.
func (x *Exchange) Policy() *policy.Snapshot { return x.snap }

// Reason puts the verdict into words, for pages and answers.
func (x *Exchange) Reason() policy.Reason { return x.snap.Explain(x.Verdict()) }

// Records returns what a verdict of verdict.AnswerData answers with, in the order of the list: each is one record in presentation form
// without owner and TTL, such as "A 192.0.2.1", "CNAME x.example." or, for an RPZ wildcard, "CNAME *.walled.example.". nil for every
// other verdict.
func (x *Exchange) Records() []string { return x.snap.Records(x.Verdict()) }

// Limits returns the caps of inspection.
func (x *Exchange) Limits() inspect.Limits {
	if x.snap == nil {
		return inspect.DefaultLimits()
	}
	return x.snap.Limits()
}

// Note lets the caller write what only it knows (addresses, octets, TLS) into the transaction's event.
func (x *Exchange) Note(f func(e *event.Event)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.done {
		f(&x.event)
	}
}

// Refuse books a safety refusal that the caller saw: a certificate, a limit, a loop. subject is the thing refused.
func (x *Exchange) Refuse(now time.Time, s verdict.Safety, place verdict.Place, subject string) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	return x.refuse(s, place, subject)
}

func (x *Exchange) refuse(s verdict.Safety, place verdict.Place, subject string) verdict.Verdict {
	v := verdict.Refuse(s)
	x.trace.Add(verdict.Step{Stage: verdict.StageSafety, Place: place, Subject: subject, Verdict: v})
	return x.settle(v, verdict.StageSafety)
}

// settle merges a verdict into that of the transaction: the strictest wins, the first among equals.
func (x *Exchange) settle(v verdict.Verdict, stage verdict.Stage) verdict.Verdict {
	if !x.settled || v.Stricter(x.verdict) {
		x.verdict, x.stage, x.settled = v, stage, true
	}
	return x.verdict
}

// subject begins the input of a decision.
func (x *Exchange) subject(place verdict.Place) policy.Subject {
	return policy.Subject{
		Now: x.tx.Now, Client: x.tx.Flow.Client, Protocol: x.tx.Protocol, Place: place,
		Name: x.tx.Target.Name, Addr: x.tx.Target.Addr, Literal: x.tx.Target.IsAddr(),
		Port: x.tx.Target.Port, URL: x.url, Method: x.tx.Request.Method, QType: x.tx.Question.Type, LooseURL: x.loose,
		AllowedBy: x.admitted.AllowedBy, Vouched: x.admitted.Vouched, Stream: x.tx.Protocol != inspect.DNS || x.tx.Flow.Stream(),
		Spoken: &x.spoken, Judged: &x.judged,
	}
}

// admit judges a subject and keeps what the admission says about addresses and detectors.
func (x *Exchange) admit(q *policy.Subject) verdict.Verdict {
	a := x.snap.Admit(q, &x.trace)
	x.admitted = a
	return x.settle(a.Verdict, stageOf(a.Verdict))
}

// served refuses clients that the config does not serve.
func (x *Exchange) served() bool {
	if x.tx.Flow.Client.Served {
		return true
	}
	x.refuse(verdict.SafetyClient, verdict.PlaceClient, x.tx.Flow.Client.Addr.String())
	return false
}

func stageOf(v verdict.Verdict) verdict.Stage {
	switch v.Cause {
	case verdict.CauseSafety:
		return verdict.StageSafety
	case verdict.CauseRule:
		return verdict.StageRules
	case verdict.CauseList:
		return verdict.StageLists
	case verdict.CauseReputation:
		return verdict.StageReputation
	case verdict.CauseDetector:
		return verdict.StageDetectors
	case verdict.CauseError, verdict.CauseTimeout, verdict.CauseLimit:
		return verdict.StageLimits
	case verdict.CauseDefault:
		return verdict.StageDefault
	}
	return verdict.StageDefault
}

// off says which detectors do not run for this transaction: those that the config turned off and, under an allow rule with
// inspect: off, all but the safety detectors.
func (x *Exchange) off() func(uint16) bool {
	infos := x.gate.cfg.Engine.Infos()
	skip := x.admitted.InspectOff
	return func(n uint16) bool {
		return x.snap.DetectorOff(n) || skip && infos[n-1].Safety == verdict.SafetyNone
	}
}

// head runs the detectors over one phase and judges what they found.
func (x *Exchange) head(phase inspect.Phase) verdict.Verdict {
	x.declared = ""
	o := x.gate.cfg.Engine.Head(&x.tx, phase, x.off())
	if o != inspect.Complete {
		q := x.subject(phase.Place())
		x.settle(x.snap.Failure(&q, o, &x.trace), verdict.StageLimits)
	}
	return x.verdict
}

// maxTold is how many findings of one live session become events of their own; those that block always do. More would let a
// session drown its own evidence.
const maxTold = 32

// judge turns a finding into a verdict, at once.
func (x *Exchange) judge(m *inspect.Match) verdict.Verdict {
	q := x.subject(m.Phase.Place())
	q.ContentType = x.declared
	v := x.snap.Finding(&q, m, &x.trace)
	x.gate.stats.Findings.Add(1)
	x.settle(v, stageOf(v))
	live := x.tx.Protocol == inspect.WebSocket && m.Phase != inspect.Request && m.Phase != inspect.Response
	if live && (x.told < maxTold || v.Blocks()) {
		x.told++
		x.finding(m, v)
	}
	return v
}
