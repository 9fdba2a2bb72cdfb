package format_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/miekg/dns"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// entries parses a text and returns what it emits, and the error.
func entries(r io.Reader, o format.Options) (all []format.Entry, err error) {
	_, err = format.ParseWith(r, o, func(e format.Entry) { all = append(all, e) }, func(format.Diagnostic) {})
	return all, err
}

// fuzzFormat checks that nothing panics, that one read and many reads give the same, that every entry is valid and stands on a
// line, and that each, printed in its own format, parses to itself.
func fuzzFormat(f *testing.F, kind format.Format, print func(format.Entry) string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := format.Options{Format: kind}
		whole, err := entries(strings.NewReader(text), o)
		bytewise, again := entries(iotest.OneByteReader(strings.NewReader(text)), o)
		if (err == nil) != (again == nil) || !slices.Equal(whole, bytewise) {
			t.Fatalf("cuts matter: %v %v; %v %v", whole, err, bytewise, again)
		}
		for _, e := range whole {
			if e.Name.IsZero() == !e.Prefix.IsValid() || e.Line == 0 {
				t.Fatalf("invalid entry %+v", e)
			}
			printed := print(e)
			got, err := entries(strings.NewReader(printed), o)
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v printed as %q parses to %v, %v", e, printed, got, err)
			}
			got[0].Line = e.Line
			if got[0] != e {
				t.Fatalf("%+v printed as %q parses to %+v", e, printed, got[0])
			}
		}
	})
}

// host is the name or the address of an entry.
func host(e format.Entry) string {
	switch {
	case !e.Prefix.IsValid():
		return e.Name.String()
	case e.Prefix.IsSingleIP():
		return e.Prefix.Addr().String()
	}
	return e.Prefix.String()
}

// domainWord is the word of an entry in lists of words.
func domainWord(e format.Entry) string {
	if e.Scope == set.Exact {
		return "=" + host(e)
	}
	return host(e)
}

func FuzzDnsmasq(f *testing.F) {
	fuzzFormat(f, format.Dnsmasq, func(e format.Entry) string {
		if e.Exception {
			return "server=/" + host(e) + "/#"
		}
		return "address=/" + host(e) + "/#"
	}, "address=/a.example/b.example/0.0.0.0 # c", "server=/.a.example/#\nlocal=/b.example/", "address=/1.2.3.4/::\r\nno-resolv", "address=/x/192.0.2.1")
}

func FuzzUnbound(f *testing.F) {
	fuzzFormat(f, format.Unbound, func(e format.Entry) string {
		switch {
		case e.Exception:
			return `local-zone: "` + host(e) + `" transparent`
		case e.Scope == set.Exact:
			return `local-data: "` + host(e) + ` A 0.0.0.0"`
		}
		return `local-zone: "` + host(e) + `" always_null`
	}, "server:\nlocal-zone: \"a.example.\" redirect\nlocal-data: 'a.example 1h IN AAAA ::'", "view:\nlocal-zone: a.example refuse # c",
		"local-zone: \"a.example\" static\nlocal-data: \"A.example. CNAME b.\"", "local-zone: 10.0.0.0/8 transparent")
}

func FuzzBind(f *testing.F) {
	fuzzFormat(f, format.Bind, func(e format.Entry) string {
		return `zone "` + host(e) + `" { type master; };`
	}, `zone "a.example" IN { type master; file "x"; }; # c`, "/* c */ zone a.example\n{ type primary;\n};", "options { x { y; }; };\nzone \"b.example\" { type hint; };", "zone \"a\" {\nzone \"b.example\" {type master;};}")
}

