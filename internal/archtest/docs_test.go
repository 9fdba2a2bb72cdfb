package archtest_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/archtest"
)

// atlas is the page that names every package.
const atlas = "docs/architecture.md"

// outside is the layer of what docs/architecture.md puts beside the layers: tests and tools.
const outside = -1

// entry is one row of the tables of packages.
type entry struct {
	level int
	about string
}

var (
	layerHeading = regexp.MustCompile(`^### L(\d) `)
	tableRow     = regexp.MustCompile("^\\| `([a-z][A-Za-z0-9_./-]*)` \\| (.+) \\|$")
	codeSpan     = regexp.MustCompile("`([^`]+)`")
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section returns the text between a heading of the second degree and the next one.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", atlas, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// rows reads the tables below headings such as "### L3 Judging".
func rows(t *testing.T, text string) map[string]entry {
	t.Helper()
	level, out := outside, map[string]entry{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "### ") {
			level = outside
			if m := layerHeading.FindStringSubmatch(line); m != nil {
				level, _ = strconv.Atoi(m[1])
			}
		}
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if _, twice := out[m[1]]; twice {
			t.Errorf("%s names %s twice", atlas, m[1])
		}
		out[m[1]] = entry{level, m[2]}
	}
	if len(out) < 5 {
		t.Fatalf("only %d packages found in %s: the check would prove nothing", len(out), atlas)
	}
	return out
}

// packages are the directories of the module that hold a Go file which is not a test, with what rules.go says of them.
func packages(t *testing.T) map[string]int {
	t.Helper()
	rules, out := archtest.Architecture(), map[string]int{}
	for _, f := range load(t).Files {
		if f.Test {
			continue
		}
		level, longest := outside, -1
		for _, room := range rules.Rooms {
			if archtest.Match(room.Pattern, f.Dir()) && len(room.Pattern) > longest {
				level, longest = room.Level, len(room.Pattern)
			}
		}
		out[f.Dir()] = level
	}
	return out
}

// TestEveryPackageIsOnTheMap holds the tables of docs/architecture.md against the tree, both ways: the code is where the page
// says, in the layer that the page says, and nothing is left out but test support.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	t.Parallel()
	named, real := rows(t, section(t, readDoc(t, atlas), "Every package")), packages(t)
	for _, dir := range slices.Sorted(maps.Keys(real)) {
		e, ok := named[dir]
		switch {
		case !ok && real[dir] != outside:
			t.Errorf("%s does not name package %s", atlas, dir)
		case ok && e.level != real[dir]:
			t.Errorf("%s puts %s into L%d, rules.go into L%d (-1: none)", atlas, dir, e.level, real[dir])
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(named)) {
		if _, ok := real[dir]; ok {
			continue
		}
		// Tools are modules of their own, which the graph leaves out.
		if found, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go")); named[dir].level != outside || len(found) == 0 {
			t.Errorf("%s names package %s, which does not exist", atlas, dir)
		}
	}
}

// TestRoomsThatWait: what the page calls not built yet has a layer waiting and no code; when its code comes, its row moves.
func TestRoomsThatWait(t *testing.T) {
	t.Parallel()
	text := section(t, readDoc(t, atlas), "Rooms that wait")
	n := 0
	for line := range strings.Lines(text) {
		m := tableRow.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		n++
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err == nil {
			t.Errorf("%s says that %s is not built yet; it is: move the row up", atlas, m[1])
		}
	}
	if n == 0 {
		t.Fatal("no rows found: the check would prove nothing")
	}
}

// TestPathsOnTheMapExist: every file and directory that the page names between backticks is there.
func TestPathsOnTheMapExist(t *testing.T) {
	t.Parallel()
	text := readDoc(t, atlas)
	text = fenced.ReplaceAllString(strings.Replace(text, section(t, text, "Rooms that wait"), "", 1), "")
	n := 0
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		p := strings.TrimSuffix(strings.TrimSuffix(m[1], "/..."), "/")
		first, _, _ := strings.Cut(p, "/")
		if !slices.Contains([]string{"cmd", "proxy", "resolver", "blocklists", "configs", "internal", "docs"}, first) || strings.ContainsAny(p, " *") {
			continue
		}
		n++
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(p))); err != nil {
			t.Errorf("%s names %s: %v", atlas, m[1], err)
		}
	}
	if n < 20 {
		t.Fatalf("only %d paths found: the check would prove nothing", n)
	}
}

// manuals are all Markdown files of the repository.
func manuals(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "weir-data"}, d.Name())) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".md") {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 8 {
		t.Fatalf("only %d manuals found: the check would prove nothing", len(out))
	}
	return out
}

var (
	fenced    = regexp.MustCompile("(?ms)^```.*?^```$")
	link      = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	unslugged = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors returns the fragments that headings of a page get on the usual code hosts.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		slug := strings.ReplaceAll(unslugged.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), ""), " ", "-")
		for n, base := 1, slug; out[slug]; n++ {
			slug = base + "-" + strconv.Itoa(n)
		}
		out[slug] = true
	}
	return out
}

// TestLinks: every link between the pages of the repository leads to a file, and to a heading in it.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range manuals(t) {
		text := readDoc(t, page)
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: link %s: %v", page, m[1], err)
				continue
			}
			if fragment != "" && strings.HasSuffix(target, ".md") && !anchors(readDoc(t, target))[fragment] {
				t.Errorf("%s: link %s: %s has no such heading", page, m[1], target)
			}
		}
	}
}

// TestNothingDependsOnDecisionsThatAreGone: source files cite decisions by path.
func TestNothingDependsOnDecisionsThatAreGone(t *testing.T) {
	t.Parallel()
	cited := regexp.MustCompile(`docs/[a-z0-9/-]+\.md`)
	for _, f := range load(t).Files {
		if strings.HasSuffix(f.Path, "docs_test.go") {
			continue
		}
		for _, doc := range cited.FindAllString(readDoc(t, f.Path), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(doc))); err != nil {
				t.Errorf("%s cites %s: %v", f.Path, doc, err)
			}
		}
	}
}
