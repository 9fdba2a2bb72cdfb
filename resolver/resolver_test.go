package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/internal/event"
	"weir/internal/hostname"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/resolver"
)

const soa = "test. 600 IN SOA ns.test. root.test. 1 2 3 4 300"

func TestAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	for question, zone := range map[string]string{
		"fine.test. A":      "fine.test. 300 IN A 93.184.216.34",
		"www.fine.test. A":  "www.fine.test. 300 IN CNAME edge.cdn.test.\nedge.cdn.test. 60 IN A 93.184.216.35",
		"junk.test. A":      "junk.test. 300 IN A 93.184.216.34\nother.test. 300 IN A 93.184.216.66\n--\njunk.test. 300 IN NS ns.evil.test.",
		"cloak.test. A":     "cloak.test. 300 IN CNAME a.evil.test.\na.evil.test. 60 IN A 93.184.216.35",
		"late.test. A":      "late.test. 300 IN CNAME b.test.\nb.test. 300 IN CNAME evil.test.",
		"dname.test. A":     "d.test. 300 IN A 1.1.1.1",
		"x.d.test. A":       "d.test. 300 IN DNAME e.test.\nx.e.test. 300 IN A 93.184.216.34",
		"x.dn.test. A":      "dn.test. 300 IN DNAME evil.test.\nx.dn.test. 300 IN CNAME x.evil.test.",
		"x.lie.test. A":     "lie.test. 300 IN DNAME evil.test.\nx.lie.test. 300 IN CNAME x.fine.test.\nx.fine.test. 300 IN A 93.184.216.34",
		"rebind.test. A":    "rebind.test. 300 IN A 93.184.216.34\nrebind.test. 300 IN A 192.168.1.1",
		"mapped.test. AAAA": "mapped.test. 300 IN AAAA ::ffff:10.0.0.1",
		"nat64.test. AAAA":  "nat64.test. 300 IN AAAA 64:ff9b::10.0.0.1",
		"sixto4.test. AAAA": "sixto4.test. 300 IN AAAA 2002:0a00:0001::1",
		"listed.test. A":    "listed.test. 300 IN A 66.66.66.6",
		"in.corp.test. A":   "in.corp.test. 300 IN A 10.1.2.3",
		"hint.test. HTTPS":  "hint.test. 300 IN HTTPS 1 . alpn=h2 ipv4hint=10.0.0.1",
		"hint6.test. HTTPS": "hint6.test. 300 IN HTTPS 1 . ipv6hint=::1",
		"svc.test. HTTPS":   "svc.test. 300 IN HTTPS 1 svc.evil.test. alpn=h2",
		"good.test. HTTPS":  "good.test. 300 IN HTTPS 1 . alpn=\"h2\" ipv4hint=\"93.184.216.34\"",
		"mx.test. MX":       "mx.test. 300 IN MX 10 mail.evil.test.",
		"nomx.test. MX":     "nomx.test. 300 IN MX 0 .",
		"srv.test. SRV":     "srv.test. 300 IN SRV 0 0 443 evil.test.",
		"ns.test. NS":       "ns.test. 300 IN NS ns.evil.test.",
		"cn.test. CNAME":    "cn.test. 300 IN CNAME evil.test.",
		"loop.test. A":      "loop.test. 300 IN CNAME loop2.test.\nloop2.test. 300 IN CNAME loop.test.",
		"two.test. A":       "two.test. 300 IN CNAME a.test.\ntwo.test. 300 IN CNAME b.test.",
		"long.test. A":      longChain("long.test.", 12),
		"ok11.test. A":      longChain("ok11.test.", 11),
		"chaos.test. A":     "chaos.test. 300 CH A 93.184.216.34\n--\n" + soa,
		"wrong.test. A":     "wrong.test. 300 IN TXT \"not asked\"\n--\n" + soa,
		"nodata.test. A":    "--\n" + soa,
		"Case.test. A":      "",
	} {
		r.up.on(strings.ToLower(question[:strings.IndexByte(question, ' ')])+question[strings.IndexByte(question, ' '):], records(zone))
	}
	r.up.on("fail.test. A", records("", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }))
	for _, c := range []struct {
		question, want string
		ede            int
	}{
		{"fine.test. A", "NOERROR; fine.test. A 93.184.216.34", -1},
		{"fInE.TeSt. A", "NOERROR; fInE.TeSt. A 93.184.216.34", -1},
		{"www.fine.test. A", "NOERROR; www.fine.test. CNAME edge.cdn.test.; edge.cdn.test. A 93.184.216.35", -1},
		{"junk.test. A", "NOERROR; junk.test. A 93.184.216.34", -1},
		{"evil.test. A", "NXDOMAIN", 15},
		{"a.b.evil.test. TXT", "NXDOMAIN", 15},
		{"law.test. A", "NXDOMAIN", 16},
		{"cloak.test. A", "NXDOMAIN", 15},
		{"late.test. A", "NXDOMAIN", 15},
		{"x.d.test. A", "NOERROR; d.test. DNAME e.test.; x.d.test. CNAME x.e.test.; x.e.test. A 93.184.216.34", -1},
		{"x.dn.test. A", "NXDOMAIN", 15},
		{"x.lie.test. A", "SERVFAIL", 0},
		{"rebind.test. A", "NXDOMAIN", 15},
		{"mapped.test. AAAA", "NXDOMAIN", 15},
		{"nat64.test. AAAA", "NXDOMAIN", 15},
		{"sixto4.test. AAAA", "NXDOMAIN", 15},
		{"listed.test. A", "NXDOMAIN", 15},
		{"in.corp.test. A", "NOERROR; in.corp.test. A 10.1.2.3", -1},
		{"hint.test. HTTPS", "NXDOMAIN", 15},
		{"hint6.test. HTTPS", "NXDOMAIN", 15},
		{"svc.test. HTTPS", "NXDOMAIN", 15},
		{"good.test. HTTPS", "NOERROR; good.test. HTTPS 1 . alpn=\"h2\" ipv4hint=\"93.184.216.34\"", -1},
		{"mx.test. MX", "NXDOMAIN", 15},
		{"nomx.test. MX", "NOERROR; nomx.test. MX 0 .", -1},
		{"srv.test. SRV", "NXDOMAIN", 15},
		{"ns.test. NS", "NXDOMAIN", 15},
		{"cn.test. CNAME", "NXDOMAIN", 15},
		{"loop.test. A", "SERVFAIL", 0},
		{"two.test. A", "SERVFAIL", 0},
		{"long.test. A", "SERVFAIL", 0},
		{"chaos.test. A", "NOERROR", -1},
		{"wrong.test. A", "NOERROR", -1},
		{"nodata.test. A", "NOERROR", -1},
		{"none.test. A", "NXDOMAIN", -1},
		{"fail.test. A", "SERVFAIL", 22},
		{"localhost. A", "NOERROR; localhost. A 127.0.0.1", -1},
		{"a.localhost. AAAA", "NOERROR; a.localhost. AAAA ::1", -1},
		{"localhost. MX", "NOERROR", -1},
		{"use-application-dns.net. A", "NXDOMAIN", -1},
		{"_dns.resolver.arpa. SVCB", "NOERROR", -1},
		{"fine.test. ANY", "NOERROR; fine.test. HINFO \"RFC8482\" \"\"", -1},
		{"fine.test. AXFR", "REFUSED", 21},
		{"fine.test. IXFR", "REFUSED", 21},
		{"a\\.b.test. A", "NXDOMAIN", -1},
		{"a\\ \\000.evil.test. A", "NXDOMAIN", 15},
	} {
		cut := strings.LastIndexByte(c.question, ' ') // names may hold an escaped blank
		name, typ := c.question[:cut], c.question[cut+1:]
		for _, network := range []string{"udp", "tcp", "udp"} { // the third is a hit: the filter must say the same
			if network == "tcp" && typ == "AXFR" {
				continue // the test's client would begin a transfer
			}
			m := r.from(t, "127.0.0.1", network, msg(name, dns.StringToType[typ]))
			code, text := ede(m)
			if brief(m) != c.want || code != c.ede || m.Question[0].Name != name || len(text) > 128 {
				t.Errorf("%s %s: %s, EDE %d %q for %s", network, c.question, brief(m), code, text, m.Question[0].Name)
			}
			if len(m.Ns) > 0 && m.Ns[0].Header().Rrtype != dns.TypeSOA {
				t.Errorf("%s: authority %v", c.question, m.Ns)
			}
		}
	}
	if m := r.ask(t, "ok11.test.", dns.TypeA); len(m.Answer) != 12 {
		t.Errorf("a chain of 11: %s", brief(m))
	}
	for _, m := range r.up.asked() {
		for _, never := range []string{"localhost.", "use-application-dns.net.", "_dns.resolver.arpa.", "evil.test.", "law.test."} {
			if m.Question[0].Name == never {
				t.Errorf("%s went upstream", never)
			}
		}
	}
}

