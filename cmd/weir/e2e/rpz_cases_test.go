package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// rpzCase is one question to all resolvers.
type rpzCase struct {
	id     string // part of the test, and what is asked in it
	rule   string // of the policy zone; what the question is about
	client string
	name   string
	qtype  uint16
}

// deadly says that Debian's unbound 1.17.1 does not survive the question: TCP-only by a trigger on name servers, or on the target of a
// CNAME. Such a question goes to an unbound of its own.
func (c rpzCase) deadly() bool {
	return strings.HasSuffix(c.id, ", tcp-only") || strings.HasPrefix(c.id, "NS") && strings.Contains(c.id, "tcp-only")
}

// rpzAction is a policy action and the records that write it.
type rpzAction struct {
	name    string
	records []string
}

func rpzActions() []rpzAction {
	return []rpzAction{
		{"nxdomain", []string{"CNAME ."}},
		{"nodata", []string{"CNAME *."}},
		{"passthru", []string{"CNAME rpz-passthru."}},
		{"drop", []string{"CNAME rpz-drop."}},
		{"tcp-only", []string{"CNAME rpz-tcp-only."}},
		{"data", []string{"A 66.10.0.1", "A 66.10.0.2", "AAAA 2606:4700:10::1", `TXT "from" "the list"`, "MX 10 mail.host.test."}},
		{"cname", []string{"CNAME landing.host.test."}},
		{"wildcard-cname", []string{"CNAME *.walled.test."}},
	}
}

// rpzBook is a policy zone, the internet that it speaks of and the questions, which grow together.
type rpzBook struct {
	t     testing.TB
	net   *internet
	lines []string
	cases []rpzCase
	good  []string // records of good.test
	hosts map[string][]string
}

// client is who asks where the client does not matter.
const client = "127.0.0.1"

func newRPZBook(t testing.TB) *rpzBook {
	t.Helper()
	b := &rpzBook{t: t, net: newInternet(t), hosts: map[string][]string{}}
	b.good = []string{"* A 66.1.0.1", "* AAAA 2606:4700:1::1", `* TXT "true"`, "* MX 10 mail.host.test."}
	b.rule(strings.TrimSuffix(readyName, "."), "A 66.10.0.99")
	b.net.zone(t, "walled.test.", "ns.host.test.", hostServer, "* A 66.20.0.2\n* TXT \"walled\"")
	b.net.zones["host.test."].add(t, "landing A 66.20.0.1", `landing TXT "landing"`, "mail A 66.20.0.9")
	b.matrix()
	b.conflicts()
	b.spelling()
	b.answers()
	b.finish()
	return b
}

// add adds records to a zone that is not served yet.
func (z *nameZone) add(t testing.TB, records ...string) {
	t.Helper()
	for _, text := range records {
		p := dns.NewZoneParser(strings.NewReader("$ORIGIN "+z.apex+"\n$TTL 300\n"+text+"\n"), "", "")
		rr, ok := p.Next()
		if !ok {
			t.Fatalf("%s in %s: %v", text, z.apex, p.Err())
		}
		owner := strings.ToLower(rr.Header().Name)
		z.rrs[owner] = append(z.rrs[owner], rr)
	}
}

// rule adds lines to the policy zone and returns them for the table.
func (b *rpzBook) rule(owner string, records ...string) string {
	for _, r := range records {
		b.lines = append(b.lines, owner+" "+r)
	}
	text := strings.Join(records, "; ")
	if len(records) > 2 {
		text = records[0] + "; ... " + records[len(records)-1]
	}
	return owner + " " + text
}

// ask adds a question of the usual client, one for each type.
func (b *rpzBook) ask(id, rule, name string, types ...uint16) {
	b.askFrom(client, id, rule, name, types...)
}

func (b *rpzBook) askFrom(from, id, rule, name string, types ...uint16) {
	if len(types) == 0 {
		types = []uint16{dns.TypeA}
	}
	for _, t := range types {
		b.cases = append(b.cases, rpzCase{id: id, rule: rule, client: from, name: name, qtype: t})
	}
}

