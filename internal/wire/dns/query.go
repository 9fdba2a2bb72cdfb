// Package dns reads DNS queries from the wire without allocating (RFC 1035
// section 4, RFC 6891). It knows one question and one OPT record: all that a
// client has reason to send. Anything else is refused with the response code
// that answers it.
package dns

import "encoding/binary"

// Sizes in bytes.
const (
	HeaderLen = 12
	MaxName   = 255 // wire form, root label included (RFC 1035 section 3.1)
	// MinUDPSize is what every requestor takes (RFC 6891 section 6.2.3).
	MinUDPSize = 512
)

const (
	typeOPT  = 41
	typeTSIG = 250
	typeSIG  = 24 // SIG(0), RFC 2931
)

// RCode is a response code; codes above 15 need EDNS in the response.
type RCode uint16

// The codes that a refused query is answered with.
const (
	NoReply RCode = 0xffff // drop: an answer would help reflection or loops
	FormErr RCode = 1
	NotImp  RCode = 4
	BadVers RCode = 16
)

// Kind is why a query was refused: a closed set, fit for metric labels.
type Kind uint8

// The kinds.
const (
	KindNone     Kind = iota
	KindShort         // less than a header
	KindResponse      // QR is set
	KindOpcode        // no standard query
	KindCounts        // not one question, answers, authorities, or more than one additional record
	KindName          // compressed, overlong or cut name in the question
	KindQuestion      // cut question
	KindRecord        // additional record that is not OPT
	KindSigned        // TSIG or SIG(0): its meaning could not survive the filter
	KindOPT           // malformed OPT record or option
	KindVersion       // EDNS version above 0
	KindTrailing      // bytes behind the message
)

// Error says why a query was refused and how to answer.
type Error struct {
	Kind  Kind
	RCode RCode
	text  string
}

var _ error = (*Error)(nil)

// Error describes the refusal.
func (e *Error) Error() string { return "dns query: " + e.text }

// One value for each kind, so that refusing allocates nothing.
var (
	errShort    = &Error{KindShort, NoReply, "shorter than a header"}
	errResponse = &Error{KindResponse, NoReply, "is a response"}
	errOpcode   = &Error{KindOpcode, NotImp, "opcode is not QUERY"}
	errCounts   = &Error{KindCounts, FormErr, "unexpected section counts"}
	errName     = &Error{KindName, FormErr, "bad name"}
	errQuestion = &Error{KindQuestion, FormErr, "question cut short"}
	errRecord   = &Error{KindRecord, FormErr, "additional record is not OPT"}
	errSigned   = &Error{KindSigned, FormErr, "signed query"}
	errOPT      = &Error{KindOPT, FormErr, "malformed OPT"}
	errVersion  = &Error{KindVersion, BadVers, "unknown EDNS version"}
	errTrailing = &Error{KindTrailing, FormErr, "bytes behind the message"}
)

// Query is one question. Options points into the packet; the rest is copied.
type Query struct {
	ID         uint16
	RD, AD, CD bool
	Type       uint16
	Class      uint16

	name    [MaxName]byte
	nameLen uint8

	EDNS    bool
	DO      bool
	UDPSize uint16 // as offered; 512 without EDNS, and never less
	Options []byte // of EDNS, checked for form: see NextOption
}

// Name is the wire form of the name as asked: letter case kept, root label
// included. It is valid as long as q.
func (q *Query) Name() []byte { return q.name[:q.nameLen] }

// QuestionLen is the length of the question section in bytes; it begins
// behind the header.
func (q *Query) QuestionLen() int { return int(q.nameLen) + 4 }

// ParseQuery reads a query of any transport, without the length prefix of TCP.
// The error is always an *Error; ID and RD are set in the Query even then,
// unless the packet is shorter than a header, so that it can be answered.
func ParseQuery(b []byte) (Query, error) {
	var q Query
	if err := q.parse(b); err != nil {
		return q, err
	}
	return q, nil
}

func (q *Query) parse(b []byte) *Error {
	if err := q.header(b); err != nil {
		return err
	}
	n, err := q.question(b)
	if err != nil {
		return err
	}
	q.UDPSize = MinUDPSize
	if binary.BigEndian.Uint16(b[10:]) == 1 {
		if n, err = q.additional(b, n); err != nil {
			return err
		}
	}
	if n != len(b) {
		return errTrailing
	}
	return nil
}

// header is RFC 1035 section 4.1.1. The bits TC, Z and RCODE mean nothing in a
// query and are ignored; nothing of the header is forwarded.
func (q *Query) header(b []byte) *Error {
	if len(b) < HeaderLen {
		return errShort
	}
	q.ID = binary.BigEndian.Uint16(b)
	q.RD, q.AD, q.CD = b[2]&1 != 0, b[3]&0x20 != 0, b[3]&0x10 != 0
	switch {
	case b[2]&0x80 != 0:
		return errResponse
	case b[2]>>3&15 != 0:
		return errOpcode
	case binary.BigEndian.Uint16(b[4:]) != 1, binary.BigEndian.Uint32(b[6:]) != 0, binary.BigEndian.Uint16(b[10:]) > 1:
		return errCounts
	}
	return nil
}

