package format_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
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

// fuzzFormat checks what holds for every format: nothing panics; one read and many reads give the same; a Builder takes every
// entry, and it stands on a line; printed canonically, and in its own format where print has a text for it, it is read again.
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
		b := set.NewBuilder()
		list, err := b.AddList(set.List{Name: "fuzz", GrantAllow: true, GrantRewrite: true, GrantClients: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range whole {
			if err := b.Add(list, e); err != nil || e.Line == 0 {
				t.Fatalf("%+v on line %d: %v", e, e.Line, err)
			}
			if !readAgain(e, e.String(), format.Adblock, format.RPZ, format.Unbound, format.URLs) && !unsaid(e) {
				t.Fatalf("%+v is printed as %q, and not read again", e, e.String())
			}
			if printed := print(e); printed != "" && !readAgain(e, printed, kind) {
				t.Fatalf("%+v is printed as %q in its own format, and not read again", e, printed)
			}
		}
	})
}

// readAgain says whether a text gives the entry, and no other, in one of some formats.
func readAgain(e format.Entry, text string, kinds ...format.Format) bool {
	for _, kind := range kinds {
		got, err := entries(strings.NewReader(text), format.Options{Format: kind})
		if err != nil || len(got) != 1 {
			continue
		}
		if got[0].Line = e.Line; got[0] == e {
			return true
		}
	}
	return false
}

