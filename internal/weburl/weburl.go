// Package weburl spells URLs in the one form that rules, lists and caches compare. Values in, values out.
package weburl

import (
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
// dot segments and doubled slashes removed, no fragment. Every visible octet of path and query has one spelling, escaped or not
// (RFC 3986 section 6.2.2, and beyond it the reserved octets that servers decode alike); escapes that stay are in upper case.
// Only what has another meaning when it is escaped is told apart: "/" in the path, "&" and "+" and the first "=" of a parameter
// in the query, and "?", "#" and "%" themselves. The query keeps its order; what browsers escape in it is escaped.
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
	writePath(&b, escapedPath(u))
	if u.RawQuery != "" {
		b.WriteByte('?')
		writeQuery(&b, u.RawQuery)
	}
	return b.String()
}

// Loose spells a URL as the most lenient servers read its path: escapes undone twice, backslashes as slashes, parameters behind
// a semicolon cut from each segment, then dot segments removed. "" when that is the canonical spelling.
func Loose(scheme string, target hostname.Authority, u *url.URL) string {
	path := escapedPath(u)
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

// escapedPath is the path as it was written: [url.URL.EscapedPath] undoes an escaped slash when another octet is not escaped
// as the library would.
func escapedPath(u *url.URL) string {
	if u.RawPath != "" {
		if path, err := url.PathUnescape(u.RawPath); err == nil && path == u.Path {
			return u.RawPath
		}
	}
	return u.EscapedPath()
}

// writeQuery escapes what browsers escape in the query of a web address (WHATWG URL, special-query percent-encode set), so that
// programs that do not are seen to ask for the same, and undoes the other escapes but those of what parts parameters (WHATWG
// URL, application/x-www-form-urlencoded parsing): only the first "=" of a parameter does.
func writeQuery(b *strings.Builder, query string) {
	value := false // behind the first "=" of a parameter
	for i := 0; i < len(query); {
		c, escaped, size := octet(query[i:])
		i += size
		switch {
		case c <= ' ', c >= 0x7f, strings.IndexByte(`"#<>'%`, c) >= 0, escaped && (c == '&' || c == '+' || c == '=' && !value):
			writeEscape(b, c)
		default:
			b.WriteByte(c)
			value = c != '&' && (value || c == '=')
		}
	}
}

func writePath(b *strings.Builder, escaped string) {
	var out []string
	last := ""
	for segment := range strings.SplitSeq(normalPath(escaped), "/") {
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

// normalPath undoes the escapes of what may stand in a path (RFC 3986 section 3.3), and of brackets, and escapes the rest.
func normalPath(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		c, escaped, size := octet(s[i:])
		i += size
		if unreserved(c) || strings.IndexByte("!$&'()*+,;=:@[]", c) >= 0 || c == '/' && !escaped {
			b.WriteByte(c)
		} else {
			writeEscape(&b, c)
		}
	}
	return b.String()
}

// octet reads one octet of s, which is not empty, and whether it was escaped. A "%" that starts no escape stands for itself.
func octet(s string) (c byte, escaped bool, size int) {
	if s[0] == '%' && len(s) > 2 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return byte(v), true, 3
		}
	}
	return s[0], false, 1
}

func writeEscape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}

// unreserved is the set of RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
