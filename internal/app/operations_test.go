package app_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/app"
	"weir/internal/config"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/operations.md")

const operations = "../../docs/operations.md"

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// quiet adds to a config what lets a Service be made beside others: no listeners but the resolver's own, no events.
func quiet(yaml string) string {
	var out strings.Builder
	out.WriteString(yaml + "\n")
	for key, value := range map[string]string{
		"proxy": "{listen: []}", "resolver": "{listen: [], upstreams: [127.0.0.1:9]}", "events": `{file: ""}`, "log": "{level: error}", "admin": `{listen: ""}`,
	} {
		if !strings.Contains("\n"+yaml, "\n"+key+":") {
			out.WriteString(key + ": " + value + "\n")
		}
	}
	return out.String()
}

// service makes a Service, not started, and returns it with the path of its config.
func service(t *testing.T, yaml string) (*app.Service, *app.File) {
	t.Helper()
	f := load(t, quiet(yaml))
	w, err := app.New(t.Context(), f, app.Streams{Out: io.Discard, Err: io.Discard}, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return w, f
}

// TestMetricsTable holds the table of docs/operations.md against what the admin listener really shows.
func TestMetricsTable(t *testing.T) {
	t.Parallel()
	w, _ := service(t, "events: {file: /dev/null}\nlists: [{name: mine, file: /dev/null}]\ngroups: [{name: servers, networks: [10.0.0.0/8]}]\n"+
		"reputation: {lock: [{name: servers, groups: [servers], learn_until: 2999-01-01T00:00:00Z}]}\n")
	table := "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n" + strings.Join(metricRows(t, w.Scrape()), "\n") + "\n"
	page, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), "<!-- metrics:begin -->\n")
	old, after, ok2 := strings.Cut(rest, "<!-- metrics:end -->")
	if !ok || !ok2 {
		t.Fatal("the page has no markers for the table")
	}
	if old == table {
		return
	}
	if !*update {
		t.Fatalf("the table of metrics in %s is stale: go test ./internal/app -run TestMetricsTable -update", operations)
	}
	if err := os.WriteFile(operations, []byte(before+"<!-- metrics:begin -->\n"+table+"<!-- metrics:end -->"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	helpLine  = regexp.MustCompile(`(?m)^# HELP (weir_\w+) (.*)\n# TYPE \w+ (\w+)\n(?:\w+(\{.*\})?)`)
	labelPair = regexp.MustCompile(`(\w+)="`)
)

// metricRows reads the exposition; it is sorted by name.
func metricRows(t *testing.T, exposition string) (rows []string) {
	t.Helper()
	for _, m := range helpLine.FindAllStringSubmatch(exposition, -1) {
		var labels []string
		for _, l := range labelPair.FindAllStringSubmatch(m[4], -1) {
			labels = append(labels, l[1])
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", m[1], m[3], strings.Join(labels, ", "), m[2]))
	}
	if len(rows) < 40 {
		t.Fatalf("only %d metrics found in\n%s", len(rows), exposition)
	}
	return rows
}

// TestRestartKeys holds the documented keys against those of the code, and every key of the config against both.
func TestRestartKeys(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "What only a restart changes")
	_, rest, ok2 := strings.Cut(rest, "\n\n")
	list, _, _ := strings.Cut(rest, "\n\n")
	if !ok || !ok2 {
		t.Fatal("the page does not say what only a restart changes")
	}
	var documented []string
	for _, m := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(list, -1) {
		documented = append(documented, m[1])
	}
	if want := app.RestartKeys(config.Default()); !slices.Equal(documented, want) {
		t.Errorf("documented %q, in the code %q", documented, want)
	}
	live := []string{ // what Reload swaps: policy, lists and upstreams
		"version", "mode", "proxy.connect_ports", "proxy.http_ports", "resolver.upstreams", "resolver.block_answer", "resolver.block_ttl", "clients",
		"groups", "internal", "lists", "builtin_lists", "reputation.bad", "reputation.untrusted", "reputation.unknown", "reputation.shared", "reputation.known", "reputation.unknown_for",
		"reputation.suspect_for", "reputation.protect", "reputation.risky_suffixes", "reputation.lock", "rules", "default", "interception", "inspection", "detectors",
	}
	for _, key := range keys("", reflect.TypeFor[config.File]()) {
		in := func(set []string) bool {
			return slices.ContainsFunc(set, func(p string) bool { return key == p || strings.HasPrefix(key, p+".") })
		}
		if in(documented) == in(live) {
			t.Errorf("%s: does a reload change it, or only a restart?", key)
		}
	}
}

// keys lists the keys of a section and of those in it.
func keys(path string, typ reflect.Type) (out []string) {
	for f := range typ.Fields() {

		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == typ.PkgPath() && f.Type.NumField() > 0 && f.Type.Field(0).Tag.Get("yaml") != "" {
			out = append(out, keys(path+key+".", f.Type)...)
			continue
		}
		out = append(out, path+key)
	}
	return out
}

// TestReloadTellsWhatWaits: a reload swaps what it can, keeps the data directory, shows the new lists in the metrics, and says, each
// time until the restart, which keys wait for it.
func TestReloadTellsWhatWaits(t *testing.T) {
	t.Parallel()
	w, f := service(t, "lists: [{name: first, file: /dev/null}]\n")
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Scrape(), `weir_list_failing{list="first"} 1`) || !strings.Contains(w.Scrape(), `weir_list_age_seconds{list="first"} +Inf`) {
		t.Errorf("a list that cannot be read is not shown:\n%s", w.Scrape())
	}
	mine := filepath.Join(filepath.Dir(f.Path), "mine.txt")
	if err := os.WriteFile(mine, []byte("a.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "data")
	yaml := quiet("data_dir: " + elsewhere + "\nca: {cache: 7}\nlists: [{name: second, format: domains, file: " + mine + "}]\n")
	yaml = strings.Replace(yaml, "upstreams: [127.0.0.1:9]", "upstreams: [127.0.0.2:9]", 1)
	if err := os.WriteFile(f.Path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		restart, err := w.Reload(t.Context())
		if err != nil || !slices.Equal(restart, []string{"data_dir", "ca"}) {
			t.Errorf("got %q, %v", restart, err)
		}
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a reload has moved the data directory")
	}
	text := w.Scrape()
	if strings.Contains(text, `list="first"`) || !strings.Contains(text, `weir_list_rules{list="second"} 1`) || !strings.Contains(text, `weir_list_failing{list="second"} 0`) {
		t.Errorf("metrics of other lists than those in force:\n%s", text)
	}
	if err := os.WriteFile(mine, []byte("b.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	states, err := app.ListsStatus(t.Context(), f) // of the running weir, whatever the file says now
	if err != nil || len(states) == 0 || states[0].Name != "second" || states[0].State != "current" || states[0].Next.IsZero() {
		t.Errorf("status: %+v, %v", states, err)
	}
}
