// Package ws reads and writes WebSocket frames (RFC 6455) and messages with
// permessage-deflate (RFC 7692). It does no I/O; results do not depend on how
// the stream was cut.
package ws

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Opcode is the type of a frame (RFC 6455 section 5.2).
type Opcode uint8

// The opcodes; all others are reserved.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// Control reports a control opcode, reserved ones included.
func (o Opcode) Control() bool { return o&8 != 0 }

// opens reports the opcodes that begin a message.
func (o Opcode) opens() bool { return o == Text || o == Binary }

func (o Opcode) known() bool { return o <= Binary || o >= Close && o <= Pong }

// MaxHeader is the length of the longest frame header in bytes.
const MaxHeader = 14

// maxControl is the longest payload of a control frame (section 5.5).
const maxControl = 125

// Header is a frame header. RSV1 marks a compressed message.
type Header struct {
	Fin, RSV1, RSV2, RSV3 bool
	Opcode                Opcode
	Masked                bool
	Mask                  [4]byte
	Length                int64 // of the payload, in bytes
}

// Errors of ParseHeader.
var (
	ErrIncomplete = errors.New("websocket: more bytes needed")
	ErrLength     = errors.New("websocket: payload length not minimal or negative")
)

// ParseHeader reads a header from the start of b and returns its length in
// bytes. ErrIncomplete: b ends within the header. ErrLength: the length is not
// in its shortest form or exceeds 63 bits; the header is set nevertheless.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, ErrIncomplete
	}
	h = Header{
		Fin: b[0]&0x80 != 0, RSV1: b[0]&0x40 != 0, RSV2: b[0]&0x20 != 0, RSV3: b[0]&0x10 != 0,
		Opcode: Opcode(b[0] & 15), Masked: b[1]&0x80 != 0,
	}
	n = headerLen(b[1])
	if len(b) < n {
		return Header{}, 0, ErrIncomplete
	}
	switch l := b[1] & 0x7f; l {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.Length < 126 {
			err = ErrLength
		}
	case 127:
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		if h.Length < 1<<16 {
			err = ErrLength
		}
	default:
		h.Length = int64(l)
	}
	if h.Masked {
		copy(h.Mask[:], b[n-4:n])
	}
	return h, n, err
}

// headerLen is the length of a header by its second byte.
func headerLen(b byte) int {
	n := 2
	switch b & 0x7f {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if b&0x80 != 0 {
		n += 4
	}
	return n
}

// AppendHeader appends h in its shortest form.
func AppendHeader(dst []byte, h Header) []byte {
	b := byte(h.Opcode & 15)
	for i, set := range [...]bool{h.RSV3, h.RSV2, h.RSV1, h.Fin} {
		if set {
			b |= 0x10 << i
		}
	}
	m := byte(0)
	if h.Masked {
		m = 0x80
	}
	switch {
	case h.Length <= maxControl:
		dst = append(dst, b, m|byte(h.Length))
	case h.Length <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, b, m|126), uint16(h.Length))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, b, m|127), uint64(h.Length))
	}
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

// Mask applies the masking key to b in place (section 5.3). pos is how many
// payload bytes went before; the result is the pos for the next piece.
func Mask(b []byte, key [4]byte, pos int) int {
	next := (pos + len(b)) & 3
	var k [4]byte
	for i := range k {
		k[i] = key[(pos+i)&3]
	}
	word := uint64(binary.LittleEndian.Uint32(k[:]))
	word |= word << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= k[i&3]
	}
	return next
}

// Close codes that this package asks for (section 7.4.1).
const (
	CodeProtocolError  uint16 = 1002
	CodeInvalidPayload uint16 = 1007
	CodePolicy         uint16 = 1008 // for the caller's blocks
	CodeTooBig         uint16 = 1009
)

// Error is a violation; Code is the close code that answers it.
type Error struct {
	Code   uint16
	Reason Reason
}

var _ error = (*Error)(nil)

// Error describes the violation.
func (e *Error) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

// Reason is a kind of violation: a closed set, fit for metric labels.
type Reason string

// The reasons.
const (
	ReasonUnmasked     Reason = "unmasked-client-frame"
	ReasonMasked       Reason = "masked-server-frame"
	ReasonReservedBit  Reason = "reserved-bit"
	ReasonOpcode       Reason = "reserved-opcode"
	ReasonControl      Reason = "long-or-fragmented-control-frame"
	ReasonLength       Reason = "length-not-minimal"
	ReasonContinuation Reason = "continuation-out-of-order"
	ReasonAfterClose   Reason = "frame-after-close"
	ReasonCloseCode    Reason = "bad-close-payload"
	ReasonUTF8         Reason = "text-not-utf8"
	ReasonTooBig       Reason = "message-too-big"
	ReasonRatio        Reason = "expansion-ratio"
	ReasonDeflate      Reason = "bad-compressed-data"
)

func protocolError(r Reason) error { return &Error{Code: CodeProtocolError, Reason: r} }

// CloseCode reads the payload of a close frame. No payload is 1005, which
// stands in no frame. ok is false for one byte, for codes that no endpoint may
// send, and for a reason that is not UTF-8.
func CloseCode(payload []byte) (code uint16, reason string, ok bool) {
	if len(payload) == 0 {
		return 1005, "", true
	}
	if len(payload) == 1 {
		return 0, "", false
	}
	code = binary.BigEndian.Uint16(payload)
	return code, string(payload[2:]), validCode(code) && utf8.Valid(payload[2:])
}

// validCode knows the registered codes (section 7.4.2 and the IANA registry).
func validCode(c uint16) bool {
	switch {
	case c == 1004, c == 1005, c == 1006:
		return false
	case 1000 <= c && c <= 1014, 3000 <= c && c <= 4999:
		return true
	}
	return false
}

// AppendClose appends an unmasked or masked close frame. The reason is cut to
// 123 bytes on a rune boundary.
func AppendClose(dst []byte, code uint16, reason string, mask *[4]byte) []byte {
	const room = maxControl - 2
	if len(reason) > room {
		n := room
		for n > 0 && reason[n]&0xc0 == 0x80 {
			n--
		}
		reason = reason[:n]
	}
	h := Header{Fin: true, Opcode: Close, Length: int64(2 + len(reason))}
	if mask != nil {
		h.Masked, h.Mask = true, *mask
	}
	dst = AppendHeader(dst, h)
	at := len(dst)
	dst = append(binary.BigEndian.AppendUint16(dst, code), reason...)
	if mask != nil {
		Mask(dst[at:], *mask, 0)
	}
	return dst
}