// unsaid are the entries that no format can say: aliases that would be actions of a response policy zone, names that would be its
// triggers.
func unsaid(e format.Entry) bool {
	last := e.Name.String()[strings.LastIndexByte(e.Name.String(), '.')+1:]
	target, alias := strings.CutPrefix(e.Data, "CNAME ")
	return strings.HasPrefix(last, "rpz-") ||
		alias && (target == "." || target == "*." || strings.HasPrefix(target, "rpz-") || target == e.Name.String()+".")
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

// domainWord is an entry in lists of words.
func domainWord(e format.Entry) string {
	switch {
	case e.URL != "" || e.Fingerprint != "":
		return ""
	case e.Scope == set.Exact:
		return "=" + host(e)
	}
	return host(e)
}

// canonical prints nothing of its own: [set.Entry.String] is the format's own text.
func canonical(format.Entry) string { return "" }

func FuzzHosts(f *testing.F) {
	fuzzFormat(f, format.Hosts, func(e format.Entry) string {
		_, addr, real := strings.Cut(e.Data, " ")
		switch {
		case e.Prefix.IsValid():
			return host(e)
		case real:
			return addr + " " + host(e)
		}
		return "0.0.0.0 " + host(e)
	}, "0.0.0.0 a.example b.example # c", "192.0.2.1 a.example\r2001:db8::1 b.example", "127.0.0.1 localhost\nfe80::1%lo0 x", "::ffff:192.0.2.1 a.example", "bare.example\n0x7f.1")
}

func FuzzDomains(f *testing.F) {
	fuzzFormat(f, format.Domains, domainWord, "a.example\n*.b.example\r\n.c.example\n=d.example", "\xef\xbb\xbfb\u00fccher.example", "http://a.example/x\nb.example/y", "192.0.2.0/24 # c\n::1", "! c\na\\032b.example", "a.example:80\n192.0.2.1:443\n[2001:db8::1]:8080/\nb.example:443/x")
}

func FuzzAdblock(f *testing.F) {
	fuzzFormat(f, format.Adblock, canonical, "||a.example^$important\n@@||b.example^", "|c.example^\n||*.d.example^$badfilter", "||e.example^$dnstype=~A|~AAAA,dnsrewrite=NOERROR;TXT;a\\,b", "||f.example:80^\n@@||f.example:8080/$important", "||f.example/x/y^$all\n@@http://g.example:81/?q$important", "@@||f.example/m%281%29%2a%24%5e%7c?%7c=%24\n||f.example/%2a$important", "a##b\n/x/$y\n||h.example^$dnsrewrite=h.example", "0.0.0.0 a.example\n61d50e7771aee7f2f4b89a7200b4d45e$important", "||i.example^$dnsrewrite=NOERROR;SVCB;1 . alpn=h2\\,h3", "0.0.0.0$dnsrewrite=NOERROR;SVCB;0 0. alpn=\"\"")
}

func FuzzAddresses(f *testing.F) {
	fuzzFormat(f, format.Addresses, host, "192.0.2.0/24\n::1 # c", "::ffff:1.2.3.4/120", "0x7f.1\n[2001:db8::1]", "192.0.2.1:80\n[::1]:443")
}

func FuzzFingerprints(f *testing.F) {
	fuzzFormat(f, format.Fingerprints, func(e format.Entry) string { return e.Fingerprint + ",x" }, "61D50e7771aee7f2f4b89a7200b4d45e,\"x\"", "t13d1516h2_8daaf6152771_b186095e22b6 # c", "\"q13i0310h3_55b375c5d22e_cd85d2d88918\";y")
}

func FuzzDnsmasq(f *testing.F) {
	fuzzFormat(f, format.Dnsmasq, func(e format.Entry) string {
		kind, value, _ := strings.Cut(e.Data, " ")
		switch {
		case e.Exception:
			return "server=/" + host(e) + "/#"
		case e.Reply == set.ReplyNXDOMAIN:
			return "local=/" + host(e) + "/"
		case kind == "CNAME":
			return "cname=" + host(e) + "," + value
		case e.Reply == set.ReplyData:
			return "address=/" + host(e) + "/" + value
		}
		return "address=/" + host(e) + "/#"
	}, "address=/a.example/b.example/0.0.0.0 # c", "server=/.a.example/#\nlocal=/b.example/", "address=/1.2.3.4/::\r\nno-resolv", "address=/x.example/192.0.2.1", "cname=a.example,*.b.example,c.example,60")
}

func FuzzUnbound(f *testing.F) {
	fuzzFormat(f, format.Unbound, func(e format.Entry) string {
		switch {
		case e.Reply == set.ReplyData && e.Types == "" && e.Scope == set.Exact && !strings.ContainsAny(e.Data, "\"'"):
			return `local-data: "` + host(e) + " " + e.Data + `"`
		case e.Reply != set.ReplyPolicy || e.Scope == set.Below || e.Types != "":
			return ""
		case e.Exception:
			return `local-zone: "` + host(e) + `" transparent`
		case e.Scope == set.Exact:
			return `local-data: "` + host(e) + ` A 0.0.0.0"`
		}
		return `local-zone: "` + host(e) + `" always_null`
	}, "server:\nlocal-zone: \"a.example.\" redirect\nlocal-data: 'a.example 1h IN AAAA ::'", "view:\nlocal-zone: a.example refuse # c",
		"local-zone: \"a.example\" static\nlocal-data: \"A.example. CNAME b.\"", "local-zone: 10.0.0.0/8 transparent", "local-data: 'a.example TXT \"x y\"'\nlocal-zone: a.example typetransparent",
		"local-data-ptr: '192.0.2.1 60 a.example'\nlocal-zone: a.example truncate\nlocal-zone: b.example block_a")
}

func FuzzBind(f *testing.F) {
	fuzzFormat(f, format.Bind, func(e format.Entry) string {
		return `zone "` + host(e) + `" { type master; };`
	}, `zone "a.example" IN { type master; file "x"; }; # c`, "/* c */ zone a.example\n{ type primary;\n};", "options { x { y; }; };\nzone \"b.example\" { type hint; };", "ZONE \"a.example\" { Type Master; }; /* x", "zone \"a\" {\nzone \"b.example\" {type master;};}")
}

func FuzzRPZ(f *testing.F) {
	fuzzFormat(f, format.RPZ, func(e format.Entry) string {
		switch {
		case e.Reply != set.ReplyPolicy || e.Exception:
			return "" // its canonical text is a record
		case e.Scope == set.Below:
			return "*." + host(e) + " A 0.0.0.0"
		case e.Prefix.IsValid():
			return ""
		}
		return host(e) + " A 0.0.0.0"
	}, "$TTL 30\n@ IN SOA a. b. ( 1 2 ; c\n3 4 5 )\n NS localhost.\na.example CNAME .\n*.a.example 1h IN CNAME *.",
		"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nb.rpz.example. CNAME rpz-passthru.\n24.0.2.0.192.rpz-ip CNAME rpz-drop.",
		"48.zz.1.db8.2001.rpz-ip CNAME .\n32.1.2.0.192.rpz-client-ip CNAME .\na.example A 0.0.0.0\n TXT \"x;y\"", "$ORIGIN .\na.b CNAME rpz-tcp-only.\n(", "a\\.b.c CNAME .",
		"a.example A 192.0.2.1\n MX 10 m.\n*.ns.example.rpz-nsdname CNAME *.w.example.", "a.example HTTPS 1 . alpn=\"h2,h3\"", "24.0.2.0.192.rpz-nsip A 192.0.2.1", "a CNAME (\nb CNAME .\n( c CNAME .)\n)", "a TYPE65280 \\# 2 0A0B")
}

func FuzzDNSCryptNames(f *testing.F) {
	fuzzFormat(f, format.DNSCryptNames, domainWord, "a.example # c\n=b.example\n*.c.example", "d.example @work\nads*", "192.0.2.1\n10.0.0.0/8")
}

func FuzzDNSCryptAddresses(f *testing.F) {
	fuzzFormat(f, format.DNSCryptAddresses, host, "192.0.2.1\n10.*\nfe80:1:*", "2001:db8::/32 # c\n[::1]\n*", "::ffff:10.0.0.0/104")
}

func FuzzTPL(f *testing.F) {
	fuzzFormat(f, format.TPL, func(e format.Entry) string {
		word := map[bool]string{false: "-d ", true: "+d "}[e.Exception]
		if host, path, ok := strings.Cut(e.URL, "/"); ok {
			if path == "" || strings.Contains(path, "*") {
				return ""
			}
			return word + host + " /" + path
		}
		if e.Scope == set.Exact {
			return ""
		}
		return word + host(e)
	}, "msFilterList\n: Expires=1\n-d a.example\n+d b.a.example\n- /ads", "-d 192.0.2.1 x\n-d a.example /x?y", "+d [2001:db8::1] /x$y", "+d 0 /0")
}

func FuzzURLs(f *testing.F) {
	fuzzFormat(f, format.URLs, func(e format.Entry) string {
		authority, _, _ := strings.Cut(e.URL, "/")
		switch {
		case e.URL != "" && !strings.HasSuffix(authority, ":80"):
			return "hTTp://u:p@" + e.URL + "#f"
		case e.URL != "":
			return ""
		case e.Prefix.IsValid() && !e.Prefix.IsSingleIP():
			return host(e)
		case e.Prefix.IsValid() && e.Prefix.Addr().Is6():
			return "http://[" + host(e) + "]/"
		}
		return "http://" + host(e) + "/"
	}, "http://a.example/\nhttps://b.example:443", "http://192.0.2.1/x?y#z", "ftp://[2001:db8::1]/\n# c\nc.example/", "http://u:p@a.example:81\\x", "https://a.example:80/%7e/../'?\"|", "http://a.example/m%281%29%2a%24%5e%7c;%5b?%7c=%24%3d&%26")
}

func FuzzCSV(f *testing.F) {
	fuzzFormat(f, format.CSV, func(e format.Entry) string {
		if e.URL != "" {
			return ""
		}
		return "domain\n" + cmp.Or(e.Fingerprint, domainWord(e))
	}, "id,domain\n1,a.example\n2,\"b.example\"", "# c\n# id;url\n1;\"http://a.example/\"\n2;http://a.example/x", "domain\n\"a\n\"\"b\"\nc.example", "domain,x\n\"a\nb.example,\"\nc.example,\"x\"y\n\"d.example\",\"", "x\tip\n1\t192.0.2.1", "ja3_md5,x\n61d50e7771aee7f2f4b89a7200b4d45e,y")
}

// FuzzAuto: a list whose format is told from its beginning is read as that format, and to tell it once more gives the same.
func FuzzAuto(f *testing.F) {
	for _, s := range []string{
		"0.0.0.0 a.example b.example", "||a.example^$important\n@@||b.example^", "*.a.example\r\n=b.example", "192.0.2.0/24\n::1", "\xff\xfea\x00.\x00", "<html>", "{\"list\":[\"a.example\"]}",
		"address=/a.example/#", "local-zone: a.example refuse", "a.example CNAME .\n$TTL 3", "zone \"a\" { type master; };", "-d a.example", "http://a.example/x", "id,domain\n1,a.example", "\x1f\x8b\x08",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		auto, err := entries(iotest.OneByteReader(strings.NewReader(text)), format.Options{})
		kind, detectErr := format.Detect([]byte(text))
		if again, _ := format.Detect([]byte(text)); again != kind {
			t.Fatalf("%v, then %v", kind, again)
		}
		packed := strings.HasPrefix(text, "\x1f\x8b\x08") || strings.HasPrefix(text, "\x28\xb5\x2f\xfd")
		if err != nil || detectErr != nil || packed {
			if detectErr != nil && err == nil && !packed {
				t.Fatalf("%v, and yet %v", detectErr, auto)
			}
			return
		}
		named, err := entries(strings.NewReader(text), format.Options{Format: kind})
		if err != nil || len(named) > len(auto) || kind != format.Addresses && !slices.Equal(named, auto) { // where names stand among addresses, detected lists keep them
			t.Fatalf("%v: %v; %v, %v", kind, auto, named, err)
		}
	})
}

