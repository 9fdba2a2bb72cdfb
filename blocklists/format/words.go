package format

import (
	"net/netip"
	"strconv"
	"strings"

	"weir/blocklists/set"
	"weir/internal/hostname"
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

// tplLine reads a line of a tracking protection list (W3C Tracking Protection Lists submission, 2011): "-d x [path]" blocks a
// domain, "+d x" lets it through, "- text" and "+ text" look for a text in URLs.
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
	switch len(words) {
	case 1:
		p.skip(ReasonSyntax, line)
	case 2:
		p.putTarget(words[1], Entry{Exception: words[0] == "+d"})
	default:
		p.skip(ReasonURLPath, line)
	}
}

// urlLine reads a line of URLs.
func (p *parser) urlLine(line string) {
	if line[0] == '#' || line[0] == ';' {
		return
	}
	url := strings.Fields(line)[0]
	if rest := strings.TrimSpace(line[len(url):]); rest != "" && rest[0] != '#' {
		p.skip(ReasonTrailing, line)
		return
	}
	p.putURL(url, Entry{})
}

// putURL reads a URL, or the beginning of one without a scheme: a prefix of what is blocked. One that is nothing but a host
// stands for the host alone; the others are counted.
//
// Here is where URL entries begin: when [set.Entry] can carry one (scheme, host, port and path prefix), those that are now
// skipped as [ReasonURLPath] are emitted, and counted as [Summary.URLs].
func (p *parser) putURL(url string, e Entry) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "http", url
	}
	port := defaultPort(scheme)
	if port == 0 {
		p.skipURL(ReasonPath, url, e)
		return
	}
	host, path := rest, ""
	if at := strings.IndexAny(rest, `/?#\`); at >= 0 {
		host, path = rest[:at], rest[at:]
	}
	a, err := hostname.ParseAuthority(host, port)
	switch {
	case err != nil:
		p.skipURL(badHost(host), url, e)
	case a.Port != port || path != "" && path != "/":
		p.skipURL(ReasonURLPath, url, e)
	case a.IsAddr():
		e.Prefix = netip.PrefixFrom(a.Addr, a.Addr.BitLen())
		p.put(e)
	default:
		e.Name, e.Scope = a.Name, set.Exact
		p.put(e)
	}
}

// defaultPort returns the port of a scheme; 0 for one that lists of URLs do not hold.
func defaultPort(scheme string) uint16 {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	case "ftp":
		return 21
	}
	return 0
}

// badHost says what is wrong with a host that does not parse.
func badHost(host string) Reason {
	switch {
	case strings.Contains(host, "@"):
		return ReasonURLPath
	case strings.Contains(host, "*"):
		return ReasonPattern
	}
	return ReasonName
}

func (p *parser) skipURL(why Reason, url string, e Entry) {
	line := e.Line
	if line == 0 {
		line = p.line
	}
	p.skipAt(line, why, url)
}

// fingerprintLine counts a line of a list of JA3 or JA4 fingerprints: nothing matches them yet.
func (p *parser) fingerprintLine(line string) {
	switch {
	case line[0] == '#' || line[0] == ';':
	case fingerprint(line):
		p.skip(ReasonFingerprint, line)
	default:
		p.skip(ReasonSyntax, line)
	}
}

// fingerprint says whether a line starts with the MD5 of JA3 or with a JA4 (t13d1516h2_8daaf6152771_b186095e22b6).
func fingerprint(line string) bool {
	word := line
	if end := strings.IndexAny(line, ",;\t |"); end >= 0 {
		word = line[:end]
	}
	word = strings.Trim(word, `"`)
	if len(word) == 32 {
		return isHex(word)
	}
	parts := strings.Split(word, "_")
	return len(parts) == 3 && len(parts[0]) == 10 && strings.IndexByte("tqd", parts[0][0]) >= 0 &&
		len(parts[1]) == 12 && isHex(parts[1]) && len(parts[2]) == 12 && isHex(parts[2])
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// value reads one field of a table or of JSON: a URL, or a word as in domains.
func (p *parser) value(text string, e Entry) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
	case strings.Contains(text, "://"):
		p.putURL(text, e)
	case strings.Count(text, ":") == 1:
		p.skipURL(ReasonPath, text, e) // host:port
	default:
		p.putWord(text, e)
	}
}
