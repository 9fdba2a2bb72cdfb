package archtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/archtest"
)

// root is the module root seen from this directory.
const root = "../.."

func load(t *testing.T) archtest.Graph {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	g, err := archtest.Load(root, strings.TrimSpace(strings.TrimPrefix(first, "module ")))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Files) < 5 {
		t.Fatalf("only %d Go files found below %s: the check would prove nothing", len(g.Files), root)
	}
	return g
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for _, v := range archtest.Architecture().Check(load(t)) {
		t.Error(v)
	}
}

func TestHabits(t *testing.T) {
	t.Parallel()
	for _, v := range archtest.HouseHabits().Lint(load(t), []string{"internal/archtest"}) {
		t.Error(v)
	}
}

// TestEveryDirectRequirementHasAFence keeps go.mod and the fences together: a module that go.mod requires directly has a fence.
func TestEveryDirectRequirementHasAFence(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	fences := archtest.Architecture().Fences
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.Contains(fields[0], ".") || !strings.HasPrefix(fields[1], "v") {
			continue
		}
		found := false
		for _, f := range fences {
			found = found || strings.HasPrefix(fields[0], f.Module)
		}
		if !found {
			t.Errorf("go.mod requires %s, which has no fence in rules.go", fields[0])
		}
	}
}
