// Package tlshello reads a TLS ClientHello from the first bytes of a
// connection (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) and computes
// its JA3 and JA4 fingerprints.
package tlshello

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// MaxHello bounds the records of a ClientHello in bytes. Hybrid key shares and
// padding make about 2 KiB; crypto/tls itself takes 64 KiB.
const MaxHello = 64 << 10

// Errors of Parse.
var (
	ErrIncomplete = errors.New("tls: client hello incomplete")
	ErrNotTLS     = errors.New("tls: not a client hello")
	ErrTooLarge   = errors.New("tls: client hello larger than 64 KiB")
	ErrMalformed  = errors.New("tls: malformed client hello")
)

// Extension numbers (IANA TLS ExtensionType registry).
const (
	ExtServerName          uint16 = 0
	ExtSupportedGroups     uint16 = 10
	ExtPointFormats        uint16 = 11
	ExtSignatureAlgorithms uint16 = 13
	ExtALPN                uint16 = 16
	ExtSessionTicket       uint16 = 35
	ExtPreSharedKey        uint16 = 41
	ExtSupportedVersions   uint16 = 43
	ExtECH                 uint16 = 0xfe0d
)

// Hello is a ClientHello as sent: GREASE values (RFC 8701) included.
type Hello struct {
	LegacyVersion       uint16
	CipherSuites        []uint16
	Extensions          []uint16 // in order
	ServerName          string   // as sent; "" without the extension
	HasServerName       bool
	BadServerName       bool // bytes no host name has, a dot at the end, or too long
	ALPN                []string
	Versions            []uint16 // of supported_versions
	Curves              []uint16
	PointFormats        []uint8
	SignatureAlgorithms []uint16
	SessionTicket       bool // a ticket was sent, not only support for it
	PSK                 bool
	ECH                 bool // encrypted_client_hello, GREASE or real: an observer cannot tell
	ECHOuter            bool // of the outer form; the inner one never stands on the wire
}

