// Package query holds one question on its way through the resolver: who asked it, how it was spelt, and the part of it that
// decides which answer it gets. It is the narrow door between the wire (internal/wire/dns) and the rest of the resolver.
// Layer L5.
package query

import (
	"errors"
	"fmt"
	"strings"

	"weir/internal/hostname"
	wire "weir/internal/wire/dns"
)

// ClassIN is the only class that is answered (RFC 1035 section 3.2.4).
const ClassIN = 1

// Sizes of UDP replies in octets.
const (
	// MinUDP is what every client takes (RFC 1035 section 4.2.1, RFC 6891 section 6.2.3).
	MinUDP = 512
	// MaxUDP is the most that is sent: larger datagrams are fragmented, and fragments can be forged (DNS flag day 2020).
	MaxUDP = 1232
)

// Codes of RFC 1035 section 4.1.1 and RFC 6891 section 9.
const (
	codeServFail = 2
	codeRefused  = 5
)

// Types that ask for more than one set of records or that change state; none of them is forwarded.
const (
	typeNone  = 0
	typeOPT   = 41
	metaFirst = 249 // TKEY; then TSIG, IXFR, AXFR, MAILB, MAILA (RFC 2930, 8945, 1995, 5936, 1035)
	metaLast  = 254
)

// Key is the part of a question that decides its answer: what the cache is keyed on and what goes upstream. Nothing else of a
// client's packet leaves this machine.
type Key struct {
	Name  hostname.Name // zero: the root
	Type  uint16
	Class uint16
	DO    bool // DNSSEC records are wanted (RFC 3225)
	CD    bool // the upstream must not validate (RFC 4035 section 3.2.2)
}

// FQDN returns the name in presentation form with its final dot; "." for the root.
func (k Key) FQDN() string { return k.Name.String() + "." }

// Query is one question as a client asked it.
type Query struct {
	Key
	ID       uint16
	Spelling string // the name in presentation form, in the client's letter case, with its final dot
	RD, AD   bool
	EDNS     bool
	Size     int // the largest reply over UDP, in octets: MinUDP to MaxUDP
}

// Refusal says that a packet is not one plain question. It is an error value, so that it can be logged.
type Refusal struct {
	Drop  bool   // no answer at all: one would help reflection or loops
	RCode uint16 // may need EDNS (BADVERS)
	Kind  string // what is wrong, from a closed set
	Asked bool   // the question could be read: Query is complete
}

var _ error = (*Refusal)(nil)

// Error says what is wrong.
func (r *Refusal) Error() string { return r.Kind }

// Parse reads a query of any transport, without the length prefix of TCP. On a Refusal the ID and RD of the Query are set when
// the packet has a header; everything else only when Asked. Bytes that are no part of the question (EDNS options, the Z bit,
// padding) are checked for form and forgotten.
func Parse(packet []byte) (Query, *Refusal) {
	w, err := wire.ParseQuery(packet)
	q := Query{
		ID: w.ID, RD: w.RD, AD: w.AD, EDNS: w.EDNS, Size: min(max(int(w.UDPSize), MinUDP), MaxUDP),
		Key: Key{Type: w.Type, Class: w.Class, DO: w.DO, CD: w.CD},
	}
	if err != nil {
		return q, refusal(err)
	}
	if q.Spelling = spell(w.Name()); q.Spelling != "." {
		if q.Name, err = hostname.FromDNS(q.Spelling); err != nil {
			return q, &Refusal{RCode: uint16(wire.FormErr), Kind: "bad name"}
		}
	}
	return q, q.form()
}

func refusal(err error) *Refusal {
	var e *wire.Error
	if !errors.As(err, &e) {
		return &Refusal{RCode: codeServFail, Kind: err.Error()}
	}
	if e.RCode == wire.NoReply {
		return &Refusal{Drop: true, Kind: e.Error()}
	}
	return &Refusal{RCode: uint16(e.RCode), Kind: e.Error()}
}

// form refuses questions that are well formed but not for a resolver's clients to ask.
func (q *Query) form() *Refusal {
	switch {
	case q.Type == typeNone, q.Type == typeOPT:
		return &Refusal{RCode: uint16(wire.FormErr), Kind: "type is no question", Asked: true}
	case q.Class != ClassIN:
		return &Refusal{RCode: codeRefused, Kind: "class is not IN", Asked: true}
	case metaFirst <= q.Type && q.Type <= metaLast:
		return &Refusal{RCode: codeRefused, Kind: "zone transfer or meta type", Asked: true}
	}
	return nil
}

// spell turns the wire form of a name into presentation form (RFC 1035 section 5.1), letter case kept. Every octet outside
// letters, digits, '-' and '_' becomes \DDD, so that hostname.FromDNS and the packer read exactly these octets back.
func spell(name []byte) string {
	var b strings.Builder
	for i := 0; i < len(name) && name[i] != 0; {
		end := i + 1 + int(name[i])
		for _, c := range name[i+1 : end] {
			if plain(c) {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "\\%03d", c)
			}
		}
		b.WriteByte('.')
		i = end
	}
	if b.Len() == 0 {
		return "."
	}
	return b.String()
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// HeaderReply returns a bare reply to a packet whose question cannot be repeated: its id and RD, a response code, and for codes
// above 15 an OPT record (RFC 6891 section 6.1.3). It returns nil for what must not be answered: a packet shorter than a header,
// or a response.
func HeaderReply(packet []byte, code uint16) []byte {
	const qr, ra, opcodeAndRD = 0x80, 0x80, 0x79
	if len(packet) < wire.HeaderLen || packet[2]&qr != 0 {
		return nil
	}
	out := make([]byte, wire.HeaderLen, wire.HeaderLen+11)
	out[0], out[1] = packet[0], packet[1]
	out[2], out[3] = qr|packet[2]&opcodeAndRD, ra|byte(code&15)
	if code > 15 {
		out[11] = 1 // ARCOUNT
		out = append(out, 0, 0, typeOPT, MaxUDP>>8, MaxUDP&0xff, byte(code>>4), 0, 0, 0, 0, 0)
	}
	return out
}
