package config

// File is one config file in its text form. The zero File is not usable: start from [Default] or [Parse].
type File struct {
	// Version of this format. Default: 1.
	Version int `yaml:"version" bounds:"1..1"`
	// Whether policy blocks are carried out: enforce, or observe, which lets through and logs what would have been blocked.
	// Safety refusals stay enforced in both. Default: enforce.
	Mode Mode `yaml:"mode"`
	// Directory for the CA, copies of lists and state. Empty: /var/lib/weir when that exists and can be written, else
	// ./weir-data. Default: none.
	DataDir string `yaml:"data_dir"`
	// The forward proxy for HTTP, HTTPS and WebSocket.
	Proxy Proxy `yaml:"proxy"`
	// The filtering DNS resolver.
	Resolver Resolver `yaml:"resolver"`
	// Health, metrics and the control socket.
	Admin Admin `yaml:"admin"`
	// Who is served.
	Clients Clients `yaml:"clients"`
	// Named groups of clients, for rules and lists. A client may be in several. At most 64. Default: none.
	Groups []Group `yaml:"groups"`
	// The organisation's own names and networks. Private destinations and private addresses in DNS answers are refused unless
	// they are named here.
	Internal Internal `yaml:"internal"`
	// Lists of names and addresses from files or over HTTPS. Default: none.
	Lists []List `yaml:"lists"`
	// Whether the small lists inside the program are used as well. Default: true.
	BuiltinLists bool `yaml:"builtin_lists"`
	// What happens to a name or an address by its class, when no rule and no list's own action decided.
	Reputation Reputation `yaml:"reputation"`
	// Rules in order: the first that matches and says allow, block or splice ends the search, log never does. All conditions of
	// a rule must hold; within one condition any entry may. Default: none.
	Rules []Rule `yaml:"rules"`
	// What happens when nothing else decided. Default: allow.
	Default Action `yaml:"default"`
	// Which TLS connections are decrypted.
	Interception Interception `yaml:"interception"`
	// Limits of the inspection of bodies and messages, and what happens at each.
	Inspection Inspection `yaml:"inspection"`
	// Action per detector: block, log or off. A detector that is not named acts as docs/detectors.md says. Default: none.
	Detectors map[string]DetectorAction `yaml:"detectors"`
	// One JSON line per transaction.
	Events Events `yaml:"events"`
	// The operators' log, on standard error.
	Log Log `yaml:"log"`
	// The certificate authority that signs what intercepted clients see.
	CA CA `yaml:"ca"`

	src *source // where values stood; nil for a File made in code
}

// Proxy configures the forward proxy.
type Proxy struct {
	// Addresses and ports to listen on (TCP). Port 0: the system chooses. An empty list turns the proxy off.
	// Default: [127.0.0.1:3128].
	Listen []AddrPort `yaml:"listen"`
	// Ports that CONNECT may name. An empty list refuses every CONNECT. Default: [443, 8443].
	ConnectPorts []uint16 `yaml:"connect_ports" bounds:"1..65535"`
	// Ports that a plain http:// or ws:// URL may name. An empty list refuses every plain request.
	// Default: [80, 8000, 8008, 8080, 8081, 8888].
	HTTPPorts []uint16 `yaml:"http_ports" bounds:"1..65535"`
	// Limits per connection and per client.
	Limits Limits `yaml:"limits"`
	// Connections to origins.
	Upstream Upstream `yaml:"upstream"`
}

