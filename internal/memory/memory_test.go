package memory_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/memory"
)

// day is midnight of a day of 2026, counted from November 1st.
func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

func open(t testing.TB, c memory.Config) *memory.Memory {
	t.Helper()
	if c.Names == 0 {
		c.Names = memory.MinNames
	}
	if c.Now.IsZero() {
		c.Now = day(1)
	}
	m, err := memory.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shut(t testing.TB, m *memory.Memory) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestSip: the vectors of the paper's appendix, key 00 01 .. 0f, message 00 01 .. .
func TestSip(t *testing.T) {
	t.Parallel()
	var key, text [16]byte
	for i := range key {
		key[i], text[i] = byte(i), byte(i)
	}
	k := [2]uint64{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
	for _, c := range []struct {
		length int
		want   uint64
	}{{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}} {
		if got := memory.SIP(k, string(text[:c.length])); got != c.want {
			t.Errorf("%d octets: %#x, want %#x", c.length, got, c.want)
		}
	}
}

// TestSeen: what is noted is known since its first and until its last time, on the heap and in a file, and in the next process.
func TestSeen(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", filepath.Join(t.TempDir(), "names")} {
		m := open(t, memory.Config{Path: path})
		if _, _, ok := m.Seen("example.com"); ok {
			t.Error("an empty memory has seen something")
		}
		m.Note("example.com", day(2))
		m.Note("example.com", day(5))
		m.Note("example.org", day(5))
		check := func(m *memory.Memory) {
			first, last, ok := m.Seen("example.com")
			if !ok || !first.Equal(day(2)) || !last.Equal(day(5)) {
				t.Errorf("%q: %v to %v, %v", path, first, last, ok)
			}
			if _, _, ok := m.Seen("example.net"); ok {
				t.Error("it has seen what was never noted")
			}
			if n := m.Stats().Names.Load(); n != 2 {
				t.Errorf("%d names", n)
			}
		}
		check(m)
		shut(t, m)
		if path != "" {
			m = open(t, memory.Config{Path: path, Now: day(6)})
			check(m)
			shut(t, m)
		}
	}
}

// TestNobody: the nil Memory is empty, and so is one that only looks at a file which is not there.
func TestNobody(t *testing.T) {
	t.Parallel()
	m, err := memory.Open(memory.Config{Path: filepath.Join(t.TempDir(), "none"), ReadOnly: true})
	if m != nil || err != nil {
		t.Fatalf("%v, %v", m, err)
	}
	m.Note("a", day(1))
	if _, _, ok := m.Seen("a"); ok || m.Capacity() != 0 || m.Stats().Names.Load() != 0 || m.Close() != nil {
		t.Error("nobody remembers")
	}
}

// TestClock: time that runs backwards makes no name older than it is.
func TestClock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "names")
	m := open(t, memory.Config{Path: path, Now: day(10)})
	m.Note("early", day(9)) // before the file was made: a clock that lost its battery
	if _, _, ok := m.Seen("early"); ok || m.Stats().Refused.Load() != 1 {
		t.Error("noted at a time before the memory was made")
	}
	m.Note("ahead", day(365)) // a clock that was ahead
	m.Note("ahead", day(12))
	if first, last, ok := m.Seen("ahead"); !ok || !first.Equal(day(12)) || !last.Equal(day(12)) {
		t.Errorf("ahead: %v to %v", first, last)
	}
	m.Note("ahead again", day(365))
	m.Note("used", day(11))
	m.Note("used", day(365))
	shut(t, m)
	m = open(t, memory.Config{Path: path, Now: day(13)})
	if first, last, _ := m.Seen("ahead again"); !first.Equal(day(13)) || !last.Equal(day(13)) {
		t.Errorf("ahead again: %v to %v", first, last)
	}
	if first, last, _ := m.Seen("used"); !first.Equal(day(11)) || !last.Equal(day(13)) {
		t.Errorf("used: %v to %v", first, last)
	}
	shut(t, m)
	m = open(t, memory.Config{Path: path, Now: day(1)})
	if first, last, _ := m.Seen("used"); !first.Equal(day(11)) || !last.Equal(day(13)) {
		t.Errorf("opened with a clock that is behind: %v to %v", first, last)
	}
	shut(t, m)
}

