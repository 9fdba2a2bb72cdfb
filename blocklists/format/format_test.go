package format_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"weir/blocklists/format"
)

// parse returns the entries in canonical text and the reasons of what was skipped, in order.
func parse(t *testing.T, text string, f format.Format) (entries, skipped []string, sum format.Summary) {
	t.Helper()
	sum, err := format.Parse(iotest.OneByteReader(strings.NewReader(text)), f,
		func(e format.Entry) { entries = append(entries, e.String()) },
		func(d format.Diagnostic) { skipped = append(skipped, string(d.Reason)) })
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return entries, skipped, sum
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		format  format.Format
		text    string
		want    string // entries, blank-separated
		skipped string
	}{
		{"hosts", format.Hosts, "0.0.0.0 a.example\n127.0.0.1\tb.example c.example # why\n:: d.example\n", "|a.example^ |b.example^ |c.example^ |d.example^", ""},
		{"hosts: the system's own lines", format.Hosts, "127.0.0.1 localhost\n255.255.255.255 broadcasthost\nff02::1 ip6-allnodes\nfe80::1%lo0 localhost\n0.0.0.0 0.0.0.0\n", "", "local-name local-name local-name local-name local-name"},
		{"hosts: a real address rewrites", format.Hosts, "192.0.2.1 bank.example\n2001:db8::1 a.example localhost\n", "bank.example A 192.0.2.1 a.example AAAA 2001:db8::1", "local-name"},
		{"hosts: octal IPv4 is an address", format.Hosts, "0.0.0.0 0056.0151.0121.0114\n", "46.105.81.76", ""},
		{"hosts: a bad name costs only itself", format.Hosts, "0.0.0.0 a..b ok.example\n", "|ok.example^", "invalid-name"},
		{"hosts: bare name", format.Hosts, "a.example\n", "|a.example^", ""},
		{"hosts: no address", format.Hosts, "a.example b.example\n", "", "invalid-address"},
		{"domains", format.Domains, "a.example\nB.Example. # c\n;c\n# c\n! c\n=c.example\n.d.example\n*.e.example\n", "||a.example^ ||b.example^ |c.example^ ||d.example^ ||e.example^", ""},
		{"domains: IDN in both forms", format.Domains, "bücher.example\nxn--bcher-kva.example\n", "||xn--bcher-kva.example^ ||xn--bcher-kva.example^", ""},
		{"domains: addresses", format.Domains, "192.0.2.1\n2001:db8::1\n192.0.2.77/24\n", "192.0.2.1 2001:db8::1 192.0.2.0/24", ""},
		{"domains: registries", format.Domains, "com\nco.uk\n*.com\nlocalhost\nduckdns.org\n", "||duckdns.org^", "public-suffix public-suffix public-suffix public-suffix"},
		{"domains: refused words", format.Domains, "http://a.example/x\na.example/y?z\na.example b.example\na*.example\na_b.example\na!b\nb.example:0\n*.b.example:80\n", "http://a.example/x http://a.example/y?z ||a_b.example^", "trailing-text pattern invalid-name url url"},
		{"domains: ports", format.Domains, "b.example:80\nB.example:443/ # c\n192.0.2.1:8080\n[2001:DB8::1]:53\n0x7f.1:1\nb.example:443/x\nb.example:80/x\nb.example:8443/x\nbücher.example:65535\nb.example:65536\n2001:db8::1\n", "https://b.example:80/ http://b.example:443/ http://192.0.2.1:8080/ http://[2001:db8::1]:53/ http://127.0.0.1:1/ http://b.example/x http://b.example/x http://b.example:8443/x http://xn--bcher-kva.example:65535/ 2001:db8::1", "url"},
		{"addresses: ports", format.Addresses, "192.0.2.1:8080\n192.0.2.1\na.example:8080\n[2001:db8::1]:53 # c\n", "http://192.0.2.1:8080/ 192.0.2.1 http://[2001:db8::1]:53/", "invalid-address"},
		{"urls: ports", format.URLs, "192.0.2.1:80\na.example:443\nhttps://a.example:443/\nhttp://a.example:443/\n", "https://192.0.2.1:80/ http://a.example:443/ |a.example^ http://a.example:443/", ""},
		{"adblock: ports", format.Adblock, "||a.example:8080^\n@@||a.example:443/\n||192.0.2.1:80^$important\n||a.example:80\n||*.a.example:80^\n||a.example:80^$dnstype=A\n", "http://a.example:8080/ @@http://a.example:443/ https://192.0.2.1:80/$important", "url modifier modifier"},
		{"auto: addresses with ports", format.Auto, "# c2\n192.0.2.1:8080\n[2001:db8::1]:443\n# more\n192.0.2.2:80\na.example:81\n", "http://192.0.2.1:8080/ http://[2001:db8::1]:443/ https://192.0.2.2:80/ http://a.example:81/", ""},
		{"auto: names with ports", format.Auto, "a.example:8080\nb.example\n192.0.2.2:80\n", "http://a.example:8080/ ||b.example^ https://192.0.2.2:80/", ""},
		{"domains: line ends and byte order mark", format.Domains, "\xef\xbb\xbfa.example\r\nb.example\rc.example\n\r\nd.example", "||a.example^ ||b.example^ ||c.example^ ||d.example^", ""},
		{"domains: long lines", format.Domains, strings.Repeat("x", 5000) + "\nb.example\n" + strings.Repeat("y", 4096) + "\n", "||b.example^", "line-too-long invalid-name"},
		{"domains: control characters", format.Domains, "a\x00.example\na\x1b[31m.example\n\xff\xfe.example\n", "", "invalid-name invalid-name invalid-name"},
		{"addresses", format.Addresses, "192.0.2.1 # a\n2001:db8::/32\n::ffff:192.0.2.0/120\n", "192.0.2.1 2001:db8::/32 192.0.2.0/24", ""},
		{"addresses: refused", format.Addresses, "a.example\n0.0.0.0/0\n::/0\n10.0.0.0/33\n2000::/3\n224.0.0.0/4\n", "224.0.0.0/4", "invalid-address too-broad too-broad invalid-address too-broad"},
		{"adblock", format.Adblock, "[Adblock Plus 2.0]\n! c\n# c\n||a.example^\n||b.example\n|c.example^\n||*.d.example^\n.e.example^\n://f.example^\ng.example\n0.0.0.0 h.example\n||i.example^|\n||j.example/\n//k.example^\n", "||a.example^ ||b.example^ |c.example^ ||*.d.example^ ||*.e.example^ |f.example^ ||g.example^ |h.example^ ||i.example^ ||j.example^ |k.example^", ""},
		{"adblock: exceptions and modifiers", format.Adblock, "@@||a.example^\n||b.example^$important\n@@||c.example^$important\n||d.example^$badfilter\n||e.example^$all\n||f.example^$important,badfilter\n", "@@||a.example^ ||b.example^$important @@||c.example^$important ||d.example^$badfilter ||e.example^ ||f.example^$important,badfilter", ""},
		{"adblock: types", format.Adblock, "||a.example^$dnstype=A\n||b.example^$dnstype=~A|~aaaa,important\n@@|c.example^$dnstype=HTTPS\n192.0.2.1$dnstype=A\n||d.example^$dnstype=AAAA|A|A,badfilter\n", "||a.example^$dnstype=A ||b.example^$important,dnstype=~A|~AAAA @@|c.example^$dnstype=HTTPS 192.0.2.1$dnstype=A ||d.example^$dnstype=A|AAAA,badfilter", ""},
		{"adblock: rewrites", format.Adblock, "||a.example^$dnsrewrite=NXDOMAIN\n||b.example^$dnsrewrite=NOERROR;;\n||c.example^$dnsrewrite=192.0.2.1\n||d.example^$dnsrewrite=2001:db8::1\n||e.example^$dnsrewrite=x.example\n||f.example^$dnsrewrite=REFUSED\n||g.example^$dnsrewrite=NOERROR;MX;10 mail.example,dnstype=MX\n||h.example^$dnsrewrite=NOERROR;TXT;a\\,b \"$c\n||i.example^$dnsrewrite=NXDOMAIN;;\n||j.example^$dnsrewrite=0.0.0.0\n||k.example^$dnsrewrite=NOERROR;AAAA;::\n", `||a.example^$dnsrewrite=NXDOMAIN;; ||b.example^$dnsrewrite=NOERROR;; ||c.example^$dnsrewrite=NOERROR;A;192.0.2.1 ||d.example^$dnsrewrite=NOERROR;AAAA;2001:db8::1 ||e.example^$dnsrewrite=NOERROR;CNAME;x.example. ||f.example^ ||g.example^$dnstype=MX,dnsrewrite=NOERROR;MX;10 mail.example. ||h.example^$dnsrewrite=NOERROR;TXT;"a\,b \"$c" ||i.example^$dnsrewrite=NXDOMAIN;; ||j.example^ ||k.example^`, ""},
		{"adblock: URLs", format.Adblock, "||a.example/x/y.exe$all\n||b.example/x^\n|https://c.example:8443/\nhttp://d.example/x?y=$z\n://192.0.2.1/x$important\n@@||e.example/Bücher*\n||f.example/?q$badfilter\n|http://g.example/%41%2f#f\n", "http://a.example/x/y.exe http://b.example/x http://c.example:8443/ http://192.0.2.1/x$important @@http://e.example/B%C3%BCcher http://f.example/?q$badfilter http://g.example/A%2F", "modifier"},
		{"adblock: fingerprints", format.Adblock, "61D50e7771aee7f2f4b89a7200b4d45e\n@@t13d1516h2_8daaf6152771_b186095e22b6$important\n61d50e7771aee7f2f4b89a7200b4d45e$dnstype=A\n", "61d50e7771aee7f2f4b89a7200b4d45e @@t13d1516h2_8daaf6152771_b186095e22b6$important", "modifier"},
		{"adblock: addresses", format.Adblock, "||192.0.2.1^\n@@192.0.2.0/24\n||[2001:db8::1]^\n||0x7f.1^\n", "192.0.2.1 @@192.0.2.0/24 2001:db8::1 127.0.0.1", ""},
		{
			"adblock: never in part", format.Adblock, "||a.example^$third-party\n||a.example^$dnstype=A|~AAAA\n||a.example^$important,client=x\n||a.example/x*y\n||a.example:8080\n|http://a.example^\n/ads[0-9]/\n/x/$all\na.example##.ad\n##.ad\na.example#@#.ad\n||ad*.example^\n||ads.\n||com^\na.example^\n|a.example\n@@\n$important\n||192.0.2.0/24^\n||*.192.0.2.1^\n||a.example/x|\n||a.example^$empty\n||a.example:443/x\n||a.example/x/^\n@@||a.example^$dnsrewrite\n||a.example/x$dnstype=A\n||a.example^$dnsrewrite=SERVFAIL\n||a.example^$dnsrewrite=NOERROR;A;x\n||a.example^$ctag=x\n*$denyallow=a.example\n||a.example^$dnstype=NONE\n||a.example/x$document\n||a.example^$dnsrewrite=NXDOMAIN;A;192.0.2.1\n", "",
			"modifier modifier modifier pattern url url regex regex cosmetic cosmetic cosmetic pattern pattern public-suffix pattern pattern pattern pattern url pattern pattern modifier url url modifier modifier modifier modifier modifier modifier modifier modifier modifier",
		},
		{"auto: adblock of mostly plain names", format.Auto, "! Title\na.example\nb.example\n||c.example^\n", "||a.example^ ||b.example^ ||c.example^", ""},
		{"auto: hosts", format.Auto, "# Title\n127.0.0.1 localhost\n0.0.0.0 a.example\n0.0.0.0 b.example\n", "|a.example^ |b.example^", "local-name"},
		{"auto: wildcard", format.Auto, "# Title\n*.a.example\n", "||a.example^", ""},
		{"auto: only comments", format.Auto, "# nothing\n", "", ""},
		{"auto: empty", format.Auto, "", "", ""},
		{"auto: addresses first, names later", format.Auto, strings.Repeat("192.0.2.1\n", 300) + "a.example\n", strings.Repeat("192.0.2.1 ", 300) + "||a.example^", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			entries, skipped, sum := parse(t, c.text, c.format)
			if got := strings.Join(entries, " "); got != c.want {
				t.Errorf("entries:\n got %s\nwant %s", got, c.want)
			}
			if got := strings.Join(skipped, " "); got != c.skipped {
				t.Errorf("skipped:\n got %s\nwant %s", got, c.skipped)
			}
			total := 0
			for _, n := range sum.Skipped {
				total += n
			}
			if total != len(skipped) || sum.Entries()+sum.Cancels != len(entries) || sum.Bytes > int64(len(c.text)) {
				t.Errorf("summary does not add up: %+v", sum)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       format.Format
		err        error
	}{
		{"html", "\n <!DOCTYPE html><html>", format.Auto, format.ErrNotAList},
		{"xml", "<?xml version='1.0'?>", format.Auto, format.ErrNotAList},
		{"dnsmasq", "# t\naddress=/a.example/#\naddress=/b.example/0.0.0.0\n", format.Dnsmasq, nil},
		{"dnsmasq: server and local", "server=/a.example/\nlocal=/b.example/\n", format.Dnsmasq, nil},
		{"unbound", "server:\nlocal-zone: \"a.example.\" always_null\n", format.Unbound, nil},
		{"unbound: settings alone", "server:\nnum-threads: 2\n", format.Auto, format.ErrUnknown},
		{"rpz", "; t\n$TTL 30\n@ IN SOA a. b. 1 2 3 4 5\na.example CNAME .\n", format.RPZ, nil},
		{"rpz: SOA over lines", "$TTL 2h\n@ SOA a. b. (\n1\n2\n3\n4 )\nx 300 IN CNAME .\n*.x CNAME .\ny A 192.0.2.1\nz.rpz-ip CNAME .\nw CNAME .\n", format.RPZ, nil},
		{"prose with letters", "What a day\nSuch a sight\nNot a list\n", format.Auto, format.ErrUnknown},
		{"hosts with letters", "0.0.0.0 a b\n0.0.0.0 ns x\n", format.Hosts, nil},
		{"bind", "// t\nzone \"a.example\" {\n  type master;\n  file \"null\";\n};\n", format.Bind, nil},
		{"bind: one a line", "zone \"a.example\" { type master; file \"n\"; };\n", format.Bind, nil},
		{"statements of another language", "a = 1;\nb = 2;\n}\n};\n", format.Auto, format.ErrUnknown},
		{"tpl", "msFilterList\n: Expires=1\n-d a.example\n-d b.example\n", format.TPL, nil},
		{"dnscrypt names", "a.example\nb.example @work\n", format.DNSCryptNames, nil},
		{"dnscrypt addresses", "10.0.0.1\n10.1.*\nfe80:*\n", format.DNSCryptAddresses, nil},
		{"json: array", " [\n\"a.example\"]", format.JSON, nil},
		{"json: object", "{\"list\":[]}", format.JSON, nil},
		{"csv", "id,domain\n1,a.example\n", format.CSV, nil},
		{"csv: header in a comment", "# id,dateadded,url\n\"1\",\"2022-01-01\",\"http://a.example/\"\n", format.CSV, nil},
		{"csv: no column that we know", "id,x\n1,a.example\n", format.Auto, format.ErrUnknown},
		{"prose with commas", "Lorem ipsum, dolor sit\namet, consetetur, elitr\n", format.Auto, format.ErrUnknown},
		{"urls", "# t\nhttp://a.example/x\nhttps://b.example/\n", format.URLs, nil},
		{"urls with hashes", "http://a.example/x##y\nhttps://b.example/\n", format.URLs, nil},
		{"ja3", "61d50e7771aee7f2f4b89a7200b4d45e,\"AcroCEF\"\n", format.Fingerprints, nil},
		{"ja4", "t13d1516h2_8daaf6152771_b186095e22b6\n", format.Fingerprints, nil},
		{"rules", "alert http any any -> any any (msg:\"x\"; sid:1;)\n", format.Auto, format.ErrUnknown},
		{"adblock header", "[Adblock Plus 2.0]\na.example\n", format.Adblock, nil},
		{"addresses", "192.0.2.1\n192.0.2.0/24\n", format.Addresses, nil},
		{"hosts with rules", "0.0.0.0 a.example\n0.0.0.0 b.example\n||c.example^\n", format.Adblock, nil},
		{"domains with addresses", "192.0.2.1\n192.0.2.2\na.example\n", format.Domains, nil},
	} {
		got, err := format.Detect([]byte(c.text))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a.example\n", 100)
	for name, l := range map[string]format.Limits{"bytes": {Bytes: 99}, "lines": {Lines: 9}, "entries": {Entries: 9}} {
		n := 0
		_, err := format.ParseLimited(strings.NewReader(many), format.Domains, l, func(format.Entry) { n++ }, nil)
		if !errors.Is(err, format.ErrLimit) || n > 10 {
			t.Errorf("%s: %d entries, %v", name, n, err)
		}
	}
	broken := errors.New("broken")
	_, err := format.Parse(iotest.TimeoutReader(strings.NewReader(many)), format.Domains, func(format.Entry) {}, nil)
	if err != nil && !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("reader error: %v", err)
	}
	if _, err = format.Parse(iotest.ErrReader(broken), format.Domains, func(format.Entry) {}, nil); !errors.Is(err, broken) {
		t.Errorf("reader error: %v", err)
	}
}

func TestDiagnostic(t *testing.T) {
	t.Parallel()
	var got []format.Diagnostic
	text := "ok.example\n\x1b[31m\u202ebad\n" + strings.Repeat("?", 1000) + "\n"
	if _, err := format.Parse(strings.NewReader(text), format.Domains, func(format.Entry) {}, func(d format.Diagnostic) { got = append(got, d) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Line != 2 || got[0].Text != `\x1b[31m\u202ebad` || len(got[1].Text) > 200 {
		t.Errorf("got %q", got)
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for f := format.Auto; f <= format.Fingerprints; f++ {
		if got, err := format.ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	if got, err := format.ParseFormat(""); got != format.Auto || err != nil {
		t.Errorf("empty: %v, %v", got, err)
	}
	if _, err := format.ParseFormat("nonsense"); err == nil {
		t.Error("nonsense parsed")
	}
}
