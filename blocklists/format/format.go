// Package format reads the text of block lists of every kind that people publish. A line that cannot be applied in full is
// skipped, counted by reason and reported; it is never applied in part, and never costs another line. No I/O but the reader it
// is given.
//
// What a line covers; docs/lists.md says it at length, with what differs from the programs whose formats these are:
//
//	hosts      0.0.0.0 x       x alone (hosts files know no subdomains)
//	           192.0.2.1 x     x alone, answered with this address
//	domains    x               x and everything below, as proxies, Umbrella and malware lists mean it
//	wildcard   *.x  .x         x and everything below (hagezi, dnscrypt-proxy, dnsmasq publish one list in both spellings)
//	           =x              x alone (dnscrypt-proxy)
//	           http://x/y x/y  that URL and what is below it
//	           x:8080 a:8080   what x, or the address, serves at that port, whatever the protocol
//	adblock    ||x^ ||x ||x/   x and everything below      @@... an exception
//	           |x^ ://x^ //x^  x alone
//	           ||*.x^  .x^     only what is below x
//	           ||x/y           that URL and what is below it
//	           ||x:8080^       what x serves at that port
//	           x               as in domains; "0.0.0.0 x" as in hosts
//	           $important $badfilter $dnstype=A|AAAA $dnsrewrite=...; a rule with any other modifier is skipped
//	addresses  a  a/n          the address, the prefix
//	           a:8080          what it serves at that port
//	dnsmasq    address=/x/ address=/x/#  address=/x/0.0.0.0  server=/x/  local=/x/   x and everything below
//	           address=/x/192.0.2.1      x and everything below, answered with this address; cname=x,y x alone
//	           server=/x/#     an exception: asked upstream whatever a wider line says
//	unbound    local-zone: x always_nxdomain (and its kin)   x and everything below
//	           local-zone: x transparent (and its kin)       an exception
//	           local-data: "x A 0.0.0.0"                     x alone; other records answer
//	bind       zone "x" { type master; ... };                x and everything below (named.conf)
//	rpz        every trigger (x, *.x, rpz-ip, rpz-client-ip, rpz-nsdname, rpz-nsip) and every action (NXDOMAIN, NODATA,
//	           PASSTHRU, DROP, TCP-only, records) of draft-vixie-dnsop-dns-rpz-00
//	dnscrypt-names      x *.x =x  as in domains and wildcard
//	dnscrypt-addresses  a a.b.*   the address, the prefix a.b.0.0/16
//	tpl        -d x            x and everything below      +d x an exception (Internet Explorer tracking protection list)
//	           -d x /y         that URL and what is below it
//	csv, json  a column        as in domains, urls or fingerprints
//	urls       http://x/y      that URL and what is below it; http://x/ is x alone
//	fingerprints  a JA3 or JA4 at the beginning of the line
//
// A name that is an IPv4 address in any spelling that a URL parser accepts becomes an address entry. An entry that would cover
// a whole public suffix of the ICANN section ("com", "co.uk"), or a lone label, is refused. An address that leads nowhere blocks;
// what answers with anything else needs a grant, which is asked by [set.Builder].
//
// A list may come compressed by gzip or zstd; its first octets say so. Lines are UTF-8; names may be U-labels or A-labels.
package format

import (
	"errors"
	"fmt"

	"weir/blocklists/set"
)

// Entry is what a line becomes.
type Entry = set.Entry

// Format is the grammar of a list. The zero Format is Auto.
type Format uint8

// The formats.
const (
	Auto              Format = iota // decided from the first lines
	Hosts                           // address and names per line
	Domains                         // one name per line
	Wildcard                        // one *.name per line
	Adblock                         // adblock and AdGuard DNS rules
	Addresses                       // addresses and prefixes
	Dnsmasq                         // dnsmasq.conf: address=, server=, local=
	Unbound                         // unbound.conf: local-zone, local-data
	Bind                            // named.conf: zone statements
	RPZ                             // response policy zone, as a zone file (RFC 1035 section 5)
	DNSCryptNames                   // dnscrypt-proxy blocked-names
	DNSCryptAddresses               // dnscrypt-proxy blocked-ips
	TPL                             // Internet Explorer tracking protection list
	CSV                             // one column of a table
	JSON                            // one member of objects, or an array of texts; MISP warning lists
	URLs                            // one URL per line, as URLhaus publishes them
	Fingerprints                    // JA3 or JA4 at the beginning of each line
)

var formatNames = [...]string{
	"auto", "hosts", "domains", "wildcard", "adblock", "addresses", "dnsmasq", "unbound", "bind", "rpz", "dnscrypt-names",
	"dnscrypt-addresses", "tpl", "csv", "json", "urls", "fingerprints",
}

// String returns the word used in configuration.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("invalid(%d)", uint8(f))
}

// Nearest says whether, in a list of this format, only the entry nearest to a name or address counts, before exceptions are
// weighed: so do DNS servers look up zones and rules. Elsewhere all entries that cover a name speak. It is for
// [set.Builder.SetNearest].
func (f Format) Nearest() bool {
	return f == RPZ || f == Unbound || f == Dnsmasq || f == Bind
}

