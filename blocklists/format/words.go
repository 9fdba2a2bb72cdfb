package format

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
)

// dnscryptName reads a line of dnscrypt-proxy's blocked-names: x and *.x (x and below), =x, and patterns, which names cannot
// express. "x @work" is in force only at the hours that dnscrypt-proxy's own configuration calls "work".
func (p *parser) dnscryptName(line string) {
	text := cutHash(line)
	if text == "" {
		return
	}
	word, schedule, timed := strings.Cut(text, " @")
	if timed || text[0] == '@' {
		if schedule == "" || strings.ContainsAny(schedule, " \t") {
			p.skip(ReasonSyntax, line)
		} else {
			p.skip(ReasonSchedule, line)
		}
		return
	}
	switch {
	case strings.ContainsAny(word, " \t"):
		p.skip(ReasonTrailing, line)
	case strings.ContainsAny(strings.TrimPrefix(word, "*."), "*?["):
		p.skip(ReasonPattern, line)
	default:
		p.putWord(word, Entry{})
	}
}

// dnscryptAddress reads a line of dnscrypt-proxy's blocked-ips: an address, a prefix, or the beginning of one and a star.
func (p *parser) dnscryptAddress(line string) {
	text := cutHash(line)
	switch {
	case text == "":
		return
	case strings.ContainsAny(text, " \t"):
		p.skip(ReasonTrailing, line)
		return
	}
	start, star := strings.CutSuffix(text, "*")
	var prefix netip.Prefix
	var why Reason
	if star {
		prefix, why = starPrefix(start)
	} else {
		_, prefix, why = target(text)
	}
	switch {
	case prefix.IsValid():
		p.put(Entry{Prefix: prefix})
	case why == ReasonTooBroad, why == ReasonPattern:
		p.skip(why, line)
	default:
		p.skip(ReasonAddress, line)
	}
}

// starPrefix reads "192.0." as 192.0.0.0/16 and "2001:db8:" as 2001:db8::/32. A star inside of a part stands for no prefix.
func starPrefix(start string) (netip.Prefix, Reason) {
	mark, parts, base, each := ".", 4, 10, 8
	if strings.Contains(start, ":") {
		mark, parts, base, each = ":", 8, 16, 16
	}
	rest, whole := strings.CutSuffix(start, mark)
	given := strings.Split(rest, mark)
	if !whole || len(given) >= parts {
		return netip.Prefix{}, ReasonPattern
	}
	bytes := make([]byte, parts*each/8)
	for i, g := range given {
		v, err := strconv.ParseUint(g, base, each)
		if err != nil {
			return netip.Prefix{}, ReasonPattern
		}
		if each == 16 {
			bytes[2*i], bytes[2*i+1] = byte(v>>8), byte(v)
		} else {
			bytes[i] = byte(v)
		}
	}
	addr, _ := netip.AddrFromSlice(bytes) // 4 or 16 octets
	return narrow(netip.PrefixFrom(addr, len(given)*each))
}

// tplLine reads a line of a tracking protection list (W3C Tracking Protection Lists submission, 2011): "-d x" blocks a domain,
// "-d x /path" what it serves below a path, "+d" lets through; "- text", and a text behind a domain that is no path, look for a
// text anywhere in URLs.
func (p *parser) tplLine(line string) {
	if line == "msFilterList" || line[0] == '#' || line[0] == ':' {
		return
	}
	words := strings.Fields(line)
	switch words[0] {
	case "-d", "+d":
	case "-", "+":
		p.skip(ReasonPath, line)
		return
	default:
		p.skip(ReasonSyntax, line)
		return
	}
	e := Entry{Exception: words[0] == "+d"}
	switch {
	case len(words) == 1:
		p.skip(ReasonSyntax, line)
	case len(words) == 2:
		p.putTarget(words[1], e)
	case len(words) == 3 && words[2][0] == '/' && words[2] != "/" && !strings.Contains(words[2], "*"):
		p.putWeb("http", words[1], words[2], line, e)
	default:
		p.skip(ReasonPath, line)
	}
}

// value reads one field of a table or of JSON: a URL, a fingerprint, or a word as in domains.
func (p *parser) value(text string, e Entry) {
	text = strings.TrimSpace(text)
	switch _, port := hostPort(strings.TrimSuffix(text, "/")); {
	case text == "":
	case port, strings.Contains(text, "://"):
		p.putURL(text, e)
	case strings.Count(text, ":") == 1:
		p.skipAt(cmp.Or(e.Line, p.line), ReasonPath, text) // of a port that is none, or behind a pattern
	default:
		if fp, ok := fingerprint(text); ok {
			p.put(Entry{Fingerprint: fp, Line: e.Line})
			return
		}
		p.putWord(text, e)
	}
}
