package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/blocklists/set"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/resolver"
)

// visit is what the proxy does for a request of a client to a name: it resolves it and has its name servers judged.
func (r *rig) visit(ctx context.Context, t testing.TB, client, name string) (*gate.Exchange, error) {
	t.Helper()
	n, addr := hostname.MustParse(name), netip.MustParseAddr(client)
	x := r.gate.Begin(inspect.DNS, &inspect.Flow{Client: r.gate.Policy().Client(addr), Transport: "tcp"}, r.clock.Now())
	if x.Query(r.clock.Now(), inspect.Question{Name: n, Type: dns.TypeA, Class: 1}).Blocks() {
		t.Errorf("%s: blocked before its name servers: %+v", name, x.Trace())
	}
	a, err := r.Addresses(t.Context(), n)
	if err != nil {
		t.Error(err)
	}
	return x, r.JudgeServers(ctx, x, n, a.Chain)
}

func blockedVisit(x *gate.Exchange) bool { return x.Verdict().Blocks() }

// TestJudgeServers: the proxy's requests meet the same name servers as queries do, and cost no question more.
func TestJudgeServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, append(entry("server:ns.crook.test", set.ReplyNXDOMAIN), entry("server:93.184.217.0/24", set.ReplyNoData)...))
	r.served("one.test. ns.crook.test. 93.184.216.1", "three.test. ns.three-host.test. 93.184.217.3", "fine.test. ns.host.test. 93.184.216.5",
		// The name of the target is no name of a server.
		"crook.test. ns.host.test. 93.184.216.5")
	r.up.zone("alias.test.", records("x.alias.test. 60 IN CNAME www.one.test.\nwww.one.test. 60 IN A 93.184.216.34"))
	for name, want := range map[string]bool{
		"www.one.test": true, "one.test": true, "www.three.test": true, "fine.test": false, "a.b.fine.test": false, "x.alias.test": true, "ns.crook.test": false,
		"host.corp.test": false,
	} {
		r.up.on("host.corp.test. A", records("host.corp.test. 60 IN A 10.0.0.1"))
		for range 2 {
			if x, err := r.visit(t.Context(), t, "127.0.0.1", name); err != nil || blockedVisit(x) != want {
				t.Errorf("%s: %v, %+v", name, err, x.Trace())
			}
		}
	}
	asked := len(r.up.asked())
	if _, err := r.visit(t.Context(), t, "127.0.0.1", "www.fine.test"); err != nil || len(r.up.asked()) != asked+2 {
		t.Errorf("another name of a known zone: %v, %d questions besides A and AAAA", err, len(r.up.asked())-asked-2)
	}
}

// TestSilentServersOfAProxy: a search ends with its caller, whose time being over lets nothing through.
func TestSilentServersOfAProxy(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) { c.Timeout = 300 * time.Millisecond }})
	r.lists(t, entry("server:ns.crook.test", set.ReplyNXDOMAIN))
	r.up.zone("mute.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype != dns.TypeNS {
			records(q.Question[0].Name+" 60 IN A 93.184.216.34")(w, q)
		}
	})
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := r.visit(over, t, "127.0.0.1", "a.mute.test"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller without time was let through: %v", err)
	}
	x, err := r.visit(t.Context(), t, "127.0.0.1", "a.mute.test")
	if err != nil || blockedVisit(x) || len(x.Trace().Steps) != 2 || x.Trace().Steps[1].Subject != "a.mute.test" || r.Stats().ServersUnknown.Load() == 0 {
		t.Errorf("%v, %+v", err, x.Trace())
	}
}

// TestHostileZonesCostLittle: a zone whose records may not be kept, and answers that are too long to keep, cost their questions once; and all searches of
// one client together have a bounded number of questions under way.
func TestHostileZonesCostLittle(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, entry("server:93.184.217.0/24", set.ReplyNXDOMAIN))
	var servers, huge []string
	for i := range 20 {
		servers = append(servers, fmt.Sprintf("zero.test. 0 IN NS ns%d.zero.test.", i))
	}
	for i := range 60 {
		huge = append(huge, fmt.Sprintf("huge.test. 60 IN NS %s.ns%d.test.", strings.Repeat("x", 63)+"."+strings.Repeat("y", 60), i))
	}
	r.up.zone("zero.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		switch name := q.Question[0].Name; q.Question[0].Qtype {
		case dns.TypeNS:
			records(strings.Join(servers, "\n"))(w, q)
		case dns.TypeA:
			records(name+" 0 IN A 93.184.216.34")(w, q)
		default:
			records("", func(m *dns.Msg) { m.Rcode = dns.RcodeSuccess })(w, q)
		}
	})
	r.up.zone("huge.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		switch _, udp := w.RemoteAddr().(interface{ AddrPort() netip.AddrPort }); {
		case q.Question[0].Qtype != dns.TypeNS:
			records("huge.test. 60 IN A 93.184.216.34")(w, q)
		default:
			records(strings.Join(huge, "\n"), func(m *dns.Msg) {
				if udp && w.RemoteAddr().Network() == "udp" {
					m.Answer, m.Truncated = nil, true
				}
			})(w, q)
		}
	})
	for range 10 {
		if x, err := r.visit(t.Context(), t, "127.0.0.1", "zero.test"); err != nil || blockedVisit(x) {
			t.Errorf("%v %+v", err, x.Trace())
		}
		if x, err := r.visit(t.Context(), t, "127.0.0.1", "huge.test"); err != nil || !blockedVisit(x) {
			t.Errorf("a huge answer was let through: %v %+v", err, x.Trace())
		}
	}
	if n := r.Stats().Servers.Load(); n != 1+40+1 {
		t.Errorf("%d questions about name servers in 20 searches", n)
	}
}

// TestSearchesOfOneClient: who opens many names with many servers that do not answer is refused more questions, and others go on.
func TestSearchesOfOneClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, append(entry("server:93.184.217.0/24", set.ReplyNXDOMAIN), entry("server:ns.crook.test", set.ReplyNXDOMAIN)...))
	hold := make(chan struct{})
	for i := range 12 {
		var servers []string
		for j := range 60 {
			servers = append(servers, fmt.Sprintf("z%d.test. 60 IN NS ns%d.z%d.test.", i, j, i))
		}
		r.up.zone(fmt.Sprintf("z%d.test.", i), func(w dns.ResponseWriter, q *dns.Msg) {
			switch {
			case q.Question[0].Qtype == dns.TypeNS:
				records(strings.Join(servers, "\n"), func(m *dns.Msg) { m.Compress = true })(w, q)
			case strings.HasPrefix(q.Question[0].Name, "ns"):
				<-hold
			default:
				records(q.Question[0].Name+" 60 IN A 93.184.216.34")(w, q)
			}
		})
	}
	r.served("one.test. ns.crook.test. 93.184.216.1")
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	refused := make(chan error, 12)
	for i := range 12 {
		all.Go(func() {
			_, err := r.visit(ctx, t, "127.0.0.1", fmt.Sprintf("z%d.test", i))
			refused <- err
		})
	}
	// Those beyond are refused at once, the others wait: no order but this one is sure.
	if err := <-refused; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("not refused: %v", err)
	}
	if x, err := r.visit(t.Context(), t, "127.0.0.9", "www.one.test"); err != nil || !blockedVisit(x) {
		t.Errorf("another client: %v, %+v", err, x.Trace())
	}
	close(hold)
	cancel()
	all.Wait()
	if n := r.Pending(); n != 0 {
		t.Errorf("%d pending", n)
	}
}
