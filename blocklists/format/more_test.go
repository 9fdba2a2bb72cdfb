package format_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"weir/blocklists/format"
)

// formatCase is a list, the entries in canonical text, and the reasons of what was skipped, both in order.
type formatCase struct {
	name, text, want, skipped string
}

func runCases(t *testing.T, f format.Format, cases []formatCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			entries, skipped, _ := parse(t, c.text, f)
			if got := strings.Join(entries, " "); got != c.want {
				t.Errorf("entries:\n got %s\nwant %s", got, c.want)
			}
			if got := strings.Join(skipped, " "); got != c.skipped {
				t.Errorf("skipped:\n got %s\nwant %s", got, c.skipped)
			}
		})
	}
}

func TestDnsmasq(t *testing.T) {
	t.Parallel()
	runCases(t, format.Dnsmasq, []formatCase{
		{"every way to block", "# t\naddress=/a.example/\naddress=/b.example/#\naddress=/c.example/0.0.0.0\naddress=/d.example/::\naddress=/e.example/127.0.0.1 # why\nserver=/f.example/\nlocal=/g.example/\n", "||a.example^$dnsrewrite=NXDOMAIN;; ||b.example^ ||c.example^ ||d.example^ ||e.example^ ||f.example^$dnsrewrite=NXDOMAIN;; ||g.example^$dnsrewrite=NXDOMAIN;;", ""},
		{"several names", "address=/a.example/.b.example/Bücher.example/#\r\n", "||a.example^ ||b.example^ ||xn--bcher-kva.example^", ""},
		{"usual servers: an exception", "server=/a.example/#\n", "@@||a.example^", ""},
		{"addresses", "address=/a.example/.b.example/192.0.2.1\naddress=/a.example/2001:db8::1\n", "||a.example^$dnstype=A,dnsrewrite=NOERROR;A;192.0.2.1 ||b.example^$dnstype=A,dnsrewrite=NOERROR;A;192.0.2.1 ||a.example^$dnstype=AAAA,dnsrewrite=NOERROR;AAAA;2001:db8::1", ""},
		{"aliases", "cname=a.example,*.b.example,Bücher.example,60\ncname=c.example\ncname=,d.example\ncname=e.example,f..g\n", "a.example CNAME xn--bcher-kva.example.", "pattern syntax invalid-name syntax"},
		{"rewrites that we do not know", "server=/b.example/192.0.2.1#5353\nhost-record=c.example,192.0.2.1\n", "", "rewrite rewrite"},
		{"settings", "no-resolv\nserver=192.0.2.1\nport=53\nconf-file=/etc/x\n", "", "setting setting setting include"},
		{"patterns", "address=/#/0.0.0.0\nserver=//\naddress=/*ads.example/#\naddress=/com/#\n", "", "pattern pattern pattern public-suffix"},
		{"an address as a name", "address=/0056.0151.0121.0114/0.0.0.0\n", "46.105.81.76", ""},
		{"broken", "address=a.example\naddress=/a.example\naddress=/a.example/x\n???\naddress=/a..b/ok.example/#\n", "||ok.example^", "syntax syntax syntax syntax invalid-name"},
	})
}

