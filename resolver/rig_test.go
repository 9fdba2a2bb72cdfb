package resolver_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"weir/blocklists"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/resolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits that end earlier unless something is broken.
const patience = 20 * time.Second

// fake is an upstream server: a script of answers by "name TYPE" and a record of what was asked.
type fake struct {
	addr netip.AddrPort

	mu      sync.Mutex
	script  map[string]func(w dns.ResponseWriter, q *dns.Msg)
	zones   map[string]func(w dns.ResponseWriter, q *dns.Msg)
	packets []*dns.Msg
	froms   []string
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{script: map[string]func(dns.ResponseWriter, *dns.Msg){}, zones: map[string]func(dns.ResponseWriter, *dns.Msg){}}
	var l net.Listener
	var p net.PacketConn
	var err error
	for range 16 {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if p, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().(*net.TCPAddr).AddrPort()
	for _, s := range []*dns.Server{{Listener: l, Handler: f}, {PacketConn: p, Handler: f}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return f
}

// ServeDNS answers from the script, NXDOMAIN when there is nothing in it.
func (f *fake) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	f.mu.Lock()
	f.packets = append(f.packets, q)
	f.froms = append(f.froms, w.RemoteAddr().String())
	do := f.script[strings.ToLower(q.Question[0].Name)+" "+dns.Type(q.Question[0].Qtype).String()]
	longest := ""
	for zone, all := range f.zones {
		if dns.IsSubDomain(zone, q.Question[0].Name) && len(zone) > len(longest) {
			do, longest = all, zone
		}
	}
	f.mu.Unlock()
	if do == nil {
		do = records("")
	}
	do(w, q)
}

// on scripts the answer to a question: "fine.test. A".
func (f *fake) on(question string, do func(dns.ResponseWriter, *dns.Msg)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[question] = do
}

// zone scripts the answer to all questions at and below a name.
func (f *fake) zone(name string, do func(dns.ResponseWriter, *dns.Msg)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.zones[name] = do
}

func (f *fake) asked() []*dns.Msg {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*dns.Msg(nil), f.packets...)
}

func (f *fake) count(name string) (n int) {
	for _, m := range f.asked() {
		if m.Question[0].Name == name {
			n++
		}
	}
	return n
}

// records answers with records in zone-file form, one on each line; those after "--" go into the authority section. No records
// are NXDOMAIN.
func records(zone string, edit ...func(*dns.Msg)) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		section := &m.Answer
		for line := range strings.SplitSeq(zone, "\n") {
			switch line = strings.TrimSpace(line); line {
			case "":
			case "--":
				section = &m.Ns
			default:
				rr, err := dns.NewRR(line)
				if err != nil {
					panic(line + ": " + err.Error())
				}
				*section = append(*section, rr)
			}
		}
		if len(m.Answer)+len(m.Ns) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		for _, e := range edit {
			e(m)
		}
		m.Compress = true
		_ = w.WriteMsg(m)
	}
}

// rig is a resolver with the real gate, a small policy and a fake upstream.
type rig struct {
	*resolver.Resolver
	gate   *gate.Gate
	events *event.Memory
	engine *inspect.Engine
	up     *fake
	clock  *clock
	seen   *questions
}

// clock is the resolver's time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// questions remembers what the gate judged.
type questions struct {
	mu   sync.Mutex
	list []inspect.Question
}

func (q *questions) Observe(tx *inspect.Transaction) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, tx.Question)
}

func (q *questions) take() []inspect.Question {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.list
	q.list = nil
	return out
}

type change struct {
	policy   func(*policy.Config)
	resolver func(*resolver.Config)
}

