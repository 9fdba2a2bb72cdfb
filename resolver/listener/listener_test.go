package listener_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/resolver/listener"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits that end earlier unless something is broken.
const patience = 20 * time.Second

func echo(_ context.Context, packet []byte, _ netip.AddrPort, transport string) []byte {
	return append([]byte(transport+" "), packet...)
}

func start(t *testing.T, cfg listener.Config) *listener.Server {
	t.Helper()
	cfg.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("[::1]:0")}
	if cfg.Handler == nil {
		cfg.Handler = echo
	}
	s, err := listener.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, network string, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func frame(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func write(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func read(c net.Conn) (string, error) {
	var l [2]byte
	if _, err := io.ReadFull(c, l[:]); err != nil {
		return "", err
	}
	b := make([]byte, binary.BigEndian.Uint16(l[:]))
	_, err := io.ReadFull(c, b)
	return string(b), err
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	s := start(t, listener.Config{})
	for _, addr := range s.Addrs() {
		udp := dial(t, "udp", addr)
		write(t, udp, []byte("query"))
		b := make([]byte, 100)
		if n, err := udp.Read(b); err != nil || string(b[:n]) != "udp query" {
			t.Errorf("%s: %q, %v", addr, b[:n], err)
		}
		tcp := dial(t, "tcp", addr)
		for _, cut := range []int{1, 2, 4} { // length and body in pieces, several queries on one connection
			f := frame("query")
			write(t, tcp, f[:cut])
			write(t, tcp, f[cut:])
			if got, err := read(tcp); err != nil || got != "tcp query" {
				t.Errorf("%s: %q, %v", addr, got, err)
			}
		}
	}
}

func TestPipelinedAnswersComeAsTheyAreReady(t *testing.T) {
	t.Parallel()
	second := make(chan struct{})
	s := start(t, listener.Config{Handler: func(_ context.Context, p []byte, _ netip.AddrPort, _ string) []byte {
		if string(p) == "first" {
			<-second
		}
		return p
	}})
	c := dial(t, "tcp", s.Addrs()[0])
	write(t, c, append(frame("first"), frame("second")...))
	if got, err := read(c); got != "second" {
		t.Fatalf("%q, %v", got, err)
	}
	close(second)
	if got, err := read(c); got != "first" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestHostileConnectionsAreCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  listener.Config
		send []byte
	}{
		{"silent", listener.Config{Idle: 10 * time.Millisecond}, nil},
		{"half a length", listener.Config{Idle: 10 * time.Millisecond}, []byte{0}},
		{"half a query", listener.Config{Read: 10 * time.Millisecond}, []byte{0, 20, 1, 2}},
		{"no length", listener.Config{}, []byte{0, 0}},
		{"too long", listener.Config{}, binary.BigEndian.AppendUint16(nil, listener.MaxQuery+1)},
	} {
		s := start(t, c.cfg)
		conn := dial(t, "tcp", s.Addrs()[0])
		write(t, conn, c.send)
		if _, err := read(conn); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", c.name, err)
		}
		until(t, c.name, func() bool {
			return s.Stats().Conns.Load() == 0 && s.Stats().TimedOut.Load()+s.Stats().Oversize.Load() == 1
		})
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	big := make([]byte, 60000)
	s := start(t, listener.Config{
		Write: 20 * time.Millisecond, Handler: func(context.Context, []byte, netip.AddrPort, string) []byte { return big },
	})
	c := dial(t, "tcp", s.Addrs()[0])
	for { // never reads
		if _, err := c.Write(frame("query")); err != nil {
			break
		}
	}
	until(t, "timeout", func() bool { return s.Stats().TimedOut.Load() > 0 && s.Stats().Conns.Load() == 0 })
}

func TestConnectionCaps(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]listener.Config{"per client": {MaxConnsPerClient: 2}, "in all": {MaxConns: 2}} {
		s := start(t, cfg)
		var open []net.Conn
		for range 2 {
			c := dial(t, "tcp", s.Addrs()[0])
			write(t, c, frame("x"))
			if _, err := read(c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			open = append(open, c)
		}
		third := dial(t, "tcp", s.Addrs()[0])
		if _, err := read(third); err == nil || s.Stats().Refused.Load() != 1 {
			t.Errorf("%s: a third connection: %v", name, err)
		}
		open[0].Close()
		until(t, "close", func() bool { return s.Stats().Conns.Load() == 1 })
		again := dial(t, "tcp", s.Addrs()[0])
		write(t, again, frame("x"))
		if _, err := read(again); err != nil {
			t.Errorf("%s: room was not given back: %v", name, err)
		}
	}
}

func TestWorkersAreBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var running sync.WaitGroup
	running.Add(2)
	s := start(t, listener.Config{Workers: 2, Handler: func(_ context.Context, p []byte, _ netip.AddrPort, _ string) []byte {
		running.Done()
		<-release
		return p
	}})
	c := dial(t, "udp", s.Addrs()[0])
	write(t, c, []byte("a"))
	write(t, c, []byte("b"))
	running.Wait()
	write(t, c, []byte("c"))
	until(t, "drop", func() bool { return s.Stats().Dropped.Load() == 1 })
	close(release)
}

