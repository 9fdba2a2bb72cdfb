package app_test

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
)

// cases are all cases of the table.
func (w *world) cases() []agreementCase {
	var out []agreementCase
	for _, part := range [][]agreementCase{
		w.nameCases(), w.clientCases(), w.urlCases(), w.addressCases(), w.answerCases(), w.headerCases(), w.tunnelCases(), w.bodyCases(),
		w.contentCases(), w.messageCases(), w.listCases(), w.trialCases(),
	} {
		out = append(out, part...)
	}
	return out
}

// The words of most expectations.
var (
	allowed = want{verdict: "allow", cause: "default", class: "unknown"}
	listed  = want{verdict: "block", cause: "reputation", class: "bad", list: "bad"}
	private = want{verdict: "block", cause: "safety", safety: "private-address"}
	framing = want{verdict: "block", cause: "safety", safety: "ambiguous-framing"}
)

func byRule(verdict, rule string) want {
	return want{verdict: verdict, cause: "rule", class: "unknown", rule: rule}
}

// ofAddress is what the rule about an address says: one behind a name has no class of its own.
func ofAddress(verdict string) want { return want{verdict: verdict, cause: "rule", rule: "no-address"} }

func byClass(verdict, class, list string) want {
	return want{verdict: verdict, cause: "reputation", class: class, list: list}
}

func byDetector(verdict string) want {
	return want{verdict: verdict, cause: "detector", class: "unknown"}
}

// aName is a name and what must be decided about it, the same for a query, a plain request and a CONNECT.
type aName struct {
	name string
	want
}

// namesTable meets every rule and every list, and their neighbours that they must not meet.
func namesTable() []aName {
	listedRule := func(rule, class, list string) want {
		return want{verdict: "block", cause: "rule", class: class, rule: rule, list: list}
	}
	pardoned := func(rule string) want {
		return want{verdict: "allow", cause: "rule", class: "bad", rule: rule, list: "bad"}
	}
	return []aName{
		{"plain.test", allowed},
		{"deep.below.of.plain.test", allowed},
		{"xn--bcher-kva.test", allowed},
		{"under_score.test", allowed},
		{strings.Repeat("a", 63) + ".test", allowed},
		{"labs.test", byRule("log", "labs-are-watched")},
		{"x.labs.test", byRule("log", "labs-are-watched")},
		{"notlabs.test", allowed},
		{"bad.test", listed},
		{"www.bad.test", listed},
		{"a.b.c.bad.test", listed},
		{"notbad.test", allowed},
		{"bad.test.com", allowed},
		{"pardoned.bad.test", pardoned("pardon")},
		{"x.pardoned.bad.test", listed},
		{"over.bad.test", listed},
		{"valid.bad.test", pardoned("pardon-valid")},
		{"untrusted.test", byClass("log", "untrusted", "untrusted")},
		{"home.untrusted.test", byClass("log", "untrusted", "untrusted")},
		{"shared.test", want{verdict: "allow", cause: "default", class: "shared"}},
		{"known.test", want{verdict: "allow", cause: "default", class: "known"}},
		{"class.known.test", listedRule("by-class", "known", "known")},
		{"exact.test", byClass("block", "bad", "exact")},
		{"below.test", byClass("block", "bad", "below")},
		{"notbelow.test", allowed},
		{"x.below.test", byClass("block", "bad", "below")},
		{"blocking.test", want{verdict: "block", cause: "list", class: "known", list: "blocking"}},
		{"logging.test", want{verdict: "log", cause: "list", class: "bad", list: "logging"}},
		{"allowing.test", want{verdict: "allow", cause: "list", class: "bad", list: "allowing"}},
		{"granted.test", byClass("block", "bad", "granted")},
		{"ok.granted.test", allowed},
		{"x.ok.granted.test", allowed},
		{"hard.ok.granted.test", byClass("block", "bad", "granted")},
		{"ungranted.test", byClass("block", "bad", "ungranted")},
		{"ok.ungranted.test", byClass("block", "bad", "ungranted")},
		{"ads.test", listedRule("by-category", "shared", "ads")},
		{"named.test", listedRule("by-list", "shared", "named")},
		{"kids.test", allowed},
		{"games.test", byRule("block", "no-games")},
		{"chess.games.test", byRule("block", "no-games")},
		{"wild.test", allowed},
		{"x.wild.test", byRule("block", "only-below")},
		{"refused.test", byRule("block", "refused")},
		{"null.test", byRule("block", "nulled")},
		{"watched.test", byRule(wouldBlock, "watched")},
		{"adults.test", byRule("block", "adults-not")},
		{"children.test", allowed},
		{"x.raw.test", byRule("allow", "uninspected")},
		{"bank.test", allowed},
	}
}

