package redact

import "strings"

// maxHeaderValue bounds a header value in an output, in bytes. The longest
// honest User-Agent seen in practice is about 400.
const maxHeaderValue = 512

// headerKind says what may be shown of a header's value.
type headerKind uint8

const (
	hidden headerKind = iota // zero: not in the allowlist
	plain
	link
)

// Header returns value as it may be shown for a header of that name (any
// case). It is an allowlist: only names whose values describe the message, not
// the person, are shown, after [Scrub] and a cut at 512 bytes; Origin, Referer,
// Location and the like go through [URL]; every other value is ***. Thus
// Authorization, Proxy-Authorization, Cookie, Set-Cookie, API keys and names
// that nobody has thought of yet never show. Sec-WebSocket-Protocol is not in
// the list because browsers' clients carry bearer tokens in it.
func Header(name, value string) string {
	switch kindOf(name) {
	case plain:
		return Truncate(Scrub(value), maxHeaderValue)
	case link:
		return Truncate(URL(value), maxHeaderValue)
	}
	return mask
}

func kindOf(name string) headerKind {
	switch strings.ToLower(name) {
	case "origin", "referer", "location", "content-location", "host", ":authority",
		"access-control-allow-origin", "sec-websocket-origin":
		return link
	case "user-agent", "server", "via", "date", "age", "allow", "connection", "upgrade",
		"accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
		"cache-control", "expires", "last-modified", "pragma", "vary", "expect", "te", "trailer",
		"content-type", "content-length", "content-encoding", "content-language", "content-range",
		"transfer-encoding", "range", "keep-alive", "proxy-connection", "retry-after",
		"sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user",
		"sec-websocket-version", "sec-websocket-extensions",
		"strict-transport-security", "x-content-type-options", "x-frame-options",
		"x-requested-with", "proxy-status":
		return plain
	}
	return hidden
}
