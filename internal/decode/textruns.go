package decode

// RunKind is an encoding of bytes as text that TextRuns finds.
type RunKind uint8

// The encodings.
const (
	// Base64Run is RFC 4648 sections 4 and 5 (both alphabets, even mixed).
	// Inside a run CR, LF and the JSON escapes \n \r \/ and \u002b \u002f
	// \u003d \u000a \u000d (either case) are understood, and so is %2B %2F %3D
	// of URLs. Padding ends a run. Only the phase that begins at the first
	// character is decoded: data that is glued to a preceding word of the
	// alphabet decodes shifted, and the needles of the signatures cover that.
	Base64Run RunKind = iota
	// HexRun is pairs of hexadecimal digits in either case, each optionally
	// after \x, 0x or %, with white space, commas, colons or dashes between
	// pairs.
	HexRun
)

// Least lengths of a run in characters of the alphabet: shorter ones are words,
// identifiers and colours, and too short to hold anything that detectors know.
const (
	DefaultMinBase64 = 24
	DefaultMinHex    = 32
)

// maxMinRun bounds the held-back start of a run, which lives in the struct.
const maxMinRun = 256

// RunSink receives the decoded bytes of runs. Calls come in the order Begin,
// Data one or more times, End, for one run after the other. The slice is valid
// only during the call.
type RunSink interface {
	// BeginRun opens a run whose first character stood at offset, counted in
	// bytes from the start of the text.
	BeginRun(kind RunKind, offset int64)
	RunData(p []byte)
	EndRun()
}

// TextRuns finds the runs of one kind in text that is written in pieces of any
// size. All decoded bytes of what was written are delivered before Write
// returns, but for the one to three characters of an incomplete group and runs
// that are still too short. It allocates nothing after NewTextRuns.
type TextRuns struct {
	kind   RunKind
	minRun int
	sink   RunSink

	pos    int64 // bytes seen before the current Write
	begin  int64
	open   bool   // BeginRun was called
	digits int    // characters of the alphabet in the current run
	acc    uint32 // bits not yet delivered
	nacc   uint8  // characters in acc
	esc    uint8  // state of an escape: see escape
	uni    uint16 // digits of \u
	n      int
	out    [512]byte
}

// NewTextRuns makes a finder. minRun is the least number of alphabet
// characters; 0 takes the default of the kind, and more than 256 is cut to 256.
func NewTextRuns(kind RunKind, minRun int, sink RunSink) *TextRuns {
	return &TextRuns{kind: kind, minRun: leastRun(kind, minRun), sink: sink}
}

func leastRun(kind RunKind, minRun int) int {
	switch {
	case minRun > 0:
		return min(minRun, maxMinRun)
	case kind == HexRun:
		return DefaultMinHex
	}
	return DefaultMinBase64
}

// HasRun says whether p, a whole text, may hold a run that NewTextRuns with the same kind and minRun would deliver. false is
// certain and costs a look at a few bytes; true is not. It does not allocate.
func HasRun(kind RunKind, minRun int, p []byte) bool {
	n := leastRun(kind, minRun)
	i, _ := skipStops(kind, n, p, 0, 0)
	return i+n <= len(p)
}

// Write looks at more text.
func (t *TextRuns) Write(p []byte) {
	clean := 0 // no stop stands between the place looked at and here
	for i := 0; i < len(p); {
		if t.digits == 0 && t.esc == escNone {
			if i, clean = t.skip(p, i, clean); i == len(p) {
				break
			}
		}
		i += t.step(p[i:], t.pos+int64(i))
	}
	t.pos += int64(len(p))
	t.flush()
}

// skip returns the next place at which a run may begin that is long enough, or where p has too little left to tell.
func (t *TextRuns) skip(p []byte, i, clean int) (at, cleanTo int) {
	return skipStops(t.kind, t.minRun, p, i, clean)
}

// skipStops returns the first place at or behind i with n bytes and no stop among them, or where p has less than n bytes left;
// up to clean there are none. Every run covers n bytes without a stop, so looking at each window from its end leaps over most
// of what is no run.
func skipStops(kind RunKind, n int, p []byte, i, clean int) (at, cleanTo int) {
	stops := &base64Stop
	if kind == HexRun {
		stops = &hexStop
	}
next:
	for i+n <= len(p) {
		for j := i + n - 1; j >= max(i, clean); j-- {
			if stops[p[j]] {
				i = j + 1
				continue next
			}
		}
		return i, i + n
	}
	return i, clean
}

