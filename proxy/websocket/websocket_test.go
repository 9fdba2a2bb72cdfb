package websocket_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/wire/ws"
	"weir/proxy/websocket"
)

// sides names the two directions.
var sides = map[string]ws.Role{"to server": ws.FromClient, "to client": ws.FromServer}

// TestRelay: messages of every shape arrive as they were sent, in both directions.
func TestRelay(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		for _, ext := range []string{"", takeover, noTakeover} {
			t.Run(name+" "+ext, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := websocket.Options{}
					var d *ws.Deflater
					if ext != "" {
						o.Extensions, d = []string{ext}, deflater(t, ext == takeover)
					}
					w := start(t, o, nil)
					var want []string
					long := strings.Repeat("abc ", 500)
					for i, m := range []string{"hello", "", "hello again, hello", long, long, "caf\u00e9 \u4e2d\u6587"} {
						for _, op := range []ws.Opcode{ws.Text, ws.Binary} {
							for _, n := range []int{1, 2, 5} {
								for j, f := range fragments(t, from, op, []byte(m), n, d) {
									w.send(from, f)
									if j == 0 {
										ping := frame(from, ws.Header{Fin: true, Opcode: ws.Ping}, []byte{byte('a' + i)})
										w.send(from, ping)
									}
								}
								at := fmt.Sprintf("9:%c", 'a'+i)
								if msg := fmt.Sprintf("%d:%s", op, m); n == 1 {
									want = append(want, msg, at)
								} else {
									want = append(want, at, msg)
								}
							}
						}
					}
					w.send(from, frame(from, ws.Header{Fin: true, Opcode: ws.Pong}, nil))
					want = append(want, "10:")
					if got := w.got(from).items(t); !slices.Equal(got, want) {
						t.Errorf("got %.300q\nwant %.300q", got, want)
					}
					e := w.finish()
					if e.Verdict != "allow" || e.WebSocket.Compressed != (ext != "") || e.WebSocket.MessagesSent+e.WebSocket.MessagesReceived != 36 || e.Sent+e.Received == 0 {
						t.Errorf("event %+v %+v", e, e.WebSocket)
					}
				})
			})
		}
	}
}

// TestCloseHandshake: either side begins, the codes pass, and the client's stream ends.
func TestCloseHandshake(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t, websocket.Options{}, nil)
				to := ws.FromServer
				if from == ws.FromServer {
					to = ws.FromClient
				}
				w.send(from, frame(from, ws.Header{Fin: true, Opcode: ws.Close}, []byte("\x03\xe8bye")))
				if w.toCli.ended() {
					t.Error("ended before the answer")
				}
				w.send(to, frame(to, ws.Header{Fin: true, Opcode: ws.Close}, []byte("\x03\xe8")))
				if !slices.Equal(w.got(from).items(t), []string{"close:1000 bye"}) || !slices.Equal(w.got(to).items(t), []string{"close:1000 "}) || !w.toCli.ended() {
					t.Errorf("%q %q %v", w.got(from).items(t), w.got(to).items(t), w.toCli.ended())
				}
				if e := w.finish(); e.WebSocket.CloseCode != 1000 || e.Aborted != "" || e.Verdict != "allow" {
					t.Errorf("event %+v", e)
				}
			})
		})
	}
}

// blockedBoth checks that both sides were closed with the code, the client with the event's id.
func blockedBoth(t *testing.T, w *wire, code int) {
	t.Helper()
	cli, srv := w.toCli.items(t), w.toSrv.items(t)
	want := fmt.Sprintf("close:%d blocked %s", code, w.x.ID())
	if len(cli) == 0 || !strings.HasPrefix(cli[len(cli)-1], want) {
		t.Errorf("the client got %q, want %q", cli, want)
	}
	if len(srv) == 0 || srv[len(srv)-1] != fmt.Sprintf("close:%d ", code) {
		t.Errorf("the server got %q", srv)
	}
	time.Sleep(time.Second) // of the bubble
	if !w.toCli.ended() || !w.toSrv.ended() {
		t.Error("a side is still open")
	}
}

