package mapped

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
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

// TestLetGo says that what was read of a mapped file is no longer resident, and is read again.
func TestLetGo(t *testing.T) {
	const size = 8 << 20
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(path, bytes.Repeat([]byte("weir"), size/4)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Map()
	if err != nil {
		t.Fatal(err)
	}
	touch := func() (sum int) {
		for i := 0; i < size; i += 4096 {
			sum += int(r.Bytes()[i])
		}
		return sum
	}
	want := int('w') * size / 4096
	if got := touch(); got != want {
		t.Fatalf("read %d, want %d", got, want)
	}
	if got := residentOf(t, path); got != size {
		t.Fatalf("%d bytes are resident, want all %d", got, size)
	}
	r.LetGo()
	if got := residentOf(t, path); got != 0 {
		t.Fatalf("%d bytes are still resident", got)
	}
	if got := touch(); got != want {
		t.Fatalf("read %d again, want %d", got, want)
	}
	r.Free()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// residentOf reads how many bytes of a mapped file the process has in memory (proc(5), smaps).
func residentOf(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	sum, here := 0, false
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 4 && strings.Contains(fields[0], "-"):
			here = fields[len(fields)-1] == path
		case here && fields[0] == "Rss:":
			kb, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += kb << 10
		}
	}
	return sum
}