// longChain is a chain of n CNAMEs and an address.
func longChain(name string, n int) string {
	var b strings.Builder
	for i := range n {
		next := fmt.Sprintf("c%d.%s", i, name)
		if i == 0 {
			fmt.Fprintf(&b, "%s 300 IN CNAME %s\n", name, next)
		} else {
			fmt.Fprintf(&b, "c%d.%s 300 IN CNAME %s\n", i-1, name, next)
		}
	}
	fmt.Fprintf(&b, "c%d.%s 300 IN A 93.184.216.34", n-1, name)
	return b.String()
}

func TestUpstreamPacketsAreCanonical(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) { c.CacheEntries = 0 }})
	ids, ports := map[uint16]bool{}, map[string]bool{}
	const n = 40
	for i := range n {
		q := msg("FiNe.tEsT.", dns.TypeA)
		q.Id, q.Zero, q.CheckingDisabled, q.RecursionDesired = 4711, true, i%2 == 0, false
		opt := q.IsEdns0()
		opt.SetUDPSize(4096)
		opt.SetDo(i%4 < 2)
		opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("smuggled")}, &dns.EDNS0_PADDING{Padding: []byte("hidden")})
		if m := r.from(t, "127.0.0.1", "udp", q); m.Id != 4711 || m.Question[0].Name != "FiNe.tEsT." || m.RecursionDesired || !m.RecursionAvailable || m.CheckingDisabled != q.CheckingDisabled {
			t.Fatalf("reply %v", m)
		}
		asked := r.up.asked()
		got := asked[len(asked)-1]
		want := dns.Msg{
			MsgHdr:   dns.MsgHdr{Id: got.Id, RecursionDesired: true, AuthenticatedData: true, CheckingDisabled: i%2 == 0},
			Question: []dns.Question{{Name: "fine.test.", Qtype: dns.TypeA, Qclass: dns.ClassINET}},
		}
		want.SetEdns0(1232, i%4 < 2)
		if got.String() != want.String() {
			t.Fatalf("upstream got\n%s\nwant\n%s", got, want.String())
		}
		ids[got.Id] = true
	}
	r.up.mu.Lock()
	defer r.up.mu.Unlock()
	for _, from := range r.up.froms {
		ports[from] = true
	}
	if len(ids) < n-2 || ids[4711] && len(ids) < n || len(ports) < n/2 {
		t.Errorf("%d ids and %d ports for %d queries", len(ids), len(ports), n)
	}
}

