package detect_test

import (
	"strings"
	"testing"

	"weir/internal/inspect"
)

func TestTunnelProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		first  inspect.First
		peek   string
		target string
		want   string // the begin of the detail; "" for no find
	}{
		"TLS":               {first: inspect.FirstTLS, peek: "\x16\x03\x01"},
		"HTTP":              {first: inspect.FirstHTTP, peek: "GET / HTTP/1.1\r\n"},
		"HTTP/2":            {first: inspect.FirstHTTP2, peek: "PRI * HTTP/2.0\r\n"},
		"TLS, odd port":     {first: inspect.FirstTLS, target: "example.com:4444"},
		"silence":           {first: inspect.FirstNone, want: "the client says nothing"},
		"SSH":               {first: inspect.FirstOther, peek: "SSH-2.0-OpenSSH_9.6\r\n", want: "SSH"},
		"SSH, own port":     {first: inspect.FirstOther, peek: "SSH-2.0-x\r\n", target: "example.com:22", want: "SSH; port 22 is no web port (T1571)"},
		"SMB1":              {first: inspect.FirstOther, peek: "\x00\x00\x00\x54\xffSMBr", want: "SMB"},
		"SMB2":              {first: inspect.FirstOther, peek: "\x00\x00\x00\x54\xfeSMB@", want: "SMB"},
		"RDP":               {first: inspect.FirstOther, peek: "\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=a\r\n", want: "RDP"},
		"SMTP":              {first: inspect.FirstOther, peek: "ehlo me\r\n", want: "SMTP"},
		"FTP":               {first: inspect.FirstOther, peek: "USER anonymous\r\n", want: "FTP, POP3 or IRC"},
		"POP3":              {first: inspect.FirstOther, peek: "CAPA\r\n", want: "POP3"},
		"IMAP":              {first: inspect.FirstOther, peek: "a001 LOGIN me secret\r\n", want: "IMAP"},
		"IMAP banner":       {first: inspect.FirstOther, peek: "* OK ready\r\n", want: "IMAP"},
		"IRC":               {first: inspect.FirstOther, peek: "NICK bot\r\n", want: "IRC"},
		"Redis":             {first: inspect.FirstOther, peek: "*1\r\n$4\r\nPING\r\n", want: "Redis"},
		"Redis, inline":     {first: inspect.FirstOther, peek: "PING\r\n", want: "Redis"},
		"BitTorrent":        {first: inspect.FirstOther, peek: "\x13BitTorrent protocol\x00\x00", want: "BitTorrent"},
		"OpenVPN":           {first: inspect.FirstOther, peek: "\x00\x0e\x38abcdefgh\x00\x00\x00\x00\x00", want: "OpenVPN"},
		"SOCKS5":            {first: inspect.FirstOther, peek: "\x05\x01\x00", want: "SOCKS5"},
		"SOCKS4":            {first: inspect.FirstOther, peek: "\x04\x01\x00\x50\xc0\x00\x02\x01me\x00", want: "SOCKS4"},
		"PostgreSQL":        {first: inspect.FirstOther, peek: "\x00\x00\x00\x08\x04\xd2\x16\x2f", want: "PostgreSQL"},
		"MQTT":              {first: inspect.FirstOther, peek: "\x10\x1a\x00\x04MQTT\x04\x02", want: "MQTT"},
		"VNC":               {first: inspect.FirstOther, peek: "RFB 003.008\n", want: "VNC"},
		"Telnet":            {first: inspect.FirstOther, peek: "\xff\xfd\x18", want: "Telnet"},
		"LDAP":              {first: inspect.FirstOther, peek: "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03", want: "LDAP"},
		"LDAP, long":        {first: inspect.FirstOther, peek: "\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x60\x07\x02", want: "LDAP"},
		"LDAP, cut":         {first: inspect.FirstOther, peek: "\x30\xff\x00\x00\x00\x0c\x02", want: "unknown"},
		"DNS":               {first: inspect.FirstOther, peek: "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01", want: "DNS over TCP"},
		"MongoDB":           {first: inspect.FirstOther, peek: "\x30\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00", want: "MongoDB"},
		"SQL Server":        {first: inspect.FirstOther, peek: "\x12\x01\x00\x2f\x00\x00\x01\x00\x00\x00\x1a", want: "Microsoft SQL Server"},
		"SSL 2":             {first: inspect.FirstOther, peek: "\x80\x2e\x01\x00\x02\x00\x15", want: "SSL 2.0"},
		"git":               {first: inspect.FirstOther, peek: "0032git-upload-pack /a\x00", want: "git"},
		"unknown":           {first: inspect.FirstOther, peek: "\xde\xad\xbe\xef", want: "unknown protocol, first bytes deadbeef"},
		"unknown and empty": {first: inspect.FirstOther, want: "unknown protocol"},
		"unknown and odd":   {first: inspect.FirstOther, peek: "\x01", target: "192.0.2.1:4444", want: "unknown protocol, first bytes 01; port 4444"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.target == "" {
				c.target = "example.com:443"
			}
			tx := &inspect.Transaction{
				Protocol: inspect.Tunnel, First: c.first, FirstPeek: []byte(c.peek), Target: authority(t, c.target),
				Flow: &inspect.Flow{Authorized: authority(t, c.target)},
			}
			got := head(t, "tunnel-protocol", inspect.Open, tx)
			if (len(got) == 1) != (c.want != "") || len(got) > 1 {
				t.Fatalf("got %v, want %q", got, c.want)
			}
			if len(got) == 1 && !strings.HasPrefix(got[0].Detail, c.want) {
				t.Fatalf("got %q, want %q", got[0].Detail, c.want)
			}
		})
	}
}

// FuzzTunnelProtocol: whatever the first bytes are, what is not TLS or HTTP is found once, and nothing panics.
func FuzzTunnelProtocol(f *testing.F) {
	for _, s := range []string{"", "SSH-2.0-x", "\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x60", "\x05\x01\x00", "*1\r\n$4\r\n", "\x00\x1d\x12\x34\x01\x00\x00\x01"} {
		f.Add([]byte(s), uint16(443))
	}
	d := byName(f, "tunnel-protocol").(inspect.Header)
	f.Fuzz(func(t *testing.T, peek []byte, port uint16) {
		tx := &inspect.Transaction{Protocol: inspect.Tunnel, First: inspect.FirstOther, FirstPeek: peek[:min(len(peek), 64)]}
		tx.Target.Port = port
		n := 0
		d.Head(tx, inspect.Open, func(m inspect.Match) {
			n++
			if m.Severity != inspect.High || m.Detail == "" {
				t.Errorf("%v", m)
			}
		})
		if n != 1 {
			t.Errorf("%d finds", n)
		}
	})
}
