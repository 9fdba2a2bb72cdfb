// Package inspect runs detectors over the phases of a transaction and enforces the caps: it finds and never decides. It owns the
// words of the data path below policy: [Transaction], [Phase], [Detector], [Stream], [Match]. Layer L2.
package inspect

import (
	"net/http"
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/verdict"
)

// Protocol is what a transaction speaks.
type Protocol uint8

// The protocols.
const (
	HTTP Protocol = iota
	Tunnel
	WebSocket
	DNS
)

// String returns the word used in rules and events.
func (p Protocol) String() string { return [...]string{"http", "tunnel", "websocket", "dns"}[p&3] }

// Phase is a step in the life of a transaction; DESIGN: the same six for every protocol.
type Phase uint8

// The phases in order.
const (
	Open         Phase = iota // CONNECT and the first bytes inside
	Request                   // method, URL, headers; upgrade request; DNS query
	RequestData               // body and trailers; messages to the server
	Response                  // status and headers; 101; DNS answer
	ResponseData              // body and trailers; messages to the client
	Done                      // always
)

// Place returns where findings of this phase are said to be.
func (p Phase) Place() verdict.Place {
	return [...]verdict.Place{
		verdict.PlaceTunnel, verdict.PlaceRequest, verdict.PlaceUpload, verdict.PlaceReply, verdict.PlaceDownload, verdict.PlaceNone,
	}[min(p, Done)]
}

// Flow is one client connection (or, for UDP, one client): what is known before and above its transactions. It is written by
// its connection's goroutine before the first transaction begins, then only read.
type Flow struct {
	Client     identity.Client
	Remote     netip.AddrPort
	Transport  string             // tcp, udp, tls, https, quic
	Authorized hostname.Authority // the CONNECT target, once admitted; zero on plain proxy connections
	Hello      *Hello             // the ClientHello inside CONNECT
}

// Stream says whether the flow is one of octets in order, and its sender's address therefore real: anything but UDP. A flow that does
// not say is none.
func (f *Flow) Stream() bool { return f.Transport != "" && f.Transport != "udp" }

// Hello is what the ClientHello of a flow said.
type Hello struct {
	SNI      string // as sent; "" none
	ALPN     []string
	Version  string
	JA3, JA4 string
	ECH      bool
}

// First classifies the first bytes inside a CONNECT tunnel.
type First uint8

// The classes of first bytes.
const (
	FirstNone  First = iota // nothing came before the deadline
	FirstTLS                // a TLS handshake record
	FirstHTTP               // an HTTP/1 request line
	FirstHTTP2              // the HTTP/2 preface
	FirstOther              // anything else
)

// Anomaly is a violation of HTTP syntax found by the wire validator.
type Anomaly struct {
	Kind   string // closed set of internal/wire/http1
	Offset int64  // octets from the begin of the message
}

// Head is the head of an HTTP message.
type Head struct {
	Method  string // requests
	URL     string // requests: absolute, as it is fetched
	Host    string // requests: Host or :authority as sent
	Status  int    // responses
	Proto   string // HTTP/1.1, HTTP/2.0
	Header  http.Header
	Trailer http.Header // filled when the body ended
}

// Question is the question of a DNS query.
type Question struct {
	ID    uint16
	Name  hostname.Name
	Type  uint16
	Class uint16
}

// Transaction is one request and response, WebSocket session, tunnel or DNS query on a Flow. It is filled phase by phase by the
// gate, which also serialises access; detectors read it during the call that hands it to them, and keep no reference.
type Transaction struct {
	ID        string // UUIDv7
	Protocol  Protocol
	Flow      *Flow
	Begin     time.Time
	Now       time.Time          // of the current phase; no other clock is read below the gate
	Target    hostname.Authority // where it goes
	First     First              // Open
	FirstPeek []byte             // Open: the first bytes, at most 64; valid during the call only
	Request   Head
	Response  Head
	Anomalies []Anomaly
	Question  Question
	Names     []hostname.Name // other names that the answer came from: targets of CNAME; at most MaxNames
	Verdict   verdict.Verdict // Done: what was decided
	Answered  bool            // Done: the other side answered, in DNS with NOERROR; what does not exist or was not reached did not
	Matches   []Match         // findings so far; the weakest give way beyond MaxMatches
	Dropped   int             // findings that are not among Matches
	// Judge is asked about every finding at once, also those that are not kept; nil: nobody is asked, and the zero Verdict stands.
	Judge func(*Match) verdict.Verdict
}

