package app_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/proxy/intercept"
)

// markedProto is what the client whose fingerprint is on a list offers.
const markedProto = "x-marked"

// writeLists writes the lists that depend on the ports of the origin and on the TLS of this toolchain.
func (w *world) writeLists(dir string) {
	w.t.Helper()
	urls := fmt.Sprintf("http://%[1]s/files/evil.exe\nhttps://%[2]s/files/evil.exe\nhttp://%[1]s/kit/\nhttp://%[3]s/x\n%[4]s\n",
		w.host("planted.test", false), w.host("planted.test", true), w.host("ruled.test", false), w.host("ported.test", true))
	for name, text := range map[string]string{"urls.txt": urls, "hellos.txt": "# JA4\n" + helloOf(w.t).JA4 + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

func markedTLS(sni string) *tls.Config {
	return &tls.Config{ServerName: sni, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: []string{markedProto}}
}

// helloOf is what the marked client's ClientHello says.
func helloOf(t *testing.T) *inspect.Hello {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, markedTLS("plain.test")).HandshakeContext(t.Context())
	}()
	var octets []byte
	for {
		buf := make([]byte, 4096)
		n, err := server.Read(buf)
		octets = append(octets, buf[:n]...)
		if class, hello, more := intercept.Classify(octets); !more {
			_ = server.Close()
			if class != inspect.FirstTLS {
				t.Fatalf("not a ClientHello: %v", class)
			}
			return hello
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// trialCases are about priorities, lists that are tried out and the nearest entry.
func (w *world) trialCases() (out []agreementCase) {
	high, zone := byClass("block", "bad", "high"), byClass("block", "bad", "zone")
	tried := byClass(wouldBlock, "bad", "trial")
	if w.mode.fallback == "block" {
		tried = allowed // a list on trial ends nothing: the default speaks
	}
	for _, c := range []struct {
		name         string
		inDNS, inWeb want
	}{
		{"prio.test", high, high},
		{"ok.prio.test", high, high},       // the exception is of a lower priority
		{"pardoned.prio.test", high, high}, // and this one has no grant
		{"higher.prio.test", allowed, allowed},
		{"above.granted.test", high, high},
		{"trial.test", tried, tried},
		{"tried.trial.test", allowed, allowed},
		{"tried.bad.test", listed, listed},
		{"tried.ads.test", want{"block", "rule", "shared", "by-category", "ads", ""}, want{"block", "rule", "shared", "by-category", "ads", ""}},
		{"x.zone.test", zone, zone},
		{"zone.test", allowed, allowed},
		{"nodata.zone.test", zone, zone},
		{"drop.zone.test", zone, zone},
		{"data.zone.test", zone, zone},
		{"ok.zone.test", allowed, allowed},
		{"x.ok.zone.test", zone, zone},
		{"tcp.zone.test", zone, allowed},
		{"v6.test", allowed, allowed},
		{"nov4.test", allowed, allowed},
	} {
		out = append(out, w.ask(adult, c.name, c.inDNS, c.inWeb)...)
	}
	return append(out, w.ask(marked, "plain.test", zone, zone)...)
}

// listCases are about what lists hold besides names.
func (w *world) listCases() []agreementCase {
	typed := byClass("block", "bad", "types")
	out := []agreementCase{
		w.query("v6.test", dns.TypeAAAA, "udp", typed),
		w.query("nov4.test", dns.TypeAAAA, "udp", typed),
		w.query("nov4.test", dns.TypeA, "udp", allowed),
		w.query("v6.test", dns.TypeTXT, "udp", byRule("block", "no-txt")),
		w.query("tcp.zone.test", dns.TypeA, "tcp", allowed),
		w.query("tcp.zone.test", dns.TypeA, "udp", byClass("block", "bad", "zone")),
		w.query("x.zone.test", dns.TypeA, "tcp", byClass("block", "bad", "zone")),
	}
	w.names.tell(w.t, "addr.zone.test", dns.TypeA, "addr.zone.test. 60 IN A 127.0.0.88")
	w.names.tell(w.t, "addr88.test", dns.TypeA, "addr88.test. 60 IN A 127.0.0.88")
	for name, expect := range map[string]want{"addr.zone.test": allowed, "addr88.test": byClass("block", "bad", "zone")} {
		out = append(out, agreementCase{kind: "answer", name: "zone: " + name, want: expect, ways: []way{w.asked(adult, name, dns.TypeA), w.resolved(name)}})
	}
	out = append(out, w.serverCases()...)
	return append(append(append(out, w.plantedCases()...), w.portCases()...), w.helloCases()...)
}

// portCases are a host that is listed at one of its ports: the tunnel there is refused before it exists, and nothing else is.
func (w *world) portCases() []agreementCase {
	authority, other := w.host("ported.test", true), w.host("ported.test", false)
	listed := byClass("block", "bad", "urls")
	return []agreementCase{
		{kind: "name", name: "listed port: CONNECT", want: listed, ways: []way{
			w.connected(authority, nil, event.KindConnect), w.shaken(authority, "ported.test"),
			w.gated(func(_ *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
				x := g.Begin(inspect.Tunnel, flow, time.Now())
				x.Connect(time.Now(), authority)
				return x
			}),
		}},
		{kind: "name", name: "listed port: https", want: listed, ways: []way{w.fetched(adult, "GET", "https://"+authority+"/x"), w.checked(adult, "https://"+authority+"/x")}},
		{kind: "name", name: "listed port: another", want: allowed, ways: []way{w.fetched(adult, "GET", "http://"+other+"/x"), w.checked(adult, "http://"+other+"/x")}},
		w.query("ported.test", dns.TypeA, "udp", allowed),
	}
}

// serverCases are names that only their name servers condemn.
func (w *world) serverCases() (out []agreementCase) {
	for zone, server := range map[string]string{
		"hosted.test": "ns.hoster.test", "rented.test": "ns.landlord.test", "housed.test": "ns.house.test", "streamed.test": "ns.streams.test",
	} {
		w.names.tell(w.t, zone, dns.TypeNS, zone+". 60 IN NS "+server+".")
	}
	w.names.tell(w.t, "ns.landlord.test", dns.TypeA, "ns.landlord.test. 60 IN A 127.0.0.67")
	w.names.tell(w.t, "to-hosted.test", dns.TypeA, "to-hosted.test. 60 IN CNAME www.hosted.test.", "www.hosted.test. 60 IN A 127.0.0.1")
	zone := byClass("block", "bad", "zone")
	for _, c := range []struct {
		name         string
		inDNS, inWeb want
	}{
		{"hosted.test", zone, zone},
		{"a.b.hosted.test", zone, zone},
		{"ok.hosted.test", allowed, allowed},
		{"to-hosted.test", zone, zone},
		{"www.rented.test", zone, zone},
		{"www.housed.test", allowed, allowed},
		{"streamed.test", zone, allowed},
	} {
		plain, secure := "http://"+w.host(c.name, false)+"/", "https://"+w.host(c.name, true)+"/"
		out = append(out,
			agreementCase{kind: "answer", name: "servers of " + c.name, want: c.inDNS, ways: []way{w.asked(adult, c.name, dns.TypeA), w.resolved(c.name)}},
			agreementCase{kind: "answer", name: "servers of " + plain, want: c.inWeb, ways: []way{w.fetched(adult, "GET", plain), w.resolved(plain)}},
			agreementCase{kind: "answer", name: "servers of " + secure, want: c.inWeb, ways: []way{w.fetched(adult, "GET", secure), w.resolved(secure)}},
		)
	}
	return out
}

// query takes one question to the resolver and to the gate.
func (w *world) query(name string, qtype uint16, transport string, expect want) agreementCase {
	ask := w.asked(adult, name, qtype)
	if transport == "tcp" {
		ask = w.askedTCP(name, qtype)
	}
	return agreementCase{kind: "name", name: fmt.Sprintf("%s %s over %s", name, dns.TypeToString[qtype], transport), want: expect, ways: []way{
		ask, w.gated(func(_ *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
			flow.Transport = transport
			x := g.Begin(inspect.DNS, flow, time.Now())
			x.Query(time.Now(), inspect.Question{Name: hostname.MustParse(name), Type: qtype, Class: 1})
			return x
		}),
	}}
}

// askedTCP sends a query to the resolver over TCP.
func (w *world) askedTCP(name string, qtype uint16) way {
	return way{"resolver", func(t *testing.T) decision {
		from := len(w.events.Events())
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(adult)}, Timeout: patience}
		c, err := d.DialContext(t.Context(), "tcp", w.live.ResolverAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if err := (&dns.Conn{Conn: c}).WriteMsg(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)); err != nil {
			t.Fatal(err)
		}
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindDNS))
	}}
}

