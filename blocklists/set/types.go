// Package set holds the immutable snapshot of all lists and the types it speaks in. See package blocklists, which is the
// front door. Its only I/O is to save a snapshot and to open it again, through package mapped. No clock; safe for use by many goroutines.
package set

import (
	"fmt"
	"time"
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
	Name         string    // unique in the configuration
	Class        Class     // what standing on it means
	Category     string    // free word for rules and events: "c2", "dynamic-dns"
	Action       Action    // overrides what the class does
	Priority     int       // an exception beats blocks of equal or lower priority
	Confidence   uint8     // how sure its publisher is, in percent: 1 to 100; 0: not said
	Shadow       bool      // what it would block is only recorded as observed
	Nearest      bool      // only its entries nearest to the name or address count; look-ups give all, whoever judges chooses
	Groups       []string  // groups of clients it applies to; empty means all
	GrantAllow   bool      // exceptions, ReplyTCPOnly and ActionAllow are honoured; without it a list can only block
	GrantRewrite bool      // ReplyData is honoured; without it a list can only block
	GrantClients bool      // Trigger Client is honoured; without it a list cannot say who may ask at all
	Source       string    // file or URL, for people
	Updated      time.Time // when its content was last seen to be current
	Hash         string    // SHA-256 of its text in hex
}

// Match says that one entry of one list covers what was asked for. It is a value without pointers; the [Set] that gave it turns
// it into text.
type Match struct {
	Entry uint32 // for [Set.Entry] and [Set.EntryText]
	List  uint16 // for [Set.List]
	// Depth is how far above the entry lies, at most 255: labels between the name and the entry's name; host bits of the entry's
	// prefix; of a URL, the boundaries behind the entry's (before and behind each '/', before '?', and the end). 0 for fingerprints.
	Depth     uint8
	Exception bool
	Important bool
	Extra     bool // the entry has a Reply, Types or a Trigger of its own: see [Set.Entry]
}

// addrEntry marks an Entry that counts address rules, not name rules: List and Entry alone name an entry.
const addrEntry = 1 << 31

// IsAddr says whether the entry is an address or prefix.
func (m Match) IsAddr() bool { return m.Entry&addrEntry != 0 }

// Stats describes a whole Set.
type Stats struct {
	Lists        int
	Names        int    // distinct names, those of name servers included
	Addresses    int    // distinct addresses and prefixes, of every trigger
	URLs         int    // distinct URLs
	Fingerprints int    // distinct fingerprints
	Rules        int    // entries over all lists, duplicates within a list removed
	Bytes        uint64 // always resident: the whole snapshot, or without Mapped when it comes from a file
	Mapped       uint64 // bytes of the file that is mapped; only what hits touch of it becomes resident, and that may be dropped
}

// ListStats describes what became of the entries of one list.
type ListStats struct {
	Names           int // name entries in force
	Addresses       int // address entries in force
	URLs            int // URL entries in force
	Fingerprints    int // fingerprint entries in force
	Refused         int // exceptions and ReplyTCPOnly, refused because the list has no GrantAllow
	RefusedRewrites int // ReplyData, refused because the list has no GrantRewrite
	RefusedClients  int // Trigger Client, but for exceptions, refused because the list has no GrantClients
}
