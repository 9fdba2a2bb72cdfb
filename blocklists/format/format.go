// Package format reads the text of block lists: hosts files, plain domains, wildcards, adblock DNS rules and addresses. A line
// that cannot be applied in full is skipped, counted by reason and reported; it is never applied in part, and never costs
// another line. No I/O but the reader it is given.
//
// What a line covers:
//
//	hosts      0.0.0.0 x       x alone (hosts files know no subdomains)
//	domains    x               x and everything below, as proxies, Umbrella and malware lists mean it
//	wildcard   *.x  .x         x and everything below (hagezi, dnscrypt-proxy, dnsmasq publish one list in both spellings)
//	           =x              x alone (dnscrypt-proxy)
//	adblock    ||x^ ||x ||x/   x and everything below      @@... an exception
//	           |x^ ://x^ //x^  x alone
//	           ||*.x^  .x^     only what is below x
//	           x               as in domains; "0.0.0.0 x" as in hosts
//	addresses  a  a/n          the address, the prefix
//
// A name that is an IPv4 address in any spelling that a URL parser accepts becomes an address entry. An entry that would cover
// a whole public suffix of the ICANN section ("com", "co.uk"), or a lone label, is refused.
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
	Auto      Format = iota // decided from the first lines
	Hosts                   // address and names per line
	Domains                 // one name per line
	Wildcard                // one *.name per line
	Adblock                 // adblock and AdGuard DNS rules
	Addresses               // addresses and prefixes
)

var formatNames = [...]string{"auto", "hosts", "domains", "wildcard", "adblock", "addresses"}

// String returns the word used in configuration.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("invalid(%d)", uint8(f))
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
	ReasonRewrite      Reason = "rewrite"         // a hosts line that points a name at a real address
	ReasonTrailing     Reason = "trailing-text"   // more than one word where one belongs
	ReasonCosmetic     Reason = "cosmetic"        // hides page elements: not ours
	ReasonPath         Reason = "url"             // needs scheme, port, path or query
	ReasonRegex        Reason = "regex"           // a regular expression
	ReasonPattern      Reason = "pattern"         // a wildcard or an open end that names cannot express
	ReasonModifier     Reason = "modifier"        // a modifier that we do not apply in full
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
	Format     Format // as given, or as detected
	Lines      int
	Bytes      int64
	Names      int // entries emitted that carry a name
	Addresses  int // entries emitted that carry an address
	Exceptions int // how many of both are exceptions
	Cancels    int // how many of both are badfilter rules
	Skipped    map[Reason]int
}

// Entries is the number of emitted entries that can match anything.
func (s Summary) Entries() int { return s.Names + s.Addresses - s.Cancels }

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
	ErrNotAList = errors.New("not a list: looks like a web page")
	ErrUnknown  = errors.New("list format not recognised")
)

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