func TestPolicySwapIsSeenAtOnceForCachedNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.up.on("www.test. A", records("www.test. 300 IN CNAME cdn.test.\ncdn.test. 300 IN A 93.184.216.34"))
	for _, c := range []struct {
		name, want string
		edit       func(*policy.Config)
	}{
		{"open", "NOERROR; www.test. CNAME cdn.test.; cdn.test. A 93.184.216.34", nil},
		{"name", "NXDOMAIN", func(c *policy.Config) {
			c.Rules = []policy.Rule{{Name: "r", Names: []string{"www.test"}, Action: policy.RuleBlock}}
		}},
		{"target", "REFUSED", func(c *policy.Config) {
			c.Rules = []policy.Rule{{Name: "r", Names: []string{"cdn.test"}, Answer: &verdict.Answer{Kind: verdict.AnswerRefused}, Action: policy.RuleBlock}}
		}},
		{"address", "NOERROR; www.test. A 0.0.0.0", func(c *policy.Config) {
			c.Rules = []policy.Rule{{Name: "r", Addresses: []netip.Prefix{netip.MustParsePrefix("93.184.216.0/24")}, Answer: &verdict.Answer{Kind: verdict.AnswerNull}, Action: policy.RuleBlock}}
		}},
		{"observed", "NOERROR; www.test. CNAME cdn.test.; cdn.test. A 93.184.216.34", func(c *policy.Config) {
			c.Observe = true
			c.Rules = []policy.Rule{{Name: "r", Names: []string{"cdn.test"}, Action: policy.RuleBlock}}
		}},
		{"allow rule carries to the target", "NOERROR; www.test. CNAME cdn.test.; cdn.test. A 93.184.216.34", func(c *policy.Config) {
			c.Rules = []policy.Rule{
				{Name: "a", Names: []string{"www.test"}, Action: policy.RuleAllow},
				{Name: "r", Names: []string{"cdn.test"}, Action: policy.RuleBlock},
			}
		}},
	} {
		r.gate.Swap(r.snapshot(t, c.edit))
		for _, network := range []string{"udp", "tcp"} {
			if m := r.from(t, "127.0.0.1", network, msg("www.test.", dns.TypeA)); brief(m) != c.want {
				t.Errorf("%s %s: %s", c.name, network, brief(m))
			}
		}
	}
	if n := r.up.count("www.test."); n != 1 {
		t.Errorf("%d upstream queries", n)
	}
}

