package set_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"weir/blocklists/set"
	"weir/blocklists/set/mapped"
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

// TestSize holds the budgets: 4 bytes per name always resident when opened from a file, 50 in all for names of 23 octets.
func TestSize(t *testing.T) {
	t.Parallel()
	const n = 100_000
	s := compiled(t, generated(n))
	again := reopened(t, s)
	for what, c := range map[string]struct {
		set *set.Set
		max float64
	}{"built": {s, 50}, "opened": {again, 4}} {
		got := c.set.Stats()
		if each := float64(got.Bytes) / n; got.Names != n || each > c.max {
			t.Errorf("%s: %+v: %.1f bytes per name", what, got, each)
		}
	}
	if got := again.Stats(); got.Mapped == 0 || s.Stats().Mapped != 0 {
		t.Errorf("mapped: %+v", got)
	}
}

// TestBuildMemory: what a Builder takes beside the result is less than twice the result; the benchmark sees it of the process.
func TestBuildMemory(t *testing.T) {
	t.Parallel()
	b := set.NewBuilder()
	list, err := b.AddList(set.List{Name: "generated"})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range generated(50_000) {
		if err := b.Add(list, set.Entry{Name: n, Line: uint32(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	extra := b.Extra()
	if result := b.Build().Stats().Bytes; extra > 2*result || extra < result/2 {
		t.Errorf("%d bytes beside %d", extra, result)
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
		misses[i], hits[i] = unlisted(r, i), fresh(names[r.IntN(len(names))])
	}
	return misses, hits
}

// unlisted makes a name of three or four labels that is on no list.
func unlisted(r *rand.Rand, i int) hostname.Name {
	if i%2 == 0 {
		return hostname.MustParse(fmt.Sprintf("www.shop%d.com", r.IntN(1<<30)))
	}
	return hostname.MustParse(fmt.Sprintf("cdn%d.host%d.example.org", r.IntN(1000), r.IntN(1<<30)))
}

// fresh copies a name, as one that came in a packet: Go's map would compare only pointers.
func fresh(n hostname.Name) hostname.Name { return hostname.MustParse(strings.Clone(n.String())) }

// The look-ups are measured side by side: a round asks batch names of each kind, one kind after the other, and what is reported is
// the median round. So all figures of a run saw the same machine, and a neighbour who takes the processor away for a moment spoils
// some rounds and no figure. The names of a batch were just made, as in a server, where the question came in a packet; what is
// asked for lies anywhere in the lists.
const (
	batch  = 1024
	rounds = 400
)

// contestant answers a batch.
type contestant struct {
	name string
	make func() []hostname.Name
	ask  func([]hostname.Name) (found int)
	want int // found per batch
}

// compete reports the time of a question to each, in ns: of the median round, and of one that only a tenth was faster than, which
// tells more of a quiet machine.
func compete(b *testing.B, all []contestant) {
	b.Helper()
	times := make([][]time.Duration, len(all))
	for range rounds {
		for i, c := range all {
			of := c.make()
			start := time.Now()
			found := c.ask(of)
			times[i] = append(times[i], time.Since(start))
			if found != c.want {
				b.Fatalf("%s: %d found, want %d", c.name, found, c.want)
			}
		}
	}
	for i, c := range all {
		slices.Sort(times[i])
		b.ReportMetric(float64(times[i][rounds/2].Nanoseconds())/batch, c.name+"-ns")
		b.ReportMetric(float64(times[i][rounds/10].Nanoseconds())/batch, c.name+"-fast-ns")
	}
}

// answers counts what a Set finds.
func answers(s *set.Set) func([]hostname.Name) int {
	dst := make([]set.Match, 0, 8)
	return func(of []hostname.Name) (found int) {
		for _, n := range of {
			dst = s.Lookup(n, dst[:0])
			found += len(dst)
		}
		return found
	}
}

// askedMap asks Go's map for a name and each of its parents.
func askedMap(plain map[string]uint32) func([]hostname.Name) int {
	return func(of []hostname.Name) (found int) {
		for _, name := range of {
			for n, ok := name, true; ok; n, ok = n.Parent() {
				if _, hit := plain[n.String()]; hit {
					found++
				}
			}
		}
		return found
	}
}

// BenchmarkLookup: run it once (-benchtime 1x).
func BenchmarkLookup(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprint("names=", n), func(b *testing.B) {
			names := generated(n)
			s := reopened(b, compiled(b, names))
			touch(s, names)
			plain := make(map[string]uint32, len(names))
			for i, name := range names {
				plain[name.String()] = uint32(i)
			}
			r := rand.New(rand.NewPCG(9, 9))
			some := func(hit func(i int) bool) func() []hostname.Name {
				of := make([]hostname.Name, batch)
				return func() []hostname.Name {
					for i := range of {
						if of[i] = unlisted(r, i); hit(i) {
							of[i] = fresh(names[r.IntN(len(names))])
						}
					}
					r.Shuffle(batch, func(i, j int) { of[i], of[j] = of[j], of[i] })
					return of
				}
			}
			miss, hit := some(func(int) bool { return false }), some(func(int) bool { return true })
			mixed := some(func(i int) bool { return i%4 == 0 })
			for b.Loop() {
				compete(b, []contestant{
					{"miss", miss, answers(s), 0},
					{"hit", hit, answers(s), batch},
					{"quarter-hits", mixed, answers(s), batch / 4},
					{"gomap-miss", miss, askedMap(plain), 0},
					{"gomap-hit", hit, askedMap(plain), batch},
					{"load-index", miss, loads(int(s.Stats().Bytes), true), 0},
					{"load-file", miss, loads(int(s.Stats().Mapped), false), 0},
				})
			}
		})
	}
}

// touch makes what is mapped resident: else the first hits wait for the disk.
func touch(s *set.Set, names []hostname.Name) {
	var dst []set.Match
	for _, n := range names {
		dst = s.Lookup(n, dst[:0])
	}
}

// loads does one load for each question, from anywhere in as much memory as the index or the file has; the next depends on it. So
// no look-up that leaves the caches once can be faster than this, in this very run, unless the processor overlaps several.
func loads(size int, huge bool) func([]hostname.Name) int {
	at, region := loadable(size, huge)
	order := rand.Perm(len(at) / 16)
	for i, line := range order {
		at[16*line] = uint32(16 * order[(i+1)%len(order)])
	}
	next := uint32(0)
	return func(of []hostname.Name) int {
		for range of {
			next = at[next]
		}
		runtime.KeepAlive(region) // gives the memory back
		return int(next >> 31)
	}
}

// BenchmarkParallel: 8 look-ups at a time on each processor; ns/op is time on the wall per look-up over all.
func BenchmarkParallel(b *testing.B) {
	for _, n := range sizes(b) {
		names := generated(n)
		misses, hits := questions(names)
		s := reopened(b, compiled(b, names))
		touch(s, names)
		for what, of := range map[string][]hostname.Name{"miss": misses, "hit": hits} {
			for _, threads := range []int{1, runtime.NumCPU()} {
				b.Run(fmt.Sprintf("names=%d/%s/threads=%d", n, what, threads), func(b *testing.B) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
					askParallel(b, s, of)
				})
			}
		}
	}
}

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

// BenchmarkLinear compares a name with every entry of a list.
func BenchmarkLinear(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprint("names=", n), func(b *testing.B) {
			names, found := generated(n), 0
			misses, _ := questions(names)
			for i := 0; b.Loop(); i++ {
				for _, n := range names {
					if misses[i&(len(misses)-1)].Within(n) {
						found++
					}
				}
			}
			runtime.KeepAlive(found)
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

// loadable is memory of its own, in huge pages as the index or in small ones as a file.
func loadable(size int, huge bool) ([]uint32, *mapped.Region) {
	size = max(size, 64)
	region, err := mapped.Anonymous(size &^ 63)
	if err != nil {
		return make([]uint32, size/4), nil
	}
	if huge {
		region.Huge()
	}
	b := region.Bytes()
	at := unsafe.Slice((*uint32)(unsafe.Pointer(&b[0])), len(b)/4)
	return at, region
}