// ask takes one name as a question to the resolver, as a plain URL and inside TLS; wants are those of DNS and of HTTP.
func (w *world) ask(client, name string, inDNS, inHTTP want) []agreementCase {
	plain, secure := "http://"+w.host(name, false)+"/", "https://"+w.host(name, true)+"/"
	label := name
	if client != adult {
		label += " for " + client
	}
	return []agreementCase{
		{kind: "name", name: "dns " + label, want: inDNS, ways: []way{w.asked(client, name, dns.TypeA), w.checked(client, name)}},
		{kind: "name", name: "http " + label, want: inHTTP, ways: []way{w.fetched(client, "GET", plain), w.checked(client, plain)}},
		{kind: "name", name: "https " + label, want: inHTTP, ways: []way{
			w.fetched(client, "GET", secure), w.fetched(client, "GET", secure, "h2"), w.checked(client, secure),
		}},
	}
}

// nameCases take every name three times.
func (w *world) nameCases() (out []agreementCase) {
	for _, n := range namesTable() {
		if n.name == "bank.test" && w.mode.fallback == "block" {
			// What a rule splices is allowed by it, whatever the default.
			spliced := byRule("allow", "bank")
			for _, c := range w.ask(adult, n.name, spliced, spliced) {
				c.exact = true
				out = append(out, c)
			}
			continue
		}
		if n.name == "watched.test" && w.mode.fallback == "block" {
			n.want = allowed // a rule on trial ends nothing: the default speaks
		}
		out = append(out, w.ask(adult, n.name, n.want, n.want)...)
	}
	out = append(out, w.ask(adult, "dnsonly.test", byRule("block", "dns-only"), allowed)...)
	out = append(out, w.ask(adult, "httponly.test", allowed, byRule("block", "http-only"))...)
	for _, spelled := range []string{"WWW.Bad.TEST", "www.bad.test."} {
		out = append(out, w.ask(adult, spelled, listed, listed)...)
	}
	for unicode, ascii := range map[string]string{"bücher.games.test": "xn--bcher-kva.games.test", "BÜCHER.bad.test": "xn--bcher-kva.bad.test"} {
		expect := listed
		if strings.Contains(ascii, "games") {
			expect = byRule("block", "no-games")
		}
		out = append(out, agreementCase{
			kind: "name", name: "dns " + unicode, want: expect,
			ways: []way{w.asked(adult, ascii, dns.TypeA), w.checked(adult, ascii), w.checked(adult, unicode)},
		})
	}
	return out
}

// clientCases ask the same names as other clients.
func (w *world) clientCases() (out []agreementCase) {
	stranged := want{verdict: "block", cause: "safety", safety: "client-not-served"}
	for _, c := range []struct {
		client, name string
		want
	}{
		{child, "plain.test", allowed},
		{child, "adults.test", allowed},
		{child, "children.test", byRule("block", "children-not")},
		{child, "kids.test", byClass("block", "bad", "for-children")},
		{child, "bad.test", listed},
		{stranger, "plain.test", stranged},
		{otherStranger, "bad.test", stranged}, // one event a minute tells of a stranger's DNS queries
	} {
		out = append(out, w.ask(c.client, c.name, c.want, c.want)...)
	}
	return out
}