func TestHowBlocksSpeak(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("fd00::9")
	for _, c := range []struct {
		name   string
		answer verdict.Answer
		qtype  uint16
		want   string
	}{
		{"page", verdict.Answer{}, dns.TypeA, "NXDOMAIN"},
		{"nxdomain", verdict.Answer{Kind: verdict.AnswerNXDOMAIN}, dns.TypeTXT, "NXDOMAIN"},
		{"null A", verdict.Answer{Kind: verdict.AnswerNull}, dns.TypeA, "NOERROR; Gone.test. A 0.0.0.0"},
		{"null AAAA", verdict.Answer{Kind: verdict.AnswerNull}, dns.TypeAAAA, "NOERROR; Gone.test. AAAA ::"},
		{"null HTTPS", verdict.Answer{Kind: verdict.AnswerNull}, dns.TypeHTTPS, "NOERROR"},
		{"refused", verdict.Answer{Kind: verdict.AnswerRefused}, dns.TypeA, "REFUSED"},
		{"address A", verdict.Answer{Kind: verdict.AnswerAddress, V4: v4, V6: v6}, dns.TypeA, "NOERROR; Gone.test. A 10.9.9.9"},
		{"address AAAA", verdict.Answer{Kind: verdict.AnswerAddress, V4: v4, V6: v6}, dns.TypeAAAA, "NOERROR; Gone.test. AAAA fd00::9"},
		{"address without v6", verdict.Answer{Kind: verdict.AnswerAddress, V4: v4}, dns.TypeAAAA, "NOERROR"},
		{"address TXT", verdict.Answer{Kind: verdict.AnswerAddress, V4: v4}, dns.TypeTXT, "NOERROR"},
	} {
		r := newRig(t, change{policy: func(p *policy.Config) {
			p.Rules = []policy.Rule{{Name: "no \x1b[31m\u202e", Text: "closed\n", Names: []string{"gone.test"}, Answer: &c.answer, Action: policy.RuleBlock}}
		}})
		m := r.ask(t, "Gone.test.", c.qtype)
		code, text := ede(m)
		if brief(m) != c.want || code != 15 || !strings.HasPrefix(text, `closed\u{000A} (rule no `) || strings.ContainsAny(text, "\x1b\n\u202e") || m.AuthenticatedData {
			t.Errorf("%s: %s EDE %d %q", c.name, brief(m), code, text)
		}
		for _, rr := range append(m.Ns, m.Answer...) {
			if rr.Header().Ttl != 60 {
				t.Errorf("%s: TTL of %v", c.name, rr)
			}
		}
		if negative := len(m.Answer) == 0 && m.Rcode != dns.RcodeRefused; negative && (len(m.Ns) != 1 || m.Ns[0].(*dns.SOA).Minttl != 60) {
			t.Errorf("%s: no SOA: %v", c.name, m.Ns)
		}
		plain := r.from(t, "127.0.0.1", "udp", new(dns.Msg).SetQuestion("gone.test.", c.qtype))
		if plain.IsEdns0() != nil {
			t.Errorf("%s: EDNS for a client without", c.name)
		}
	}
}

func TestDropSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{policy: func(p *policy.Config) { p.Answer.Kind = verdict.AnswerDrop }})
	q, _ := msg("evil.test.", dns.TypeA).Pack()
	for _, network := range []string{"udp", "tcp"} {
		if b := r.Handle(context.Background(), q, netip.MustParseAddrPort("127.0.0.1:5"), network); b != nil {
			t.Errorf("%s: %x", network, b)
		}
	}
	if e := r.last(t, 2); e.DNS.RCod != "" || e.DNS.EDE != -1 || e.Verdict != "block" || r.Stats().Dropped.Load() != 2 {
		t.Errorf("event %+v", e.DNS)
	}
}