// TestEICARInFragments: the file in three frames, compressed, is stopped in both directions, and its last frame goes nowhere.
func TestEICARInFragments(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		for _, ext := range []string{"", takeover, noTakeover} {
			t.Run(name+" "+ext, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := websocket.Options{}
					var d *ws.Deflater
					if ext != "" {
						o.Extensions, d = []string{ext}, deflater(t, ext == takeover)
					}
					w := start(t, o, nil)
					w.send(from, fragments(t, from, ws.Text, []byte("harmless"), 1, d)[0])
					for _, f := range fragments(t, from, ws.Binary, eicar(), 3, d) {
						w.send(from, f)
					}
					w.send(from, fragments(t, from, ws.Text, []byte("after"), 1, nil)[0])
					blockedBoth(t, w, 1008)
					if got := w.got(from).items(t); got[0] != "1:harmless" || len(got) != 2 {
						t.Errorf("got %q", got)
					}
					e := w.finish()
					if e.Verdict != "block" || e.Aborted != "close-1008" || e.WebSocket.CloseCode != 1008 || len(e.Findings) != 1 || e.Findings[0].Detector != "eicar" {
						t.Errorf("event %+v", e)
					}
				})
			})
		}
	}
}

// TestEICARObserved: in observe mode it passes, and the event says what would have happened.
func TestEICARObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, websocket.Options{Extensions: []string{takeover}}, func(c *policy.Config) { c.Observe = true })
		for _, f := range fragments(t, ws.FromClient, ws.Binary, eicar(), 3, deflater(t, true)) {
			w.client(f)
		}
		if got := w.toSrv.items(t); len(got) != 1 || got[0] != "2:"+string(eicar()) {
			t.Errorf("got %q", got)
		}
		if e := w.finish(); e.Verdict != "log" || e.Would != "block" {
			t.Errorf("event %+v", e)
		}
	})
}

// TestEveryCut: wherever the stream is cut, the same messages pass and the same one is stopped.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deflater(t, true)
			var stream []byte
			for _, m := range []struct {
				text string
				n    int
			}{{"first message", 1}, {"second, second, second", 3}, {strings.Repeat("x", 300), 2}, {"before " + string(eicar()) + " after", 3}, {"never", 1}} {
				stream = append(stream, bytes.Join(fragments(t, from, ws.Text, []byte(m.text), m.n, d), frame(from, ws.Header{Fin: true, Opcode: ws.Ping}, []byte("p")))...)
			}
			cuts := [][]int{}
			for i := range stream {
				cuts = append(cuts, []int{i})
			}
			every := []int{}
			for i := 1; i < len(stream); i++ {
				every = append(every, i)
			}
			cuts = append(cuts, every)
			want := []string{"1:first message", "9:p", "9:p", "1:second, second, second", "9:p", "1:" + strings.Repeat("x", 300)}
			for _, cut := range cuts {
				synctest.Test(t, func(t *testing.T) {
					w := start(t, websocket.Options{Extensions: []string{takeover}}, nil)
					at := 0
					for _, i := range append(cut, len(stream)) {
						w.send(from, stream[at:i])
						at = i
					}
					got := w.got(from).items(t)
					if len(got) < len(want) || !slices.Equal(got[:len(want)], want) || !strings.HasPrefix(got[len(got)-1], "close:1008") {
						t.Fatalf("cut at %v: %q", cut, got)
					}
					for _, g := range got[len(want) : len(got)-1] {
						if g != "9:p" {
							t.Fatalf("cut at %v: %q got through", cut, g)
						}
					}
					if e := w.finish(); e.Verdict != "block" {
						t.Fatalf("cut at %v: %s", cut, e.Verdict)
					}
				})
			}
		})
	}
}

