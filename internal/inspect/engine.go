package inspect

import (
	"fmt"
	"time"
)

// Limits caps what the inspection of one body or message may cost. A zero field means the default of [DefaultLimits].
type Limits struct {
	Hold       int           // octets of a body that are inspected before its head is released
	HoldWait   time.Duration // and the longest pause of the sender before it is released all the same
	MaxBody    int64         // decoded octets inspected of one body; as much again in all its nested layers together
	MaxMessage int64         // octets of one WebSocket message
	MaxDepth   int           // nested layers
	MaxRatio   int           // decoded to encoded octets
	MaxTime    time.Duration // time spent inspecting one body
}

// DefaultLimits returns the caps that hold when the config says nothing. Reasons: a block page is possible while nothing was
// released, and 64 KiB is where executables and archives have long shown themselves; 100 ms is below what a person notices;
// 64 MiB holds all but rare downloads; real pages compress below 100:1.
func DefaultLimits() Limits {
	return Limits{
		Hold: 64 << 10, HoldWait: 100 * time.Millisecond, MaxBody: 64 << 20, MaxMessage: 16 << 20, MaxDepth: 4, MaxRatio: 200,
		MaxTime: 5 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.MaxBody <= 0 {
		l.MaxBody = d.MaxBody
	}
	if l.MaxMessage <= 0 {
		l.MaxMessage = d.MaxMessage
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = d.MaxDepth
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = d.MaxRatio
	}
	if l.MaxTime <= 0 {
		l.MaxTime = d.MaxTime
	}
	return l
}

// Outcome is what became of an inspection. The zero Outcome failed.
type Outcome uint8

// The outcomes.
const (
	Failed     Outcome = iota // the coding is unknown or broken
	Complete                  // all was seen
	LimitSize                 // a size cap was reached
	LimitRatio                // an expansion ratio cap was reached
	LimitDepth                // more nested layers than the cap
	OutOfTime                 // the time cap was reached
	Panicked                  // a detector or decoder panicked
)

// String returns the word used in events.
func (o Outcome) String() string {
	return [...]string{"error", "complete", "limit:size", "limit:ratio", "limit:depth", "timeout", "panic", "invalid"}[o&7]
}

// Outcomes is a set of outcomes: one inspection may fail in several ways, and policy may treat each differently.
type Outcomes uint8

// Has says whether o is in the set.
func (s Outcomes) Has(o Outcome) bool { return s&(1<<o) != 0 }

// Engine runs detectors. It is immutable and safe for concurrent use.
type Engine struct {
	detectors []Detector
	infos     []Info
	clock     func() time.Time
}

// NewEngine makes an engine of detectors; their numbers are their places in the list, from 1. clock measures the time cap; nil
// means no time cap, as for replayed captures. Two detectors of one name, or one that looks at nothing, are an error of the
// program and panic.
func NewEngine(detectors []Detector, clock func() time.Time) *Engine {
	e := &Engine{detectors: detectors, clock: clock}
	seen := map[string]bool{}
	for _, d := range detectors {
		info := d.Info()
		_, head := d.(Header)
		_, body := d.(Body)
		if seen[info.Name] || info.Name == "" || !head && !body {
			panic(fmt.Sprintf("inspect: detector %q is double, nameless or looks at nothing", info.Name))
		}
		seen[info.Name] = true
		e.infos = append(e.infos, info)
	}
	return e
}

// Infos returns the registry in the order of detector numbers.
func (e *Engine) Infos() []Info { return e.infos }

// Head runs the detectors that look at heads over one phase of tx and appends their findings to tx.Matches. off says which
// detectors do not run; nil: all run. A panic of a detector costs that detector's findings and is reported as the Outcome.
func (e *Engine) Head(tx *Transaction, phase Phase, off func(number uint16) bool) (o Outcome) {
	o = Complete
	for i, d := range e.detectors {
		h, ok := d.(Header)
		if !ok || off != nil && off(uint16(i+1)) {
			continue
		}
		if !headSafely(h, tx, phase, tx.reporter(uint16(i+1), phase, "")) {
			o = Panicked
		}
	}
	return o
}

func headSafely(h Header, tx *Transaction, phase Phase, report Report) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	h.Head(tx, phase, report)
	return true
}

// reporter returns the Report that books findings of one detector in one layer.
func (tx *Transaction) reporter(number uint16, phase Phase, path string) Report {
	return func(m Match) {
		m.Detector, m.Phase, m.Path = number, phase, path
		tx.book(m)
	}
}
