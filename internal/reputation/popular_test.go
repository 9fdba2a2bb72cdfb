package reputation_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/reputation"
	"weir/internal/reputation/lookalike"
	"weir/internal/verdict"
)

// listed is a list with its names, one a line.
type listed struct {
	list  set.List
	names []string
}

func setOf(t testing.TB, lists ...listed) *set.Set {
	t.Helper()
	b := set.NewBuilder()
	for _, l := range lists {
		n, err := b.AddList(l.list)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range l.names {
			if err := b.Add(n, set.Entry{Name: hostname.MustParse(text), Line: uint32(i + 1)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Build()
}

// popular makes n names of syllables, in no order; those of another seed are others.
func popular(n int, seed uint64) []string {
	syllables := []string{"ba", "co", "di", "fu", "ge", "ha", "jo", "ka", "lo", "mi", "no", "pa", "ri", "so", "te", "un", "ve", "wa", "xi", "yo", "ze", "st", "er", "al", "on", "net"}
	random := rand.New(rand.NewPCG(seed, 1))
	out := make([]string, n)
	for i := range out {
		for range 4 {
			out[i] += syllables[random.IntN(len(syllables))]
		}
		out[i] += fmt.Sprintf("%x.com", i)
	}
	return out
}

// TestRanked: which lists say who is popular, and what rank a line has.
func TestRanked(t *testing.T) {
	t.Parallel()
	names := popular(2000, 1)
	ordered := slices.Sorted(slices.Values(names))
	for _, c := range []struct {
		what string
		list set.List
		in   []string
		rank int // of the third name; 0: the list does not count
	}{
		{"by rank", set.List{Class: set.ClassKnown}, names, 3},
		{"by the alphabet", set.List{Class: set.ClassKnown}, ordered, 2000},
		{"by the alphabet, short", set.List{Class: set.ClassKnown}, ordered[:500], 1001},
		{"too short", set.List{Class: set.ClassKnown}, names[:99], 0},
		{"tried out", set.List{Class: set.ClassKnown, Shadow: true}, names, 0},
		{"of another class", set.List{Class: set.ClassShared}, names, 0},
		{"block list", set.List{}, names, 0},
	} {
		rank := 0
		for _, p := range reputation.Ranked(setOf(t, listed{c.list, c.in})) {
			if p.Name == name(c.in[2]) {
				rank = p.Rank
			}
		}
		if rank != c.rank {
			t.Errorf("%s: rank %d, want %d", c.what, rank, c.rank)
		}
	}
	if reputation.Ranked(nil) != nil {
		t.Error("no lists")
	}
}

// TestRankedBounds: beyond rank 100,000 nothing counts, in whatever order.
func TestRankedBounds(t *testing.T) {
	t.Parallel()
	names := popular(120_000, 2)
	got := reputation.Ranked(setOf(t, listed{set.List{Class: set.ClassKnown}, names}))
	if len(got) != 100_000 || got[0].Rank != 1 || got[0].Name != name(names[0]) || got[99_999].Rank != 100_000 {
		t.Errorf("%d names, from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	slices.Sort(names)
	if got := reputation.Ranked(setOf(t, listed{set.List{Class: set.ClassKnown}, names})); got != nil {
		t.Errorf("%d names of a long list without order", len(got))
	}
}

// TestImitatesRanked: what looks like a name of a popularity list is untrusted, the names of the list are not, and another list in its
// place protects others.
func TestImitatesRanked(t *testing.T) {
	t.Parallel()
	book := func(top string) *reputation.Book {
		names := popular(20_000, 3)
		names[500], names[15_000] = top, "far-"+top
		return reputation.New(reputation.Config{
			UnknownFor: day, SuspectFor: 30 * day, Lookalikes: lookalike.New(reputation.Ranked(setOf(t, listed{set.List{Class: set.ClassKnown}, names}))),
		})
	}
	for _, c := range []struct {
		top, asked string
		want       verdict.Class
	}{
		{"gardenmarket.com", "gardenrnarket.com", verdict.ClassUntrusted},
		{"gardenmarket.com", "gardenmakret.com", verdict.ClassUntrusted}, // a slip, of one among the first 1,000
		{"gardenmarket.com", "far-gardenmakret.com", verdict.ClassUnknown},
		{"gardenmarket.com", "gardenmarket.com", verdict.ClassUnknown},
		{"gardenmarket.com", "gardenmarket.de", verdict.ClassUnknown},
		{"riverbank.com", "gardenrnarket.com", verdict.ClassUnknown},
		{"riverbank.com", "riverbαnk.com", verdict.ClassUntrusted},
	} {
		if got := book(c.top).Judge(reputation.Question{Now: now, Name: name(c.asked)}); got.Class != c.want {
			t.Errorf("%s beside %s: %+v", c.asked, c.top, got)
		}
	}
}

// TestRankedSize: an index of the 100,000 names that count of a longer list stays within 4.5 MB.
func TestRankedSize(t *testing.T) {
	s := setOf(t, listed{set.List{Class: set.ClassKnown}, popular(150_000, 4)})
	before, began, all := heap(), time.Now(), total()
	names := reputation.Ranked(s)
	walked := time.Since(began)
	index := lookalike.New(names)
	built, count := time.Since(began)-walked, len(names)
	peak := total() - all
	names = nil
	grown := heap() - before
	runtime.KeepAlive(index)
	runtime.KeepAlive(names)
	t.Logf("%d names: read in %v, index built in %v, %d octets held, %d allocated in all while building", count, walked, built, grown, peak)
	if grown > 4_500_000 || count != 100_000 {
		t.Errorf("%d octets held for %d names", grown, count)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func total() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

func BenchmarkRanked(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		s := setOf(b, listed{set.List{Class: set.ClassKnown}, popular(n, 5)}, listed{set.List{}, popular(100_000, 6)})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lookalike.New(reputation.Ranked(s))
			}
		})
	}
}
