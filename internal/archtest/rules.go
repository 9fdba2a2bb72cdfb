package archtest

// The reasons of the rules that are not in a table.
const (
	whyUnknown   = "every package has a layer: give it one in internal/archtest/rules.go and a line in docs/architecture.md"
	whyUpward    = "an arrow goes only downward; move the shared type lower or declare the small interface where it is used"
	whyPeer      = "packages of one layer do not know each other, unless rules.go lists the pair with a reason"
	whyParent    = "a subpackage never imports its parent; shared types sit lowest"
	whyExempt    = "test support and tools never become part of the program"
	whyBottom    = "layer 0 is the vocabulary of everybody: std, x/net/idna and x/net/publicsuffix only"
	whyNewModule = "a third-party module needs a decision record in docs/decisions and a fence in rules.go"
)

const (
	whySansIO  = "protocol and judging code is sans-IO: bytes and values in, values out, so that tests and replay drive it"
	whySetIO   = "a Set asks no network, and touches files only through blocklists/set/mapped, which saves and opens snapshots and no more"
	whyConfig  = "only app sees config; each package has its own Config of parsed values"
	whyApart   = "proxy and resolver never import each other; app passes the one to the other through a small interface"
	whyNoJudge = "detectors find and never decide; names and lists are judged by policy alone"
	whyNoShell = "weir starts no other program"
	whyLogger  = "no global logger: slog is passed in"
	whyDebug   = "it registers handlers on the default mux at import"
	whyWeak    = "keys, ids and ports come from crypto/rand; math/rand/v2 serves jitter"
)

// Architecture is the rule set of this module.
func Architecture() Rules {
	return Rules{
		Rooms:      rooms(),
		Peers:      peers(),
		Bans:       bans(),
		Parents:    parents(),
		Fences:     fences(),
		BottomOnly: []string{"golang.org/x/net/idna", "golang.org/x/net/publicsuffix"},
		Exempt:     []string{"internal/testnet/...", "internal/tools/...", "internal/archtest/..."},
	}
}

func rooms() []Room {
	return []Room{
		{"configs", 0}, // embedded files only
		{"internal/hostname", 0},
		{"internal/verdict", 0},
		{"internal/redact", 0},
		{"internal/address", 0},
		{"internal/weburl", 0},

		{"internal/wire/...", 1},
		{"internal/decode/...", 1},
		{"internal/event", 1},
		{"internal/ca", 1},
		{"internal/config/...", 1},
		{"internal/identity", 1},
		{"internal/memory", 1},
		{"blocklists", 1},
		{"blocklists/set", 1},
		{"blocklists/set/mapped", 1},
		{"blocklists/format", 1},
		{"blocklists/source", 1},
		{"blocklists/lists", 1},

		{"internal/inspect", 2},
		{"internal/reputation/...", 2},

		{"internal/policy", 3},
		{"internal/detect/...", 3},
		{"internal/behavior", 3},

		{"internal/gate", 4},

		{"proxy/...", 5},
		{"resolver/...", 5},
		{"internal/replay", 5},

		{"internal/admin", 6},
		{"internal/app", 6},

		{"cmd/weir", 7},
	}
}

func peers() []Edge {
	return []Edge{
		{"internal/weburl", "internal/hostname", "a URL has a host in its one form"},
		{"blocklists", "blocklists/set", "the front names the types that lie below it"},
		{"blocklists/set", "blocklists/set/mapped", "a Set lies in mapped memory and files; the system calls for that stay in one package that knows nothing of lists"},
		{"blocklists/format", "blocklists/set", "a format yields entries"},
		{"blocklists/format", "internal/decode", "a list may come compressed: the decoder with caps undoes that"},
		{"blocklists/source", "blocklists/set", "a source yields a Set"},
		{"blocklists/source", "blocklists/format", "a source hands its bytes to the parser of its format"},
		{"blocklists/lists", "blocklists/source", "the built-in lists are sources"},
		{"blocklists/lists", "blocklists/set", "a built-in list has a class"},
		{"blocklists/lists", "blocklists/format", "a built-in list is written in a format"},
		{"internal/decode", "internal/decode/...", "one decoder per coding, chained by one function"},
		{"internal/wire/ws", "internal/decode/inflate", "permessage-deflate is DEFLATE cut into messages: one inflater for both"},
		{"internal/detect", "internal/detect/...", "one function lists all detectors"},
		{"internal/detect/...", "internal/detect/needle", "one search for many needles serves several detectors"},
		{"internal/reputation", "internal/reputation/...", "one Book asks for look-alikes and for tenants"},
		{"internal/reputation", "internal/inspect", "its Observer sees finished transactions"},
		{"internal/config/...", "internal/config", "the schema is generated from the config types"},
		{"proxy/...", "proxy/...", "stages of one data path; parents are refused by their own rule"},
		{"resolver/...", "resolver/...", "stages of one data path; parents are refused by their own rule"},
		{"internal/app", "internal/admin", "app is the composition root"},
	}
}

