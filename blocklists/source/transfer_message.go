package source

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// errMessage wraps what is wrong with the form of a DNS message.
var errMessage = errors.New("malformed DNS message")

// headerSize is the octets of a DNS header (RFC 1035 section 4.1.1).
const headerSize = 12

// reply is a DNS message as far as a transfer needs it. The library's own reader does not tell where the TSIG record began.
type reply struct {
	id      uint16
	flags   uint16
	answers []dns.RR
	sig     *dns.TSIG
	sigAt   int
}

// The bits of a header.
const (
	flagResponse  = 1 << 15
	flagTruncated = 1 << 9
	maskOpcode    = 15 << 11
	maskRcode     = 15
)

// readReply reads a message; question is what every question in it must be.
func readReply(raw []byte, question dns.Question) (reply, error) {
	if len(raw) < headerSize {
		return reply{}, fmt.Errorf("%w: %d octets", errMessage, len(raw))
	}
	r := reply{id: binary.BigEndian.Uint16(raw), flags: binary.BigEndian.Uint16(raw[2:])}
	off := headerSize
	for range binary.BigEndian.Uint16(raw[4:]) {
		name, next, err := dns.UnpackDomainName(raw, off)
		if err != nil || next+4 > len(raw) {
			return reply{}, fmt.Errorf("%w: question", errMessage)
		}
		asked := dns.Question{Name: dns.CanonicalName(name), Qtype: binary.BigEndian.Uint16(raw[next:]), Qclass: binary.BigEndian.Uint16(raw[next+2:])}
		if asked != question {
			return reply{}, fmt.Errorf("%w: it answers another question", errMessage)
		}
		off = next + 4
	}
	return r, r.sections(raw, off)
}

// sections reads the records: those of the answer are kept, and a TSIG record, which must be the last.
func (r *reply) sections(raw []byte, off int) error {
	for section := range 3 {
		for range binary.BigEndian.Uint16(raw[6+2*section:]) {
			if r.sig != nil {
				return fmt.Errorf("%w: records behind TSIG", errMessage)
			}
			if off >= len(raw) { // the library makes empty records of nothing
				return fmt.Errorf("%w: fewer records than it says", errMessage)
			}
			rr, next, err := dns.UnpackRR(raw, off)
			if err != nil {
				return fmt.Errorf("%w: %w", errMessage, err)
			}
			sig, signed := rr.(*dns.TSIG)
			switch {
			case signed && section == 2:
				r.sig, r.sigAt = sig, off
			case section == 0:
				r.answers = append(r.answers, rr)
			}
			off = next
		}
	}
	if off != len(raw) {
		return fmt.Errorf("%w: %d octets behind its end", errMessage, len(raw)-off)
	}
	return nil
}

// check refuses what is no answer to the question with this id, and names what the server says.
func (r *reply) check(id uint16) error {
	switch rcode := int(r.flags & maskRcode); {
	case r.id != id || r.flags&flagResponse == 0 || r.flags&maskOpcode != 0:
		return fmt.Errorf("%w: it is no answer to our question", errMessage)
	case r.flags&flagTruncated != 0:
		return fmt.Errorf("%w: truncated over TCP", errMessage)
	case rcode != dns.RcodeSuccess:
		return fmt.Errorf("%w: the server says %s", ErrTransfer, dns.RcodeToString[rcode])
	}
	return nil
}