// TestViolations: what RFC 6455 and 7692 forbid ends the connection with its code, and nothing of it passes.
func TestViolations(t *testing.T) {
	t.Parallel()
	fin := func(op ws.Opcode) ws.Header { return ws.Header{Fin: true, Opcode: op} }
	for _, c := range []struct {
		name string
		code int
		make func(from ws.Role) []byte
	}{
		{"wrong masking", 1002, func(from ws.Role) []byte { return frame(1-from, fin(ws.Text), []byte("x")) }},
		{"reserved bit 2", 1002, func(from ws.Role) []byte { return frame(from, ws.Header{Fin: true, RSV2: true, Opcode: ws.Text}, nil) }},
		{"reserved opcode", 1002, func(from ws.Role) []byte { return frame(from, fin(3), nil) }},
		{"reserved control", 1002, func(from ws.Role) []byte { return frame(from, fin(11), nil) }},
		{"long ping", 1002, func(from ws.Role) []byte { return frame(from, fin(ws.Ping), make([]byte, 126)) }},
		{"fragmented ping", 1002, func(from ws.Role) []byte { return frame(from, ws.Header{Opcode: ws.Ping}, nil) }},
		{"continuation of nothing", 1002, func(from ws.Role) []byte { return frame(from, fin(ws.Continuation), nil) }},
		{"message in a message", 1002, func(from ws.Role) []byte {
			return append(frame(from, ws.Header{Opcode: ws.Text}, []byte("x")), frame(from, fin(ws.Text), nil)...)
		}},
		{"close code 1005", 1002, func(from ws.Role) []byte { return frame(from, fin(ws.Close), []byte{3, 0xed}) }},
		{"close of one octet", 1002, func(from ws.Role) []byte { return frame(from, fin(ws.Close), []byte{3}) }},
		{"close reason not UTF-8", 1002, func(from ws.Role) []byte { return frame(from, fin(ws.Close), []byte{3, 0xe8, 0xff}) }},
		{"length not minimal", 1002, func(from ws.Role) []byte {
			return []byte{0x82, byte(1-from)<<7 | 126, 0, 1, 0, 0, 0, 0, 'x'}
		}},
		{"negative length", 1002, func(from ws.Role) []byte {
			return append([]byte{0x82, byte(1-from)<<7 | 127, 0xff}, make([]byte, 16)...)
		}},
		{"text not UTF-8", 1007, func(from ws.Role) []byte { return frame(from, fin(ws.Text), []byte("ab\xff")) }},
		{"text ends in a rune", 1007, func(from ws.Role) []byte { return frame(from, fin(ws.Text), []byte("\xe4\xb8")) }},
		{"bad compressed data", 1007, func(from ws.Role) []byte {
			return frame(from, ws.Header{Fin: true, RSV1: true, Opcode: ws.Binary}, []byte{0xff, 0xff, 0xff})
		}},
		{"bomb", 1009, func(from ws.Role) []byte {
			return bytes.Join(fragments(t, from, ws.Binary, make([]byte, 4<<20), 1, deflater(t, true)), nil)
		}},
	} {
		for name, from := range sides {
			t.Run(c.name+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := start(t, websocket.Options{Extensions: []string{takeover}}, nil)
					w.send(from, c.make(from))
					blockedBoth(t, w, c.code)
					if got := w.got(from).items(t); len(got) != 1 {
						t.Errorf("%q got through", got)
					}
					if e := w.finish(); e.Verdict != "block" || e.Cause != "safety" || e.Aborted != fmt.Sprintf("close-%d", c.code) {
						t.Errorf("event %+v", e)
					}
				})
			})
		}
	}
	t.Run("compressed without negotiation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := start(t, websocket.Options{}, nil)
			w.client(frame(ws.FromClient, ws.Header{Fin: true, RSV1: true, Opcode: ws.Binary}, []byte{0}))
			blockedBoth(t, w, 1002)
			w.finish()
		})
	})
	t.Run("data after close", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := start(t, websocket.Options{}, nil)
			w.client(frame(ws.FromClient, fin(ws.Close), []byte("\x03\xe8")))
			w.client(frame(ws.FromClient, fin(ws.Text), []byte("more")))
			if got := w.toSrv.items(t); !slices.Equal(got, []string{"close:1000 "}) {
				t.Errorf("got %q", got)
			}
			w.finish()
		})
	})
}

