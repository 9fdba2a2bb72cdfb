package gate_test

import (
	"net/http"
	"testing"

	"weir/internal/gate"
)

func TestUpgradeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, proto, connection, upgrade string
		body                                     bool
		want                                     gate.Upgrade
	}{
		{"none", "GET", "HTTP/1.1", "close", "", false, gate.UpgradeNone},
		{"websocket", "GET", "HTTP/1.1", "keep-alive, Upgrade", "WebSocket", false, gate.UpgradeWebSocket},
		{"websocket without the token in Connection", "GET", "HTTP/1.1", "close", "websocket", false, gate.UpgradeOther},
		{"websocket by POST", "POST", "HTTP/1.1", "upgrade", "websocket", false, gate.UpgradeOther},
		{"websocket in HTTP/1.0", "GET", "HTTP/1.0", "upgrade", "websocket", false, gate.UpgradeOther},
		{"websocket with a body", "GET", "HTTP/1.1", "upgrade", "websocket", true, gate.UpgradeOther},
		{"h2c", "GET", "HTTP/1.1", "upgrade", "h2c", false, gate.UpgradeIgnored},
		{"two", "GET", "HTTP/1.1", "upgrade", "websocket, h2c", false, gate.UpgradeOther},
		{"another", "GET", "HTTP/1.1", "upgrade", "TLS/1.0", false, gate.UpgradeOther},
	} {
		h := http.Header{"Connection": {c.connection}}
		if c.upgrade != "" {
			h.Set("Upgrade", c.upgrade)
		}
		if got := gate.UpgradeOf(c.method, c.proto, h, c.body); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
