package redact

import (
	"regexp"
	"strings"
)

// The patterns of secrets in free text (error strings, log messages). They are
// compiled once and never change. They are a second net: the first is that
// callers pass URLs and headers through URL and Header.
var (
	// pemKey: a private key block, to its end or to the end of the text.
	pemKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
	// headerLine: a credential header printed in any style ("Cookie: a=b",
	// map[Cookie:[a=b]], {"Cookie":["a=b"]}); what follows it on the line goes,
	// since the end of a value cannot be told from its inside.
	headerLine = regexp.MustCompile(`(?i)((?:proxy-)?authorization|(?:set-)?cookie2?|x-(?:api|auth|amz|goog)-[a-z-]*(?:key|token|signature)|api-?key)(["']?\s*[:=]\s*)[^\r\n]*`)
	// scheme: an HTTP authentication scheme and its credential (RFC 9110 11.4).
	scheme = regexp.MustCompile(`\b((?i:bearer|basic|negotiate|ntlm|digest))(\s+)[^\s"',;]*[0-9A-Z=+/_.~-][^\s"',;]*`)
	// pair: a telling key and its value, as key=value or "key":"value".
	pair = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret|token|api_?key|access_?key|private_?key|credentials?|jsessionid|phpsessid|session_?id)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'&;,)}\]]+)`)
	// badPort: net/url quotes what it took for a port, which is the start of the
	// password in http://user:pass/word@host.
	badPort = regexp.MustCompile(`(invalid port )"(?:[^"\\]|\\.)*"`)
	// jwt: a JSON Web Token anywhere (RFC 7519); the header is base64 of `{"`.
	jwt = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}`)
	// quotedURL: a URL in double quotes, as net/url and net/http print it; blanks
	// and escaped quotes inside belong to it.
	quotedURL = regexp.MustCompile(`"(?:[A-Za-z][A-Za-z0-9+.-]*://|/)(?:[^"\\]|\\.)*(?:"|$)`)
	// bareURL: a URL up to a blank or a quote.
	bareURL = regexp.MustCompile("[A-Za-z][A-Za-z0-9+.-]*:[/\\\\]{1,2}[^\\s\"'<>`]+")
	// target: a relative reference or host with a query.
	target = regexp.MustCompile("[^\\s\"'<>`]*\\?[^\\s\"'<>`]*=[^\\s\"'<>`]*")
	// userinfo: user:password@ before a host.
	userinfo = regexp.MustCompile("[^\\s\"'<>`/@]+:[^\\s\"'<>`/]*@")
)

// Scrub returns free text for an output: escaped by [Text], with URLs reduced
// by [URL] and with everything removed that looks like a credential: private
// key blocks, Authorization and Cookie fragments (to the end of their line),
// "Bearer x", user:password@, key=value with a telling key, JSON Web Tokens.
// It is for operators' texts; a value whose kind is known (a URL, a header)
// must go through its own function.
func Scrub(s string) string {
	if !strings.ContainsAny(s, ":=?@") && !hasCredentialWord(s) {
		return Text(s)
	}
	s = pemKey.ReplaceAllLiteralString(s, mask)
	s = badPort.ReplaceAllString(s, "${1}"+mask)
	s = quotedURL.ReplaceAllStringFunc(s, scrubQuoted)
	s = bareURL.ReplaceAllStringFunc(s, scrubBare)
	s = headerLine.ReplaceAllString(s, "${1}${2}"+mask)
	s = scheme.ReplaceAllString(s, "${1}${2}"+mask)
	s = pair.ReplaceAllString(s, "${1}"+mask)
	s = target.ReplaceAllStringFunc(s, scrubTarget)
	s = userinfo.ReplaceAllLiteralString(s, mask+"@")
	s = jwt.ReplaceAllLiteralString(s, mask)
	return Text(s)
}

// Error returns the text of err after [Scrub]; "" for nil.
func Error(err error) string {
	if err == nil {
		return ""
	}
	return Scrub(err.Error())
}

// hasCredentialWord keeps the fast path of Scrub honest: the patterns that
// need none of ":=?@" are these.
func hasCredentialWord(s string) bool {
	if strings.Contains(s, "eyJ") || strings.Contains(s, "PRIVATE KEY") {
		return true
	}
	return scheme.MatchString(s)
}

func scrubQuoted(q string) string {
	inner := strings.TrimPrefix(q, `"`)
	closed := strings.HasSuffix(inner, `"`)
	out := `"` + URL(strings.TrimSuffix(inner, `"`))
	if closed {
		out += `"`
	}
	return out
}

// scrubBare keeps the punctuation that ends a sentence, not a URL.
func scrubBare(u string) string {
	end := len(strings.TrimRight(u, ".,:;)]}"))
	return URL(u[:end]) + u[end:]
}

// scrubTarget leaves alone what an earlier step has already masked.
func scrubTarget(t string) string {
	end := len(strings.TrimRight(t, ".,:;)]}"))
	return URL(t[:end]) + t[end:]
}

// secretKey tells whether an attribute of that name must never show its value.
func secretKey(key string) bool {
	k := strings.ToLower(key)
	for _, suffix := range []string{
		"password", "passwd", "passphrase", "pwd", "secret", "token", "authorization",
		"cookie", "cookies", "apikey", "api_key", "api-key", "access_key", "credential",
		"credentials", "private_key", "privatekey",
	} {
		if strings.HasSuffix(k, suffix) {
			return true
		}
	}
	return false
}
