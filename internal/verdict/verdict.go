// Package verdict holds the words in which weir decides: what was decided about one transaction, and why. HTTP, WebSocket and
// DNS share them. A Verdict is a plain value: making, copying and comparing one allocates nothing. Layer L0.
package verdict

import "net/netip"

// Action is what happens to a transaction. The zero Action blocks, so that a forgotten field never lets anything through.
type Action uint8

// The actions.
const (
	Block Action = iota // stopped
	Log                 // let through, recorded as "would have blocked"
	Allow               // let through
)

// String returns the word used in configs, events and on the command line.
func (a Action) String() string { return name(actions[:], int(a)) }

var actions = [...]string{"block", "log", "allow"}

// Cause says what kind of thing decided. A fail-closed block (error, timeout, limit) is no rule hit.
type Cause uint8

// The causes.
const (
	CauseError      Cause = iota // something failed before a decision was made
	CauseTimeout                 // the inspection ran out of time
	CauseLimit                   // a size, depth, ratio or rate cap was reached
	CauseSafety                  // a refusal that no policy can turn off; Ref.Safety says which
	CauseRule                    // a rule of the policy; Ref.Rule
	CauseList                    // a list with an action of its own; Ref.List, Ref.Entry
	CauseReputation              // the class of the name or address; Ref.List when a list gave the class
	CauseDetector                // a detector's default action; Ref.Detector
	CauseDefault                 // nothing spoke: the policy's default
)

// String returns the word used in events and on the command line.
func (c Cause) String() string { return name(causes[:], int(c)) }

var causes = [...]string{"error", "timeout", "limit", "safety", "rule", "list", "reputation", "detector", "default"}

// Class is the reputation of a name or an address.
type Class uint8

// The classes, from worst to best known; ClassNone is "not asked".
const (
	ClassNone      Class = iota
	ClassBad             // on a block list
	ClassUntrusted       // dynamic DNS, public-IP look-up, DoH bypass, an IP literal as a target
	ClassUnknown         // nothing is known about it
	ClassShared          // a service where any customer can write
	ClassKnown           // well known
)

// String returns the word used in configs and events; "" for ClassNone.
func (c Class) String() string { return name(classes[:], int(c)) }

// ParseClass is the inverse of [Class.String].
func ParseClass(s string) (Class, bool) {
	for i, w := range classes {
		if i > 0 && w == s {
			return Class(i), true
		}
	}
	return ClassNone, false
}

var classes = [...]string{"", "bad", "untrusted", "unknown", "shared", "known"}

// Safety names a refusal that neither rules nor observe mode can turn off.
type Safety uint8

// The safety refusals.
const (
	SafetyNone           Safety = iota
	SafetyFraming               // ambiguous HTTP framing: request smuggling (RFC 9112 section 11.2)
	SafetyCertificate           // the origin's certificate does not verify
	SafetyPrivateAddress        // a private, loopback, link-local or metadata address that the config does not name internal
	SafetyMisdirected           // Host or :authority is not the authorised name: 421 (RFC 9110 section 15.5.20)
	SafetyTarget                // the target does not parse as a name or an address
	SafetyPort                  // the port is not one that the config lets clients reach
	SafetyClient                // the client is not one that the config serves
	SafetyLoop                  // the request came back to us (RFC 9110 section 7.6.3)
	SafetyLimit                 // a header, connection or rate limit
	SafetyWebSocket             // frames that RFC 6455 forbids
	SafetyDNS                   // a DNS packet that is not one plain question or its answer
	SafetyUpgrade               // an upgrade or extended CONNECT other than websocket
)

// String returns the word used in events and on the command line; "" for SafetyNone.
func (s Safety) String() string { return name(safeties[:], int(s)) }

var safeties = [...]string{
	"", "ambiguous-framing", "bad-certificate", "private-address", "misdirected-request", "bad-target", "port-refused",
	"client-not-served", "loop", "limit", "websocket-violation", "dns-violation", "upgrade-refused",
}

// Ref says which rule, list entry or detector decided, as numbers of the policy snapshot that decided: they become text only in
// the event. Numbers count from 1; 0 is none.
type Ref struct {
	Rule     uint16
	List     uint16
	Detector uint16
	Safety   Safety
	Entry    uint32
}

// AnswerKind says how a Block speaks to the client.
type AnswerKind uint8

// The kinds of answer.
const (
	AnswerPage     AnswerKind = iota // HTTP: the block page; DNS: NXDOMAIN
	AnswerNXDOMAIN                   // RFC 8020
	AnswerNull                       // 0.0.0.0 and ::
	AnswerRefused                    // RCODE 5; HTTP: an empty 403
	AnswerDrop                       // no answer at all; HTTP: the connection is closed
	AnswerAddress                    // V4 and V6 of Answer
	AnswerNoData                     // the name exists and has nothing of the asked type (RFC 2308 section 2.2); HTTP: the block page
	AnswerTruncate                   // RPZ TCP-only: an empty answer with TC set, so that the client asks again over a stream; HTTP: the block page
	AnswerData                       // the records that the list entry carries; HTTP: the block page
)

// String returns the word used in configs.
func (k AnswerKind) String() string { return name(answers[:], int(k)) }

var answers = [...]string{"page", "nxdomain", "null", "refused", "drop", "address", "nodata", "truncate", "data"}

// Answer says how a Block speaks; the zero Answer is a block page, or NXDOMAIN in DNS.
type Answer struct {
	Kind AnswerKind
	V4   netip.Addr // for AnswerAddress; invalid: no data for A
	V6   netip.Addr // for AnswerAddress; invalid: no data for AAAA
}

// Verdict is what was decided about one transaction, and why. The zero Verdict blocks.
type Verdict struct {
	Action   Action
	Cause    Cause
	Class    Class
	Observed bool // Action is Log only because observe mode turned a Block into it
	Ref      Ref
	Answer   Answer
	Grounds  Grounds // why it has its class, where Ref.List does not say it
}

// Refuse returns the Verdict of a safety refusal.
func Refuse(s Safety) Verdict { return Verdict{Action: Block, Cause: CauseSafety, Ref: Ref{Safety: s}} }

// Blocks says whether v stops the transaction.
func (v Verdict) Blocks() bool { return v.Action == Block }

// Stricter says whether v is stricter than w: Block before a Log that would have blocked, before Log, before Allow.
func (v Verdict) Stricter(w Verdict) bool {
	if v.Action != w.Action {
		return v.Action < w.Action
	}
	return v.Observed && !w.Observed
}

// Worse returns the stricter of v and w; v when both are alike.
func (v Verdict) Worse(w Verdict) Verdict {
	if w.Stricter(v) {
		return w
	}
	return v
}

func name(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "invalid"
}