// Limits bounds what one client or one connection may use of the proxy.
type Limits struct {
	// Client connections open at the same time; more wait in the accept queue. Default: 4096.
	MaxConnections int `yaml:"max_connections" bounds:"1..1000000"`
	// Connections open at the same time from one client address; more are closed at once. Default: 512.
	MaxConnectionsPerClient int `yaml:"max_connections_per_client" bounds:"1..1000000"`
	// Time for a client to send a whole request head. Default: 10s.
	HeaderTimeout Duration `yaml:"header_timeout" bounds:"100ms..5m"`
	// Time a client connection may stay without a request. Default: 1m.
	IdleTimeout Duration `yaml:"idle_timeout" bounds:"1s..1h"`
	// Time a tunnel or a WebSocket may stay without a byte in either direction. Default: 10m.
	TunnelIdleTimeout Duration `yaml:"tunnel_idle_timeout" bounds:"1s..1d"`
	// Time after which a tunnel or a WebSocket is closed however busy it is. Default: 12h.
	TunnelLifetime Duration `yaml:"tunnel_lifetime" bounds:"1m..30d"`
	// Time for the TCP connection to one address of an origin. Default: 5s.
	DialTimeout Duration `yaml:"dial_timeout" bounds:"100ms..2m"`
	// Time for a TLS handshake, with the client and with the origin each. Default: 10s.
	TLSHandshakeTimeout Duration `yaml:"tls_handshake_timeout" bounds:"100ms..2m"`
	// Time for an origin to answer with a response head, counted from the end of the request. Default: 1m.
	ResponseHeaderTimeout Duration `yaml:"response_header_timeout" bounds:"1s..1h"`
	// Time for open transactions to end after SIGTERM. 0s: they are cut at once. Default: 20s.
	DrainTimeout Duration `yaml:"drain_timeout" bounds:"0s..10m"`
}

// Upstream configures how origins are verified.
type Upstream struct {
	// Which roots an origin's certificate may chain to: system, or none, which leaves only extra_roots_file. Default: system.
	Roots Roots `yaml:"roots"`
	// PEM file with further roots. Empty: no further ones. Default: none.
	ExtraRootsFile string `yaml:"extra_roots_file"`
	// Oldest TLS version spoken with origins, "1.2" or "1.3". Default: 1.2.
	MinTLS TLSVersion `yaml:"min_tls"`
}

// Resolver configures the DNS resolver.
type Resolver struct {
	// Addresses and ports to listen on, UDP and TCP each. Port 0: the system chooses. An empty list turns the resolver off for
	// clients; the proxy still uses it. Default: [127.0.0.1:1053].
	Listen []AddrPort `yaml:"listen"`
	// Servers that queries are forwarded to, "10.0.0.1" or "10.0.0.1:53". Empty: those of the system (/etc/resolv.conf).
	// Default: none.
	Upstreams []ServerAddr `yaml:"upstreams"`
	// The cache of unfiltered answers.
	Cache Cache `yaml:"cache"`
	// How a blocked name is answered: nxdomain, nodata, null_ip (0.0.0.0 and ::), refused, drop, or an address, or an IPv4 and an IPv6
	// address separated by a space. Default: nxdomain.
	BlockAnswer BlockAnswer `yaml:"block_answer"`
	// Time to live of the answer for a blocked name. Default: 1m.
	BlockTTL Duration `yaml:"block_ttl" bounds:"0s..1d"`
	// Time for one query to be answered by all upstreams together. Default: 3s.
	Timeout Duration `yaml:"timeout" bounds:"100ms..30s"`
}

// Cache configures the cache of the resolver.
type Cache struct {
	// Answers kept. 0: nothing is kept. Default: 65536.
	Entries int `yaml:"entries" bounds:"0..16777216"`
	// Answers are kept at least so long, whatever their own time to live says. Default: 0s.
	MinTTL Duration `yaml:"min_ttl" bounds:"0s..1h"`
	// Answers are kept at most so long. Default: 1d.
	MaxTTL Duration `yaml:"max_ttl" bounds:"1s..7d"`
	// Negative answers are kept at most so long (RFC 2308 section 5). 0s: they are not kept. Default: 5m.
	NegativeTTL Duration `yaml:"negative_ttl" bounds:"0s..3h"`
}

// Admin configures health, metrics and control.
type Admin struct {
	// Address and port of /healthz, /readyz and /metrics; read-only. Empty: off. An address that is not loopback needs
	// token_file. Default: 127.0.0.1:8090.
	Listen AddrPort `yaml:"listen"`
	// File with the bearer token that the listener asks for. Empty: no token. Default: none.
	TokenFile string `yaml:"token_file"`
	// Path of the Unix socket for what changes state; its mode is 0600. Empty: control.sock in the data directory.
	// Default: none.
	Socket string `yaml:"socket"`
}

