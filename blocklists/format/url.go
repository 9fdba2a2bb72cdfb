package format

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"

	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/weburl"
)

// urlLine reads a line of URLs.
func (p *parser) urlLine(line string) {
	if line[0] == '#' || line[0] == ';' {
		return
	}
	word := strings.Fields(line)[0]
	if rest := strings.TrimSpace(line[len(word):]); rest != "" && rest[0] != '#' {
		p.skip(ReasonTrailing, line)
		return
	}
	p.putURL(word, Entry{})
}

// putURL reads a URL, or the beginning of one without a scheme: a prefix of what is blocked. One that is nothing but a host
// stands for the host alone.
func (p *parser) putURL(text string, e Entry) {
	scheme, rest, ok := strings.Cut(text, "://")
	if ok {
		host, path := cutHost(rest)
		p.putWeb(scheme, host, path, text, e)
		return
	}
	if isAddress(text) {
		p.putTarget(text, Entry{Line: e.Line, Scope: set.Suffix})
		return
	}
	if a, ok := hostPort(strings.TrimSuffix(text, "/")); ok {
		p.putPort(a, text, e)
		return
	}
	host, path := cutHost(text)
	if scheme = "http"; strings.HasSuffix(host, ":443") {
		scheme = "https" // the web by its other usual port: both are one URL
	}
	p.putWeb(scheme, host, path, text, e)
}

// hostPort reads "host:port", which says no protocol: an address or a name, and a port.
func hostPort(word string) (a hostname.Authority, ok bool) {
	if !strings.Contains(word, ":") || isAddress(word) {
		return hostname.Authority{}, false
	}
	a, err := hostname.ParseAuthority(word, 0)
	return a, err == nil && a.Port != 0
}

// putPort emits all that a host serves at one port. The port always stays, even a usual one: there is no scheme whose default it
// could be, and whoever asks for a host looks it up with its port.
func (p *parser) putPort(a hostname.Authority, text string, e Entry) {
	key, why := urlKey(a, "/")
	if why != "" {
		p.skipAt(cmp.Or(e.Line, p.line), why, text)
		return
	}
	e.Name, e.Prefix, e.URL, e.Scope = hostname.Name{}, netip.Prefix{}, key, set.Suffix
	p.put(e)
}

// putWeb emits what the parts of a URL make under the flags of e.
func (p *parser) putWeb(scheme, host, path, text string, e Entry) {
	got, why := webEntry(scheme, host, path)
	if why != "" {
		p.skipAt(cmp.Or(e.Line, p.line), why, text)
		return
	}
	e.Name, e.Prefix, e.URL, e.Scope = got.Name, got.Prefix, got.URL, got.Scope
	p.put(e)
}

// cutHost splits what follows a scheme: host with port, and the rest.
func cutHost(text string) (host, path string) {
	if at := strings.IndexAny(text, `/?#\`); at >= 0 {
		return text[:at], text[at:]
	}
	return text, ""
}

// webEntry makes an entry of the parts of a URL: of the host alone when there is nothing else, else of the URL. Who the user is
// said to be does not matter: it is no part of what a request asks for.
func webEntry(scheme, host, path string) (Entry, Reason) {
	port := defaultPort(scheme)
	if port == 0 {
		return Entry{}, ReasonPath
	}
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	a, err := hostname.ParseAuthority(host, port)
	if err != nil {
		return Entry{}, badHost(host)
	}
	if a.Port == port {
		a.Port = 0
	}
	key, why := urlKey(a, path)
	switch {
	case why != "":
		return Entry{}, why
	case a.Port != 0 || key != a.String()+"/":
		return Entry{URL: key}, ""
	case a.IsAddr():
		return Entry{Prefix: netip.PrefixFrom(a.Addr, a.Addr.BitLen())}, ""
	}
	return Entry{Name: a.Name, Scope: set.Exact}, ""
}

// urlKey spells host, path and query as [set.Entry.URL] has them. A fragment is cut off: it is never sent.
func urlKey(host hostname.Authority, path string) (string, Reason) {
	path, _, _ = strings.Cut(path, "#")
	path, query, asked := strings.Cut(path, "?")
	path = strings.ReplaceAll(path, `\`, "/") // as browsers read it (WHATWG URL, path state)
	if path == "" {
		path = "/"
	}
	if asked {
		path += "?" + query
	}
	u, err := url.Parse("http://h" + path)
	if err != nil {
		return "", ReasonURLPath
	}
	key := weburl.Key(weburl.Canonical(schemeFor(host.Port), host, u))
	if len(key) > set.MaxURL || strings.Trim(key, printableSet[1:]) != "" {
		return "", ReasonURLPath
	}
	return key, ""
}

// schemeFor is a scheme whose default port is not the one given, so that the port stays.
func schemeFor(port uint16) string {
	if port == weburl.DefaultPort("http") {
		return "https"
	}
	return "http"
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
	if strings.Contains(host, "*") {
		return ReasonPattern
	}
	return ReasonName
}