// server adds a zone with a name server of its own; host is the name of the server below one of the zones of servers.
func (b *rpzBook) server(apex, host, addr string) {
	label, zone, _ := strings.Cut(host, ".")
	if zone != "nsx.test." && zone != "nsip.test." {
		label, zone = strings.TrimSuffix(host, ".nsw.test."), "nsw.test."
	}
	kind := " A "
	if strings.Contains(addr, ":") {
		kind = " AAAA "
	}
	b.hosts[zone] = append(b.hosts[zone], label+kind+addr)
	b.net.zone(b.t, apex, host, addr, "* A 66.1.0.2\n* AAAA 2606:4700:1::2\n* TXT \"true\"\nno A 66.1.0.3")
}

// matrix is every trigger with every action.
func (b *rpzBook) matrix() {
	for i, a := range rpzActions() {
		n := i + 1
		types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT}
		q := a.name + ".q.good.test"
		b.ask("QNAME "+a.name, b.rule(q, a.records...), q+".", append(types, dns.TypeMX, dns.TypeHTTPS)...)
		b.ask("QNAME "+a.name+", below", q, "x."+q+".")
		w := a.name + ".w.good.test"
		rule := b.rule("*."+w, a.records...)
		b.ask("wildcard "+a.name, rule, "x."+w+".", types...)
		b.ask("wildcard "+a.name+", deep", rule, "y.x."+w+".")
		b.ask("wildcard "+a.name+", itself", rule, w+".")
		rule = b.rule(fmt.Sprintf("32.%d.1.0.127.rpz-client-ip", n), a.records...)
		b.askFrom(fmt.Sprintf("127.0.1.%d", n), "client-IP "+a.name, rule, "plain.good.test.", types...)
		rule = b.rule(fmt.Sprintf("24.0.%d.2.66.rpz-ip", n), a.records...)
		b.good = append(b.good, fmt.Sprintf("%s.ip A 66.2.%d.1", a.name, n), fmt.Sprintf("%s.ip6 AAAA 2606:4700:2:%d::1", a.name, n))
		b.ask("response-IP v4 "+a.name, rule, a.name+".ip.good.test.", types...)
		rule = b.rule(fmt.Sprintf("64.zz.%d.2.4700.2606.rpz-ip", n), a.records...)
		b.ask("response-IP v6 "+a.name, rule, a.name+".ip6.good.test.", dns.TypeAAAA, dns.TypeA)
		b.servers(a, n, types)
	}
	b.server("six-nsip.test.", "six.nsip.test.", sixServer)
	b.ask("NSIP v6", b.rule("128.1.zz.rpz-nsip", "CNAME *."), "www.six-nsip.test.")
	b.askFrom("::1", "client-IP v6", b.rule("128.1.zz.rpz-client-ip", "A 66.10.0.6"), "plain.good.test.", dns.TypeA, dns.TypeAAAA)
}

// servers is the part of the matrix with the triggers on name servers.
func (b *rpzBook) servers(a rpzAction, n int, types []uint16) {
	apex := a.name + "-nsx.test."
	b.server(apex, a.name+".nsx.test.", fmt.Sprintf("127.10.2.%d", n))
	rule := b.rule(a.name+".nsx.test.rpz-nsdname", a.records...)
	b.ask("NSDNAME "+a.name, rule, "www."+apex, types...)
	b.ask("NSDNAME "+a.name+", deep", rule, "a.b.www."+apex)
	apex = a.name + "-nsw.test."
	b.server(apex, "ns."+a.name+".nsw.test.", fmt.Sprintf("127.10.3.%d", n))
	b.ask("NSDNAME wildcard "+a.name, b.rule("*."+a.name+".nsw.test.rpz-nsdname", a.records...), "www."+apex, types...)
	apex = a.name + "-nsip.test."
	b.server(apex, a.name+".nsip.test.", fmt.Sprintf("127.10.4.%d", n))
	b.ask("NSIP "+a.name, b.rule(fmt.Sprintf("32.%d.4.10.127.rpz-nsip", n), a.records...), "www."+apex, types...)
}

