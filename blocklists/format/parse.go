package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Parse reads a list with the default [Limits]. See [ParseLimited].
func Parse(r io.Reader, f Format, emit func(Entry), diag func(Diagnostic)) (Summary, error) {
	return ParseLimited(r, f, Limits{}, emit, diag)
}

// ParseLimited reads a list with limits of its own. See [ParseWith].
func ParseLimited(r io.Reader, f Format, limits Limits, emit func(Entry), diag func(Diagnostic)) (Summary, error) {
	return ParseWith(r, Options{Format: f, Limits: limits}, emit, diag)
}

// ParseWith reads a list, plain or compressed by gzip or zstd, in memory bounded by [MaxLine] and the detection window, and
// calls emit for each entry and diag (which may be nil) for each thing skipped. Lines end in LF, CRLF or CR; a leading byte
// order mark is ignored. Unbound and JSON lists, where a later line may speak of an earlier one, hold what is undecided back:
// their entries may come late, with the lines that they stand on. The error is of the reader, or wraps [ErrLimit],
// [ErrNotAList], [ErrEncoding], [ErrUnknown], [ErrColumn] or, for what is no lines, [ErrSyntax]; lines never cause one.
func ParseWith(r io.Reader, o Options, emit func(Entry), diag func(Diagnostic)) (Summary, error) {
	p := &parser{format: o.Format, column: o.Column, limits: o.Limits.withDefaults(), emit: emit, diag: diag}
	p.sum = Summary{Format: o.Format, Skipped: make(map[Reason]int)}
	br, done, err := unpack(bufio.NewReaderSize(r, window), p.limits.Bytes)
	if err != nil {
		return p.sum, err
	}
	defer done()
	if bom, err := br.Peek(len(utf8Mark)); err == nil && string(bom) == utf8Mark {
		_, _ = br.Discard(len(utf8Mark)) // cannot fail: they are buffered
	}
	head, err := br.Peek(window)
	if err != nil && !errors.Is(err, io.EOF) {
		return p.sum, fmt.Errorf("read list: %w", err)
	}
	if err := refuse(head); err != nil {
		return p.sum, err
	}
	if o.Format == Auto {
		p.format, err = Detect(head)
		if errors.Is(err, ErrUnknown) && o.Column != "" {
			p.format, err = CSV, nil
		}
		if err != nil {
			return p.sum, err
		}
		p.lenient, p.sum.Format = true, p.format
	}
	if p.format == JSON {
		return p.sum, p.readJSON(br)
	}
	err = p.run(br)
	return p.sum, err
}

// utf8Mark is the byte order mark that some editors put before UTF-8.
const utf8Mark = "\xef\xbb\xbf"

// parser holds the state of one list.
type parser struct {
	format  Format
	column  string
	lenient bool // the format was guessed: an address list may turn out to hold names further down
	limits  Limits
	emit    func(Entry)
	diag    func(Diagnostic)
	sum     Summary
	line    uint32
	held    int // things kept until the end of the list; they count as entries
	buf     [MaxLine]byte
}

// grammar reads the lines of one format, without their ends, and learns when there are no more. Its error ends the list.
type grammar interface {
	line(text string) error
	end()
}

// perLine is a grammar in which each line stands alone; it gets lines without the blanks around them, and no empty ones.
type perLine func(text string)

var _ grammar = perLine(nil)

func (f perLine) line(text string) error {
	if text = strings.TrimSpace(text); text != "" {
		f(text)
	}
	return nil
}

func (perLine) end() {}

// grammar returns the grammar of a format whose lines may depend on each other.
func (p *parser) grammar() grammar {
	switch p.format {
	case Unbound:
		return newUnbound(p)
	case Bind:
		return &bindConf{p: p}
	case RPZ:
		return &rpzZone{p: p}
	case CSV:
		return &table{p: p}
	default:
		return p.lineGrammar()
	}
}

func (p *parser) lineGrammar() perLine {
	switch p.format {
	case Hosts:
		return p.hostsLine
	case Adblock:
		return p.adblockLine
	case Addresses:
		return p.addressLine
	case Dnsmasq:
		return p.dnsmasqLine
	case DNSCryptNames:
		return p.dnscryptName
	case DNSCryptAddresses:
		return p.dnscryptAddress
	case TPL:
		return p.tplLine
	case URLs:
		return p.urlLine
	case Fingerprints:
		return p.fingerprintLine
	default:
		return p.domainLine
	}
}

