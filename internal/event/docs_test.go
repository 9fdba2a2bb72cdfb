package event_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/event"
)

const manual = "../../docs/events.md"

// TestManualExamples keeps the examples of the manual equal to what the encoder writes.
func TestManualExamples(t *testing.T) {
	t.Parallel()
	example := regexp.MustCompile("(?s)(<!-- example: ([a-z-]+) -->\n```json\n)(.*?)(```\n)")
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	all := samples()
	seen := map[string]bool{}
	text := example.ReplaceAllStringFunc(string(b), func(block string) string {
		m := example.FindStringSubmatch(block)
		e, ok := all[m[2]]
		if !ok {
			t.Errorf("%s: the example %q has no sample", manual, m[2])
			return block
		}
		seen[m[2]] = true
		want := string(encoder().Append(nil, e))
		if m[3] != want && !*update {
			t.Errorf("%s: the example %q is not what weir writes; run with -update if this is meant", manual, m[2])
		}
		return m[1] + want + m[4]
	})
	for name := range all {
		if !seen[name] {
			t.Errorf("%s: no example of %q", manual, name)
		}
	}
	if *update {
		if err := os.WriteFile(manual, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManualFields compares the table of the manual with the fields that weir writes, both ways.
func TestManualFields(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	_, table, _ := strings.Cut(string(b), "## Fields\n")
	table, _, _ = strings.Cut(table, "## Examples")
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		if documented[m[1]] {
			t.Errorf("%s is documented twice", m[1])
		}
		documented[m[1]] = true
	}
	written := map[string]bool{}
	for _, e := range samples() {
		leaves(decode(t, encoder().Append(nil, e)), "", written)
	}
	leaves(decode(t, encoder().Append(nil, huge("x"))), "", written)
	for _, f := range slices.Sorted(maps.Keys(written)) {
		if !documented[f] {
			t.Errorf("%s is written, but not in the manual", f)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(documented)) {
		if !written[f] {
			t.Errorf("%s is in the manual, but never written", f)
		}
	}
}

func leaves(v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, w := range v {
			leaves(w, strings.TrimPrefix(path+"."+k, "."), into)
		}
	case []any:
		for _, w := range v {
			leaves(w, path, into)
		}
	default:
		into[path] = true
	}
}

// TestManualActions: every kind is in the table of kinds.
func TestManualActions(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for k := event.KindHTTP; k <= event.KindSystem; k++ {
		if !strings.Contains(string(b), "\n| `"+k.String()+"` |") {
			t.Errorf("%s is not in the manual", k)
		}
	}
	if event.Kind(99).String() != "invalid" {
		t.Error("an unknown kind must say so")
	}
}