// ParseFormat reads a word of [Format.String]; the empty text is Auto.
func ParseFormat(text string) (Format, error) {
	if text == "" {
		return Auto, nil
	}
	for i, n := range formatNames {
		if n == text {
			return Format(i), nil
		}
	}
	return Auto, fmt.Errorf("unknown list format %q: want one of %q", text, formatNames)
}

// Reason says why a line, or one name of it, was skipped. The set is closed, so it may label a metric.
type Reason string

// The reasons.
const (
	ReasonTooLong      Reason = "line-too-long"   // longer than [MaxLine]
	ReasonName         Reason = "invalid-name"    // not a name, not an address
	ReasonAddress      Reason = "invalid-address" // neither address nor prefix, or host bits that make no sense
	ReasonTooBroad     Reason = "too-broad"       // a prefix wider than [MinBits4] or [MinBits6]
	ReasonPublicSuffix Reason = "public-suffix"   // would cover a whole registry
	ReasonLocal        Reason = "local-name"      // localhost and its kin in hosts files
	ReasonRewrite      Reason = "rewrite"         // points a name at another server, or at what only the other program knows
	ReasonTrailing     Reason = "trailing-text"   // more than one word where one belongs
	ReasonCosmetic     Reason = "cosmetic"        // hides page elements: not ours
	ReasonPath         Reason = "url"             // a part of a URL that URL entries cannot express
	ReasonRegex        Reason = "regex"           // a regular expression
	ReasonPattern      Reason = "pattern"         // a wildcard or an open end that names cannot express
	ReasonModifier     Reason = "modifier"        // a modifier that we do not apply in full
	ReasonSyntax       Reason = "syntax"          // does not follow the grammar of its format
	ReasonSetting      Reason = "setting"         // a setting of the program whose configuration this is: no rule
	ReasonInclude      Reason = "include"         // names another file, which is not read
	ReasonView         Reason = "view"            // a rule for some clients only
	ReasonZoneType     Reason = "zone-type"       // a zone that neither blocks nor lets through
	ReasonSchedule     Reason = "schedule"        // a rule for some hours only
	ReasonOutOfZone    Reason = "out-of-zone"     // an owner name that does not lie in its zone
	ReasonRecord       Reason = "record-type"     // a record that makes or signs a zone: no rule
	ReasonURLPath      Reason = "url-path"        // a URL that no request can have
	ReasonShadowed     Reason = "shadowed"        // another line of the list leaves it without effect
)

// Diagnostic reports one skipped line, or one name of it.
type Diagnostic struct {
	File   string // set by the caller of [Parse]
	Line   uint32
	Text   string // what was skipped: escaped to printable ASCII, at most [maxText] octets of it
	Reason Reason
}

// String returns "file:line: reason: text".
func (d Diagnostic) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", d.File, d.Line, d.Reason, d.Text)
}

// Summary counts what a list held.
type Summary struct {
	Format    Format // as given, or as detected
	Lines     int
	Bytes     int64
	Names     int // entries emitted that carry a name
	Addresses int // entries emitted that carry an address or a prefix
	URLs      int // entries emitted that carry a URL
	// Fingerprints counts the entries emitted that carry one.
	Fingerprints int
	Exceptions   int // how many of all are exceptions
	Cancels      int // how many of all are badfilter rules
	Skipped      map[Reason]int
}

// Entries is the number of emitted entries that can match anything.
func (s Summary) Entries() int { return s.emitted() - s.Cancels }

func (s Summary) emitted() int { return s.Names + s.Addresses + s.URLs + s.Fingerprints }

// Limits bound what one list may cost. A zero field means its default.
type Limits struct {
	Bytes   int64 // default 256 MiB: the largest published lists have about 100
	Lines   int   // default 20 million
	Entries int   // default 10 million
}

// Defaults of [Limits] and fixed limits of the grammar.
const (
	DefaultBytes   = 256 << 20
	DefaultLines   = 20_000_000
	DefaultEntries = 10_000_000
	// MaxLine is the longest line read, in octets: sixteen names of full length.
	MaxLine = 4096
	// MinBits4 and MinBits6 are the widest prefixes a list may hold; bogon lists go up to 224.0.0.0/4 and 2000::/3 is
	// the whole internet.
	MinBits4 = 4
	MinBits6 = 8
	// maxText keeps diagnostics short.
	maxText = 160
)

// Errors of [Parse]. After an error the entries emitted so far are part of a broken list: discard them.
var (
	ErrLimit    = errors.New("list exceeds a limit")
	ErrNotAList = errors.New("not a list: looks like a web page or the error of a server")
	ErrUnknown  = errors.New("list format not recognised")
	ErrColumn   = errors.New("no column to read names from")
	ErrSyntax   = errors.New("list is broken")
	ErrEncoding = errors.New("list is not UTF-8")
)

// Options say how to read a list. The zero Options detect the format and use the default limits.
type Options struct {
	Format Format
	// Column is the column of a CSV list (its name in the header, or its number from 1 when there is no header), or the key
	// of a JSON list, without regard to case. "" takes the first that has a usual name: url, domain, host, ip and the like.
	Column string
	Limits Limits
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = DefaultBytes
	}
	if l.Lines == 0 {
		l.Lines = DefaultLines
	}
	if l.Entries == 0 {
		l.Entries = DefaultEntries
	}
	return l
}
