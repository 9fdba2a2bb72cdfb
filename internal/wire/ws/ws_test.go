package ws_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/internal/wire/ws"
)

// recorder is a FrameSink over Messages and a MessageSink: it writes down all.
type recorder struct {
	*ws.Messages
	log    []string
	raw    []byte
	data   []byte
	frames int
}

func (r *recorder) BeginFrame(h ws.Header, raw []byte) error {
	r.frames++
	r.raw = append(r.raw, raw...)
	return r.Messages.BeginFrame(h, raw)
}
func (r *recorder) BeginMessage(ws.Opcode) error { r.data = nil; return nil }
func (r *recorder) MessageData(p []byte) error   { r.data = append(r.data, p...); return nil }
func (r *recorder) EndMessage() error {
	r.log = append(r.log, fmt.Sprintf("%q", r.data))
	r.data = nil
	return nil
}

func (r *recorder) Control(op ws.Opcode, p []byte) error {
	r.log = append(r.log, fmt.Sprintf("%d:%q", op, p))
	return nil
}

func read(role ws.Role, deflate bool, lim ws.Limits, in []byte, size int) (*recorder, error) {
	r := &recorder{}
	r.Messages = ws.NewMessages(lim, true, r)
	reader := ws.NewReader(role, deflate, r)
	for p := range slices.Chunk(slices.Clone(in), max(size, 1)) {
		if err := reader.Feed(p); err != nil {
			return r, err
		}
	}
	return r, nil
}

func frame(h ws.Header, payload string) string {
	h.Length = int64(len(payload))
	b := ws.AppendHeader(nil, h)
	at := len(b)
	b = append(b, payload...)
	if h.Masked {
		ws.Mask(b[at:], h.Mask, 0)
	}
	return string(b)
}

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// c is a masked client frame.
func c(fin bool, op ws.Opcode, payload string) string {
	return frame(ws.Header{Fin: fin, Opcode: op, Masked: true, Mask: key}, payload)
}

func TestReader(t *testing.T) {
	long := strings.Repeat("long ", 14000)
	cases := []struct {
		name, in string
		role     ws.Role
		want     []string
		err      ws.Reason
		code     uint16
	}{
		{"RFC 6455 section 5.7 hello", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", ws.FromClient, []string{`"Hello"`}, "", 0},
		{"RFC 6455 fragments", "\x01\x03Hel\x80\x02lo", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"RFC 7692 hello", "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"RFC 7692 fragments", "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"RFC 7692 takeover", "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00", ws.FromServer, []string{`"Hello"`, `"Hello"`}, "", 0},
		{"RFC 7692 stored block", "\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"RFC 7692 final block", "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"RFC 7692 two blocks", "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", ws.FromServer, []string{`"Hello"`}, "", 0},
		{"ping within fragments", c(false, ws.Binary, "\xff") + c(true, ws.Ping, "p") + c(true, ws.Continuation, "b"), ws.FromClient, []string{`9:"p"`, `"\xffb"`}, "", 0},
		{"64 KiB", c(true, ws.Text, long), ws.FromClient, []string{fmt.Sprintf("%q", long)}, "", 0},
		{"split rune", c(false, ws.Text, "\xe2\x82") + c(true, ws.Continuation, "\xac"), ws.FromClient, []string{`"€"`}, "", 0},
		{"empty", c(true, ws.Text, ""), ws.FromClient, []string{`""`}, "", 0},
		{"close", c(true, ws.Close, "\x03\xe8bye"), ws.FromClient, []string{`8:"\x03\xe8bye"`}, "", 0},
		{"unmasked", "\x81\x00", ws.FromClient, nil, ws.ReasonUnmasked, 1002},
		{"masked", c(true, ws.Text, ""), ws.FromServer, nil, ws.ReasonMasked, 1002},
		{"opcode 3", c(true, 3, ""), ws.FromClient, nil, ws.ReasonOpcode, 1002},
		{"opcode 11", c(true, 11, ""), ws.FromClient, nil, ws.ReasonOpcode, 1002},
		{"rsv2", "\xa1\x00", ws.FromServer, nil, ws.ReasonReservedBit, 1002},
		{"rsv1 on ping", "\xc9\x00", ws.FromServer, nil, ws.ReasonReservedBit, 1002},
		{"rsv1 on continuation", "\x01\x00\xc0\x00", ws.FromServer, nil, ws.ReasonReservedBit, 1002},
		{"fragmented ping", c(false, ws.Ping, ""), ws.FromClient, nil, ws.ReasonControl, 1002},
		{"long ping", c(true, ws.Ping, long[:126]), ws.FromClient, nil, ws.ReasonControl, 1002},
		{"continuation first", c(true, ws.Continuation, ""), ws.FromClient, nil, ws.ReasonContinuation, 1002},
		{"text within text", c(false, ws.Text, "") + c(true, ws.Text, ""), ws.FromClient, nil, ws.ReasonContinuation, 1002},
		{"length not minimal", "\x82\x7e\x00\x7d", ws.FromServer, nil, ws.ReasonLength, 1002},
		{"length not minimal, 64 bit", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", ws.FromServer, nil, ws.ReasonLength, 1002},
		{"length negative", "\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00", ws.FromServer, nil, ws.ReasonLength, 1002},
		{"close of one byte", "\x88\x01\x03", ws.FromServer, nil, ws.ReasonCloseCode, 1002},
		{"close 1005", "\x88\x02\x03\xed", ws.FromServer, nil, ws.ReasonCloseCode, 1002},
		{"close not utf-8", "\x88\x03\x03\xe8\xff", ws.FromServer, nil, ws.ReasonCloseCode, 1002},
		{"after close", "\x88\x00\x81\x00", ws.FromServer, []string{`8:""`}, ws.ReasonAfterClose, 1002},
		{"bad utf-8", c(true, ws.Text, "ab\xffcd"), ws.FromClient, nil, ws.ReasonUTF8, 1007},
		{"open rune", c(true, ws.Text, "ab\xe2\x82"), ws.FromClient, nil, ws.ReasonUTF8, 1007},
		{"bad deflate", "\xc2\x02\x07\x00", ws.FromServer, nil, ws.ReasonDeflate, 1007},
		{"unfinished deflate", "\xc2\x04\xf2\x48\xcd\xc9", ws.FromServer, nil, ws.ReasonDeflate, 1007},
		{"too big", c(true, ws.Binary, strings.Repeat("x", 100_001)), ws.FromClient, nil, ws.ReasonTooBig, 1009},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			for _, size := range []int{1, 3, len(tc.in)} {
				r, err := read(tc.role, true, ws.Limits{MaxMessage: 100_000}, []byte(tc.in), size)
				var e *ws.Error
				if errors.As(err, &e) != (tc.err != "") || e != nil && (e.Reason != tc.err || e.Code != tc.code) {
					t.Fatalf("pieces of %d: %v, want %q", size, err, tc.err)
				}
				if !slices.Equal(r.log, tc.want) {
					t.Fatalf("pieces of %d: %.200v, want %.200v", size, r.log, tc.want)
				}
			}
		})
	}
}

