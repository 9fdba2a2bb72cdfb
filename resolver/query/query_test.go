package query_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"weir/resolver/query"
)

func pack(t testing.TB, name string, edit func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	if edit != nil {
		edit(m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, canonical, spelling string
		edit                      func(*dns.Msg)
		size                      int
	}{
		{"ExAmple.TEST.", "example.test", "ExAmple.TEST.", nil, 512},
		{".", "", ".", nil, 512},
		{`a\.b.test.`, `a\046b.test`, `a\046b.test.`, nil, 512},
		{`\000\255 .test.`, `\000\255\032.test`, `\000\255\032.test.`, nil, 512},
		{"x.test.", "x.test", "x.test.", func(m *dns.Msg) { m.SetEdns0(4096, true) }, 1232},
		{"x.test.", "x.test", "x.test.", func(m *dns.Msg) { m.SetEdns0(0, false) }, 512},
		{"x.test.", "x.test", "x.test.", func(m *dns.Msg) { m.SetEdns0(900, false) }, 900},
	} {
		q, no := query.Parse(pack(t, c.name, c.edit))
		if no != nil || q.Name.String() != c.canonical || q.Spelling != c.spelling || q.Size != c.size || q.FQDN() != strings.TrimPrefix(c.canonical+".", " ") {
			t.Errorf("%s: %+v, %v", c.name, q, no)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edit  func(*dns.Msg)
		rcode uint16
		asked bool
	}{
		{"class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeRefused, true},
		{"any class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassANY }, dns.RcodeRefused, true},
		{"axfr", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAXFR }, dns.RcodeRefused, true},
		{"tkey", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTKEY }, dns.RcodeRefused, true},
		{"opt", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeOPT }, dns.RcodeFormatError, true},
		{"none", func(m *dns.Msg) { m.Question[0].Qtype = 0 }, dns.RcodeFormatError, true},
		{"update", func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented, false},
	} {
		if _, no := query.Parse(pack(t, "x.test.", c.edit)); no == nil || no.RCode != c.rcode || no.Asked != c.asked || no.Drop || no.Error() == "" {
			t.Errorf("%s: %+v", c.name, no)
		}
	}
}

// FuzzParse: a question that is accepted packs again, by the library, to the octets that came.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"x.test.", ".", `\000\255 .A-_.test.`, strings.Repeat("a.", 120)} {
		f.Add(pack(f, name, nil))
		f.Add(pack(f, name, func(m *dns.Msg) { m.SetEdns0(1232, true) }))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		q, no := query.Parse(packet)
		if no != nil {
			if reply := query.HeaderReply(packet, no.RCode); !no.Drop && reply != nil && new(dns.Msg).Unpack(reply) != nil {
				t.Errorf("reply %x", reply)
			}
			return
		}
		m := dns.Msg{Question: []dns.Question{{Name: q.Spelling, Qtype: q.Type, Qclass: q.Class}}}
		b, err := m.Pack()
		if err != nil || string(b[12:]) != string(packet[12:len(b)]) {
			t.Errorf("%q packs to %x, %v", q.Spelling, b, err)
		}
		m.Question[0].Name = q.FQDN()
		lower, err := m.Pack()
		if err != nil || !strings.EqualFold(string(lower), string(b)) && !same(lower, b) {
			t.Errorf("%q packs to %x, %v", q.FQDN(), lower, err)
		}
	})
}

// same compares octets with ASCII letters folded.
func same(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}
