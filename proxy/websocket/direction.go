package websocket

import (
	"math"
	"sync"
	"time"

	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/internal/wire/ws"
)

// direction is one half of a Conn: frames in, inspected messages out as frames of its own.
type direction struct {
	conn  *Conn
	phase inspect.Phase
	mask  bool // towards the server

	mu       sync.Mutex // guards what follows; taken before the locks of Conn
	reader   *ws.Reader
	messages *ws.Messages
	input    []byte    // what is parsed: unmasking changes it, so it is a copy
	header   ws.Header // of the frame that is read
	op       ws.Opcode // of the message that is read
	comp     bool
	open     bool // within a message
	begun    bool // a frame of it went out
	released bool // it is not held any more
	held     []byte
	first    time.Time // when the oldest octet that is held came
	latest   time.Time // and the youngest
	timer    *time.Timer
	armed    bool
	counts   counts
	controls int       // control frames since second
	second   time.Time // when their count began
	frame    []byte
}

// counts are the messages that ended and their decompressed octets.
type counts struct{ messages, octets int64 }

var (
	_ ws.FrameSink   = (*direction)(nil)
	_ ws.MessageSink = (*direction)(nil)
)

func newDirection(c *Conn, from ws.Role, phase inspect.Phase, deflate, takeover bool) *direction {
	d := &direction{conn: c, phase: phase, mask: from == ws.FromClient}
	d.reader = ws.NewReader(from, deflate, d)
	// The size of a message is the policy's affair: the gate applies MaxMessage.
	d.messages = ws.NewMessages(ws.Limits{MaxMessage: math.MaxInt64, MaxRatio: c.limits.MaxRatio}, takeover, d)
	d.timer = time.AfterFunc(math.MaxInt64, d.expire)
	d.timer.Stop()
	return d
}

// feed takes at most feedSize octets of the sender. On an error nothing more may be fed.
func (d *direction) feed(p []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(p) > 0 {
		n := min(len(p), feedSize)
		d.input = append(d.input[:0], p[:n]...)
		p = p[n:]
		if err := d.reader.Feed(d.input); err != nil {
			return err
		}
		if d.released && len(d.held) > 0 {
			if err := d.flush(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest stops the timer for good and lets go of what was held.
func (d *direction) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer.Stop()
	d.open, d.held, d.frame = false, nil, nil
}

func (d *direction) count() counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts
}

// BeginFrame is part of ws.FrameSink.
func (d *direction) BeginFrame(h ws.Header, raw []byte) error {
	d.header = h
	return d.messages.BeginFrame(h, raw)
}

// FrameData is part of ws.FrameSink. What it takes is inspected before it is kept to be sent.
func (d *direction) FrameData(p []byte) error {
	if err := d.messages.FrameData(p); err != nil || d.header.Opcode.Control() {
		return err
	}
	d.held = append(d.held, p...)
	d.latest = time.Now()
	if len(d.held) >= d.conn.limits.Hold {
		d.released = true
	}
	if !d.released && !d.armed {
		d.armed, d.first = true, d.latest
		d.timer.Reset(d.conn.limits.HoldWait)
	}
	return nil
}

// EndFrame is part of ws.FrameSink.
func (d *direction) EndFrame() error {
	if err := d.messages.EndFrame(); err != nil || d.header.Opcode.Control() || !d.header.Fin {
		return err
	}
	d.open, d.armed = false, false
	d.timer.Stop()
	return d.flush(true)
}

// BeginMessage is part of ws.MessageSink.
func (d *direction) BeginMessage(op ws.Opcode) error {
	d.op, d.comp, d.open, d.begun, d.released, d.held = op, d.header.RSV1, true, false, false, d.held[:0]
	d.conn.x.Message(time.Now(), d.phase)
	return nil
}

// MessageData is part of ws.MessageSink.
func (d *direction) MessageData(p []byte) error {
	d.counts.octets += int64(len(p))
	return judged(d.conn.x.Data(time.Now(), d.phase, p))
}

// EndMessage is part of ws.MessageSink.
func (d *direction) EndMessage() error {
	d.counts.messages++
	return judged(d.conn.x.End(time.Now(), d.phase))
}

// maxControls is how many control frames a side may send in one second. A keep-alive sends one in many seconds; each is inspected
// and, a ping, has to be answered, which makes them a cheap way to keep a proxy busy or to carry data beside the messages.
const maxControls = 100

// Control is part of ws.MessageSink. The payload is inspected by itself, within a message too: what that holds is not affected.
func (d *direction) Control(op ws.Opcode, payload []byte) error {
	now := time.Now()
	if now.Sub(d.second) >= time.Second {
		d.second, d.controls = now, 0
	}
	if d.controls++; d.controls > maxControls {
		return blockedError{d.conn.x.Refuse(now, verdict.SafetyWebSocket, d.phase.Place(), "control frames")}
	}
	if err := judged(d.conn.x.Control(now, d.phase, payload)); err != nil {
		return err
	}
	if op == ws.Close {
		code, _, _ := ws.CloseCode(payload)
		d.conn.closing(code)
		d.timer.Stop() // what is still held never ends
		d.open = false
	}
	return d.send(ws.Header{Fin: true, Opcode: op}, payload)
}

func judged(v verdict.Verdict) error {
	if v.Blocks() {
		return blockedError{v}
	}
	return nil
}

// flush sends what is held of the message.
func (d *direction) flush(fin bool) error {
	h := ws.Header{Fin: fin, Opcode: d.op, RSV1: d.comp}
	if d.begun {
		h.Opcode, h.RSV1 = ws.Continuation, false
	}
	d.begun = true
	err := d.send(h, d.held)
	d.held = d.held[:0]
	return err
}

// send writes one frame.
func (d *direction) send(h ws.Header, payload []byte) error {
	h.Length = int64(len(payload))
	if h.Masked = d.mask; d.mask {
		h.Mask = newMask()
	}
	d.frame = append(ws.AppendHeader(d.frame[:0], h), payload...)
	if !d.mask {
		return d.conn.toClient(d.frame, h.Opcode == ws.Close)
	}
	ws.Mask(d.frame[len(d.frame)-len(payload):], h.Mask, 0)
	return d.conn.toServer(d.frame, h.Opcode == ws.Close)
}

// expire releases a message whose sender paused, or has trickled for long.
func (d *direction) expire() {
	defer d.conn.survive()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open || !d.armed || d.conn.isEnded() {
		return
	}
	wait := d.conn.limits.HoldWait
	until := d.latest.Add(wait)
	if last := d.first.Add(patience * wait); last.Before(until) {
		until = last
	}
	if rest := time.Until(until); rest > 0 {
		d.timer.Reset(rest)
		return
	}
	d.armed, d.released = false, true
	if len(d.held) == 0 {
		return
	}
	if err := d.flush(false); err != nil {
		d.conn.fail(d, err)
	}
}