// TestFlood: a flood of names that come once does not wash out what is in use for days, at whatever time of their life they were last
// seen, and the memory never grows.
func TestFlood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		share  float64 // of the room, taken by names in use
		least  float64 // of them that must be left
		rounds int
	}{{0.25, 1, 20}, {0.5, 0.99, 20}, {0.75, 0.88, 20}, {1, 0.8, 20}} {
		m := memory.New(1<<13, [2]uint64{1, 2})
		inUse := int(c.share * float64(m.Capacity()))
		for _, d := range []int{1, 4, 8} {
			for i := range inUse {
				m.Note(fmt.Sprintf("used%d.example", i), day(d))
			}
		}
		before := 0
		held := func() (n int) {
			for i := range inUse {
				if first, _, ok := m.Seen(fmt.Sprintf("used%d.example", i)); ok && first.Equal(day(1)) {
					n++
				}
			}
			return n
		}
		before = held()
		for i := range c.rounds * m.Capacity() {
			m.Note(fmt.Sprintf("flood%d.example", i), day(9).Add(time.Duration(i)*time.Millisecond))
		}
		after := held()
		t.Logf("in use %3.0f %% of %d: %d held before, %d after %d names that came once (%.2f %%)",
			c.share*100, m.Capacity(), before, after, c.rounds*m.Capacity(), 100*float64(after)/float64(before))
		if float64(after) < c.least*float64(before) {
			t.Errorf("in use %v: %d of %d are left", c.share, after, before)
		}
		if n := m.Stats().Names.Load(); n > int64(m.Capacity()) {
			t.Errorf("%d names in a memory for %d", n, m.Capacity())
		}
	}
}

// TestFill: a memory that is half full has pushed out next to nothing, one that is three quarters full less than one in a hundred.
func TestFill(t *testing.T) {
	t.Parallel()
	m := memory.New(1<<16, [2]uint64{3, 4})
	half, most := m.Capacity()/2, m.Capacity()*3/4
	for i := range most {
		if i == half && m.Stats().Replaced.Load() > uint64(half/1000) {
			t.Errorf("half full: %d were pushed out", m.Stats().Replaced.Load())
		}
		m.Note(fmt.Sprintf("%d.example", i), day(1))
	}
	t.Logf("%d pushed out of %d in a memory for %d", m.Stats().Replaced.Load(), most, m.Capacity())
	if m.Stats().Replaced.Load() > uint64(most/100) {
		t.Errorf("%d of %d were pushed out", m.Stats().Replaced.Load(), most)
	}
}

func TestAllocations(t *testing.T) {
	m := memory.New(memory.MinNames, [2]uint64{5, 6})
	now := day(1)
	if n := testing.AllocsPerRun(100, func() {
		m.Note("www.example.com", now)
		m.Seen("www.example.com")
		m.Seen("www.example.org")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestConcurrent: many write and read the same few buckets; no name is ever seen with the times of another. Each name has a time of
// its own, so that a mixed-up slot shows.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	m := open(t, memory.Config{Path: filepath.Join(t.TempDir(), "names")})
	defer shut(t, m)
	names := make([]string, 3*m.Capacity())
	for i := range names {
		names[i] = fmt.Sprintf("%d.example", i)
	}
	at := func(i int) time.Time { return day(2).Add(time.Duration(i) * time.Minute) }
	var running sync.WaitGroup
	for g := range 8 {
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 10_000 {
				i := r.IntN(len(names))
				if first, last, ok := m.Seen(names[i]); ok && (!first.Equal(at(i)) || !last.Equal(at(i))) {
					t.Errorf("%s: %v to %v, want %v", names[i], first, last, at(i))
					return
				}
				m.Note(names[i], at(i))
			}
		})
	}
	running.Wait()
	if n := m.Stats().Names.Load(); n > int64(m.Capacity()) {
		t.Errorf("%d names in a memory for %d", n, m.Capacity())
	}
}

// TestResize: another size keeps the names, as far as there is room.
func TestResize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "names")
	m := open(t, memory.Config{Path: path})
	for i := range 2000 {
		m.Note(fmt.Sprintf("%d.example", i), day(2))
	}
	shut(t, m)
	for _, size := range []int{4 * memory.MinNames, memory.MinNames} {
		m = open(t, memory.Config{Path: path, Names: size, Now: day(3)})
		for i := range 2000 {
			if first, _, ok := m.Seen(fmt.Sprintf("%d.example", i)); !ok || !first.Equal(day(2)) {
				t.Fatalf("%d names: %d.example is gone", size, i)
			}
		}
		if m.Capacity() != size || m.Stats().Names.Load() != 2000 {
			t.Errorf("room for %d, holds %d", m.Capacity(), m.Stats().Names.Load())
		}
		shut(t, m)
	}
}