// FuzzCSVFields: what encoding/csv writes, we read.
func FuzzCSVFields(f *testing.F) {
	f.Add("x", "a.example", "y,z")
	f.Add("", "b.example", "two\nlines \"quoted\"")
	f.Fuzz(func(t *testing.T, before, word, after string) {
		if len(before)+len(word)+len(after) > 1000 || strings.ContainsAny(word, "\r\n") || strings.ContainsAny(before+after, "\r\x00") || strings.Count(before+after, "\n") > 30 {
			return // longer than a line, over more lines than a record may take, or with line ends that we read otherwise
		}
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		if err := w.WriteAll([][]string{{"n", "domain", "note"}, {"n" + before, word, after}}); err != nil {
			return
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
		text, err := json.Marshal([]string{cmp.Or(e.Fingerprint, domainWord(e))})
		if err != nil {
			return err.Error()
		}
		if e.URL != "" {
			return ""
		}
		return string(text)
	}, `["a.example","\u0062.example"]`, "{\"list\":[\".a.example\"],\n\"type\":\"string\"}", `{"x":[{"domain":"a.example"},{"domain":"http://b.example/x"}]}`, `{"a":1e5,"b":[true,null]} ["c.example"]`, `{"list":["10.0.0.0/8"],"type":"cidr"}`, `[{"ja3":"61d50e7771aee7f2f4b89a7200b4d45e"}]`)
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
		if strings.ContainsAny(text, "\\\"\r\v\f\x00/") || strings.Contains(text, "$GEN") || len(text) > 500 || strings.Count(text, "\n") > 30 {
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
		got := slices.DeleteFunc(all, func(e format.Entry) bool { return e.Reply != set.ReplyNXDOMAIN })
		same := slices.EqualFunc(got, want, func(a, b format.Entry) bool { a.Line = b.Line; return a == b })
		if !same && !strings.ContainsAny(strings.ToUpper(text), "*") && !strings.Contains(strings.ToUpper(text), "RPZ-") && !strings.Contains(text, "0.0.0.0") && !strings.Contains(text, ":") {
			t.Fatalf("%q: %v; want %v", text, got, want)
		}
	})
}
