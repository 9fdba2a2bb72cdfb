package source_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/blocklists/source"
)

// TestTransferHostile: whatever a server does that is no transfer, the error names it and the last good copy stays.
func TestTransferHostile(t *testing.T) {
	t.Parallel()
	key := testKey()
	reply := func(change func(m *dns.Msg)) func(*asked) {
		return func(c *asked) {
			m := c.message(soa(2), bad("b.example"), soa(2))
			change(m)
			c.send(m)
		}
	}
	records := func(rr ...dns.RR) func(*asked) { return func(c *asked) { c.send(c.message(rr...)) } }
	octets := func(text string) func(*asked) { return func(c *asked) { c.raw([]byte(text)) } }
	for _, tc := range []struct {
		name   string
		key    source.Key
		answer func(*asked) // to IXFR and AXFR
		want   string
	}{
		{"closes at once", key, func(*asked) {}, "the server closed the connection"},
		{"closes halfway", key, func(c *asked) { c.send(c.message(soa(2), bad("b.example"))) }, "AXFR, message 2: read: the server closed the connection"},
		{"closes inside a message", source.Key{}, octets("\x01\x00abc"), "the server closed the connection"},
		{"garbage", source.Key{}, octets("\x00\x20this is not the protocol of names"), "malformed DNS message"},
		{"an HTTP server", source.Key{}, octets("HTTP/1.1 400 Bad Request\r\n\r\n"), "the server closed the connection"},
		{"a short message", source.Key{}, octets("\x00\x01a"), "malformed DNS message: 1 octets"},
		{"nothing", source.Key{}, octets("\x00\x00"), "malformed DNS message: 0 octets"},
		{"another id", key, reply(func(m *dns.Msg) { m.Id++ }), "no answer to our question"},
		{"a question", key, reply(func(m *dns.Msg) { m.Response = false }), "no answer to our question"},
		{"another opcode", key, reply(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), "no answer to our question"},
		{"another question", key, reply(func(m *dns.Msg) { m.Question[0].Name = "else.test." }), "another question"},
		{"truncated", key, reply(func(m *dns.Msg) { m.Truncated = true }), "truncated over TCP"},
		{"refused", key, reply(func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeRefused, nil }), "REFUSED"},
		{"server failure", source.Key{}, reply(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }), "SERVFAIL"},
		{"fewer records than it says", source.Key{}, func(c *asked) {
			wire := c.pack(c.message(soa(2)))
			wire[6] = 0xff // found by FuzzReply
			c.framed(wire)
		}, "fewer records than it says"},
		{"octets behind the end", source.Key{}, func(c *asked) { c.framed(append(c.pack(c.message(soa(2), soa(2))), 0)) }, "1 octets behind its end"},
		{"no records", key, records(), "a message without records"},
		{"no SOA", key, records(bad("b.example")), "does not begin with SOA"},
		{"SOA of another zone", key, records(rrs(t, []string{"else.test. 1 IN SOA a. b. 2 1 1 1 1"})...), "SOA of else.test."},
		{"other SOA at the end", key, records(soa(2), bad("b.example"), soa(3)), "begins and ends with different SOA"},
		{"records behind the end", key, records(soa(2), bad("b.example"), soa(2), bad("c.example")), "records behind the end"},
		{"a record of another class", key, records(soa(2), &dns.A{Hdr: dns.RR_Header{Name: "x.rpz.test.", Rrtype: dns.TypeA, Class: dns.ClassCHAOS}, A: []byte{1, 2, 3, 4}}), "class 3"},
		{"a record that is none", key, records(soa(2), &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1}}), "type 41"},
		{"the old zone after all", key, records(soa(0), soa(0)), "serial goes back"},
		// signatures
		{"not signed", key, func(c *asked) { c.secret = ""; c.send(c.message(soa(2), bad("b.example"), soa(2))) }, "TSIG: the answer is not signed"},
		{"wrong secret", key, func(c *asked) { c.secret = otherSecret; c.send(c.message(soa(2), soa(2))) }, "signature is wrong"},
		{"another key", key, func(c *asked) { c.key.Hdr.Name = "else."; c.send(c.message(soa(2), soa(2))) }, "signed with the key else."},
		{"another algorithm", key, func(c *asked) { c.key.Algorithm = dns.HmacSHA512; c.send(c.message(soa(2), soa(2))) }, "signed with hmac-sha512."},
		{"long ago", key, func(c *asked) { c.key.TimeSigned = stale(); c.send(c.message(soa(2), soa(2))) }, "off our clock"},
		{"answer to somebody else", key, func(c *asked) { c.mac = strings.Repeat("00", 32); c.send(c.message(soa(2), soa(2))) }, "signature is wrong"},
		{"end not signed", key, func(c *asked) {
			c.send(c.message(soa(2), bad("b.example")))
			c.secret = ""
			c.send(c.message(soa(2)))
		}, "end of the answer is not signed"},
		{"inserted message", key, func(c *asked) {
			c.send(c.message(soa(2), bad("b.example")))
			signed := c.secret
			c.secret = ""
			c.send(c.message(bad("evil.example")))
			c.secret = signed
			c.send(c.message(soa(2)))
		}, "message 3: TSIG: the signature is wrong"},
		{"changed on the way", key, func(c *asked) {
			wire := c.pack(c.message(soa(2), bad("b.example"), soa(2)))
			wire[len(wire)/2] ^= 1
			c.framed(wire)
		}, ""},
		{"a hundred unsigned", key, func(c *asked) {
			c.send(c.message(soa(2)))
			for c.secret = ""; c.send(c.message(bad("b.example"))); {
			}
		}, "message 101: TSIG: the answer is not signed"},
		{"signed, and nobody asked for it", source.Key{}, func(c *asked) {
			c.key.Hdr.Name, c.key.Algorithm, c.key.TimeSigned, c.secret = "a.", dns.HmacSHA256, 1, keySecret
			c.send(c.message(soa(2), soa(2)))
		}, "no key is configured"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, honest(1, bad("a.example")))
			l := zoneManager(t, t.TempDir(), transferred("rpz.test", tc.key, s.addr))
			l.refresh("", "kind=AXFR")
			was := l.text()
			s.set(whenAsked(2, tc.answer))
			err := l.m.Refresh(t.Context(), "zone")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if got := l.m.Status()[0]; l.text() != was || !got.Failing {
				t.Errorf("status %+v, text\n%s", got, l.text())
			}
			l.listed("a.example", "zone")
			if got := s.questions(); !slices.Equal(got, []string{"SOA", "IXFR", "AXFR"}) {
				t.Errorf("asked %v", got)
			}
			s.set(honest(2, bad("good.example")))
			l.refresh("")
			l.listed("good.example", "zone")
		})
	}
}

