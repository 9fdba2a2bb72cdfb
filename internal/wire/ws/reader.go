package ws

import "unicode/utf8"

// Role says who sends the stream.
type Role uint8

// The senders.
const (
	FromClient Role = iota // frames must be masked
	FromServer             // frames must not be masked
)

// FrameSink receives the frames of a stream. Slices are valid only during the
// call; an error stops the Reader and is returned by Feed as it is.
type FrameSink interface {
	// BeginFrame is called with the parsed header and its bytes as sent.
	BeginFrame(h Header, raw []byte) error
	// FrameData is a piece of the payload, unmasked, compressed as sent.
	FrameData(p []byte) error
	// EndFrame follows the last byte of the payload.
	EndFrame() error
}

// Reader splits one direction into frames and checks every rule of RFC 6455
// section 5 that needs no decompression: masking, reserved bits and opcodes,
// control frames, order of continuations, shortest lengths, close payloads.
// It is not safe for concurrent use.
type Reader struct {
	role     Role
	deflate  bool
	sink     FrameSink
	err      error
	hdr      [MaxHeader]byte
	nhdr     int
	h        Header
	left     int64
	pos      int
	inFrame  bool
	inMsg    bool // a fragmented message is open
	closed   bool
	control  [maxControl]byte
	ncontrol int
}

// NewReader makes a Reader. deflate: permessage-deflate was negotiated, so RSV1
// may mark the first frame of a message.
func NewReader(role Role, deflate bool, sink FrameSink) *Reader {
	return &Reader{role: role, deflate: deflate, sink: sink}
}

// Feed reads p, the payload of which is unmasked in place. Errors (*Error, or
// that of the sink) are sticky.
func (r *Reader) Feed(p []byte) error {
	for len(p) > 0 && r.err == nil {
		n := 1
		if r.inFrame {
			n = int(min(r.left, int64(len(p))))
			r.err = r.payload(p[:n])
		} else {
			r.hdr[r.nhdr] = p[0]
			r.nhdr++
			if r.nhdr >= 2 && r.nhdr == headerLen(r.hdr[1]) {
				r.err = r.header()
			}
		}
		p = p[n:]
	}
	return r.err
}

// Idle reports that the stream stands between two messages.
func (r *Reader) Idle() bool { return r.nhdr == 0 && !r.inFrame && !r.inMsg }

// Closed reports that a close frame has ended the stream.
func (r *Reader) Closed() bool { return r.closed }

func (r *Reader) header() error {
	h, n, err := ParseHeader(r.hdr[:r.nhdr])
	if err != nil {
		return protocolError(ReasonLength)
	}
	r.nhdr = 0
	if err := r.check(h); err != nil {
		return err
	}
	r.h, r.left, r.pos, r.ncontrol = h, h.Length, 0, 0
	if err := r.sink.BeginFrame(h, r.hdr[:n]); err != nil {
		return err
	}
	if h.Length == 0 {
		return r.end()
	}
	r.inFrame = true
	return nil
}

// check applies the rules for headers.
func (r *Reader) check(h Header) error {
	switch {
	case r.closed:
		return protocolError(ReasonAfterClose)
	case r.role == FromClient && !h.Masked:
		return protocolError(ReasonUnmasked)
	case r.role == FromServer && h.Masked:
		return protocolError(ReasonMasked)
	case !h.Opcode.known():
		return protocolError(ReasonOpcode)
	case h.RSV2, h.RSV3, h.RSV1 && !(r.deflate && h.Opcode.opens()):
		return protocolError(ReasonReservedBit)
	}
	return r.order(h)
}

// order applies the rules of fragmentation (section 5.4).
func (r *Reader) order(h Header) error {
	switch {
	case h.Opcode.Control() && (!h.Fin || h.Length > maxControl):
		return protocolError(ReasonControl)
	case h.Opcode.Control():
		return nil
	case (h.Opcode == Continuation) != r.inMsg:
		return protocolError(ReasonContinuation)
	}
	r.inMsg = !h.Fin
	return nil
}

func (r *Reader) payload(p []byte) error {
	if r.h.Masked {
		r.pos = Mask(p, r.h.Mask, r.pos)
	}
	if r.h.Opcode.Control() {
		r.ncontrol += copy(r.control[r.ncontrol:], p)
	}
	if err := r.sink.FrameData(p); err != nil {
		return err
	}
	if r.left -= int64(len(p)); r.left > 0 {
		return nil
	}
	return r.end()
}

func (r *Reader) end() error {
	r.inFrame = false
	if r.h.Opcode == Close {
		r.closed = true
		if _, _, ok := CloseCode(r.control[:r.ncontrol]); !ok {
			return protocolError(ReasonCloseCode)
		}
	}
	return r.sink.EndFrame()
}

// utf8Stream checks UTF-8 that comes in pieces.
type utf8Stream struct {
	part [utf8.UTFMax]byte
	n    int
}

// feed takes p and reports whether all text so far can be UTF-8. If not, n is
// how many bytes of p it took to know.
func (u *utf8Stream) feed(p []byte) (n int, ok bool) {
	for ; u.n > 0 && n < len(p); n++ {
		u.part[u.n] = p[n]
		u.n++
		if utf8.FullRune(u.part[:u.n]) {
			if !utf8.Valid(u.part[:u.n]) {
				return n + 1, false
			}
			u.n = 0
		}
	}
	if u.n > 0 {
		return n, true
	}
	cut := completeRunes(p[n:]) + n
	if !utf8.Valid(p[n:cut]) {
		return n + firstInvalid(p[n:]), false
	}
	u.n = copy(u.part[:], p[cut:])
	return len(p), true
}

// completeRunes is the length of p without what may be the start of a rune at its end.
func completeRunes(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if utf8.RuneStart(p[len(p)-i]) {
			if !utf8.FullRune(p[len(p)-i:]) {
				return len(p) - i
			}
			break
		}
	}
	return len(p)
}

// firstInvalid is how many bytes of p show that it is not UTF-8.
func firstInvalid(p []byte) int {
	at := 0
	for {
		c, size := utf8.DecodeRune(p[at:])
		if c == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	n := 1
	for at+n < len(p) && !utf8.FullRune(p[at:at+n]) {
		n++
	}
	return at + n
}

// whole reports that no rune is open.
func (u *utf8Stream) whole() bool { return u.n == 0 }

func (u *utf8Stream) reset() { *u = utf8Stream{} }
