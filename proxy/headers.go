package proxy

import (
	"net/http"
	"slices"
	"strings"

	"weir/internal/gate"
	"weir/internal/wire/http1"
)

// hopByHop are the fields that mean this connection only (RFC 9110 section 7.6.1), with those that old clients send to proxies.
// Transfer-Encoding and Trailer are here for completeness: net/http keeps them outside of the header.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// stripHops removes the fields of this hop and those that Connection names. "TE: trailers" stays, for it says something about
// whoever reads the response in the end, and gRPC asks for it.
func stripHops(h http.Header) {
	trailers := slices.ContainsFunc(http1.Tokens(h["Te"]), func(t string) bool { return t == "trailers" || strings.HasPrefix(t, "trailers;") })
	for _, name := range http1.Tokens(h["Connection"]) {
		h.Del(name)
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
	if trailers {
		h["Te"] = []string{"trailers"}
	}
}

// stripOurs removes the fields that only this program may write: an origin could pass its answer off as a page of ours.
func stripOurs(h http.Header) {
	for name := range h {
		if len(name) >= len(ours) && strings.EqualFold(name[:len(ours)], ours) {
			delete(h, name)
		}
	}
}

// ours begins the names of our own fields.
const ours = "X-Weir-"

// decodable are the content codings that the inspection can undo. Any other would hide the body.
var decodable = [...]string{"gzip", "x-gzip", "deflate", "br", "zstd", "identity"}

// offerDecodable reduces Accept-Encoding to what can be inspected, with the weights that the client gave.
func offerDecodable(h http.Header) {
	values, ok := h["Accept-Encoding"]
	if !ok {
		return
	}
	var out []string
	for _, t := range http1.Tokens(values) {
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
type upgrade = gate.Upgrade

const (
	upgradeWebSocket = gate.UpgradeWebSocket
	upgradeOther     = gate.UpgradeOther
)

func upgradeOf(r *http.Request) upgrade {
	return gate.UpgradeOf(r.Method, r.Proto, r.Header, r.ContentLength != 0)
}

// switchesToWebSocket says whether a 101 agrees to a WebSocket.
func switchesToWebSocket(h http.Header) bool {
	return slices.Contains(http1.Tokens(h["Connection"]), "upgrade") && slices.Equal(http1.Tokens(h["Upgrade"]), []string{"websocket"})
}

// asUpgrade puts the fields of a WebSocket handshake back that stripHops took.
func asUpgrade(h http.Header) {
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
}

// looped says whether a message came through this instance before (RFC 9110 section 7.6.3).
func looped(h http.Header, pseudonym string) bool {
	return slices.ContainsFunc(http1.Tokens(h["Via"]), func(t string) bool { return slices.Contains(strings.Fields(t), pseudonym) })
}