// run reads the lines. It reports limits on the way, so that a huge list is left early.
func (p *parser) run(br *bufio.Reader) error {
	g := p.grammar()
	for {
		line, long, err := p.readLine(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read list: line %d: %w", p.line+1, err)
		}
		if err != nil && len(line) == 0 && !long {
			break
		}
		p.line++
		p.sum.Lines++
		if limit := p.overLimit(); limit != nil {
			return limit
		}
		if long {
			p.skip(ReasonTooLong, string(line[:min(len(line), maxText)]))
		} else if err := g.line(string(line)); err != nil {
			return err
		}
		if err != nil {
			break
		}
	}
	g.end()
	return p.overLimit()
}

func (p *parser) overLimit() error {
	switch {
	case p.sum.Bytes > p.limits.Bytes:
		return fmt.Errorf("%w: more than %d bytes", ErrLimit, p.limits.Bytes)
	case p.sum.Lines > p.limits.Lines:
		return fmt.Errorf("%w: more than %d lines", ErrLimit, p.limits.Lines)
	case p.sum.emitted()+p.held > p.limits.Entries:
		return fmt.Errorf("%w: more than %d entries", ErrLimit, p.limits.Entries)
	}
	return nil
}

// readLine reads up to LF, CRLF or a lone CR; long is true when the line exceeds MaxLine, and then line is its beginning. The
// line is valid until the next call. With io.EOF the last, unterminated line is returned.
func (p *parser) readLine(br *bufio.Reader) (line []byte, long bool, err error) {
	n := 0
	for {
		if _, err := br.Peek(1); err != nil {
			return p.buf[:n], long, err
		}
		chunk, _ := br.Peek(br.Buffered()) // cannot fail
		if room := p.limits.Bytes + 1 - p.sum.Bytes; int64(len(chunk)) > room {
			chunk = chunk[:max(room, 0)]
		}
		text, ended := chunk, false
		if at := bytes.IndexByte(text, '\n'); at >= 0 {
			text, ended = text[:at], true
		}
		if at := bytes.IndexByte(text, '\r'); at >= 0 {
			text, ended = text[:at], true
		}
		copied := copy(p.buf[n:], text)
		n += copied
		long = long || copied < len(text)
		p.take(br, len(text))
		if ended {
			p.lineEnd(br)
			return p.buf[:n], long, nil
		}
		if p.sum.Bytes > p.limits.Bytes {
			return p.buf[:n], long, nil
		}
	}
}

// lineEnd takes LF, CRLF or CR.
func (p *parser) lineEnd(br *bufio.Reader) {
	c, _ := br.Peek(1) // the caller saw it
	was := c[0]
	p.take(br, 1)
	if was == '\r' {
		if c, err := br.Peek(1); err == nil && c[0] == '\n' {
			p.take(br, 1)
		}
	}
}

// take consumes n octets that are buffered.
func (p *parser) take(br *bufio.Reader, n int) {
	_, _ = br.Discard(n) // cannot fail
	p.sum.Bytes += int64(n)
}

func (p *parser) skip(why Reason, text string) { p.skipAt(p.line, why, text) }

// skipAt reports what began on an earlier line.
func (p *parser) skipAt(line uint32, why Reason, text string) {
	p.sum.Skipped[why]++
	if p.diag == nil {
		return
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	quoted := strconv.QuoteToASCII(text)
	p.diag(Diagnostic{Line: line, Text: quoted[1 : len(quoted)-1], Reason: why})
}

// put emits an entry and counts it. An entry that knows its line keeps it.
func (p *parser) put(e Entry) {
	if e.Line == 0 {
		e.Line = p.line
	}
	switch {
	case e.Prefix.IsValid():
		p.sum.Addresses++
	case e.URL != "":
		p.sum.URLs++
	case e.Fingerprint != "":
		p.sum.Fingerprints++
	default:
		p.sum.Names++
	}
	if e.Exception {
		p.sum.Exceptions++
	}
	if e.Cancel {
		p.sum.Cancels++
	}
	p.emit(e)
}