func TestClientsAndGroups(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) {
		c.Scoped = func(s *policy.Snapshot, v verdict.Verdict) bool {
			return s.Explain(v).List == "young"
		}
	}})
	r.up.on("kids.test. A", records("kids.test. 300 IN A 93.184.216.34"))
	for range 2 { // the second round comes from the cache
		for _, c := range []struct {
			client, want string
			ede          int
		}{
			{"127.0.0.1", "NOERROR; kids.test. A 93.184.216.34", -1},
			{"127.0.0.2", "NXDOMAIN", 17},
			{"127.0.1.1", "REFUSED", 18},
		} {
			for _, network := range []string{"udp", "tcp"} {
				m := r.from(t, c.client, network, msg("kids.test.", dns.TypeA))
				code, text := ede(m)
				if brief(m) != c.want || code != c.ede || code == 18 && text != "" {
					t.Errorf("%s over %s: %s EDE %d %q", c.client, network, brief(m), code, text)
				}
			}
		}
	}
}

func TestSingleFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	const n = 100
	release := make(chan struct{})
	r.up.on("busy.test. A", func(w dns.ResponseWriter, q *dns.Msg) {
		<-release
		records("busy.test. 300 IN A 93.184.216.34")(w, q)
	})
	q, _ := msg("busy.test.", dns.TypeA).Pack()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if b := r.Handle(context.Background(), q, netip.MustParseAddrPort("127.0.0.1:5"), "udp"); b == nil {
				t.Errorf("%d: no reply", i)
			}
		})
	}
	for r.Stats().Misses.Load() < n {
		select {
		case <-t.Context().Done():
			t.Fatal("queries do not arrive")
		default:
			runtime.Gosched()
		}
	}
	close(release)
	all.Wait()
	if got := r.up.count("busy.test."); got != 1 {
		t.Errorf("%d upstream queries for %d identical ones", got, n)
	}
}

func TestCacheTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) { c.MinTTL, c.MaxTTL, c.NegativeTTL = 30*time.Second, time.Hour, 2*time.Minute }})
	r.up.on("plain.test. A", records("plain.test. 300 IN A 93.184.216.34"))
	r.up.on("short.test. A", records("short.test. 0 IN A 93.184.216.34"))
	r.up.on("long.test. A", records("long.test. 999999 IN A 93.184.216.34"))
	r.up.on("minus.test. A", records("minus.test. 4294967295 IN A 93.184.216.34"))
	r.up.on("mixed.test. A", records("mixed.test. 300 IN CNAME x.test.\nx.test. 40 IN A 93.184.216.34"))
	r.up.on("neg.test. A", records("--\ntest. 600 IN SOA ns.test. root.test. 1 2 3 4 100", func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }))
	r.up.on("cap.test. A", records("--\ntest. 600 IN SOA ns.test. root.test. 1 2 3 4 500"))
	for _, c := range []struct {
		name       string
		first, hit uint32 // TTL at once and 10 s later
		life       time.Duration
	}{
		{"plain.test.", 300, 290, 300 * time.Second},
		{"short.test.", 30, 20, 30 * time.Second},
		{"long.test.", 3600, 3590, time.Hour},
		{"minus.test.", 30, 20, 30 * time.Second},
		{"mixed.test.", 300, 290, 40 * time.Second},
		{"neg.test.", 100, 90, 100 * time.Second},
		{"cap.test.", 120, 110, 120 * time.Second},
		{"nosoa.test.", 0, 0, 0},
	} {
		ttl := func() (out uint32) {
			m := r.ask(t, c.name, dns.TypeA)
			for _, rr := range append(m.Answer, m.Ns...) {
				return rr.Header().Ttl
			}
			return 0
		}
		if got := ttl(); got != c.first {
			t.Errorf("%s: TTL %d, want %d", c.name, got, c.first)
		}
		r.clock.Add(10 * time.Second)
		if got := ttl(); got != c.hit {
			t.Errorf("%s: TTL %d on a hit, want %d", c.name, got, c.hit)
		}
		r.clock.Add(max(c.life-11*time.Second, 0))
		want := 1
		if c.life == 0 {
			want = 3
		}
		if ttl(); r.up.count(c.name) != want {
			t.Errorf("%s: %d upstream queries within its life", c.name, r.up.count(c.name))
		}
		r.clock.Add(time.Second)
		if ttl(); r.up.count(c.name) != want+1 {
			t.Errorf("%s: %d upstream queries behind its life", c.name, r.up.count(c.name))
		}
	}
}

