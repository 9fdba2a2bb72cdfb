package detect_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/internal/detect"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

var update = flag.Bool("update", false, "write docs/detectors.md")

// registry is made once: tests open streams by the ten thousand.
var registry = sync.OnceValue(detect.All)

func byName(t testing.TB, name string) inspect.Detector {
	t.Helper()
	for _, d := range registry() {
		if d.Info().Name == name {
			return d
		}
	}
	t.Fatalf("no detector %q", name)
	return nil
}

// run hands data, cut into the parts that size chooses, to a detector.
func run(t testing.TB, name string, layer inspect.Layer, data []byte, size func() int) (out []inspect.Match) {
	t.Helper()
	s := byName(t, name).(inspect.Body).Stream(&inspect.Transaction{}, layer, func(m inspect.Match) { out = append(out, m) })
	if s == nil {
		return nil
	}
	part := make([]byte, len(data))
	for at := 0; at < len(data); {
		n := min(len(data)-at, max(1, size()))
		copy(part, data[at:at+n])
		s.Write(part[:n])
		clear(part[:n]) // p is only valid during the call
		at += n
	}
	s.Close()
	return out
}

func all(data []byte) func() int { return func() int { return len(data) } }

// cutsAgree checks that no cut changes what is found, and returns it.
func cutsAgree(t testing.TB, name string, layer inspect.Layer, data []byte) []inspect.Match {
	t.Helper()
	want := run(t, name, layer, data, all(data))
	if got := run(t, name, layer, data, func() int { return 1 }); !slices.Equal(got, want) {
		t.Fatalf("%s octet by octet: %v, want %v", name, got, want)
	}
	step := max(1, len(data)/1500) // every cut of what is short
	for cut := 0; cut < len(data); cut += step {
		first := true
		got := run(t, name, layer, data, func() int {
			if first {
				first = false
				return cut
			}
			return len(data)
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%s cut at %d: %v, want %v", name, cut, got, want)
		}
	}
	return want
}

// head hands a transaction to a detector in every phase and returns what it found in the one, and fails on finds in others.
func head(t *testing.T, name string, phase inspect.Phase, tx *inspect.Transaction) (out []inspect.Match) {
	t.Helper()
	d := byName(t, name).(inspect.Header)
	for _, p := range []inspect.Phase{inspect.Open, inspect.Request, inspect.Response} {
		d.Head(tx, p, func(m inspect.Match) {
			if p != phase {
				t.Errorf("%s speaks in phase %d: %v", name, p, m)
				return
			}
			out = append(out, m)
		})
	}
	return out
}

func TestRegistry(t *testing.T) {
	names := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	technique := regexp.MustCompile(`^T1\d{3}(\.\d{3})?$`)
	seen := map[string]bool{}
	for _, d := range detect.All() {
		i := d.Info()
		_, header := d.(inspect.Header)
		_, body := d.(inspect.Body)
		switch {
		case !names.MatchString(i.Name), seen[i.Name]:
			t.Errorf("name %q", i.Name)
		case !technique.MatchString(i.Technique):
			t.Errorf("%s: technique %q", i.Name, i.Technique)
		case i.About == "" || i.False == "":
			t.Errorf("%s: says nothing about itself", i.Name)
		case !header && !body:
			t.Errorf("%s: looks at nothing", i.Name)
		case i.Safety != verdict.SafetyNone && i.Default != verdict.Block:
			t.Errorf("%s: a safety refusal that does not block", i.Name)
		}
		seen[i.Name] = true
	}
	if len(seen) < 9 {
		t.Errorf("%d detectors", len(seen))
	}
}

func TestDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Detectors\n\nGenerated from the registry by `go test ./internal/detect -run TestDocument -update`; do not edit.\n\n" +
		"Detectors find, policy decides: *default* is what happens when no rule of the policy speaks of the detector. A *safety* refusal stays\n" +
		"in force in observe mode and cannot be allowed by a rule. *Looks at* says in which part of a transaction a detector works.\n\n" +
		"| Detector | Severity | Default | Technique | Safety | Looks at |\n|---|---|---|---|---|---|\n")
	for _, d := range detect.All() {
		i := d.Info()
		safety := i.Safety.String()
		if safety == "" {
			safety = "-"
		}
		fmt.Fprintf(&b, "| [%[1]s](#%[1]s) | %s | %s | %s | %s | %s |\n", i.Name, i.Severity, i.Default, i.Technique, safety, sees(d))
	}
	for _, d := range detect.All() {
		i := d.Info()
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nFalse positives: %s\n", i.Name, i.About, i.False)
	}
	path := filepath.Join("..", "..", "docs", "detectors.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, []byte(b.String())) {
		t.Fatalf("%s is out of date: run this test with -update", path)
	}
}

func sees(d inspect.Detector) string {
	var out []string
	if _, ok := d.(inspect.Header); ok {
		out = append(out, "heads")
	}
	if _, ok := d.(inspect.Body); ok {
		out = append(out, "bodies and messages")
	}
	return strings.Join(out, ", ")
}

// TestEmptyTransaction: nothing is found, and nothing panics, where nothing is known.
func TestEmptyTransaction(t *testing.T) {
	for _, d := range detect.All() {
		h, ok := d.(inspect.Header)
		if !ok {
			continue
		}
		for _, p := range []inspect.Protocol{inspect.HTTP, inspect.WebSocket, inspect.DNS} {
			for phase := inspect.Open; phase <= inspect.Done; phase++ {
				h.Head(&inspect.Transaction{Protocol: p}, phase, func(m inspect.Match) { t.Errorf("%s: %v", d.Info().Name, m) })
			}
		}
	}
}
