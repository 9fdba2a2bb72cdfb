package websocket_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/wire/ws"
	"weir/proxy/websocket"
)

// TestEICARInControl: control frames are inspected, between messages and within one, and the message within which one stands too.
func TestEICARInControl(t *testing.T) {
	t.Parallel()
	reason := append([]byte{3, 232}, eicar()...)
	for name, from := range sides {
		for kind, op := range map[string]ws.Opcode{"ping": ws.Ping, "pong": ws.Pong, "close": ws.Close} {
			for place, before := range map[string][]byte{"between": nil, "within": frame(from, ws.Header{Opcode: ws.Text}, []byte("hi"))} {
				t.Run(name+" "+kind+" "+place, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						w := start(t, websocket.Options{}, nil)
						w.send(from, before)
						payload := eicar()
						if op == ws.Close {
							payload = reason
						}
						w.send(from, frame(from, ws.Header{Fin: true, Opcode: op}, payload))
						blockedBoth(t, w, 1008)
						if bytes.Contains(w.toSrv.octets(), eicar()) || strings.Contains(strings.Join(w.toSrv.items(t), " "), "EICAR") {
							t.Errorf("passed: %q", w.toSrv.items(t))
						}
						if e := w.finish(); e.Verdict != "block" {
							t.Errorf("event %+v", e)
						}
					})
				})
			}
		}
	}
}

// TestControlKeepsTheMessage: what stands before and behind a control frame is one message for the detectors.
func TestControlKeepsTheMessage(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t, websocket.Options{}, nil)
				parts := fragments(t, from, ws.Text, eicar(), 2, nil)
				w.send(from, parts[0])
				w.send(from, frame(from, ws.Header{Fin: true, Opcode: ws.Ping}, []byte("between")))
				w.send(from, parts[1])
				blockedBoth(t, w, 1008)
				w.finish()
			})
		})
	}
}

// TestControlFlood: a hundred control frames in a second are enough.
func TestControlFlood(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t, websocket.Options{}, nil)
				ping := frame(from, ws.Header{Fin: true, Opcode: ws.Ping}, nil)
				for range 3 {
					w.send(from, bytes.Repeat(ping, 100))
					time.Sleep(time.Second) // of the bubble
				}
				if got := w.got(from).items(t); !slices.Equal(got, slices.Repeat([]string{"9:"}, 300)) {
					t.Errorf("%d items", len(got))
				}
				w.send(from, bytes.Repeat(ping, 101))
				blockedBoth(t, w, 1008)
				if e := w.finish(); e.Verdict != "block" || e.Cause != "safety" || e.WebSocket.CloseCode != 1008 {
					t.Errorf("event %+v", e)
				}
			})
		})
	}
}
