package format_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/blocklists/format"
)

// many returns lines of n names, each after a form with one %d.
func many(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form+"\n", i)
	}
	return b.String()
}

// TestBadLineCostsItself: what opens a record over lines and never closes it takes no other line away.
func TestBadLineCostsItself(t *testing.T) {
	t.Parallel()
	const good = 165
	for name, c := range map[string]struct {
		kind          format.Format
		text          string
		names, syntax int
		line          uint32
	}{
		"csv: a stray quote":            {format.CSV, "id,domain\n1,\"a.example\n" + many("%d,n%[1]d.example", good), good, 1, 2},
		"csv: quoted records follow":    {format.CSV, "id,domain\n1,\"a.example\n" + many("\"%d\",\"n%[1]d.example\"", good), good, 1, 2},
		"csv: at the end":               {format.CSV, "id,domain\n" + many("%d,n%[1]d.example", good) + "1,\"a.example\n2,b.example\n", good + 1, 1, good + 2},
		"csv: every line":               {format.CSV, "id,domain\n" + many("%d,\"n%[1]d.example\"x", good), 0, good, 2},
		"csv: a record too short":       {format.CSV, "id,domain\n\"1\n2,b.example\n3\"\n4,d.example\n", 2, 2, 2},
		"rpz: an open parenthesis":      {format.RPZ, "a.example CNAME (\n" + many("n%d.example CNAME .", good), good, 1, 1},
		"rpz: near the end":             {format.RPZ, many("n%d.example CNAME .", good) + "a.example CNAME (\nb.example CNAME .\n", good + 1, 1, good + 1},
		"rpz: closed by another record": {format.RPZ, "a.example CNAME (\nb.example CNAME .\nc.example CNAME . )\n" + many("n%d.example CNAME .", good), good + 1, 2, 1},
		"rpz: every line":               {format.RPZ, many("n%d.example CNAME ( .", good), 0, good, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first uint32
			sum, err := format.Parse(strings.NewReader(c.text), c.kind, func(format.Entry) {}, func(d format.Diagnostic) {
				if first == 0 {
					first = d.Line
				}
			})
			if err != nil || sum.Names != c.names || sum.Skipped[format.ReasonSyntax] != c.syntax || first != c.line {
				t.Errorf("%d names, %v, first at line %d, %v; want %d names, %d, line %d", sum.Names, sum.Skipped, first, err, c.names, c.syntax, c.line)
			}
		})
	}
}

// TestBindComment: a comment without end is told at the line on which it began.
func TestBindComment(t *testing.T) {
	t.Parallel()
	text := "ZONE \"a.example\" IN { TYPE Master; };\n// x\n/* why\n" + many("zone \"n%d.example\" { type master; };", 3)
	var got []format.Diagnostic
	sum, err := format.Parse(strings.NewReader(text), format.Auto, func(format.Entry) {}, func(d format.Diagnostic) { got = append(got, d) })
	if err != nil || sum.Format != format.Bind || sum.Names != 1 || sum.Skipped[format.ReasonSyntax] != 1 || len(got) != 1 || got[0].Line != 3 {
		t.Errorf("%+v, %v, %v", sum, got, err)
	}
}
