package app

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
)

// ListVerdict says whether lists stop a name, an address, a URL or a fingerprint, and which entry decides: the one that blocks, or
// the exception that lets through what another would block. A line of `weir lists test --check --json`.
type ListVerdict struct {
	Name    string   `json:"name"`
	Verdict string   `json:"verdict"` // block or allow; allow too where no entry speaks
	Listed  bool     `json:"listed"`  // it is blocked, or answered with records of a list
	List    string   `json:"list"`
	Entry   string   `json:"entry"`
	Line    uint32   `json:"line"`
	Answer  string   `json:"answer,omitempty"`  // how DNS answers, where the entry says so
	Records []string `json:"records,omitempty"` // what it answers with, without owner and TTL
	Error   string   `json:"error,omitempty"`   // none of what lists hold
}

// listGate is a gate that knows nothing but lists: every client, port and network is fine.
func listGate(set *blocklists.Set) (*gate.Gate, error) {
	everywhere := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	clients, err := identity.NewTable(nil, everywhere)
	if err != nil {
		return nil, err
	}
	ports := make([]uint16, math.MaxUint16)
	for i := range ports {
		ports[i] = uint16(i + 1)
	}
	snap, err := policy.Compile(policy.Config{
		Default: verdict.Allow, Clients: clients, ConnectPorts: ports, PlainPorts: ports, Internal: policy.Internal{Networks: everywhere},
	}, set)
	if err != nil {
		return nil, err
	}
	g := gate.New(gate.Config{Engine: inspect.NewEngine(nil, nil), Recorder: event.Discard{}})
	g.Swap(snap)
	return g, nil
}

// Check looks one line up in all lists together, by the same gate as the data path: a fingerprint; a URL, which also stands for its
// host; an address; or a name, as a DNS question of type A, or of the type that is named behind it.
func (t *TestedLists) Check(line string) ListVerdict {
	v := ListVerdict{Name: redact.Text(line)}
	now := time.Now()
	x, err := t.ask(now, line)
	if err != nil {
		v.Error = redact.Error(err)
		return v
	}
	defer x.Done(now)
	said, about := x.Verdict(), x.Reason()
	v.Verdict, v.Listed = said.Action.String(), said.Blocks() && about.List != ""
	switch {
	case v.Listed && said.Answer.Kind != verdict.AnswerPage:
		v.Answer, v.Records = dnsAnswer(said.Answer.Kind), redactAll(x.Records())
	case !said.Blocks():
		about = t.pardon(x)
	}
	v.List, v.Entry, v.Line = about.List, redact.Text(about.ListEntry), about.ListLine
	return v
}

// pardon is what let through what another entry would have stopped, or any exception that speaks of the name.
func (t *TestedLists) pardon(x *gate.Exchange) policy.Reason {
	for _, s := range x.Trace().Steps {
		if s.Over.List != 0 {
			return x.Policy().Explain(s.Verdict)
		}
	}
	for _, m := range lookUp(t.set, x.Target()) {
		if m.Exception {
			return x.Policy().Explain(verdict.Verdict{Ref: verdict.Ref{List: m.List + 1, Entry: m.Entry}})
		}
	}
	return policy.Reason{}
}

// ask takes a line through the gate.
func (t *TestedLists) ask(now time.Time, line string) (*gate.Exchange, error) {
	client := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	flow := &inspect.Flow{Client: t.gate.Policy().Client(client), Transport: "udp"}
	if fp, ok := format.ParseFingerprint(line); ok {
		hello := inspect.Hello{JA3: fp}
		if strings.Contains(fp, "_") {
			hello = inspect.Hello{JA4: fp}
		}
		flow.Transport = "tcp"
		x := t.gate.Begin(inspect.Tunnel, flow, now)
		x.Connect(now, "any.invalid:443")
		x.Tunnel(now, gate.Opening{First: inspect.FirstTLS, Hello: &hello})
		return x, nil
	}
	if strings.Contains(line, "/") {
		if _, rest, ok := strings.Cut(line, "://"); !ok {
			line = "http://" + line
		} else if strings.HasPrefix(strings.ToLower(line), "ftp") {
			line = "http://" + rest // lists hold what is served over either
		}
		return t.gate.Check(now, client, line)
	}
	name, word, typed := strings.Cut(line, " ")
	question := inspect.Question{Type: 1, Class: 1}
	if typed {
		var qtype config.QType
		if err := qtype.UnmarshalText([]byte(strings.TrimSpace(word))); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		question.Type = uint16(qtype)
	}
	host, err := hostname.ParseHost(name)
	if err != nil || host.IsAddr() {
		return t.gate.Check(now, client, name)
	}
	question.Name = host.Name
	x := t.gate.Begin(inspect.DNS, flow, now)
	x.Query(now, question)
	return x, nil
}
