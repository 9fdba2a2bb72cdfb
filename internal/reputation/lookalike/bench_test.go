package lookalike_test

import (
	"fmt"
	"runtime"
	"testing"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

// generated makes n popular names of syllables, as ordinary labels are built.
func generated(n int) []lookalike.Popular {
	syllables := []string{"ba", "co", "di", "fu", "ge", "ha", "in", "jo", "ka", "lo", "mi", "no", "or", "pa", "qu", "ri", "so", "te", "un", "ve", "wa", "xi", "yo", "ze", "st", "er", "al", "on", "net", "shop", "web", "cloud"}
	out := make([]lookalike.Popular, n)
	for i := range out {
		label := ""
		for v := uint64(i) * 0x9e3779b97f4a7c15 >> 24; len(label) < 8; v >>= 5 {
			label += syllables[v&31]
		}
		out[i] = lookalike.Popular{Name: hostname.MustParse(fmt.Sprintf("%s%x.com", label, i&0xfff)), Rank: i + 1}
	}
	return out
}

// TestAllocations: our part costs none for plain names; the one that is left is x/net's, whose publicsuffix asks netip whether the
// name is an address and drops the error that says no.
func TestAllocations(t *testing.T) {
	index := lookalike.New(listed())
	for _, host := range []string{"www.example.com", "rnicrosoft.com", "micorsoft.com", "paypal.com.evil.example", "secure-paypal-login.com", "a.b.c.d.example.co.uk"} {
		name := hostname.MustParse(host)
		if n := testing.AllocsPerRun(100, func() { index.Find(name) }); n > 1 {
			t.Errorf("%s: %v allocations, 1 allowed", host, n)
		}
	}
}

// TestSize: names cost their text and about 9 octets each, and the deletions of the first 10,000 about a megabyte more.
func TestSize(t *testing.T) {
	const n = 100_000
	grown, text := size(generated(n))
	if beside, budget := grown-text, int64(10*n+120*10_000); beside > budget {
		t.Errorf("%d octets beside the text of %d names, %d allowed", beside, n, budget)
	}
}

// size returns how much the heap grows by an index, and how much of it is the text of the names.
func size(popular []lookalike.Popular) (grown, text int64) {
	for _, p := range popular {
		text += int64(len(p.Name.String()))
	}
	before := heap()
	index := lookalike.New(popular)
	grown = heap() - before
	runtime.KeepAlive(index)
	runtime.KeepAlive(popular)
	return grown, text
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		popular := generated(n)
		for i := range 50 {
			popular[i].Protected = true
		}
		index := lookalike.New(append(popular, listed()...))
		for _, bench := range []struct{ what, host string }{
			{"ordinary", "www.gardening-weekly.example"},
			{"long", "a.b.c.d.some-long-label-of-an-ordinary-kind.co.uk"},
			{"listed", "www.google.com"},
			{"skeleton", "rnicrosoft.com"},
			{"slip", "micorsoft.com"},
			{"foreign", "xn--pple-43d.com"},
			{"hyphens", "my-secure-account-login-verify.com"},
		} {
			name := hostname.MustParse(bench.host)
			b.Run(fmt.Sprintf("%s/%d", bench.what, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					index.Find(name)
				}
			})
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			popular := generated(n)
			grown, text := size(popular)
			b.ReportAllocs()
			for b.Loop() {
				lookalike.New(popular)
			}
			b.ReportMetric(float64(grown)/1e6, "MB-held")
			b.ReportMetric(float64(grown-text)/float64(n), "B/name-beside-text")
		})
	}
}
