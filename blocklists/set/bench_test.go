package set_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// generated returns n distinct names of three labels, of the length that lists have on average (20 octets).
func generated(n int) []hostname.Name {
	r := rand.New(rand.NewPCG(7, 7))
	out := make([]hostname.Name, n)
	for i := range out {
		out[i] = hostname.MustParse(fmt.Sprintf("www.%x-%05x.example", i, r.Uint32()&0xfffff))
	}
	return out
}

func million(tb testing.TB, names []hostname.Name) *set.Set {
	tb.Helper()
	b := set.NewBuilder()
	list, err := b.AddList(set.List{Name: "generated"})
	if err != nil {
		tb.Fatal(err)
	}
	for i, n := range names {
		if err := b.Add(list, set.Entry{Name: n, Line: uint32(i + 1)}); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Build()
}

// TestSize holds the budget of 40 bytes per name beside the bytes of longer names, and one heap object per part.
func TestSize(t *testing.T) {
	t.Parallel()
	const n = 100_000
	names := generated(n)
	text := 0
	for _, name := range names {
		text += len(name.String())
	}
	got := million(t, names).Stats()
	if got.Names != n || float64(got.Bytes)/n > 20+float64(text)/n {
		t.Errorf("%+v: %.1f bytes per name of %.1f octets", got, float64(got.Bytes)/n, float64(text)/n)
	}
}

func BenchmarkLookup(b *testing.B) {
	names := generated(1_000_000)
	s := million(b, names)
	b.Logf("%.1f bytes per name", float64(s.Stats().Bytes)/float64(len(names)))
	misses := make([]hostname.Name, 1<<16)
	hits := make([]hostname.Name, 1<<16)
	for i := range misses {
		misses[i] = hostname.MustParse(fmt.Sprintf("cdn.host%d.example.org", i))
		hits[i] = names[(i*7919)%len(names)]
	}
	dst := make([]set.Match, 0, 8)
	run := func(of []hostname.Name) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				dst = s.Lookup(of[i&(len(of)-1)], dst[:0])
				i++
			}
		}
	}
	b.Run("miss4labels", run(misses))
	b.Run("hit3labels", run(hits))
	plain := make(map[string]uint32, len(names))
	for i, n := range names {
		plain[n.String()] = uint32(i)
	}
	b.Run("gomap/miss4labels", func(b *testing.B) {
		i, found := 0, 0
		for b.Loop() {
			for n, ok := misses[i&(len(misses)-1)], true; ok; n, ok = n.Parent() {
				if _, hit := plain[n.String()]; hit {
					found++
				}
			}
			i++
		}
	})
	runtime.KeepAlive(plain)
}

func BenchmarkBuild(b *testing.B) {
	names := generated(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		million(b, names)
	}
}
