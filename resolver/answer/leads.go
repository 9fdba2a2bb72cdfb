package answer

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"weir/internal/verdict"
)

// leadsTo returns the names that a client goes to because of a record; none for most types. The MNAME and RNAME of an SOA are none:
// no client goes there, and every negative answer has one.
func leadsTo(rr dns.RR) (verdict.Place, []string) {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return verdict.PlaceCNAME, []string{rr.Target}
	case *dns.DNAME:
		return verdict.PlaceCNAME, []string{rr.Target}
	case *dns.HIP: // RFC 8005 section 5
		return verdict.PlaceTarget, rr.RendezvousServers
	case *dns.IPSECKEY:
		return verdict.PlaceTarget, []string{rr.GatewayHost}
	case *dns.AMTRELAY:
		return verdict.PlaceTarget, []string{rr.GatewayHost}
	}
	if name := service(rr); name != "" {
		return verdict.PlaceTarget, []string{name}
	}
	if name := host(rr); name != "" {
		return verdict.PlaceTarget, []string{name}
	}
	return verdict.PlaceNone, nil
}

// service returns the target of a record that says where a service is.
func service(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.SVCB:
		return rr.Target
	case *dns.HTTPS:
		return rr.Target
	case *dns.MX:
		return rr.Mx
	case *dns.SRV:
		return rr.Target
	case *dns.NS:
		return rr.Ns
	case *dns.NAPTR:
		return rr.Replacement
	}
	return ""
}

// host returns the target of a record that says which host goes with a name.
func host(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.PTR:
		return rr.Ptr
	case *dns.AFSDB: // RFC 1183 section 1
		return rr.Hostname
	case *dns.KX: // RFC 2230
		return rr.Exchanger
	case *dns.LP: // RFC 6742 section 2.4
		return rr.Fqdn
	case *dns.RT: // RFC 1183 section 3.3
		return rr.Host
	case *dns.MB: // RFC 1035 section 3.3: mail before MX
		return rr.Mb
	case *dns.MD:
		return rr.Md
	case *dns.MF:
		return rr.Mf
	}
	return ""
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
	case *dns.L32:
		return appendIP(nil, rr.Locator32.To4())
	case *dns.APL:
		return prefixes(rr)
	case *dns.IPSECKEY:
		return gateway(rr.GatewayType, rr.GatewayAddr)
	case *dns.AMTRELAY:
		return gateway(rr.GatewayType&0x7f, rr.GatewayAddr) // above it is the D bit (RFC 8777 section 4.2.2); with it the library reads no address, which is refused
	}
	return nil
}

// gateway is the address of an IPSECKEY (RFC 4025 section 2.3) or AMTRELAY (RFC 8777 section 4.2.3), which share their types.
func gateway(kind uint8, ip []byte) []netip.Addr {
	switch kind {
	case dns.IPSECGatewayIPv4, dns.IPSECGatewayIPv6:
		return appendIP(nil, ip)
	}
	return nil
}

func prefixes(rr *dns.APL) (out []netip.Addr) {
	for _, p := range rr.Prefixes {
		out = appendIP(out, p.Network.IP)
	}
	return out
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

// locator returns the URI of a record that holds one.
func locator(rr dns.RR) (uri string, ok bool) {
	switch rr := rr.(type) {
	case *dns.URI: // RFC 7553
		return rr.Target, true
	case *dns.NAPTR:
		return substitution(rr.Regexp)
	}
	return "", false
}

// substitution returns the URI that the expression of a NAPTR makes (RFC 3402 section 3.2), with an x for each part of the asked name
// that comes into it. One that is no URI is the client's own affair.
func substitution(expression string) (uri string, ok bool) {
	if expression == "" {
		return "", false
	}
	parts := strings.Split(expression[1:], expression[:1])
	if len(parts) < 2 {
		return "", false
	}
	uri = parts[1]
	for digit := range 10 {
		uri = strings.ReplaceAll(uri, `\\`+strconv.Itoa(digit), "x")
	}
	_, ok = hostOf(uri)
	return uri, ok
}

// hostOf returns the host of a URI, "" when it has none; ok is false for what is no URI.
func hostOf(uri string) (host string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", false
	}
	if u.Opaque == "" {
		return u.Hostname(), true
	}
	if at := strings.LastIndexByte(u.Opaque, '@'); at >= 0 { // sip:a@b, mailto:a@b
		host = u.Opaque[at+1:]
	} else if bare(u.Scheme) {
		host = u.Opaque
	}
	if end := strings.IndexAny(host, "/;?"); end >= 0 {
		host = host[:end]
	}
	if u, err = url.Parse("//" + host); err != nil { // for a port
		return "", false
	}
	return u.Hostname(), true
}

// bare says whether a host follows the scheme at once: RFC 3261 section 19.1, RFC 7064, RFC 7065; and browsers forgive those of the
// web their missing slashes.
func bare(scheme string) bool {
	switch scheme {
	case "sip", "sips", "stun", "stuns", "turn", "turns", "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}
