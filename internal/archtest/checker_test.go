package archtest_test

import (
	"strings"
	"testing"

	"weir/internal/archtest"
)

// graph makes a module of one file that imports what is given.
func graph(file string, imports ...string) archtest.Graph {
	return archtest.Graph{Module: "weir", Files: []archtest.File{{
		Path: file, Imports: imports, Test: strings.HasSuffix(file, "_test.go"),
	}}}
}

// TestCheckerRefuses shows that each rule bites: a graph that breaks it fails, with the reason in the message.
func TestCheckerRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		imp  string
		why  string
	}{
		{"goproxy outside its file", "proxy/connect.go", "github.com/elazarl/goproxy", "one file speaks to it"},
		{"goproxy in another package", "internal/app/run.go", "github.com/elazarl/goproxy", "one file speaks to it"},
		{"goproxy's signer extension", "proxy/request.go", "github.com/elazarl/goproxy/ext/auth", "one file speaks to it"},
		{"upward import", "internal/policy/rules.go", "weir/internal/gate", "only downward"},
		{"upward from the bottom", "internal/verdict/verdict.go", "weir/internal/event", "only downward"},
		{"app from the data path", "proxy/request.go", "weir/internal/app", "only downward"},
		{"resolver imports proxy", "resolver/serve.go", "weir/proxy", "never import each other"},
		{"proxy stage imports resolver cache", "proxy/upstream/dial.go", "weir/resolver/cache", "never import each other"},
		{"new package in no layer", "internal/surprise/surprise.go", "fmt", "every package has a layer"},
		{"import of a package in no layer", "internal/app/app.go", "weir/internal/surprise", "every package has a layer"},
		{"new top-level package", "extra/extra.go", "fmt", "every package has a layer"},
		{"same layer, not listed", "internal/behavior/beacon.go", "weir/internal/policy", "do not know each other"},
		{"replay imports proxy", "internal/replay/replay.go", "weir/proxy", "do not know each other"},
		{"wire packages among themselves", "internal/wire/ws/frame.go", "weir/internal/wire/dns", "do not know each other"},
		{"stage imports its parent", "proxy/intercept/serve.go", "weir/proxy", "never imports its parent"},
		{"format imports its parent", "blocklists/format/hosts.go", "weir/blocklists", "never imports its parent"},
		{"detectors among themselves", "internal/detect/eicar/eicar.go", "weir/internal/detect/syntax", "do not know each other"},
		{"detector imports the listing", "internal/detect/eicar/eicar.go", "weir/internal/detect", "never imports its parent"},
		{"config seen by proxy", "proxy/proxy.go", "weir/internal/config", "only app sees config"},
		{"config seen by the command", "cmd/weir/main.go", "weir/internal/config", "only app sees config"},
		{"detector judges names", "internal/detect/sni.go", "weir/blocklists", "policy alone"},
		{"sockets in a parser", "internal/wire/ws/frame.go", "net", "sans-IO"},
		{"files in the gate", "internal/gate/gate.go", "os", "sans-IO"},
		{"global logger", "internal/app/run.go", "log", "no global logger"},
		{"shell out", "internal/admin/admin.go", "os/exec", "starts no other program"},
		{"profiles on the default mux", "internal/admin/admin.go", "net/http/pprof", "default mux"},
		{"weak randomness", "internal/ca/leaf.go", "math/rand", "crypto/rand"},
		{"third party at the bottom", "internal/hostname/name.go", "golang.org/x/sync/errgroup", "layer 0"},
		{"lru outside a cache", "internal/gate/gate.go", "github.com/hashicorp/golang-lru/v2", "only in caches"},
		{"yaml outside config", "internal/policy/load.go", "go.yaml.in/yaml/v3", "nobody else parses it"},
		{"other yaml outside config", "internal/policy/load.go", "go.yaml.in/yaml/v4", "nobody else parses it"},
		{"miekg in the gate", "internal/gate/gate.go", "github.com/miekg/dns", "slow path"},
		{"cobra in app", "internal/app/app.go", "github.com/spf13/cobra", "outermost layer"},
		{"prometheus in proxy", "proxy/stats.go", "github.com/prometheus/client_golang/prometheus", "admin alone renders"},
		{"module without a fence", "proxy/proxy.go", "example.org/new/thing", "decision record"},
		{"test dependency in the program", "proxy/proxy.go", "go.uber.org/goleak", "serves tests only"},
		{"test support in the program", "internal/app/app.go", "weir/internal/testnet", "never become part of the program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := archtest.Architecture().Check(graph(tt.file, tt.imp))
			if len(got) == 0 {
				t.Fatalf("%s importing %s passed", tt.file, tt.imp)
			}
			if !strings.Contains(got[0].String(), tt.why) || !strings.Contains(got[0].String(), tt.file) {
				t.Fatalf("message does not say %q and %q:\n%s", tt.file, tt.why, got[0])
			}
		})
	}
}