// question reads the name, which nothing can compress, type and class.
func (q *Query) question(b []byte) (int, *Error) {
	at := HeaderLen
	for {
		if at >= len(b) {
			return 0, errName
		}
		l := int(b[at])
		if l > 63 || at+1+l-HeaderLen > MaxName || at+1+l > len(b) {
			return 0, errName
		}
		at += 1 + l
		if l == 0 {
			break
		}
	}
	q.nameLen = uint8(copy(q.name[:], b[HeaderLen:at]))
	if at+4 > len(b) {
		return 0, errQuestion
	}
	q.Type, q.Class = binary.BigEndian.Uint16(b[at:]), binary.BigEndian.Uint16(b[at+2:])
	return at + 4, nil
}

// additional reads the OPT record at b[at:] (RFC 6891 section 6.1.2).
func (q *Query) additional(b []byte, at int) (int, *Error) {
	if len(b) < at+11 {
		return 0, errOPT
	}
	if b[at] != 0 {
		return 0, q.notOPT(b, at)
	}
	switch binary.BigEndian.Uint16(b[at+1:]) {
	case typeOPT:
	case typeTSIG, typeSIG:
		return 0, errSigned
	default:
		return 0, errRecord
	}
	size, version, flags := binary.BigEndian.Uint16(b[at+3:]), b[at+6], b[at+7]
	end := at + 11 + int(binary.BigEndian.Uint16(b[at+9:]))
	if end > len(b) {
		return 0, errOPT
	}
	if version != 0 {
		return 0, errVersion
	}
	q.EDNS, q.DO, q.UDPSize = true, flags&0x80 != 0, max(size, MinUDPSize)
	q.Options = b[at+11 : end]
	for rest := q.Options; len(rest) > 0; {
		code, data, next, ok := NextOption(rest)
		if !ok || !optionForm(code, data) {
			return 0, errOPT
		}
		rest = next
	}
	return end, nil
}

// notOPT tells signed queries, whose records have a name, from other records.
func (q *Query) notOPT(b []byte, at int) *Error {
	for at < len(b) && b[at] != 0 {
		if b[at] >= 0xc0 { // a pointer ends a name
			at++
			break
		}
		at += 1 + int(b[at])
	}
	if at+3 <= len(b) {
		if t := binary.BigEndian.Uint16(b[at+1:]); t == typeTSIG || t == typeSIG {
			return errSigned
		}
	}
	return errRecord
}

// NextOption reads the first EDNS option of p and returns what follows it.
func NextOption(p []byte) (code uint16, data, rest []byte, ok bool) {
	if len(p) < 4 {
		return 0, nil, nil, false
	}
	code = binary.BigEndian.Uint16(p)
	n := 4 + int(binary.BigEndian.Uint16(p[2:]))
	if n > len(p) {
		return 0, nil, nil, false
	}
	return code, p[4:n], p[n:], true
}

// Option codes whose form is checked (IANA DNS EDNS0 Option Codes).
const (
	optLLQ       = 1  // RFC 8764
	optUL        = 2  // RFC 9664
	optSubnet    = 8  // RFC 7871
	optExpire    = 9  // RFC 7314
	optCookie    = 10 // RFC 7873
	optKeepalive = 11 // RFC 7828
	optEDE       = 15 // RFC 8914
	optReporting = 18 // RFC 9567
	optZoneVer   = 19 // RFC 9660
)

// optionLens are the lengths that an option may have in a query. Only servers
// send a reporting agent, and the library, which must agree with us, refuses
// the empty zone version that clients may send: both are refused.
func optionLens(code uint16) (least, most, other int) {
	switch code {
	case optLLQ:
		return 18, 18, 18
	case optUL:
		return 4, 4, 8
	case optExpire:
		return 4, 4, 0
	case optCookie:
		return 16, 40, 8
	case optKeepalive:
		return 2, 2, 0
	case optEDE:
		return 2, 1 << 16, 2
	case optReporting, optZoneVer:
		return 1, 0, -1
	}
	return 0, 1 << 16, 0
}

// optionForm checks the form of options that have one.
func optionForm(code uint16, data []byte) bool {
	if code == optSubnet {
		return subnetForm(data)
	}
	least, most, other := optionLens(code)
	n := len(data)
	return n == other || least <= n && n <= most
}

// subnetForm is RFC 7871 section 6: in queries the scope is 0, and the address
// has just the bytes of the prefix.
func subnetForm(data []byte) bool {
	if len(data) < 4 || data[3] != 0 {
		return false
	}
	limit := longestPrefix(binary.BigEndian.Uint16(data))
	bits := int(data[2])
	return bits <= limit && len(data)-4 == (bits+7)/8
}

// longestPrefix is the longest prefix of an address family; family 0 has none.
func longestPrefix(family uint16) int {
	switch family {
	case 0:
		return 0
	case 1:
		return 32
	case 2:
		return 128
	}
	return -1
}
