package format

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// recordData returns one record as [set.Entry.Data] holds it: type and value in the one spelling of the DNS library, without
// owner and TTL. Names that are relative count from origin ("." for the root). What the library cannot read, or not put on the
// wire, is no record.
func recordData(kind, rdata, origin string) (string, Reason) {
	if ofZone(kind) {
		return "", ReasonRecord
	}
	data, ok := canonicalRecord(kind, rdata, origin)
	if !ok {
		return "", ReasonSyntax
	}
	// What we print must be read again as the same record, by us and by whoever answers with it.
	if again, ok := canonicalRecord(kind, data[len(kind)+1:], "."); !ok || again != data {
		return "", ReasonSyntax
	}
	if len(data) > set.MaxData {
		return "", ReasonTooLong
	}
	return data, ""
}

// ofZone knows the types that make a zone or sign one: nothing that a list could answer with. A DNAME speaks of names that the
// entry does not cover.
func ofZone(kind string) bool {
	switch kind {
	case "NS", "SOA", "DNAME", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "DS", "CDS", "CDNSKEY", "ZONEMD":
		return true
	}
	return false
}

// maxWire is what a record may take on the wire: a packet less its header.
const maxWire = 65535 - 12

func canonicalRecord(kind, rdata, origin string) (string, bool) {
	if _, known := dns.StringToType[kind]; !known || strings.ContainsAny(rdata, "\n\r") {
		return "", false
	}
	z := dns.NewZoneParser(strings.NewReader(". 0 IN "+kind+" "+rdata+"\n"), origin, "")
	rr, ok := z.Next()
	if !ok || z.Err() != nil || dns.TypeToString[rr.Header().Rrtype] != kind {
		return "", false
	}
	wire := make([]byte, min(maxWire, 2*dns.Len(rr)+64))
	if _, err := dns.PackRR(rr, wire, 0, nil, false); err != nil {
		return "", false
	}
	value := strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String()))
	if value == "" || strings.Trim(value, printableSet) != "" {
		return "", false
	}
	return kind + " " + value, true
}

// printableSet is what a record may be written in: RFC 1035 section 5.1 has escapes for everything else.
const printableSet = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// addressData returns the A or AAAA record of an address, and its type.
func addressData(a netip.Addr) (data string, qtype uint16) {
	if a.Is4() {
		return "A " + a.String(), dns.TypeA
	}
	return "AAAA " + a.String(), dns.TypeAAAA
}

// dataEntry is what answers with the record of an address.
func dataEntry(a netip.Addr) Entry {
	data, _ := addressData(a)
	return Entry{Reply: set.ReplyData, Data: data}
}

// plainName undoes the escapes of zone files (RFC 1035 section 5.1) as far as a name has another spelling. What is no name stays
// as it is, for [target] to say so.
func plainName(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	n, err := hostname.FromDNS(text)
	if err != nil {
		return text
	}
	return n.String()
}

// pointerName is the name under which the DNS keeps what an address is called (RFC 1035 section 3.5, RFC 3596 section 2.5).
func pointerName(a netip.Addr) string {
	name, err := dns.ReverseAddr(a.Unmap().WithZone("").String())
	if err != nil { // cannot be: it is an address
		return ""
	}
	return strings.TrimSuffix(name, ".")
}

// cutNumber reads a 16-bit number behind a word.
func cutNumber(text, word string) (uint16, bool) {
	digits, ok := strings.CutPrefix(text, word)
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), ok && err == nil && digits[0] != '+'
}
