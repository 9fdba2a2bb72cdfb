package e2e_test

import (
	"maps"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// zone is an authoritative world for tests: every name has the address 127.0.0.1 and nothing else, unless it is listed.
type zone struct {
	addr    string
	records map[string][]string // by name with the final dot: records in zone file form; nil: NXDOMAIN. Under mu once it is asked
	// mute says what is not answered; nil: nothing. Guarded by mu.
	mute func(name string, qtype uint16) bool

	mu   sync.Mutex
	seen map[string]int // also guarded by mu: how often a name was asked for
}

// newZone starts a name server over UDP and TCP.
func newZone(t testing.TB, records map[string][]string) *zone {
	t.Helper()
	z := &zone{records: maps.Clone(records), seen: map[string]int{}, addr: freePort(t, ownAddress())}
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: z.addr, Net: network, Handler: z, NotifyStartedFunc: func() { close(started) }}
		ended := make(chan error, 1)
		go func() { ended <- s.ListenAndServe() }()
		select {
		case <-started:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return z
}

// ServeDNS answers one query.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable = true
	name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	z.mu.Lock()
	z.seen[name]++
	mute := z.mute != nil && z.mute(name, qtype)
	if !mute {
		z.answer(r, name, qtype)
	}
	z.mu.Unlock()
	if mute {
		return
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		r.Truncate(size)
	}
	_ = w.WriteMsg(r)
}

func (z *zone) answer(r *dns.Msg, name string, qtype uint16) {
	records, listed := z.records[name]
	if !listed {
		records = []string{name + " 60 IN A 127.0.0.1"}
	}
	if listed && records == nil {
		r.Rcode = dns.RcodeNameError
	}
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			r.Rcode = dns.RcodeServerFailure
			return
		}
		if rr.Header().Rrtype == qtype || rr.Header().Rrtype == dns.TypeCNAME {
			r.Answer = append(r.Answer, rr)
		}
		if c, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
			z.answer(r, strings.ToLower(c.Target), qtype)
		}
	}
	if len(r.Answer) == 0 {
		soa, _ := dns.NewRR(z.apex(name) + " 60 IN SOA ns.test. admin.test. 1 3600 600 86400 60")
		r.Ns = []dns.RR{soa}
	}
}

// apex is the zone of a name: the closest one with an NS record, else test.
func (z *zone) apex(name string) string {
	for n := name; n != "test." && n != "."; {
		for _, text := range z.records[n] {
			if strings.Contains(text, " NS ") {
				return n
			}
		}
		i, end := dns.NextLabel(n, 0)
		if end {
			break
		}
		n = n[i:]
	}
	return "test."
}

// asked says how often a name was asked for.
func (z *zone) asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.seen[dns.Fqdn(name)]
}