func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 70 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		want := slices.Clone(b)
		for i := range want {
			want[i] ^= key[i&3]
		}
		cut := r.IntN(n + 1)
		pos := ws.Mask(b[:cut], key, 0)
		if ws.Mask(b[cut:], key, pos) != n&3 || !bytes.Equal(b, want) {
			t.Fatalf("length %d, cut %d", n, cut)
		}
	}
}

func TestDeflateRoundTrip(t *testing.T) {
	messages := []string{"", "Hello", "Hello", strings.Repeat("weir ", 20000), "\x00\xff"}
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{0, 9, 15} {
			d, err := ws.NewDeflater(takeover, bits)
			if err != nil {
				t.Fatal(err)
			}
			inf := ws.NewInflater(takeover, ws.Limits{MaxRatio: 2000})
			for i, m := range messages {
				half := len(m) / 2
				enc, err := d.Append(nil, []byte(m[:half]), false)
				if err != nil {
					t.Fatal(err)
				}
				if enc, err = d.Append(enc, []byte(m[half:]), true); err != nil {
					t.Fatal(err)
				}
				var got []byte
				sink := func(p []byte) error { got = append(got, p...); return nil }
				if err := inf.Write(enc, sink); err != nil {
					t.Fatal(err)
				}
				if err := inf.EndMessage(sink); err != nil || string(got) != m {
					t.Fatalf("takeover %v, %d bits, message %d: %d bytes, %v", takeover, bits, i, len(got), err)
				}
			}
		}
	}
	if _, err := ws.NewDeflater(true, 7); err == nil {
		t.Error("a window of 7 bits was accepted")
	}
}

func TestRatio(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	_, _ = w.Write(make([]byte, 4<<20))
	_ = w.Flush()
	in := frame(ws.Header{Fin: true, RSV1: true, Opcode: ws.Binary}, string(bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))))
	var first int
	for _, size := range []int{1, 100, len(in)} {
		r, err := read(ws.FromServer, true, ws.Limits{MaxRatio: 100}, []byte(in), size)
		var e *ws.Error
		if !errors.As(err, &e) || e.Reason != ws.ReasonRatio {
			t.Fatal(err)
		}
		if first == 0 {
			first = len(r.data)
		}
		if len(r.data) != first {
			t.Fatalf("%d bytes, %d before", len(r.data), first)
		}
	}
}