// conflicts are names that several rules speak of.
func (b *rpzBook) conflicts() {
	block, pass, nodata := "CNAME .", "CNAME rpz-passthru.", "CNAME *."
	b.rule("*.c1.good.test", pass)
	b.ask("exact block in wildcard passthru", b.rule("bad.c1.good.test", block), "bad.c1.good.test.")
	b.rule("*.c2.good.test", block)
	b.ask("exact passthru in wildcard block", b.rule("ok.c2.good.test", pass), "ok.c2.good.test.")
	b.ask("below an exact passthru in a wildcard block", "*.c2.good.test CNAME .; ok.c2.good.test passthru", "x.ok.c2.good.test.")
	b.rule("*.c3.good.test", block)
	inner := b.rule("*.in.c3.good.test", nodata)
	b.ask("deeper wildcard", inner, "x.in.c3.good.test.")
	b.ask("name of the deeper wildcard", inner, "in.c3.good.test.")
	b.good = append(b.good, "ok.c4 A 66.2.1.4", "c8 A 66.2.1.8")
	b.ask("QNAME passthru, response-IP block", b.rule("ok.c4.good.test", pass), "ok.c4.good.test.")
	b.ask("QNAME passthru, NSDNAME block", b.rule("ok.nxdomain-nsx.test", pass), "ok.nxdomain-nsx.test.")
	b.ask("QNAME passthru, NSIP block", b.rule("ok.nxdomain-nsip.test", pass), "ok.nxdomain-nsip.test.")
	b.askFrom("127.0.1.3", "client-IP passthru, QNAME block", "", "nxdomain.q.good.test.")
	b.askFrom("127.0.1.1", "client-IP block, QNAME data", "", "data.q.good.test.")
	b.askFrom("127.0.1.1", "client-IP block, QNAME passthru", "", "passthru.q.good.test.")
	b.ask("QNAME data, response-IP block", b.rule("c8.good.test", "A 66.10.0.8"), "c8.good.test.")
	b.rule("24.0.2.0.127.rpz-client-ip", block)
	narrow := b.rule("32.9.2.0.127.rpz-client-ip", pass)
	b.askFrom("127.0.2.9", "client-IP, longest prefix", narrow, "plain.good.test.")
	b.askFrom("127.0.2.8", "client-IP, prefix around", narrow, "plain.good.test.")
	b.prefixes(block, pass, nodata)
	b.serverConflicts(block, pass)
}

// prefixes are answers that several response-IP rules speak of.
func (b *rpzBook) prefixes(block, pass, nodata string) {
	rule := b.rule("16.0.0.3.66.rpz-ip", block) + " | " + b.rule("24.0.9.3.66.rpz-ip", pass) + " | " + b.rule("32.9.9.3.66.rpz-ip", nodata)
	b.good = append(b.good, "wide.p A 66.3.1.1", "mid.p A 66.3.9.1", "narrow.p A 66.3.9.9", "both.p A 66.3.1.1", "both.p A 66.3.9.9",
		"clean.p A 66.1.0.5", "clean.p A 66.3.1.1", "mixed.p A 66.3.1.1", "mixed.p A 66.3.9.1", "six.p A 66.3.1.1", "six.p AAAA 2606:4700:1::9")
	for _, name := range []string{"wide", "mid", "narrow", "both", "clean", "mixed"} {
		b.ask("response-IP, longest prefix: "+name, rule, name+".p.good.test.")
	}
	b.ask("response-IP, other family", rule, "six.p.good.test.", dns.TypeA, dns.TypeAAAA)
}