func FuzzRPZ(f *testing.F) {
	fuzzFormat(f, format.RPZ, func(e format.Entry) string {
		action := " CNAME ."
		if e.Exception {
			action = " CNAME rpz-passthru."
		}
		switch {
		case e.Prefix.IsValid():
			return rpzAddress(e.Prefix) + action
		case e.Scope == set.Below:
			return "*." + host(e) + action
		}
		return host(e) + action
	}, "$TTL 30\n@ IN SOA a. b. ( 1 2 ; c\n3 4 5 )\n NS localhost.\na.example CNAME .\n*.a.example 1h IN CNAME *.",
		"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nb.rpz.example. CNAME rpz-passthru.\n24.0.2.0.192.rpz-ip CNAME rpz-drop.",
		"48.zz.1.db8.2001.rpz-ip CNAME .\nx.rpz-client-ip CNAME .\na.example A 0.0.0.0\n TXT \"x;y\"", "$ORIGIN .\na.b CNAME rpz-tcp-only\n(", "a\\.b.c CNAME .")
}

// rpzAddress writes a prefix as an rpz-ip trigger.
func rpzAddress(p netip.Prefix) string {
	labels := strings.Split(p.Addr().String(), ".")
	if p.Addr().Is6() {
		labels = strings.Split(p.Addr().StringExpanded(), ":")
	}
	slices.Reverse(labels)
	return strconv.Itoa(p.Bits()) + "." + strings.Join(labels, ".") + ".rpz-ip"
}

func FuzzDNSCryptNames(f *testing.F) {
	fuzzFormat(f, format.DNSCryptNames, domainWord, "a.example # c\n=b.example\n*.c.example", "d.example @work\nads*", "192.0.2.1\n10.0.0.0/8")
}

func FuzzDNSCryptAddresses(f *testing.F) {
	fuzzFormat(f, format.DNSCryptAddresses, host, "192.0.2.1\n10.*\nfe80:1:*", "2001:db8::/32 # c\n[::1]\n*", "::ffff:10.0.0.0/104")
}

func FuzzTPL(f *testing.F) {
	fuzzFormat(f, format.TPL, func(e format.Entry) string {
		if e.Exception {
			return "+d " + host(e)
		}
		return "-d " + host(e)
	}, "msFilterList\n: Expires=1\n-d a.example\n+d b.a.example\n- /ads", "-d 192.0.2.1 x")
}

func FuzzURLs(f *testing.F) {
	fuzzFormat(f, format.URLs, func(e format.Entry) string {
		if e.Prefix.IsValid() && e.Prefix.Addr().Is6() {
			return "http://[" + host(e) + "]/"
		}
		return "http://" + host(e) + "/"
	}, "http://a.example/\nhttps://b.example:443", "http://192.0.2.1/x?y#z", "ftp://[2001:db8::1]/\n# c\nc.example/", "http://u:p@a.example:81\\x")
}

func FuzzCSV(f *testing.F) {
	fuzzFormat(f, format.CSV, func(e format.Entry) string { return "domain\n" + domainWord(e) },
		"id,domain\n1,a.example\n2,\"b.example\"", "# c\n# id;url\n1;\"http://a.example/\"", "domain\n\"a\n\"\"b\"\nc.example", "x\tip\n1\t192.0.2.1")
}

