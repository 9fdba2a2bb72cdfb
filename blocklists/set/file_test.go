package set_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// small is a Set with a bit of everything.
func small(tb testing.TB) *set.Set {
	tb.Helper()
	b := set.NewBuilder()
	b.SetNote([]byte("note \x00\xff"))
	for i, l := range []set.List{
		{Name: "a", Class: set.ClassShared, Category: "c", Action: set.ActionAllow, Priority: -3, Groups: []string{"x", "y"}, GrantAllow: true, GrantRewrite: true, GrantClients: true, Confidence: 90, Shadow: true, Nearest: true, Source: "s", Updated: time.Unix(1e9, 5).UTC(), Hash: "h"},
		{Name: "b"},
	} {
		n, err := b.AddList(l)
		if err != nil {
			tb.Fatal(err)
		}
		for _, e := range []set.Entry{
			named("example.com", 1), named("a.example.com", 2, exact), named("b.example.com", 3, below, important),
			named("ok.example.com", 4, exception), named("com", uint32(5+i)), prefix("192.0.2.0/24", 6), prefix("2001:db8::/32", 7), prefix("0.0.0.0/0", 8),
			urlEntry("h.example/a", 9), urlEntry("h.example/a/?q", 10),
			{Fingerprint: ja3, Line: 11},
			{Fingerprint: ja4, Line: 12},
			{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Trigger: set.Client, Reply: set.ReplyDrop, Line: 13},
			named("ns.example", 14, exact, func(e *set.Entry) { e.Trigger = set.Server }),
			named("a.example.com", 15, exact, func(e *set.Entry) { e.Reply, e.Data, e.Types = set.ReplyData, "A 192.0.2.1", set.NewTypes(false, 1) }),
		} {
			if err := b.Add(n, e); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return b.Build()
}

// everything says what a Set answers to a fixed choice of questions.
func everything(s *set.Set) string {
	var out strings.Builder
	for _, q := range asked() {
		fmt.Fprintln(&out, q, say(s, q.ask(s, nil)))
	}
	for i := range uint16(s.Lists()) {
		fmt.Fprintln(&out, s.List(i), s.ListStats(i))
	}
	count := s.Stats()
	count.Bytes, count.Mapped = 0, 0
	fmt.Fprintf(&out, "%+v %q", count, s.Note())
	return out.String()
}

// asked is that choice.
func asked() []question {
	out := []question{
		{url: "h.example/a/?q"},
		{url: "h.example/a/b"},
		{url: "h.example/b"},
		{print: ja3},
		{print: ja4},
		{print: ""},
		{addr: netip.MustParseAddr("192.0.2.1"), trigger: set.Client},
		{addr: netip.MustParseAddr("::"), trigger: set.Server},
		{name: hostname.MustParse("ns.example"), trigger: set.Server},
	}
	for _, n := range []string{"example.com", "a.example.com", "x.a.example.com", "b.example.com", "x.b.example.com", "ok.example.com", "com", "net", "x.net", "y.com"} {
		out = append(out, question{name: hostname.MustParse(n)})
	}
	for _, a := range []string{"192.0.2.1", "198.51.100.1", "2001:db8::1", "::1"} {
		out = append(out, question{addr: netip.MustParseAddr(a)})
	}
	return out
}

func TestSaveOpen(t *testing.T) {
	t.Parallel()
	s := small(t)
	want := everything(s)
	path := filepath.Join(t.TempDir(), "lists.set")
	for range 3 { // a Set from a file can be saved again, over itself
		if err := s.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := set.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := everything(again); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
		for i := range uint16(s.Lists()) {
			if !reflect.DeepEqual(again.List(i), s.List(i)) {
				t.Errorf("list: %+v, want %+v", again.List(i), s.List(i))
			}
		}
		s = again
	}
	if err := os.Remove(path); err != nil { // what is open stays
		t.Fatal(err)
	}
	if got := everything(s); got != want {
		t.Errorf("removed: %s", got)
	}
	s.Close()
	if got := s.Lookup(hostname.MustParse("example.com"), nil); got != nil || s.Stats() != (set.Stats{}) {
		t.Errorf("closed: %v", got)
	}
	var none *set.Set
	none.Close()
	for _, s := range []*set.Set{nil, {}, set.NewBuilder().Build(), build(t, nil, nil)} {
		if err := s.Save(path); err != nil {
			t.Fatal(err)
		}
		if again, err := set.Open(path); err != nil || everything(again) != everything(s) {
			t.Errorf("empty: %v", err)
		}
	}
}

// TestDamaged changes every byte of a snapshot, and cuts it everywhere: Open refuses each.
func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "lists.set")
	if err := small(t).Save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "damaged")
	refused := func(what string, text []byte) {
		write(t, path, text)
		if s, err := set.Open(path); !errors.Is(err, set.ErrSnapshot) || s != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range whole {
		text := bytes.Clone(whole)
		text[i] ^= 1 << (i % 8)
		refused(fmt.Sprint("byte ", i), text)
		refused(fmt.Sprint("cut at ", i), whole[:i])
	}
	refused("longer", append(bytes.Clone(whole), 0))
	refused("twice", append(bytes.Clone(whole), whole...))
	if _, err := set.Open(dir); err == nil {
		t.Error("a directory opens")
	}
	if _, err := set.Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func write(tb testing.TB, path string, text []byte) {
	tb.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// FuzzOpen: whatever a file holds, Open fails or gives a Set that answers; a changed snapshot that opens answers as the whole one.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "lists.set")
	s := small(f)
	if err := s.Save(path); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	want := everything(s)
	f.Add(whole)
	f.Add(whole[:600])
	f.Add([]byte("weirset\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "lists.set")
		write(t, path, text)
		s, err := set.Open(path)
		if err != nil {
			return
		}
		if got := everything(s); got != want && bytes.Contains(text, whole[:64]) { // the seed of this process: made from whole
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		s.Close()
	})
}

// reseal makes all sums of a changed snapshot right again, as only a forger does.
func reseal(text []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	size := func(at int) int { return int(binary.LittleEndian.Uint64(text[at:])) }
	off, sums := 512, []byte(nil)
	for _, at := range []int{64, 72, 80} { // the sizes of meta, index and records
		n := size(at)
		if n < 0 || n > len(text)-off {
			break
		}
		for i := 0; i < n; i += 1 << 20 {
			sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(text[off+i:off+min(n, i+1<<20)], table))
		}
		off += n
	}
	if off+len(sums) == len(text) {
		copy(text[off:], sums)
	}
	binary.LittleEndian.PutUint32(text[64+8*36:], crc32.Checksum(sums, table))
	binary.LittleEndian.PutUint32(text[508:], crc32.Checksum(text[:508], table))
	return text
}

// FuzzForged: a file with right sums and senseless content is refused or answers something; it never panics, nor reads elsewhere.
func FuzzForged(f *testing.F) {
	path := filepath.Join(f.TempDir(), "lists.set")
	if err := small(f).Save(path); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte(nil))
	for at := range len(whole) {
		f.Add(uint16(at), []byte{0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		text := bytes.Clone(whole)
		copy(text[int(at)%len(text):], patch)
		path := filepath.Join(t.TempDir(), "lists.set")
		write(t, path, reseal(text))
		s, err := set.Open(path)
		if err != nil {
			return
		}
		defer s.Close()
		_ = everything(s)
		for _, q := range asked() {
			for _, m := range q.ask(s, nil) {
				if text, _ := s.EntryText(m); text == "" || int(m.List) >= s.Lists() {
					t.Errorf("%+v matches nothing: %+v", q, m)
				}
			}
		}
		for n := range s.Names(0, 0, 1, 2, 3) {
			if n.IsZero() {
				t.Error("a name that is none")
			}
		}
		for i := range uint32(200) {
			_, _ = s.EntryText(set.Match{Entry: i})
			_, _ = s.EntryText(set.Match{Entry: i | 1<<31})
		}
	})
}

// TestForeignMatch: any number that is no rule of the Set is the zero Entry, and none is a panic.
func TestForeignMatch(t *testing.T) {
	t.Parallel()
	s := small(t)
	good := 0
	for i := range uint32(4000) {
		for _, m := range []set.Match{{Entry: i}, {Entry: i | 1<<31}, {Entry: ^i}} {
			if e := s.Entry(m); e.Line != 0 {
				good++
			}
		}
	}
	if want := s.Stats().Rules; good != want {
		t.Errorf("%d entries, want %d", good, want)
	}
}

// TestLarge: with enough names that buckets overflow, every name is found and no other.
func TestLarge(t *testing.T) {
	t.Parallel()
	names := generated(50_000)
	s := reopened(t, compiled(t, names))
	dst := make([]set.Match, 0, 4)
	for i, n := range names {
		dst = s.Lookup(n, dst[:0])
		if len(dst) != 1 {
			t.Fatalf("%v: %v", n, dst)
		}
		if e := s.Entry(dst[0]); e.Name != n || e.Line != uint32(i+1) {
			t.Fatalf("%v: %+v", n, e)
		}
	}
	misses, _ := questions(names)
	for _, n := range misses[:50_000] {
		if dst = s.Lookup(n, dst[:0]); len(dst) != 0 {
			t.Fatalf("%v: %v", n, dst)
		}
	}
}

// TestAwkward: names whose records share blocks badly, in many lists, too long for a block, or of escapes only, are all found.
func TestAwkward(t *testing.T) {
	t.Parallel()
	label := func(n int) string { return strings.Repeat("x", n) }
	for what, lengths := range map[string][]int{"one a block": {50}, "halves": {30, 60}, "long": {63 + 63 + 63}, "all": {1, 20, 40, 44, 45, 60, 120, 180}} {
		lists := make([][]set.Entry, 3)
		var names []hostname.Name
		for i := range 6000 {
			text := fmt.Sprintf("%05dz", i)
			for n := lengths[i%len(lengths)]; n > 0; n -= 60 {
				text = label(min(n, 60)) + "." + text
			}
			names = append(names, hostname.MustParse(text))
			for l := range i%len(lists) + 1 {
				lists[l] = append(lists[l], set.Entry{Name: names[i], Line: uint32(i + 1)})
			}
		}
		s := reopened(t, build(t, lists...))
		for i, n := range names {
			ms := s.Lookup(n, nil)
			if len(ms) != i%len(lists)+1 || s.Entry(ms[len(ms)-1]).Line != uint32(i+1) {
				t.Fatalf("%s: %v: %v", what, n, ms)
			}
		}
	}
	long, err := hostname.FromDNS(strings.Repeat(strings.Repeat(`\001`, 60)+".", 4) + "example")
	if err != nil {
		t.Fatal(err)
	}
	s := reopened(t, build(t, []set.Entry{{Name: long, Line: 1}}))
	if ms := s.Lookup(long, nil); len(ms) != 1 || s.Entry(ms[0]).Name != long {
		t.Errorf("long: %v", ms)
	}
}

// TestEveryLength: a name is found under itself and all its parents, whatever the lengths of their labels.
func TestEveryLength(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	var entries []set.Entry
	var names []hostname.Name
	for i := range 3000 {
		text := strings.Repeat("a", 1+i%40)
		for range 1 + r.IntN(5) {
			if label := strings.Repeat("b", 1+r.IntN(1+r.IntN(50))); len(label)+len(text) < 240 {
				text = label + "." + text
			}
		}
		names = append(names, hostname.MustParse(text))
		for n, ok := names[i], true; ok; n, ok = n.Parent() {
			entries = append(entries, set.Entry{Name: n, Line: 1})
		}
	}
	s := build(t, entries)
	for _, n := range names {
		if ms := s.Lookup(n, nil); len(ms) != n.Labels() || ms[0].Depth != 0 || int(ms[len(ms)-1].Depth) != n.Labels()-1 {
			t.Fatalf("%v: %v", n, ms)
		}
	}
}

// TestSwapUnderLoad: readers ask without pause while Sets are built, saved, opened, swapped and dropped, and the collector gives
// the old ones back; nobody sees half a list or memory that is gone.
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lists.set")
	next := func(i int) *set.Set {
		var entries []set.Entry
		for j := range 200 {
			entries = append(entries, named(fmt.Sprintf("n%d.example", j), uint32(i+1)), urlEntry(fmt.Sprintf("n%d.example/a", j), uint32(i+1)))
		}
		built := build(t, entries)
		defer built.Close()
		if err := built.Save(path); err != nil {
			t.Fatal(err)
		}
		s, err := set.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var current atomic.Pointer[set.Set]
	current.Store(next(0))
	var stop atomic.Bool
	var answers atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var dst []set.Match
			for j := 0; !stop.Load(); j++ {
				s := current.Load()
				dst = s.Lookup(hostname.MustParse(fmt.Sprintf("x.n%d.example", j%200)), dst[:0])
				first := s.Entry(dst[0])
				dst = s.Lookup(hostname.MustParse(fmt.Sprintf("n%d.example", (j+1)%200)), dst[:0])
				if second := s.Entry(dst[0]); len(dst) != 1 || first.Line == 0 || first.Line != second.Line {
					t.Errorf("half a list: %+v, %+v", first, second)
					return
				}
				dst = s.LookupURL(fmt.Sprintf("n%d.example/a/b", j%200), dst[:0])
				if third := s.Entry(dst[0]); len(dst) != 1 || first.Line != third.Line {
					t.Errorf("half a list: %+v, %+v", first, third)
					return
				}
				answers.Add(1)
			}
		})
	}
	meanwhile := int64(0)
	for i := range 12 {
		before := answers.Load()
		s := next(i + 1)
		meanwhile += answers.Load() - before
		current.Store(s)
		runtime.GC()
	}
	stop.Store(true)
	wg.Wait()
	if meanwhile == 0 && !t.Failed() {
		t.Error("nobody was answered while Sets were made")
	}
}