// step looks at one byte, or at several groups or pairs of an open run at once, and returns how many.
func (t *TextRuns) step(p []byte, at int64) int {
	switch {
	case t.kind == HexRun:
		if t.nacc == 0 && t.open && t.esc == hexAny {
			if n := t.pairs(p); n > 0 {
				return n
			}
		}
		t.hex(p[0], at)
	case t.esc != escNone:
		t.escape(p[0], at)
	case t.nacc == 0 && t.open:
		if n := t.groups(p); n > 0 {
			return n
		}
		t.base64(p[0], at)
	default:
		t.base64(p[0], at)
	}
	return 1
}

// groups decodes whole groups of four characters at the start of p and returns how many bytes they took.
func (t *TextRuns) groups(p []byte) (n int) {
	for ; n+4 <= len(p); n += 4 {
		a, b, c, d := base64Value[p[n]], base64Value[p[n+1]], base64Value[p[n+2]], base64Value[p[n+3]]
		if a|b|c|d == 0xff {
			break
		}
		if t.n+3 > len(t.out) {
			t.flush()
		}
		v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
		t.out[t.n], t.out[t.n+1], t.out[t.n+2] = byte(v>>16), byte(v>>8), byte(v)
		t.n += 3
		t.digits += 4
	}
	return n
}

// pairs decodes whole pairs of digits at the start of p and returns how many bytes they took.
func (t *TextRuns) pairs(p []byte) (n int) {
	for len(p) >= 2 {
		if t.n == len(t.out) {
			t.flush()
		}
		room := t.out[t.n:min(len(t.out), t.n+len(p)/2)]
		k := 0
		for k < len(room) {
			hi, lo := hexValue[p[2*k]], hexValue[p[2*k+1]]
			if hi|lo > 15 {
				break
			}
			room[k] = hi<<4 | lo
			k++
		}
		n, p, t.n, t.digits = n+2*k, p[2*k:], t.n+k, t.digits+2*k
		if k < len(room) {
			break
		}
	}
	return n
}

// Close ends the text and with it an open run.
func (t *TextRuns) Close() { t.end() }

// Reset makes t ready for another text. An open run is not ended.
func (t *TextRuns) Reset() {
	*t = TextRuns{kind: t.kind, minRun: t.minRun, sink: t.sink}
}

// Tables of digit values; 0xff = none of the alphabet.
var base64Value, hexValue = digitTables()

func digitTables() (b64, hex [256]uint8) {
	for i := range b64 {
		b64[i], hex[i] = 0xff, 0xff
	}
	for i := range uint8(26) {
		b64['A'+i], b64['a'+i] = i, 26+i
	}
	for i := range uint8(10) {
		b64['0'+i], hex['0'+i] = 52+i, i
	}
	for i := range uint8(6) {
		hex['a'+i], hex['A'+i] = 10+i, 10+i
	}
	b64['+'], b64['-'], b64['/'], b64['_'] = 62, 62, 63, 63
	return b64, hex
}

// Tables of stops: bytes that end a run wherever they stand.
var base64Stop, hexStop = stopTables()

func stopTables() (b64, hex [256]bool) {
	for i := range b64 {
		c := byte(i)
		b64[i] = base64Value[c] == 0xff && c != '\r' && c != '\n' && c != '\\' && c != '%'
		hex[i] = hexValue[c] == 0xff && c != 'x' && c != '\\' && c != '%' && !separatesHex(c)
	}
	return b64, hex
}

// Escape states.
const (
	escNone uint8 = iota
	escBackslash
	escUni0 // 0..3 digits of \u read
	escUni1
	escUni2
	escUni3
	escPct0
	escPct1
)

func (t *TextRuns) base64(c byte, at int64) {
	if v := base64Value[c]; v != 0xff {
		t.digit64(v, at)
		return
	}
	if t.digits == 0 {
		return
	}
	switch c {
	case '\r', '\n':
	case '\\':
		t.esc = escBackslash
	case '%':
		t.esc, t.uni = escPct0, 0
	default:
		t.end()
	}
}