// MaxMatches bounds the findings kept for one transaction: enough for a person, small enough that hostile input cannot fill
// memory with findings about itself. All are judged.
const MaxMatches = 32

// MaxNames bounds Transaction.Names: no honest answer leads through more.
const MaxNames = 16

// book has a finding judged, and keeps it: when there is no room, in place of one that was judged less strictly.
func (tx *Transaction) book(m Match) {
	if tx.Judge != nil {
		m.Verdict = tx.Judge(&m)
	}
	if len(tx.Matches) < MaxMatches {
		tx.Matches = append(tx.Matches, m)
		return
	}
	tx.Dropped++
	for i := range tx.Matches {
		if m.Verdict.Stricter(tx.Matches[i].Verdict) {
			tx.Matches[i] = m
			return
		}
	}
}

// Severity grades a finding.
type Severity uint8

// The severities.
const (
	Low Severity = iota
	Medium
	High
	Critical
)

// String returns the word used in rules and events.
func (s Severity) String() string { return [...]string{"low", "medium", "high", "critical"}[s&3] }

// Score returns the ECS event.severity of s, 0 to 100.
func (s Severity) Score() int { return [...]int{21, 47, 73, 99}[s&3] }

// Info describes a detector: one registry entry.
type Info struct {
	Name      string // closed set, kebab-case: the word in rules, events and docs
	About     string // one sentence
	Technique string // MITRE ATT&CK id of what it finds
	Severity  Severity
	Default   verdict.Action // what policy does when no rule speaks
	Safety    verdict.Safety // not SafetyNone: a find is a safety refusal
	False     string         // where false positives come from
}

// Match is one finding of one detector.
type Match struct {
	Detector   uint16 // number in the engine's registry, from 1
	Phase      Phase
	Severity   Severity
	Confidence uint8  // percent
	Offset     int64  // octets into the layer
	Path       string // decoding path: "gzip > base64"; "" for the body or head as it came
	Detail     string // what exactly, for people; may hold client bytes: escaped on output
	Verdict    verdict.Verdict
}

// Detector finds. It never decides, is immutable, and is shared by all transactions. It implements Header or Body or both.
type Detector interface {
	Info() Info
}

// Header is a Detector that looks at heads: phases Open, Request and Response.
type Header interface {
	Detector
	Head(tx *Transaction, phase Phase, report Report)
}

// Body is a Detector that looks into bodies and messages.
type Body interface {
	Detector
	// Stream opens the detector's state for one layer; nil when the layer is of no interest. Its findings must not depend on how
	// the bytes are cut into Writes.
	Stream(tx *Transaction, layer Layer, report Report) Stream
}

// Report takes a finding; the engine fills in Detector, Phase and Path.
type Report func(Match)

// Stream is a Detector's state for one layer of one body or message.
type Stream interface {
	Write(p []byte) // p is only valid during the call
	Close()         // the layer ended
}

// Layer is one stage of decoding of a body or message.
type Layer struct {
	Phase    Phase
	Depth    int    // 0: the body after its content codings
	Path     string // "" at depth 0 without codings
	Declared string // media type declared for the body, lower case without parameters; "" for none or below depth 0
	Root     string // Declared of the body that the layer was found in, at every depth
	Name     string // file name from Content-Disposition or the URL, "" unknown
}

// Observer sees finished transactions.
type Observer interface {
	Observe(tx *Transaction)
}

// Watcher is an Observer that also sees a transaction which lives on, each time that it was admitted again.
type Watcher interface {
	Observer
	Watch(tx *Transaction)
}