func parents() []Edge {
	return []Edge{
		{"internal/config/...", "internal/config", "generators read the types they describe"},
	}
}

func bans() []Edge {
	out := []Edge{
		{"proxy/...", "resolver/...", whyApart},
		{"resolver/...", "proxy/...", whyApart},
		{"internal/detect/...", "blocklists/...", whyNoJudge},
		{"internal/detect/...", "internal/memory", whyNoJudge},
	}
	for _, to := range []string{"net", "os", "net/http/httputil", "syscall"} {
		out = append(out, Edge{"blocklists/set", to, whySetIO})
	}
	for _, to := range []string{"net", "net/http"} {
		out = append(out, Edge{"blocklists/set/mapped", to, whySetIO})
	}
	for _, room := range rooms() {
		out = append(out, everywhere(room.Pattern)...)
	}
	for _, from := range []string{
		"internal/hostname", "internal/verdict", "internal/redact", "internal/address", "internal/weburl", "internal/wire/...",
		"internal/decode/...", "internal/inspect", "internal/policy", "internal/detect/...", "internal/behavior", "internal/gate",
	} {
		for _, to := range []string{"net", "os", "net/http/httputil", "syscall"} {
			out = append(out, Edge{from, to, whySansIO})
		}
	}
	return out
}

// everywhere lists what no package of the program may import, except for the one that app alone may see.
func everywhere(from string) []Edge {
	out := []Edge{
		{from, "os/exec", whyNoShell},
		{from, "log", whyLogger},
		{from, "net/http/pprof", whyDebug},
		{from, "expvar", whyDebug},
		{from, "math/rand", whyWeak},
	}
	switch from {
	case "internal/app", "internal/config/...":
		return out
	default:
		return append(out, Edge{from, "internal/config/...", whyConfig})
	}
}

func fences() []Fence {
	const (
		anywhere = "anything above layer 0"
		testOnly = "it serves tests only"
	)
	above0 := []string{"internal/...", "proxy/...", "resolver/...", "blocklists/...", "cmd/weir"}
	return []Fence{
		{
			"github.com/elazarl/goproxy",
			[]string{"proxy/goproxy.go"},
			"goproxy is the dispatcher and filter chain, nothing else; one file speaks to it (docs/decisions/0002-goproxy-as-dispatcher.md)",
		},
		{
			"github.com/hashicorp/golang-lru/v2",
			[]string{"internal/ca", "internal/memory", "resolver/cache", "proxy/upstream", "proxy/intercept"},
			"golang-lru only in caches, so that each bounded map is known and measured",
		},
		{"go.yaml.in/yaml", []string{"internal/config/..."}, "YAML is the config file's text form; nobody else parses it"},
		{
			"github.com/miekg/dns",
			[]string{"resolver/...", "blocklists/format", "blocklists/source", "internal/replay"},
			"the library serves the slow path; the gate and all below see values of internal/wire/dns",
		},
		{"github.com/spf13/cobra", []string{"cmd/weir"}, "the command line is the outermost layer"},
		{"github.com/spf13/pflag", []string{"cmd/weir"}, "the command line is the outermost layer"},
		{"github.com/prometheus", []string{"internal/admin"}, "packages expose atomic Stats; admin alone renders them"},
		{"github.com/klauspost/compress", []string{"internal/decode/...", "internal/wire/ws", "proxy/websocket"}, "decoders with caps live in internal/decode and the WebSocket codec"},
		{"github.com/andybalholm/brotli", []string{"internal/decode/..."}, "decoders with caps live in internal/decode"},
		{"github.com/gaissmai/bart", []string{"internal/policy", "internal/identity", "blocklists/set"}, "prefix tables belong to those who match addresses"},
		{"github.com/google/uuid", []string{"internal/event"}, "event ids are made in one place"},
		{"github.com/invopop/jsonschema", []string{"internal/config/..."}, "the schema is generated from the config types"},
		{"github.com/santhosh-tekuri/jsonschema", nil, testOnly},
		{"github.com/rogpeppe/go-internal", nil, testOnly},
		{"go.uber.org/goleak", nil, testOnly},
		{"golang.org/x/crypto", []string{"blocklists/source"}, "BLAKE2b for minisign; what the standard library has comes from there"},
		{"golang.org/x/net", above0, anywhere},
		{"golang.org/x/sync", above0, anywhere},
		{"golang.org/x/text", above0, anywhere},
		{"golang.org/x/sys", []string{"proxy/listener", "resolver/listener", "internal/admin", "internal/app", "blocklists/set/mapped"}, "system calls belong to listeners, to the process, and to the mapping of list snapshots"},
	}
}
