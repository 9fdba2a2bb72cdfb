package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Errors of zone transfers; each is wrapped with the server and the cause.
var (
	// ErrTransfer is an answer that is no transfer of the zone.
	ErrTransfer = errors.New("zone transfer")
	// ErrSerial is a server whose zone is older than our copy (RFC 1982).
	ErrSerial = errors.New("serial goes back")

	errInconsistent = errors.New("the differences do not fit our copy")
)

// zoneRecord is one record of a zone. Two with the same key are the same record (RFC 2181 section 5.2: what remains, the time
// to live, belongs to all records of a name and type).
type zoneRecord struct {
	key string // "owner TYPE rdata"; no control characters, no blank in owner
	ttl uint32
}

// newRecord spells a record: owner in lower case, rdata as the library prints it, in lower case where it is one name.
func newRecord(rr dns.RR) (zoneRecord, error) {
	h := rr.Header()
	switch {
	case h.Class != dns.ClassINET:
		return zoneRecord{}, fmt.Errorf("%w: a record of class %d", ErrTransfer, h.Class)
	case h.Rrtype == dns.TypeOPT || h.Rrtype >= 128 && h.Rrtype <= 255 || h.Rrtype == 0: // RFC 6895 section 3.1
		return zoneRecord{}, fmt.Errorf("%w: a record of type %d, which no zone holds", ErrTransfer, h.Rrtype)
	}
	fields := strings.SplitN(rr.String(), "\t", 5) // owner, TTL, class, type, rdata
	if len(fields) != 5 || fields[4] == "" {
		return zoneRecord{}, fmt.Errorf("%w: a record of type %d without data", ErrTransfer, h.Rrtype)
	}
	rdata := fields[4]
	switch h.Rrtype {
	case dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypePTR, dns.TypeSOA:
		rdata = lower(rdata)
	}
	if strings.IndexFunc(rdata, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return zoneRecord{}, fmt.Errorf("%w: a record of type %s that is no text", ErrTransfer, fields[3])
	}
	owner := strings.ReplaceAll(lower(fields[0]), `\ `, `\032`)
	return zoneRecord{owner + " " + fields[3] + " " + rdata, h.Ttl}, nil
}

// lower is ASCII only, as DNS compares names (RFC 4343).
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// line spells the record as one line of a zone file (RFC 1035 section 5), without its end.
func (r zoneRecord) line() string {
	owner, rest, _ := strings.Cut(r.key, " ")
	return owner + " " + strconv.FormatUint(uint64(r.ttl), 10) + " IN " + rest
}

// parseRecord reads what line has written.
func parseRecord(line string) (zoneRecord, error) {
	owner, rest, _ := strings.Cut(line, " ")
	ttl, rest, _ := strings.Cut(rest, " ")
	class, rest, ok := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(ttl, 10, 32)
	if err != nil || !ok || class != "IN" || owner == "" {
		return zoneRecord{}, fmt.Errorf("%w: the copy holds %.80q", errInconsistent, line)
	}
	return zoneRecord{owner + " " + rest, uint32(n)}, nil
}

// newer says whether serial a comes after b (RFC 1982 section 3.2); of two that are 2^31 apart neither does.
func newer(a, b uint32) bool { return a != b && int32(a-b) > 0 }

// zoneState is what the SOA record of a copy says: kept beside the copy.
type zoneState struct {
	Serial  uint32 `json:"serial"`
	Refresh uint32 `json:"refresh"` // seconds
	Expire  uint32 `json:"expire"`  // seconds
}

func stateOf(soa *dns.SOA) zoneState { return zoneState{soa.Serial, soa.Refresh, soa.Expire} }

// zoneSink takes the records of a transfer. whole is called before the first keep, and never after a remove or an add.
type zoneSink interface {
	whole() error
	keep(zoneRecord) error
	remove(zoneRecord) error
	add(zoneRecord) error
}

// inbound follows the records of an answer to AXFR (RFC 5936 section 2.2) or IXFR (RFC 1995 section 4).
type inbound struct {
	zone string
	have *dns.SOA // what we told IXFR that we have; nil: AXFR was asked for
	sink zoneSink

	step   step
	soa    *dns.SOA // the first record: the zone as it will be
	first  zoneRecord
	serial uint32 // of IXFR: up to where we have read
}

