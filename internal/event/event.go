// Package event holds the product's record: one [Event] per transaction, written as one JSON line with ECS 9 field names plus
// `weir.*`. Findings in a live transaction are events of their own, linked by transaction id. Layer L1.
package event

import (
	"net/netip"
	"time"
)

// Kind says what an event is about; it becomes event.action.
type Kind uint8

// The kinds of event.
const (
	KindHTTP      Kind = iota // one request and its response
	KindConnect               // one CONNECT tunnel, intercepted or spliced
	KindWebSocket             // one WebSocket session
	KindDNS                   // one query and its answer
	KindFinding               // something found in a live transaction, at once; Transaction names it
	KindCut                   // a live connection was cut after a policy change; Transaction names it
	KindSystem                // start, reload, list refresh, drain
)

// Event is the record of one transaction. The producer fills it; whoever encodes it redacts and escapes every string, so raw
// client text may be put here (but never a body, and of headers only what has a field).
type Event struct {
	ID          string // UUIDv7; also X-Weir-Event-Id of the block page
	Transaction string // of a finding or cut: the ID of the transaction's own event
	Kind        Kind
	Time        time.Time // begin
	Duration    time.Duration

	Client     netip.AddrPort
	Groups     []string
	Server     netip.AddrPort // the address dialled; zero when none was
	ServerName string         // the authorised target host
	ServerPort uint16
	Transport  string // tcp, udp

	Method, URL, HTTPVersion, UserAgent, Referrer string
	RequestType, ResponseType                     string // Content-Type as declared
	Status                                        int    // HTTP status given to the client; 0 none
	Sent, Received                                int64  // octets of body or messages from and to the client
	Intercepted                                   string // intercept, splice, or "" outside TLS
	SNI, ALPN, TLSVersion, JA3, JA4               string
	ECH                                           bool
	CertError                                     string // code of the upstream certificate error

	WebSocket *WebSocket
	DNS       *DNS

	Verdict   string // allow, log, block
	Would     string // what enforce mode would have done, when it differs
	Cause     string
	Class     string
	Why       string // why it has its class, where no list says so
	Stage     string // the stage that decided
	Rule      Rule
	List      List
	Reason    string // one sentence for people
	Aborted   string // how a late block cut a stream that had begun: reset, close-1008, ...
	Error     string // failure that is no verdict: upstream unreachable, ...
	Mode      string // enforce, observe
	Policy    string // version of the policy snapshot
	Findings  []Finding
	Inspected []Outcome
	Trace     []Step
	Dropped   int // steps or findings left out of Trace and Findings
	Message   string
}

// WebSocket counts what went over a session.
type WebSocket struct {
	MessagesSent, MessagesReceived int64
	Compressed                     bool
	CloseCode                      int
}

// DNS describes one query and its answer.
type DNS struct {
	ID                      uint16
	Name, Type, Class, RCod string // RCod: NOERROR, NXDOMAIN, ...; "" when dropped
	Answers                 []Answer
	Cache                   string // hit, miss, stale, local
	Upstream                string
	EDE                     int // extended DNS error code, -1 none
}

// Answer is one record of a DNS answer.
type Answer struct {
	Name, Type, Data string
	TTL              uint32
}

// Rule is the policy rule that decided, if one did.
type Rule struct {
	Name string
	File string // with line: weir.yaml:42
	Text string // the reason written in the rule
}

// List is the list entry that decided, if one did.
type List struct {
	Name, Category, Source, Entry string
	Line                          uint32
	Confidence                    uint8 // percent; 0: the list does not say
	Shadow                        bool  // the list is only tried out
}

// Finding is one thing that a detector found.
type Finding struct {
	Detector   string
	Severity   string // low, medium, high, critical
	Confidence int    // percent
	Technique  string // MITRE ATT&CK id: T1071.001
	Where      string // place in the traffic and path of decoding: upload > gzip > base64
	Offset     int64  // octets into the decoded layer
	Detail     string
	Action     string // what was decided about it
}

// Outcome says what became of the inspection of one body or direction.
type Outcome struct {
	Where   string // upload, download
	Outcome string // complete, limit:size, limit:ratio, error, timeout, panic, skipped
	Bytes   int64  // decoded octets inspected
}

// Step is one entry of the decision trace.
type Step struct {
	Stage, Place, Subject, Verdict, Would, Cause, Class, Why, Rule, List, Entry, Detector, Safety string
	// OverList and OverEntry are what the entry beat, where it let something through that another would have stopped.
	OverList, OverEntry string
}

// Recorder takes events. Record never blocks for long: a recorder that cannot keep up drops and counts. It may be called from
// any goroutine; the event must not be changed after.
type Recorder interface {
	Record(e *Event)
}
