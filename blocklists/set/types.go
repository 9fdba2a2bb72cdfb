// Package set holds the immutable snapshot of all lists and the types it speaks in. See package blocklists, which is the
// front door. Its only I/O is to save a snapshot and to open it again, through package mapped. No clock; safe for use by many goroutines.
package set

import (
	"fmt"
	"net/netip"
	"time"

	"weir/internal/hostname"
)

// Class is what it means to stand on a list. The zero Class is bad: a list whose class was forgotten blocks.
type Class uint8

// The classes, worst first.
const (
	ClassBad       Class = iota // command and control, malware, phishing: blocked by default
	ClassUntrusted              // dynamic DNS, look-up services, resolvers that bypass ours: policy decides
	ClassShared                 // services where any customer can write: reputation belongs to the tenant, not the name
	ClassKnown                  // popular or vetted names
)

var classNames = [...]string{"bad", "untrusted", "shared", "known"}

// Action is what a list does on its own, before its class is asked. The zero Action leaves it to the class.
type Action uint8

// The actions.
const (
	ActionByClass Action = iota // the class decides
	ActionBlock                 // block whatever the class
	ActionLog                   // let through and record
	ActionAllow                 // allow; needs [List.GrantAllow]
)

var actionNames = [...]string{"class", "block", "log", "allow"}

// Scope says which names an entry covers, seen from the name it carries. The zero Scope is the widest.
type Scope uint8

// The scopes.
const (
	Suffix Scope = iota // the name and everything below
	Exact               // the name alone
	Below               // only what is below
)

var scopeNames = [...]string{"suffix", "exact", "below"}

// String returns the word used in configuration and events.
func (c Class) String() string { return word(classNames[:], uint8(c)) }

// String returns the word used in configuration and events.
func (a Action) String() string { return word(actionNames[:], uint8(a)) }

// String returns the word used in events.
func (s Scope) String() string { return word(scopeNames[:], uint8(s)) }

func word(words []string, i uint8) string {
	if int(i) < len(words) {
		return words[i]
	}
	return fmt.Sprintf("invalid(%d)", i)
}

// ParseClass reads "bad", "untrusted", "shared" or "known".
func ParseClass(text string) (Class, error) {
	i, err := find(classNames[:], text, "class")
	return Class(i), err
}

// ParseAction reads "class", "block", "log" or "allow".
func ParseAction(text string) (Action, error) {
	i, err := find(actionNames[:], text, "action")
	return Action(i), err
}

func find(words []string, text, kind string) (int, error) {
	for i, w := range words {
		if w == text {
			return i, nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q: want one of %q", kind, text, words)
}

// List is what is known of one list. It is copied into the [Set].
type List struct {
	Name       string    // unique in the configuration
	Class      Class     // what standing on it means
	Category   string    // free word for rules and events: "c2", "dynamic-dns"
	Action     Action    // overrides what the class does
	Priority   int       // an exception beats blocks of equal or lower priority
	Groups     []string  // groups of clients it applies to; empty means all
	GrantAllow bool      // exceptions and ActionAllow are honoured; without it a list can only block
	Source     string    // file or URL, for people
	Updated    time.Time // when its content was last seen to be current
	Hash       string    // SHA-256 of its text in hex
}

// Entry is one line of a list: exactly one of Name and Prefix is set.
type Entry struct {
	Name      hostname.Name
	Prefix    netip.Prefix // masked; IPv4 unmapped
	Scope     Scope        // for names only
	Exception bool         // adblock "@@": lets through what other entries stop
	Important bool         // adblock "$important": beats exceptions that are not important
	Cancel    bool         // adblock "$badfilter": removes the equal entry of the same list, wherever it stands
	Line      uint32       // in its list, from 1
}

// String returns the canonical text of the entry, as an adblock rule: ||x^ (x and below), |x^ (x alone), ||*.x^ (only below),
// an address or prefix bare. [format.Parse] of it as adblock gives the entry again.
func (e Entry) String() string {
	text := ""
	if e.Exception {
		text = "@@"
	}
	switch {
	case e.Prefix.IsValid() && e.Prefix.IsSingleIP():
		text += e.Prefix.Addr().String()
	case e.Prefix.IsValid():
		text += e.Prefix.String()
	case e.Scope == Exact:
		text += "|" + e.Name.String() + "^"
	case e.Scope == Below:
		text += "||*." + e.Name.String() + "^"
	default:
		text += "||" + e.Name.String() + "^"
	}
	switch {
	case e.Important && e.Cancel:
		text += "$important,badfilter"
	case e.Important:
		text += "$important"
	case e.Cancel:
		text += "$badfilter"
	}
	return text
}

// Match says that one entry of one list covers the name or address asked for. It is a value without pointers; the [Set] that
// gave it turns it into text.
type Match struct {
	Entry     uint32 // for [Set.EntryText]
	List      uint16 // for [Set.List]
	Depth     uint8  // how far above: labels between the name and the entry's name, or host bits of the entry's prefix
	Exception bool
	Important bool
}

// addrEntry marks an Entry that counts address rules, not name rules: List and Entry alone name an entry.
const addrEntry = 1 << 31

// IsAddr says whether the entry is an address or prefix.
func (m Match) IsAddr() bool { return m.Entry&addrEntry != 0 }

// Stats describes a whole Set.
type Stats struct {
	Lists     int
	Names     int    // distinct names
	Addresses int    // distinct addresses and prefixes
	Rules     int    // entries over all lists, duplicates within a list removed
	Bytes     uint64 // always resident: the whole snapshot, or without Mapped when it comes from a file
	Mapped    uint64 // bytes of the file that is mapped; only what hits touch of it becomes resident, and that may be dropped
}

// ListStats describes what became of the entries of one list.
type ListStats struct {
	Names     int // name entries in force
	Addresses int // address entries in force
	Refused   int // exceptions refused because the list has no GrantAllow
}
