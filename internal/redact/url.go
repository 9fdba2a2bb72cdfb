package redact

import (
	"strings"
)

// Limits of what is kept of a URL, in bytes or pieces. They bound one event
// field, not the URL that may pass.
const (
	maxQueryKey  = 40   // longer keys are cut; real form fields are shorter
	maxQueryKeys = 32   // further keys become one ellipsis
	maxPath      = 2048 // the length that a browser's address bar is built for
	maxHost      = 320  // 253 octets of name, brackets, zone, port
	// minBareSecret is the length from which a query piece without a value is
	// taken for a value itself (`?QWxhZGRpbg==`), not for a key.
	minBareSecret = 16
	// minLongToken is the length from which a path segment of letters and digits
	// is taken for a credential. Hexadecimal digests stay: analysts need them.
	minLongToken = 80
)

// Parts is a URL without its secrets; every field is escaped by [Text].
type Parts struct {
	Scheme string // lower case; empty for a relative reference or host:port
	Host   string // host and port, without userinfo; *** if it is ambiguous
	Path   string // begins with a slash, or is *** for an opaque URL
	Query  string // keys with *** for values, without the question mark
}

// String prints the parts as a URL again.
func (p Parts) String() string {
	var b strings.Builder
	if p.Scheme != "" {
		b.WriteString(p.Scheme)
		b.WriteByte(':')
		if p.Host != "" {
			b.WriteString("//")
		}
	}
	b.WriteString(p.Host)
	b.WriteString(p.Path)
	if p.Query != "" {
		b.WriteByte('?')
		b.WriteString(p.Query)
	}
	return b.String()
}

// URL returns u for an output: scheme, host and path stay, userinfo and
// fragment are dropped, query values become *** while their keys stay (capped).
// It never fails: u may be absolute, relative, host:port, or no URL at all.
//
// In the path, these become ***: JSON Web Tokens (eyJ...), tokens of 80 or more
// letters and digits that are no hexadecimal digest, what follows an equals
// sign (path parameters such as ;jsessionid=1), and what follows an encoded
// question mark. Opaque URLs (data:, javascript:, mailto:) keep only their
// scheme. A host part with a backslash is read differently by browsers (WHATWG
// URL) and by RFC 3986, so it becomes *** as a whole.
func URL(u string) string { return URLParts(u).String() }

// URLParts is [URL] before the parts are joined.
func URLParts(u string) Parts {
	u, _, _ = strings.Cut(u, "#")
	u, query, _ := strings.Cut(u, "?")
	p := Parts{Query: redactQuery(query)}
	rest := u
	if scheme, after, ok := splitScheme(u); ok {
		p.Scheme = strings.ToLower(scheme)
		switch {
		case hierarchical(p.Scheme):
			rest = "//" + strings.TrimLeft(after, `/\`)
		case strings.HasPrefix(after, "//"):
			rest = after
		default:
			p.Path = mask
			return p
		}
	}
	trimmed, network := strings.CutPrefix(rest, "//")
	if !network && strings.HasPrefix(rest, "/") {
		p.Path = redactPath(rest)
		return p
	}
	authority, path := cutAny(trimmed, "/")
	p.Host, p.Path = redactHost(authority), redactPath(path)
	if strings.Contains(path, "@") && !strings.Contains(authority, "@") && !plainPort(authority) {
		p.Host, p.Path = mask, "/"+mask // user:pass/word@host
	}
	return p
}

// plainPort tells whether what follows the last colon is a port (or an IPv6
// address in brackets), not the start of a password with a slash in it.
func plainPort(authority string) bool {
	i := strings.LastIndexByte(authority, ':')
	return i < 0 || strings.HasSuffix(authority, "]") || strings.Trim(authority[i+1:], "0123456789") == ""
}

// splitScheme splits "scheme:rest". host:443 and user:pw@host are not taken for
// a scheme.
func splitScheme(u string) (scheme, rest string, ok bool) {
	i := strings.IndexByte(u, ':')
	if i <= 0 {
		return "", "", false
	}
	for j := range i {
		if !schemeByte(u[j], j == 0) {
			return "", "", false
		}
	}
	scheme, rest = u[:i], u[i+1:]
	if hierarchical(strings.ToLower(scheme)) || strings.HasPrefix(rest, "//") {
		return scheme, rest, true
	}
	port, _ := cutAny(rest, "/")
	if strings.Trim(port, "0123456789") == "" || strings.Contains(port, "@") {
		return "", "", false
	}
	return scheme, rest, true
}

func schemeByte(c byte, first bool) bool {
	switch {
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return true
	case first:
		return false
	}
	return '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
}

// hierarchical lists the schemes whose slashes WHATWG URL treats as optional.
func hierarchical(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}

func redactHost(authority string) string {
	if strings.ContainsAny(authority, `\`) {
		return mask
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	return Truncate(Text(authority), maxHost)
}

func redactPath(path string) string {
	if path == "" {
		return ""
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = redactSegment(s)
	}
	return Truncate(Text(strings.Join(segments, "/")), maxPath)
}

func redactSegment(s string) string {
	if looksSecret(s) {
		return mask
	}
	// https:%2F%2Fuser:pw@host and http://a//user:pw@host: a URL in a path. This
	// comes before the cut at "=", which would keep what stands before it.
	if i := strings.LastIndexByte(s, '@'); i >= 0 && strings.Contains(s[:i], ":") {
		s = mask + s[i:]
	}
	cut := len(s)
	for _, sep := range []string{"=", "%3d", "%3D", "%3f", "%3F"} {
		if i := strings.Index(s, sep); i >= 0 && i+len(sep) < cut {
			cut = i + len(sep)
		}
	}
	if cut < len(s) {
		return s[:cut] + mask
	}
	return s
}

// redactQuery returns the keys of a query; see URL.
func redactQuery(q string) string {
	if q == "" {
		return ""
	}
	var b strings.Builder
	n := 0
	for piece := range strings.FieldsFuncSeq(q, isPairSeparator) {
		if n > 0 {
			b.WriteByte('&')
		}
		if n == maxQueryKeys {
			b.WriteString("…")
			break
		}
		b.WriteString(redactPair(piece))
		n++
	}
	return b.String()
}

// isPairSeparator: ';' is no separator in WHATWG URL, but servers exist that
// take it for one; cutting there only shows fewer octets of values.
func isPairSeparator(r rune) bool { return r == '&' || r == ';' }

func redactPair(piece string) string {
	key, value, ok := strings.Cut(piece, "=")
	padding := strings.Trim(value, "=") == "" && len(key) >= minBareSecret
	if !ok || padding || looksSecret(key) || strings.ContainsAny(key, "@?/") {
		return mask
	}
	return Truncate(Text(key), maxQueryKey) + "=" + mask
}

// looksSecret finds what has the shape of a credential whatever its name is.
func looksSecret(s string) bool {
	if strings.HasPrefix(s, "eyJ") && len(s) >= minBareSecret {
		return true // base64 of `{"`, the start of every JOSE header (RFC 7519)
	}
	if len(s) < minLongToken {
		return false
	}
	// Digits, letters, one letter beyond hexadecimal, nothing outside the alphabets
	// of base64, base64url and percent-encoding.
	return strings.ContainsAny(s, "0123456789") && strings.ContainsAny(s, afterF) &&
		strings.Trim(s, tokenBytes) == ""
}

const (
	afterF     = "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ"
	tokenBytes = afterF + "abcdefABCDEF0123456789-_.~+=%:"
)