// urlCases are about more than the name: the path, the port.
func (w *world) urlCases() (out []agreementCase) {
	port := want{verdict: "block", cause: "safety", safety: "port-refused"}
	secret := byRule("block", "secret")
	for _, c := range []struct {
		url string
		want
	}{
		{"http://" + w.host("url.test", false) + "/", allowed},
		{"http://" + w.host("url.test", false) + "/secret/plan", secret},
		{"https://" + w.host("url.test", true) + "/secret/plan", secret},
		{"http://" + w.host("url.test", false) + "/a/../secret/plan", secret},
		{"http://" + w.host("url.test", false) + "//secret//plan", secret},
		{"http://" + w.host("url.test", false) + "/%73ecret/plan", secret},
		{"http://" + w.host("url.test", false) + "/secret/plan?token=abc&x=1", secret},
		{"http://" + w.host("url.test", false) + "/open?to=/secret/plan", allowed},
		{"http://" + w.host("URL.test", false) + "/secret/%2e%2e/secret/plan", secret},
		{"http://plain.test:1/", port},
		{"https://plain.test:1/", port},
		{"http://bad.test:1/", port},
		{"https://" + w.host("plain.test", false) + "/", allowed},
	} {
		if strings.HasPrefix(c.url, "https://plain.test") && c.want == allowed {
			continue // TLS to a port that speaks none ends in an error, which is no decision
		}
		out = append(out, agreementCase{
			kind: "name", name: c.url[strings.Index(c.url, "//"):], want: c.want, ways: []way{w.fetched(adult, "GET", c.url), w.checked(adult, c.url)},
		})
	}
	for _, c := range []aName{
		{"plain.test", allowed},
		{"bad.test", listed},
		{"x.labs.test", byRule("log", "labs-are-watched")},
		{"httponly.test", allowed},
		{"socketonly.test", byRule("block", "socket-only")},
		{"watched.test", byRule(wouldBlock, "watched")},
	} {
		out = append(out, agreementCase{
			kind: "name", name: "ws " + c.name, want: c.want,
			ways: []way{w.upgraded(c.name), w.inspected(w.upgrade(c.name)), w.checked(adult, "ws://"+w.host(c.name, false)+"/sink")},
		})
	}
	return out
}

// addressCases are literal targets in many spellings, as plain requests and as CONNECT.
func (w *world) addressCases() (out []agreementCase) {
	literal := want{verdict: "log", cause: "reputation", class: "untrusted"}
	onList := byClass("block", "bad", "addresses")
	ruled := want{verdict: "block", cause: "rule", class: "untrusted", rule: "no-address"}
	for _, c := range []struct {
		host string
		want
	}{
		{"127.0.0.1", literal},
		{"127.1", literal},
		{"0x7f.1", literal},
		{"0X7F000001", literal},
		{"2130706433", literal},
		{"0177.0.0.1", literal},
		{"017700000001", literal},
		{"127.0.0.1.", literal},
		{"[::ffff:127.0.0.1]", literal},
		{"[::ffff:7f00:1]", literal},
		{"[0:0:0:0:0:ffff:127.0.0.1]", literal},
		{"127.0.0.66", ruled},
		{"127.66", ruled},
		{"0x7f.0.66", ruled},
		{"[::ffff:127.0.0.66]", ruled},
		{"127.0.0.77", onList},
		{"127.0.0.78", onList},
		{"2130706509", onList},
		{"127.0.0.100", onList},
		{"[::ffff:127.0.0.77]", onList},
		{"127.0.0.200", private},
		{"127.200", private},
		{"10.0.0.1", private},
		{"0xa.1", private},
		{"167772161", private},
		{"172.16.5.4", private},
		{"192.168.1.1", private},
		{"169.254.169.254", private},
		{"0xa9fea9fe", private},
		{"169.254.43518", private},
		{"100.64.0.1", private},
		{"0.0.0.0", private},
		{"0", private},
		{"224.0.0.1", private},
		{"255.255.255.255", private},
		{"[::1]", private},
		{"[::]", private},
		{"[fe80::1]", private},
		{"[fc00::1]", private},
		{"[ff02::1]", private},
		{"[::ffff:10.0.0.1]", private},
		{"[64:ff9b::10.0.0.1]", private},
		{"[64:ff9b::a9fe:a9fe]", private},
		{"[2002:0a00:0001::1]", private},
		{"[2001:0:4136:e378:8000:63bf:f5ff:fffe]", private},
		{"[::10.0.0.1]", private},
	} {
		plain, secure := "http://"+w.host(c.host, false)+"/", "https://"+w.host(c.host, true)+"/"
		out = append(out,
			agreementCase{kind: "address", name: "http " + c.host, want: c.want, ways: []way{w.fetched(adult, "GET", plain), w.checked(adult, plain)}},
			agreementCase{kind: "address", name: "https " + c.host, want: c.want, ways: []way{w.fetched(adult, "GET", secure), w.checked(adult, secure)}},
		)
	}
	return out
}

// anAnswer is what the upstream says about a name.
type anAnswer struct {
	name    string
	qtype   uint16
	records []string
	want
}