// Parse reads the ClientHello at the start of b, which may span records, and
// returns how many bytes its records take. ErrIncomplete: call again with more.
// ErrMalformed is wrapped with the cause. Duplicate extensions, several server
// names and bytes behind the hello in its last record are malformed.
func Parse(b []byte) (h *Hello, n int, err error) {
	size, n, err := frame(b)
	if err != nil {
		return nil, 0, err
	}
	msg := make([]byte, 0, size)
	for at := 0; at < n; {
		l := int(binary.BigEndian.Uint16(b[at+3:]))
		msg = append(msg, b[at+5:at+5+l]...)
		at += 5 + l
	}
	if len(msg) != size {
		return nil, 0, malformed("data behind the hello")
	}
	h = &Hello{}
	if err := h.parse(msg[4:]); err != nil {
		return nil, 0, err
	}
	return h, n, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// frame finds the length of the handshake message, header included, and of the
// records that hold it.
func frame(b []byte) (size, n int, err error) {
	var head [4]byte
	have := 0 // handshake bytes in the records so far
	for size == 0 || have < size {
		l, err := record(b, n)
		if err != nil {
			return 0, 0, err
		}
		rec := b[n+5:]
		got := rec[:min(l, len(rec))]
		if have < 4 {
			copy(head[have:], got)
		}
		have += len(got)
		if have > 0 && head[0] != 1 {
			return 0, 0, ErrNotTLS
		}
		if have >= 4 {
			size = 4 + int(head[1])<<16 + int(head[2])<<8 + int(head[3])
		}
		if n += 5 + l; size > MaxHello || n > MaxHello {
			return 0, 0, ErrTooLarge
		}
		if len(got) < l {
			return 0, 0, ErrIncomplete
		}
	}
	return size, n, nil
}

// record reads the record header at b[n:]: type handshake, version 3.0 to 3.4,
// 1 to 16384 bytes (RFC 8446 section 5.1).
func record(b []byte, n int) (int, error) {
	h := b[n:min(n+5, len(b))]
	for i, c := range h[:min(3, len(h))] {
		if c < [3]byte{22, 3, 0}[i] || c > [3]byte{22, 3, 4}[i] {
			return 0, notTLS(n)
		}
	}
	if len(h) < 5 {
		return 0, ErrIncomplete
	}
	l := int(binary.BigEndian.Uint16(h[3:]))
	if l == 0 || l > 1<<14 {
		return 0, notTLS(n)
	}
	return l, nil
}

// notTLS: what goes wrong behind the first record is a broken hello.
func notTLS(at int) error {
	if at > 0 {
		return malformed("record header")
	}
	return ErrNotTLS
}

// cursor reads length-prefixed fields; bad stays set after the first overrun.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) bytes(n int) []byte {
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	p := c.b[:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) uint8() int {
	if p := c.bytes(1); p != nil {
		return int(p[0])
	}
	return 0
}

func (c *cursor) uint16() int {
	if p := c.bytes(2); p != nil {
		return int(binary.BigEndian.Uint16(p))
	}
	return 0
}

// vec8 and vec16 read a vector with a length of one or two bytes.
func (c *cursor) vec8() cursor  { return cursor{b: c.bytes(c.uint8())} }
func (c *cursor) vec16() cursor { return cursor{b: c.bytes(c.uint16())} }

// uint16s reads the rest as numbers; false for an odd or empty rest.
func (c *cursor) uint16s() ([]uint16, bool) {
	if len(c.b) == 0 || len(c.b)%2 != 0 {
		return nil, false
	}
	out := make([]uint16, 0, len(c.b)/2)
	for len(c.b) > 0 {
		out = append(out, uint16(c.uint16()))
	}
	return out, true
}

func (h *Hello) parse(msg []byte) error {
	c := cursor{b: msg}
	h.LegacyVersion = uint16(c.uint16())
	c.bytes(32)
	session := c.vec8()
	suites := c.vec16()
	compression := c.vec8()
	if c.bad || len(session.b) > 32 || len(compression.b) == 0 {
		return malformed("fixed part")
	}
	var ok bool
	if h.CipherSuites, ok = suites.uint16s(); !ok {
		return malformed("cipher suites")
	}
	if len(c.b) == 0 {
		return nil // no extensions: TLS 1.2 and before
	}
	exts := c.vec16()
	if c.bad || len(c.b) != 0 {
		return malformed("extensions")
	}
	return h.extensions(exts)
}

func (h *Hello) extensions(exts cursor) error {
	for len(exts.b) > 0 {
		id := uint16(exts.uint16())
		body := exts.vec16()
		if exts.bad {
			return malformed("extensions")
		}
		if slices.Contains(h.Extensions, id) || len(h.Extensions) >= maxExtensions {
			return malformed(fmt.Sprintf("extension %d repeated, or too many", id))
		}
		h.Extensions = append(h.Extensions, id)
		if !h.extension(id, body) {
			return malformed(fmt.Sprintf("extension %d", id))
		}
	}
	return nil
}

// maxExtensions keeps the search for duplicates cheap; real hellos have 10 to 20.
const maxExtensions = 256

// extension reads one extension; false: malformed.
func (h *Hello) extension(id uint16, c cursor) (ok bool) {
	ok = true
	switch id {
	case ExtServerName:
		ok = h.serverName(c)
	case ExtALPN:
		ok = h.alpn(c)
	case ExtSupportedVersions:
		v := c.vec8()
		h.Versions, ok = v.uint16s()
		ok = ok && len(c.b) == 0
	case ExtSupportedGroups:
		h.Curves, ok = list16(c)
	case ExtSignatureAlgorithms:
		h.SignatureAlgorithms, ok = list16(c)
	case ExtPointFormats:
		v := c.vec8()
		h.PointFormats = slices.Clone(v.b)
		ok = !c.bad && len(v.b) > 0 && len(c.b) == 0
	default:
		h.flag(id, c.b)
	}
	return ok
}

// flag notes extensions of which only the presence or first byte matters.
func (h *Hello) flag(id uint16, body []byte) {
	switch id {
	case ExtSessionTicket:
		h.SessionTicket = len(body) > 0
	case ExtPreSharedKey:
		h.PSK = true
	case ExtECH:
		h.ECH = true
		h.ECHOuter = len(body) > 0 && body[0] == 0
	}
}

func list16(c cursor) ([]uint16, bool) {
	v := c.vec16()
	out, ok := v.uint16s()
	return out, ok && len(c.b) == 0
}

// serverName is RFC 6066 section 3: exactly one name, of type host_name.
func (h *Hello) serverName(c cursor) bool {
	list := c.vec16()
	typ := list.uint8()
	name := list.vec16()
	if c.bad || list.bad || len(c.b) != 0 || len(list.b) != 0 || typ != 0 || len(name.b) == 0 {
		return false
	}
	h.ServerName, h.HasServerName = string(name.b), true
	h.BadServerName = !hostBytes(name.b)
	return true
}

// hostBytes reports letters, digits, hyphens, underscores and inner dots, at
// most 253 bytes (RFC 1035 section 2.3.4 as text).
func hostBytes(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return len(b) <= 253 && b[0] != '.' && b[len(b)-1] != '.'
}

// alpn is RFC 7301 section 3.1.
func (h *Hello) alpn(c cursor) bool {
	list := c.vec16()
	if c.bad || len(c.b) != 0 || len(list.b) == 0 {
		return false
	}
	for len(list.b) > 0 {
		p := list.vec8()
		if list.bad || len(p.b) == 0 {
			return false
		}
		h.ALPN = append(h.ALPN, string(p.b))
	}
	return true
}
