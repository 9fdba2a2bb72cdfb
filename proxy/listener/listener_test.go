package listener_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"weir/proxy/listener"
)

func pair(t *testing.T, l net.Listener) (client, server net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestLimitsAndTracking(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := listener.NewGroup(listener.Config{MaxPerClient: 2, Refused: func(a netip.AddrPort) []byte { return []byte("full " + a.Addr().String()) }})
	l := g.Listen(inner)
	_, one := pair(t, l)
	client, two := pair(t, l)
	if g.Stats().Open.Load() != 2 {
		t.Errorf("%d open", g.Stats().Open.Load())
	}
	refused, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept() // refuses one, waits for the next
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	if b, err := io.ReadAll(refused); err != nil || string(b) != "full 127.0.0.1" {
		t.Errorf("%q %v", b, err)
	}
	_ = refused.Close()
	_ = one.Close()
	_ = one.Close()
	if g.Stats().Open.Load() != 1 {
		t.Errorf("%d open after a double close", g.Stats().Open.Load())
	}
	again, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if c := <-accepted; c == nil {
		t.Error("no room was made")
	}
	_, _ = io.WriteString(client, "abc")
	if _, err := io.ReadFull(two, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	_, _ = io.WriteString(two, "de")
	if r, w := two.(*listener.Conn).Octets(); r != 3 || w != 2 {
		t.Errorf("octets %d %d", r, w)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := two.Read(make([]byte, 1)); err == nil || g.Stats().Open.Load() != 0 || g.Stats().Refused.Load() != 1 {
		t.Errorf("after close: %v, %d open, %d refused", err, g.Stats().Open.Load(), g.Stats().Refused.Load())
	}
}

func TestWriteToADeadReaderEnds(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := listener.NewGroup(listener.Config{WriteTimeout: 50 * time.Millisecond})
	defer g.Close()
	_, server := pair(t, g.Listen(inner))
	_ = server.SetWriteDeadline(time.Now().Add(time.Hour)) // cannot be lifted
	p := make([]byte, 1<<20)
	for {
		if _, err := server.Write(p); err != nil {
			return
		}
	}
}