func TestCacheKeysNeverCross(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	seen := map[string]bool{}
	for i := range 8 {
		q := msg("key.test.", dns.TypeA)
		if i&1 != 0 {
			q.Question[0].Qtype = dns.TypeAAAA
		}
		q.CheckingDisabled = i&2 != 0
		q.IsEdns0().SetDo(i&4 != 0)
		data := fmt.Sprintf("93.184.216.%d", i)
		zone := "key.test. 300 IN A " + data
		if i&1 != 0 {
			data = fmt.Sprintf("2606:4700::%d", i)
			zone = "key.test. 300 IN AAAA " + data
		}
		r.up.on("key.test. "+dns.Type(q.Question[0].Qtype).String(), records(zone))
		for range 2 {
			m := r.from(t, "127.0.0.1", "udp", q.Copy())
			if !strings.HasSuffix(brief(m), " "+data) {
				t.Errorf("%d: %s, want %s", i, brief(m), data)
			}
			seen[brief(m)] = true
		}
	}
	if len(seen) != 8 || r.up.count("key.test.") != 8 {
		t.Errorf("%d answers, %d upstream queries", len(seen), r.up.count("key.test."))
	}
}

func TestTruncation(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	var zone strings.Builder
	for i := range 200 {
		fmt.Fprintf(&zone, "big.test. 300 IN A 93.184.%d.%d\n", i/100, i)
	}
	r.up.on("big.test. A", func(w dns.ResponseWriter, q *dns.Msg) {
		if w.LocalAddr().Network() == "udp" {
			records("", func(m *dns.Msg) { m.Truncated, m.Rcode = true, dns.RcodeSuccess })(w, q)
			return
		}
		records(zone.String())(w, q)
	})
	for _, c := range []struct {
		size int // 0: no EDNS
		most int
	}{{0, 512}, {100, 512}, {512, 512}, {900, 900}, {1232, 1232}, {4096, 1232}} {
		q := new(dns.Msg).SetQuestion("big.test.", dns.TypeA)
		if c.size > 0 {
			q.SetEdns0(uint16(c.size), false)
		}
		b, _ := q.Pack()
		reply := r.Handle(context.Background(), b, netip.MustParseAddrPort("127.0.0.1:5"), "udp")
		var m dns.Msg
		if err := m.Unpack(reply); err != nil || !m.Truncated || len(reply) > c.most || (m.IsEdns0() != nil) != (c.size > 0) {
			t.Errorf("size %d: %d octets, TC %v, %v", c.size, len(reply), m.Truncated, err)
		}
	}
	if m := r.from(t, "127.0.0.1", "tcp", msg("big.test.", dns.TypeA)); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("over TCP: TC %v, %d records", m.Truncated, len(m.Answer))
	}
	if r.UpstreamStats().TCP.Load() == 0 {
		t.Error("a truncated answer must be asked again over TCP")
	}
}

func TestAD(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	ad := func(m *dns.Msg) { m.AuthenticatedData = true }
	r.up.on("signed.test. A", records("signed.test. 300 IN A 93.184.216.34", ad))
	r.up.on("padded.test. A", records("padded.test. 300 IN A 93.184.216.34\nother.test. 300 IN A 93.184.216.34", ad))
	r.up.on("cloak.test. A", records("cloak.test. 300 IN CNAME evil.test.", ad))
	for _, c := range []struct {
		name   string
		ad, do bool
		want   bool
	}{
		{"signed.test.", true, false, true},
		{"signed.test.", false, true, true},
		{"signed.test.", false, false, false},
		{"padded.test.", true, true, false},
		{"cloak.test.", true, true, false},
	} {
		q := msg(c.name, dns.TypeA)
		q.AuthenticatedData = c.ad
		q.IsEdns0().SetDo(c.do)
		for range 2 {
			if m := r.from(t, "127.0.0.1", "udp", q.Copy()); m.AuthenticatedData != c.want {
				t.Errorf("%+v: AD %v", c, m.AuthenticatedData)
			}
		}
	}
}

