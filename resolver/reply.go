package resolver

import (
	"strings"

	"github.com/miekg/dns"

	"weir/internal/event"
	"weir/resolver/answer"
	"weir/resolver/query"
)

// maxEventAnswers bounds the records that an event shows: enough to see where a name leads.
const maxEventAnswers = 16

// maxTCP is the largest message (RFC 1035 section 4.2.2).
const maxTCP = 65535

// reply is what a client will be told.
type reply struct {
	rcode  int
	answer *answer.Answer // nil: no records
	age    uint32         // seconds since it was fetched
	cut    bool           // TC: to be asked again over a stream
	ede    answer.Reason
}

// record is what the event says that only this package knows.
type record struct {
	rcode, cache, upstream, err string
	ede                         int
	answers                     []dns.RR
}

// send builds the packet from parsed records, and keeps what it says for the event.
func (t *transaction) send(p reply) []byte {
	m := t.message(p)
	size := maxTCP
	if t.transport == "udp" {
		size = t.q.Size
	}
	m.Truncate(size)
	m.Truncated = m.Truncated || p.cut // the library decides anew
	m.Compress = true
	b, err := m.Pack()
	if err != nil { // records that cannot be packed: what an upstream sent is not always what may be sent
		t.record.err = err.Error()
		t.record.rcode = answer.RCode(dns.RcodeServerFailure)
		t.r.stats.Failed.Add(1)
		m.Answer, m.Ns, m.Extra, m.Rcode = nil, nil, nil, dns.RcodeServerFailure
		b, _ = m.Pack()
		return b
	}
	t.record.rcode, t.record.answers = answer.RCode(p.rcode), m.Answer
	return b
}

func (t *transaction) message(p reply) *dns.Msg {
	q := &t.q
	m := &dns.Msg{
		MsgHdr: dns.MsgHdr{
			Id: q.ID, Response: true, RecursionDesired: q.RD, RecursionAvailable: true, CheckingDisabled: q.CD, Rcode: p.rcode,
			Truncated: p.cut,
		},
		Question: []dns.Question{{Name: q.Spelling, Qtype: q.Type, Qclass: q.Class}},
	}
	if a := p.answer; a != nil {
		m.Answer, m.Ns = dress(q, a.Records, p.age), dress(q, a.Authority, p.age)
		m.AuthenticatedData = a.AD && (q.AD || q.DO) // RFC 6840 section 5.8; answers of our own making have no AD
	}
	if q.EDNS {
		m.Extra = []dns.RR{t.opt(p.ede)}
	}
	return m
}

// opt is our own OPT record: it copies nothing of the client's but the DO bit (RFC 3225 section 3).
func (t *transaction) opt(e answer.Reason) *dns.OPT {
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	opt.SetUDPSize(query.MaxUDP)
	opt.SetDo(t.q.DO)
	if e.Code != answer.NoEDE {
		t.record.ede = e.Code
		opt.Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: uint16(e.Code), ExtraText: e.Text}}
	}
	return opt
}

// dress copies records, for the answer is shared, with the TTL that is left, and with the asked name spelt as the client did: some
// clients check the letter case (draft-vixie-dnsext-dns0x20).
func dress(q *query.Query, records []dns.RR, age uint32) []dns.RR {
	out := make([]dns.RR, 0, len(records))
	asked := q.FQDN()
	for _, rr := range records {
		c := dns.Copy(rr)
		h := c.Header()
		h.Ttl -= min(h.Ttl, age)
		if h.Name == asked {
			h.Name = q.Spelling
		}
		out = append(out, c)
	}
	return out
}

// describe fills the event.
func (t *transaction) describe(e *event.Event) {
	q := &t.q
	d := &event.DNS{ID: q.ID, RCod: t.record.rcode, Cache: t.record.cache, Upstream: t.record.upstream, EDE: t.record.ede}
	if q.Type != 0 {
		d.Name, d.Type, d.Class = strings.TrimSuffix(q.FQDN(), "."), dns.Type(q.Type).String(), dns.Class(q.Class).String()
	}
	for _, rr := range t.record.answers[:min(len(t.record.answers), maxEventAnswers)] {
		h := rr.Header()
		d.Answers = append(d.Answers, event.Answer{
			Name: strings.TrimSuffix(strings.ToLower(h.Name), "."), Type: dns.Type(h.Rrtype).String(), TTL: h.Ttl,
			Data: strings.TrimPrefix(rr.String(), h.String()),
		})
	}
	e.DNS, e.Error = d, t.record.err
}
