package config

import (
	"fmt"
	"strconv"
	"strings"
)

// QType is a DNS query type by number.
type QType uint16

// qtypeNames holds the mnemonics of the IANA registry that are seen on the wire today; others are written TYPE123.
func qtypeNames() map[string]QType {
	return map[string]QType{
		"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18,
		"SIG": 24, "KEY": 25, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "CERT": 37, "DNAME": 39, "APL": 42, "DS": 43,
		"SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51,
		"TLSA": 52, "SMIMEA": 53, "HIP": 55, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64,
		"HTTPS": 65, "SPF": 99, "EUI48": 108, "EUI64": 109, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "ANY": 255,
		"URI": 256, "CAA": 257,
	}
}

// UnmarshalText implements [encoding.TextUnmarshaler]: a mnemonic or TYPE123, in any letter case.
func (q *QType) UnmarshalText(text []byte) error {
	s, names := strings.ToUpper(string(text)), qtypeNames()
	if v, ok := names[s]; ok {
		*q = v
		return nil
	}
	if digits, ok := strings.CutPrefix(s, "TYPE"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil && n > 0 {
			*q = QType(n)
			return nil
		}
	}
	known := make([]string, 0, len(names))
	for name := range names {
		known = append(known, name)
	}
	if s := closest(s, known); s != "" {
		return fmt.Errorf("unknown query type %q (did you mean %q?)", text, s)
	}
	return fmt.Errorf("unknown query type %q: write a mnemonic such as TXT, or TYPE123", text)
}

// String returns the mnemonic, or TYPE123 (RFC 3597 section 5).
func (q QType) String() string {
	for name, v := range qtypeNames() {
		if v == q {
			return name
		}
	}
	return "TYPE" + strconv.Itoa(int(q))
}

// MarshalText implements [encoding.TextMarshaler].
func (q QType) MarshalText() ([]byte, error) { return []byte(q.String()), nil }