// serverConflicts are zones that several rules on name servers speak of.
func (b *rpzBook) serverConflicts(block, pass string) {
	b.server("s1.test.", "s1.nsip.test.", "127.10.5.1")
	rule := b.rule("s1.nsip.test.rpz-nsdname", pass) + " | " + b.rule("32.1.5.10.127.rpz-nsip", block)
	b.ask("NSDNAME passthru, NSIP block", rule, "www.s1.test.")
	b.server("s2.test.", "x.s2.nsw.test.", "127.10.5.2")
	rule = b.rule("x.s2.nsw.test.rpz-nsdname", pass) + " | " + b.rule("*.s2.nsw.test.rpz-nsdname", block)
	b.ask("NSDNAME exact passthru, wildcard block", rule, "www.s2.test.")
	b.server("s3.test.", "s3.nsip.test.", "127.10.5.3")
	b.net.zones["s3.test."].add(b.t, "ip A 66.2.3.9")
	rule = b.rule("32.3.5.10.127.rpz-nsip", block)
	b.ask("response-IP passthru, NSIP block", rule, "ip.s3.test.")
	b.ask("NSIP block, name that is not there", rule, "no.www.s3.test.")
	b.ask("the zone itself", rule, "s3.test.", dns.TypeNS, dns.TypeSOA)
	b.good = append(b.good, "into-s3 CNAME www.s3.test.")
	b.ask("CNAME into a zone with a listed server", rule, "into-s3.good.test.")
}

// spelling is about how names are written.
func (b *rpzBook) spelling() {
	b.ask("rule in mixed case", b.rule("MiXeD.good.TEST", "CNAME ."), "mixed.good.test.")
	b.ask("question in mixed case", b.rule("lower.good.test", "A 66.10.0.3"), "LoWeR.gOOd.TEST.")
	b.ask("IDN in A-labels", b.rule("xn--bcher-kva.good.test", "CNAME ."), "xn--bcher-kva.good.test.")
	b.ask("IDN in octets", b.rule(`b\195\188cher.good.test`, "CNAME *."), `b\195\188cher.good.test.`)
	b.ask("dot in a label", b.rule(`a\.b.good.test`, "CNAME ."), `a\.b.good.test.`)
	b.ask("name like one with a dot in a label", `a\.b.good.test CNAME .`, "a.b.good.test.")
	b.ask("blank in a label", b.rule(`a\032b.good.test`, "CNAME ."), `a\032b.good.test.`)
	b.ask("underscore", b.rule("_dmarc.good.test", `TXT "v=DMARC1"`), "_dmarc.good.test.", dns.TypeTXT, dns.TypeA)
	b.ask("empty non-terminal", b.rule("x.ent.good.test", "CNAME ."), "ent.good.test.")
	rule := b.rule("*.e2.good.test", "CNAME .") + " | " + b.rule("a.b.e2.good.test", "CNAME rpz-passthru.")
	b.ask("empty non-terminal below a wildcard", rule, "b.e2.good.test.")
	b.ask("beside a name below a wildcard", rule, "x.b.e2.good.test.")
	b.ask("below an exact name below a wildcard", rule, "x.a.b.e2.good.test.")
	b.ask("absolute owner", b.rule("absolute.good.test.policy.rpz.", "CNAME ."), "absolute.good.test.")
	b.ask("apex", "@ SOA, NS", "localhost.rpz.good.test.")
	long := strings.Repeat(strings.Repeat("a", 49)+".", 4) + "long.good.test"
	b.ask("wildcard CNAME, name too long", b.rule("*.long.good.test", "CNAME *."+strings.Repeat("b", 40)+".walled.test."), long+".")
}