// TestUnusable: what is no memory is set aside, said so, and replaced by an empty one; nobody else's file is lost.
func TestUnusable(t *testing.T) {
	t.Parallel()
	good := func(t *testing.T) []byte {
		path := filepath.Join(t.TempDir(), "names")
		m := open(t, memory.Config{Path: path})
		m.Note("example.com", day(2))
		shut(t, m)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"text":         func([]byte) []byte { return []byte("I am a diary\n") },
		"short":        func(b []byte) []byte { return b[:len(b)-1] },
		"long":         func(b []byte) []byte { return append(b, 0) },
		"head only":    func(b []byte) []byte { return b[:4096] },
		"magic":        flip(0),
		"version":      flip(8),
		"byte order":   flip(12),
		"size":         flip(17),
		"seed":         flip(24),
		"sum":          flip(48),
		"half a head":  func(b []byte) []byte { return b[:40] },
		"all one bits": func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spoiled := spoil(good(t))
			path := filepath.Join(t.TempDir(), "names")
			if err := os.WriteFile(path, spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			if m, err := memory.Open(memory.Config{Path: path, ReadOnly: true, Now: day(3)}); m != nil || !errors.Is(err, memory.ErrDamaged) {
				t.Errorf("read only: %v, %v", m, err)
			}
			var log bytes.Buffer
			m := open(t, memory.Config{Path: path, Now: day(3), Log: slog.New(slog.NewTextHandler(&log, nil))})
			if _, _, ok := m.Seen("example.com"); ok || m.Stats().Names.Load() != 0 {
				t.Error("it is not empty")
			}
			m.Note("example.org", day(3))
			shut(t, m)
			kept, err := os.ReadFile(path + ".damaged")
			if err != nil || !bytes.Equal(kept, spoiled) {
				t.Errorf("the file was not kept: %v", err)
			}
			if !strings.Contains(log.String(), "starts empty") || !strings.Contains(log.String(), path+".damaged") {
				t.Errorf("log: %s", log.String())
			}
			m = open(t, memory.Config{Path: path, Now: day(3)})
			if _, _, ok := m.Seen("example.org"); !ok {
				t.Error("the new file does not remember")
			}
			shut(t, m)
		})
	}
	t.Run("a slot", func(t *testing.T) {
		t.Parallel()
		b := good(t)
		for i := 4096; i < len(b); i += 16 { // first after last
			binary.NativeEndian.PutUint64(b[i:], uint64(i))
			binary.NativeEndian.PutUint64(b[i+8:], 30_000_000<<32|29_000_000)
		}
		path := filepath.Join(t.TempDir(), "names")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		m := open(t, memory.Config{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if m.Stats().Names.Load() != 0 || !strings.Contains(log.String(), "dropped") {
			t.Errorf("%d names; %s", m.Stats().Names.Load(), log.String())
		}
		shut(t, m)
	})
}

// TestTwo: only one process writes; others may look.
func TestTwo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "names")
	m := open(t, memory.Config{Path: path})
	defer shut(t, m)
	if _, err := memory.Open(memory.Config{Path: path, Now: day(2)}); !errors.Is(err, memory.ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	m.Note("example.com", day(2))
	other := open(t, memory.Config{Path: path, ReadOnly: true})
	defer shut(t, other)
	if _, _, ok := other.Seen("example.com"); !ok {
		t.Error("who looks does not see what was noted")
	}
	m.Note("example.net", day(2))
	if _, _, ok := other.Seen("example.net"); !ok {
		t.Error("who looks does not see what is noted meanwhile")
	}
	other.Note("example.org", day(2))
	if _, _, ok := m.Seen("example.org"); ok {
		t.Error("who looks has written")
	}
}

func BenchmarkSeen(b *testing.B) {
	m := memory.New(1<<20, [2]uint64{7, 8})
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("name%d.example.com", i)
		if i%2 == 0 {
			m.Note(names[i], day(1))
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Seen(names[i&(1<<16-1)])
	}
}

func BenchmarkNote(b *testing.B) {
	m := memory.New(1<<16, [2]uint64{7, 8})
	names := make([]string, 1<<17)
	for i := range names {
		names[i] = fmt.Sprintf("name%d.example.com", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Note(names[i&(1<<17-1)], day(1))
	}
}
