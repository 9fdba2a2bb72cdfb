package set

import (
	"net/netip"
	"strings"

	"weir/internal/hostname"
)

// Trigger says what the Name or Prefix of an entry is compared with. The zero Trigger is what the question is about.
type Trigger uint8

// The triggers.
const (
	Target Trigger = iota // the name or address asked for, or answered
	Client                // the address of who asks (RPZ client-IP); prefixes only
	Server                // name or address of a name server of the asked zone (RPZ NSDNAME, NSIP)
)

var triggerNames = [...]string{"target", "client", "server"}

// String returns the word used in events.
func (t Trigger) String() string { return word(triggerNames[:], uint8(t)) }

// Reply is how a hit answers a DNS question. The zero Reply leaves it to list and policy.
type Reply uint8

// The replies; they are the actions of response policy zones (draft-vixie-dnsop-dns-rpz-00).
const (
	ReplyPolicy   Reply = iota // as list and policy say
	ReplyNXDOMAIN              // there is no such name
	ReplyNoData                // there is no such record
	ReplyDrop                  // no answer
	ReplyTCPOnly               // truncated over UDP, let through otherwise; needs [List.GrantAllow]
	ReplyData                  // Entry.Data; needs [List.GrantRewrite]
)

var replyNames = [...]string{"policy", "nxdomain", "nodata", "drop", "tcp-only", "data"}

// String returns the word used in events.
func (r Reply) String() string { return word(replyNames[:], uint8(r)) }

// Kinds is a set of kinds of entries; see [Set.Holds].
type Kinds uint8

// The kinds.
const (
	KindName        Kinds = 1 << iota // for [Set.Lookup]
	KindAddr                          // for [Set.LookupAddr]
	KindURL                           // for [Set.LookupURL]
	KindFingerprint                   // for [Set.LookupFingerprint]
	KindClient                        // for [Set.LookupClient]
	KindServer                        // for [Set.LookupServer]
	KindServerAddr                    // for [Set.LookupServerAddr]
)

// Entry is one line of a list: exactly one of Name, Prefix, URL and Fingerprint is set. Entries are comparable.
type Entry struct {
	Name        hostname.Name
	Prefix      netip.Prefix // masked; IPv4 unmapped
	URL         string       // canonical, without scheme and "//": host[:port, if not the default of its scheme]/path[?query]
	Fingerprint string       // JA3 (32 hex digits) or JA4 (36 octets), in lower case
	Trigger     Trigger      // what Name or Prefix is compared with
	Scope       Scope        // for names only
	Exception   bool         // adblock "@@": lets through what other entries stop
	Important   bool         // adblock "$important": beats exceptions that are not important
	Cancel      bool         // adblock "$badfilter": removes the equal entry of the same list, wherever it stands
	Reply       Reply        // for names and prefixes; ReplyPolicy for exceptions
	Data        string       // of ReplyData, at most [MaxData] octets: one record in presentation form without owner and TTL, "A 192.0.2.1"
	Types       Types        // for names and prefixes: the types of question it is about; "" for all
	Line        uint32       // in its list, from 1
}

// Limits of an entry, in octets.
const (
	// MaxURL bounds Entry.URL: servers refuse longer request lines than 8 kB.
	MaxURL = 8192
	// MaxData bounds Entry.Data: a line of a list has at most 4096 octets.
	MaxData = 4096
	// MaxTypes bounds how many types Entry.Types names.
	MaxTypes = 256
)

// Lengths of the two kinds of fingerprints.
const (
	ja3Size = 32
	ja4Size = 36 // 10 readable octets, '_', 12 hex digits, '_', 12 hex digits
)

// valid says whether the Builder takes e; a Prefix is looked at there.
func (e *Entry) valid() bool {
	if !e.oneKind() || e.Scope > Below {
		return false
	}
	plain := e.Trigger == Target && e.Reply == ReplyPolicy && e.Data == "" && e.Types == ""
	switch {
	case e.URL != "":
		return plain && validURL(e.URL)
	case e.Fingerprint != "":
		return plain && validFingerprint(e.Fingerprint)
	}
	return plain || e.validRest()
}

// validRest looks at what names and prefixes may say beside.
func (e *Entry) validRest() bool {
	if e.Trigger > Server || e.Reply > ReplyData || e.Exception && e.Reply != ReplyPolicy || e.Trigger == Client && !e.Prefix.IsValid() {
		return false
	}
	return e.validData() && e.Types.valid()
}

// oneKind says whether exactly one of Name, Prefix, URL and Fingerprint is set.
func (e *Entry) oneKind() bool {
	kinds := 0
	for _, is := range [...]bool{!e.Name.IsZero(), e.Prefix.IsValid(), e.URL != "", e.Fingerprint != ""} {
		if is {
			kinds++
		}
	}
	return kinds == 1
}

func (e *Entry) validData() bool {
	if e.Reply != ReplyData {
		return e.Data == ""
	}
	kind, rest, ok := strings.Cut(e.Data, " ")
	return ok && kind != "" && strings.TrimSpace(rest) == rest && rest != "" && len(e.Data) <= MaxData && printable(e.Data, ' ')
}

// validURL says whether a URL may be one of a list: with a host and a path, in printable ASCII without space.
func validURL(url string) bool {
	return strings.IndexByte(url, '/') > 0 && len(url) <= MaxURL && printable(url, '!')
}

// printable says whether s is ASCII from the octet low to '~'.
func printable(s string, low byte) bool {
	for i := range len(s) {
		if s[i] < low || s[i] > '~' {
			return false
		}
	}
	return true
}

func validFingerprint(fp string) bool {
	switch len(fp) {
	case ja3Size:
		return only(fp, "0123456789abcdef")
	case ja4Size:
		return only(fp[:10], "0123456789abcdefghijklmnopqrstuvwxyz") && fp[10] == '_' && only(fp[11:23], "0123456789abcdef") &&
			fp[23] == '_' && only(fp[24:], "0123456789abcdef")
	}
	return false
}

func only(s, octets string) bool { return strings.Trim(s, octets) == "" }