func TestDNSSECRecordsPass(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	sig := func(owner, covered, signer string) string {
		return owner + " 300 IN RRSIG " + covered + " 13 2 300 20270101000000 20260101000000 1 " + signer + " c2ln"
	}
	r.up.on("s.test. A", records("s.test. 300 IN A 93.184.216.34\n"+sig("s.test.", "A", "test.")+"\n--\nq.test. 300 IN NSEC t.test. A\n"+
		sig("q.test.", "NSEC", "test.")+"\nx.other. 300 IN NSEC y.other. A\n"+sig("x.other.", "NSEC", "other.")+"\nunsigned.test. 300 IN NSEC z.test. A"))
	q := msg("s.test.", dns.TypeA)
	q.IsEdns0().SetDo(true)
	m := r.from(t, "127.0.0.1", "udp", q)
	if len(m.Answer) != 2 || len(m.Ns) != 2 || m.Ns[0].Header().Name != "q.test." || !m.IsEdns0().Do() {
		t.Errorf("%v", m)
	}
	if m := r.ask(t, "s.test.", dns.TypeA); len(m.Answer) != 1 || len(m.Ns) != 0 {
		t.Errorf("without DO: %v", m)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.up.on("www.test. A", records("www.test. 300 IN CNAME cdn.test.\ncdn.test. 300 IN A 93.184.216.34"))
	for i, c := range []struct {
		name  string
		qtype uint16
		check func(*event.Event) bool
	}{
		{"wWw.test.", dns.TypeA, func(e *event.Event) bool {
			return e.Verdict == "allow" && e.DNS.Cache == "miss" && e.DNS.Upstream == r.up.addr.String() && e.DNS.Name == "www.test" && e.DNS.RCod == "NOERROR" &&
				len(e.DNS.Answers) == 2 && e.DNS.Answers[1] == event.Answer{Name: "cdn.test", Type: "A", Data: "93.184.216.34", TTL: 300} && e.DNS.EDE == -1
		}},
		{"www.test.", dns.TypeA, func(e *event.Event) bool { return e.DNS.Cache == "hit" && e.DNS.Upstream == "" }},
		{"evil.test.", dns.TypeTXT, func(e *event.Event) bool {
			return e.Verdict == "block" && e.List.Name == "bad" && e.List.Line == 7 && e.DNS.RCod == "NXDOMAIN" && e.DNS.EDE == 15 && e.DNS.Type == "TXT" && e.DNS.Class == "IN"
		}},
		{"localhost.", dns.TypeA, func(e *event.Event) bool { return e.DNS.Cache == "local" && e.Verdict == "allow" }},
		{"fine.test.", dns.TypeAXFR, func(e *event.Event) bool {
			return e.Verdict == "block" && e.DNS.RCod == "REFUSED" && e.Cause == "safety"
		}},
	} {
		q, _ := msg(c.name, c.qtype).Pack()
		r.Handle(context.Background(), q, netip.MustParseAddrPort("127.0.0.1:5"), "udp")
		if e := r.last(t, i+1); e.Kind != event.KindDNS || !c.check(e) {
			t.Errorf("%s: %+v %+v", c.name, e, e.DNS)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	good, _ := msg("fine.test.", dns.TypeA).Pack()
	edit := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	chaos := msg("version.bind.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	ch, _ := chaos.Pack()
	for _, c := range []struct {
		name   string
		packet []byte
		rcode  int // -1: no reply
	}{
		{"empty", nil, -1},
		{"short", good[:11], -1},
		{"response", edit(func(b []byte) []byte { b[2] |= 0x80; return b }), -1},
		{"opcode", edit(func(b []byte) []byte { b[2] |= 4 << 3; return b }), dns.RcodeNotImplemented},
		{"cut", good[:20], dns.RcodeFormatError},
		{"trailing", edit(func(b []byte) []byte { return append(b, 0) }), dns.RcodeFormatError},
		{"two questions", edit(func(b []byte) []byte { b[5] = 2; return b }), dns.RcodeFormatError},
		{"EDNS version", edit(func(b []byte) []byte { b[len(b)-5] = 1; return b }), dns.RcodeBadVers},
		{"chaos", ch, dns.RcodeRefused},
	} {
		b := r.Handle(context.Background(), c.packet, netip.MustParseAddrPort("127.0.0.1:5"), "udp")
		var m dns.Msg
		switch {
		case (b == nil) != (c.rcode < 0):
			t.Errorf("%s: %x", c.name, b)
		case b == nil:
		case m.Unpack(b) != nil || m.Rcode != c.rcode || !m.Response || b[0] != c.packet[0] || b[1] != c.packet[1]:
			t.Errorf("%s: %v", c.name, &m)
		}
		if b := r.Handle(context.Background(), c.packet, netip.MustParseAddrPort("192.0.2.1:5"), "udp"); b != nil && c.name != "chaos" {
			t.Errorf("%s: a stranger got %x", c.name, b)
		}
	}
	if n := len(r.up.asked()); n != 0 {
		t.Errorf("%d queries went upstream", n)
	}
}

func TestPanicCostsOneQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) {
		c.Scoped = func(*policy.Snapshot, verdict.Verdict) bool { panic("boom") }
	}})
	r.up.on("fine.test. A", records("fine.test. 300 IN A 93.184.216.34"))
	for i, network := range []string{"udp", "tcp"} {
		if m := r.from(t, "127.0.0.1", network, msg("evil.test.", dns.TypeA)); m.Rcode != dns.RcodeServerFailure {
			t.Errorf("%s: %s", network, brief(m))
		}
		if e := r.last(t, 2*i+1); e.Error != "panic" || e.DNS.RCod != "SERVFAIL" {
			t.Errorf("event %+v", e)
		}
		if m := r.from(t, "127.0.0.1", network, msg("fine.test.", dns.TypeA)); m.Rcode != dns.RcodeSuccess {
			t.Errorf("%s: %s", network, brief(m))
		}
	}
	if r.Stats().Panics.Load() != 2 {
		t.Errorf("%d panics", r.Stats().Panics.Load())
	}
}

