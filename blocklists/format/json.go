package format

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"weir/blocklists/set"
)

// maxNesting bounds recursion; lists nest three deep.
const maxNesting = 64

// jsonList reads JSON (RFC 8259) as a stream, one value or several: a list may be larger than what we would hold, and a
// diagnostic names its line.
//
// Without a column it takes the texts of an outermost array, those of the member "list" of an outermost object, or those of the
// first member with a usual name anywhere. An outermost object with "list" is a MISP warning list, and its "type" says what the
// words cover: hostname (x and below), string (x alone), cidr; substring and regex cannot be expressed.
type jsonList struct {
	p      *parser
	br     *bufio.Reader
	column string // found or given
	found  bool   // some text was ours
	missed bool   // some was not
	held   []heldWord
	kind   string // MISP type
	text   []byte // of the string that is being read
	values int    // outermost
	fault  bool   // an outermost object says that something went wrong
}

type heldWord struct {
	text string
	line uint32
}

// place is where a value stands.
type place struct {
	key   string // of the member that it is, or in whose array it stands
	depth int
}

func (p *parser) readJSON(br *bufio.Reader) error {
	j := &jsonList{p: p, br: br, column: p.column, found: p.column != ""}
	p.line, p.sum.Lines = 1, 1
	any := false
	for {
		c, err := j.space()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			any = true
			j.values++
			err = j.value(c, place{})
		}
		if errors.Is(err, io.EOF) {
			err = j.broken("ends too early")
		}
		if err != nil {
			return err
		}
		j.release()
	}
	if !any {
		p.sum.Lines = 0
		return nil
	}
	if j.fault && j.values == 1 && j.p.sum.emitted() < fewTexts {
		return fmt.Errorf("%w: an object that tells of an error", ErrNotAList)
	}
	if j.missed && !j.found {
		return fmt.Errorf("%w: name the key that holds them", ErrColumn)
	}
	return p.overLimit()
}

func (j *jsonList) broken(what string) error {
	return fmt.Errorf("%w: JSON: line %d: %s", ErrSyntax, j.p.line, what)
}

// next returns one octet and watches the limits.
func (j *jsonList) next() (byte, error) {
	c, err := j.br.ReadByte()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = fmt.Errorf("read list: line %d: %w", j.p.line, err)
		}
		return 0, err
	}
	if j.p.sum.Bytes++; c == '\n' {
		j.p.line++
		j.p.sum.Lines++
	}
	if j.p.sum.Bytes > j.p.limits.Bytes || c == '\n' {
		return c, j.p.overLimit()
	}
	return c, nil
}