func TestUnbound(t *testing.T) {
	t.Parallel()
	runCases(t, format.Unbound, []formatCase{
		{
			"every way to block", "server:\n  local-zone: \"a.example.\" always_nxdomain\nlocal-zone: b.example refuse # why\nlocal-zone: 'c.example' deny\nlocal-zone:\"d.example\" always_null\nlocal-zone: e.example static\nlocal-zone: f.example redirect\nlocal-zone: g.example always_nodata\nlocal-zone: h.example truncate\nlocal-zone: i.example block_a\n",
			"||a.example^$dnsrewrite=NXDOMAIN;; ||d.example^ ||g.example^$dnsrewrite=NOERROR;; local-zone: \"h.example\" truncate ||b.example^ local-zone: \"c.example\" always_deny ||e.example^$dnsrewrite=NXDOMAIN;; ||f.example^ ||i.example^$dnstype=A,dnsrewrite=NOERROR;;", "",
		},
		{"redirected nowhere", "local-zone: \"a.example\" redirect\nlocal-data: \"a.example A 0.0.0.0\"\n", "|a.example^ ||a.example^", ""},
		{"redirected somewhere", "local-zone: \"a.example\" redirect\nlocal-data: \"A.example. 300 IN A 192.0.2.1\"\nlocal-data: \"x.a.example A 192.0.2.2\"\nlocal-zone: \"b.example\" redirect\nlocal-data: \"b.example CNAME c.example.\"\n", "||a.example^$dnsrewrite=NOERROR;A;192.0.2.1 ||b.example^$dnsrewrite=NOERROR;CNAME;c.example.", "shadowed"},
		{"data alone", "local-data: \"a.example A 127.0.0.1\"\nlocal-data: 'b.example AAAA ::'\nlocal-data: 'c.example TXT \"x  y\"'\nlocal-data-ptr: \"192.0.2.1 d.example\"\nlocal-data-ptr: \"2001:db8::1 60 d.example.\"\n", `|a.example^ |b.example^ c.example TXT "x  y" 1.2.0.192.in-addr.arpa PTR d.example. 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR d.example.`, ""},
		{"data in zones", "local-data: 'x.a.example A 192.0.2.1'\nlocal-data: 'b.example A 192.0.2.2'\nlocal-data: 'c.example A 192.0.2.3'\nlocal-data: 'c.example MX 1 m.'\nlocal-data: 'd.example A 0.0.0.0'\nlocal-data: 'x.e.example A 192.0.2.5'\nlocal-zone: a.example static\nlocal-zone: b.example static\nlocal-zone: c.example typetransparent\nlocal-zone: d.example transparent\nlocal-zone: e.example always_nodata\n", "|d.example^ ||e.example^$dnsrewrite=NOERROR;; x.a.example A 192.0.2.1 b.example A 192.0.2.2 |c.example^$dnstype=A,dnsrewrite=NOERROR;A;192.0.2.3 |c.example^$dnstype=MX,dnsrewrite=NOERROR;MX;1 m. ||a.example^$dnsrewrite=NXDOMAIN;; ||b.example^$dnsrewrite=NXDOMAIN;; @@||c.example^ @@||d.example^", "shadowed"},
		{"exceptions", "local-zone: a.example transparent\nlocal-zone: b.example always_transparent\n", "@@||b.example^ @@||a.example^", ""},
		{"not for everybody", "view:\n name: x\nlocal-zone: a.example refuse\nserver:\nlocal-zone: b.example refuse\n", "||b.example^", "setting view"},
		{"not rules", "local-zone: a.example nodefault\ninclude: \"x.conf\"\nverbosity: 1\nlocal-zone: . refuse\n", "", "zone-type include setting too-broad"},
		{"escapes", "local-zone: \"\\097.example\" refuse\nlocal-zone: 'b\\ c.example' always_null\nlocal-zone: b\\300.example refuse\n", "||b\\032c.example^ ||a.example^", "invalid-name"},
		{"broken", "local-zone: \"a.example refuse\nlocal-zone: a.example\nlocal-data: \"x\"\nlocal-data: \"x A y\"\nwhat\nlocal-zone: com refuse\nlocal-data: 'x.example MX y'\nlocal-data: 'x.example A'\nlocal-data-ptr: 'x'\nlocal-data-ptr: 'x y'\n", "", "syntax syntax syntax invalid-address syntax syntax syntax syntax invalid-address public-suffix"},
	})
}

func TestBind(t *testing.T) {
	t.Parallel()
	runCases(t, format.Bind, []formatCase{
		{"one a line", "zone \"a.example\" { type master; notify no; file \"null.zone.file\"; };\nzone \"b.example\" IN {type primary; file \"n\";}; // why\n", "||a.example^ ||b.example^", ""},
		{"over lines", "/* all\n of this */ zone \"a.example\"\n{\n\ttype master; # why\n\tallow-query { any; };\n\tfile \"x\";\n};\nzone b.example { type master; };\n", "||a.example^ ||b.example^", ""},
		{"other zones", "zone \".\" { type hint; file \"root\"; };\nzone \"a.example\" { type forward; forwarders { 192.0.2.1; }; };\nzone \"b.example\" { type slave; };\n", "", "zone-type zone-type zone-type"},
		{"not rules", "options { directory \"/x\"; };\ninclude \"y\";\nview \"v\" { zone \"a.example\" { type master; }; };\n;\n", "", "setting include view"},
		{"broken", "zone \"a.example\" { type master;\nzone \"b.example\" { type master; };\n};\nzone \"c.example\" { };\nzone \"d\nzone \"e.example\" { type master; };\nzone \"f.example\" {", "||b.example^ ||e.example^", "syntax syntax syntax syntax syntax"},
		{"type inside another block", "zone \"a.example\" { x { type master; }; };\n", "", "syntax"},
	})
}

