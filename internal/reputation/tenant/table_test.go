package tenant

import (
	"strings"
	"testing"

	"weir/internal/hostname"
)

// TestRows: each suffix occurs once, is a canonical name, and each row can name a tenant or says that it cannot.
func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	n := 0
	for _, part := range [][]row{stores(), amazon(), google(), microsoft(), compute(), pages(), delivery(), tunnels(), code(), pastes(), files(), chats(), bases()} {
		for _, r := range part {
			n++
			if seen[r.suffix] {
				t.Errorf("%s twice", r.suffix)
			}
			seen[r.suffix] = true
			if hostname.MustParse(r.suffix).String() != r.suffix {
				t.Errorf("%s is not canonical", r.suffix)
			}
			if r.service == "" && r.take != marked && r.take != own || strings.Contains(r.service, "/") {
				t.Errorf("%s has service %q", r.suffix, r.service)
			}
			if (r.take == exact || r.take == within || r.take == region) && r.paths == "" || r.take == marked && r.marks == "" {
				t.Errorf("%s can have no tenant", r.suffix)
			}
			for pattern := range strings.FieldsSeq(r.paths) {
				if !strings.HasPrefix(pattern, "/") || strings.Count(pattern, "/") > maxSegments {
					t.Errorf("%s: pattern %s", r.suffix, pattern)
				}
			}
		}
	}
	if n < 200 || len(rows()) != n {
		t.Errorf("%d rows, %d in the table", n, len(rows()))
	}
}
