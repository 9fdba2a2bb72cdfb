package verdict

// Stage names a place in the order of decisions.
type Stage uint8

// The stages in the order in which they are asked.
const (
	StageSafety Stage = iota
	StageRules
	StageLists
	StageReputation
	StageDetectors
	StageLimits
	StageDefault
)

// String returns the word used in traces.
func (s Stage) String() string { return name(stages[:], int(s)) }

var stages = [...]string{"safety", "rules", "lists", "reputation", "detectors", "limits", "default"}

// Place says where in the traffic the thing judged was seen.
type Place uint8

// The places.
const (
	PlaceNone     Place = iota
	PlaceClient         // the client's own address
	PlaceConnect        // the authority of CONNECT
	PlaceTunnel         // the first bytes inside a CONNECT tunnel
	PlaceSNI            // the server name of a ClientHello
	PlaceHost           // Host or :authority
	PlaceURL            // the request target
	PlaceRequest        // request head
	PlaceUpload         // request body or a message to the server
	PlaceReply          // response head
	PlaceDownload       // response body or a message to the client
	PlaceDial           // the address that is dialled
	PlaceTLS            // the origin's certificate
	PlaceQuery          // the question of a DNS query
	PlaceCNAME          // the target of a CNAME or DNAME
	PlaceTarget         // the target of SVCB, HTTPS, MX, SRV or NS
	PlaceAnswer         // an address in a DNS answer
	PlaceServer         // a name server of the asked zone, or its address (RPZ NSDNAME, NSIP)
)

// String returns the word used in traces and events.
func (p Place) String() string { return name(places[:], int(p)) }

var places = [...]string{
	"", "client", "connect", "tunnel", "sni", "host", "url", "request", "upload", "reply", "download", "dial", "tls", "query", "cname",
	"target", "answer", "server",
}

// Step is one entry of a decision trace: a stage that spoke, about what, and what it said.
type Step struct {
	Stage   Stage
	Place   Place
	Subject string // the name, address or detector path judged; not yet escaped for output
	Verdict Verdict
	Over    Ref // the list and entry that an entry which lets through has beaten; zero: none
}

// MaxSteps bounds a Trace: a transaction with more steps (thousands of matches in one body) keeps the first ones and its count.
const MaxSteps = 64

// Trace is the ordered record of every stage that spoke. The zero Trace is empty and ready; it is not safe for concurrent use.
type Trace struct {
	Steps   []Step
	Dropped int // steps beyond MaxSteps
}

// Add records a step.
func (t *Trace) Add(s Step) {
	if t == nil {
		return
	}
	if len(t.Steps) >= MaxSteps {
		t.Dropped++
		if last := &t.Steps[MaxSteps-1]; s.Verdict.Stricter(last.Verdict) {
			*last = s // what decided must be seen
		}
		return
	}
	t.Steps = append(t.Steps, s)
}
