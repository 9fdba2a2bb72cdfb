package redact

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// EscapeWriter escapes what goes to a terminal: see [Writer].
type EscapeWriter struct {
	mu      sync.Mutex
	w       io.Writer
	pending []byte // the start of a rune whose rest has not come yet; at most 3
}

var _ io.Writer = (*EscapeWriter)(nil)

// Writer returns a writer that escapes like [Text], but keeps newline and tab.
// It hides no secrets. The result does not depend on how the text is cut into
// writes: the octets of an unfinished rune wait for the next Write or for
// Flush. It is safe for concurrent use. Colours must be written around it.
func Writer(w io.Writer) *EscapeWriter { return &EscapeWriter{w: w} }

// Write escapes p and writes it in one call. On an error of the underlying
// writer the count is 0: which octets of p arrived cannot be told.
func (e *EscapeWriter) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	buf := append(e.pending, p...)
	cut := len(buf) - unfinished(buf)
	out := appendLines(nil, string(buf[:cut]))
	e.pending = append([]byte(nil), buf[cut:]...)
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the octets of an unfinished rune as \xNN. Call it at the end.
func (e *EscapeWriter) Flush() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pending) == 0 {
		return nil
	}
	out := Append(nil, string(e.pending))
	e.pending = nil
	_, err := e.w.Write(out)
	return err
}

// appendLines is Append, but newline and tab stay.
func appendLines(dst []byte, s string) []byte {
	for {
		before, from := cutAny(s, "\n\t")
		dst = Append(dst, before)
		if from == "" {
			return dst
		}
		dst = append(dst, from[0])
		s = from[1:]
	}
}

// Lines is [Text] for a text of several lines: newline and tab stay.
func Lines(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == '\n' || r == '\t' }) < 0 {
		return Text(s)
	}
	return string(appendLines(nil, s))
}

// unfinished returns how many octets at the end of b begin a rune that is not
// complete yet.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		c := b[len(b)-n]
		if !utf8.RuneStart(c) {
			continue
		}
		if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
			return n
		}
		return 0
	}
	return 0
}
