package config

// Group is a named set of clients.
type Group struct {
	// Name by which rules and lists refer to the group: letters, digits, '.', '_' and '-'. Required.
	Name string `yaml:"name" jsonschema:"required"`
	// Networks or single addresses of its clients. Required.
	Networks []Prefix `yaml:"networks" jsonschema:"required"`

	// Line in the file where the group starts; 0 for one made in code.
	Line int `yaml:"-"`
}

func (g *Group) begin(line int) { *g = Group{Line: line} }

// List is one source of names, addresses or URLs.
type List struct {
	// Name by which rules, events and pages refer to the list: letters, digits, '.', '_' and '-'. Required.
	Name string `yaml:"name" jsonschema:"required"`
	// HTTPS address of the list. Exactly one of url, file, dir and transfer is given. Default: none.
	URL string `yaml:"url"`
	// Path of the list. Exactly one of url, file, dir and transfer is given. Default: none.
	File string `yaml:"file"`
	// Directory whose files, but for hidden ones, are lists of their own, NAME/FILE, each with all that is said here. Rules that
	// name the list mean all of them. Files that come and go are seen at each refresh and reload. Exactly one of url, file,
	// dir and transfer is given. Default: none.
	Dir string `yaml:"dir"`
	// Name servers that give the list as a zone, by AXFR and IXFR. Exactly one of url, file, dir and transfer is given.
	Transfer Transfer `yaml:"transfer"`
	// Form of the list: auto (told from its beginning), hosts, domains, wildcard, adblock, addresses, dnsmasq, unbound, bind
	// (named.conf), rpz (a zone file), dnscrypt-names, dnscrypt-addresses, tpl, csv, json, urls or fingerprints (counted, not
	// applied yet), each plain or compressed by gzip or zstd. A name in hosts and rpz is this name alone, one in the others
	// it and all below; so is "*.x" in wildcard, unlike in the names of a rule. Default: auto.
	Format ListFormat `yaml:"format"`
	// Column of a csv list (its name in the header, or its number from 1), or key of a json list, that holds the entries. Empty: the
	// first with a usual name (url, domain, host, ip and the like). Default: none.
	Column string `yaml:"column"`
	// Class that the list gives to its entries: bad, untrusted, shared or known. Default: bad.
	Class ListClass `yaml:"class"`
	// What the entries are about, for rules, events and pages (malware, phishing, ads, ...): letters, digits, '.', '_' and '-'.
	// Empty: nothing is said. Default: none.
	Category string `yaml:"category"`
	// Action for the entries: allow, log or block; allow needs grants: [allow] as well. Not given: that of the class, see
	// reputation. Default: none.
	Action Action `yaml:"action"`
	// Time between looks for a new version, of a file too. SIGHUP looks at files at once, and at what was never loaded. A zone that is transferred, without this:
	// what its SOA record says, from 1m to 7d. Default: 1d.
	Refresh Duration `yaml:"refresh" bounds:"1m..30d"`
	// Octets read at most; a longer list is refused and the last good copy stays. Default: 64MiB.
	MaxBytes Size `yaml:"max_bytes" bounds:"1B..4GiB"`
	// Public key of minisign that must have signed what comes from url: the line that begins with RW. A text without its signature
	// does not come in force, nor does a copy on disk. Empty: nothing is signed. Default: none.
	Minisign string `yaml:"minisign"`
	// HTTPS address of the signature. Empty: url with ".minisig" behind its path. Default: none.
	SignatureURL string `yaml:"signature_url"`
	// SHA-256 that the content must have, in 64 hexadecimal digits. Empty: any content. Default: none.
	SHA256 string `yaml:"sha256"`
	// How much a new text, from the network or of a file, may differ from the one in force, in percent of its entries: 100 lets it
	// double or halve. What differs by more is held for review: the last good copy stays, and "weir lists update NAME --accept"
	// takes the new one. It counts from 100 entries on, and for growth to 10000 whatever there was. 0: any. Without format, a text
	// from the network that is of another format than the one in force is held in any case; a file with 100 entries or more where
	// this is not 0. What has its sha256 is never held. Default: 100.
	MaxChange int `yaml:"max_change" bounds:"0..100000"`
	// Age at which the list no longer counts, since it was last seen to be current (a file: since its last change), until it is
	// refreshed. 0s: never. Default: 0s.
	Expires Duration `yaml:"expires" bounds:"0s..3650d"`
	// What the list may block although no list may: names, with all below, and networks. Without it a text is refused as a whole
	// when it would block weir itself, what internal names, a list's own source, an upstream, private networks, everything below
	// a top-level domain, or one of the well-known names in docs/operations.md. Default: none.
	MayBlock []NameOrNet `yaml:"may_block"`
	// Rank among lists: an exception, or a list whose action is allow, beats what lists of the same or a lower priority block.
	// Default: 0.
	Priority int `yaml:"priority" bounds:"-100..100"`
	// How sure the list is, in percent, for events and pages. It decides nothing. 0: not said. Default: 0.
	Confidence int `yaml:"confidence" bounds:"0..100"`
	// Whether the list is only tried out: what it would block is recorded (would: block) and counted, and it changes no verdict.
	// Its exceptions count for lists that are tried out alone. Default: false.
	Shadow bool `yaml:"shadow"`
	// What the list may do besides blocking. allow: its own exceptions (adblock "@@", RPZ passthru and tcp-only) count, and its
	// action may be allow. rewrite: it may answer with records of its own (RPZ local data and CNAME, address=, local-data).
	// clients: it may stop clients by their address, whatever they ask for (RPZ client-IP). What has no grant is counted and left
	// out. Default: none.
	Grants []Grant `yaml:"grants"`
	// Groups of clients for whom the list counts. Not given: everybody. Default: none.
	Groups []string `yaml:"groups"`

	// Line in the file where the list starts; 0 for one made in code.
	Line int `yaml:"-"`
}

