package lists_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/blocklists/lists"
	"weir/blocklists/set"
	"weir/blocklists/source"
)

// sharedData is where real lists lie, outside of the repository.
const sharedData = "../../../shared/data"

// TestCanaries: the built-in canaries parse, each says why, and names stand once.
func TestCanaries(t *testing.T) {
	t.Parallel()
	seen, reasons := map[string]bool{}, map[string]int{}
	for _, c := range lists.Canaries() {
		if c.Why == "" || c.Name.IsZero() == !c.Prefix.IsValid() || seen[c.String()] {
			t.Errorf("%s (%q): twice, or without a reason", c, c.Why)
		}
		seen[c.String()] = true
		reasons[c.Why]++
	}
	for _, want := range []string{"com", "co.uk", "google.com", "www.google.com", "ocsp.digicert.com", "registry.npmjs.org", "198.41.0.4"} {
		if !seen[want] {
			t.Errorf("%s is no canary", want)
		}
	}
	t.Logf("%d canaries: %v", len(seen), reasons)
}

// TestBuiltinBlocksNoCanary: what is built in as bad or untrusted covers no canary.
func TestBuiltinBlocksNoCanary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var src []source.Source
	for _, s := range lists.Builtin() {
		path := filepath.Join(dir, s.List.Name)
		if err := os.WriteFile(path, []byte(s.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Path, s.Text = path, ""
		src = append(src, s)
	}
	m, err := source.New(source.Config{Sources: src, Canaries: lists.Canaries()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Load(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRealLists: no real block list that lies at hand is refused for a canary. Those of the warning lists are lists of what must
// not be blocked, and many of them must be refused.
func TestRealLists(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(sharedData); err != nil {
		t.Skip("SKIPPED: ../shared/data is absent, the real lists are not tested")
	}
	var src []source.Source
	for _, dir := range []string{"urlhaus-2022", "hagezi-2022", "adguard-urlfilter", "doh-dibdot", "maltrail-trails", "blocky-testdata", "misp-warninglists", "npm-lists/top-sites-1.1.222"} {
		err := filepath.WalkDir(filepath.Join(sharedData, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !notList(path) {
				one := source.Source{List: set.List{Name: path, Class: set.ClassBad}, Path: path}
				if strings.HasPrefix(dir, "npm-lists") {
					one.Column = "rootDomain"
				}
				src = append(src, one)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(src) < 100 {
		t.Fatalf("only %d lists", len(src))
	}
	m, err := source.New(source.Config{Sources: src, Canaries: lists.Canaries()})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.Load(t.Context()) // what is wrong stands in the status
	loaded, refused := 0, map[string]bool{}
	for _, s := range m.Status() {
		name := strings.TrimPrefix(s.Name, sharedData+"/")
		switch {
		case s.Loaded:
			loaded++
		case strings.Contains(s.LastError, source.ErrCanary.Error()):
			refused[name] = true
			if !popular(name) {
				t.Errorf("%s: %s", name, s.LastError)
			}
		default:
			t.Logf("%s: %s", name, s.LastError)
		}
	}
	for _, want := range []string{"misp-warninglists/lists/tranco10k/list.json", "misp-warninglists/lists/cisco_top20k/list.json", "npm-lists/top-sites-1.1.222/top-sites.json"} {
		if !refused[want] {
			t.Errorf("%s as a block list is let through", want)
		}
	}
	t.Logf("%d lists loaded, %d refused for a canary: %v", loaded, len(refused), refused)
}

// notList knows what lies beside the lists.
func notList(path string) bool {
	switch filepath.Ext(path) {
	case ".md", ".go", ".rules", ".SOURCE", ".lock", ".ts", ".js", ".png":
		return true
	}
	return strings.Contains(path, "LICENSE") || strings.Contains(path, "package")
}

// popular knows the lists of popular names, which nobody blocks.
func popular(name string) bool {
	return strings.HasPrefix(name, "misp-warninglists/") || strings.HasPrefix(name, "npm-lists/")
}