// TestTransferSOA: the first question may go wrong as well.
func TestTransferSOA(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer func(*asked)
		want   string
	}{
		{"lame", func(c *asked) { c.send(c.message()) }, "does not know the zone"},
		{"not signed", func(c *asked) { c.secret = ""; c.send(c.message(soa(2))) }, "ask for SOA: TSIG: the answer is not signed"},
		{"serial goes back", honest(1), "serial goes back: the copy has 5, the server 1"},
		{"serial half around", honest(5 + 1<<31), "serial goes back"},
		{"silent", func(c *asked) { c.hang() }, "context deadline exceeded"},
		{"drips", func(c *asked) {
			for c.raw([]byte{0}) && c.raw([]byte{1}) && c.raw([]byte{7}) { // messages of one octet
			}
		}, "malformed DNS message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, honest(5, bad("a.example")))
			src := transferred("rpz.test", testKey(), s.addr)
			src.Timeout = 500 * time.Millisecond
			l := zoneManager(t, t.TempDir(), src)
			l.refresh("", "kind=AXFR")
			s.set(tc.answer)
			l.refresh(tc.want)
			l.listed("a.example", "zone")
		})
	}
}

// TestTransferIncremental: differences that fit are applied, all others lead to the whole zone.
func TestTransferIncremental(t *testing.T) {
	t.Parallel()
	a, b, c, d := bad("a.example"), bad("b.example"), bad("c.example"), bad("d.example")
	longer := bad("a.example")
	longer.Header().Ttl = 999
	for _, tc := range []struct {
		name    string
		answer  [][]dns.RR // one message each; the zone was a, b with serial 1; it becomes b, c with serial 3
		refused string     // why the differences do not count; empty: they do
	}{
		{"in one step", [][]dns.RR{{soa(3), soa(1), a, soa(3), c, soa(3)}}, ""},
		{"in two steps", [][]dns.RR{{soa(3), soa(1), a, soa(2), d, soa(2), d, soa(3), c, soa(3)}}, ""},
		{"there and back", [][]dns.RR{{soa(3), soa(1), a, b, soa(2), c, d, soa(2), d, soa(3), b, soa(3)}}, ""},
		{"one record a message", [][]dns.RR{{soa(3)}, {soa(1)}, {a}, {soa(3)}, {c}, {soa(3)}}, ""},
		{"removed with another time to live", [][]dns.RR{{soa(3), soa(1), longer, soa(3), c, soa(3)}}, ""},
		{"the whole zone", [][]dns.RR{{soa(3), c, b, soa(3)}}, ""},
		{"removes what is not there", [][]dns.RR{{soa(3), soa(1), a, d, soa(3), c, soa(3)}}, "1 records that they remove are not there"},
		{"removes twice", [][]dns.RR{{soa(3), soa(1), a, soa(2), soa(2), a, soa(3), c, soa(3)}}, "removed twice"},
		{"adds what is there", [][]dns.RR{{soa(3), soa(1), a, soa(3), b, c, soa(3)}}, "added and there already"},
		{"adds twice", [][]dns.RR{{soa(3), soa(1), a, soa(3), c, c, soa(3)}}, "added twice"},
		{"begins elsewhere", [][]dns.RR{{soa(3), soa(2), a, soa(3), c, soa(3)}}, "begin with serial 2, we have 1"},
		{"steps do not join", [][]dns.RR{{soa(4), soa(1), a, soa(2), soa(3), soa(4), c, soa(4)}}, "serial 3 follows 2"},
		{"steps back", [][]dns.RR{{soa(3), soa(1), a, soa(0), soa(0), soa(3), c, soa(3)}}, "from serial 1 to 0"},
		{"steps too far", [][]dns.RR{{soa(3), soa(1), a, soa(4), soa(4), soa(3), c, soa(3)}}, "from serial 1 to 4"},
		{"cut", [][]dns.RR{{soa(3), soa(1), a, soa(3), c}}, "the server closed the connection"},
		{"more behind", [][]dns.RR{{soa(3), soa(1), a, soa(3), c, soa(3), d}}, "records behind the end"},
		{"only that there is more", [][]dns.RR{{soa(3)}}, "the server closed the connection"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, honest(1, b, a))
			l := zoneManager(t, t.TempDir(), transferred("rpz.test", testKey(), s.addr))
			l.refresh("")
			whole := honest(3, c, b)
			s.set(func(q *asked) {
				if q.kind() != dns.TypeIXFR {
					whole(q)
					return
				}
				for _, rr := range tc.answer {
					q.send(q.message(rr...))
				}
			})
			kind, asked := "IXFR", []string{"SOA", "IXFR"}
			if tc.refused != "" {
				kind, asked = "kind=AXFR", append(asked, "AXFR")
			}
			l.refresh("", tc.refused, kind)
			if got := s.questions(); !slices.Equal(got, asked) {
				t.Errorf("asked %v, want %v", got, asked)
			}
			const want = "rpz.test. 300 IN SOA ns.test. host.test. 3 3600 600 86400 300\nb.example.rpz.test. 60 IN CNAME .\nc.example.rpz.test. 60 IN CNAME .\n"
			if got := l.text(); got != want {
				t.Errorf("text\n%swant\n%s", got, want)
			}
		})
	}
}

