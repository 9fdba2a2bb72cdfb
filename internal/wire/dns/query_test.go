package dns_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"

	"weir/internal/wire/dns"
)

func pack(t testing.TB, edit func(*mdns.Msg)) []byte {
	t.Helper()
	m := new(mdns.Msg)
	m.SetQuestion("wWw.Example.com.", mdns.TypeAAAA)
	m.Id = 0x1234
	edit(m)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func edns(version uint8, opts ...mdns.EDNS0) func(*mdns.Msg) {
	return func(m *mdns.Msg) {
		m.SetEdns0(1232, true)
		m.IsEdns0().SetVersion(version)
		m.IsEdns0().Option = opts
	}
}

func set(b []byte, at int, v ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], v)
	return b
}

func TestParseQuery(t *testing.T) {
	plain := pack(t, func(*mdns.Msg) {})
	opt := pack(t, edns(0))
	long := pack(t, func(m *mdns.Msg) { m.Question[0].Name = strings.Repeat("a.", 127) })
	cases := []struct {
		name  string
		in    []byte
		kind  dns.Kind
		rcode dns.RCode
	}{
		{"plain", plain, 0, 0},
		{"edns", opt, 0, 0},
		{"root", pack(t, func(m *mdns.Msg) { m.Question[0].Name = "." }), 0, 0},
		{"255 bytes", long, 0, 0},
		{"cookie and subnet", pack(t, edns(0, &mdns.EDNS0_COOKIE{Code: 10, Cookie: "0011223344556677"}, &mdns.EDNS0_SUBNET{Code: 8, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}})), 0, 0},
		{"short", plain[:11], dns.KindShort, dns.NoReply},
		{"response", set(plain, 2, 0x80), dns.KindResponse, dns.NoReply},
		{"notify", set(plain, 2, 0x20), dns.KindOpcode, dns.NotImp},
		{"no question", plain[:12], dns.KindName, dns.FormErr},
		{"zero questions", set(plain, 5, 0), dns.KindCounts, dns.FormErr},
		{"two questions", set(plain, 5, 2), dns.KindCounts, dns.FormErr},
		{"an answer", set(plain, 7, 1), dns.KindCounts, dns.FormErr},
		{"an authority", set(plain, 9, 1), dns.KindCounts, dns.FormErr},
		{"two additional", set(plain, 11, 2), dns.KindCounts, dns.FormErr},
		{"pointer", set(plain, 12, 0xc0, 12), dns.KindName, dns.FormErr},
		{"256 bytes", slices.Concat(long[:12], []byte{1, 'b'}, long[12:]), dns.KindName, dns.FormErr},
		{"cut name", plain[:20], dns.KindName, dns.FormErr},
		{"cut type", plain[:len(plain)-3], dns.KindQuestion, dns.FormErr},
		{"trailing", append(slices.Clone(plain), 0), dns.KindTrailing, dns.FormErr},
		{"trailing behind edns", append(slices.Clone(opt), 0), dns.KindTrailing, dns.FormErr},
		{"missing record", set(plain, 11, 1), dns.KindOPT, dns.FormErr},
		{"version 1", pack(t, edns(1)), dns.KindVersion, dns.BadVers},
		{"cut option", set(append(slices.Clone(opt), 0, 3, 0), len(opt)-1, 3), dns.KindOPT, dns.FormErr},
		{"short cookie", pack(t, edns(0, &mdns.EDNS0_COOKIE{Code: 10, Cookie: "00"})), dns.KindOPT, dns.FormErr},
		{"subnet scope", pack(t, edns(0, &mdns.EDNS0_SUBNET{Code: 8, Family: 1, SourceNetmask: 24, SourceScope: 1, Address: []byte{192, 0, 2, 0}})), dns.KindOPT, dns.FormErr},
		{"other record", pack(t, func(m *mdns.Msg) {
			m.Extra = []mdns.RR{&mdns.A{Hdr: mdns.RR_Header{Name: ".", Rrtype: 1, Class: 1}, A: []byte{1, 2, 3, 4}}}
		}), dns.KindRecord, dns.FormErr},
		{"tsig", pack(t, func(m *mdns.Msg) { m.SetTsig("key.example.", mdns.HmacSHA256, 300, 0) }), dns.KindSigned, dns.FormErr},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			q, err := dns.ParseQuery(c.in)
			var e *dns.Error
			if errors.As(err, &e) != (c.kind != 0) || e != nil && (e.Kind != c.kind || e.RCode != c.rcode) {
				t.Fatalf("%v, want kind %d", err, c.kind)
			}
			if len(c.in) >= dns.HeaderLen && q.ID != 0x1234 {
				t.Fatalf("id %x", q.ID)
			}
			if err == nil {
				agree(t, &q, c.in)
			}
		})
	}
}

// agree compares with the library.
func agree(t *testing.T, q *dns.Query, b []byte) {
	t.Helper()
	var m mdns.Msg
	if err := m.Unpack(b); err != nil {
		t.Fatalf("accepted, but the library says %v", err)
	}
	name, _, err := mdns.UnpackDomainName(q.Name(), 0)
	if err != nil || len(m.Question) != 1 || m.Question[0] != (mdns.Question{Name: name, Qtype: q.Type, Qclass: q.Class}) {
		t.Fatalf("%q %d %d, library %v, %v", name, q.Type, q.Class, m.Question, err)
	}
	if m.Id != q.ID || m.RecursionDesired != q.RD || m.CheckingDisabled != q.CD || m.AuthenticatedData != q.AD || m.Response || m.Opcode != 0 {
		t.Fatalf("%+v, library %+v", q, m.MsgHdr)
	}
	o := m.IsEdns0()
	if (o != nil) != q.EDNS || o == nil && q.UDPSize != dns.MinUDPSize {
		t.Fatalf("edns %v, library %v", q.EDNS, o)
	}
	if o != nil && (o.Do() != q.DO || max(o.UDPSize(), dns.MinUDPSize) != q.UDPSize || o.Version() != 0 || o.Hdr.Name != ".") {
		t.Fatalf("%+v, library %v", q, o)
	}
	if !bytes.Equal(b[dns.HeaderLen:][:len(q.Name())], q.Name()) || q.QuestionLen() != len(q.Name())+4 {
		t.Fatal("name is not that of the packet")
	}
}

func TestParseQueryDoesNotAllocate(t *testing.T) {
	good, bad := pack(t, edns(0)), []byte("short")
	n := testing.AllocsPerRun(100, func() {
		if q, err := dns.ParseQuery(good); err != nil || q.Type != mdns.TypeAAAA {
			t.Fatal(err)
		}
		if _, err := dns.ParseQuery(bad); err == nil {
			t.Fatal("accepted")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add(pack(f, func(*mdns.Msg) {}))
	f.Add(pack(f, edns(0, &mdns.EDNS0_NSID{Code: 3}, &mdns.EDNS0_PADDING{Padding: make([]byte, 9)})))
	f.Add(pack(f, edns(0, &mdns.EDNS0_SUBNET{Code: 8, Family: 2, SourceNetmask: 56, Address: make([]byte, 16)})))
	f.Add(pack(f, func(m *mdns.Msg) { m.SetTsig("key.example.", mdns.HmacSHA256, 300, 0) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := dns.ParseQuery(b)
		if err != nil {
			var e *dns.Error
			if !errors.As(err, &e) || e.Kind == dns.KindNone || e.Error() == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		agree(t, &q, b)
	})
}

func BenchmarkParseQuery(b *testing.B) {
	in := pack(b, edns(0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dns.ParseQuery(in); err != nil {
			b.Fatal(err)
		}
	}
}
