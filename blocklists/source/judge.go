package source

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"weir/blocklists/format"
)

// judge parses a text without keeping it. had is how many entries the text in force has.
func (s Source) judge(r io.Reader, digest string, had int, w *watch) (format.Summary, error) {
	if s.SHA256 != "" && !strings.EqualFold(s.SHA256, digest) {
		return format.Summary{}, fmt.Errorf("%w: got %s", ErrDigest, digest)
	}
	sum, err := format.ParseWith(r, s.options(), w.entry, w.skipped)
	switch {
	case err != nil:
		return sum, fmt.Errorf("parse: %w", err)
	case w.err() != nil:
		return sum, w.err()
	case sum.Entries() == 0:
		return sum, s.nothing(sum, had)
	case isGarbage(sum):
		return sum, fmt.Errorf("%w: %d entries%s", ErrGarbage, sum.Entries(), reasons(sum.Skipped))
	}
	return sum, nil
}

// nothing is what is wrong with a text without entries.
func (s Source) nothing(sum format.Summary, had int) error {
	switch {
	case had > 0 && !s.emptiedOnPurpose(sum):
		return fmt.Errorf("%w: it had %d%s", ErrEmptied, had, reasons(sum.Skipped))
	case len(sum.Skipped) > 0:
		return fmt.Errorf("%w of a list in format %s: %s", ErrUseless, sum.Format, strings.TrimPrefix(reasons(sum.Skipped), "; "))
	case s.URL != "":
		return ErrEmpty
	}
	return nil
}

// A text counts as garbage when at least so many things in it cannot be read, and so many times more than can.
const (
	garbageLeast = 1000
	garbageRatio = 10
)

// isGarbage says whether a text that was read under a named format has next to nothing of it. Rules that are well formed and of
// no use to us, as those that hide parts of pages, do not count.
func isGarbage(sum format.Summary) bool {
	bad := 0
	for _, r := range [...]format.Reason{
		format.ReasonTooLong, format.ReasonName, format.ReasonAddress, format.ReasonTrailing, format.ReasonSyntax,
	} {
		bad += sum.Skipped[r]
	}
	return bad >= garbageLeast && bad > garbageRatio*max(sum.Entries(), 0)
}

// reasons names what was skipped, most first.
func reasons(skipped map[format.Reason]int) string {
	if len(skipped) == 0 {
		return ""
	}
	var out []string
	for _, r := range slices.SortedFunc(maps.Keys(skipped), func(a, b format.Reason) int {
		return cmp.Or(cmp.Compare(skipped[b], skipped[a]), cmp.Compare(a, b))
	}) {
		out = append(out, fmt.Sprintf("%d %s", skipped[r], r))
	}
	return "; " + strings.Join(out, ", ") + " skipped"
}

// emptiedOnPurpose takes a file that holds comments and nothing else as its owner's wish; an empty one may be half written.
func (s Source) emptiedOnPurpose(sum format.Summary) bool {
	return s.Path != "" && len(sum.Skipped) == 0 && sum.Bytes > 2*int64(sum.Lines) // more than line ends
}
