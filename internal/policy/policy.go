// Package policy is the only judge: it compiles rules and lists into an immutable [Snapshot] and turns names, addresses, URLs and
// findings into Verdicts. One pointer swaps rules and lists together; a transaction keeps the Snapshot it began with. The order of
// decisions: rules in file order, lists, reputation class, detectors, default; safety refusals stand before all of them.
// Layer L3.
package policy

import (
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/reputation"
	"weir/internal/verdict"
)

// Interception says what happens to TLS inside an admitted CONNECT; it is asked after Allow and is not an Action.
type Interception uint8

// The ways to treat TLS. The zero value looks inside.
const (
	Intercept Interception = iota // decrypt, inspect
	Splice                        // relay without decrypting
)

// String returns the word used in configs and events.
func (i Interception) String() string { return [...]string{"intercept", "splice"}[i&1] }

// RuleAction is what a rule does when it matches.
type RuleAction uint8

// The actions of rules. The zero value blocks.
const (
	RuleBlock  RuleAction = iota // ends the step
	RuleLog                      // recorded, never ends the step
	RuleAllow                    // ends the step: lists and reputation are skipped, detectors and limits are not
	RuleSplice                   // TLS is not decrypted; lists and reputation still speak
)

// Rule is one rule of the policy. Conditions of different kinds must all hold; within one kind any may. A rule without
// conditions matches everything. A condition on something that is not known yet (a URL at CONNECT, a method in DNS) does not hold.
type Rule struct {
	Name  string // for traces and pages
	Where string // file:line
	Text  string // the reason shown to people; may be empty

	Groups       []string
	Protocols    []inspect.Protocol
	Names        []string // "x": exactly x; ".x": x and all below; "*.x": only below
	Lists        []string
	Categories   []string
	Classes      []verdict.Class
	URLs         []string // globs over the canonical URL: '*' is any run of characters
	Methods      []string
	ContentTypes []string // "application/*", "text/html"; request or response
	Addresses    []netip.Prefix
	QTypes       []uint16
	Detectors    []string
	MinSeverity  inspect.Severity
	BySeverity   bool // MinSeverity is a condition

	Action     RuleAction
	Answer     *verdict.Answer // of a block; nil: the policy's
	Until      time.Time       // the rule does nothing from then on; zero: for ever
	Observe    bool            // what it would block is logged only
	InspectOff bool            // with RuleAllow: detectors are skipped too
}

// Internal names what is the company's own: private destinations and answers are refused for everything else.
type Internal struct {
	Zones    []hostname.Name // names at and below may have private addresses (not loopback, link-local or metadata)
	Networks []netip.Prefix  // addresses that may be reached under any name
}

// Failures says what a cap or a failed inspection does: Block or Log (let through, recorded). The zero value blocks.
type Failures struct {
	Limit     verdict.Action // more octets than are inspected
	Expansion verdict.Action // content that expands or nests beyond its caps: a bomb, or a hiding place
	Error     verdict.Action // an unknown or broken coding
	Timeout   verdict.Action
	Panic     verdict.Action
}

// Config is everything that a Snapshot is compiled from, besides the lists.
type Config struct {
	Version      string // shown in events
	Observe      bool   // blocks by policy are logged only
	Clients      *identity.Table
	Internal     Internal
	ConnectPorts []uint16 // ports that CONNECT and https may name
	PlainPorts   []uint16 // ports that http and ws may name
	Rules        []Rule
	Reputation   map[verdict.Class]verdict.Action // a missing class blocks when bad and allows otherwise
	Standing     *reputation.Book                 // the class of what no list condemns; nil: unknown
	Default      verdict.Action
	Interception Interception // default for TLS
	Answer       verdict.Answer
	AnswerTTL    time.Duration // of blocked DNS answers
	Limits       inspect.Limits
	Failures     Failures
	Detectors    []inspect.Info            // the engine's registry, in its order
	Modes        map[string]verdict.Action // per detector, instead of its default
	Off          map[string]bool           // detectors that are off
	Tally        *Tally                    // counts what lists did; nil: nobody counts
}

// Subject is the input of a decision: what is known about the thing judged when it is judged.
type Subject struct {
	Now         time.Time
	Client      identity.Client
	Protocol    inspect.Protocol
	Place       verdict.Place
	Name        hostname.Name
	Addr        netip.Addr
	JA3, JA4    string // of the ClientHello, for PlaceTunnel; "" when there was none
	Port        uint16 // of the target or of what leads to it; 0 when nothing says it, as in DNS
	URL         string // canonical, see weburl.Canonical; "" when not known
	LooseURL    string // the same read as leniently as some servers do, where that differs; see weburl.Loose
	Method      string
	ContentType string // lower case, without parameters
	QType       uint16
	Literal     bool // Addr was itself the target, instead of a name
	Stream      bool // asked over a stream (TCP, TLS, QUIC), so that an answer cannot be asked for again over one; HTTP always is
	// AllowedBy is the number of the rule that allowed the name which led to this subject, 0 for none: then lists and reputation
	// are skipped, and only rules before that one speak.
	AllowedBy uint16
	// Mute is the number of a list, from 1, that does not speak of this subject; 0: all do. A list that answered with a name of its
	// own is not asked about that name.
	Mute uint16
	// Spoken is the memory of the transaction for lists in which only the nearest entry counts; nil remembers nothing.
	Spoken *Spoken
	// Judged is the memory of the transaction for the class of its name; nil remembers nothing.
	Judged *Judged
	// Vouched says that a list allowed the name which led to this subject: the default does not block it.
	Vouched bool
}

func (q *Subject) text() string {
	switch {
	case q.Place == verdict.PlaceTunnel && q.JA4 != "":
		return q.JA3 + " " + q.JA4
	case q.Place == verdict.PlaceURL && q.URL != "":
		return q.URL
	case !q.Name.IsZero():
		return q.Name.String()
	case q.Addr.IsValid():
		return q.Addr.String()
	}
	return q.URL
}

// Admission is the answer to "may this name, address or request pass".
type Admission struct {
	verdict.Verdict
	AllowedBy  uint16 // the allow rule that spoke, for what the name leads to; 0 none
	Vouched    bool   // an allow list spoke, for what the name leads to
	InspectOff bool   // the rule also turns detectors off
}

// Reason is a Verdict in words.
type Reason struct {
	Rule, RuleWhere, RuleText                     string
	List, ListCategory, ListSource, ListEntry     string
	ListLine                                      uint32
	ListConfidence                                uint8 // percent; 0: not said
	ListShadow                                    bool  // it is only tried out
	Detector, Technique, Sentence, Safety, Answer string
	Why                                           string // the class, where no list gave it: "look-alike of example.com (skeleton)"
}