// TestTransferUnsignedBetween: a server may leave messages between two signed ones without signature (RFC 8945 section 5.3.1).
func TestTransferUnsignedBetween(t *testing.T) {
	t.Parallel()
	s := serve(t, whenAsked(1, func(c *asked) {
		c.send(c.message(soa(1), bad("a.example")))
		var plain []byte
		for _, name := range []string{"b.example", "c.example"} {
			wire, err := c.message(bad(name)).Pack()
			if err != nil {
				t.Error(err)
			}
			c.framed(wire)
			plain = append(plain, wire...)
		}
		c.sendAfter(plain, c.message(soa(1)))
	}))
	l := zoneManager(t, t.TempDir(), transferred("rpz.test", testKey(), s.addr))
	l.refresh("")
	l.listed("c.example", "zone")
}

// TestTransferLimits: what has no end is left, and costs no more than its limit.
func TestTransferLimits(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	same := func(n int) []dns.RR { return slices.Repeat([]dns.RR{bad("a.example")}, n) }
	for _, tc := range []struct {
		name   string
		answer func(*asked)
		want   string
	}{
		{"records without end", func(c *asked) {
			for c.send(c.message(soa(1))); c.send(c.message(same(1000)...)); {
			}
		}, "text exceeds its limit of 1048576 bytes"},
		{"octets that are no records", func(c *asked) {
			m := c.message(soa(1))
			m.Extra = same(1000)
			for c.send(m) {
				m = c.message(bad("a.example"))
				m.Extra = same(1000) // one record, many times: within one goroutine that is fine
			}
		}, "more octets on the wire"},
		{"messages without records", func(c *asked) {
			for c.send(c.message()) {
			}
		}, "a message without records"},
		{"never an end", func(c *asked) { c.send(c.message(soa(1), bad("a.example"))); c.hang() }, "context deadline exceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, whenAsked(1, tc.answer))
			src := transferred("rpz.test", source.Key{}, s.addr)
			src.MaxBytes, src.Timeout = limit, 20*time.Second
			if tc.name == "never an end" {
				src.Timeout = 300 * time.Millisecond
			}
			l := zoneManager(t, t.TempDir(), src)
			l.refresh(tc.want)
			if n := s.octets(); n > 32*limit { // what lies in the buffers of the sockets counts as well
				t.Errorf("%d octets were taken", n)
			}
		})
	}
}

