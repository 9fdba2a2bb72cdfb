package answer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/answer"
	"weir/resolver/query"
)

func key(name string, qtype uint16) query.Key {
	k := query.Key{Type: qtype, Class: query.ClassIN}
	if name != "." {
		k.Name, _ = hostname.FromDNS(name)
	}
	return k
}

func TestData(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 120) + "test."
	for _, c := range []struct {
		name  string
		qtype uint16
		texts []string
		want  string // records
		err   error
	}{
		{"x.test.", dns.TypeA, []string{"A 192.0.2.1", "AAAA ::1", "A 192.0.2.2"}, "x.test. 60 IN A 192.0.2.1|x.test. 60 IN A 192.0.2.2", nil},
		{"x.test.", dns.TypeMX, []string{"A 192.0.2.1"}, "", nil},
		{"x.test.", dns.TypeA, []string{"A 192.0.2.1\ny.test. 60 IN A 192.0.2.2"}, "", answer.ErrRecord},
		{"x.test.", dns.TypeA, []string{"A", "A 192.0.2.1"}, "x.test. 60 IN A 192.0.2.1", answer.ErrRecord},
		{"x.test.", dns.TypeA, []string{"CH A 192.0.2.1"}, "", answer.ErrRecord},
		{"x.test.", dns.TypeA, []string{""}, "", answer.ErrRecord},
		{"x.test.", dns.TypeA, []string{"; A 192.0.2.1"}, "", answer.ErrRecord},
		{`a\.b.test.`, dns.TypeA, []string{"A 192.0.2.1"}, `a\.b.test. 60 IN A 192.0.2.1`, nil},
		{"x.test.", dns.TypeA, []string{"CNAME Y.test."}, "x.test. 60 IN CNAME y.test.", nil},
		{"x.test.", dns.TypeTXT, []string{"CNAME *.y.test."}, "x.test. 60 IN CNAME x.test.y.test.", nil},
		{long, dns.TypeTXT, []string{"CNAME *.y.test.test."}, "", answer.ErrLong},
		{"x.test.", dns.TypeTXT, []string{"CNAME x.TEST."}, "", answer.ErrLoop},
		{"x.test.", dns.TypeTXT, []string{"CNAME ."}, "", answer.ErrLoop},
		{".", dns.TypeNS, []string{"NS ns.test."}, ". 60 IN NS ns.test.", nil},
	} {
		a, err := answer.Data(key(c.name, c.qtype), c.texts, time.Minute)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s %v: error %v, want %v", c.name, c.texts, err, c.err)
		}
		var got []string
		if a != nil {
			for _, rr := range a.Records {
				got = append(got, strings.Join(strings.Fields(rr.String()), " "))
			}
			if len(got) == 0 && len(a.Authority) != 1 {
				t.Errorf("%s %v: no data and no SOA", c.name, c.texts)
			}
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s %v: %s, want %s", c.name, c.texts, s, c.want)
		}
	}
}

// FuzzData: what a list says makes records of the asked name alone that fit into a packet and come out of it as they are.
func FuzzData(f *testing.F) {
	for _, text := range []string{"A 192.0.2.1", "CNAME *.x.test.", `TXT "a\"b" "\255"`, "MX 1 .", "HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1", "TYPE65280 \\# 1 00", "A 1.1.1.1 ; x", "IN A 1.1.1.1", "5 A 1.1.1.1"} {
		f.Add("x.test.", uint16(1), text)
	}
	f.Fuzz(func(t *testing.T, name string, qtype uint16, text string) {
		n, err := hostname.FromDNS(name)
		if err != nil {
			return
		}
		k := query.Key{Name: n, Type: qtype, Class: query.ClassIN}
		a, err := answer.Data(k, []string{text}, time.Minute)
		if a == nil {
			if err == nil {
				t.Fatal("neither an answer nor an error")
			}
			return
		}
		if len(a.Records) > 1 {
			t.Fatalf("%d records of one", len(a.Records))
		}
		for _, rr := range a.Records {
			h := rr.Header()
			if h.Name != k.FQDN() || h.Class != dns.ClassINET || h.Ttl != 60 || h.Rrtype != qtype && h.Rrtype != dns.TypeCNAME {
				t.Fatalf("%q made %v", text, rr)
			}
			m := &dns.Msg{Answer: []dns.RR{rr}}
			wire, err := m.Pack()
			if err != nil {
				t.Fatalf("%q: %v does not fit into a packet: %v", text, rr, err)
			}
			back := new(dns.Msg)
			if err := back.Unpack(wire); err != nil {
				t.Fatalf("%q: %v does not come back: %v", text, rr, err)
			}
		}
	})
}