func TestNoUpstream(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	err := r.SetUpstreams(resolver.Upstreams{Servers: r.Addrs()})
	if !errors.Is(err, resolver.ErrNoUpstream) || r.Ready() {
		t.Errorf("our own address as upstream: %v", err)
	}
	m := r.ask(t, "fine.test.", dns.TypeA)
	if code, text := ede(m); m.Rcode != dns.RcodeServerFailure || code != 23 || text == "" {
		t.Errorf("%s EDE %d %q", brief(m), code, text)
	}
	if err := r.SetUpstreams(resolver.Upstreams{Servers: []netip.AddrPort{r.up.addr}}); err != nil || !r.Ready() {
		t.Error(err)
	}
	if m := r.ask(t, "fine.test.", dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("%s", brief(m))
	}
}

func TestInternalZonesHaveTheirServers(t *testing.T) {
	t.Parallel()
	inside := newFake(t)
	r := newRig(t, change{})
	zones := []hostname.Name{hostname.MustParse("corp.test")}
	if err := r.SetUpstreams(resolver.Upstreams{Servers: []netip.AddrPort{r.up.addr}, InternalZones: zones, Internal: []netip.AddrPort{inside.addr}}); err != nil {
		t.Fatal(err)
	}
	inside.on("a.corp.test. A", records("a.corp.test. 300 IN A 10.0.0.1"))
	if m := r.ask(t, "a.corp.test.", dns.TypeA); brief(m) != "NOERROR; a.corp.test. A 10.0.0.1" || len(r.up.asked()) != 0 {
		t.Errorf("%s", brief(m))
	}
	r.ask(t, "corp.test.example.", dns.TypeA)
	if inside.count("corp.test.example.") != 0 || r.up.count("corp.test.example.") != 1 {
		t.Error("a name outside the zone went to its servers")
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.up.on("www.test. A", records("www.test. 300 IN CNAME evil.test.\nevil.test. 300 IN A 10.0.0.1"))
	r.up.on("www.test. AAAA", records("www.test. 300 IN CNAME evil.test.\nevil.test. 300 IN AAAA 2606:4700::1"))
	r.up.on("four.test. A", records("four.test. 300 IN A 93.184.216.34"))
	r.up.on("four.test. AAAA", records("", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }))
	r.up.on("text.test. A", records("--\n"+soa))
	r.up.on("text.test. AAAA", records("--\n"+soa))
	r.up.on("bad.test. A", records("", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }))
	r.up.on("bad.test. AAAA", records("--\n"+soa))
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"www.test", "[10.0.0.1 2606:4700::1] [evil.test]", nil},
		{"four.test", "[93.184.216.34] []", nil},
		{"localhost", "[127.0.0.1 ::1] []", nil},
		{"none.test", "[] []", resolver.ErrNoName},
		{"text.test", "[] []", resolver.ErrNoAddress},
	} {
		a, err := r.Addresses(t.Context(), hostname.MustParse(c.name))
		if got := fmt.Sprint(a.Addrs, " ", a.Chain); !strings.Contains(got, strings.Fields(c.want)[0]) || !errors.Is(err, c.err) || len(a.Addrs) > 0 && err != nil {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
	if _, err := r.Addresses(t.Context(), hostname.MustParse("bad.test")); err == nil || errors.Is(err, resolver.ErrNoAddress) {
		t.Errorf("a failing upstream: %v", err)
	}
	if a, err := r.Addresses(t.Context(), hostname.MustParse("www.test")); err != nil || len(a.Addrs) != 2 || len(a.Chain) != 1 || a.Chain[0].String() != "evil.test" || r.up.count("www.test.") != 2 {
		t.Errorf("from the cache: %+v, %v, %d upstream queries", a, err, r.up.count("www.test."))
	}
	if n := len(r.events.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Addresses(ctx, hostname.MustParse("late.test")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