// NewList returns a list with the defaults of an entry.
func NewList(name string) List {
	return List{Name: name, Format: ListAuto, Class: ListBad, Refresh: Duration(day), MaxBytes: 64 << 20, MaxChange: 100, Transfer: Transfer{TSIG: TSIG{Algorithm: HMACSHA256}}}
}

func (l *List) begin(line int) {
	*l = NewList("")
	l.Line = line
}

// Rule is one rule of the policy.
type Rule struct {
	// Name of the rule in events and on pages: letters, digits, '.', '_' and '-'. Required.
	Name string `yaml:"name" jsonschema:"required"`
	// Groups of clients. Not given: everybody. Default: none.
	Groups []string `yaml:"groups"`
	// Protocols: http, websocket, dns. Not given: all. Default: none.
	Protocols []Protocol `yaml:"protocols"`
	// Names: "example.com" is this name alone, ".example.com" it and all below, "*.example.com" only those below. Default: none.
	Names []NamePattern `yaml:"names"`
	// Names of lists that hold the name, the address or the URL. Default: none.
	Lists []string `yaml:"lists"`
	// Categories of lists that hold it. Default: none.
	Categories []string `yaml:"categories"`
	// Classes: bad, untrusted, unknown, shared, known. Default: none.
	Classes []Class `yaml:"classes"`
	// URLs: SCHEME://HOST[:PORT]/PATH, where "*" in the path stands for any run of characters, HOST is as in names or an
	// address, and SCHEME is http, https, ws, wss or "*". Default: none.
	URLs []URLPattern `yaml:"urls"`
	// Request methods. Default: none.
	Methods []Method `yaml:"methods"`
	// Declared media types without parameters, "text/html" or "text/*". Default: none.
	ContentTypes []MediaRange `yaml:"content_types"`
	// Networks or single addresses of the destination. Default: none.
	Addresses []Prefix `yaml:"addresses"`
	// Types of DNS queries, TXT or TYPE65280 (RFC 3597). Default: none.
	QTypes []QType `yaml:"qtypes"`
	// Detectors that found something. Default: none.
	Detectors []string `yaml:"detectors"`
	// Least severity of a finding: low, medium, high or critical. Not given: findings are no condition. Default: none.
	MinSeverity Severity `yaml:"min_severity"`
	// What happens: allow, log, block, or splice: TLS is not decrypted, lists and reputation still speak. Required.
	Action RuleAction `yaml:"action" jsonschema:"required"`
	// How a block speaks: page, nxdomain, nodata, null_ip (0.0.0.0 and ::), refused, drop, or addresses as in resolver.block_answer.
	// Not given: a page, and resolver.block_answer for DNS (refused where the rule has qtypes: NXDOMAIN would deny all types).
	// Default: none.
	Answer RuleAnswer `yaml:"answer"`
	// Moment after which an allow no longer counts, as in 2026-12-01T00:00:00Z. Not given: never. Default: none.
	Until Time `yaml:"until"`
	// Whether a block only logs what it would have blocked. Default: false.
	Observe bool `yaml:"observe"`
	// Whether what an allow lets through is still inspected; off only with allow. Default: on.
	Inspect Toggle `yaml:"inspect"`
	// Text for the block page, at most 500 octets. Default: none.
	Reason string `yaml:"reason"`

	// Line in the file where the rule starts, for traces; 0 for one made in code.
	Line int `yaml:"-"`
}

// NewRule returns a rule with the defaults of an entry. It has no action yet and is not valid without one.
func NewRule(name string) Rule { return Rule{Name: name, Inspect: On} }

func (r *Rule) begin(line int) {
	*r = NewRule("")
	r.Line = line
}