func newRig(t testing.TB, c change) *rig {
	t.Helper()
	r := &rig{
		events: &event.Memory{}, engine: inspect.NewEngine(detect.All(), nil), up: newFake(t), seen: &questions{},
		clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)},
	}
	r.gate = gate.New(gate.Config{Engine: r.engine, Recorder: r.events, Allowed: true, Observers: []inspect.Observer{r.seen}})
	r.gate.Swap(r.snapshot(t, c.policy))
	cfg := resolver.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Now: r.clock.Now,
		Upstreams: resolver.Upstreams{Servers: []netip.AddrPort{r.up.addr}}, CacheEntries: 1000, NegativeTTL: 5 * time.Minute,
		Timeout: patience,
	}
	if c.resolver != nil {
		c.resolver(&cfg)
	}
	var err error
	if r.Resolver, err = resolver.New(r.gate, cfg); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// snapshot compiles the rig's policy: evil.test is bad, law.test stands on a legal list, kids.test is blocked for the group kids.
func (r *rig) snapshot(t testing.TB, edit func(*policy.Config)) *policy.Snapshot {
	t.Helper()
	b := blocklists.NewBuilder()
	for _, l := range []blocklists.List{
		{Name: "bad", Category: "malware"}, {Name: "law", Category: "legal"}, {Name: "young", Category: "adult", Groups: []string{"kids"}},
	} {
		n, err := b.AddList(l)
		if err != nil {
			t.Fatal(err)
		}
		entries := map[string][]blocklists.Entry{
			"bad":   {{Name: hostname.MustParse("evil.test"), Line: 7}, {Prefix: netip.MustParsePrefix("66.66.66.0/24"), Line: 8}},
			"law":   {{Name: hostname.MustParse("law.test"), Line: 1}},
			"young": {{Name: hostname.MustParse("kids.test"), Line: 1}},
		}[l.Name]
		for _, e := range entries {
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	cfg := r.policy(t)
	if edit != nil {
		edit(&cfg)
	}
	s, err := policy.Compile(cfg, b.Build())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// policy is the rig's policy without lists.
func (r *rig) policy(t testing.TB) policy.Config {
	t.Helper()
	clients, err := identity.NewTable(
		[]identity.Group{{Name: "kids", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}},
		[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/28")})
	if err != nil {
		t.Fatal(err)
	}
	return policy.Config{
		Version: "test", Clients: clients, Default: verdict.Allow, AnswerTTL: time.Minute, Detectors: r.engine.Infos(),
		Reputation: map[verdict.Class]verdict.Action{verdict.ClassBad: verdict.Block},
		Internal:   policy.Internal{Zones: []hostname.Name{hostname.MustParse("corp.test")}},
	}
}

// msg is a query with EDNS.
func msg(name string, qtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(name, qtype).SetEdns0(1232, false)
}

// from asks over a network from a loopback address.
func (r *rig) from(t testing.TB, client, network string, q *dns.Msg) *dns.Msg {
	t.Helper()
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(client)}
	if network == "tcp" {
		local = &net.TCPAddr{IP: net.ParseIP(client)}
	}
	c := dns.Client{Net: network, Timeout: patience, Dialer: &net.Dialer{LocalAddr: local, Timeout: patience}, UDPSize: 4096}
	m, _, err := c.Exchange(q, r.Addrs()[0].String())
	if err != nil {
		t.Fatalf("%s %s: %v", network, q.Question[0].Name, err)
	}
	return m
}

func (r *rig) ask(t testing.TB, name string, qtype uint16) *dns.Msg {
	t.Helper()
	return r.from(t, "127.0.0.1", "udp", msg(name, qtype))
}

// ede returns the extended error of a reply, -1 for none.
func ede(m *dns.Msg) (int, string) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				return int(e.InfoCode), e.ExtraText
			}
		}
	}
	return -1, ""
}

// brief is a reply in one line: rcode, then the answer section.
func brief(m *dns.Msg) string {
	out := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		h := rr.Header()
		out = append(out, h.Name+" "+dns.Type(h.Rrtype).String()+" "+strings.TrimPrefix(rr.String(), h.String()))
	}
	return strings.Join(out, "; ")
}

// last waits for the event of the transaction that just ended.
func (r *rig) last(t testing.TB, n int) *event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events, err := r.events.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return events[n-1]
}
