package inspect

import (
	"errors"
	"time"

	"weir/internal/decode"
)

// Content describes a body or message to be inspected.
type Content struct {
	Phase    Phase
	Codings  []string // Content-Encoding as listed; nil none
	Declared string   // media type, lower case without parameters
	Name     string   // file name, "" unknown
	Message  bool     // a WebSocket message: MaxMessage applies
}

// Scan is the inspection of one body or message: it takes the bytes as they pass, decodes them beside the stream, and appends
// findings to the transaction. It is not safe for concurrent use. Close must be called, also after an abort.
type Scan struct {
	engine  *Engine
	tx      *Transaction
	content Content
	limits  Limits
	off     func(uint16) bool

	raw     *layer        // the bytes as they came, when there are codings
	chain   *decode.Chain // nil without codings
	top     *layer        // the decoded body
	outcome Outcome       // the first that was not Complete
	all     Outcomes
	stopped bool // nothing more is looked at
	spent   time.Duration
	size    int64 // octets of top
	nested  int64 // octets of all layers below top
}

// Scan begins the inspection of one body or message. off says which detectors do not run; nil: all run.
func (e *Engine) Scan(tx *Transaction, c Content, lim Limits, off func(number uint16) bool) *Scan {
	s := &Scan{engine: e, tx: tx, content: c, limits: lim.withDefaults(), off: off, outcome: Complete}
	if c.Message {
		s.limits.MaxBody = s.limits.MaxMessage
	}
	s.guard(s.open)
	return s
}

func (s *Scan) open() {
	info := Layer{Phase: s.content.Phase, Declared: s.content.Declared, Root: s.content.Declared, Name: s.content.Name}
	path, outermost := "", ""
	for i := len(s.content.Codings) - 1; i >= 0; i-- {
		if c := s.content.Codings[i]; c != "identity" {
			path = join(path, c)
			if outermost == "" {
				outermost = c
			}
		}
	}
	if path == "" {
		s.top = s.layer(info, true)
		return
	}
	// A client may ignore Content-Encoding, or the header may lie, so the bytes are also looked at as they came.
	s.raw = s.layer(info, true)
	chain, err := decode.NewChain(s.content.Codings, s.decodeLimits(), s.decoded)
	if err != nil {
		s.fail(outcomeOf(err))
		return
	}
	s.chain, s.raw.undone = chain, outermost
	info.Path = path
	s.top = s.layer(info, true)
}

func (s *Scan) decodeLimits() decode.Limits {
	return decode.Limits{MaxOutput: s.limits.MaxBody, MaxRatio: s.limits.MaxRatio, MaxDepth: s.limits.MaxDepth, RatioFree: ratioFree}
}

// ratioFree is how many decoded octets are looked at however much they expanded: that many cost a few milliseconds, and a bomb
// that is small enough hides nothing then.
const ratioFree = 8 << 20

// decoded takes the output of the content codings.
func (s *Scan) decoded(p []byte) error {
	s.top.write(p)
	return nil
}

// Write looks at the next bytes. After it returned, everything that they determine was found; p may then be released.
func (s *Scan) Write(p []byte) {
	if s.stopped || len(p) == 0 {
		return
	}
	s.guard(func() {
		if s.raw != nil {
			s.raw.write(p)
		}
		if s.chain != nil {
			if err := s.chain.Write(p); err != nil {
				s.fail(outcomeOf(err))
			}
			return
		}
		if s.top != nil {
			s.top.write(p)
		}
	})
}

// Close ends the body. Findings that only its end shows are made now. It may be called more than once.
func (s *Scan) Close() {
	if !s.stopped {
		s.guard(s.finish)
	}
	s.stopped = true
	if s.chain != nil {
		s.chain.Release()
	}
	s.raw.release()
	s.top.release()
}

func (s *Scan) finish() {
	if s.chain != nil {
		if err := s.chain.Close(); err != nil {
			s.fail(outcomeOf(err))
		}
	}
	s.raw.close()
	s.top.close()
}

// Outcome says how complete the inspection is so far: Complete, or the first thing that kept it from being so.
func (s *Scan) Outcome() Outcome { return s.outcome }

// Outcomes returns everything that kept the inspection from being complete so far.
func (s *Scan) Outcomes() Outcomes { return s.all }

// Stopped says whether the inspection gave up: nothing more is looked at.
func (s *Scan) Stopped() bool { return s.stopped }

// Size returns the decoded octets looked at, nested layers not counted.
func (s *Scan) Size() int64 { return s.size }

// guard runs f under the time cap and turns a panic into an outcome.
func (s *Scan) guard(f func()) {
	var begin time.Time
	if s.engine.clock != nil {
		begin = s.engine.clock()
	}
	defer func() {
		if recover() != nil {
			s.note(Panicked)
			s.stopped = true
			return
		}
		if s.engine.clock == nil {
			return
		}
		if s.spent += s.engine.clock().Sub(begin); s.spent > s.limits.MaxTime && !s.stopped {
			s.note(OutOfTime)
			s.stopped = true
		}
	}()
	f()
}

// fail records the first thing that kept the inspection from being complete. A coding that fails ends only the decoding: the
// raw bytes are still looked at. A cap ends the whole.
func (s *Scan) fail(o Outcome) {
	s.note(o)
	if s.chain != nil {
		s.chain.Release()
		s.chain = nil
		s.top.release()
		s.top = nil
	}
	if o != Failed {
		s.stopped = true
	}
}

// note records that something was not seen; the rest goes on.
func (s *Scan) note(o Outcome) {
	s.all |= 1 << o
	if s.outcome == Complete {
		s.outcome = o
	}
}

// outcomeOf maps errors of package decode.
func outcomeOf(err error) Outcome {
	switch {
	case errors.Is(err, decode.ErrOutputLimit):
		return LimitSize
	case errors.Is(err, decode.ErrRatioLimit):
		return LimitRatio
	case errors.Is(err, decode.ErrDepthLimit):
		return LimitDepth
	}
	return Failed
}

func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + " > " + step
}
