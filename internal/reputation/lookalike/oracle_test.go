package lookalike

import (
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"

	"weir/internal/hostname"
)

// distance is optimal string alignment (Damerau-Levenshtein without overlapping edits) by the textbook matrix.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// skeletonOf spells a skeleton out, character by character.
func skeletonOf(x *Index, label string) string {
	var out strings.Builder
	for _, c := range x.read(label).text {
		letters := string(c)
		if c >= 0x80 {
			letters = x.look(c).letters
		}
		out.WriteString(strings.NewReplacer("-", "", "0", "o", "1", "l", "i", "l", "5", "s", "m", "rn", "w", "vv", "d", "cl").Replace(letters))
	}
	return out.String()
}

// naive finds the best score by comparing with every name: all pairs, no index.
func naive(x *Index, popular []Popular, name hostname.Name) (best int) {
	reg, err := publicsuffix.EffectiveTLDPlusOne(name.String())
	if err != nil {
		return 0
	}
	label, suffix, _ := strings.Cut(reg, ".")
	suspect := x.read(label)
	same := false
	for _, p := range popular {
		if target := registrable(p.Name.String()); target != "" {
			same = same || strings.HasPrefix(target, label+".")
			if target == reg && !suspect.hopeless(suffix) {
				return 0
			}
		}
	}
	for _, p := range popular {
		target := registrable(p.Name.String())
		if target == "" {
			continue
		}
		wanted, _, _ := strings.Cut(target, ".")
		shape := 0
		if skeletonOf(x, label) == skeletonOf(x, wanted) && wanted != label && !suspect.hopeless(suffix) && (p.Protected || !same) {
			shape = x.likeness(suspect, wanted, p.Protected)
		}
		if c := classOf(p); !same && c <= classHigh && len(label) >= 6 && len(wanted) >= 6 && !strings.HasPrefix(label+wanted, "xn--") &&
			!strings.HasPrefix(wanted, "xn--") && distance(label, wanted) == 1 {
			shape = max(shape, slip(label, wanted))
		}
		if score := min(shape-classOf(p).discount(), 100); score >= minScore {
			best = max(best, score)
		}
	}
	return best
}

// FuzzFind: the index finds what comparing all pairs finds, with the same score.
func FuzzFind(f *testing.F) {
	f.Add("google.com microsoft.com paypal.com", "rnicrosoft.com")
	f.Add("google.com apple.com", "xn--pple-43d.com")
	f.Add("facebook.com twitter.com", "facebok.net")
	f.Add("abcdef.com bacdef.org abcdeff.net", "abdcef.com")
	f.Add("muller.com wikipedia.org", "vvikipedia.org")
	f.Add("aaaaaa.com aaaaaaa.com", "aaaaaaaa.com")
	f.Add("xn--e1aybc.com tect.com", "tect.org")
	f.Fuzz(func(t *testing.T, list, suspect string) {
		name, err := hostname.FromDNS(suspect)
		if err != nil || name.Labels() > 2 {
			return
		}
		var popular []Popular
		seen := map[hostname.Name]bool{}
		for i, text := range strings.Fields(list) {
			n, err := hostname.Parse(text)
			if err != nil || len(popular) == 64 {
				continue
			}
			if n = n.Registrable(); !seen[n] {
				seen[n] = true
				popular = append(popular, Popular{Name: n, Rank: 1 + i*700})
			}
		}
		x := New(popular)
		got, ok := x.Find(name)
		want := naive(x, popular, name)
		if int(got.Score) != want || ok != (want > 0) {
			t.Fatalf("Find(%s) among %s: %v, all pairs say %d", name, list, got, want)
		}
		for _, p := range popular {
			if s, ok := x.Find(p.Name); ok && !strings.HasPrefix(p.Name.String(), "xn--") {
				t.Fatalf("the listed %s looks like %s", p.Name, s.Of)
			}
		}
	})
}

// TestVariants: whatever is one slip away shares a variant, and the slip is told from more than one.
func TestVariants(t *testing.T) {
	t.Parallel()
	const letters = "ab1-"
	var labels []string
	for n := range 6 {
		for i := range 1 << (2 * n) {
			s := make([]byte, n)
			for j := range s {
				s[j] = letters[i>>(2*j)&3]
			}
			labels = append(labels, string(s))
		}
	}
	labels = append(labels[:200:200], labels[len(labels)-300:]...)
	of := func(s string) map[uint64]bool {
		m := map[uint64]bool{}
		variants(s, func(h uint64) { m[h] = true })
		return m
	}
	near := 0
	for _, a := range labels {
		m := of(a)
		for _, b := range labels {
			d := distance(a, b)
			if (d == 1) != (slip(a, b) > 0) {
				t.Fatalf("slip(%q, %q) = %d at distance %d", a, b, slip(a, b), d)
			}
			if d != 1 {
				continue
			}
			near++
			common := false
			for h := range of(b) {
				common = common || m[h]
			}
			if !common {
				t.Fatalf("%q and %q share no variant", a, b)
			}
		}
	}
	if near == 0 {
		t.Fatal("no pair compared")
	}
}
