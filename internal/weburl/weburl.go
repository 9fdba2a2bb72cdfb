// Package weburl spells URLs in the one form that rules, lists and caches compare. Values in, values out.
package weburl

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"weir/internal/hostname"
)

// DefaultPort returns the port of a scheme: 443 for https and wss, 80 for the rest.
func DefaultPort(scheme string) uint16 {
	if scheme == "https" || scheme == "wss" {
		return 443
	}
	return 80
}

// Canonical spells a URL in the one form that rules and lists are matched on: lower-case scheme, canonical host, no default port,
// percent-escapes of unreserved octets undone and the others in upper case (RFC 3986 section 6.2.2), dot segments and doubled
// slashes removed, no fragment. The query keeps its order; what browsers escape in it is escaped.
func Canonical(scheme string, target hostname.Authority, u *url.URL) string {
	var b strings.Builder
	scheme = strings.ToLower(scheme)
	host := target
	if host.Port == DefaultPort(scheme) {
		host.Port = 0
	}
	b.WriteString(scheme)
	b.WriteString("://")
	b.WriteString(host.String())
	writePath(&b, u.EscapedPath())
	if u.RawQuery != "" {
		b.WriteByte('?')
		writeQuery(&b, normalEscapes(u.RawQuery))
	}
	return b.String()
}

// Loose spells a URL as the most lenient servers read its path: escapes undone twice, backslashes as slashes, parameters behind
// a semicolon cut from each segment, then dot segments removed. "" when that is the canonical spelling.
func Loose(scheme string, target hostname.Authority, u *url.URL) string {
	path := u.EscapedPath()
	if !strings.ContainsAny(path, "%\\;") {
		return ""
	}
	for range 2 {
		if decoded, err := url.PathUnescape(path); err == nil {
			path = decoded
		}
	}
	path = strings.ReplaceAll(path, "\\", "/")
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	loose := Canonical(scheme, target, &url.URL{Path: strings.Join(segments, "/"), RawQuery: u.RawQuery})
	if loose == Canonical(scheme, target, u) {
		return ""
	}
	return loose
}

// Key returns what lists of URLs are keyed on: a canonical URL (as [Canonical] spells it) without its scheme and "//". http and
// https of one host and path are one key on purpose: who plants a file serves both. A port stays where it is not the default of
// the URL's own scheme. What has no scheme is returned as it is.
func Key(canonical string) string {
	if _, rest, ok := strings.Cut(canonical, "://"); ok && !strings.ContainsAny(canonical[:len(canonical)-len(rest)-3], "/?") {
		return rest
	}
	return canonical
}

// writeQuery escapes what browsers escape in the query of a web address (WHATWG URL, special-query percent-encode set), so that
// programs that do not are seen to ask for the same.
func writeQuery(b *strings.Builder, query string) {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"#<>'`, c) >= 0 {
			fmt.Fprintf(b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
}

func writePath(b *strings.Builder, escaped string) {
	var out []string
	last := ""
	for segment := range strings.SplitSeq(normalEscapes(escaped), "/") {
		last = segment
		switch segment {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, segment)
		}
	}
	for _, s := range out {
		b.WriteByte('/')
		b.WriteString(s)
	}
	if len(out) == 0 || last == "" || last == "." || last == ".." {
		b.WriteByte('/')
	}
}

// normalEscapes undoes escapes of unreserved octets and writes the others in upper case.
func normalEscapes(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+2 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			b.WriteByte('%')
			continue
		}
		if c := byte(v); unreserved(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

// unreserved is the set of RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
