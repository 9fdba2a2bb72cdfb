package format

import "strings"

// bindConf reads the zone statements of a named.conf (BIND 9 reference, section 4.2). Statements may span lines.
type bindConf struct {
	p       *parser
	words   []string // of the statement so far: words, texts and the marks { } ;
	start   uint32   // line on which it began
	depth   int      // of braces
	comment bool     // inside /* */
	opened  uint32   // line on which it began
}

// maxWords is how many words of a statement are kept; those of a zone that blocks are about fifteen.
const maxWords = 64

var _ grammar = (*bindConf)(nil)

func (b *bindConf) end() {
	if b.comment {
		b.p.skipAt(b.opened, ReasonSyntax, "/* without end: all behind it is a comment")
	}
	if len(b.words) > 0 {
		b.drop(ReasonSyntax)
	}
}

func (b *bindConf) line(line string) error {
	for first := true; ; first = false {
		word, quoted, rest, ok := b.next(line)
		if !ok {
			b.drop(ReasonSyntax) // an open quote
			return nil
		}
		if word == "" && !quoted {
			return nil
		}
		if first && !quoted && keyword(word) == "zone" && b.depth > 0 && keyword(b.words[0]) == "zone" {
			b.drop(ReasonSyntax) // the one before was never closed: it does not cost this one
		}
		b.add(word, quoted)
		line = rest
	}
}

// next cuts one word, text or mark off; comments are none. ok is false for a text without end.
func (b *bindConf) next(line string) (word string, quoted bool, rest string, ok bool) {
	for {
		if b.comment {
			_, after, closed := strings.Cut(line, "*/")
			if !closed {
				return "", false, "", true
			}
			b.comment, line = false, after
		}
		line = strings.TrimLeft(line, " \t\f\v\u00a0")
		if !strings.HasPrefix(line, "/*") {
			break
		}
		b.comment, b.opened, line = true, b.p.line, line[2:]
	}
	switch {
	case line == "", line[0] == '#', strings.HasPrefix(line, "//"):
		return "", false, "", true
	case line[0] == '"':
		word, rest, ok = strings.Cut(line[1:], `"`)
		return word, true, rest, ok
	case strings.IndexByte("{};", line[0]) >= 0:
		return line[:1], false, line[1:], true
	}
	end := strings.IndexAny(line, " \t\"{};#")
	if end < 0 {
		end = len(line)
	}
	return line[:end], false, line[end:], true
}

// add takes one word; a quoted one is never a mark or a keyword.
func (b *bindConf) add(word string, quoted bool) {
	if len(b.words) == 0 {
		b.start = b.p.line
	}
	if quoted {
		word = `"` + word
	}
	if len(b.words) < maxWords {
		b.words = append(b.words, word)
	}
	switch word {
	case "{":
		b.depth++
	case "}":
		if b.depth--; b.depth < 0 {
			b.drop(ReasonSyntax)
		}
	case ";":
		if b.depth == 0 {
			b.statement()
		}
	}
}

// drop skips the statement so far.
func (b *bindConf) drop(why Reason) {
	text := strings.ReplaceAll(strings.Join(b.words, " "), `"`, "")
	b.p.skipAt(max(b.start, 1), why, text)
	b.words, b.depth = b.words[:0], 0
}

// keyword is a word as the grammar has it: BIND's keywords know no case. A quoted word, which keeps its first quote, is none.
func keyword(word string) string { return strings.ToLower(word) }

// statement reads a whole one.
func (b *bindConf) statement() {
	switch word := keyword(b.words[0]); {
	case len(b.words) == 1: // a lone ';'
		b.words = b.words[:0]
	case len(b.words) >= maxWords && word == "zone":
		b.drop(ReasonSyntax)
	case word == "zone":
		b.zone()
	case word == "include":
		b.drop(ReasonInclude)
	case word == "view":
		b.drop(ReasonView)
	case isKeyword(word):
		b.drop(ReasonSetting)
	default:
		b.drop(ReasonSyntax)
	}
}

// zone reads: zone NAME [class] { type KIND; ... };
func (b *bindConf) zone() {
	body := 2
	if len(b.words) > body && (strings.EqualFold(b.words[body], "in") || strings.EqualFold(b.words[body], `"in`)) {
		body++
	}
	if len(b.words) <= body || b.words[body] != "{" {
		b.drop(ReasonSyntax)
		return
	}
	name := strings.TrimPrefix(b.words[1], `"`)
	switch b.kind(body) {
	case "master", "primary":
		line := b.start
		b.words = b.words[:0]
		b.p.putTarget(name, Entry{Line: line})
	case "":
		b.drop(ReasonSyntax)
	default:
		b.drop(ReasonZoneType)
	}
}

// kind finds "type KIND ;" directly inside the braces that open at body.
func (b *bindConf) kind(body int) string {
	depth := 0
	for i, w := range b.words[body:] {
		switch keyword(w) {
		case "{":
			depth++
		case "}":
			depth--
		case "type":
			if at := body + i; depth == 1 && at+2 < len(b.words) && b.words[at+2] == ";" {
				return strings.ToLower(b.words[at+1])
			}
		}
	}
	return ""
}
