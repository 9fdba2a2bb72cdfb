package http1

import (
	"bytes"
	"net/url"
	"strings"
)

// maxChunkExtension: extensions have no use on the web; servers were exhausted with them (CVE-2023-39326).
const maxChunkExtension = 256

// isToken reports a token of RFC 9110 section 5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func tokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// hasControl reports control bytes other than TAB.
func hasControl(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// parseVersion reads HTTP/1.0 and HTTP/1.1.
func parseVersion(b []byte) (minor int, ok bool) {
	switch string(b) {
	case "HTTP/1.1":
		return 1, true
	case "HTTP/1.0":
		return 0, true
	}
	return 1, false
}

// requestLine splits a request line (RFC 9112 section 3). The host is that of
// an absolute-form or authority-form target.
type requestLine struct {
	method, target, version, host string
	minor                         int
}

func parseRequestLine(line []byte) (r requestLine, k Kind) {
	r.minor = 1
	parts := bytes.Split(line, []byte(" "))
	r.method = string(parts[0])
	if len(parts) > 1 {
		r.target = string(parts[1])
	}
	if len(parts) == 2 && isToken(parts[0]) && r.target != "" {
		return r, MissingVersion
	}
	if len(parts) != 3 {
		return r, BadRequestLine
	}
	r.version = string(parts[2])
	minor, ok := parseVersion(parts[2])
	r.minor = minor
	switch {
	case r.method == "" || r.target == "" || r.version == "":
		return r, BadRequestLine
	case !isToken(parts[0]):
		return r, BadMethod
	case !ok:
		return r, BadVersion
	}
	if r.host, ok = parseTarget(r.method, r.target); !ok {
		return r, BadTarget
	}
	return r, None
}

// parseTarget checks the four forms of section 3.2.
func parseTarget(method, target string) (host string, ok bool) {
	if hasControl([]byte(target)) || strings.Contains(target, "#") {
		return "", false
	}
	switch {
	case method == "CONNECT":
		u, err := url.ParseRequestURI("http://" + target)
		return target, err == nil && u.Host == target && validHost(target) && u.Port() != ""
	case target == "*":
		return "", method == "OPTIONS"
	case target[0] == '/':
		_, err := url.ParseRequestURI(target)
		return "", err == nil
	}
	return parseAbsolute(target)
}

// parseAbsolute checks the absolute form; user names in it are refused.
func parseAbsolute(target string) (host string, ok bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.User != nil || !validHost(u.Host) {
		return "", false
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
		return u.Host, true
	}
	return "", false
}

// validHost reports host[:port] with a name, an IPv4 address or a bracketed
// IPv6 address. Whether the name means anything is for others to say.
func validHost(h string) bool {
	name, port := h, ""
	if i := strings.LastIndexByte(h, ':'); i >= 0 && !strings.HasSuffix(h, "]") {
		name, port = h[:i], h[i+1:]
		if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	if strings.HasPrefix(name, "[") {
		return len(name) > 3 && strings.HasSuffix(name, "]") && strings.Trim(name[1:len(name)-1], "0123456789abcdefABCDEF:.") == ""
	}
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 || !tokenByte(c) || strings.IndexByte("!#$%&'*+^`|", c) >= 0 {
			return false
		}
	}
	return name != ""
}

// parseStatusLine reads "HTTP/1.x SP 3DIGIT SP reason"; the reason may be
// empty and, as servers do, its space may be missing.
func parseStatusLine(line []byte) (minor, status int, reason string, k Kind) {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	minor, ok := parseVersion(version)
	code, text, _ := bytes.Cut(rest, []byte(" "))
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || len(bytes.Trim(code, "0123456789")) > 0 {
		return minor, 0, "", BadStatusLine
	}
	status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	switch {
	case !ok:
		return minor, status, string(text), BadVersion
	case hasControl(text):
		return minor, status, string(text), BadStatusLine
	}
	return minor, status, string(text), None
}

// parseLength reads a Content-Length of at most 63 bits: digits only.
func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
		if n < 0 {
			return 0, false
		}
	}
	return n, true
}

// parseChunkLine reads the size line of a chunk (section 7.1).
func parseChunkLine(line []byte) (int64, Kind) {
	size, ext, found := bytes.Cut(line, []byte(";"))
	if len(size) == 0 || len(size) > 16 {
		return 0, BadChunkSize
	}
	var n int64
	for _, c := range size {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' || n >= 1<<59 {
			return 0, BadChunkSize
		}
		n = n<<4 | int64(d)
	}
	if found && (len(ext) > maxChunkExtension || hasControl(ext)) {
		return n, BadChunkExtension
	}
	return n, None
}

// forbiddenTrailer are fields that would change framing, routing or meaning
// when merged into the head (RFC 9110 section 6.5.1).
func forbiddenTrailer(name string) bool {
	switch strings.ToLower(name) {
	case "transfer-encoding", "content-length", "host", "trailer", "connection", "upgrade", "te",
		"content-encoding", "content-type", "content-range", "authorization", "proxy-authorization", "set-cookie", "cookie":
		return true
	}
	return false
}