// TestRPZ goes through the triggers and actions of draft-vixie-dnsop-dns-rpz-00.
func TestRPZ(t *testing.T) {
	t.Parallel()
	const head = "$TTL 30\n@ IN SOA a. b. 1 2 3 4 5\n NS localhost.\n"
	runCases(t, format.RPZ, []formatCase{
		{"NXDOMAIN", head + "a.example CNAME .\n*.a.example 300 IN CNAME .\n", "a.example CNAME . *.a.example CNAME .", ""},
		{"NODATA, DROP", head + "a.example CNAME *.\nb.example IN 1h CNAME rpz-drop.\n", "a.example CNAME *. b.example CNAME rpz-drop.", ""},
		{"PASSTHRU", head + "a.example CNAME rpz-passthru.\nb.example CNAME b.example.\n32.1.2.0.192.rpz-ip CNAME RPZ-passthru.\n", "@@|a.example^ @@|b.example^ @@192.0.2.1", ""},
		{"TCP-only", head + "a.example CNAME rpz-tcp-only.\n", "a.example CNAME rpz-tcp-only.", ""},
		{"local data and redirects", head + "a.example A 192.0.2.1\n TXT \"x ; y\" z\nb.example CNAME c.example.\nc.example CNAME *.d.example.\nf.example MX 10 x.\n*.g.example ( AAAA ; c\n 2001:DB8:0::1 )\n24.0.2.0.192.rpz-ip A 192.0.2.9\n", `a.example A 192.0.2.1 a.example TXT "x ; y" "z" b.example CNAME c.example. c.example CNAME *.d.example. f.example MX 10 x. *.g.example AAAA 2001:db8::1 24.0.2.0.192.rpz-ip A 192.0.2.9`, ""},
		{"what counts from an apex that nobody named", head + "e.example CNAME rpz-drop\nf.example MX 10 x\n", "", "rewrite rewrite"},
		{"what counts from the apex", "$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\ne.example CNAME walled\nf.example MX 10 @\n", "e.example CNAME walled.rpz.example. f.example MX 10 rpz.example.", ""},
		{"local data that leads nowhere", head + "a.example A 0.0.0.0\n AAAA ::\n", "|a.example^ |a.example^", ""},
		{"addresses", head + "24.0.2.0.192.rpz-ip CNAME .\n48.zz.1.db8.2001.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME .\n128.57005.zz.rpz-ip CNAME .\n128.1.2.3.4.5.6.7.2001.RPZ-IP CNAME .\n", "24.0.2.0.192.rpz-ip CNAME . 48.zz.1.db8.2001.rpz-ip CNAME . 128.1.zz.db8.2001.rpz-ip CNAME . 128.1.2.3.4.5.6.7.2001.rpz-ip CNAME .", "invalid-address"},
		{"bad addresses", head + "24.1.2.0.192.rpz-ip CNAME .\n33.0.2.0.192.rpz-ip CNAME .\n0.0.0.0.0.rpz-ip CNAME .\nx.rpz-ip CNAME .\nrpz-ip CNAME .\n16.256.0.0.1.rpz-ip CNAME .\n", "", "invalid-address invalid-address too-broad invalid-address invalid-address invalid-address"},
		{"who asks, and who serves", head + "24.0.0.0.127.rpz-client-ip CNAME rpz-drop.\n*.ns.example.rpz-nsdname CNAME .\nns.example.rpz-nsdname CNAME rpz-passthru.\n32.1.2.0.192.rpz-nsip CNAME .\n48.zz.1.db8.2001.rpz-nsip CNAME *.\nrpz-nsdname CNAME .\n", "24.0.0.0.127.rpz-client-ip CNAME rpz-drop. *.ns.example.rpz-nsdname CNAME . ns.example.rpz-nsdname CNAME rpz-passthru. 32.1.2.0.192.rpz-nsip CNAME . 48.zz.1.db8.2001.rpz-nsip CNAME *.", "invalid-name"},
		{"origin", "$ORIGIN rpz.example.\n@ SOA a. b. (1 ; serial\n 2 3 4 5)\na.example CNAME .\nb.example.rpz.example. CNAME .\nc.example. CNAME .\n$ORIGIN sub.rpz.example.\nd CNAME .\n$ORIGIN other.\ne CNAME .\n@ CNAME .\n", "a.example CNAME . b.example CNAME . d.sub CNAME .", "out-of-zone out-of-zone out-of-zone"},
		{"a transfer", "RPZ.example. 30 IN SOA a. b. 1 2 3 4 5\na.example.rpz.example. 30 IN CNAME .\nrpz.example. 30 IN NS x.\n", "a.example CNAME .", ""},
		{"root origin", "$ORIGIN .\n@ SOA a. b. 1 2 3 4 5\na.example CNAME .\nb.example. CNAME rpz-passthru\n", "a.example CNAME . @@|b.example^", ""},
		{"no origin", "a.example. CNAME .\nb.example CNAME .\n", "b.example CNAME .", "out-of-zone"},
		{"relative origin", head + "$ORIGIN example\na CNAME .\n$ORIGIN b\nc CNAME .\n", "a.example CNAME . c.b.example CNAME .", ""},
		{"never a registry", head + "*.com CNAME .\n* CNAME .\ncom CNAME .\n", "com CNAME .", "public-suffix too-broad"},
		{"escapes", head + "\\097.example CNAME .\nb\\.c.example CNAME *.\n*.D\\@.example CNAME .\n\\300.example CNAME .\na.\\049 CNAME .\n", "a.example CNAME . b\\046c.example CNAME *. *.d\\064.example CNAME .", "invalid-name invalid-name"},
		{"directives", "$INCLUDE x\n$GENERATE 1-9 a$ CNAME .\n$ORIGIN\n", "", "include setting syntax"},
		{"broken", head + "a.example\nb.example CNAME\nc.example CNAME . .\nd.example A x\ne.example TXT \"x\n CNAME .\nf.example ) CNAME .\nok.example CNAME .\n", "ok.example CNAME .", "syntax syntax syntax invalid-address syntax syntax syntax"},
		{"an open parenthesis", "a.example CNAME (\n.\n", "", "syntax syntax"},
		{"records that are no rules", head + "a.example NS x.\na.example RRSIG CNAME 8 2 30 1 1 1 x. y\n", "", "record-type record-type"},
	})
}

