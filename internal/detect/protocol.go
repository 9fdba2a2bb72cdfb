package detect

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// protocolOf names the protocol that begins with p, the first octets that came through a tunnel; "" when it is not known. It
// serves people and rules; what it does not know is found all the same.
func protocolOf(p []byte) string {
	for _, t := range prefixes {
		if len(p) >= len(t.begin) && strings.EqualFold(string(p[:len(t.begin)]), t.begin) {
			return t.name
		}
	}
	for _, t := range shapes {
		if t.is(p) {
			return t.name
		}
	}
	return ""
}

// prefixes are compared without regard to case; the first that fits names the protocol.
var prefixes = [...]struct{ begin, name string }{
	{"SSH-", "SSH"}, // RFC 4253 section 4.2
	{"\x13BitTorrent protocol", "BitTorrent"}, // BEP 3
	{"RFB 00", "VNC"},                         // RFC 6143 section 7.1.1
	{"EHLO ", "SMTP"},
	{"HELO ", "SMTP"},
	{"220", "SMTP or FTP"},
	{"AUTH TLS", "FTP"},
	{"FEAT\r\n", "FTP"},
	{"+OK", "POP3"},
	{"CAPA\r\n", "POP3"},
	{"* OK", "IMAP"},
	{"* PREAUTH", "IMAP"},
	{"NICK ", "IRC"},
	{"CAP LS", "IRC"},
	{"USER ", "FTP, POP3 or IRC"},
	{"PASS ", "IRC or POP3"},
	{"<stream:stream", "XMPP"},
	{"<?xml version='1.0'?><stream:stream", "XMPP"},
	{"PING\r\n", "Redis"},
	{"INFO\r\n", "Redis"},
	{"AMQP\x00", "AMQP"},
	{"@RSYNCD:", "rsync"},
	{"CNXN\x00\x00\x00\x01", "Android Debug Bridge"},
	{"PROXY TCP", "PROXY protocol"},
	{"PROXY UNKNOWN", "PROXY protocol"},
	{"\r\n\r\n\x00\r\nQUIT\n", "PROXY protocol"},
	{"\xff\xfb", "Telnet"},
	{"\xff\xfd", "Telnet"}, // RFC 854: IAC WILL, IAC DO
	{"JRMI\x00", "Java RMI"},
	{"\xac\xed\x00\x05", "serialised Java objects"},
}

// shapes are protocols told by the structure of their first message.
var shapes = [...]struct {
	name string
	is   func([]byte) bool
}{
	{"SMB", isSMB},
	{"RDP", isRDP},
	{"Redis", isRESP},
	{"PostgreSQL", isPostgres},
	{"MQTT", isMQTT},
	{"IMAP", isIMAP},
	{"git", isGit},
	{"MongoDB", isMongo},
	{"Microsoft SQL Server", isTDS},
	{"SSL 2.0", isSSL2},
	{"DNS over TCP", isDNS},
	{"OpenVPN", isOpenVPN},
	{"LDAP", isLDAP},
	{"SOCKS5", isSOCKS5},
	{"SOCKS4", isSOCKS4},
}

// isSMB: direct TCP transport header, then the signature (MS-SMB2 section 2.1).
func isSMB(p []byte) bool {
	return len(p) >= 8 && p[0] == 0 && slices.Contains([]string{"\xffSMB", "\xfeSMB", "\xfdSMB"}, string(p[4:8]))
}

// isRDP: TPKT version 3 and an X.224 connection request (MS-RDPBCGR section 2.2.1.1).
func isRDP(p []byte) bool { return len(p) >= 7 && p[0] == 3 && p[1] == 0 && p[5] == 0xe0 }

// isRESP: an array of bulk strings, as every Redis client begins.
func isRESP(p []byte) bool {
	count, rest, found := bytes.Cut(p, []byte("\r\n"))
	return found && len(count) >= 2 && count[0] == '*' && digits(count[1:]) && (len(rest) == 0 || rest[0] == '$')
}

func digits(p []byte) bool {
	return !slices.ContainsFunc(p, func(c byte) bool { return c < '0' || c > '9' })
}

