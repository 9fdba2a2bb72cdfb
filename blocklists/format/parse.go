package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Parse reads a list with the default [Limits]. See [ParseLimited].
func Parse(r io.Reader, f Format, emit func(Entry), diag func(Diagnostic)) (Summary, error) {
	return ParseLimited(r, f, Limits{}, emit, diag)
}

// ParseLimited reads a list line by line in memory bounded by [MaxLine] and the detection window, and calls emit for each
// entry and diag (which may be nil) for each thing skipped. Lines end in LF, CRLF or CR; a leading byte order mark is ignored.
// The error is of the reader, or wraps [ErrLimit], [ErrNotAList] or [ErrUnknown]; lines never cause one.
func ParseLimited(r io.Reader, f Format, limits Limits, emit func(Entry), diag func(Diagnostic)) (Summary, error) {
	br := bufio.NewReaderSize(r, window)
	if bom, err := br.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = br.Discard(3) // cannot fail: they are buffered
	}
	p := &parser{format: f, limits: limits.withDefaults(), emit: emit, diag: diag}
	p.sum = Summary{Format: f, Skipped: make(map[Reason]int)}
	head, err := br.Peek(window)
	if err != nil && !errors.Is(err, io.EOF) {
		return p.sum, fmt.Errorf("read list: %w", err)
	}
	if isMarkup(head) {
		return p.sum, ErrNotAList
	}
	if f == Auto {
		p.format, err = Detect(head)
		if err != nil {
			return p.sum, err
		}
		p.lenient, p.sum.Format = true, p.format
	}
	return p.sum, p.run(br)
}

// parser holds the state of one list.
type parser struct {
	format  Format
	lenient bool // the format was guessed: an address list may turn out to hold names further down
	limits  Limits
	emit    func(Entry)
	diag    func(Diagnostic)
	sum     Summary
	line    uint32
	buf     [MaxLine]byte
}

// run reads the lines. It reports limits on the way, so that a huge list is left early.
func (p *parser) run(br *bufio.Reader) error {
	for {
		line, long, err := p.readLine(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read list: line %d: %w", p.line+1, err)
		}
		if err != nil && len(line) == 0 && !long {
			return nil
		}
		p.line++
		p.sum.Lines++
		switch {
		case p.sum.Bytes > p.limits.Bytes:
			return fmt.Errorf("%w: more than %d bytes", ErrLimit, p.limits.Bytes)
		case p.sum.Lines > p.limits.Lines:
			return fmt.Errorf("%w: more than %d lines", ErrLimit, p.limits.Lines)
		case long:
			p.skip(ReasonTooLong, string(line[:min(len(line), maxText)]))
		default:
			p.parseLine(string(bytes.TrimSpace(line)))
		}
		if p.sum.Names+p.sum.Addresses > p.limits.Entries {
			return fmt.Errorf("%w: more than %d entries", ErrLimit, p.limits.Entries)
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads up to LF, CRLF or a lone CR; long is true when the line exceeds MaxLine, and then line is its beginning. The
// line is valid until the next call. With io.EOF the last, unterminated line is returned.
func (p *parser) readLine(br *bufio.Reader) (line []byte, long bool, err error) {
	n := 0
	for {
		c, err := br.ReadByte()
		if err != nil {
			return p.buf[:n], long, err
		}
		if p.sum.Bytes++; p.sum.Bytes > p.limits.Bytes {
			return p.buf[:n], long, nil
		}
		switch {
		case c == '\n':
			return p.buf[:n], long, nil
		case c == '\r':
			if next, err := br.Peek(1); err == nil && next[0] == '\n' {
				continue
			}
			return p.buf[:n], long, nil
		case n == MaxLine:
			long = true
		default:
			p.buf[n] = c
			n++
		}
	}
}

func (p *parser) parseLine(line string) {
	if line == "" {
		return
	}
	switch p.format {
	case Hosts:
		p.hostsLine(line)
	case Adblock:
		p.adblockLine(line)
	case Addresses:
		p.addressLine(line)
	default:
		p.domainLine(line)
	}
}

func (p *parser) skip(why Reason, text string) {
	p.sum.Skipped[why]++
	if p.diag == nil {
		return
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	quoted := strconv.QuoteToASCII(text)
	p.diag(Diagnostic{Line: p.line, Text: quoted[1 : len(quoted)-1], Reason: why})
}

// put emits an entry and counts it.
func (p *parser) put(e Entry) {
	e.Line = p.line
	if e.Prefix.IsValid() {
		p.sum.Addresses++
	} else {
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
