package gate

import (
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
	b.scan.Close()
	x.after(b, phase)
	b.bytes += b.scan.Size()
	b.scan, b.failed = nil, false
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

// after judges what a scan found and, once, what kept it from being complete.
func (x *Exchange) after(b *body, phase inspect.Phase) verdict.Verdict {
	declared := x.tx.Request.Header
	if phase == inspect.ResponseData {
		declared = x.tx.Response.Header
	}
	x.judge(mediaType(declared))
	if o := b.scan.Outcome(); o != inspect.Complete && !b.failed {
		b.failed, b.worst = true, o
		if !x.admitted.InspectOff {
			q := x.subject(phase.Place())
			x.settle(x.snap.Failure(&q, o, &x.trace), verdict.StageLimits)
		}
	}
	return x.verdict
}
