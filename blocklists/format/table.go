package format

import (
	"fmt"
	"strconv"
	"strings"
)

// usualColumns are the names under which tables and objects hold what we want, in lower case.
var usualColumns = [...]string{
	"domain", "domains", "domain_name", "host", "hosts", "hostname", "fqdn", "url", "urls", "ip", "ips", "ip_address",
	"dst_ip", "address", "ioc", "ioc_value", "indicator", "ja3", "ja3_md5", "ja3_hash", "ja4",
}

func usualColumn(name string) bool {
	for _, u := range usualColumns {
		if strings.EqualFold(u, name) {
			return true
		}
	}
	return false
}

// table reads CSV (RFC 4180), with ',', ';', tab or '|' between fields and '#' before comments. The header is the first record,
// or the last comment before it.
type table struct {
	p       *parser
	mark    byte   // between fields; 0 before the header
	column  int    // from 0
	comment string // the last one before the header
	span    span   // the record so far: several lines while a quote is open
}

var _ grammar = (*table)(nil)

func (t *table) end() {
	for len(t.span) > 0 {
		_ = t.span.again(t.p, t.read) // the header is behind us: without one nothing is open
	}
}

func (t *table) line(line string) error {
	return t.read(spanLine{line, t.p.line})
}

// read takes one line.
func (t *table) read(l spanLine) error {
	switch {
	case len(t.span) > 0:
	case strings.TrimSpace(l.text) == "":
		return nil
	case l.text[0] == '#':
		if t.mark == 0 {
			t.comment = strings.TrimLeft(l.text, "# ")
		}
		return nil
	}
	t.span = append(t.span, l)
	if len(t.span) > 1 && !t.span.tooLong() && !strings.Contains(l.text, `"`) {
		return nil // still open
	}
	return t.record()
}

// record reads what there is of a record.
func (t *table) record() error {
	text := t.span.text()
	if t.mark == 0 {
		header, err := t.header(text)
		if header || err != nil {
			t.span = nil
			return err
		}
	}
	fields, whole, ok := cutFields(text, t.mark, t.column)
	switch {
	case ok && !whole && !t.span.tooLong():
		return nil
	case !ok, !whole, len(fields) <= t.column:
		return t.span.again(t.p, t.read)
	}
	line := t.span[0].line
	t.span = t.span[:0]
	t.p.value(fields[t.column], Entry{Line: line})
	return nil
}

// header finds the column; used is true when the line itself was the header.
func (t *table) header(line string) (used bool, err error) {
	for _, h := range []string{line, t.comment} {
		if mark, column, ok := findColumn(h, t.p.column); ok {
			t.mark, t.column = mark, column
			return h == line, nil
		}
	}
	if n, err := strconv.Atoi(t.p.column); err == nil && n > 0 && n <= MaxLine {
		t.mark, t.column = markOf(line), n-1
		return false, nil
	}
	shown := strconv.QuoteToASCII(line[:min(len(line), maxText)])
	if t.p.column != "" {
		return false, fmt.Errorf("%w: no %q in the header %s", ErrColumn, t.p.column, shown)
	}
	return false, fmt.Errorf("%w: name one; the header is %s", ErrColumn, shown)
}

// findColumn finds a column by name, or without one the first that has a usual name.
func findColumn(header, want string) (mark byte, column int, ok bool) {
	mark = markOf(header)
	fields, whole, ok := cutFields(header, mark, MaxLine)
	if !whole || !ok {
		return 0, 0, false
	}
	for i, f := range fields {
		f = strings.TrimSpace(f)
		if want != "" && strings.EqualFold(f, want) || want == "" && usualColumn(f) {
			return mark, i, true
		}
	}
	return 0, 0, false
}

// markOf guesses what stands between fields: what occurs most.
func markOf(line string) byte {
	best, most := byte(','), 0
	for _, m := range []byte{',', ';', '\t', '|'} {
		if n := strings.Count(line, string(m)); n > most {
			best, most = m, n
		}
	}
	return best
}

// cutFields splits a record up to field last. whole is false when a quote is open at the end; ok is false when something
// follows a closed quote, or a quote stands inside a bare field, as RFC 4180 section 2 forbids. Fields behind last are read for
// their quotes only.
func cutFields(line string, mark byte, last int) (fields []string, whole, ok bool) {
	for {
		field, rest := "", ""
		if blank := strings.TrimLeft(line, " "); strings.HasPrefix(blank, `"`) {
			if field, rest, whole = cutQuoted(blank[1:]); !whole {
				return fields, false, true
			}
			rest = strings.TrimLeft(rest, " ")
			if rest != "" && rest[0] != mark {
				return fields, true, false
			}
		} else {
			end := strings.IndexByte(line, mark)
			if end < 0 {
				end = len(line)
			}
			if field, rest = line[:end], line[end:]; strings.Contains(field, `"`) {
				return fields, true, false
			}
		}
		if len(fields) <= last {
			fields = append(fields, field)
		}
		if rest == "" {
			return fields, true, true
		}
		line = rest[1:]
	}
}

// cutQuoted reads up to the closing quote; two quotes stand for one.
func cutQuoted(text string) (field, rest string, whole bool) {
	for at := 0; ; {
		end := strings.IndexByte(text[at:], '"')
		if end < 0 {
			return "", "", false
		}
		at += end
		if at+1 < len(text) && text[at+1] == '"' {
			at += 2
			continue
		}
		return strings.ReplaceAll(text[:at], `""`, `"`), text[at+1:], true
	}
}
