package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/app"
)

// TestLocksAcrossReload: what a lock learnt stays through a reload that locks it, in the process and in its file; lines taken out and put
// in by hand count from then on; a lock that goes lets everything pass again.
func TestLocksAcrossReload(t *testing.T) {
	t.Parallel()
	const lock = "groups: [{name: here, networks: [127.0.0.0/8]}]\nreputation: {lock: [{name: here, groups: [here], learn_until: %s}]}"
	w, f := service(t, sprintf(lock, "2999-01-01T00:00:00Z"))
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(f.Path), "locks", "here.txt")
	reload := func(yaml string) {
		t.Helper()
		if err := os.WriteFile(f.Path, []byte("data_dir: "+filepath.Dir(f.Path)+"\n"+quiet(yaml)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	passes := func(when string, want map[string]bool) {
		t.Helper()
		for name, ok := range want {
			blocked, filtered, err := app.AskOn(w, name)
			if err != nil || blocked == ok || filtered != blocked {
				t.Errorf("%s: %s: blocked %v, filtered %v, %v", when, name, blocked, filtered, err)
			}
		}
	}
	passes("learning", map[string]bool{"one.test": true, "two.test": true})
	reload(sprintf(lock, "2999-01-01T00:00:01Z"))
	passes("learning on", map[string]bool{"three.test": true})
	reload(sprintf(lock, "2020-01-01T00:00:00Z"))
	passes("locked", map[string]bool{"one.test": true, "two.test": true, "three.test": true, "four.test": false, "x.one.test": false})
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != 3 {
		t.Fatalf("%q, %v", text, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "two.test\n", "four.test # by hand\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	reload(sprintf(lock, "2020-01-01T00:00:00Z"))
	passes("edited", map[string]bool{"one.test": true, "two.test": false, "three.test": true, "four.test": true})
	reload("")
	passes("no lock", map[string]bool{"five.test": true})
	reload(sprintf(lock, "2020-01-01T00:00:00Z"))
	passes("locked again", map[string]bool{"one.test": true, "five.test": false})
}
