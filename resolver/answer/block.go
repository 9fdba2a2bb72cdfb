package answer

import (
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"weir/internal/verdict"
	"weir/resolver/query"
)

// Blocked returns the answer for a blocked question; ok is false when there is none to give (drop). A Refused has no records; a
// page, which DNS cannot show, is NXDOMAIN. A Truncate is empty; that TC is set is up to who sends it. An AnswerData without its
// records (see [Data]) has no data. Negative answers carry an SOA of the asked name, so that clients cache them for ttl
// (RFC 2308 section 3).
func Blocked(key query.Key, how verdict.Answer, ttl time.Duration) (a *Answer, rcode int, ok bool) {
	switch how.Kind {
	case verdict.AnswerPage, verdict.AnswerNXDOMAIN:
		return Negative(key, dns.RcodeNameError, ttl), dns.RcodeNameError, true
	case verdict.AnswerNoData, verdict.AnswerData:
		return Negative(key, dns.RcodeSuccess, ttl), dns.RcodeSuccess, true
	case verdict.AnswerTruncate:
		return nil, dns.RcodeSuccess, true
	case verdict.AnswerNull:
		return Literal(key, netip.IPv4Unspecified(), netip.IPv6Unspecified(), ttl), dns.RcodeSuccess, true
	case verdict.AnswerAddress:
		return Literal(key, how.V4, how.V6, ttl), dns.RcodeSuccess, true
	case verdict.AnswerRefused:
		return nil, dns.RcodeRefused, true
	case verdict.AnswerDrop:
		return nil, 0, false
	}
	return nil, dns.RcodeRefused, true
}

// Negative makes an answer without records.
func Negative(key query.Key, rcode int, ttl time.Duration) *Answer {
	return &Answer{RCode: rcode, Negative: true, Authority: []dns.RR{soaOf(key, ttl)}, TTL: ttl}
}

// soaOf makes the SOA of a zone that consists of the asked name; its numbers are those of RFC 6303 section 3.
func soaOf(key query.Key, ttl time.Duration) *dns.SOA {
	return &dns.SOA{
		Hdr: header(key, dns.TypeSOA, ttl), Ns: key.FQDN(), Mbox: "nobody.invalid.",
		Serial: 1, Refresh: 3600, Retry: 1200, Expire: 604800, Minttl: seconds(ttl),
	}
}

// Literal answers A with v4 and AAAA with v6; an invalid address, and every other type, has no data.
func Literal(key query.Key, v4, v6 netip.Addr, ttl time.Duration) *Answer {
	var rr dns.RR
	switch {
	case key.Type == dns.TypeA && v4.Is4():
		rr = &dns.A{Hdr: header(key, dns.TypeA, ttl), A: net.IP(v4.AsSlice())}
	case key.Type == dns.TypeAAAA && v6.Is6():
		rr = &dns.AAAA{Hdr: header(key, dns.TypeAAAA, ttl), AAAA: net.IP(v6.AsSlice())}
	default:
		return Negative(key, dns.RcodeSuccess, ttl)
	}
	return &Answer{Records: []dns.RR{rr}, TTL: ttl}
}

// NoAny is the answer to ANY of RFC 8482 section 4.2: a HINFO that says where it comes from.
func NoAny(key query.Key, ttl time.Duration) *Answer {
	return &Answer{Records: []dns.RR{&dns.HINFO{Hdr: header(key, dns.TypeHINFO, ttl), Cpu: "RFC8482"}}, TTL: ttl}
}

func header(key query.Key, rrtype uint16, ttl time.Duration) dns.RR_Header {
	return dns.RR_Header{Name: key.FQDN(), Rrtype: rrtype, Class: dns.ClassINET, Ttl: seconds(ttl)}
}
