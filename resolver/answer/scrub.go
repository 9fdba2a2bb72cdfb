package answer

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/query"
)

// scrubber follows the chain of one answer.
type scrubber struct {
	key   query.Key
	owned map[hostname.Name][]dns.RR // answer section by owner
	above map[hostname.Name]bool     // owners of DNAMEs that were kept
	kept  int                        // of the upstream's answer section
	out   *Answer
}

// Scrub keeps of an upstream's message what belongs to the question: the CNAMEs and DNAMEs from the asked name on, the records of
// the asked type at their end, and for negative answers the SOA of a zone above it. Everything else (additional records, referrals,
// records of other names) is forgotten and can reach neither the cache nor a client. Owner names and CNAME targets come out in
// the canonical form in which they are judged. The message is consumed: its records become those of the Answer.
//
// An error wraps one of [ErrLoop], [ErrChain], [ErrMixed], [ErrTooMany], [ErrName], [ErrRCode].
func Scrub(key query.Key, m *dns.Msg, wireLen int, times Times) (*Answer, error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("%s: %w: %s", key.FQDN(), ErrRCode, RCode(m.Rcode))
	}
	if len(m.Answer)+len(m.Ns) > MaxRecords {
		return nil, fmt.Errorf("%s: %w", key.FQDN(), ErrTooMany)
	}
	s := &scrubber{
		key: key, owned: map[hostname.Name][]dns.RR{}, above: map[hostname.Name]bool{}, out: &Answer{RCode: m.Rcode, Wire: wireLen},
	}
	for _, rr := range m.Answer {
		if owner, ok := ownerOf(rr); ok {
			s.owned[owner] = append(s.owned[owner], rr)
		}
	}
	if err := s.chain(); err != nil {
		return nil, fmt.Errorf("%s: %w", key.FQDN(), err)
	}
	s.out.Negative = m.Rcode != dns.RcodeSuccess || !s.answered()
	s.authority(m.Ns)
	s.out.AD = m.AuthenticatedData && s.kept == len(m.Answer) && s.kept == len(s.out.Records)
	s.out.settle(times)
	return s.out, nil
}

// ownerOf brings the owner of a record into canonical form, in the record too. Records of other classes are not ok.
func ownerOf(rr dns.RR) (hostname.Name, bool) {
	h := rr.Header()
	if h.Class != dns.ClassINET || h.Rrtype == dns.TypeOPT {
		return hostname.Name{}, false
	}
	n, err := nameOf(h.Name)
	if err != nil {
		return n, false
	}
	h.Name = n.String() + "."
	return n, true
}

// nameOf is hostname.FromDNS with the root as the zero Name.
func nameOf(presentation string) (hostname.Name, error) {
	if presentation == "." {
		return hostname.Name{}, nil
	}
	return hostname.FromDNS(presentation)
}

// chain walks from the asked name to its records.
func (s *scrubber) chain() error {
	seen := map[hostname.Name]bool{}
	for at := s.key.Name; ; {
		if seen[at] {
			return ErrLoop
		}
		if len(seen) > MaxChain {
			return ErrChain
		}
		seen[at] = true
		s.out.Chain = append(s.out.Chain, at)
		if s.take(at, s.key.Type) > 0 {
			return nil
		}
		next, ok, err := s.next(at)
		if err != nil || !ok {
			return err
		}
		at = next
	}
}

// take keeps the records of one type at a name, with their signatures.
func (s *scrubber) take(at hostname.Name, rrtype uint16) (n int) {
	for _, rr := range s.owned[at] {
		switch {
		case rr.Header().Rrtype == rrtype:
			n++
		case !s.key.DO || !signs(rr, rrtype):
			continue
		}
		s.out.Records = append(s.out.Records, rr)
		s.kept++
	}
	return n
}

// signs says whether rr is a signature over records of a type.
func signs(rr dns.RR, rrtype uint16) bool {
	sig, ok := rr.(*dns.RRSIG)
	return ok && sig.TypeCovered == rrtype
}

// next follows the CNAME at a name, or the DNAME above it. A client may follow either, so they must lead to the same name.
func (s *scrubber) next(at hostname.Name) (next hostname.Name, ok bool, err error) {
	dname, below, found, err := s.dname(at)
	if err != nil {
		return next, false, err
	}
	target, ok, err := s.cname(at)
	if err != nil {
		return next, false, err
	}
	if found {
		if ok && target != below {
			return next, false, ErrMixed
		}
		if !s.above[dname] {
			s.take(dname, dns.TypeDNAME)
		}
		s.above[dname], target = true, below
	}
	if !ok && found { // RFC 6672 section 3.1: the CNAME is made for those who do not know DNAME
		s.out.Records = append(s.out.Records, &dns.CNAME{
			Hdr:    dns.RR_Header{Name: at.String() + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: s.ttl(dname)},
			Target: below.String() + ".",
		})
	} else if ok {
		s.take(at, dns.TypeCNAME)
	}
	return target, ok || found, nil
}