// TestCheckerAllows shows that the rules leave room for what the design wants.
func TestCheckerAllows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		imp  string
	}{
		{"goproxy in its file", "proxy/goproxy.go", "github.com/elazarl/goproxy"},
		{"policy asks lists", "internal/policy/snapshot.go", "weir/blocklists"},
		{"policy asks memory", "internal/policy/class.go", "weir/internal/memory"},
		{"detector reads the wire", "internal/detect/sni.go", "weir/internal/wire/tlshello"},
		{"detect lists its parts", "internal/detect/detect.go", "weir/internal/detect/eicar"},
		{"behavior writes memory", "internal/behavior/beacon.go", "weir/internal/memory"},
		{"stage uses a stage", "proxy/intercept/serve.go", "weir/proxy/session"},
		{"parent uses a stage", "proxy/connect.go", "weir/proxy/intercept"},
		{"source uses format", "blocklists/source/http.go", "weir/blocklists/format"},
		{"format yields entries", "blocklists/format/hosts.go", "weir/blocklists/set"},
		{"app sees config", "internal/app/build.go", "weir/internal/config"},
		{"app sees admin", "internal/app/build.go", "weir/internal/admin"},
		{"main runs app", "cmd/weir/main.go", "weir/internal/app"},
		{"name parser", "internal/hostname/name.go", "golang.org/x/net/idna"},
		{"tests have oracles", "internal/wire/dns/fuzz_test.go", "github.com/miekg/dns"},
		{"testnet joins both paths", "internal/testnet/testnet.go", "weir/internal/app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range archtest.Architecture().Check(graph(tt.file, tt.imp)) {
				t.Error(v)
			}
		})
	}
}

// TestEveryRuleHasAReason keeps the data honest.
func TestEveryRuleHasAReason(t *testing.T) {
	t.Parallel()
	r := archtest.Architecture()
	for _, list := range [][]archtest.Edge{r.Peers, r.Bans, r.Parents} {
		for _, e := range list {
			if e.Why == "" {
				t.Errorf("%s -> %s has no reason", e.From, e.To)
			}
		}
	}
	for _, f := range r.Fences {
		if f.Why == "" {
			t.Errorf("fence of %s has no reason", f.Module)
		}
	}
}

func TestLintRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\t_ = 1\n", 60)
	branchy := strings.Repeat("\tif a && b {\n\t}\n", 6)
	tests := []struct {
		name string
		file string
		src  string
		what string
	}{
		{"init", "proxy/a.go", "package proxy\nfunc init() {}\n", "func init"},
		{"stock action", "proxy/goproxy.go", "package proxy\nimport \"github.com/elazarl/goproxy\"\nvar x = goproxy.MitmConnect\n", "MitmConnect"},
		{"stock handler", "proxy/goproxy.go", "package proxy\nimport g \"github.com/elazarl/goproxy\"\nvar x = g.AlwaysMitm\n", "AlwaysMitm"},
		{"published key, in a test", "proxy/goproxy_test.go", "package proxy\nimport \"github.com/elazarl/goproxy\"\nvar x = goproxy.GoproxyCa\n", "GoproxyCa"},
		{"accept", "proxy/goproxy.go", "package proxy\nvar x = goproxy.ConnectAction{Action: goproxy.ConnectAccept}\n", "ConnectAccept"},
		{"canonicalisation off", "proxy/goproxy.go", "package proxy\nfunc f() { p.PreventCanonicalization = true }\n", "PreventCanonicalization"},
		{"hop-by-hop kept", "proxy/goproxy.go", "package proxy\nvar p = T{KeepHeader: true}\n", "KeepHeader"},
		{"proxy judges a name", "proxy/upstream/a.go", "package upstream\nfunc f() { x.Policy().Admit(&q, nil) }\n", "calls Admit"},
		{"resolver judges an address", "resolver/answer/a.go", "package answer\nfunc f() { snap.AdmitAddress(&q, nil) }\n", "calls AdmitAddress"},
		{"app judges a finding", "internal/app/a.go", "package app\nfunc f() { snap.Finding(&q, m, nil) }\n", "calls Finding"},
		{"proxy asks the policy for a port", "proxy/a.go", "package proxy\nfunc f() bool { return t.x.Policy().Port(443, true) }\n", "calls Policy().Port"},
		{"proxy asks the policy for interception", "proxy/a.go", "package proxy\nfunc f() { g.Policy().Interception(&q) }\n", "calls Policy().Interception"},
		{"resolver asks a list", "resolver/a.go", "package resolver\nfunc f() { set.Lookup(n, nil) }\n", "calls Lookup"},
		{"gate asks a list past the policy", "internal/gate/a.go", "package gate\nfunc f() { set.LookupAddr(a, nil) }\n", "calls LookupAddr"},
		{"empty package name", "internal/util/a.go", "package util\n", "package util"},
		{"clock in the gate", "internal/gate/a.go", "package gate\nimport \"time\"\nfunc f() { _ = time.Now() }\n", "time.Now"},
		{"shared client", "blocklists/source/a.go", "package source\nimport \"net/http\"\nvar c = http.DefaultClient\n", "DefaultClient"},
		{"global slog", "proxy/a.go", "package proxy\nimport \"log/slog\"\nfunc f() { slog.Info(\"x\") }\n", "slog.Info"},
		{"exit below main", "internal/app/a.go", "package app\nimport \"os\"\nfunc f() { os.Exit(1) }\n", "os.Exit"},
		{"global lock", "proxy/a.go", "package proxy\nimport \"sync\"\nvar mu sync.Mutex\n", "package-level state mu"},
		{"global map", "proxy/a.go", "package proxy\nvar seen = make(map[string]bool)\n", "package-level state seen"},
		{"global atomic", "proxy/a.go", "package proxy\nimport \"sync/atomic\"\nvar n atomic.Int64\n", "package-level state n"},
		{"long function", "proxy/a.go", "package proxy\nfunc f() {\n" + long + "}\n", "62 lines"},
		{"branchy function", "proxy/a.go", "package proxy\nfunc f(a, b bool) {\n" + branchy + "}\n", "complexity 13"},
		{"long file", "proxy/a.go", "package proxy\n" + strings.Repeat("//\n", 500), "allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := archtest.HouseHabits().Lint(source(t, tt.file, tt.src), nil)
			if len(got) == 0 || !strings.Contains(got[0].String(), tt.what) || !strings.Contains(got[0].String(), tt.file) {
				t.Fatalf("want a violation that says %q, got %v", tt.what, got)
			}
		})
	}
}

func TestLintAllows(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"clock above the gate": "package proxy\nimport \"time\"\nfunc f() { _ = time.Now() }\n",
		"command":              "package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n",
		"pool":                 "package proxy\nimport \"sync\"\nvar p = sync.Pool{}\n",
		"full file":            "package proxy\n" + strings.Repeat("//\n", 499),
		"gate's interception":  "package proxy\nfunc f() { _ = x.Interception(now); _ = addr.Port(); _ = x.Policy().Client(a) }\n",
		"method called init":   "package proxy\ntype t struct{}\nfunc (t) init() {}\n",
		"function at limits":   "package proxy\nfunc f() {\n" + strings.Repeat("\t_ = 1\n", 58) + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range archtest.HouseHabits().Lint(source(t, "proxy/a.go", src), nil) {
				t.Error(v)
			}
		})
	}
}

// TestException shows that an exception covers its one violation, and only with a reason.
func TestException(t *testing.T) {
	t.Parallel()
	g := source(t, "internal/gate/a.go", "package gate\nimport \"time\"\nfunc f() { _ = time.Now(); time.Sleep(1) }\n")
	tests := []struct {
		name  string
		allow archtest.Exception
		left  int
	}{
		{"covers", archtest.Exception{Path: "internal/gate/a.go", What: "uses time.Now", Why: "stated"}, 1},
		{"no reason", archtest.Exception{Path: "internal/gate/a.go", What: "uses time.Now"}, 2},
		{"other file", archtest.Exception{Path: "internal/gate/b.go", What: "uses time.Now", Why: "stated"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := archtest.HouseHabits()
			h.Allow = []archtest.Exception{tt.allow}
			if got := h.Lint(g, nil); len(got) != tt.left {
				t.Fatalf("%d violations left, want %d: %v", len(got), tt.left, got)
			}
		})
	}
}

func source(t *testing.T, file, src string) archtest.Graph {
	t.Helper()
	f, err := archtest.Parse(file, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return archtest.Graph{Module: "weir", Files: []archtest.File{f}}
}
