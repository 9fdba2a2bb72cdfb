package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptWebsite serves what lies in the directory www at the moment over TLS, without validators, and puts the address for $SITE into a
// file. Its root is the only one that the programs of the script trust.
func scriptWebsite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: website FILE")
	}
	www := ts.MkAbs("www")
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile(filepath.Join(www, filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	ts.Defer(srv.Close)
	root := ts.MkAbs("root.pem")
	ts.Check(os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	ts.Setenv("SSL_CERT_FILE", root) // crypto/x509, SystemCertPool
	ts.Setenv("SSL_CERT_DIR", ts.MkAbs("www"))
	substitute(ts, args[0], "$SITE", srv.URL)
}

// scriptSign signs a file as minisign -l does, beside it, and puts the public key for $MINISIGN into another.
func scriptSign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sign FILE CONFIG")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	const comment = "timestamp:1"
	b64 := base64.StdEncoding.EncodeToString
	sig := ed25519.Sign(private, []byte(ts.ReadFile(args[0])))
	text := "untrusted comment: x\n" + b64(slices.Concat([]byte("Ed12345678"), sig)) + "\ntrusted comment: " + comment + "\n" +
		b64(ed25519.Sign(private, slices.Concat(sig, []byte(comment)))) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".minisig", []byte(text), 0o600))
	substitute(ts, args[1], "$MINISIGN", b64(slices.Concat([]byte("Ed12345678"), public)))
}

// scriptNameServer serves the zone rpz.test, as it lies in a file when it is asked for, to whoever signs with the key "weir" and the
// secret in another file, and puts its address for $NS into a third.
func scriptNameServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: nameserver ZONE SECRET CONFIG")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	zone, ready, ended := ts.MkAbs(args[0]), make(chan struct{}), make(chan error, 1)
	srv := &dns.Server{
		Listener: l, TsigSecret: map[string]string{"weir.": strings.TrimSpace(ts.ReadFile(args[1]))}, NotifyStartedFunc: func() { close(ready) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { answerZone(w, q, zone) }),
	}
	go func() { ended <- srv.ActivateAndServe() }()
	<-ready
	ts.Defer(func() {
		_ = srv.Shutdown()
		<-ended
	})
	substitute(ts, args[2], "$NS", l.Addr().String())
}

func answerZone(w dns.ResponseWriter, q *dns.Msg, file string) {
	m := new(dns.Msg).SetReply(q)
	key := q.IsTsig()
	text, err := os.ReadFile(file)
	if key == nil || w.TsigStatus() != nil || err != nil {
		m.Rcode = dns.RcodeRefused
		_ = w.WriteMsg(m)
		return
	}
	parser := dns.NewZoneParser(strings.NewReader(string(text)), "rpz.test.", file)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		m.Answer = append(m.Answer, rr)
	}
	if q.Question[0].Qtype == dns.TypeSOA {
		m.Answer = m.Answer[:1]
	} else {
		m.Answer = append(m.Answer, m.Answer[0]) // RFC 5936 section 2.2
	}
	m.SetTsig(key.Hdr.Name, key.Algorithm, 300, time.Now().Unix())
	_ = w.WriteMsg(m)
}

func substitute(ts *testscript.TestScript, file, what, with string) {
	text := strings.ReplaceAll(ts.ReadFile(file), what, with)
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
}