func TestDNSCrypt(t *testing.T) {
	t.Parallel()
	runCases(t, format.DNSCryptNames, []formatCase{
		{"names", "# t\na.example\n=b.example # why\n*.c.example\n", "||a.example^ |b.example^ ||c.example^", ""},
		{"patterns", "ads.*\n*ads*\n*ads\nads[0-9].example\nad?.example\n", "", "pattern pattern pattern pattern pattern"},
		{"schedules", "a.example @work\nb.example @\n@work\nc.example d.example\n", "", "schedule syntax syntax trailing-text"},
	})
	runCases(t, format.DNSCryptAddresses, []formatCase{
		{"addresses", "192.0.2.1 # why\n10.*\n192.168.*\nfe80:abcd:*\n2001:db8::/32\n[::1]\n", "192.0.2.1 10.0.0.0/8 192.168.0.0/16 fe80:abcd::/32 2001:db8::/32 ::1", ""},
		{"refused", "192.16*\n*\n1.2.3.4.*\n256.*\na.example\nfe80::1*\n192.0.2.1 x\n", "", "pattern pattern pattern pattern invalid-address pattern trailing-text"},
	})
}

func TestTPL(t *testing.T) {
	t.Parallel()
	runCases(t, format.TPL, []formatCase{
		{"rules", "msFilterList\n: Expires=1\n# t\n-d a.example\n+d b.a.example\n", "||a.example^ @@||b.a.example^", ""},
		{"texts and paths", "- /ads/\n+ x\n-d a.example ads.js\n-d b.example /x/y\n+d b.example /x/y/z\n-d c.example /x*y\n-d\nwhat\n", "http://b.example/x/y @@http://b.example/x/y/z", "url url url url syntax syntax"},
	})
}