type step int

const (
	stepBegin    step = iota
	stepSecond        // behind the first SOA: what comes next tells the kind of answer
	stepWhole         // records of the whole zone
	stepRemove        // records to remove
	stepAdd           // records to add
	stepDone          // the last SOA was read
	stepUpToDate      // the server has what we have
)

// message takes the answer section of the next message.
func (in *inbound) message(answers []dns.RR) error {
	if len(answers) == 0 {
		return fmt.Errorf("%w: a message without records", ErrTransfer) // a server could send them without end
	}
	for _, rr := range answers {
		if in.done() {
			return fmt.Errorf("%w: records behind the end", ErrTransfer)
		}
		if err := in.record(rr); err != nil {
			return err
		}
	}
	if in.step == stepSecond && in.have != nil && in.soa.Serial == in.have.Serial {
		in.step = stepUpToDate
	}
	return nil
}

func (in *inbound) done() bool { return in.step == stepDone || in.step == stepUpToDate }

func (in *inbound) record(rr dns.RR) error {
	rec, err := newRecord(rr)
	if err != nil {
		return err
	}
	if soa, ok := rr.(*dns.SOA); ok {
		if dns.CanonicalName(soa.Hdr.Name) != in.zone {
			return fmt.Errorf("%w: SOA of %s", ErrTransfer, soa.Hdr.Name)
		}
		return in.boundary(soa, rec)
	}
	switch in.step {
	case stepBegin:
		return fmt.Errorf("%w: it does not begin with SOA", ErrTransfer)
	case stepSecond:
		if err := in.sink.whole(); err != nil {
			return err
		}
		in.step = stepWhole
		return in.sink.keep(rec)
	case stepRemove:
		return in.sink.remove(rec)
	case stepAdd:
		return in.sink.add(rec)
	default:
		return in.sink.keep(rec)
	}
}

// boundary takes an SOA record.
func (in *inbound) boundary(soa *dns.SOA, rec zoneRecord) error {
	switch in.step {
	case stepBegin:
		in.soa, in.first, in.step = soa, rec, stepSecond
		if in.have != nil && soa.Serial != in.have.Serial && !newer(soa.Serial, in.have.Serial) {
			return fmt.Errorf("%w: from %d to %d", ErrSerial, in.have.Serial, soa.Serial)
		}
		return nil
	case stepSecond:
		return in.second(soa, rec)
	case stepRemove:
		if !newer(soa.Serial, in.serial) || newer(soa.Serial, in.soa.Serial) {
			return fmt.Errorf("%w: from serial %d to %d", errInconsistent, in.serial, soa.Serial)
		}
		in.serial, in.step = soa.Serial, stepAdd
		return nil
	case stepAdd:
		if in.serial == in.soa.Serial {
			return in.last(rec)
		}
		if soa.Serial != in.serial {
			return fmt.Errorf("%w: serial %d follows %d", errInconsistent, soa.Serial, in.serial)
		}
		in.step = stepRemove
		return nil
	default:
		return in.last(rec)
	}
}

// second takes an SOA right behind the first: a zone with nothing but its SOA, or differences.
func (in *inbound) second(soa *dns.SOA, rec zoneRecord) error {
	if in.have != nil && soa.Serial != in.soa.Serial {
		return in.from(soa, rec)
	}
	if err := in.sink.whole(); err != nil {
		return err
	}
	return in.last(rec)
}

// from takes the SOA that the first difference begins with: it must be ours, word for word.
func (in *inbound) from(soa *dns.SOA, rec zoneRecord) error {
	ours, err := newRecord(in.have)
	if err != nil {
		return err
	}
	if ours.key != rec.key {
		return fmt.Errorf("%w: they begin with serial %d, we have %d", errInconsistent, soa.Serial, in.have.Serial)
	}
	in.serial, in.step = soa.Serial, stepRemove
	return nil
}

// last takes the SOA that ends the transfer.
func (in *inbound) last(rec zoneRecord) error {
	if rec != in.first {
		return fmt.Errorf("%w: it begins and ends with different SOA records: the zone changed meanwhile", ErrTransfer)
	}
	in.step = stepDone
	return nil
}
