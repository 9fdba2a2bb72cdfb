package websocket_test

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/wire/ws"
	"weir/proxy/websocket"
)

// script is a server that says what it was given and keeps what it got.
type script struct {
	more func() []byte // what to say next; nil ends the stream

	mu     sync.Mutex
	left   []byte
	got    []byte
	closed int
	gone   chan struct{}
}

func newScript(chunks [][]byte) *script {
	return &script{gone: make(chan struct{}), more: func() []byte {
		if len(chunks) == 0 {
			return nil
		}
		c := chunks[0]
		chunks = chunks[1:]
		return c
	}}
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.left) == 0 && s.closed == 0 {
		s.left = s.more()
	}
	if len(s.left) == 0 {
		s.mu.Unlock()
		<-s.gone // a server that has said all waits
		s.mu.Lock()
		return 0, io.EOF
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed > 0 {
		return 0, io.ErrClosedPipe
	}
	s.got = append(s.got, p...)
	return len(p), nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed++; s.closed == 1 {
		close(s.gone)
	}
	return nil
}

func (s *script) octets() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// FuzzWrap: whatever both sides send, however it is cut, whatever comes out parses, and its messages are the first messages of what
// went in: the parser that looks at everything at once is the oracle.
func FuzzWrap(f *testing.F) {
	text := frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Text}, []byte("hello"))
	reply := frame(ws.FromServer, ws.Header{Fin: true, Opcode: ws.Text}, []byte("hello"))
	f.Add(text, reply, uint16(3), false)
	f.Add(append(text, frame(ws.FromClient, ws.Header{Fin: true, Opcode: ws.Close}, []byte("\x03\xe8"))...), reply, uint16(1), true)
	deflate := deflater(f, true)
	for _, n := range []int{1, 3} {
		var c, s []byte
		for i := range n {
			c = append(c, fragments(f, ws.FromClient, ws.Binary, []byte("abcabcabc"), n, deflate)[i]...)
			s = append(s, fragments(f, ws.FromServer, ws.Binary, eicar(), n, nil)[i]...)
		}
		f.Add(c, s, uint16(5), true)
	}
	f.Fuzz(func(t *testing.T, fromClient, fromServer []byte, cut uint16, compressed bool) {
		synctest.Test(t, func(t *testing.T) {
			size := int(cut)%512 + 1
			o := websocket.Options{}
			if compressed {
				o.Extensions = []string{takeover}
			}
			x, _ := exchange(t, nil)
			srv := newScript(slices.Collect(slices.Chunk(fromServer, size)))
			conn := websocket.Wrap(srv, x, o)
			cli := &peer{}
			var wg sync.WaitGroup
			wg.Go(func() { cli.copy(conn) })
			for part := range slices.Chunk(fromClient, size) {
				before := string(part)
				n, err := conn.Write(part)
				if string(part) != before || err == nil && n != len(part) {
					t.Fatalf("Write: %d of %d, %v", n, len(part), err)
				}
			}
			synctest.Wait()
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			x.Done(time.Now())
			compare(t, ws.FromClient, compressed, fromClient, srv.octets())
			compare(t, ws.FromServer, compressed, fromServer, cli.octets())
		})
	})
}

// compare checks that out parses and that its messages begin those of in.
func compare(t *testing.T, role ws.Role, compressed bool, in, out []byte) {
	t.Helper()
	want, _ := parse(role, compressed, true, slices.Clone(in))
	got, err := parse(role, compressed, true, slices.Clone(out))
	if err != nil {
		t.Fatalf("%x does not parse: %v", out, err)
	}
	got, want = messages(got), messages(want)
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		t.Fatalf("got %q\nout of %q", got, want)
	}
}

// messages drops control frames, which may overtake a message that is held, and what is not whole.
func messages(items []string) (out []string) {
	for _, s := range items {
		if strings.HasPrefix(s, "1:") || strings.HasPrefix(s, "2:") {
			out = append(out, s)
		}
	}
	return out
}
