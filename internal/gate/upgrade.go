package gate

import (
	"net/http"
	"slices"

	"weir/internal/wire/http1"
)

// Upgrade says what a request head wants its connection to become.
type Upgrade uint8

// The upgrades.
const (
	UpgradeNone      Upgrade = iota
	UpgradeWebSocket         // RFC 6455 section 4.1
	UpgradeIgnored           // h2c, which RFC 9113 dropped and a server may ignore (RFC 9110 section 7.8)
	UpgradeOther             // refused: what it becomes could not be inspected
)

// UpgradeOf reads an upgrade out of a head. body says that one is announced, which a WebSocket handshake has not.
func UpgradeOf(method, proto string, h http.Header, body bool) Upgrade {
	protocols := http1.Tokens(h["Upgrade"])
	switch {
	case len(protocols) == 0:
		return UpgradeNone
	case len(protocols) == 1 && protocols[0] == "h2c":
		return UpgradeIgnored
	case len(protocols) == 1 && protocols[0] == "websocket" && slices.Contains(http1.Tokens(h["Connection"]), "upgrade") &&
		method == http.MethodGet && proto == "HTTP/1.1" && !body:
		return UpgradeWebSocket
	}
	return UpgradeOther
}
