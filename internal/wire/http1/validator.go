// Package http1 follows the framing of HTTP/1 streams (RFC 9112) strictly and
// reports what two parsers could read differently: the raw material of request
// smuggling (T1071.001 evasions). It reads bytes and does no I/O; results do
// not depend on how the stream was cut.
package http1

import "bytes"

// Limits of a head, after what servers accept: nginx 8 KiB lines, Apache 100
// fields, Go 1 MiB heads; browsers with large cookies stay below.
const (
	MaxLine   = 16 << 10 // bytes of a line without its end
	MaxHead   = 64 << 10 // bytes of a head, or of a trailer section
	MaxFields = 200      // field lines of a head, or of a trailer section
)

type step uint8

const (
	stStart step = iota // request or status line
	stFields
	stBody
	stUntilClose
	stChunkLine
	stChunkData
	stChunkEnd
	stTrailers
	stDetached
)

// Validator follows one direction of a connection: requests one behind the
// other, keep-alive and pipelined, or the responses to them. The zero
// Validator follows requests. It is not safe for concurrent use.
type Validator struct {
	// AllowPreface detaches at an HTTP/2 connection preface instead of
	// reporting it.
	AllowPreface bool

	response   bool
	nextMethod func() (string, bool)
	lenient    bool
	found      []Anomaly // lenient: all; strict: the first
	capture    *Message

	st       step
	off      int64 // of the next byte
	lineOff  int64
	line     []byte
	headLen  int
	nfields  int
	left     int64
	complete int // messages that ended

	m facts
}

// facts is what the head says about the framing of the current message.
type facts struct {
	method        string
	minor, status int
	hosts         int
	lengths       int
	length        int64
	encodings     int
	chunked       bool
}

// NewResponseValidator follows responses. nextMethod is called once per final
// response and returns the method of the request that it answers, for the
// length of a body depends on it; ok false: no request is waiting, which is an
// anomaly. It stops validating behind a 101 and a 2xx to CONNECT.
func NewResponseValidator(nextMethod func() (method string, ok bool)) *Validator {
	return &Validator{response: true, nextMethod: nextMethod}
}

// Feed looks at p. It returns how many bytes it took and the first anomaly of
// the stream, or nil; n < len(p) only with an anomaly, which is sticky: nothing
// behind it can be framed with certainty. Bytes of the same head may have been
// taken before the anomaly became evident, so forward no head before it is whole.
func (v *Validator) Feed(p []byte) (n int, a *Anomaly) {
	for n < len(p) {
		if !v.lenient && len(v.found) > 0 {
			return n, &v.found[0]
		}
		k := v.take(p[n:])
		n += k
		v.off += int64(k)
	}
	if !v.lenient && len(v.found) > 0 {
		return n, &v.found[0]
	}
	return n, nil
}

// Close ends the stream: Truncated within a message.
func (v *Validator) Close() *Anomaly {
	if !v.lenient && len(v.found) > 0 {
		return &v.found[0]
	}
	if !v.Idle() && v.st != stDetached && v.st != stUntilClose {
		v.report(Truncated, v.off)
		return &v.found[len(v.found)-1]
	}
	return nil
}

// Detach stops validating: the connection became something else (Upgrade,
// CONNECT). Everything fed from now on is taken.
func (v *Validator) Detach() { v.st, v.line = stDetached, nil }

// Idle reports that the stream stands between two messages.
func (v *Validator) Idle() bool { return v.st == stStart && len(v.line) == 0 }

// InBody reports that the next byte belongs to a body, its chunk framing or
// its trailers.
func (v *Validator) InBody() bool { return v.st >= stBody && v.st <= stTrailers }

// Complete is the number of messages that ended.
func (v *Validator) Complete() int { return v.complete }

// maxFound bounds what a lenient parse collects.
const maxFound = 100

func (v *Validator) report(k Kind, off int64) {
	if k != None && len(v.found) < maxFound {
		v.found = append(v.found, Anomaly{Kind: k, Offset: off})
	}
}

func (v *Validator) failed() bool { return !v.lenient && len(v.found) > 0 }

