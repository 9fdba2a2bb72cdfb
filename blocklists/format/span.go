package format

import "strings"

// maxSpan is how many lines a record may take: keys of zones have about fifteen, notes in tables seldom more. A quote or a
// parenthesis that is open for longer stands there by mistake.
const maxSpan = 32

// span is a record that goes over several lines. When it is broken, only the line on which it began is: the others are read again.
type span []spanLine

type spanLine struct {
	text string
	line uint32
}

// tooLong says whether there must be no further line.
func (s span) tooLong() bool {
	size := 0
	for _, l := range s {
		size += len(l.text)
	}
	return len(s) >= maxSpan || size > MaxLine
}

func (s span) text() string {
	if len(s) == 1 {
		return s[0].text
	}
	lines := make([]string, len(s))
	for i, l := range s {
		lines[i] = l.text
	}
	return strings.Join(lines, "\n")
}

// again empties the span, skips its first line, and has the others read once more; they may open a span, too.
func (s *span) again(p *parser, read func(spanLine) error) error {
	lines := *s
	*s = nil
	p.skipAt(lines[0].line, ReasonSyntax, lines[0].text)
	for _, l := range lines[1:] {
		if err := read(l); err != nil {
			return err
		}
	}
	return nil
}