func TestClose(t *testing.T) {
	b := ws.AppendClose(nil, 1008, strings.Repeat("€", 60), nil)
	h, n, err := ws.ParseHeader(b)
	if err != nil || h.Opcode != ws.Close || int(h.Length) != len(b)-n {
		t.Fatal(h, err)
	}
	code, reason, ok := ws.CloseCode(b[n:])
	if code != 1008 || reason != strings.Repeat("€", 41) || !ok {
		t.Fatal(code, reason, ok)
	}
	r, err := read(ws.FromClient, false, ws.Limits{}, ws.AppendClose(nil, 1008, "no", &key), 2)
	if err != nil || !slices.Equal(r.log, []string{`8:"\x03\xf0no"`}) {
		t.Fatal(r.log, err)
	}
}

func TestExtensions(t *testing.T) {
	cases := []struct {
		name, offer, want string
		bad               bool
	}{
		{"plain", "permessage-deflate", "permessage-deflate", false},
		{"chrome", "permessage-deflate; client_max_window_bits", "permessage-deflate", false},
		{"all", `x-foo;a="b", permessage-deflate; server_no_context_takeover;client_no_context_takeover; server_max_window_bits="10"; client_max_window_bits=12`, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12", false},
		{"fallback", "permessage-deflate; server_max_window_bits=7, permessage-deflate", "permessage-deflate", false},
		{"unknown parameter", "permessage-deflate; x", "", false},
		{"repeated", "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "", false},
		{"leading zero", "permessage-deflate; server_max_window_bits=08", "", false},
		{"none", "", "", false},
		{"no token", "permessage deflate", "", true},
		{"empty value", "permessage-deflate; a=", "", true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			offers, err := ws.ParseExtensions([]string{tc.offer})
			if (err != nil) != tc.bad {
				t.Fatal(err)
			}
			d, ok := ws.Negotiate(offers)
			if ok != (tc.want != "") || ok && d.String() != tc.want {
				t.Fatalf("%v, %q", ok, d)
			}
		})
	}
	offer := ws.Deflate{ServerNoContextTakeover: true, ServerMaxWindowBits: 10}
	for answer, want := range map[ws.Deflate]bool{
		{ServerNoContextTakeover: true, ServerMaxWindowBits: 9}:                                true,
		{ServerNoContextTakeover: true, ServerMaxWindowBits: 11}:                               false,
		{ServerMaxWindowBits: 9}:                                                               false,
		{ServerNoContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 9}:        false,
		{ServerNoContextTakeover: true, ServerMaxWindowBits: 9, ClientNoContextTakeover: true}: true,
	} {
		if answer.Answers(offer) != want {
			t.Errorf("%s: %v", answer, !want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("\x81\x85\x37\xfa\x21\x3d"))
	f.Add([]byte("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ws.ParseHeader(b)
		if err != nil {
			return
		}
		if got := ws.AppendHeader(nil, h); !bytes.Equal(got, b[:n]) {
			t.Fatalf("%x printed as %x", b[:n], got)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(c(false, ws.Text, "ab\xe2\x82")+c(true, ws.Continuation, "\xac")), false, uint8(2))
	f.Add([]byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"), true, uint8(3))
	f.Add([]byte("\x01\x03Hel\x89\x00\x80\x02\xc3\xff\x88\x02\x03\xe8"), true, uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, server bool, cut uint8) {
		role := ws.FromClient
		if server {
			role = ws.FromServer
		}
		lim := ws.Limits{MaxMessage: 1 << 18}
		a, aerr := read(role, true, lim, in, len(in))
		b, berr := read(role, true, lim, in, int(cut)+1)
		if !slices.Equal(a.log, b.log) || !bytes.Equal(a.data, b.data) || !bytes.Equal(a.raw, b.raw) || a.frames != b.frames || fmt.Sprint(aerr) != fmt.Sprint(berr) {
			t.Fatalf("whole %v %v, cut %v %v", a.log, aerr, b.log, berr)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	in := []byte(c(true, ws.Binary, strings.Repeat("x", 16<<10)))
	r := ws.NewReader(ws.FromClient, false, ws.NewMessages(ws.Limits{}, false, nop{}))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Feed(in); err != nil {
			b.Fatal(err)
		}
	}
}

type nop struct{}

func (nop) BeginMessage(ws.Opcode) error    { return nil }
func (nop) MessageData([]byte) error        { return nil }
func (nop) EndMessage() error               { return nil }
func (nop) Control(ws.Opcode, []byte) error { return nil }