func TestURLs(t *testing.T) {
	t.Parallel()
	runCases(t, format.URLs, []formatCase{
		{"hosts", "# t\nhttp://a.example/\nHTTPS://b.example\nhttps://c.example:443/\nhttp://192.0.2.1/\nd.example/\nhttp://[2001:db8::1]/ # why\nftp://bücher.example\n", "|a.example^ |b.example^ |c.example^ 192.0.2.1 |d.example^ 2001:db8::1 |xn--bcher-kva.example^", ""},
		{"more than hosts", "http://a.example/x\nhttp://a.example:8080/\nhttps://a.example:80\nhttp://a.example/?q\nhttp://u:p@a.example/x\na.example/x/../y//z\\u\nhttp://a.example#f\nftp://B.example./%7ex?%2f'\nhttp://[2001:DB8::1]:81/x\nhttp://a.example/ü\nhttp://a.example/%zz\n192.0.2.0/24\n", "http://a.example/x http://a.example:8080/ https://a.example:80/ http://a.example/?q http://a.example/x http://a.example/y/z/u |a.example^ http://b.example/~x?/%27 http://[2001:db8::1]:81/x http://a.example/%C3%BC 192.0.2.0/24", "url-path"},
		{"refused", "gopher://a.example/\nhttp:///x\nhttp://a..b/\nhttp://*.a.example/\nhttp://a.example/ x\n", "", "url invalid-name invalid-name pattern trailing-text"},
	})
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		formatCase
		column string
		err    error
	}{
		{formatCase{"by name", "id,Site,ip\n1,a.example,192.0.2.1\n2,\"b.example\",x\n", "||a.example^ ||b.example^", ""}, "site", nil},
		{formatCase{"by number", "1,a.example\n2,b.example\n", "||a.example^ ||b.example^", ""}, "2", nil},
		{formatCase{"usual name", "id;domain\n1;a.example\n2;192.0.2.1\n", "||a.example^ 192.0.2.1", ""}, "", nil},
		{formatCase{"header in a comment", "# t\n# id,url,tags\n\"1\",\"http://a.example/\",\"x,y\"\n\"2\",\"http://a.example/z\",\"\"\n", "|a.example^ http://a.example/z", ""}, "", nil},
		{formatCase{"one column", "domain\r\na.example\r\n\r\n*.b.example\r\n", "||a.example^ ||b.example^", ""}, "", nil},
		{formatCase{"quotes", "domain,note\na.example,\"two\nlines, \"\"quoted\"\"\"\nb.example,x\n", "||a.example^ ||b.example^", ""}, "", nil},
		{formatCase{"tabs", "x\thost\n1\ta.example\n", "||a.example^", ""}, "", nil},
		{formatCase{"broken", "id,domain\n1\n2,\"a\"b\n3,a\"b\n4,a.example:80\n5,\n6,b.example\n7,\"", "https://a.example:80/ ||b.example^", "syntax syntax syntax syntax"}, "", nil},
		{formatCase{"no such column", "id,domain\n1,a.example\n", "", ""}, "host", format.ErrColumn},
		{formatCase{"no usual column", "id,x\n1,a.example\n", "", ""}, "", format.ErrColumn},
		{formatCase{"empty", "", "", ""}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkOptions(t, c.formatCase, format.Options{Format: format.CSV, Column: c.column}, c.err)
		})
	}
}

