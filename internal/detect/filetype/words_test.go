package filetype

import (
	"bytes"
	"testing"
)

func naiveFind(text []byte) (found uint32) {
	for i, g := range groups {
		for _, w := range g {
			if bytes.Contains(text, []byte(w)) {
				found |= 1 << i
			}
		}
	}
	return found
}

func TestEveryWordIsFound(t *testing.T) {
	for i, g := range groups {
		for _, w := range g {
			text := []byte("xx" + w + "yy")
			if got := lexicon.find(text); got&(1<<i) == 0 || got != naiveFind(text) {
				t.Errorf("%q: %b, want %b", w, got, naiveFind(text))
			}
		}
	}
	if len(groups) > 32 || scriptletGroups>>uint(len(groups)) != 0 {
		t.Fatalf("%d groups do not fit the masks", len(groups))
	}
}

// FuzzFindAgreesWithNaive: one pass finds what a search for each word finds.
func FuzzFindAgreesWithNaive(f *testing.F) {
	f.Add([]byte("iex (new-object net.webclient).downloadstring('x')"))
	f.Add([]byte("<scriptlet><registration><script >"))
	f.Add([]byte("iex"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := lexicon.find(text), naiveFind(text); got != want {
			t.Fatalf("%b, want %b", got, want)
		}
	})
}