// answers is about what stands in an answer.
func (b *rpzBook) answers() {
	for _, a := range rpzActions() {
		b.good = append(b.good, "to-"+a.name+" CNAME "+a.name+".q")
		b.ask("CNAME to a listed name, "+a.name, a.name+".q.good.test", "to-"+a.name+".good.test.")
	}
	b.good = append(b.good, "mid.ch CNAME nxdomain.q", "far.ch CNAME mid.ch", "pt.ch CNAME nxdomain.q", "svc HTTPS 1 nxdomain.q.good.test.", "hint HTTPS 1 . ipv4hint=66.2.1.1",
		"mxl MX 10 nxdomain.q", "dn.good.test. DNAME w.good.test.", "rw CNAME nxdomain.q", "nx.real CNAME gone.host.test.")
	b.ask("CNAME chain to a listed name", "nxdomain.q.good.test", "far.ch.good.test.")
	b.ask("QNAME passthru, CNAME to a listed name", b.rule("pt.ch.good.test", "CNAME rpz-passthru."), "pt.ch.good.test.")
	b.ask("QNAME data, CNAME to a listed name", b.rule("rw.good.test", "A 66.10.0.4"), "rw.good.test.")
	b.ask("DNAME to listed names", "*.nxdomain.w.good.test", "x.nxdomain.dn.good.test.")
	b.ask("HTTPS with a listed target", "nxdomain.q.good.test", "svc.good.test.", dns.TypeHTTPS)
	b.ask("HTTPS with a listed hint", "24.0.1.2.66.rpz-ip", "hint.good.test.", dns.TypeHTTPS)
	b.ask("MX with a listed host", "nxdomain.q.good.test", "mxl.good.test.", dns.TypeMX)
	b.ask("question for the CNAME of a list", "cname.q.good.test", "cname.q.good.test.", dns.TypeCNAME)
	b.ask("question for ANY", "data.q.good.test", "data.q.good.test.", dns.TypeANY)
	b.ask("question for SOA and NS", "data.q.good.test", "data.q.good.test.", dns.TypeSOA, dns.TypeNS)
	b.ask("data for a name that is not there", b.rule("gone.host.test", "A 66.10.0.5"), "gone.host.test.")
	b.ask("CNAME to data for a name that is not there", "gone.host.test", "nx.real.good.test.")
	b.ask("CNAME to itself", b.rule("self.good.test", "CNAME self.good.test."), "self.good.test.")
	b.ask("CNAME to a listed target", b.rule("rw2.good.test", "CNAME nxdomain.q.good.test."), "rw2.good.test.")
	b.ask("CNAME to a target with data", b.rule("rw3.good.test", "CNAME data.q.good.test."), "rw3.good.test.")
	rule := b.rule("loop1.good.test", "CNAME loop2.good.test.") + " | " + b.rule("loop2.good.test", "CNAME loop1.good.test.")
	b.ask("CNAMEs in a ring", rule, "loop1.good.test.")
	b.ask("CNAME below its own wildcard", b.rule("*.own.good.test", "CNAME x.own.good.test."), "y.own.good.test.")
	b.ask("CNAME to a name that is not there", b.rule("rw4.good.test", "CNAME nobody.host.test."), "rw4.good.test.")
	b.ask("data with a listed address", b.rule("rw5.good.test", "A 66.2.1.77"), "rw5.good.test.")
	b.ask("CNAME to a listed address", b.rule("rw6.good.test", "CNAME nxdomain.ip.good.test."), "rw6.good.test.")
	b.ask("data longer than a datagram", b.rule("huge.good.test", hugeTXT()...), "huge.good.test.", dns.TypeTXT)
	b.ask("untouched", "", "plain.good.test.", dns.TypeA, dns.TypeTXT)
}

// hugeTXT are records that no datagram holds.
func hugeTXT() (out []string) {
	for i := range 10 {
		out = append(out, fmt.Sprintf(`TXT "%02d%s"`, i, strings.Repeat("x", 240)))
	}
	return out
}

// finish makes the zones whose records the cases collected.
func (b *rpzBook) finish() {
	b.net.zone(b.t, "good.test.", "ns.host.test.", hostServer, "")
	b.net.zones["good.test."].add(b.t, b.good...)
	for _, apex := range []string{"nsx.test.", "nsw.test.", "nsip.test."} {
		b.net.zone(b.t, apex, "ns.host.test.", hostServer, "")
		b.net.zones[apex].add(b.t, b.hosts[apex]...)
	}
}

// text is the policy zone. Its apex has records that are no rules.
func (b *rpzBook) text() string {
	return "$TTL 60\n$ORIGIN policy.rpz.\n@ SOA localhost. root.localhost. 1 3600 1200 604800 60\n@ NS localhost.\n" + strings.Join(b.lines, "\n") + "\n"
}
