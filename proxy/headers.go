package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// hopByHop are the fields that mean this connection only (RFC 9110 section 7.6.1), with those that old clients send to proxies.
// Transfer-Encoding and Trailer are here for completeness: net/http keeps them outside of the header.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// tokens splits the values of a list field (RFC 9110 section 5.6.1), lower case.
func tokens(values []string) []string {
	var out []string
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.ToLower(strings.Trim(t, " \t")); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// stripHops removes the fields of this hop and those that Connection names. "TE: trailers" stays, for it says something about
// whoever reads the response in the end, and gRPC asks for it.
func stripHops(h http.Header) {
	trailers := slices.ContainsFunc(tokens(h["Te"]), func(t string) bool { return t == "trailers" || strings.HasPrefix(t, "trailers;") })
	for _, name := range tokens(h["Connection"]) {
		h.Del(name)
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
	if trailers {
		h["Te"] = []string{"trailers"}
	}
}

// decodable are the content codings that the inspection can undo. Any other would hide the body.
var decodable = [...]string{"gzip", "x-gzip", "deflate", "br", "zstd", "identity"}

// offerDecodable reduces Accept-Encoding to what can be inspected, with the weights that the client gave.
func offerDecodable(h http.Header) {
	values, ok := h["Accept-Encoding"]
	if !ok {
		return
	}
	var out []string
	for _, t := range tokens(values) {
		coding, _, _ := strings.Cut(t, ";")
		if slices.Contains(decodable[:], strings.TrimSpace(coding)) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		out = []string{"identity"}
	}
	h["Accept-Encoding"] = []string{strings.Join(out, ", ")}
}

// upgrade says what a request head wants its connection to become.
type upgrade uint8

const (
	upgradeNone      upgrade = iota
	upgradeWebSocket         // RFC 6455 section 4.1
	upgradeIgnored           // h2c, which RFC 9113 dropped and a server may ignore (RFC 9110 section 7.8)
	upgradeOther
)

func upgradeOf(r *http.Request) upgrade {
	protocols := tokens(r.Header["Upgrade"])
	switch {
	case len(protocols) == 0:
		return upgradeNone
	case len(protocols) == 1 && protocols[0] == "h2c":
		return upgradeIgnored
	case len(protocols) == 1 && protocols[0] == "websocket" && slices.Contains(tokens(r.Header["Connection"]), "upgrade") &&
		r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0:
		return upgradeWebSocket
	}
	return upgradeOther
}

// switchesToWebSocket says whether a 101 agrees to a WebSocket.
func switchesToWebSocket(h http.Header) bool {
	return slices.Contains(tokens(h["Connection"]), "upgrade") && slices.Equal(tokens(h["Upgrade"]), []string{"websocket"})
}

// asUpgrade puts the fields of a WebSocket handshake back that stripHops took.
func asUpgrade(h http.Header) {
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
}

// looped says whether a message came through this instance before (RFC 9110 section 7.6.3).
func looped(h http.Header, pseudonym string) bool {
	return slices.ContainsFunc(tokens(h["Via"]), func(t string) bool { return slices.Contains(strings.Fields(t), pseudonym) })
}
