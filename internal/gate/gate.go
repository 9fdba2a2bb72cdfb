// Package gate holds the order of decisions, once, for everybody: it is sans-IO, with one method per phase, and the proxy, the
// resolver, replay, `check` and `inspect` only call it.
//
//	phase         proxy                     WebSocket              DNS
//	Open          Connect, Tunnel, Address  -                      -
//	Request       Request                   Request                Query
//	RequestData   Data, End                 Message, Data, End     -
//	Response      Response                  Response               Name, Address
//	ResponseData  Data, End                 Message, Data, End     -
//	Done          Done                      Done                   Done
//
// In each phase the order is: safety refusals, rules in file order, lists, reputation class, detectors, default (package policy).
// Layer L4.
package gate

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/event"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// Config is what a Gate is made of.
type Config struct {
	Engine    *inspect.Engine
	Recorder  event.Recorder
	Observers []inspect.Observer // see finished transactions; they must be quick
	// Allowed says whether events of transactions that simply passed are recorded too.
	Allowed bool
}

// Gate admits transactions under the current policy. It is safe for concurrent use.
type Gate struct {
	cfg    Config
	policy atomic.Pointer[policy.Snapshot]
	stats  Stats
}

// Stats counts transactions by what was decided. Every field only grows.
type Stats struct {
	Verdicts [4][3]atomic.Uint64                   // by inspect.Protocol and verdict.Action
	Classes  [verdict.ClassKnown + 1]atomic.Uint64 // by class of what was decided about
	Findings atomic.Uint64
	Safety   atomic.Uint64 // safety refusals
	Cut      atomic.Uint64 // live connections cut after a change of policy
}

// New makes a Gate that blocks everything until a policy is swapped in.
func New(cfg Config) *Gate { return &Gate{cfg: cfg} }

// Swap puts a new policy in force for transactions that begin from now on, and returns the old one.
func (g *Gate) Swap(s *policy.Snapshot) (old *policy.Snapshot) { return g.policy.Swap(s) }

// Policy returns the policy in force; nil before the first Swap.
func (g *Gate) Policy() *policy.Snapshot { return g.policy.Load() }

// Stats returns the gate's counters.
func (g *Gate) Stats() *Stats { return &g.stats }

// Record passes an event that belongs to no transaction.
func (g *Gate) Record(e *event.Event) { g.cfg.Recorder.Record(e) }

// Exchange is one transaction on its way through the phases. Its methods may be called from several goroutines: both directions
// of a body or a WebSocket run at once. Done must be called exactly once at the end, whatever happened; calls after it decide
// nothing new.
type Exchange struct {
	gate *Gate
	snap *policy.Snapshot

	mu       sync.Mutex // guards everything below
	tx       inspect.Transaction
	trace    verdict.Trace
	verdict  verdict.Verdict // the strictest so far; blocks until something was admitted
	settled  bool
	stage    verdict.Stage
	admitted policy.Admission
	spoken   policy.Spoken
	judged   policy.Judged
	url      string // canonical
	loose    string // and as lenient servers read it, where that differs
	declared string // content type of the part that is being looked at
	told     int    // findings that became events of their own
	scans    [2]body
	event    event.Event
	done     bool
}

// body is the inspection of one direction.
type body struct {
	scan   *inspect.Scan
	failed inspect.Outcomes // judged
	bytes  int64
	worst  inspect.Outcome
}

// Begin starts a transaction under the policy in force. It keeps that policy until its end.
func (g *Gate) Begin(protocol inspect.Protocol, flow *inspect.Flow, now time.Time) *Exchange {
	x := &Exchange{gate: g, snap: g.policy.Load()}
	x.tx = inspect.Transaction{Protocol: protocol, Flow: flow, Begin: now, Now: now, Judge: x.judge}
	for i := range x.scans {
		x.scans[i].worst = inspect.Complete
	}
	return x
}