func (s *scrubber) ttl(dname hostname.Name) uint32 {
	for _, rr := range s.owned[dname] {
		if d, ok := rr.(*dns.DNAME); ok {
			return d.Hdr.Ttl
		}
	}
	return 0
}

// cname finds the one target of the CNAMEs at a name. Repeated records are one; different ones contradict each other.
func (s *scrubber) cname(at hostname.Name) (target hostname.Name, ok bool, err error) {
	for _, rr := range s.owned[at] {
		c, is := rr.(*dns.CNAME)
		if !is {
			continue
		}
		n, err := hostname.FromDNS(c.Target)
		if err != nil {
			return n, false, fmt.Errorf("%w: %w", ErrName, err)
		}
		if ok && n != target {
			return n, false, ErrMixed
		}
		c.Target, target, ok = n.String()+".", n, true
	}
	return target, ok, nil
}

// dname finds a DNAME above a name and the name that it leads to (RFC 6672 section 2.2).
func (s *scrubber) dname(at hostname.Name) (owner, below hostname.Name, ok bool, err error) {
	for up, more := at.Parent(); more; up, more = up.Parent() {
		for _, rr := range s.owned[up] {
			d, is := rr.(*dns.DNAME)
			if !is {
				continue
			}
			suffix, err := nameOf(d.Target)
			if err != nil {
				return owner, below, false, fmt.Errorf("%w: %w", ErrName, err)
			}
			d.Target = suffix.String() + "."
			n, err := hostname.FromDNS(strings.TrimSuffix(at.String(), up.String()) + d.Target)
			if err != nil {
				return owner, below, false, fmt.Errorf("%w: %w", ErrName, err)
			}
			if ok && n != below {
				return owner, below, false, ErrMixed
			}
			owner, below, ok = up, n, true
		}
		if ok {
			return owner, below, true, nil
		}
	}
	return owner, below, false, nil
}

// authority keeps the SOA of a zone that the end of the chain lies in, when the answer is negative, and with DO the signed proofs
// of that zone, which positive answers from wildcards have too (RFC 4035 section 3.1.3.3).
func (s *scrubber) authority(section []dns.RR) {
	last := s.out.Chain[len(s.out.Chain)-1]
	signed := s.signed(section, last)
	for _, rr := range section {
		owner, ok := ownerOf(rr)
		if !ok {
			continue
		}
		t := rr.Header().Rrtype
		switch t {
		case dns.TypeSOA:
			ok = s.out.Negative && within(last, owner) && s.out.soa() == nil
		case dns.TypeNSEC, dns.TypeNSEC3:
			ok = signed[proof{owner, t}]
		case dns.TypeRRSIG:
			ok = signed[proof{owner, rr.(*dns.RRSIG).TypeCovered}]
		default:
			ok = false
		}
		if ok {
			s.out.Authority = append(s.out.Authority, rr)
		}
	}
}

// proof is a set of records that a signature covers.
type proof struct {
	owner   hostname.Name
	covered uint16
}

// signed lists what the authority section has signatures for, of zones that the end of the chain lies in.
func (s *scrubber) signed(section []dns.RR, last hostname.Name) map[proof]bool {
	out := map[proof]bool{}
	if !s.key.DO {
		return out
	}
	for _, rr := range section {
		sig, ok := rr.(*dns.RRSIG)
		if !ok {
			continue
		}
		owner, ok := ownerOf(rr)
		zone, err := nameOf(sig.SignerName)
		if !ok || err != nil || !within(last, zone) || !within(owner, zone) {
			continue
		}
		switch sig.TypeCovered {
		case dns.TypeNSEC, dns.TypeNSEC3:
			out[proof{owner, sig.TypeCovered}] = true
		case dns.TypeSOA:
			out[proof{owner, sig.TypeCovered}] = s.out.Negative
		}
	}
	return out
}

// answered says whether the chain ended in records of the asked type.
func (s *scrubber) answered() bool {
	for _, rr := range s.out.Records {
		if rr.Header().Rrtype == s.key.Type {
			return true
		}
	}
	return false
}

// within is hostname.Name.Within where the zero zone is the root.
func within(n, zone hostname.Name) bool { return zone.IsZero() || n.Within(zone) }

// RCode returns the name of a response code.
func RCode(code int) string {
	if s, ok := dns.RcodeToString[code]; ok {
		return s
	}
	return fmt.Sprintf("RCODE%d", code)
}