func TestParkedQueriesLeaveRoom(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := start(t, listener.Config{Workers: 1, Handler: func(ctx context.Context, p []byte, _ netip.AddrPort, _ string) []byte {
		if p[0] == 'w' {
			listener.Park(ctx)
			listener.Park(ctx)
			<-release
		}
		return p
	}})
	for _, network := range []string{"udp", "tcp"} {
		slow, quick := dial(t, network, s.Addrs()[0]), dial(t, network, s.Addrs()[0])
		send := func(c net.Conn, text string) {
			if network == "tcp" {
				write(t, c, frame(text))
			} else {
				write(t, c, []byte(text))
			}
		}
		before := s.Stats().Parked.Load()
		for i := range int64(10) {
			send(slow, "wait")
			until(t, "park", func() bool { return s.Stats().Parked.Load() == before+i+1 })
		}
		until(t, "reply", func() bool { // UDP: the one worker may just have been busy
			send(quick, "now")
			_ = quick.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			n, err := quick.Read(make([]byte, 100))
			return err == nil && n > 0
		})
	}
	close(release)
	until(t, "unpark", func() bool { return s.Stats().Parked.Load() == 0 })
	for range 3 { // the bound holds as before
		c := dial(t, "udp", s.Addrs()[0])
		until(t, "reply", func() bool {
			write(t, c, []byte("now"))
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			_, err := c.Read(make([]byte, 100))
			return err == nil
		})
	}
}

func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		started, release := make(chan struct{}), make(chan struct{})
		s := start(t, listener.Config{Handler: func(_ context.Context, p []byte, _ netip.AddrPort, _ string) []byte {
			close(started)
			<-release
			return p
		}})
		c := dial(t, network, s.Addrs()[0])
		if network == "tcp" {
			write(t, c, frame("x"))
		} else {
			write(t, c, []byte("x"))
		}
		<-started
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		close(release)
		b := make([]byte, 10)
		if n, err := c.Read(b); err != nil || n == 0 {
			t.Errorf("%s: no reply: %v", network, err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}

func TestShutdownAbandonsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s, err := listener.New(listener.Config{
			Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
			Handler: func(ctx context.Context, _ []byte, _ netip.AddrPort, _ string) []byte {
				close(started)
				<-ctx.Done()
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve() }()
		write(t, dial(t, network, s.Addrs()[0]), frame("x"))
		<-started
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", network, err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: serve: %v", network, err)
		}
	}
}

func TestTakenAddressIsAnError(t *testing.T) {
	t.Parallel()
	s := start(t, listener.Config{})
	if _, err := listener.New(listener.Config{Listen: s.Addrs(), Handler: echo}); err == nil {
		t.Error("a second server on the same address")
	}
}
