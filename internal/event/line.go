package event

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weir/internal/redact"
)

// Limits of one line, in octets as written (after escaping, without the quotes).
const (
	maxLine   = 32 << 10 // whole line: fits one syslog or Kafka record of the usual 64 KiB with room for their envelopes
	maxURL    = 2048     // the length that a browser's address bar is built for
	maxAgent  = 512      // the longest honest User-Agent is about 400
	maxName   = 255      // a domain name (RFC 1035 section 2.3.4); also names of rules, lists and detectors
	maxDetail = 256      // one sentence
	maxWord   = 64       // words of closed sets, codes, ids, versions
	maxPhrase = 128      // fields that repeat in every entry of a list
)

// line builds one JSON object by appending. Every text goes through package redact first, so that what is left to escape for
// JSON is the quote and the backslash. Objects and lists that stay empty leave no trace.
type line struct {
	b       []byte
	start   int // where the line begins in b
	dropped int // entries of lists that did not fit
}

// span remembers where an object or list began: outer before its key, inner after its bracket.
type span struct{ outer, inner int }

func (l *line) comma() {
	if n := len(l.b); n > l.start && l.b[n-1] != '{' && l.b[n-1] != '[' {
		l.b = append(l.b, ',')
	}
}

// key writes a name of our own: no escaping.
func (l *line) key(k string) {
	l.comma()
	l.b = append(l.b, '"')
	l.b = append(l.b, k...)
	l.b = append(l.b, '"', ':')
}

// open begins a member that is an object or a list; with an empty k, an entry of a list.
func (l *line) open(k string, bracket byte) span {
	s := span{outer: len(l.b)}
	if k == "" {
		l.comma()
	} else {
		l.key(k)
	}
	l.b = append(l.b, bracket)
	s.inner = len(l.b)
	return s
}

// close ends what open began, or takes it back when nothing was written inside.
func (l *line) close(s span, bracket byte) {
	if len(l.b) == s.inner {
		l.b = l.b[:s.outer]
		return
	}
	l.b = append(l.b, bracket)
}

func (l *line) object(k string) span { return l.open(k, '{') }
func (l *line) end(s span)           { l.close(s, '}') }

// text writes a member with any text, escaped and cut to limit octets; an empty one is left out.
func (l *line) text(k, s string, limit int) { l.safe(k, escaped(s, limit), limit) }

// link writes a text that may be a URL: userinfo, query values and fragment are taken out.
func (l *line) link(k, s string, limit int) { l.safe(k, unlinked(s), limit) }

// free writes free text that may quote the traffic: what looks like a credential is taken out.
func (l *line) free(k, s string, limit int) { l.safe(k, scrubbed(s, limit), limit) }

// safe writes a member with a text that package redact has already made safe.
func (l *line) safe(k, s string, limit int) {
	if s == "" {
		return
	}
	l.key(k)
	l.quote(s, limit)
}

func (l *line) number(k string, n int64) {
	l.key(k)
	l.b = strconv.AppendInt(l.b, n, 10)
}

// count writes a member with a number, unless it is 0.
func (l *line) count(k string, n int64) {
	if n != 0 {
		l.number(k, n)
	}
}

func (l *line) flag(k string, v bool) {
	if v {
		l.key(k)
		l.b = append(l.b, "true"...)
	}
}

func (l *line) time(k string, t time.Time) {
	l.key(k)
	l.b = append(l.b, '"')
	l.b = t.UTC().AppendFormat(l.b, "2006-01-02T15:04:05.000000Z")
	l.b = append(l.b, '"')
}

// addr writes an address in its canonical form, without the zone (RFC 4007: of no meaning elsewhere); an invalid one is left out.
func (l *line) addr(k string, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	if k == "" {
		l.comma()
	} else {
		l.key(k)
	}
	l.b = append(l.b, '"')
	l.b = a.Unmap().WithZone("").AppendTo(l.b)
	l.b = append(l.b, '"')
}

// texts writes a list of texts that may take at most budget octets; entries that do not fit are counted.
func (l *line) texts(k string, list []string, limit, budget int) {
	s := l.open(k, '[')
	for i, t := range list {
		mark := len(l.b)
		l.comma()
		l.quote(escaped(t, limit), limit)
		if l.over(mark, s.inner+budget, len(list)-i) {
			break
		}
	}
	l.close(s, ']')
}

// over takes back the entry written since mark if it went past end, and counts it and the rest of its list as dropped.
func (l *line) over(mark, end, left int) bool {
	if len(l.b) <= end {
		return false
	}
	l.b = l.b[:mark]
	l.dropped += left
	return true
}

// quote writes safe text as a JSON string of at most limit octets between its quotes, cut on a rune boundary with an ellipsis.
func (l *line) quote(s string, limit int) {
	l.b = append(l.b, '"')
	if len(s) <= limit && strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0 {
		l.b = append(l.b, s...)
	} else {
		l.b = appendCut(l.b, s, limit)
	}
	l.b = append(l.b, '"')
}

const ellipsis = "…"

func appendCut(dst []byte, s string, limit int) []byte {
	room := limit
	if len(s)+strings.Count(s, `"`)+strings.Count(s, `\`) > limit {
		room -= len(ellipsis)
	} else {
		limit = -1 // it fits
	}
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		width := size
		if s[i] == '"' || s[i] == '\\' {
			width++
		}
		if limit >= 0 && width > room {
			return append(dst, ellipsis...)
		}
		room -= width
		if width > size {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i:i+size]...)
		i += size
	}
	return dst
}

// escaped is redact.Text, without escaping much more than will be shown: Text never makes anything shorter, so that a rune torn
// by this cut lies beyond limit.
func escaped(s string, limit int) string {
	if len(s) > limit+utf8.UTFMax {
		s = s[:limit+utf8.UTFMax]
	}
	return redact.Text(s)
}

// unlinked reduces what may be a URL; a plain name, address or word stays as it is. URLs are never cut before: that could part
// a password from the @ that gives it away.
func unlinked(s string) string {
	if !strings.ContainsAny(s, `/?@#\`) {
		return redact.Text(s)
	}
	return redact.URL(s)
}

// scrubbed is redact.Scrub with bounded work: its patterns cost microseconds per hundred octets. A longer text is cut at a blank,
// since a credential's marks (user:password@, key=value) hold no blanks; without a blank nothing is shown.
func scrubbed(s string, limit int) string {
	const spare = 4 // what is masked gets shorter
	if len(s) <= spare*limit {
		return redact.Scrub(s)
	}
	cut := strings.LastIndexAny(s[:spare*limit], " \t\r\n")
	if cut < 0 {
		return "***"
	}
	return redact.Scrub(s[:cut]) + ellipsis
}
