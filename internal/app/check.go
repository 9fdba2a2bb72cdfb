package app

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
)

// Judge answers questions by the same gate as the data path, without running anything.
type Judge struct {
	core   *core
	client netip.Addr
}

// NewJudge loads the policy and the lists as they lie on disk. client is who is said to ask; invalid: this machine.
func NewJudge(ctx context.Context, f *File, client netip.Addr) (*Judge, error) {
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return nil, err
	}
	if !client.IsValid() {
		client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return &Judge{core: k, client: client}, nil
}

// Answer is what the gate said about one target or content; the order of fields is that of the command line's JSON.
type Answer struct {
	Target  string `json:"target"`
	Verdict string `json:"verdict"`
	Would   string `json:"would,omitempty"` // what enforce mode would do
	Cause   string `json:"cause"`
	Class   string `json:"class"`
	Why     string `json:"why,omitempty"` // it has this class, where no list says so
	Rule    string `json:"rule"`
	List    string `json:"list"`
	Entry   string `json:"entry,omitempty"`
	Line    uint32 `json:"line,omitempty"`
	// Confidence is how sure the list is, in percent; 0: it does not say.
	Confidence uint8        `json:"confidence,omitempty"`
	Answer     string       `json:"answer,omitempty"`  // how a block of a name speaks in DNS
	Records    []string     `json:"records,omitempty"` // what it answers with, without owner and TTL
	Stage      string       `json:"stage"`
	TLS        string       `json:"tls,omitempty"` // intercept or splice, where it was asked
	Reason     string       `json:"reason"`
	Findings   []Finding    `json:"findings,omitempty"`
	Trace      []TraceEntry `json:"trace"`
	Leads      bool         `json:"-"` // a name that is not blocked: where it leads to was not judged
}

// TraceEntry is one stage that spoke.
type TraceEntry struct {
	Stage   string `json:"stage"`
	Place   string `json:"place"`
	Subject string `json:"subject"`
	Verdict string `json:"verdict"`
	Would   string `json:"would,omitempty"` // block, where policy, rule or list are only tried out
	Cause   string `json:"cause"`
	Class   string `json:"class,omitempty"`
	Why     string `json:"why,omitempty"`
	Rule    string `json:"rule,omitempty"`
	List    string `json:"list,omitempty"`
	Entry   string `json:"entry,omitempty"`
	// OverList and OverEntry are what the entry beat, where it let something through that another would have stopped.
	OverList  string `json:"over_list,omitempty"`
	OverEntry string `json:"over_entry,omitempty"`
	Safety    string `json:"safety,omitempty"`
}

// Finding is one thing that a detector found.
type Finding struct {
	Detector  string `json:"detector"`
	Severity  string `json:"severity"`
	Technique string `json:"technique"`
	Where     string `json:"where"`
	Offset    int64  `json:"offset"`
	Detail    string `json:"detail"`
}

// Blocks says whether the policy says block.
func (a Answer) Blocks() bool { return a.Verdict == "block" }

// Check judges a URL, name or address.
func (j *Judge) Check(now time.Time, target string) (Answer, error) {
	x, err := j.core.gate.Check(now, j.client, target)
	if err != nil {
		return Answer{}, err
	}
	defer x.Done(now)
	a := j.answer(target, x)
	a.Leads = !a.Blocks() && !x.Target().Name.IsZero()
	if secure(target) {
		a.TLS = policy.Intercept.String()
		if x.Protocol() == inspect.Tunnel && !a.Blocks() {
			a.TLS = policy.Splice.String()
		}
	}
	return a, nil
}

func secure(target string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(target), "://")
	return ok && (scheme == "https" || scheme == "wss")
}

// shown is a target as it is printed: a URL without its secrets, anything else as it was given, so that answers can be told apart.
func shown(target string) string {
	if strings.Contains(target, "://") {
		return redact.URL(target)
	}
	return redact.Text(target)
}

func (j *Judge) answer(target string, x *gate.Exchange) Answer {
	v, r := x.Verdict(), x.Reason()
	a := Answer{
		Target: shown(target), Verdict: v.Action.String(), Cause: v.Cause.String(), Class: v.Class.String(), Why: redact.Text(r.Why), Rule: redact.Text(r.Rule),
		List: r.List, Entry: redact.Text(r.ListEntry), Line: r.ListLine, Stage: x.Stage().String(), Reason: redact.Text(r.Sentence),
		Trace: []TraceEntry{},
	}
	if v.Observed {
		a.Would = "block"
	}
	a.Confidence = r.ListConfidence
	if v.Blocks() && x.Protocol() == inspect.DNS {
		a.Answer, a.Records = dnsAnswer(v.Answer.Kind), redactAll(x.Records())
	}
	for _, s := range x.Trace().Steps {
		a.Trace = append(a.Trace, traceEntry(x.Policy(), s))
	}
	infos := j.core.engine.Infos()
	for _, m := range x.Findings() {
		where := m.Phase.Place().String()
		if m.Path != "" {
			where += " > " + m.Path
		}
		a.Findings = append(a.Findings, Finding{
			Detector: infos[m.Detector-1].Name, Severity: m.Severity.String(), Technique: infos[m.Detector-1].Technique, Where: where,
			Offset: m.Offset, Detail: redact.Text(redact.Truncate(m.Detail, 256)),
		})
	}
	return a
}

// dnsAnswer is the word for what a blocked question is answered with; DNS has no page.
func dnsAnswer(k verdict.AnswerKind) string {
	if k == verdict.AnswerPage {
		k = verdict.AnswerNXDOMAIN
	}
	return k.String()
}

func redactAll(texts []string) (out []string) {
	for _, t := range texts {
		out = append(out, redact.Text(t))
	}
	return out
}

func traceEntry(p *policy.Snapshot, s verdict.Step) TraceEntry {
	about := p.Explain(s.Verdict)
	out := TraceEntry{
		Stage: s.Stage.String(), Place: s.Place.String(), Subject: redact.Scrub(s.Subject), Verdict: s.Verdict.Action.String(),
		Cause: s.Verdict.Cause.String(), Class: s.Verdict.Class.String(), Why: redact.Text(about.Why), Rule: redact.Text(about.Rule), List: about.List,
		Entry: redact.Text(about.ListEntry), Safety: about.Safety,
	}
	if s.Verdict.Observed {
		out.Would = verdict.Block.String()
	}
	if s.Over.List != 0 {
		over := p.Explain(verdict.Verdict{Ref: s.Over})
		out.OverList, out.OverEntry = over.List, redact.Text(over.ListEntry)
	}
	return out
}