func (t *TextRuns) digit64(v uint8, at int64) {
	if t.digits == 0 {
		t.begin = at
	}
	t.digits++
	t.acc = t.acc<<6 | uint32(v)
	if t.nacc++; t.nacc == 4 {
		t.put(byte(t.acc >> 16))
		t.put(byte(t.acc >> 8))
		t.put(byte(t.acc))
		t.acc, t.nacc = 0, 0
	}
	t.started()
}

// escape handles the characters behind a backslash or a percent sign in a run.
func (t *TextRuns) escape(c byte, at int64) {
	if t.esc == escBackslash {
		t.esc = escNone
		switch c {
		case 'n', 'r':
		case '/':
			t.digit64(63, at)
		case 'u':
			t.esc, t.uni = escUni0, 0
		default:
			t.again(c, at)
		}
		return
	}
	v := hexValue[c]
	if v == 0xff {
		t.again(c, at)
		return
	}
	t.uni = t.uni<<4 | uint16(v)
	if t.esc != escUni3 && t.esc != escPct1 {
		t.esc++
		return
	}
	t.esc = escNone
	switch t.uni {
	case '\r', '\n':
	case '+', '-':
		t.digit64(62, at)
	case '/', '_':
		t.digit64(63, at)
	default:
		t.end()
	}
}

// again ends the run at something that is no known escape and looks at c anew.
func (t *TextRuns) again(c byte, at int64) {
	t.end()
	t.base64(c, at)
}

// States of hex in esc: what may follow.
const (
	hexAny    uint8 = iota // a digit or a separator
	hexSlash               // after a backslash: x
	hexZero                // after 0 at the start of a pair: a digit, or x of 0x
	hexPrefix              // after \x, 0x or %: a digit
)

func (t *TextRuns) hex(c byte, at int64) {
	v := hexValue[c]
	switch {
	case v != 0xff:
		if t.esc == hexSlash {
			t.end()
		}
		t.hexDigit(v, at)
	case c == 'x' && t.esc == hexSlash:
		t.esc = hexPrefix
	case c == 'x' && t.esc == hexZero: // the zero was no digit
		t.digits--
		t.acc, t.nacc, t.esc = 0, 0, hexPrefix
	default:
		t.hexBetween(c)
	}
}

// hexBetween handles what is no digit and no prefix: between two pairs a
// separator keeps the run, everything else ends it.
func (t *TextRuns) hexBetween(c byte) {
	between := t.digits > 0 && t.nacc == 0 && t.esc == hexAny
	if !between || c != '\\' && c != '%' && !separatesHex(c) {
		t.end()
	}
	switch c {
	case '\\':
		t.esc = hexSlash
	case '%':
		t.esc = hexPrefix
	}
}

func separatesHex(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', ':', '-':
		return true
	}
	return false
}

func (t *TextRuns) hexDigit(v uint8, at int64) {
	if t.digits == 0 {
		t.begin = at
	}
	t.digits++
	if t.nacc == 0 {
		t.acc, t.nacc = uint32(v), 1
		zero := v == 0 && t.esc == hexAny
		t.esc = hexAny
		if zero {
			t.esc = hexZero
		}
		return
	}
	t.esc = hexAny
	t.put(byte(t.acc<<4) | v)
	t.acc, t.nacc = 0, 0
	t.started()
}

// put adds a decoded byte. Until the run is long enough it waits in out, which
// has room for every run shorter than maxMinRun.
func (t *TextRuns) put(b byte) {
	if t.n == len(t.out) {
		t.flush()
	}
	t.out[t.n] = b
	t.n++
}

// started opens the run once it is long enough.
func (t *TextRuns) started() {
	if !t.open && t.digits >= t.minRun {
		t.open = true
		t.sink.BeginRun(t.kind, t.begin)
	}
}

func (t *TextRuns) flush() {
	if t.open && t.n > 0 {
		t.sink.RunData(t.out[:t.n])
		t.n = 0
	}
}

// end closes the current run; the bits of an incomplete group are delivered as
// far as they make whole bytes.
func (t *TextRuns) end() {
	if t.open {
		if t.kind == Base64Run {
			switch t.nacc {
			case 2:
				t.put(byte(t.acc >> 4))
			case 3:
				t.put(byte(t.acc >> 10))
				t.put(byte(t.acc >> 2))
			}
		}
		t.flush()
		t.sink.EndRun()
	}
	t.open, t.digits, t.acc, t.nacc, t.esc, t.n = false, 0, 0, 0, escNone, 0
}
