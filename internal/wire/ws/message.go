package ws

// MessageSink receives whole messages in pieces, decompressed. Control frames
// come in between. Slices are valid only during the call; an error stops the
// Messages and is returned as it is.
type MessageSink interface {
	BeginMessage(op Opcode) error // Text or Binary
	MessageData(p []byte) error
	EndMessage() error
	Control(op Opcode, payload []byte) error
}

// Limits bounds a message. Zero fields take their defaults.
type Limits struct {
	MaxMessage int64 // decompressed bytes; default 16 MiB
	MaxRatio   int   // decompressed to compressed bytes of a message above 64 KiB; default 200
}

// Defaults of Limits.
const (
	DefaultMaxMessage = 16 << 20 // browsers and servers commonly stop there
	DefaultMaxRatio   = 200      // as for content codings
)

func (l Limits) withDefaults() Limits {
	if l.MaxMessage <= 0 {
		l.MaxMessage = DefaultMaxMessage
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = DefaultMaxRatio
	}
	return l
}

// Messages assembles the frames of one direction: it is the FrameSink of a
// Reader, decompresses and checks the UTF-8 of text. A caller that also wants
// the frames implements FrameSink and passes the calls on.
type Messages struct {
	sink    MessageSink
	limits  Limits
	inf     *Inflater
	op      Opcode
	comp    bool
	h       Header
	size    int64
	utf8    utf8Stream
	control [maxControl]byte
	nctl    int
	data    func([]byte) error
}

var _ FrameSink = (*Messages)(nil)

// NewMessages makes an assembler. contextTakeover is that of the sender, for
// streams with permessage-deflate.
func NewMessages(lim Limits, contextTakeover bool, sink MessageSink) *Messages {
	m := &Messages{sink: sink, limits: lim.withDefaults()}
	m.inf = NewInflater(contextTakeover, m.limits)
	m.data = m.deliver
	return m
}

// BeginFrame is part of FrameSink.
func (m *Messages) BeginFrame(h Header, _ []byte) error {
	m.h, m.nctl = h, 0
	if h.Opcode != Text && h.Opcode != Binary {
		return nil
	}
	m.op, m.comp, m.size = h.Opcode, h.RSV1, 0
	m.utf8.reset()
	return m.sink.BeginMessage(h.Opcode)
}

// FrameData is part of FrameSink.
func (m *Messages) FrameData(p []byte) error {
	switch {
	case m.h.Opcode.Control():
		m.nctl += copy(m.control[m.nctl:], p)
		return nil
	case m.comp:
		return m.inf.Write(p, m.data)
	}
	return m.deliver(p)
}

// EndFrame is part of FrameSink.
func (m *Messages) EndFrame() error {
	if m.h.Opcode.Control() {
		return m.sink.Control(m.h.Opcode, m.control[:m.nctl])
	}
	if !m.h.Fin {
		return nil
	}
	if m.comp {
		if err := m.inf.EndMessage(m.data); err != nil {
			return err
		}
	}
	if m.op == Text && !m.utf8.whole() {
		return &Error{Code: CodeInvalidPayload, Reason: ReasonUTF8}
	}
	return m.sink.EndMessage()
}

// deliver hands on message data within the limits; of text that is not UTF-8,
// what goes before the error.
func (m *Messages) deliver(p []byte) error {
	room := m.limits.MaxMessage - m.size
	over := int64(len(p)) > room
	if over {
		p = p[:room]
	}
	valid := true
	if m.op == Text {
		var n int
		n, valid = m.utf8.feed(p)
		p = p[:n]
	}
	m.size += int64(len(p))
	if len(p) > 0 {
		if err := m.sink.MessageData(p); err != nil {
			return err
		}
	}
	if !valid {
		return &Error{Code: CodeInvalidPayload, Reason: ReasonUTF8}
	}
	if over {
		return &Error{Code: CodeTooBig, Reason: ReasonTooBig}
	}
	return nil
}
