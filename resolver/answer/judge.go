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
// block: one bad record condemns the whole answer, for a client may pick any of them. What a record leads to is said in leads.go. A
// target that is no name is refused as a violation.
func Judge(now time.Time, x Gate, a *Answer) verdict.Verdict {
	for _, rr := range a.Records {
		place, names := leadsTo(rr)
		for _, target := range names {
			if judgeName(now, x, place, target).Blocks() {
				return x.Verdict()
			}
		}
		for _, addr := range addresses(rr) {
			if x.Address(now, verdict.PlaceAnswer, addr).Blocks() {
				return x.Verdict()
			}
		}
		if uri, ok := locator(rr); ok && judgeURI(now, x, uri).Blocks() {
			return x.Verdict()
		}
	}
	return x.Verdict()
}

func judgeName(now time.Time, x Gate, place verdict.Place, target string) verdict.Verdict {
	if target == "." || target == "" { // itself (RFC 9460 section 2.5), or "none" (RFC 7505, RFC 2782)
		return x.Verdict()
	}
	n, err := hostname.FromDNS(target)
	if err != nil {
		return x.Refuse(now, verdict.SafetyDNS, place, target)
	}
	return x.Name(now, place, n)
}

// judgeURI judges the host of a URI, a name or an address; one without a host (tel:, urn:) leads nowhere.
func judgeURI(now time.Time, x Gate, uri string) verdict.Verdict {
	host, ok := hostOf(uri)
	if ok && host == "" {
		return x.Verdict()
	}
	target, err := hostname.ParseHost(host)
	switch {
	case !ok || err != nil:
		return x.Refuse(now, verdict.SafetyDNS, verdict.PlaceTarget, uri)
	case target.IsAddr():
		return x.Address(now, verdict.PlaceAnswer, target.Addr)
	}
	return x.Name(now, verdict.PlaceTarget, target.Name)
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
