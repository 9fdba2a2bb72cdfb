package set_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// generated returns n distinct names of three labels, of the length that lists have on average (20 octets).
func generated(n int) []hostname.Name {
	r := rand.New(rand.NewPCG(7, 7))
	out := make([]hostname.Name, n)
	tlds := [...]string{"com", "net", "example", "info", "xyz", "top", "co.uk", "org"}
	for i := range out {
		out[i] = hostname.MustParse(fmt.Sprintf("www.%x-%05x.%s", i, r.Uint32()&0xfffff, tlds[r.IntN(len(tlds))]))
	}
	return out
}

func compiled(tb testing.TB, names []hostname.Name) *set.Set {
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

// reopened saves s and opens it.
func reopened(tb testing.TB, s *set.Set) *set.Set {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "lists.set")
	if err := s.Save(path); err != nil {
		tb.Fatal(err)
	}
	again, err := set.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	return again
}

// TestSize holds the budgets: 9 bytes per name always resident when opened from a file, 45 in all for names of 23 octets.
func TestSize(t *testing.T) {
	t.Parallel()
	const n = 100_000
	s := compiled(t, generated(n))
	again := reopened(t, s)
	for what, c := range map[string]struct {
		set *set.Set
		max float64
	}{"built": {s, 45}, "opened": {again, 9}} {
		got := c.set.Stats()
		if each := float64(got.Bytes) / n; got.Names != n || each > c.max {
			t.Errorf("%s: %+v: %.1f bytes per name", what, got, each)
		}
	}
	if got := again.Stats(); got.Mapped == 0 || s.Stats().Mapped != 0 {
		t.Errorf("mapped: %+v", got)
	}
}

// sizes of the benchmarks; WEIR_BENCH_NAMES gives others, as in 1000000,5000000.
func sizes(tb testing.TB) []int {
	tb.Helper()
	text := os.Getenv("WEIR_BENCH_NAMES")
	if text == "" {
		return []int{1_000_000}
	}
	var out []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// questions are names on no list and names on one, in random order.
func questions(names []hostname.Name) (misses, hits []hostname.Name) {
	r := rand.New(rand.NewPCG(8, 8))
	misses, hits = make([]hostname.Name, 1<<18), make([]hostname.Name, 1<<18)
	for i := range misses {
		misses[i] = hostname.MustParse(fmt.Sprintf("cdn%d.host%d.example.org", r.IntN(1000), r.IntN(1<<30)))
		if i%2 == 0 {
			misses[i] = hostname.MustParse(fmt.Sprintf("www.shop%d.com", r.IntN(1<<30)))
		}
		hits[i] = hostname.MustParse(strings.Clone(names[r.IntN(len(names))].String())) // else Go's map compares only pointers
	}
	return misses, hits
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprint("names=", n), func(b *testing.B) {
			names := generated(n)
			misses, hits := questions(names)
			s := compiled(b, names)
			again := reopened(b, s)
			b.Run("built/miss", func(b *testing.B) { ask(b, s, misses) })
			b.Run("built/hit", func(b *testing.B) { ask(b, s, hits) })
			b.Run("opened/miss", func(b *testing.B) { ask(b, again, misses) })
			b.Run("opened/hit", func(b *testing.B) { ask(b, again, hits) })
			b.Run("opened/miss/parallel", func(b *testing.B) { askParallel(b, again, misses) })
			b.Run("opened/hit/parallel", func(b *testing.B) { askParallel(b, again, hits) })
			plain := make(map[string]uint32, len(names))
			for i, name := range names {
				plain[name.String()] = uint32(i)
			}
			b.Run("gomap/miss", func(b *testing.B) { askMap(b, plain, misses) })
			b.Run("gomap/hit", func(b *testing.B) { askMap(b, plain, hits) })
			b.Run("linear/miss", func(b *testing.B) { askLinear(b, names, misses) })
			b.Run("memory/load", func(b *testing.B) { loadRandom(b, int(again.Stats().Bytes)) })
		})
	}
}

// processorTime reports what the benchmark cost this process: on a machine that others use too, time on the wall says little.
func processorTime(b *testing.B, run func()) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	runtime.GC()
	before := used()
	run()
	b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op")
}

func ask(b *testing.B, s *set.Set, of []hostname.Name) {
	b.ReportAllocs()
	dst := make([]set.Match, 0, 8)
	for _, n := range of { // touch what is mapped
		dst = s.Lookup(n, dst[:0])
	}
	processorTime(b, func() {
		for i := 0; b.Loop(); i++ {
			dst = s.Lookup(of[i&(len(of)-1)], dst[:0])
		}
	})
}

// askParallel runs 8 goroutines on each processor; ns/op is wall time per look-up over all.
func askParallel(b *testing.B, s *set.Set, of []hostname.Name) {
	b.ReportAllocs()
	b.SetParallelism(8)
	processorTime(b, func() {
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]set.Match, 0, 8)
			for i := rand.Int(); pb.Next(); i++ {
				dst = s.Lookup(of[i&(len(of)-1)], dst[:0])
			}
		})
	})
}

func askMap(b *testing.B, plain map[string]uint32, of []hostname.Name) {
	b.ReportAllocs()
	found := 0
	processorTime(b, func() {
		for i := 0; b.Loop(); i++ {
			for n, ok := of[i&(len(of)-1)], true; ok; n, ok = n.Parent() {
				if _, hit := plain[n.String()]; hit {
					found++
				}
			}
		}
	})
	runtime.KeepAlive(found)
}

// askLinear compares with every entry.
func askLinear(b *testing.B, names, of []hostname.Name) {
	found := 0
	processorTime(b, func() {
		for i := 0; b.Loop(); i++ {
			for _, n := range names {
				if of[i&(len(of)-1)].Within(n) {
					found++
				}
			}
		}
	})
	runtime.KeepAlive(found)
}

// loadRandom is what the machine takes, in this very run, for one load from anywhere in as much memory as the index has, when
// the next load depends on it: no look-up that leaves the caches once can be faster, none that follows a reference faster than twice.
func loadRandom(b *testing.B, size int) {
	at := make([]uint32, size/4)
	order := rand.Perm(len(at) / 16)
	for i, line := range order {
		at[16*line] = uint32(16 * order[(i+1)%len(order)])
	}
	next := uint32(0)
	processorTime(b, func() {
		for b.Loop() {
			next = at[next]
		}
	})
	runtime.KeepAlive(next)
}