// isPostgres: start-up message of version 3, or a request for TLS, GSSAPI or cancellation (PostgreSQL protocol, section 54.7).
func isPostgres(p []byte) bool {
	return len(p) >= 8 && p[0] == 0 && p[1] == 0 &&
		slices.Contains([]uint32{196608, 196610, 80877102, 80877103, 80877104}, binary.BigEndian.Uint32(p[4:]))
}

// isMQTT: CONNECT with the protocol name (MQTT 5.0 section 3.1).
func isMQTT(p []byte) bool {
	return len(p) >= 8 && p[0] == 0x10 && (bytes.Contains(p[:min(len(p), 12)], []byte("\x00\x04MQTT")) || bytes.Contains(p[:min(len(p), 14)], []byte("\x00\x06MQIsdp")))
}

// isIMAP: a tag and a first command of RFC 9051.
func isIMAP(p []byte) bool {
	tag, rest, found := bytes.Cut(p, []byte(" "))
	if !found || len(tag) == 0 || len(tag) > 16 {
		return false
	}
	for _, c := range []string{"CAPABILITY", "LOGIN ", "AUTHENTICATE ", "STARTTLS", "ID ("} {
		if len(rest) >= len(c) && strings.EqualFold(string(rest[:len(c)]), c) {
			return true
		}
	}
	return false
}

// isGit: a pkt-line with a service of the git protocol.
func isGit(p []byte) bool { return len(p) >= 8 && string(p[4:8]) == "git-" }

// isMongo: OP_MSG or OP_QUERY in the message header.
func isMongo(p []byte) bool {
	if len(p) < 16 {
		return false
	}
	size, code := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[12:])
	return size >= 16 && size < 48<<20 && (code == 2013 || code == 2004) && binary.LittleEndian.Uint32(p[8:]) == 0
}

// isTDS: PRELOGIN (MS-TDS section 2.2.3.1).
func isTDS(p []byte) bool {
	return len(p) >= 9 && p[0] == 0x12 && p[1] == 1 && p[4] == 0 && p[5] == 0 && p[8] == 0
}

// isSSL2: a CLIENT-HELLO record that today's TLS refuses (RFC 6176).
func isSSL2(p []byte) bool {
	return len(p) >= 5 && p[0]&0x80 != 0 && p[2] == 1 && (p[3] == 0 && p[4] == 2 || p[3] == 3 && p[4] <= 3)
}

// isDNS: length, then the header of a query with one question and a standard opcode (RFC 1035 section 4.2.2).
func isDNS(p []byte) bool {
	return len(p) >= 17 && int(binary.BigEndian.Uint16(p)) >= 17 && p[0] < 8 && p[4]&0xf8 == 0 &&
		binary.BigEndian.Uint16(p[6:]) == 1 && binary.BigEndian.Uint32(p[8:]) == 0 && p[12] == 0 && p[13] <= 2
}

// isOpenVPN: a TCP frame with a hard reset of the client, key 0 (versions 1 to 3).
func isOpenVPN(p []byte) bool {
	if len(p) < 3 {
		return false
	}
	size := binary.BigEndian.Uint16(p)
	return size >= 14 && size <= 1500 && (p[2] == 1<<3 || p[2] == 7<<3 || p[2] == 10<<3)
}

// isLDAP: a BER sequence with a message id and a bind, search or extended request (RFC 4511 section 4.1.1).
func isLDAP(p []byte) bool {
	if len(p) < 2 || p[0] != 0x30 {
		return false
	}
	body := 2
	if p[1] > 0x80 { // the long form: that many octets of length follow
		body += int(p[1] & 0x7f)
	}
	if body > 6 || len(p) < body+4 {
		return false
	}
	p = p[body:]
	return p[0] == 2 && p[1] == 1 && (p[3] == 0x60 || p[3] == 0x63 || p[3] == 0x77)
}

// isSOCKS5: version and as many methods as announced (RFC 1928 section 3).
func isSOCKS5(p []byte) bool { return len(p) >= 3 && p[0] == 5 && p[1] > 0 && len(p) == 2+int(p[1]) }

// isSOCKS4: connect or bind, port, address, and the end of a user name.
func isSOCKS4(p []byte) bool {
	return len(p) >= 9 && p[0] == 4 && (p[1] == 1 || p[1] == 2) && bytes.IndexByte(p[8:], 0) >= 0
}