// FuzzCSVFields: what encoding/csv writes, we read.
func FuzzCSVFields(f *testing.F) {
	f.Add("x", "a.example", "y,z")
	f.Add("", "b.example", "two\nlines \"quoted\"")
	f.Fuzz(func(t *testing.T, before, word, after string) {
		if len(before)+len(word)+len(after) > 1000 || strings.ContainsAny(word, "\r\n") || strings.ContainsAny(before+after, "\r\x00") {
			t.Skip("longer than a line, or with line ends that we read otherwise")
		}
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		if err := w.WriteAll([][]string{{"n", "domain", "note"}, {"n" + before, word, after}}); err != nil {
			t.Skip("not writable")
		}
		got, err := entries(&text, format.Options{Format: format.CSV})
		quoted, jsonErr := json.Marshal([]string{word})
		if err != nil || jsonErr != nil {
			t.Fatal(err, jsonErr)
		}
		want, err := entries(bytes.NewReader(quoted), format.Options{Format: format.JSON})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %v; want %v, %v", text.String(), got, want, err)
		}
		for i := range got {
			if got[i].Line = want[i].Line; got[i] != want[i] {
				t.Fatalf("%q: %v; want %v", text.String(), got[i], want[i])
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzzFormat(f, format.JSON, func(e format.Entry) string {
		text, err := json.Marshal([]string{domainWord(e)})
		if err != nil {
			return err.Error()
		}
		return string(text)
	}, `["a.example","\u0062.example"]`, "{\"list\":[\".a.example\"],\n\"type\":\"string\"}", `{"x":[{"domain":"a.example"},{"domain":"http://b.example/"}]}`, `{"a":1e5,"b":[true,null]} ["c.example"]`, `{"list":["10.0.0.0/8"],"type":"cidr"}`)
}

// FuzzJSONGrammar: what encoding/json takes, we take, and we take nothing else.
func FuzzJSONGrammar(f *testing.F) {
	for _, s := range []string{`["a"]`, `{"a":[1,2,{"b":null}]}`, `[1,]`, `"\ud800"`, `{"a":1}{"b":2}`, `[-0.1e+5,tru]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := entries(strings.NewReader(text), format.Options{Format: format.JSON})
		if errors.Is(err, format.ErrColumn) {
			err = nil
		}
		if errors.Is(err, format.ErrNotAList) || strings.Count(text, "[")+strings.Count(text, "{") > 60 {
			return
		}
		if err != nil && json.Valid([]byte(text)) && len(text) < 160 {
			t.Fatalf("%q is refused: %v", text, err)
		}
		if err != nil || strings.HasPrefix(text, "\x1f\x8b\x08") || strings.HasPrefix(text, "\x28\xb5\x2f\xfd") {
			return
		}
		d := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
		for {
			var v any
			bad := d.Decode(&v)
			if errors.Is(bad, io.EOF) {
				return
			}
			var number *json.UnmarshalTypeError // a number that float64 does not hold
			if bad != nil && !errors.As(bad, &number) {
				t.Fatalf("%q is taken: %v", text, bad)
			}
		}
	})
}

// FuzzRPZZone: of a zone that the DNS library takes whole, we read the same records.
func FuzzRPZZone(f *testing.F) {
	for _, s := range []string{
		"@ SOA a. b. ( 1 2 ; c\n3 4 5 )\na.example 300 CNAME .\n  CNAME x.", "a IN 1h CNAME .\n$ORIGIN b.\nc 5 IN CNAME .\n", "a CNAME (\n.\n) ; x\nb CNAME .",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\\\"\r\v\f\x00/") || strings.Contains(text, "$GEN") || len(text) > 500 {
			return // spelled otherwise by the library, or read otherwise on purpose
		}
		for f := range strings.FieldsSeq(strings.ToLower(text)) {
			if strings.Trim(f, "smhdw0123456789") == "" && strings.IndexByte("smhdw", f[0]) >= 0 {
				return // a unit without a number is a TTL for the library, no record type for anybody
			}
		}
		z := dns.NewZoneParser(strings.NewReader(text), ".", "")
		z.SetDefaultTTL(60)
		var want []format.Entry
		for rr, ok := z.Next(); ok; rr, ok = z.Next() {
			if c, ok := rr.(*dns.CNAME); ok && c.Target == "." && c.Hdr.Name != "." {
				one, err := entries(strings.NewReader("$ORIGIN .\n"+c.Hdr.Name+" CNAME ."), format.Options{Format: format.RPZ})
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, one...)
			}
		}
		if z.Err() != nil {
			return
		}
		all, err := entries(strings.NewReader("$ORIGIN .\n"+text), format.Options{Format: format.RPZ})
		if err != nil {
			return // markup
		}
		got := slices.DeleteFunc(all, func(e format.Entry) bool { return e.Exception })
		same := slices.EqualFunc(got, want, func(a, b format.Entry) bool { a.Line = b.Line; return a == b })
		if !same && !strings.ContainsAny(strings.ToUpper(text), "*") && !strings.Contains(strings.ToUpper(text), "RPZ-") && !strings.Contains(text, "0.0.0.0") && !strings.Contains(text, ":") {
			t.Fatalf("%q: %v; want %v", text, got, want)
		}
	})
}