func answersTable() []anAnswer {
	onList := byClass("block", "bad", "addresses")
	const a, aaaa = dns.TypeA, dns.TypeAAAA
	return []anAnswer{
		{"a1.test", a, []string{"a1.test. 60 IN A 127.0.0.5"}, allowed},
		{"a2.test", a, []string{"a2.test. 60 IN A 10.0.0.1"}, private},
		{"a3.test", a, []string{"a3.test. 60 IN A 169.254.169.254"}, private},
		{"a4.test", a, []string{"a4.test. 60 IN A 0.0.0.0"}, private},
		{"a5.test", a, []string{"a5.test. 60 IN A 127.0.0.200"}, private},
		{"a6.test", a, []string{"a6.test. 60 IN A 127.0.0.66"}, ofAddress("block")},
		{"a7.test", a, []string{"a7.test. 60 IN A 127.0.0.77"}, onList},
		{"a8.test", a, []string{"a8.test. 60 IN A 127.0.0.97"}, onList},
		{"fine.test", a, []string{"fine.test. 60 IN A 127.0.0.77"}, want{verdict: "allow", cause: "default", class: "unknown"}},
		{"b1.test", aaaa, []string{"b1.test. 60 IN AAAA ::1"}, private},
		{"b2.test", aaaa, []string{"b2.test. 60 IN AAAA fe80::1"}, private},
		{"b3.test", aaaa, []string{"b3.test. 60 IN AAAA fd00::1"}, private},
		{"b4.test", aaaa, []string{"b4.test. 60 IN AAAA 64:ff9b::a00:1"}, private},
		{"b5.test", aaaa, []string{"b5.test. 60 IN AAAA 2002:a00:1::1"}, private},
		{"b6.test", aaaa, []string{"b6.test. 60 IN AAAA ::ffff:127.0.0.77"}, onList},
		{"c1.test", a, []string{"c1.test. 60 IN CNAME plain.test.", "plain.test. 60 IN A 127.0.0.1"}, allowed},
		{"c2.test", a, []string{"c2.test. 60 IN CNAME bad.test.", "bad.test. 60 IN A 127.0.0.1"}, listed},
		{"c3.test", a, []string{"c3.test. 60 IN CNAME x.games.test.", "x.games.test. 60 IN A 127.0.0.1"}, byRule("block", "no-games")},
		{"c4.test", a, []string{"c4.test. 60 IN CNAME d4.test.", "d4.test. 60 IN CNAME bad.test.", "bad.test. 60 IN A 127.0.0.1"}, listed},
		{"c5.test", a, []string{"c5.test. 60 IN CNAME d5.test.", "d5.test. 60 IN A 10.1.2.3"}, private},
		{"c6.test", a, []string{"c6.test. 60 IN CNAME untrusted.test.", "untrusted.test. 60 IN A 127.0.0.1"}, byClass("log", "untrusted", "untrusted")},
		{"c7.test", a, []string{"c7.test. 60 IN CNAME watched.test.", "watched.test. 60 IN A 127.0.0.1"}, byRule(wouldBlock, "watched")},
		{"c8.test", a, []string{"c8.test. 60 IN CNAME x.labs.test.", "x.labs.test. 60 IN A 127.0.0.66"}, ofAddress("block")},
		{"c9.test", a, []string{"c9.test. 60 IN CNAME pardoned.bad.test.", "pardoned.bad.test. 60 IN A 127.0.0.1"}, allowed},
		{"host.corp.test", a, []string{"host.corp.test. 60 IN A 10.0.0.1"}, allowed},
		{"meta.corp.test", a, []string{"meta.corp.test. 60 IN A 169.254.169.254"}, private},
		{"m1.test", a, []string{"m1.test. 60 IN A 127.0.0.1", "m1.test. 60 IN A 10.0.0.1"}, private},
		{"m2.test", a, []string{"m2.test. 60 IN A 127.0.0.66", "m2.test. 60 IN A 127.0.0.1"}, ofAddress("block")},
		{"last.bad.test", a, []string{"last.bad.test. 60 IN A 127.0.0.1"}, listed},
	}
}

