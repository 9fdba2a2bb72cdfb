package mapped

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestUnmapped: what nobody can reach is given back; what somebody holds is not.
func TestUnmapped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "unmapped")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	mappings := func() int {
		text, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), path)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	held, err := f.Map()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.Map(); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 { // clean-ups run in a goroutine of the runtime
		if mappings() == 1 {
			break
		}
		runtime.GC()
	}
	if n := mappings(); n != 1 || string(held.Bytes()) != "text" {
		t.Errorf("%d mappings, %q", n, held.Bytes())
	}
	held.Free()
	if n := mappings(); n != 0 {
		t.Errorf("%d mappings after Free", n)
	}
}