// Clients says who is served.
type Clients struct {
	// Networks whose clients are served, or the words private (RFC 1918, RFC 4193, link-local and loopback), loopback, or any.
	// An empty list serves nobody. Default: [private].
	Serve []ClientNet `yaml:"serve"`
}

// Internal names what belongs to the organisation.
type Internal struct {
	// Zones whose names may have private addresses. Names below them are meant too. Default: none.
	Zones []Name `yaml:"zones"`
	// Networks that may be destinations, and may stand in answers for any name. Default: none.
	Networks []Prefix `yaml:"networks"`
	// Servers for the zones above. Empty: the resolver's own upstreams. Default: none.
	Upstreams []ServerAddr `yaml:"upstreams"`
}

// Interception says which TLS connections are decrypted.
type Interception struct {
	// What happens to a TLS connection for which no rule says splice: intercept, or splice, which relays without looking
	// inside. Default: intercept.
	Default Intercept `yaml:"default"`
}

// Inspection configures the inspection engine.
type Inspection struct {
	// Decoded octets of a body inspected before its head is released, so that a block page is still possible. Default:
	// 64KiB.
	Hold Size `yaml:"hold" bounds:"1KiB..16MiB"`
	// Time after which the head is released when nothing more comes. Default: 100ms.
	HoldWait Duration `yaml:"hold_wait" bounds:"1ms..1m"`
	// Decoded octets inspected of one body; on_limit says what happens beyond. Default: 64MiB.
	MaxBody Size `yaml:"max_body" bounds:"1KiB..1TiB"`
	// Decoded octets inspected of one WebSocket message; on_limit says what happens beyond. Default: 16MiB.
	MaxMessage Size `yaml:"max_message" bounds:"1KiB..1GiB"`
	// Content codings and encodings within each other that are undone. Default: 4.
	MaxDepth int `yaml:"max_depth" bounds:"1..32"`
	// Decoded octets per encoded octet, beyond which a body of more than 8 MiB decoded counts as a decompression bomb. Default: 200.
	MaxRatio int `yaml:"max_ratio" bounds:"2..100000"`
	// Time that the inspection of one body or message may take in all; on_timeout says what happens beyond. Default: 5s.
	MaxTime Duration `yaml:"max_time" bounds:"10ms..5m"`
	// What happens beyond max_body and max_message, and with an archive that expands beyond max_ratio: log, or block. Default: log.
	OnLimit FailAction `yaml:"on_limit"`
	// What happens with content codings that expand beyond max_ratio, and with more nesting than max_depth: log, or block.
	// Default: block.
	OnExpansion FailAction `yaml:"on_expansion"`
	// What happens when a body cannot be decoded: log, or block. Default: log.
	OnError FailAction `yaml:"on_error"`
	// What happens when max_time is used up: log, or block. Default: block.
	OnTimeout FailAction `yaml:"on_timeout"`
	// What happens when a detector fails: log, or block. Default: block.
	OnPanic FailAction `yaml:"on_panic"`
}

// Events configures the event stream.
type Events struct {
	// File that events are appended to; "-" is standard output. Empty: none are written. Default: -.
	File string `yaml:"file"`
	// Whether allowed transactions have an event too. Default: true.
	IncludeAllowed bool `yaml:"include_allowed"`
	// Events waiting for a slow file; more are dropped and counted. Default: 65536.
	Queue int `yaml:"queue" bounds:"1..16777216"`
}

// Log configures the operators' log.
type Log struct {
	// Least level written: debug, info, warn or error. Default: info.
	Level LogLevel `yaml:"level"`
	// Form of a line: text or json. Default: text.
	Format LogFormat `yaml:"format"`
}

// CA configures the certificate authority.
type CA struct {
	// Organisation in the subject of the root. It matters when the root is made, never later. Default: weir.
	Organization string `yaml:"organization"`
	// Life of the certificates made for intercepted names. Default: 14d.
	LeafLifetime Duration `yaml:"leaf_lifetime" bounds:"1h..30d"`
	// Certificates kept in memory. Default: 4096.
	Cache int `yaml:"cache" bounds:"1..1048576"`
}
