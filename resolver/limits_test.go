package resolver_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver"
	"weir/resolver/listener"
)

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// flood sends n questions of a client for names that the upstream is silent about.
func (r *rig) flood(t *testing.T, client string, n int) {
	t.Helper()
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(client)}, net.UDPAddrFromAddrPort(r.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for i := range n {
		b, err := msg(fmt.Sprintf("n%d.%s.silent.test.", i, strings.ReplaceAll(client, ".", "-")), dns.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		before := uint64(i + 1)
		until(t, "flood", func() bool { // so that the kernel drops none of them
			return r.ListenerStats().Dropped.Load()+r.Stats().Queries.Load() >= before
		})
	}
}

func TestOneClientStarvesNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := newRig(t, change{resolver: func(c *resolver.Config) {
		c.Limits = listener.Config{Workers: 4}
		c.Timeout = time.Hour // only the test ends the silence
	}})
	r.up.zone("silent.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		<-release
		records("")(w, q)
	})
	t.Cleanup(func() { close(release) }) // before the rig's shutdown
	r.up.on("fine.test. A", records("fine.test. 300 IN A 93.184.216.34"))
	r.ask(t, "fine.test.", dns.TypeA)

	r.flood(t, "127.0.0.2", 3000)
	until(t, "places", func() bool { return r.Pending() >= 200 })
	if n := r.Pending(); n > 256 || r.ListenerStats().Parked.Load() < 200 {
		t.Errorf("%d pending, %d parked", n, r.ListenerStats().Parked.Load())
	}
	if r.Stats().OverLimit.Load() == 0 {
		t.Error("no query was over the limit")
	}
	r.up.on("fresh.test. A", records("fresh.test. 300 IN A 93.184.216.35"))
	for range 20 {
		for _, network := range []string{"udp", "tcp"} {
			for name, want := range map[string]string{
				"fine.test.": "NOERROR; fine.test. A 93.184.216.34", "evil.test.": "NXDOMAIN", "localhost.": "NOERROR; localhost. A 127.0.0.1",
				"fresh.test.": "NOERROR; fresh.test. A 93.184.216.35",
			} {
				if m := r.from(t, "127.0.0.3", network, msg(name, dns.TypeA)); brief(m) != want {
					t.Errorf("%s %s: %s", network, name, brief(m))
				}
			}
			if m := r.from(t, "127.0.0.2", network, msg("fine.test.", dns.TypeA)); m.Rcode != dns.RcodeSuccess {
				t.Errorf("the client itself, cached: %s", brief(m))
			}
		}
	}
	for i := 0; r.Pending() < 256; i++ { // those that were dropped before there was a worker
		q, _ := msg(fmt.Sprintf("m%d.silent.test.", i), dns.TypeA).Pack()
		before := r.Pending()
		go r.Handle(context.Background(), q, netip.MustParseAddrPort("127.0.0.2:5"), "udp")
		until(t, "place", func() bool { return r.Pending() > before })
	}
	m := r.from(t, "127.0.0.2", "udp", msg("late.silent.test.", dns.TypeA))
	if code, text := ede(m); m.Rcode != dns.RcodeServerFailure || code != 0 || text == "" {
		t.Errorf("over the limit: %s EDE %d %q", brief(m), code, text)
	}
}

// TestSlowConnectionsStarveNobody: questions over TCP that wait hold no share of the server either.
func TestSlowConnectionsStarveNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := newRig(t, change{resolver: func(c *resolver.Config) {
		c.Limits = listener.Config{Workers: 2}
		c.Timeout = time.Hour
	}})
	r.up.zone("silent.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		<-release
		records("")(w, q)
	})
	t.Cleanup(func() { close(release) })
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	c, err := d.DialContext(t.Context(), "tcp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := dns.Conn{Conn: c}
	for i := range 10 {
		if err := conn.WriteMsg(msg(fmt.Sprintf("n%d.silent.test.", i), dns.TypeA)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "places", func() bool { return r.Pending() == 10 })
	if m := r.from(t, "127.0.0.3", "tcp", msg("evil.test.", dns.TypeA)); m.Rcode != dns.RcodeNameError {
		t.Errorf("%s", brief(m))
	}
}

func TestStrangersAreToldLittle(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	q, _ := msg("fine.test.", dns.TypeA).Pack()
	replies := 0
	for i := range 3000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i / 10 >> 8), byte(i / 10)}), 5)
		if b := r.Handle(context.Background(), q, from, "udp"); b != nil {
			replies++
			var m dns.Msg
			if err := m.Unpack(b); err != nil || m.Rcode != dns.RcodeRefused || len(b) > len(q)+6 {
				t.Errorf("%v, %d octets for %d: %v", &m, len(b), len(q), err)
			}
		}
	}
	events := r.events.Events()
	if replies != 20 || len(events) != 256 || r.Stats().Strangers.Load() != 3000 || r.Stats().Dropped.Load() != 2980 {
		t.Errorf("%d replies, %d events, %d strangers, %d dropped", replies, len(events), r.Stats().Strangers.Load(), r.Stats().Dropped.Load())
	}
	seen := map[netip.Addr]bool{}
	for _, e := range events {
		if seen[e.Client.Addr()] || e.Cause != "safety" || e.Verdict != "block" {
			t.Errorf("%+v", e)
		}
		seen[e.Client.Addr()] = true
	}
	r.clock.Add(time.Minute)
	from := netip.MustParseAddrPort("198.51.0.1:5")
	for range 2 {
		if b := r.Handle(context.Background(), q, from, "udp"); b == nil {
			t.Error("no reply a minute later")
		}
	}
	if n := len(r.events.Events()); n != 257 {
		t.Errorf("%d events a minute later", n)
	}
}

func TestCutChainsAreFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	for question, zone := range map[string]string{
		"cut.test. A":     "cut.test. 300 IN CNAME mid.test.",
		"mid.test. A":     "mid.test. 200 IN CNAME end.test.",
		"end.test. A":     "end.test. 100 IN A 93.184.216.34",
		"bad.test. A":     "bad.test. 300 IN CNAME x.evil.test.",
		"inner.test. A":   "inner.test. 300 IN CNAME private.test.",
		"private.test. A": "private.test. 300 IN A 10.0.0.1",
		"home.test. A":    "home.test. 300 IN CNAME localhost.",
		"gone.test. A":    "gone.test. 300 IN CNAME nothere.test.",
		"empty.test. A":   "empty.test. 300 IN CNAME text.test.",
		"said.test. A":    "said.test. 300 IN CNAME silence.test.\n--\n" + soa,
		"ring.test. A":    "ring.test. 300 IN CNAME ring2.test.",
		"ring2.test. A":   "ring2.test. 300 IN CNAME ring.test.",
		"dn.dcut.test. A": "dcut.test. 300 IN DNAME dend.test.",
		"dn.dend.test. A": "dn.dend.test. 300 IN A 93.184.216.35",
		"broken.test. A":  "broken.test. 300 IN CNAME fails.test.",
	} {
		r.up.on(question, records(zone))
	}
	r.up.on("text.test. A", records("", func(m *dns.Msg) { m.Rcode = dns.RcodeSuccess })) // no data, no SOA
	r.up.on("fails.test. A", records("", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }))
	for i := range 10 {
		r.up.on(fmt.Sprintf("l%d.test. A", i), records(fmt.Sprintf("l%d.test. 300 IN CNAME l%d.test.", i, i+1)))
	}
	r.up.on("l10.test. A", records("l10.test. 300 IN A 93.184.216.36"))
	for range 2 {
		for _, c := range []struct{ name, want string }{
			{"cut.test.", "NOERROR; cut.test. CNAME mid.test.; mid.test. CNAME end.test.; end.test. A 93.184.216.34"},
			{"bad.test.", "NXDOMAIN"},
			{"inner.test.", "NXDOMAIN"},
			{"home.test.", "NXDOMAIN"},
			{"gone.test.", "NXDOMAIN; gone.test. CNAME nothere.test."},
			{"empty.test.", "NOERROR; empty.test. CNAME text.test."},
			{"said.test.", "NOERROR; said.test. CNAME silence.test."},
			{"ring.test.", "SERVFAIL"},
			{"dn.dcut.test.", "NOERROR; dcut.test. DNAME dend.test.; dn.dcut.test. CNAME dn.dend.test.; dn.dend.test. A 93.184.216.35"},
			{"broken.test.", "SERVFAIL"},
			{"l1.test.", "SERVFAIL"}, // nine further questions
			{"l2.test.", "NOERROR; l2.test. CNAME l3.test.; l3.test. CNAME l4.test.; l4.test. CNAME l5.test.; l5.test. CNAME l6.test.; " +
				"l6.test. CNAME l7.test.; l7.test. CNAME l8.test.; l8.test. CNAME l9.test.; l9.test. CNAME l10.test.; l10.test. A 93.184.216.36"},
		} {
			if m := r.ask(t, c.name, dns.TypeA); brief(m) != c.want {
				t.Errorf("%s: %s", c.name, brief(m))
			}
		}
	}
	if n := r.up.count("x.evil.test.") + r.up.count("localhost.") + r.up.count("silence.test."); n != 0 {
		t.Errorf("%d questions that must not be asked", n)
	}
	if a, b := r.up.count("cut.test."), r.up.count("end.test."); a != 1 || b != 1 {
		t.Errorf("asked %d and %d times: the pieces must be kept", a, b)
	}
	r.clock.Add(30 * time.Second)
	r.ask(t, "mid.test.", dns.TypeA)
	r.clock.Add(10 * time.Second)
	for i, rr := range r.ask(t, "cut.test.", dns.TypeA).Answer {
		if want := []uint32{260, 160, 60}[i]; rr.Header().Ttl != want {
			t.Errorf("TTL of %v, want %d", rr, want)
		}
	}
	a, err := r.Addresses(t.Context(), hostname.MustParse("cut.test"))
	if err != nil || fmt.Sprint(a.Addrs, a.Chain) != "[93.184.216.34] [mid.test end.test]" {
		t.Errorf("for the proxy: %+v, %v", a, err)
	}
	if r.Stats().Followed.Load() == 0 {
		t.Error("not counted")
	}
}

func TestTargetsOfOtherTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	const key = " AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="
	for _, c := range []struct{ typ, bad, good string }{
		{"PTR", "www.evil.test.", "www.corp.test."},
		{"PTR", "evil.test.", "dns.fine.test."},
		{"URI", `10 1 "https://a.evil.test/x"`, `10 1 "https://fine.test/x"`},
		{"URI", `10 1 "https://u:p@EVIL.test:8443/x"`, `10 1 "tel:+15550100"`},
		{"URI", `10 1 "http://10.0.0.1/"`, `10 1 "http://93.184.216.34/"`},
		{"URI", `10 1 "http://[::ffff:10.0.0.1]/"`, `10 1 "http://[2606:4700::1]:80/"`},
		{"URI", `10 1 "sip:bob@evil.test:5060;transport=tcp"`, `10 1 "sip:bob@fine.test"`},
		{"URI", `10 1 "stun:evil.test:3478"`, `10 1 "urn:x:evil.test"`},
		{"URI", `10 1 "https:evil.test/"`, `10 1 "mailto:a@fine.test?subject=evil.test"`},
		{"URI", `10 1 "https://%zz/"`, `10 1 "/path"`},
		{"NAPTR", `100 10 "S" "SIP+D2U" "" _sip._udp.evil.test.`, `100 10 "S" "SIP+D2U" "" _sip._udp.fine.test.`},
		{"NAPTR", `100 10 "U" "E2U+sip" "!^.*$!sip:x@evil.test!" .`, `100 10 "U" "E2U+sip" "!^.*$!sip:x@fine.test!" .`},
		{"NAPTR", `100 10 "U" "E2U+sip" "!^(.*)$!sip:\\1@\\1.evil.test!i" .`, `100 10 "U" "E2U+sip" "!^(.*)$!sip:\\1@fine.test!" .`},
		{"AFSDB", "1 www.evil.test.", "1 fine.test."},
		{"KX", "1 www.evil.test.", "1 fine.test."},
		{"LP", "1 www.evil.test.", "1 fine.test."},
		{"RT", "1 www.evil.test.", "1 fine.test."},
		{"MB", "www.evil.test.", "fine.test."},
		{"HIP", "2 200100107B1A74DF365639CC39F1D578" + key + " a.test. rvs.evil.test.", "2 200100107B1A74DF365639CC39F1D578" + key + " a.test."},
		{"L32", "1 10.0.0.1", "1 93.184.216.34"},
		{"APL", "1:93.184.216.0/24 1:10.0.0.0/8", "1:93.184.216.0/24 !2:2606:4700::/32"},
		{"IPSECKEY", "10 1 2 192.168.0.1" + key, "10 1 2 93.184.216.34" + key},
		{"IPSECKEY", "10 2 2 fd00::1" + key, "10 2 2 2606:4700::1" + key},
		{"IPSECKEY", "10 3 2 gw.evil.test." + key, "10 0 2 ." + key},
		{"AMTRELAY", "10 1 1 192.168.0.1", "10 0 1 93.184.216.34"},
		{"AMTRELAY", "10 0 3 evil.test.", "10 0 3 fine.test."},
		{"SOA", "", "ns.evil.test. root.evil.test. 1 2 3 4 300"},
	} {
		for data, want := range map[string]int{c.bad: dns.RcodeNameError, c.good: dns.RcodeSuccess} {
			if data == "" {
				continue
			}
			r.up.on("fine.test. "+c.typ, records("fine.test. 0 IN "+c.typ+" "+data))
			m := r.ask(t, "fine.test.", dns.StringToType[c.typ])
			if m.Rcode != want || (len(m.Answer) == 1) != (want == dns.RcodeSuccess) {
				t.Errorf("%s %s: %s", c.typ, data, brief(m))
			}
		}
	}
}