// take handles at least one byte of p.
func (v *Validator) take(p []byte) int {
	switch v.st {
	case stDetached:
		return len(p)
	case stUntilClose:
		v.data(p)
		return len(p)
	case stBody, stChunkData:
		n := int(min(v.left, int64(len(p))))
		v.data(p[:n])
		if v.left -= int64(n); v.left == 0 {
			if v.st == stBody {
				v.endMessage()
			} else {
				v.st = stChunkEnd
			}
		}
		return n
	case stChunkEnd:
		v.chunkEnd(p[0])
		return 1
	default:
		v.lineByte(p[0])
		return 1
	}
}

func (v *Validator) data(p []byte) {
	if v.capture != nil {
		v.capture.Body = append(v.capture.Body, p...)
	}
}

// chunkEnd expects the CR LF behind chunk data.
func (v *Validator) chunkEnd(c byte) {
	want := "\r\n"[len(v.line)]
	if c != want {
		v.report(BadChunkEnd, v.off)
		if v.lenient {
			v.giveUp()
		}
		return
	}
	v.line = append(v.line, c)
	if c == '\n' {
		v.line = v.line[:0]
		v.st = stChunkLine
	}
}

// giveUp takes the rest of a message that cannot be framed as its body.
func (v *Validator) giveUp() { v.st, v.line = stUntilClose, v.line[:0] }

// lineByte collects a line and hands it on when it is whole.
func (v *Validator) lineByte(c byte) {
	if len(v.line) == 0 {
		v.lineOff = v.off
	}
	n := len(v.line)
	cr := n > 0 && v.line[n-1] == '\r'
	if c != '\n' {
		if cr {
			v.report(BareCR, v.off-1)
		}
		v.appendLine(c)
		return
	}
	if v.headLen += n + 1; v.headLen > MaxHead {
		v.report(HeadTooLarge, v.lineOff)
	}
	line := v.line
	if cr {
		line = line[:n-1]
	} else {
		v.report(BareLF, v.off)
	}
	if !v.failed() {
		v.wholeLine(line)
	}
	v.line = v.line[:0]
}

// appendLine adds to the line up to MaxLine and its CR; a lenient parse keeps more.
func (v *Validator) appendLine(c byte) {
	n := len(v.line)
	if n == MaxLine && c != '\r' || n == MaxLine+1 {
		v.report(LineTooLong, v.lineOff)
	}
	if n <= MaxHead {
		v.line = append(v.line, c)
	}
}

func (v *Validator) wholeLine(line []byte) {
	switch v.st {
	case stStart:
		v.startLine(line)
	case stFields:
		if len(line) == 0 {
			v.endHead()
			return
		}
		v.field(line, false)
	case stTrailers:
		if len(line) == 0 {
			v.endMessage()
			return
		}
		v.field(line, true)
	case stChunkLine:
		v.chunkLine(line)
	}
}

func (v *Validator) chunkLine(line []byte) {
	size, k := parseChunkLine(line)
	v.headLen = 0
	v.report(k, v.lineOff)
	switch {
	case v.failed():
	case k == BadChunkSize:
		v.giveUp()
	case size == 0:
		v.st, v.nfields = stTrailers, 0
	default:
		v.st, v.left = stChunkData, size
	}
}

func (v *Validator) startLine(line []byte) {
	v.m = facts{minor: 1}
	v.nfields = 0
	v.st = stFields
	if v.response {
		minor, status, reason, k := parseStatusLine(line)
		v.report(k, v.lineOff)
		v.m.minor, v.m.status = minor, status
		if v.capture != nil {
			version, _, _ := bytes.Cut(line, []byte(" "))
			v.capture.Version, v.capture.Status, v.capture.Reason = string(version), status, reason
		}
		return
	}
	r, k := parseRequestLine(line)
	if string(line) == "PRI * HTTP/2.0" { // RFC 9113 section 3.4
		k = HTTP2Preface
		if v.AllowPreface {
			k = None
		}
		v.st = stDetached
	}
	v.report(k, v.lineOff)
	v.m.method, v.m.minor = r.method, r.minor
	if v.capture != nil {
		v.capture.Method, v.capture.Target, v.capture.Version = r.method, r.target, r.version
	}
}

// endMessage is called behind the last byte of a message.
func (v *Validator) endMessage() {
	v.complete++
	v.st, v.headLen, v.nfields = stStart, 0, 0
	if v.capture != nil {
		v.Detach()
	}
}
