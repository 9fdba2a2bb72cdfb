package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/internal/app"
	"weir/internal/event"
	"weir/internal/redact"
)

// leastCases is what the product promises: this many cases go every way and come back with the same verdict and trace.
const leastCases = 200

// TestEveryWayDecidesTheSame takes the same cases through the running proxy and resolver and through what `check`, `check
// --resolve` and `inspect` do, and compares verdict, cause, class, rule, list, safety refusal, findings and the whole decision
// trace. Each case also says by itself what must be decided, so that the ways cannot agree on something wrong.
func TestEveryWayDecidesTheSame(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{{"enforce", "allow"}, {"observe", "allow"}, {"enforce", "block"}} {
		t.Run(m.mode+" default "+m.fallback, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, m)
			kinds, least := []string{"name", "address", "header", "body", "message", "answer"}, leastCases
			cases := w.cases()
			if m.fallback == "block" { // only names are left: nothing else gets as far as what it is about
				kinds, least = []string{"name"}, 1
				cases = append(append(w.nameCases(), w.clientCases()...), w.trialCases()...)
			}
			ran := map[string]int{}
			for _, c := range cases {
				t.Run(c.kind+"/"+c.name, func(t *testing.T) { w.check(t, c) })
				ran[c.kind]++
			}
			for _, kind := range kinds {
				if ran[kind] < 10 {
					t.Errorf("only %d cases of kind %s", ran[kind], kind)
				}
			}
			if len(cases) < least {
				t.Errorf("only %d cases ran, want %d", len(cases), least)
			}
			t.Logf("%d cases: %v", len(cases), ran)
		})
	}
}

// mode is what the policy says besides its rules and lists: mode and default.
type mode struct{ mode, fallback string }

// agreementCase is one subject and the ways that it is taken.
type agreementCase struct {
	kind, name string
	want       want
	ways       []way
	// exact says that want does not depend on the mode.
	exact bool
	// view is what every way sees of the decision; nil: all of it. The few that are not nil are below, each with its reason.
	view func(decision) decision
}

// way takes the subject of a case through one part of the program.
type way struct {
	name string
	take func(t *testing.T) decision
}

// want is what must be decided in enforce mode.
type want struct {
	verdict, cause, class, rule, list, safety string
}

// wouldBlock is the verdict of what observe mode, or a rule that only observes, lets through.
const wouldBlock = "log (would block)"

// in returns what must be decided in a mode. Observe mode turns every block into a log, except for safety refusals. A default
// that blocks takes the place of the default that allows, and of every log, which ends nothing.
func (e want) in(m mode) want {
	switch {
	case m.mode == "observe" && e.verdict == "block" && e.cause != "safety":
		e.verdict = wouldBlock
	case m.fallback == "block" && (e.verdict == "log" || e.cause == "default"):
		e = want{verdict: "block", cause: "default", class: e.class}
	}
	return e
}

// decision is what one way said.
type decision struct {
	want
	findings []string
	trace    []app.TraceEntry
}

func decisionOf(a app.Answer) decision {
	d := decision{want: want{verdict: a.Verdict, cause: a.Cause, class: a.Class, rule: a.Rule, list: a.List}, trace: a.Trace}
	if a.Would != "" {
		d.verdict += " (would " + a.Would + ")"
	}
	for _, f := range a.Findings {
		d.findings = append(d.findings, fmt.Sprintf("%s in %s at %d: %s", f.Detector, f.Where, f.Offset, f.Detail))
	}
	d.setSafety()
	return d
}

// decisionOfEvent reads the same out of an event, whose texts are not redacted before they are written.
func decisionOfEvent(e *event.Event) decision {
	a := app.Answer{Verdict: e.Verdict, Would: e.Would, Cause: e.Cause, Class: e.Class, Rule: redact.Text(e.Rule.Name), List: e.List.Name}
	for _, s := range e.Trace {
		a.Trace = append(a.Trace, app.TraceEntry{
			Stage: s.Stage, Place: s.Place, Subject: redact.Scrub(s.Subject), Verdict: s.Verdict, Would: s.Would, Cause: s.Cause,
			Class: s.Class, Why: redact.Text(s.Why), Rule: redact.Text(s.Rule), List: s.List, Entry: redact.Text(s.Entry), OverList: s.OverList,
			OverEntry: redact.Text(s.OverEntry), Safety: s.Safety,
		})
	}
	for _, f := range e.Findings {
		a.Findings = append(a.Findings, app.Finding{
			Detector: f.Detector, Where: f.Where, Offset: f.Offset, Detail: redact.Text(redact.Truncate(f.Detail, 256)),
		})
	}
	return decisionOf(a)
}

// setSafety finds the refusal that decided in the trace.
func (d *decision) setSafety() {
	if d.cause != "safety" {
		return
	}
	for _, s := range d.trace {
		if s.Cause == "safety" {
			d.safety = s.Safety
			return
		}
	}
}

func (d decision) String() string {
	var out strings.Builder
	out.WriteString(fmt.Sprintf("%+v", d.want))
	for _, f := range d.findings {
		out.WriteString("\n\tfound " + f)
	}
	for _, s := range d.trace {
		out.WriteString(fmt.Sprintf("\n\t%+v", s))
	}
	return out.String()
}

func (d decision) equal(o decision) bool {
	return d.want == o.want && slices.Equal(d.findings, o.findings) && slices.Equal(d.trace, o.trace)
}

// check takes a case every way.
func (w *world) check(t *testing.T, c agreementCase) {
	t.Helper()
	if len(c.ways) < 2 {
		t.Fatal("a case goes at least two ways")
	}
	expect := c.want
	if !c.exact {
		expect = c.want.in(w.mode)
	}
	var first decision
	for i, way := range c.ways {
		got := way.take(t)
		if c.view != nil {
			got = c.view(got)
		}
		if got.want != expect {
			t.Errorf("%s decided\n%v\nwant\n%+v", way.name, got, expect)
		}
		if i == 0 {
			first = got
			continue
		}
		if !got.equal(first) {
			t.Errorf("%s and %s do not agree:\n%v\n%v", c.ways[0].name, way.name, first, got)
		}
	}
}

// onlyContent is the view of a response that `inspect` was given without the request that it answers: the gate saw no target
// there, so the steps before the response have no counterpart, and those about it no name, nor a reason for its class.
func onlyContent(d decision) decision {
	d.trace = slices.DeleteFunc(slices.Clone(d.trace), func(s app.TraceEntry) bool { return s.Place != "reply" && s.Place != "download" })
	for i := range d.trace {
		d.trace[i].Subject, d.trace[i].Why = "", ""
	}
	return d
}
