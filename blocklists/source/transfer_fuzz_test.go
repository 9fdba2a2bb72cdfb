package source

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// fuzzSOA is the SOA record of the zone z. with a serial.
func fuzzSOA(serial uint32) *dns.SOA {
	return &dns.SOA{Hdr: dns.RR_Header{Name: "z.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: ".", Serial: serial}
}

// edits are what a fuzzer's octets do to a zone of at most 16 names: naively, on a map, and as an answer to IXFR. One octet is one
// record: four bits name it, one says whether it is removed or added, one gives it another time to live; 0xff ends a step.
func edits(zone map[string]uint32, ops []byte) (answer []dns.RR, serial uint32, fits bool) {
	fits, serial = true, 2
	removes, adds := []dns.RR{fuzzSOA(1)}, []dns.RR{fuzzSOA(serial)}
	flush := func() { answer = append(append(answer, removes...), adds...) }
	for _, op := range append(slices.Clone(ops), 0xff) {
		if op == 0xff {
			flush()
			fits = replay(zone, removes[1:], adds[1:]) && fits
			removes, adds = []dns.RR{fuzzSOA(serial)}, []dns.RR{fuzzSOA(serial + 1)}
			serial++
			continue
		}
		rr := &dns.CNAME{Hdr: dns.RR_Header{Name: fmt.Sprintf("n%d.z.", op&15), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: uint32(op>>5&1) * 60}, Target: "."}
		if op&16 == 0 {
			removes = append(removes, rr)
		} else {
			adds = append(adds, rr)
		}
	}
	serial--
	return append(append([]dns.RR{fuzzSOA(serial)}, answer...), fuzzSOA(serial)), serial, fits
}

// replay applies one step to the map; false: it does not fit.
func replay(zone map[string]uint32, removes, adds []dns.RR) bool {
	for _, rr := range removes {
		if _, ok := zone[rr.Header().Name]; !ok {
			return false
		}
		delete(zone, rr.Header().Name)
	}
	for _, rr := range adds {
		if _, ok := zone[rr.Header().Name]; ok {
			return false
		}
		zone[rr.Header().Name] = rr.Header().Ttl
	}
	return true
}

// zoneOf spells a map as a zone, as AXFR brings it.
func zoneOf(t *testing.T, serial uint32, zone map[string]uint32) string {
	t.Helper()
	c := &collector{sorter: &sorter{limit: 1 << 20}}
	in := &inbound{zone: "z.", sink: c}
	names := slices.Collect(maps.Keys(zone))
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	rrs := []dns.RR{fuzzSOA(serial)}
	for _, n := range names {
		rrs = append(rrs, &dns.CNAME{Hdr: dns.RR_Header{Name: n, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: zone[n]}, Target: "."})
	}
	if err := in.message(append(rrs, fuzzSOA(serial))); err != nil || !in.done() {
		t.Fatal(err)
	}
	rest, err := c.sorter.sorted()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(&zoneText{head: in.first, rest: rest})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzIncremental: whatever is done to a zone, the differences give the text that the whole zone gives, or are refused where a
// naive reading of them does not fit either; and how they are cut into messages does not matter.
func FuzzIncremental(f *testing.F) {
	f.Add(uint16(0x00ff), []byte{0x00, 0x18, 0xff, 0x01, 0x31, 0xff, 0x08}, byte(2))
	f.Add(uint16(1), []byte{0x00, 0x10, 0xff, 0x00}, byte(1))
	f.Add(uint16(0), []byte{}, byte(0))
	f.Add(uint16(3), []byte{0x00, 0x00}, byte(3))
	f.Add(uint16(3), []byte{0x10}, byte(9))
	f.Fuzz(func(t *testing.T, start uint16, ops []byte, cut byte) {
		if len(ops) > 200 {
			return
		}
		zone := make(map[string]uint32)
		for i := range 16 {
			if start>>i&1 == 1 {
				zone[fmt.Sprintf("n%d.z.", i)] = 0
			}
		}
		before := zoneOf(t, 1, zone)
		answer, serial, fits := edits(zone, ops)
		got, err := applyText(before, answer, int(cut)+1)
		if (err == nil) != fits {
			t.Fatalf("fits %v, error %v", fits, err)
		}
		if want := zoneOf(t, serial, zone); fits && got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

// applyText applies an answer to IXFR, in messages of n records, to a zone as text.
func applyText(before string, answer []dns.RR, n int) (string, error) {
	c := &collector{difference: newDifference()}
	in := &inbound{zone: "z.", have: fuzzSOA(1), sink: c}
	for part := range slices.Chunk(answer, n) {
		if err := in.message(part); err != nil {
			return "", err
		}
	}
	if !in.done() {
		return "", io.ErrUnexpectedEOF
	}
	file := newFileRecords(strings.NewReader(before))
	if _, err := file.next(); err != nil { // SOA
		return "", err
	}
	text, err := io.ReadAll(&zoneText{head: in.first, rest: c.apply(file)})
	return string(text), err
}

// FuzzReply: what is taken for a message, the library takes for the same.
func FuzzReply(f *testing.F) {
	q := new(dns.Msg).SetQuestion("z.", dns.TypeAXFR)
	m := new(dns.Msg).SetReply(q)
	m.Answer, m.Compress = []dns.RR{fuzzSOA(1), &dns.A{Hdr: dns.RR_Header{Name: "a.z.", Rrtype: dns.TypeA, Class: 1}, A: []byte{1, 2, 3, 4}}, fuzzSOA(1)}, true
	plain, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	m.SetTsig("k.", dns.HmacSHA256, 300, 1)
	signed, _, err := dns.TsigGenerate(m, "c2VjcmV0IHNlY3JldCBzZWNyZXQ=", "", false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := readReply(raw, q.Question[0])
		if err != nil {
			return
		}
		var want dns.Msg
		if err := want.Unpack(raw); err != nil {
			t.Fatalf("the library refuses it: %v", err)
		}
		if r.id != want.Id || len(r.answers) != len(want.Answer) || (r.sig == nil) != (want.IsTsig() == nil) {
			t.Fatalf("got %d answers, signed %v; want %d, %v", len(r.answers), r.sig != nil, len(want.Answer), want.IsTsig() != nil)
		}
		for i := range r.answers {
			if r.answers[i].String() != want.Answer[i].String() {
				t.Fatalf("record %d: %v, want %v", i, r.answers[i], want.Answer[i])
			}
		}
		if c := (&inbound{zone: "z.", sink: &collector{sorter: &sorter{limit: 1 << 20}}}); c.message(r.answers) == nil && c.step == stepBegin {
			t.Fatal("a message without effect")
		}
	})
}

// FuzzRecord: a record as text is one line, reads back as itself, and means the same to the library.
func FuzzRecord(f *testing.F) {
	for _, text := range []string{`a\ b.z. 1 IN TXT "a;\"\\ \255" ""`, `\000\;\(\@.z. 4294967295 IN CNAME *.Z.`, "z. IN A 1.2.3.4", "*.z. IN AAAA ::1", `z. IN TYPE65000 \# 2 0a0d`} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		wire := make([]byte, 512)
		n, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire[:n])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			return
		}
		r, err := newRecord(rr)
		if err != nil {
			return
		}
		line := r.line()
		if strings.ContainsAny(line, "\r\n\t") {
			t.Fatalf("more than a line: %q", line)
		}
		back, err := parseRecord(line)
		if err != nil || back != r {
			t.Fatalf("%q: %+v, %v, want %+v", line, back, err, r)
		}
		switch rr.(type) { // those that rules are made of; the library cannot read all that it prints
		case *dns.A, *dns.AAAA, *dns.CNAME, *dns.TXT, *dns.NS:
		default:
			return
		}
		again, err := dns.NewRR(line)
		if err != nil || again == nil {
			t.Fatalf("%q: %v", line, err)
		}
		if third, err := newRecord(again); err != nil || third != r {
			t.Fatalf("%q: %+v, %v, want %+v", line, third, err, r)
		}
	})
}

// FuzzMinisign: what is taken for a signature is printed and read back as itself, and nothing is taken for a good one.
func FuzzMinisign(f *testing.F) {
	key, err := parseSigner("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3") // that of minisign's own releases
	if err != nil {
		f.Fatal(err)
	}
	var s signature
	f.Add([]byte(s.String()))
	s.prehashed, s.id, s.comment = true, key.id, "timestamp:1\tfile:x"
	f.Add([]byte(s.String()))
	f.Add([]byte("untrusted comment: \r\n\r\ntrusted comment: \r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSignature(text)
		if err != nil {
			return
		}
		again, err := parseSignature([]byte(s.String()))
		if err != nil || again != s {
			t.Fatalf("%+v, %v, want %+v", again, err, s)
		}
		if key.verify(s, strings.NewReader("")) == nil {
			t.Fatal("a good signature")
		}
	})
}

// TestSorter: a zone that is sorted on disk comes out as one that is sorted in memory, each record once.
func TestSorter(t *testing.T) {
	t.Parallel()
	const n = 450_000
	s := &sorter{dir: t.TempDir(), limit: 1 << 30}
	rng := rand.New(rand.NewPCG(1, 2))
	var want []string
	for i := range n {
		key := fmt.Sprintf("n%d.z. CNAME .", rng.IntN(n))
		want = append(want, key)
		if err := s.add(zoneRecord{key, uint32(i % 3)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.files) < 2 {
		t.Fatalf("%d runs on disk: the test shows nothing", len(s.files))
	}
	defer s.close()
	slices.Sort(want)
	want = slices.Compact(want)
	got, err := s.sorted()
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if r, err := got.next(); err != nil || r.key != want[i] {
			t.Fatalf("record %d: %+v, %v, want %s", i, r, err, want[i])
		}
	}
	if _, err := got.next(); err != io.EOF {
		t.Fatal(err)
	}
}

// TestSerials compares as RFC 1982 section 3.2 says.
func TestSerials(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true},
		{0, 1, false},
		{5, 5, false},
		{0, 1<<32 - 1, true},
		{1<<31 - 1, 0, true},
		{1 << 31, 0, false},
		{0, 1 << 31, false},
		{1<<31 + 1, 0, false},
		{0, 1<<31 + 1, true},
	} {
		if got := newer(tc.a, tc.b); got != tc.want {
			t.Errorf("newer(%d, %d) = %v", tc.a, tc.b, got)
		}
	}
}