// space skips blanks and returns the octet behind them.
func (j *jsonList) space() (byte, error) {
	for {
		c, err := j.next()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// value reads the value that starts with c.
func (j *jsonList) value(c byte, at place) error {
	if at.depth > maxNesting {
		return j.broken("nested too deep")
	}
	switch c {
	case '{':
		return j.object(at)
	case '[':
		return j.array(at)
	case '"':
		line := j.p.line
		text, long, err := j.string()
		if err != nil {
			return err
		}
		j.take(text, long, line, at)
		return j.p.overLimit()
	}
	return j.literal(c)
}

func (j *jsonList) array(at place) error {
	c, err := j.space()
	if err != nil || c == ']' {
		return err
	}
	for {
		if err := j.value(c, place{at.key, at.depth + 1}); err != nil {
			return err
		}
		var more bool
		if c, more, err = j.more(']'); err != nil || !more {
			return err
		}
	}
}

func (j *jsonList) object(at place) error {
	c, err := j.space()
	if err != nil || c == '}' {
		return err
	}
	for {
		if err := j.member(c, at); err != nil {
			return err
		}
		var more bool
		if c, more, err = j.more('}'); err != nil || !more {
			return err
		}
	}
}

// more reads what follows an element: the end, or a comma and the first octet of the next element.
func (j *jsonList) more(end byte) (c byte, more bool, err error) {
	c, err = j.space()
	switch {
	case err != nil || c == end:
		return c, false, err
	case c != ',':
		return c, false, j.broken("want a comma or the end of an array or object")
	}
	c, err = j.space()
	return c, true, err
}

// member reads a key, which starts with c, and its value.
func (j *jsonList) member(c byte, at place) error {
	if c != '"' {
		return j.broken("want a key in an object")
	}
	key, _, err := j.string()
	if err != nil {
		return err
	}
	if c, err = j.space(); err != nil {
		return err
	}
	if c != ':' {
		return j.broken("want ':' behind a key")
	}
	if c, err = j.space(); err != nil {
		return err
	}
	j.fault = j.fault || at.depth == 0 && tellsFault(key) && c != 'n' && c != 'f' && c != '0'
	return j.value(c, place{key, at.depth + 1})
}

// fewTexts is how many entries the answer of a server that tells of an error may have by accident: its own address, links to its
// documentation.
const fewTexts = 10

// tellsFault knows the members by which servers tell of an error; null, false and 0 there mean that there was none. "message" is
// none of them: answers that went well have one too.
func tellsFault(key string) bool {
	switch strings.ToLower(key) {
	case "error", "errors", "error_code", "error_message", "error_description", "errormessage", "errorcode", "fault":
		return true
	}
	return false
}

// literal reads a number, true, false or null.
func (j *jsonList) literal(c byte) error {
	word := []byte{c}
	for {
		ahead, err := j.br.Peek(1)
		if err != nil || strings.IndexByte(" \t\r\n,]}:[{\"", ahead[0]) >= 0 || len(word) > maxText {
			break
		}
		if c, err = j.next(); err != nil {
			return err
		}
		word = append(word, c)
	}
	if !json.Valid(word) {
		return j.broken(fmt.Sprintf("%q is no value", word))
	}
	return nil
}

// string reads a text whose first quote is read. Of a long one it returns the beginning.
func (j *jsonList) string() (text string, long bool, err error) {
	j.text = append(j.text[:0], '"')
	escaped := false
	for {
		c, err := j.next()
		switch {
		case err != nil:
			return "", false, err
		case c < ' ':
			return "", false, j.broken("control character in a text")
		}
		if len(j.text) <= MaxLine || c == '"' && !escaped {
			j.text = append(j.text, c)
		} else {
			long = true
		}
		if c == '"' && !escaped {
			break
		}
		escaped = c == '\\' && !escaped
	}
	if long {
		return string(j.text[1:maxText]), true, nil
	}
	if err := json.Unmarshal(j.text, &text); err != nil {
		return "", false, j.broken("bad escape in a text")
	}
	return text, false, nil
}

// take looks at one text: is it a word of the list?
func (j *jsonList) take(text string, long bool, line uint32, at place) {
	misp := j.p.column == "" && at.depth == 2 && at.key == "list"
	switch {
	case at.depth == 1 && at.key == "type":
		j.kind = text
		return
	case !misp && !j.selects(at.key):
		j.missed = true
		return
	}
	j.found = true
	switch {
	case long:
		j.p.skipAt(line, ReasonTooLong, text)
	case misp:
		j.held = append(j.held, heldWord{text, line})
		j.p.held++
	default:
		j.p.value(text, Entry{Line: line})
	}
}

// selects says whether what stands under a key is ours; without a column the first usual key becomes the column.
func (j *jsonList) selects(key string) bool {
	if j.column == "" && usualColumn(key) {
		j.column = key
	}
	if j.column == "" {
		return key == ""
	}
	return strings.EqualFold(key, j.column)
}

// release emits the words of one MISP list.
func (j *jsonList) release() {
	for _, w := range j.held {
		e := Entry{Line: w.line}
		switch j.kind {
		case "", "hostname", "cidr":
			j.p.value(w.text, e)
		case "string":
			e.Scope = set.Exact
			j.p.value(w.text, e)
		case "substring":
			j.p.skipAt(w.line, ReasonPattern, w.text)
		case "regex":
			j.p.skipAt(w.line, ReasonRegex, w.text)
		default:
			j.p.skipAt(w.line, ReasonModifier, w.text)
		}
	}
	j.held, j.kind, j.p.held = nil, "", 0
}
