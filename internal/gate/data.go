package gate

import (
	"bytes"
	"net/http"
	"time"

	"weir/internal/inspect"
	"weir/internal/verdict"
)

// side maps a phase to its direction: 0 to the server, 1 to the client.
func side(phase inspect.Phase) int {
	if phase == inspect.ResponseData {
		return 1
	}
	return 0
}

// Data inspects the next bytes of a body or message. phase is RequestData or ResponseData. Bytes may be released when the verdict
// does not block. An Allow or Log here may still become a block with later bytes.
func (x *Exchange) Data(now time.Time, phase inspect.Phase, p []byte) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	b := &x.scans[side(phase)]
	if x.done || x.verdict.Blocks() && x.settled {
		return x.verdict
	}
	if b.scan == nil {
		x.open(b, x.content(phase))
	}
	x.declared = x.content(phase).Declared
	b.scan.Write(p)
	return x.after(b, phase)
}

// End ends a body or message: findings that only its end shows are made now.
func (x *Exchange) End(now time.Time, phase inspect.Phase) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	return x.end(phase)
}

func (x *Exchange) end(phase inspect.Phase) verdict.Verdict {
	b := &x.scans[side(phase)]
	if b.scan == nil {
		return x.verdict
	}
	x.declared = x.content(phase).Declared
	b.scan.Close()
	x.after(b, phase)
	b.bytes += b.scan.Size()
	b.scan, b.failed = nil, 0
	return x.verdict
}

// Message begins a WebSocket message in one direction; Data and End follow.
func (x *Exchange) Message(now time.Time, phase inspect.Phase) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	x.open(&x.scans[side(phase)], inspect.Content{Phase: phase, Message: true})
}

func (x *Exchange) open(b *body, c inspect.Content) {
	b.scan = x.gate.cfg.Engine.Scan(&x.tx, c, x.Limits(), x.off())
}

// Control inspects the payload of a WebSocket control frame, which may stand inside an open message.
func (x *Exchange) Control(now time.Time, phase inspect.Phase, payload []byte) verdict.Verdict {
	return x.aside(now, phase, payload)
}

// Trailers inspects the trailer fields of a message, before they are released.
func (x *Exchange) Trailers(now time.Time, phase inspect.Phase, h http.Header) verdict.Verdict {
	var text bytes.Buffer
	_ = h.Write(&text) // a Buffer takes everything
	return x.aside(now, phase, text.Bytes())
}

// aside inspects something whole that travels beside a body or message.
func (x *Exchange) aside(now time.Time, phase inspect.Phase, p []byte) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	if len(p) == 0 || x.done || x.verdict.Blocks() && x.settled {
		return x.verdict
	}
	b := body{worst: inspect.Complete}
	x.open(&b, inspect.Content{Phase: phase, Message: true})
	x.declared = ""
	b.scan.Write(p)
	b.scan.Close()
	return x.after(&b, phase)
}

// after judges, once each, what kept a scan from being complete.
func (x *Exchange) after(b *body, phase inspect.Phase) verdict.Verdict {
	fresh := b.scan.Outcomes() &^ b.failed
	if fresh == 0 {
		return x.verdict
	}
	b.failed, b.worst = b.failed|fresh, b.scan.Outcome()
	if x.admitted.InspectOff {
		return x.verdict
	}
	q := x.subject(phase.Place())
	for o := inspect.Failed; o <= inspect.Panicked; o++ {
		if fresh.Has(o) {
			x.settle(x.snap.Failure(&q, o, &x.trace), verdict.StageLimits)
		}
	}
	return x.verdict
}
