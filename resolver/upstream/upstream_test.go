package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"weir/internal/hostname"
	"weir/resolver/query"
	"weir/resolver/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

var key = query.Key{Name: hostname.MustParse("fine.test"), Type: dns.TypeA, Class: query.ClassIN}

// server answers each query over UDP with the packets that udp makes, and over TCP with those of tcp.
func server(t *testing.T, udp, tcp func(q *dns.Msg) [][]byte) netip.AddrPort {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		do := udp
		if w.LocalAddr().Network() == "tcp" {
			do = tcp
		}
		for _, b := range do(q) {
			_, _ = w.Write(b)
		}
	})
	l, p := listen(t)
	for _, s := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: p, Handler: handler}} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// listen binds one port for TCP and UDP. The system chooses it for TCP; now and then it is taken on UDP.
func listen(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 16 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, p
		}
		l.Close()
	}
	t.Fatal("no port is free on both")
	return nil, nil
}

// good is the right answer, edited.
func good(q *dns.Msg, edits ...func(*dns.Msg)) []byte {
	m := new(dns.Msg).SetReply(q)
	rr, err := dns.NewRR("fine.test. 300 IN A 93.184.216.34")
	if err != nil {
		panic(err)
	}
	m.Answer = []dns.RR{rr}
	for _, e := range edits {
		e(m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func none(*dns.Msg) [][]byte { return nil }

func client(servers ...netip.AddrPort) *upstream.Client {
	return upstream.New(upstream.Config{Servers: upstream.Servers{Default: servers}, Timeout: patience})
}

func TestForgeriesAreIgnored(t *testing.T) {
	t.Parallel()
	forged := map[string]func(*dns.Msg){
		"id":     func(m *dns.Msg) { m.Id++ },
		"query":  func(m *dns.Msg) { m.Response = false },
		"opcode": func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"name":   func(m *dns.Msg) { m.Question[0].Name = "victim.test." },
		"type":   func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"class":  func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
	}
	bad := func(m *dns.Msg) { m.Answer[0].(*dns.A).A = net.IPv4(6, 6, 6, 6) }
	for name, edit := range forged {
		addr := server(t, func(q *dns.Msg) [][]byte { return [][]byte{good(q, bad, edit), {1}, good(q)} }, none)
		c := client(addr)
		r, err := c.Exchange(t.Context(), key)
		if err != nil || r.Msg.Answer[0].(*dns.A).A.String() != "93.184.216.34" || c.Stats().Mismatch.Load() != 2 || r.Server != addr.String() {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestGuessersSendUsToTCP(t *testing.T) {
	t.Parallel()
	ids := make(chan uint16, 2)
	addr := server(t, func(q *dns.Msg) [][]byte {
		ids <- q.Id
		var out [][]byte
		for i := range 100 {
			out = append(out, good(q, func(m *dns.Msg) { m.Id += uint16(i + 1) }))
		}
		return append(out, good(q))
	}, func(q *dns.Msg) [][]byte {
		ids <- q.Id
		return [][]byte{good(q)}
	})
	c := client(addr)
	if _, err := c.Exchange(t.Context(), key); err != nil || c.Stats().TCP.Load() != 1 {
		t.Errorf("%v, %d over TCP", err, c.Stats().TCP.Load())
	}
	<-ids
	<-ids
}

func TestTruncatedIsAskedOverTCP(t *testing.T) {
	t.Parallel()
	cut := func(q *dns.Msg) [][]byte { return [][]byte{good(q, func(m *dns.Msg) { m.Truncated = true })} }
	whole := func(q *dns.Msg) [][]byte { return [][]byte{good(q)} }
	if r, err := client(server(t, cut, whole)).Exchange(t.Context(), key); err != nil || r.Msg.Truncated {
		t.Errorf("%+v, %v", r, err)
	}
	for name, tcp := range map[string]func(*dns.Msg) [][]byte{
		"cut again": cut,
		"wrong id":  func(q *dns.Msg) [][]byte { return [][]byte{good(q, func(m *dns.Msg) { m.Id++ })} },
	} {
		if r, err := client(server(t, cut, tcp)).Exchange(t.Context(), key); !errors.Is(err, upstream.ErrMismatch) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestReplyWithoutQuestionEndsTheWait(t *testing.T) {
	t.Parallel()
	bare := func(q *dns.Msg) [][]byte {
		return [][]byte{good(q, func(m *dns.Msg) { m.Question, m.Answer, m.Rcode = nil, nil, dns.RcodeFormatError })}
	}
	whole := func(q *dns.Msg) [][]byte { return [][]byte{good(q)} }
	if r, err := client(server(t, bare, whole)).Exchange(t.Context(), key); err != nil || len(r.Msg.Answer) != 1 {
		t.Errorf("it must be asked again over TCP: %+v, %v", r, err)
	}
	fine := server(t, whole, none)
	if r, err := client(server(t, bare, bare), fine).Exchange(t.Context(), key); err != nil || r.Server != fine.String() {
		t.Errorf("the next server must be asked: %+v, %v", r, err)
	}
	c := upstream.New(upstream.Config{Servers: upstream.Servers{Default: []netip.AddrPort{server(t, bare, bare)}}, Timeout: time.Hour})
	if r, err := c.Exchange(t.Context(), key); !errors.Is(err, upstream.ErrMismatch) || c.Stats().Mismatch.Load() != 4 {
		t.Errorf("there is no other: %+v, %v", r, err)
	}
}

func TestOneQueryTriesAServerThatRested(t *testing.T) {
	t.Parallel()
	fine := server(t, func(q *dns.Msg) [][]byte { return [][]byte{good(q)} }, none)
	now := time.Unix(1_000_000, 0)
	c := upstream.New(upstream.Config{
		Servers: upstream.Servers{Default: []netip.AddrPort{closed(t), fine}}, Timeout: patience, Now: func() time.Time { return now },
	})
	for range 2 {
		_, _ = c.Exchange(t.Context(), key)
	}
	for want := uint64(3); want < 6; want++ {
		now = now.Add(time.Minute)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if r, err := c.Exchange(t.Context(), key); err != nil || r.Server != fine.String() {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		all.Wait()
		if got := c.Stats().Failures.Load(); got != want {
			t.Errorf("%d failures, want %d: one of 50 queries tries it", got, want)
		}
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	c := upstream.New(upstream.Config{Servers: upstream.Servers{Zones: []upstream.Zone{
		{Names: []hostname.Name{hostname.MustParse("corp.test")}}, {Names: []hostname.Name{hostname.MustParse("lab.test")}},
	}}})
	for name, want := range map[string]int{"corp.test": 1, "a.corp.test": 1, "a.lab.test": 2, "xcorp.test": 0, "test": 0} {
		if got := c.Route(hostname.MustParse(name)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// closed is an address where nobody listens on UDP; TCP keeps other tests away from it.
func closed(t *testing.T) netip.AddrPort {
	t.Helper()
	l, p := listen(t)
	p.Close()
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestFailover(t *testing.T) {
	t.Parallel()
	var failAsked, fineAsked atomic.Int64
	count := func(n *atomic.Int64, edits ...func(*dns.Msg)) func(*dns.Msg) [][]byte {
		return func(q *dns.Msg) [][]byte {
			n.Add(1)
			return [][]byte{good(q, edits...)}
		}
	}
	fail := server(t, count(&failAsked, func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }), none)
	fine := server(t, count(&fineAsked), none)
	now := time.Unix(1_000_000, 0)
	c := upstream.New(upstream.Config{
		Servers: upstream.Servers{Default: []netip.AddrPort{closed(t), fail, fine}}, Timeout: patience, Now: func() time.Time { return now },
	})
	for range 4 {
		if r, err := c.Exchange(t.Context(), key); err != nil || r.Server != fine.String() {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if f := c.Stats().Failures.Load(); f != 2 || failAsked.Load() != 4 || fineAsked.Load() != 4 {
		t.Errorf("%d failures, asked %d and %d times: a dead server must rest after two", f, failAsked.Load(), fineAsked.Load())
	}
	now = now.Add(time.Minute)
	if _, err := c.Exchange(t.Context(), key); err != nil || c.Stats().Failures.Load() != 3 {
		t.Errorf("%v, %d failures: it must get another try", err, c.Stats().Failures.Load())
	}
	c.Set(upstream.Servers{Default: []netip.AddrPort{closed(t), fail}})
	if r, err := c.Exchange(t.Context(), key); err != nil || r.Msg.Rcode != dns.RcodeServerFailure {
		t.Errorf("%+v, %v", r, err)
	}
	before := failAsked.Load()
	c.Set(upstream.Servers{Default: []netip.AddrPort{fail}})
	if _, err := c.Exchange(t.Context(), key); err != nil || failAsked.Load() != before+1 {
		t.Errorf("%v, asked %d times: a failure that was answered must not be asked for again", err, failAsked.Load()-before)
	}
	c.Set(upstream.Servers{Default: []netip.AddrPort{closed(t)}})
	if r, err := c.Exchange(t.Context(), key); err == nil {
		t.Errorf("%+v", r)
	}
	c.Set(upstream.Servers{})
	if _, err := c.Exchange(t.Context(), key); !errors.Is(err, upstream.ErrNone) {
		t.Error(err)
	}
}

func TestSilentServerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	got := make(chan struct{}, 4)
	addr := server(t, func(*dns.Msg) [][]byte { got <- struct{}{}; return nil }, none)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-got; cancel() }()
	if r, err := client(addr).Exchange(ctx, key); err == nil {
		t.Errorf("%+v", r)
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# comment\nnameserver 127.0.0.53\nsearch x.test\nnameserver\nnameserver 2001:db8::1\n nameserver fe80::1%eth0\nnameserver nonsense\noptions edns0\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := upstream.System(file)
	if want := "[127.0.0.53:53 [2001:db8::1]:53 [fe80::1%eth0]:53]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
	if _, err := upstream.System(file + ".absent"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	p := func(list ...string) (out []netip.AddrPort) {
		for _, s := range list {
			out = append(out, netip.MustParseAddrPort(s))
		}
		return out
	}
	for _, c := range []struct{ servers, own, want []netip.AddrPort }{
		{p("127.0.0.1:53", "9.9.9.9:53"), p("127.0.0.1:53"), p("9.9.9.9:53")},
		{p("127.0.0.1:53", "[::1]:53", "10.0.0.1:53"), p("0.0.0.0:53"), p("10.0.0.1:53")},
		{p("127.0.0.1:53"), p("127.0.0.1:1053"), p("127.0.0.1:53")},
		{p("[::ffff:127.0.0.1]:53", "0.0.0.0:53"), p("127.0.0.1:53"), nil},
	} {
		if got := upstream.Without(c.servers, c.own); !slices.Equal(got, c.want) {
			t.Errorf("%v without %v: %v", c.servers, c.own, got)
		}
	}
}

// FuzzReply: whatever one UDP server sends first, the client neither panics nor believes it unless it is the answer; the oracle is the
// library's own reading of the message.
func FuzzReply(f *testing.F) {
	packet, err := upstream.Packet(key)
	if err != nil {
		f.Fatal(err)
	}
	var q dns.Msg
	if err := q.Unpack(packet); err != nil {
		f.Fatal(err)
	}
	f.Add(good(&q))
	f.Add(good(&q, func(m *dns.Msg) { m.Truncated = true }))
	f.Add(good(&q, func(m *dns.Msg) { m.Question[0].Name = "FINE.test." }))
	f.Add(packet)
	f.Fuzz(func(t *testing.T, reply []byte) {
		m, truncated, ok := upstream.Match(reply, packet, key)
		var lib dns.Msg
		err := lib.Unpack(reply)
		want := err == nil && lib.Id == q.Id && lib.Response && lib.Opcode == 0 && len(lib.Question) == 1 &&
			lib.Question[0].Qtype == key.Type && lib.Question[0].Qclass == key.Class && upstream.Same(lib.Question[0].Name, key)
		switch {
		case ok && (!want || lib.Truncated || m.String() != lib.String()):
			t.Errorf("believed %x", reply)
		case want && !ok && !truncated, want && truncated != lib.Truncated:
			t.Errorf("refused %x", reply)
		}
	})
}