// plantedCases are URLs on a list, in spellings that mean the same, and their neighbours.
func (w *world) plantedCases() (out []agreementCase) {
	planted := byClass("block", "bad", "urls")
	for _, c := range []struct {
		name, path string
		want
	}{
		{"planted.test", "/", allowed},
		{"planted.test", "/files/evil.exe", planted},
		{"PLANTED.test", "/files/evil.exe?x=1", planted},
		{"planted.test", "/files/evil.exe2", allowed},
		{"planted.test", "/Files/evil.exe", allowed}, // paths differ in case (RFC 3986 section 6.2.2.1)
		{"planted.test", "/files/./x/../evil.exe", planted},
		{"planted.test", "//files//evil.exe", planted},
		{"planted.test", "/f%69les/evil%2eexe", planted},
		{"planted.test", "/files%2Fevil.exe", planted},
		{"planted.test", "/x/..%2ffiles/evil.exe", planted},
		{"planted.test", "/files;v=1/evil.exe", planted},
		{"planted.test", "/files%255cevil.exe", planted},
		{"x.planted.test", "/files/evil.exe", allowed},
	} {
		for _, secure := range []bool{false, true} {
			u := map[bool]string{false: "http://", true: "https://"}[secure] + w.host(c.name, secure) + c.path
			out = append(out, agreementCase{kind: "name", name: "listed " + u, want: c.want, ways: []way{w.fetched(adult, "GET", u), w.checked(adult, u)}})
		}
	}
	for path, expect := range map[string]want{
		"http://" + w.host("planted.test", false) + "/kit/a/b":   planted,
		"http://" + w.host("planted.test", false) + "/kitchen":   allowed,
		"http://" + w.host("ruled.test", false) + "/x/y":         {verdict: "block", cause: "rule", class: "bad", rule: "by-url", list: "urls"},
		"http://" + w.host("ruled.test", false) + "/y":           allowed,
		"http://" + w.host("untrusted.test", false) + "/files/x": byClass("log", "untrusted", "untrusted"),
	} {
		out = append(out, agreementCase{kind: "name", name: "listed " + path, want: expect, ways: []way{w.fetched(adult, "GET", path), w.checked(adult, path)}})
	}
	return out
}

// helloCases are connections whose client is on a list, be they decrypted or not.
func (w *world) helloCases() (out []agreementCase) {
	hello := helloOf(w.t)
	for _, name := range []string{"plain.test", "known.test", "x.bank.test"} {
		authority := w.host(name, true)
		opening := gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: name, JA3: hello.JA3, JA4: hello.JA4}}
		out = append(out, agreementCase{
			kind: "header", name: "listed hello for " + name, want: byClass("block", "bad", "hellos"),
			ways: []way{w.marked(authority, name), w.opened(authority, opening)},
		})
	}
	return out
}

// marked opens a CONNECT as the marked client.
func (w *world) marked(authority, sni string) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if tunnel := connect(t, c, authority); tunnel != nil {
			s := tls.Client(tunnel, markedTLS(sni))
			if err := s.HandshakeContext(t.Context()); err == nil {
				_ = s.CloseWrite()
				_, _ = io.Copy(io.Discard, s)
			}
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindConnect))
	}}
}