func checkOptions(t *testing.T, c formatCase, o format.Options, want error) {
	t.Helper()
	var entries, skipped []string
	_, err := format.ParseWith(strings.NewReader(c.text), o,
		func(e format.Entry) { entries = append(entries, e.String()) },
		func(d format.Diagnostic) { skipped = append(skipped, string(d.Reason)) })
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if got := strings.Join(entries, " "); got != c.want {
		t.Errorf("entries:\n got %s\nwant %s", got, c.want)
	}
	if got := strings.Join(skipped, " "); got != c.skipped {
		t.Errorf("skipped:\n got %s\nwant %s", got, c.skipped)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, c := range []struct {
		formatCase
		column string
		err    error
	}{
		{formatCase{"array", "[\n\"a.example\",\n\"192.0.2.1\", \"b\\u002eexample\"]\n", "||a.example^ 192.0.2.1 ||b.example^", ""}, "", nil},
		{formatCase{"warning list: hostname", `{"list":[".a.example","b.example"],"type":"hostname"}`, "||a.example^ ||b.example^", ""}, "", nil},
		{formatCase{"warning list: string", `{"type":"string","list":["a.example"]}`, "|a.example^", ""}, "", nil},
		{formatCase{"warning list: cidr", `{"list":["192.0.2.0/24"],"type":"cidr"}`, "192.0.2.0/24", ""}, "", nil},
		{formatCase{"warning list: substring", `{"list":["a.example"],"type":"substring"}`, "", "pattern"}, "", nil},
		{formatCase{"warning list: regex", `{"list":["a.example"],"type":"regex"}`, "", "regex"}, "", nil},
		{formatCase{"warning list: unknown", `{"list":["a.example"],"type":"x"}`, "", "modifier"}, "", nil},
		{formatCase{"a named list", `{"list":["a.example"],"type":"substring"}`, "||a.example^", ""}, "list", nil},
		{formatCase{"objects", `{"1":[{"id":"x","ioc":"http://a.example/"}],"2":[{"ioc":"b.example:80"},{"ioc":"c.example"}]}`, "|a.example^ https://b.example:80/ ||c.example^", ""}, "", nil},
		{formatCase{"by key", `[{"domain":"a.example","other":"b.example"}]`, "||b.example^", ""}, "Other", nil},
		{formatCase{"one object a line", "{\"domain\": \".a.example\"}\n{\"domain\": \"b.example\"}\n", "||a.example^ ||b.example^", ""}, "", nil},
		{formatCase{"no key", `{"x":["a.example"],"n":[1,-2.5e3,true,null,{}]}`, "", ""}, "", format.ErrColumn},
		{formatCase{"long texts", `["` + strings.Repeat("x", 5000) + `","a.example"]`, "||a.example^", "line-too-long"}, "", nil},
		{formatCase{"empty", "[]", "", ""}, "list", nil},
		{formatCase{"cut", `["a.example",`, "||a.example^", ""}, "", format.ErrSyntax},
		{formatCase{"no comma", `["a.example" "b.example"]`, "||a.example^", ""}, "", format.ErrSyntax},
		{formatCase{"no colon", `{"a" 1}`, "", ""}, "", format.ErrSyntax},
		{formatCase{"bad literal", `[nul]`, "", ""}, "", format.ErrSyntax},
		{formatCase{"bad escape", `["\x"]`, "", ""}, "", format.ErrSyntax},
		{formatCase{"too deep", deep, "", ""}, "", format.ErrSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkOptions(t, c.formatCase, format.Options{Format: format.JSON, Column: c.column}, c.err)
		})
	}
	var lines []uint32
	text := "{\n\"list\": [\n\"a.example\",\n\"b.example\"]}"
	if _, err := format.Parse(strings.NewReader(text), format.JSON, func(e format.Entry) { lines = append(lines, e.Line) }, nil); err != nil || len(lines) != 2 || lines[0] != 3 || lines[1] != 4 {
		t.Errorf("lines %v, %v", lines, err)
	}
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	runCases(t, format.Fingerprints, []formatCase{
		{"words", "# t\n61D50e7771aee7f2f4b89a7200b4d45e\nt13d1516h2_8daaf6152771_b186095e22b6 # why\nwhat\n61d50e7771aee7f2f4b89a7200b4d45\nx13d1516h2_8daaf6152771_b186095e22b6\n", "61d50e7771aee7f2f4b89a7200b4d45e t13d1516h2_8daaf6152771_b186095e22b6", "syntax syntax syntax"},
		{"tables", "# ja3_md5,Firstseen,Lastseen,Listingreason\nb386946a5a44d1ddcc843bc75336dfce,2017-07-14 18:08:15,2019-07-27 20:42:54,Dridex\n\"61d50e7771aee7f2f4b89a7200b4d45e\",\"AcroCEF\"\n", "b386946a5a44d1ddcc843bc75336dfce 61d50e7771aee7f2f4b89a7200b4d45e", ""},
	})
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	const text = "# t\n0.0.0.0 a.example\n0.0.0.0 b.example\n"
	packed := compressed(t, text)
	for name, list := range packed {
		sum, err := format.Parse(bytes.NewReader(list), format.Auto, func(format.Entry) {}, nil)
		if err != nil || sum.Format != format.Hosts || sum.Names != 2 || sum.Bytes != int64(len(text)) {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
		if _, err := format.Parse(bytes.NewReader(list[:len(list)-3]), format.Auto, func(format.Entry) {}, nil); err == nil {
			t.Errorf("%s: cut short, and no error", name)
		}
	}
	parts := compressed(t, "0.0.0.0 c.example\n")
	for name, list := range packed { // RFC 1952 section 2.2 and RFC 8878 section 3: members and frames follow each other
		sum, err := format.Parse(io.MultiReader(bytes.NewReader(list), bytes.NewReader(parts[name])), format.Auto, func(format.Entry) {}, nil)
		if err != nil || sum.Names != 3 {
			t.Errorf("%s in two parts: %+v, %v", name, sum, err)
		}
		if _, err := format.Parse(io.MultiReader(bytes.NewReader(list), strings.NewReader("junk")), format.Auto, func(format.Entry) {}, nil); err == nil {
			t.Errorf("%s: junk behind it, and no error", name)
		}
	}
	for name, bomb := range compressed(t, strings.Repeat("a", 64<<20)) {
		if _, err := format.Parse(bytes.NewReader(bomb), format.Domains, func(format.Entry) {}, nil); !errors.Is(err, format.ErrLimit) {
			t.Errorf("%s: bomb: %v", name, err)
		}
	}
	for name, long := range compressed(t, strings.Repeat("a.example\n", 1000)) {
		o := format.Options{Format: format.Domains, Limits: format.Limits{Bytes: 5000}}
		if _, err := format.ParseWith(bytes.NewReader(long), o, func(format.Entry) {}, nil); !errors.Is(err, format.ErrLimit) {
			t.Errorf("%s: limit: %v", name, err)
		}
	}
}

// TestOctets: what is no text, or oddly written text, says so or is read.
func TestOctets(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"UTF-16 with a mark": "\xff\xfea\x00.\x00b\x00", "UTF-16 the other way": "\xfe\xff\x00a\x00.", "UTF-16 without a mark": "a\x00.\x00b\x00c\x00", "UTF-32": "a\x00\x00\x00.\x00\x00\x00",
	} {
		for _, kind := range []format.Format{format.Auto, format.Hosts, format.JSON} {
			if _, err := format.Parse(strings.NewReader(text), kind, func(format.Entry) {}, nil); !errors.Is(err, format.ErrEncoding) {
				t.Errorf("%s as %v: %v", name, kind, err)
			}
		}
	}
	runCases(t, format.Hosts, []formatCase{
		{"zeros", "0.0.0.0 a\x00.example ok.example # \x00\n\x00\n", "|ok.example^", "invalid-name invalid-name"},
		{"line ends", "\xef\xbb\xbf0.0.0.0 a.example\r0.0.0.0 b.example\r\n\r\r\n0.0.0.0 c.example\n\r0.0.0.0 d.example", "|a.example^ |b.example^ |c.example^ |d.example^", ""},
		{"IDN in both forms", "0.0.0.0 B\u00fccher.example xn--bcher-kva.example b\u00fccher\u3002example \u2603\ufe0f.example xn--\xff.example\n", "|xn--bcher-kva.example^ |xn--bcher-kva.example^ |xn--bcher-kva.example^ |xn--n3h.example^", "invalid-name"},
		{"a huge line", "0.0.0.0 " + strings.Repeat("x", 1<<20) + "\n0.0.0.0 a.example", "|a.example^", "line-too-long"},
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for f := format.Auto; f <= format.Fingerprints; f++ {
		want := f == format.RPZ || f == format.Unbound || f == format.Dnsmasq || f == format.Bind
		if f.Nearest() != want {
			t.Errorf("%v: %v", f, f.Nearest())
		}
	}
}

func compressed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	var g bytes.Buffer
	w := gzip.NewWriter(&g)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"gzip": g.Bytes(), "zstd": z.EncodeAll([]byte(text), nil)}
}