// TestHold: nothing of a message goes out before it ended, until its sender paused for the hold wait; what is found later still
// ends it, and the rest goes nowhere.
func TestHold(t *testing.T) {
	t.Parallel()
	for name, from := range sides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wait := inspect.DefaultLimits().HoldWait
				w := start(t, websocket.Options{}, nil)
				parts := fragments(t, from, ws.Binary, eicar(), 3, nil)
				w.send(from, parts[0])
				time.Sleep(wait - time.Millisecond)
				w.send(from, parts[1])
				time.Sleep(wait - time.Millisecond)
				synctest.Wait()
				if got := w.got(from).octets(); len(got) != 0 {
					t.Fatalf("%q went out while it was held", got)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if got := w.got(from).items(t); !slices.Equal(got, []string{"part:" + string(eicar()[:len(eicar())*2/3])}) {
					t.Fatalf("got %q after the wait", got)
				}
				w.send(from, parts[2])
				blockedBoth(t, w, 1008)
				if bytes.Contains(w.got(from).octets(), eicar()[len(eicar())*2/3:]) {
					t.Error("the last part went out")
				}
				w.finish()
			})
		})
	}
}

// TestTrickle: a sender that never pauses cannot have its message held for ever.
func TestTrickle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, websocket.Options{}, nil)
		w.client(frame(ws.FromClient, ws.Header{Opcode: ws.Binary}, []byte("a")))
		sent := 1
		for ; sent < 100 && len(w.toSrv.octets()) == 0; sent++ {
			time.Sleep(50 * time.Millisecond)
			w.client(frame(ws.FromClient, ws.Header{}, []byte("a")))
		}
		if sent < 15 || sent > 25 {
			t.Errorf("released after %d parts", sent)
		}
		w.client(frame(ws.FromClient, ws.Header{Fin: true}, nil))
		if got := w.toSrv.items(t); !slices.Equal(got, []string{"2:" + strings.Repeat("a", sent)}) {
			t.Errorf("got %q", got)
		}
		w.finish()
	})
}

// TestLarge: a message of 5 MiB streams through bounded buffers, in one frame and compressed, also when it has more than MaxMessage.
func TestLarge(t *testing.T) {
	t.Parallel()
	payload := make([]byte, 5<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(payload)
	for name, from := range sides {
		for _, ext := range []string{"", takeover} {
			t.Run(name+" "+ext, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := websocket.Options{}
					var d *ws.Deflater
					if ext != "" {
						o.Extensions, d = []string{ext}, deflater(t, true)
					}
					w := start(t, o, func(c *policy.Config) { c.Limits.MaxMessage = 1 << 20 })
					peak := 0
					for part := range slices.Chunk(fragments(t, from, ws.Binary, payload, 1, d)[0], 64<<10) {
						w.send(from, part)
						peak = max(peak, w.conn.Buffered())
					}
					got := w.got(from).items(t)
					if len(got) != 1 || got[0][2:] != string(payload) {
						t.Error("the message is not the same")
					}
					if limit := 512 << 10; peak > limit {
						t.Errorf("%d octets were held, at most %d expected", peak, limit)
					}
					if e := w.finish(); len(e.Inspected) != 1 || e.Inspected[0].Outcome != "limit:size" || e.Verdict != "log" {
						t.Errorf("event %+v", e.Inspected)
					}
				})
			})
		}
	}
}

// TestTooLargeBlocked: when the policy says so, a message above MaxMessage ends the connection.
func TestTooLargeBlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, websocket.Options{}, func(c *policy.Config) { c.Limits.MaxMessage, c.Failures.Limit = 1000, verdict.Block })
		w.client(frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Binary}, make([]byte, 1000)))
		w.client(frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Binary}, make([]byte, 1001)))
		blockedBoth(t, w, 1008)
		if e := w.finish(); e.Cause != "limit" {
			t.Errorf("event %+v", e)
		}
	})
}

// TestSlowClient: a client that does not read stops the server from being read, and Close still ends everything.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, _ := exchange(t, nil)
		srv := newScript(nil)
		sent := 0
		srv.more = func() []byte {
			sent++
			return frame(ws.FromServer, ws.Header{Fin: true, Opcode: ws.Binary}, make([]byte, 4096))
		}
		conn := websocket.Wrap(srv, x, websocket.Options{})
		synctest.Wait()
		if sent > 40 || conn.Buffered() > 256<<10 {
			t.Errorf("%d messages were read, %d octets are held", sent, conn.Buffered())
		}
		if err := conn.Close(); err != nil || srv.closed != 1 {
			t.Errorf("%v, closed %d times", err, srv.closed)
		}
		if n, err := conn.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("read after close: %d %v", n, err)
		}
		if _, err := conn.Write([]byte("x")); err == nil {
			t.Error("write after close")
		}
		x.Done(time.Now())
	})
}