// answerCases give the resolver an upstream's answer; `check --resolve` gets the same one.
func (w *world) answerCases() (out []agreementCase) {
	for _, c := range answersTable() {
		w.names.tell(w.t, c.name, c.qtype, c.records...)
		if c.qtype == dns.TypeAAAA { // nothing else to judge
			w.names.tell(w.t, c.name, dns.TypeA, soa(c.name))
		}
		out = append(out, agreementCase{
			kind: "answer", name: "dns " + c.name, want: c.want, ways: []way{w.asked(adult, c.name, c.qtype), w.resolved(c.name)},
		})
	}
	// A name is asked for in both families; `check --resolve` says what the stricter one says.
	for _, c := range []struct {
		name, a, aaaa string
		strict        uint16
	}{{"mixed6.test", "127.0.0.1", "fd00::1", dns.TypeAAAA}, {"mixed4.test", "10.0.0.1", "2001:db8::1", dns.TypeA}} {
		w.names.tell(w.t, c.name, dns.TypeA, c.name+". 60 IN A "+c.a)
		w.names.tell(w.t, c.name, dns.TypeAAAA, c.name+". 60 IN AAAA "+c.aaaa)
		out = append(out, agreementCase{kind: "answer", name: c.name, want: private, ways: []way{w.asked(adult, c.name, c.strict), w.resolved(c.name)}})
	}
	w.names.tell(w.t, "spliced.bank.test", dns.TypeA, "spliced.bank.test. 60 IN A 10.0.0.1")
	spliced := "https://" + w.host("spliced.bank.test", true) + "/"
	out = append(out, agreementCase{kind: "answer", name: "spliced", want: private, ways: []way{w.fetched(adult, "GET", spliced), w.resolved(spliced)}})
	return append(append(out, w.dialCases()...), w.targetCases()...)
}

func soa(name string) string {
	return fmt.Sprintf("%s 60 IN TXT \"not an address\"", dns.Fqdn(name))
}

// dialCases are the same answers where the proxy dials: one address that may be reached is enough there.
func (w *world) dialCases() (out []agreementCase) {
	for _, c := range answersTable() {
		switch c.name {
		case "host.corp.test", "fine.test", "a1.test":
			continue // would be dialled, where nobody listens
		case "m1.test":
			c.want = allowed
		case "m2.test":
			// The other address is dialled; in observe mode this one is too.
			c.want = allowed
			if w.mode.mode == "observe" {
				c.want = ofAddress(wouldBlock)
			}
		}
		if c.qtype == dns.TypeAAAA && c.want == allowed {
			continue
		}
		plain, secure := "http://"+w.host(c.name, false)+"/", "https://"+w.host(c.name, true)+"/"
		out = append(out,
			agreementCase{kind: "answer", name: "http " + c.name, want: c.want, ways: []way{w.fetched(adult, "GET", plain), w.resolved(plain)}},
			agreementCase{kind: "answer", name: "https " + c.name, want: c.want, ways: []way{w.fetched(adult, "GET", secure), w.resolved(secure)}},
		)
	}
	return out
}

// tunnelCases are the first bytes inside a CONNECT.
func (w *world) tunnelCases() (out []agreementCase) {
	at := w.host("plain.test", false)
	for name, first := range map[string]string{
		"ssh": "SSH-2.0-OpenSSH_9.9\r\n", "smtp": "EHLO example\r\n", "vnc": "RFB 003.008\n", "unknown": "\x00\x01\x02\x03weir\n",
		"socks": "\x05\x01\x00", "redis": "*1\r\n$4\r\nPING\r\n",
	} {
		out = append(out, agreementCase{
			kind: "header", name: "tunnel " + name, want: byDetector("block"),
			ways: []way{
				w.connected(at, []byte(first), event.KindConnect),
				w.opened(at, gate.Opening{First: inspect.FirstOther, Peek: []byte(first)}),
			},
		})
	}
	secure, literal := w.host("plain.test", true), w.host("127.0.0.1", true)
	for _, c := range []struct {
		authority, sni string
		want
	}{
		{secure, "plain.test", allowed},
		{secure, "PLAIN.test", allowed},
		{secure, "other.test", byDetector("block")},
		{secure, "bad.test", listed},
		{secure, "x.games.test", byRule("block", "no-games")},
		{secure, "", byDetector("log")},
		{literal, "", want{verdict: "log", cause: "reputation", class: "untrusted"}},
		{literal, "bad.test", listed},
		{literal, "plain.test", want{verdict: "log", cause: "reputation", class: "untrusted"}},
	} {
		out = append(out, agreementCase{
			kind: "header", name: "hello for " + c.sni + " in " + c.authority, want: c.want,
			ways: []way{w.shaken(c.authority, c.sni), w.opened(c.authority, gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: c.sni}})},
		})
	}
	misdirected := want{verdict: "block", cause: "safety", safety: "misdirected-request"}
	for _, host := range []string{"other.test", "plain.test", "bad.test", "127.0.0.1", "other.test:" + at[strings.LastIndexByte(at, ':')+1:]} {
		raw := fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		out = append(out, agreementCase{
			kind: "header", name: "misdirected to " + host, want: misdirected,
			ways: []way{w.connected(at, []byte(raw), event.KindHTTP), w.within(at, host)},
		})
	}
	return out
}
