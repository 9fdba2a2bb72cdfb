package ws

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/flate"

	"weir/internal/decode/inflate"
)

// flushTail ends every compressed message and is not sent (RFC 7692 section 7.2.1).
var flushTail = []byte{0, 0, 0xff, 0xff}

const (
	ratioFree = 64 << 10 // output up to which no ratio is computed
	piece     = 1 << 10  // grid for ratios, so that cuts do not matter
)

// Inflater decompresses the messages of one direction in order.
type Inflater struct {
	dec      inflate.Decoder
	takeover bool
	ratio    int64
	in, out  int64
	sink     func([]byte) error
	limit    func([]byte) error
}

// NewInflater makes an Inflater; of lim it uses the ratio, the caller of the
// sink keeps the size. It holds about 75 KiB.
func NewInflater(contextTakeover bool, lim Limits) *Inflater {
	f := &Inflater{takeover: contextTakeover, ratio: int64(lim.withDefaults().MaxRatio)}
	f.limit = f.limited
	return f
}

// Write decompresses a piece of a message; all that it determines is given to
// sink. Errors: *Error, or that of the sink; the Inflater is then spent.
func (f *Inflater) Write(p []byte, sink func([]byte) error) error {
	for len(p) > 0 {
		n := min(piece-int(f.in%piece), len(p))
		f.in += int64(n)
		if err := f.feed(p[:n], sink); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// EndMessage ends a message (section 7.2.2).
func (f *Inflater) EndMessage(sink func([]byte) error) error {
	if err := f.feed(flushTail, sink); err != nil {
		return err
	}
	if !f.dec.Aligned() {
		return &Error{Code: CodeInvalidPayload, Reason: ReasonDeflate}
	}
	f.in, f.out = 0, 0
	if !f.takeover {
		f.dec.Reset(false)
	}
	return nil
}

func (f *Inflater) feed(p []byte, sink func([]byte) error) error {
	f.sink = sink
	for len(p) > 0 {
		n, err := f.dec.Feed(p, f.limit)
		p = p[n:]
		switch {
		case err == nil:
			return nil
		case err == io.EOF: // a block with BFINAL: the next one follows (section 7.2.3.4)
			f.dec.Reset(true)
		case errors.Is(err, inflate.ErrCorrupt):
			return &Error{Code: CodeInvalidPayload, Reason: ReasonDeflate}
		default:
			return err
		}
	}
	return nil
}

func (f *Inflater) limited(p []byte) error {
	grid := (f.in + piece - 1) / piece * piece
	room := max(f.ratio*grid, ratioFree) - f.out
	n := int(min(max(room, 0), int64(len(p))))
	f.out += int64(n)
	if n > 0 {
		if err := f.sink(p[:n]); err != nil {
			return err
		}
	}
	if n < len(p) {
		return &Error{Code: CodeTooBig, Reason: ReasonRatio}
	}
	return nil
}

// Deflater compresses the messages of one direction in order.
type Deflater struct {
	w        *flate.Writer
	buf      bytes.Buffer
	takeover bool
}

// NewDeflater makes a Deflater for a window of 8 to 15 bits (0: 15).
func NewDeflater(contextTakeover bool, windowBits int) (*Deflater, error) {
	d := &Deflater{takeover: contextTakeover}
	var err error
	switch {
	case windowBits == 0 || windowBits == 15:
		d.w, err = flate.NewWriter(&d.buf, flate.BestSpeed)
	case windowBits >= 8 && windowBits < 15:
		d.w, err = flate.NewWriterWindow(&d.buf, 1<<windowBits)
	default:
		err = fmt.Errorf("window of %d bits", windowBits)
	}
	if err != nil {
		return nil, fmt.Errorf("make deflater: %w", err)
	}
	return d, nil
}

// Append compresses a piece of a message and appends the result to dst, all of
// it when end is set; before that the compressor may hold some back.
func (d *Deflater) Append(dst, p []byte, end bool) ([]byte, error) {
	d.buf.Reset()
	if _, err := d.w.Write(p); err != nil {
		return dst, fmt.Errorf("deflate: %w", err)
	}
	if !end {
		return append(dst, d.buf.Bytes()...), nil
	}
	if err := d.w.Flush(); err != nil {
		return dst, fmt.Errorf("deflate: %w", err)
	}
	dst = append(dst, bytes.TrimSuffix(d.buf.Bytes(), flushTail)...)
	if !d.takeover {
		d.w.Reset(&d.buf)
	}
	return dst, nil
}

// Extension is one element of Sec-WebSocket-Extensions.
type Extension struct {
	Name   string
	Params []Param
}

// Param is a parameter of an extension; Value is "" where none was given.
type Param struct {
	Name, Value string
	HasValue    bool
}

// maxExtensions bounds a hostile header.
const maxExtensions = 32

// ParseExtensions reads the values of all Sec-WebSocket-Extensions fields
// (RFC 6455 section 9.1). Quoted values must be tokens inside, as the RFC asks,
// so that splitting at commas and semicolons is exact.
func ParseExtensions(values []string) ([]Extension, error) {
	var out []Extension
	for _, v := range values {
		for elem := range strings.SplitSeq(v, ",") {
			if strings.Trim(elem, " \t") == "" {
				continue
			}
			name, rest, more := strings.Cut(elem, ";")
			e := Extension{Name: strings.Trim(name, " \t")}
			ok := token(e.Name)
			for ok && more {
				var part string
				part, rest, more = strings.Cut(rest, ";")
				var p Param
				p, ok = parseParam(part)
				e.Params = append(e.Params, p)
			}
			if !ok {
				return nil, fmt.Errorf("parse Sec-WebSocket-Extensions: bad element %q", elem)
			}
			if out = append(out, e); len(out) > maxExtensions {
				return nil, fmt.Errorf("parse Sec-WebSocket-Extensions: more than %d elements", maxExtensions)
			}
		}
	}
	return out, nil
}

func parseParam(s string) (Param, bool) {
	name, value, has := strings.Cut(s, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return Param{Name: name, Value: value, HasValue: has}, token(name) && (!has || token(value))
}

// token is RFC 9110 section 5.6.2.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// DeflateName is the extension token of RFC 7692.
const DeflateName = "permessage-deflate"

// Deflate is a set of permessage-deflate parameters (RFC 7692 section 7.1).
// Window bits of 0 mean that the parameter is absent.
type Deflate struct {
	ServerNoContextTakeover, ClientNoContextTakeover bool
	ServerMaxWindowBits, ClientMaxWindowBits         int
	// ClientWindowOffered: the client_max_window_bits of an offer, with or
	// without a value; only then may a response have it.
	ClientWindowOffered bool
}

// ParseDeflate reads the parameters of an offer, or of a response (where
// client_max_window_bits needs a value). Unknown, repeated and malformed
// parameters are errors: such an offer must be declined.
func ParseDeflate(e Extension, response bool) (Deflate, error) {
	var d Deflate
	if e.Name != DeflateName {
		return d, fmt.Errorf("extension %q is not %s", e.Name, DeflateName)
	}
	for i, p := range e.Params {
		if slices.ContainsFunc(e.Params[:i], func(q Param) bool { return q.Name == p.Name }) {
			return d, fmt.Errorf("%s: repeated parameter %q", DeflateName, p.Name)
		}
		ok := false
		switch p.Name {
		case "server_no_context_takeover":
			d.ServerNoContextTakeover, ok = true, !p.HasValue
		case "client_no_context_takeover":
			d.ClientNoContextTakeover, ok = true, !p.HasValue
		case "server_max_window_bits":
			d.ServerMaxWindowBits, ok = windowBits(p.Value)
		case "client_max_window_bits":
			d.ClientWindowOffered = true
			if ok = !p.HasValue && !response; !ok {
				d.ClientMaxWindowBits, ok = windowBits(p.Value)
			}
		}
		if !ok {
			return d, fmt.Errorf("%s: bad parameter %q", DeflateName, p.Name)
		}
	}
	return d, nil
}

// windowBits reads 8..15 without leading zeros.
func windowBits(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 8 && n <= 15 && s == strconv.Itoa(n)
}

// Negotiate picks the first acceptable permessage-deflate offer and returns the
// parameters to answer with. It takes every restriction that the client asks
// for and adds none.
func Negotiate(offers []Extension) (Deflate, bool) {
	for _, e := range offers {
		if e.Name != DeflateName {
			continue
		}
		if d, err := ParseDeflate(e, false); err == nil {
			return d, true
		}
	}
	return Deflate{}, false
}

// Answers reports whether d is an allowed response to the offer o (RFC 7692
// section 7.1.2 and 7.1.3).
func (d Deflate) Answers(o Deflate) bool {
	switch {
	case o.ServerNoContextTakeover && !d.ServerNoContextTakeover:
		return false
	case o.ServerMaxWindowBits != 0 && (d.ServerMaxWindowBits == 0 || d.ServerMaxWindowBits > o.ServerMaxWindowBits):
		return false
	case d.ClientMaxWindowBits != 0 && !o.ClientWindowOffered:
		return false
	}
	return true
}

// String is the extension as it stands in a header.
func (d Deflate) String() string {
	s := DeflateName
	if d.ServerNoContextTakeover {
		s += "; server_no_context_takeover"
	}
	if d.ClientNoContextTakeover {
		s += "; client_no_context_takeover"
	}
	if d.ServerMaxWindowBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(d.ServerMaxWindowBits)
	}
	if d.ClientMaxWindowBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(d.ClientMaxWindowBits)
	}
	return s
}