// TestServerGone: the client's stream ends when the server's does; nothing is made up.
func TestServerGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, websocket.Options{}, nil)
		w.serverSends(frame(ws.FromServer, ws.Header{Fin: true, Opcode: ws.Text}, []byte("last")))
		w.serverSends(frame(ws.FromServer, ws.Header{Opcode: ws.Text}, []byte("half")))
		_ = w.server.Close()
		synctest.Wait()
		if got := w.toCli.items(t); !slices.Equal(got, []string{"1:last"}) || !w.toCli.ended() {
			t.Errorf("got %q, ended %v", got, w.toCli.ended())
		}
		if _, err := w.conn.Write(frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Text}, []byte("x"))); err == nil {
			t.Error("a write to nobody went well")
		}
		w.finish()
	})
}

// TestBlock: a policy that came later ends the connection from outside, once.
func TestBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, websocket.Options{}, nil)
		w.serverSends(frame(ws.FromServer, ws.Header{Fin: true, Opcode: ws.Text}, []byte("hello")))
		for range 3 {
			w.conn.Block(verdict.Verdict{Cause: verdict.CauseList})
		}
		synctest.Wait()
		blockedBoth(t, w, 1008)
		if got := w.toCli.items(t); len(got) != 2 {
			t.Errorf("got %q", got)
		}
		w.finish()
	})
}

// TestExtensions: what was not offered or is not understood ends the connection before anything passes.
func TestExtensions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		answer, offered []string
		ok              bool
	}{
		{"none", nil, nil, true},
		{"deflate", []string{takeover}, nil, true},
		{"deflate as offered", []string{noTakeover}, []string{"permessage-deflate; server_no_context_takeover; client_max_window_bits"}, true},
		{"second offer", []string{"permessage-deflate"}, []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, true},
		{"not offered", []string{takeover}, []string{}, false},
		{"window not offered", []string{"permessage-deflate; client_max_window_bits=10"}, []string{takeover}, false},
		{"unknown", []string{"x-webkit-deflate-frame"}, nil, false},
		{"two", []string{takeover + ", " + takeover}, nil, false},
		{"unknown parameter", []string{"permessage-deflate; magic"}, nil, false},
		{"not a list", []string{"=;="}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t, websocket.Options{Extensions: c.answer, Offered: c.offered}, nil)
				w.client(frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Text}, []byte("x")))
				if c.ok {
					if got := w.toSrv.items(t); !slices.Equal(got, []string{"1:x"}) {
						t.Errorf("got %q", got)
					}
				} else {
					blockedBoth(t, w, 1002)
				}
				w.finish()
			})
		})
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, out []string }{
		{nil, nil},
		{[]string{"permessage-deflate; client_max_window_bits"}, []string{"permessage-deflate; client_max_window_bits"}},
		{[]string{"x-a, permessage-deflate; server_max_window_bits=10", "bbf-usp-protocol"}, []string{"permessage-deflate; server_max_window_bits=10"}},
		{[]string{"permessage-deflate; magic=1, permessage-deflate"}, []string{"permessage-deflate"}},
		{[]string{`permessage-deflate; client_max_window_bits="12"`}, []string{"permessage-deflate; client_max_window_bits=12"}},
		{[]string{"permessage-deflate; server_max_window_bits=99"}, nil},
		{[]string{"x-webkit-deflate-frame"}, nil},
		{[]string{"permessage-deflate; ="}, nil},
	} {
		h := http.Header{"Upgrade": {"websocket"}}
		if c.in != nil {
			h["Sec-Websocket-Extensions"] = c.in
		}
		websocket.Prepare(h)
		if got := h["Sec-Websocket-Extensions"]; !slices.Equal(got, c.out) || h.Get("Upgrade") == "" {
			t.Errorf("%q: got %q, want %q", c.in, got, c.out)
		}
	}
}
