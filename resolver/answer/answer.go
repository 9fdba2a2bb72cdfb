// Package answer turns what an upstream sent into what a client may see: [Scrub] keeps the records of the asked name's chain and
// nothing else, [Judge] asks the gate about every name and address in them, [Blocked] makes the answer of a block. An [Answer] is
// policy-free until it is judged, so it may be cached and shared. Layer L5.
package answer

import (
	"errors"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
)

// Limits of what is believed.
const (
	// MaxChain is how many names a chain of CNAMEs may have behind the asked one: as BIND and Unbound (11); a longer one is a loop
	// or an attack on those who follow it.
	MaxChain = 11
	// MaxRecords bounds an answer: no name in honest use has more, and every record costs a decision.
	MaxRecords = 512
)

// Errors of [Scrub]; each is wrapped with the name.
var (
	ErrLoop    = errors.New("loop of CNAMEs")
	ErrChain   = errors.New("chain of CNAMEs longer than 11")
	ErrMixed   = errors.New("contradicting CNAME or DNAME records")
	ErrTooMany = errors.New("more than 512 records")
	ErrName    = errors.New("name that cannot be judged")
	ErrRCode   = errors.New("upstream failed")
)

// Answer is the part of an upstream's answer that belongs to the question. It is immutable once it left the package that made it:
// the cache shares it between clients, and whoever needs another TTL copies the record.
type Answer struct {
	RCode     int  // dns.RcodeSuccess or dns.RcodeNameError
	AD        bool // the upstream validated it and nothing was left out
	Negative  bool // there is no record of the asked type
	Chain     []hostname.Name
	Records   []dns.RR // answer section, in the order of the chain
	Authority []dns.RR // the SOA of a negative answer; with DO its proof
	TTL       time.Duration
	Wire      int // octets of the upstream's packet
}

// Times are the bounds on how long answers are kept. The zero value keeps nothing.
type Times struct {
	Min, Max time.Duration // for every answer; Max 0 keeps none
	Negative time.Duration // for answers without records (RFC 2308 section 5); 0 keeps none
}

// settle clamps the TTLs of all records and works out how long the answer may be kept.
func (a *Answer) settle(t Times) {
	low, high := seconds(t.Min), seconds(t.Max)
	least := high
	for _, section := range [][]dns.RR{a.Records, a.Authority} {
		for _, rr := range section {
			h := rr.Header()
			if h.Ttl > 1<<31-1 { // RFC 2181 section 8
				h.Ttl = 0
			}
			h.Ttl = min(max(h.Ttl, low), high)
			least = min(least, h.Ttl)
		}
	}
	if a.Negative {
		soa := a.soa()
		if soa == nil {
			if _, cut := a.Cut(); !cut { // RFC 2308 section 5: not to be cached; but the CNAMEs of a chain may be
				least = 0
			}
			a.TTL = time.Duration(least) * time.Second
			return
		}
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl, seconds(t.Negative))
		least = min(least, soa.Hdr.Ttl)
	}
	a.TTL = time.Duration(least) * time.Second
}

func (a *Answer) soa() *dns.SOA {
	for _, rr := range a.Authority {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa
		}
	}
	return nil
}

// Zone returns the zone that the end of the chain lies in, when a negative answer says it by its SOA.
func (a *Answer) Zone() (zone hostname.Name, ok bool) {
	soa := a.soa()
	if soa == nil {
		return hostname.Name{}, false
	}
	zone, err := nameOf(soa.Hdr.Name)
	return zone, err == nil && !zone.IsZero()
}

func seconds(d time.Duration) uint32 { return uint32(min(max(d/time.Second, 0), 1<<31-1)) }
