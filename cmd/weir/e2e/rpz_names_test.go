package e2e_test

import (
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// The addresses of the name servers, which NSIP rules name and which therefore do not change. The port does.
const (
	rootServer = "127.10.0.1"
	hostServer = "127.10.0.2" // all zones that are not about their name servers
	recursive  = "127.10.0.9" // answers for all zones and follows CNAMEs: what a forwarder asks
	sixServer  = "::1"
)

// nameZone is one zone and who serves it.
type nameZone struct {
	apex, server, addr string
	rrs                map[string][]dns.RR // by lower-case owner
}

// internet is a root, zones below it and their servers on loopback, all at one port.
type internet struct {
	zones map[string]*nameZone // by apex
	port  string
}

// newInternet makes an empty internet with its root zone and the zone of the ordinary name server.
func newInternet(t testing.TB) *internet {
	t.Helper()
	n := &internet{zones: map[string]*nameZone{}}
	n.zone(t, "test.", "ns.host.test.", rootServer, "")
	n.zone(t, "host.test.", "ns.host.test.", hostServer, "ns A "+hostServer)
	return n
}

// zone adds a zone with its one name server. text holds records relative to the apex, one on each line.
func (n *internet) zone(t testing.TB, apex, server, addr, text string) {
	t.Helper()
	z := &nameZone{apex: apex, server: server, addr: addr, rrs: map[string][]dns.RR{}}
	n.zones[apex] = z
	all := "$ORIGIN " + apex + "\n$TTL 300\n@ SOA " + server + " root." + server + " 1 3600 1200 604800 60\n@ NS " + server + "\n" + text + "\n"
	p := dns.NewZoneParser(strings.NewReader(all), "", apex)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		owner := strings.ToLower(rr.Header().Name)
		z.rrs[owner] = append(z.rrs[owner], rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("zone %s: %v", apex, err)
	}
}

// addrs lists the addresses that something listens on.
func (n *internet) addrs() []string {
	out := map[string]bool{recursive: true}
	for _, z := range n.zones {
		out[z.addr] = true
	}
	return slices.Sorted(maps.Keys(out))
}

// serve starts a server on each address, all at one port.
func (n *internet) serve(t testing.TB) {
	t.Helper()
	for range 50 {
		_, port, _ := net.SplitHostPort(freePort(t, rootServer))
		if n.tryServe(t, port) {
			n.port = port
			return
		}
	}
	t.Fatal("no port is free on all addresses of the name servers")
}

func (n *internet) tryServe(t testing.TB, port string) bool {
	t.Helper()
	var servers []*dns.Server
	closeAll := func() {
		for _, s := range servers {
			_ = s.Listener.Close()
			_ = s.PacketConn.Close()
		}
	}
	for _, addr := range n.addrs() {
		at := net.JoinHostPort(addr, port)
		l, err := net.Listen("tcp", at)
		if err != nil {
			closeAll()
			return false
		}
		p, err := net.ListenPacket("udp", at)
		if err != nil {
			_ = l.Close()
			closeAll()
			return false
		}
		servers = append(servers, &dns.Server{Listener: l, PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { n.answer(w, q, addr) })})
	}
	for _, both := range servers {
		for _, s := range []*dns.Server{{Listener: both.Listener, Handler: both.Handler}, {PacketConn: both.PacketConn, Handler: both.Handler}} {
			started, ended := make(chan struct{}), make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go func() { defer close(ended); _ = s.ActivateAndServe() }()
			<-started
			t.Cleanup(func() { _ = s.Shutdown(); <-ended })
		}
	}
	return true
}

// answer answers as the server at addr.
func (n *internet) answer(w dns.ResponseWriter, q *dns.Msg, addr string) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = addr == recursive
	n.fill(m, addr, q.Question[0].Name, q.Question[0].Qtype)
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	m.Compress = true
	_ = w.WriteMsg(m)
}

// fill follows a name through the zones that addr serves.
func (n *internet) fill(m *dns.Msg, addr, name string, qtype uint16) {
	for range 16 {
		z := n.find(addr, name)
		switch {
		case z == nil && len(m.Answer) == 0:
			m.Rcode = dns.RcodeRefused
			return
		case z == nil:
			return
		}
		if z.apex == "test." && name != "test." {
			if n.refer(m, name) {
				return
			}
		}
		m.Authoritative = true
		next := z.lookup(m, name, qtype)
		if next == "" {
			return
		}
		name = next
	}
}

// find returns the deepest zone above a name that addr serves.
func (n *internet) find(addr, name string) (found *nameZone) {
	for _, z := range n.zones {
		if (addr == recursive || z.addr == addr) && dns.IsSubDomain(z.apex, strings.ToLower(name)) && (found == nil || len(z.apex) > len(found.apex)) {
			found = z
		}
	}
	return found
}

// refer answers with the delegation of a name that lies in another zone than the top.
func (n *internet) refer(m *dns.Msg, name string) bool {
	z := n.find(recursive, name)
	if z == nil || z.apex == "test." {
		return false
	}
	m.Ns = append(m.Ns, &dns.NS{Hdr: dns.RR_Header{Name: z.apex, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 300}, Ns: z.server})
	hdr := dns.RR_Header{Name: z.server, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}
	if ip := net.ParseIP(z.addr); ip.To4() != nil {
		m.Extra = append(m.Extra, &dns.A{Hdr: hdr, A: ip})
	} else {
		hdr.Rrtype = dns.TypeAAAA
		m.Extra = append(m.Extra, &dns.AAAA{Hdr: hdr, AAAA: ip})
	}
	return true
}

// lookup adds what a zone says of a name, and returns where a CNAME or DNAME leads to.
func (z *nameZone) lookup(m *dns.Msg, name string, qtype uint16) (next string) {
	owner := strings.ToLower(name)
	if next, ok := z.redirected(m, name, owner); ok {
		return next
	}
	here, exists := z.rrs[owner]
	if !exists && !z.above(owner) {
		for up := owner; !exists && up != z.apex; {
			_, up, _ = strings.Cut(up, ".")
			here, exists = z.rrs["*."+up]
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
	}
	found := false
	for _, rr := range here {
		if t := rr.Header().Rrtype; t == qtype || t == dns.TypeCNAME {
			c := dns.Copy(rr)
			c.Header().Name = name
			m.Answer = append(m.Answer, c)
			found = true
			if cname, ok := c.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
				next = cname.Target
			}
		}
	}
	if !found {
		for _, rr := range z.rrs[z.apex] {
			if rr.Header().Rrtype == dns.TypeSOA {
				m.Ns = append(m.Ns, rr)
			}
		}
	}
	return next
}

// redirected answers from a DNAME above a name.
func (z *nameZone) redirected(m *dns.Msg, name, owner string) (next string, ok bool) {
	for _, up := range slices.Sorted(maps.Keys(z.rrs)) {
		for _, rr := range z.rrs[up] {
			d, is := rr.(*dns.DNAME)
			if !is || owner == up || !dns.IsSubDomain(up, owner) {
				continue
			}
			next = name[:len(name)-len(up)] + d.Target
			m.Answer = append(m.Answer, d, &dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: d.Hdr.Ttl}, Target: next})
			return next, true
		}
	}
	return "", false
}

// above says whether there is a name below owner: then owner exists, without records (RFC 4592 section 2.2.2).
func (z *nameZone) above(owner string) bool {
	for o := range z.rrs {
		if strings.HasSuffix(o, "."+owner) {
			return true
		}
	}
	return false
}

// at is addr with the port of all name servers.
func (n *internet) at(addr string) string { return net.JoinHostPort(addr, n.port) }
