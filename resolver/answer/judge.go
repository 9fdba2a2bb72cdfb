package answer

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/verdict"
)

// Gate is the part of gate.Exchange that judges answers.
type Gate interface {
	Name(now time.Time, place verdict.Place, name hostname.Name) verdict.Verdict
	Address(now time.Time, place verdict.Place, addr netip.Addr) verdict.Verdict
	Refuse(now time.Time, s verdict.Safety, place verdict.Place, subject string) verdict.Verdict
	Verdict() verdict.Verdict
}

var _ Gate = (*gate.Exchange)(nil)

// Judge shows every name and address that an answer leads to to the gate, in the order of the answer, and stops at the first
// block: one bad record condemns the whole answer, for a client may pick any of them. Names: targets of CNAME and DNAME, of SVCB,
// HTTPS, MX, SRV, NS and NAPTR. Addresses: A, AAAA, ipv4hint and ipv6hint. A target that is no name is refused as a violation.
func Judge(now time.Time, x Gate, a *Answer) verdict.Verdict {
	for _, rr := range a.Records {
		if place, target := leadsTo(rr); target != "" && judgeName(now, x, place, target).Blocks() {
			return x.Verdict()
		}
		for _, addr := range addresses(rr) {
			if x.Address(now, verdict.PlaceAnswer, addr).Blocks() {
				return x.Verdict()
			}
		}
	}
	return x.Verdict()
}

func judgeName(now time.Time, x Gate, place verdict.Place, target string) verdict.Verdict {
	if target == "." { // itself (RFC 9460 section 2.5), or "none" (RFC 7505, RFC 2782)
		return x.Verdict()
	}
	n, err := hostname.FromDNS(target)
	if err != nil {
		return x.Refuse(now, verdict.SafetyDNS, place, target)
	}
	return x.Name(now, place, n)
}

// leadsTo returns the name that a client goes to because of a record; "" when there is none.
func leadsTo(rr dns.RR) (verdict.Place, string) {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return verdict.PlaceCNAME, rr.Target
	case *dns.DNAME:
		return verdict.PlaceCNAME, rr.Target
	case *dns.SVCB:
		return verdict.PlaceTarget, rr.Target
	case *dns.HTTPS:
		return verdict.PlaceTarget, rr.Target
	case *dns.MX:
		return verdict.PlaceTarget, rr.Mx
	case *dns.SRV:
		return verdict.PlaceTarget, rr.Target
	case *dns.NS:
		return verdict.PlaceTarget, rr.Ns
	case *dns.NAPTR:
		return verdict.PlaceTarget, rr.Replacement
	}
	return verdict.PlaceNone, ""
}

// addresses returns the addresses that a client connects to because of a record.
func addresses(rr dns.RR) []netip.Addr {
	switch rr := rr.(type) {
	case *dns.A:
		return appendIP(nil, rr.A.To4())
	case *dns.AAAA:
		return appendIP(nil, rr.AAAA)
	case *dns.SVCB:
		return hints(rr)
	case *dns.HTTPS:
		return hints(&rr.SVCB)
	}
	return nil
}

func hints(rr *dns.SVCB) (out []netip.Addr) {
	for _, kv := range rr.Value {
		switch kv := kv.(type) {
		case *dns.SVCBIPv4Hint:
			for _, ip := range kv.Hint {
				out = appendIP(out, ip.To4())
			}
		case *dns.SVCBIPv6Hint:
			for _, ip := range kv.Hint {
				out = appendIP(out, ip)
			}
		}
	}
	return out
}

// appendIP appends an address; one of a wrong length becomes the invalid address, which the gate refuses as no public one.
func appendIP(out []netip.Addr, ip []byte) []netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return append(out, addr)
}

// Addrs returns the addresses of the A and AAAA records.
func (a *Answer) Addrs() (out []netip.Addr) {
	for _, rr := range a.Records {
		switch rr.(type) {
		case *dns.A, *dns.AAAA:
			for _, addr := range addresses(rr) {
				if addr.IsValid() {
					out = append(out, addr)
				}
			}
		}
	}
	return out
}