// TestTransferServers: they are asked in order; one that hangs does not use up the time of the next.
func TestTransferServers(t *testing.T) {
	t.Parallel()
	slow := serve(t, func(c *asked) { c.hang() })
	old := serve(t, honest(1, bad("old.example")))
	current := serve(t, honest(2, bad("new.example")))
	src := transferred("rpz.test", testKey(), slow.addr, netip.MustParseAddrPort("127.0.0.1:1"), current.addr, old.addr)
	src.Timeout = 900 * time.Millisecond
	l := zoneManager(t, t.TempDir(), src)
	l.refresh("", "to=2")
	l.listed("new.example", "zone")
	current.set(honest(3))
	l.refresh("no entries any more")
	l.listed("new.example", "zone")
	current.set(func(*asked) {})
	l.refresh("serial goes back: the copy has 2, the server 1")
	l.listed("new.example", "zone")
}

// TestTransferExpired: a zone that nobody has confirmed for longer than its SOA record allows no longer counts, and whatever
// serial the server has then is the first.
func TestTransferExpired(t *testing.T) {
	t.Parallel()
	s := serve(t, honest(9, bad("a.example"))) // it expires after a day
	l := zoneManager(t, t.TempDir(), transferred("rpz.test", testKey(), s.addr))
	l.refresh("")
	age := func(by time.Duration) *zoneLife {
		path := strings.TrimSuffix(l.path(), ".list") + ".json"
		then := time.Now().Add(-by).Format(time.RFC3339)
		write(t, path, regexp.MustCompile(`"checked": "[^"]*"`).ReplaceAllString(read(t, path), `"checked": "`+then+`"`))
		return zoneManager(t, l.dir, transferred("rpz.test", testKey(), s.addr))
	}
	young := age(23 * time.Hour)
	young.listed("a.example", "zone")
	s.set(honest(3, bad("b.example")))
	young.refresh("serial goes back")
	young.listed("a.example", "zone")
	old := age(25 * time.Hour)
	old.listed("a.example", "")
	old.refresh("", "kind=AXFR")
	old.listed("b.example", "zone")
}
