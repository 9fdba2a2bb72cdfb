package config

// Worded is a scalar that takes one of a few words. The zero value is none of them and means "not given"; what reads a File
// must take it for the strictest choice.
type Worded interface {
	// Words returns what one such value is called, and the words.
	Words() (noun string, words []string)
}

// Mode says whether policy blocks are carried out.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe"
)

// Words implements [Worded].
func (Mode) Words() (noun string, words []string) { return "mode", []string{"enforce", "observe"} }

// Action is what happens to a transaction.
type Action string

// The actions.
const (
	Allow   Action = "allow"
	LogOnly Action = "log"
	Block   Action = "block"
)

// Words implements [Worded].
func (Action) Words() (noun string, words []string) {
	return "action", []string{"allow", "log", "block"}
}

// RuleAction is the action of a rule: those of [Action], and splice.
type RuleAction string

// The actions of rules.
const (
	RuleAllow  RuleAction = "allow"
	RuleLog    RuleAction = "log"
	RuleBlock  RuleAction = "block"
	RuleSplice RuleAction = "splice"
)

// Words implements [Worded].
func (RuleAction) Words() (noun string, words []string) {
	return "action", []string{"allow", "log", "block", "splice"}
}

// DetectorAction is what a detector's findings lead to.
type DetectorAction string

// The actions of detectors. DetectorOff: the detector does not run.
const (
	DetectorBlock DetectorAction = "block"
	DetectorLog   DetectorAction = "log"
	DetectorOff   DetectorAction = "off"
)

// Words implements [Worded].
func (DetectorAction) Words() (noun string, words []string) {
	return "detector action", []string{"block", "log", "off"}
}

// FailAction is what happens when inspection cannot be finished.
type FailAction string

// The choices.
const (
	FailLog   FailAction = "log"
	FailBlock FailAction = "block"
)

// Words implements [Worded].
func (FailAction) Words() (noun string, words []string) { return "action", []string{"log", "block"} }

// Class is the reputation of a name or an address.
type Class string

// The classes.
const (
	ClassBad       Class = "bad"
	ClassUntrusted Class = "untrusted"
	ClassUnknown   Class = "unknown"
	ClassShared    Class = "shared"
	ClassKnown     Class = "known"
)

// Words implements [Worded].
func (Class) Words() (noun string, words []string) {
	return "class", []string{"bad", "untrusted", "unknown", "shared", "known"}
}

// ListClass is a [Class] that a list can give: all but unknown.
type ListClass string

// The classes of lists.
const (
	ListBad       ListClass = "bad"
	ListUntrusted ListClass = "untrusted"
	ListShared    ListClass = "shared"
	ListKnown     ListClass = "known"
)

// Words implements [Worded].
func (ListClass) Words() (noun string, words []string) {
	return "class", []string{"bad", "untrusted", "shared", "known"}
}

// ListFormat is the form of a list.
type ListFormat string

// The forms.
const (
	ListAuto              ListFormat = "auto"
	ListHosts             ListFormat = "hosts"
	ListDomains           ListFormat = "domains"
	ListWildcard          ListFormat = "wildcard"
	ListAdblock           ListFormat = "adblock"
	ListAddresses         ListFormat = "addresses"
	ListDnsmasq           ListFormat = "dnsmasq"
	ListUnbound           ListFormat = "unbound"
	ListBind              ListFormat = "bind"
	ListRPZ               ListFormat = "rpz"
	ListDNSCryptNames     ListFormat = "dnscrypt-names"
	ListDNSCryptAddresses ListFormat = "dnscrypt-addresses"
	ListTPL               ListFormat = "tpl"
	ListCSV               ListFormat = "csv"
	ListJSON              ListFormat = "json"
	ListURLs              ListFormat = "urls"
	ListFingerprints      ListFormat = "fingerprints"
)

// Words implements [Worded].
func (ListFormat) Words() (noun string, words []string) {
	return "format", []string{
		"auto", "hosts", "domains", "wildcard", "adblock", "addresses", "dnsmasq", "unbound", "bind", "rpz", "dnscrypt-names",
		"dnscrypt-addresses", "tpl", "csv", "json", "urls", "fingerprints",
	}
}

// Grant is something that a list may do besides adding entries.
type Grant string

// The grants.
const (
	GrantAllow   Grant = "allow"   // the exceptions of a list count
	GrantRewrite Grant = "rewrite" // a list may answer with records of its own
	GrantClients Grant = "clients" // a list may stop clients by their address
)

// Words implements [Worded].
func (Grant) Words() (noun string, words []string) {
	return "grant", []string{"allow", "rewrite", "clients"}
}

// Protocol is what a transaction speaks.
type Protocol string

// The protocols.
const (
	HTTP      Protocol = "http"
	WebSocket Protocol = "websocket"
	DNS       Protocol = "dns"
)

// Words implements [Worded].
func (Protocol) Words() (noun string, words []string) {
	return "protocol", []string{"http", "websocket", "dns"}
}

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Words implements [Worded].
func (Severity) Words() (noun string, words []string) {
	return "severity", []string{"low", "medium", "high", "critical"}
}

// Toggle is on or off.
type Toggle string

// The positions.
const (
	On  Toggle = "on"
	Off Toggle = "off"
)

// Words implements [Worded].
func (Toggle) Words() (noun string, words []string) { return "value", []string{"on", "off"} }

// Intercept says what happens to a TLS connection.
type Intercept string

// The choices.
const (
	InterceptTLS Intercept = "intercept"
	SpliceTLS    Intercept = "splice"
)

// Words implements [Worded].
func (Intercept) Words() (noun string, words []string) {
	return "value", []string{"intercept", "splice"}
}

// Roots says which roots origins may chain to.
type Roots string

// The choices.
const (
	RootsSystem Roots = "system"
	RootsNone   Roots = "none"
)

// Words implements [Worded].
func (Roots) Words() (noun string, words []string) { return "value", []string{"system", "none"} }

// TLSVersion is a version of TLS.
type TLSVersion string

// The versions.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// Words implements [Worded].
func (TLSVersion) Words() (noun string, words []string) {
	return "TLS version", []string{"1.2", "1.3"}
}

// LogLevel is the least level of the operators' log.
type LogLevel string

// The levels.
const (
	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"
)

// Words implements [Worded].
func (LogLevel) Words() (noun string, words []string) {
	return "level", []string{"debug", "info", "warn", "error"}
}

// LogFormat is the form of the operators' log.
type LogFormat string

// The forms.
const (
	FormatText LogFormat = "text"
	FormatJSON LogFormat = "json"
)

// Words implements [Worded].
func (LogFormat) Words() (noun string, words []string) { return "format", []string{"text", "json"} }
