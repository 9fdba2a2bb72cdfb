package source_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
	"weir/internal/hostname"
)

// kept is a directory with one file list, one remote list and one built-in list, compiled and saved.
type kept struct {
	dir, path string
	cfg       source.Config
	status    []source.Status
}

func keep(t *testing.T) kept {
	t.Helper()
	dir := t.TempDir()
	k := kept{dir: filepath.Join(dir, "lists"), path: filepath.Join(dir, "mine.txt")}
	write(t, k.path, "a.example\nbad line here\n192.0.2.1\n")
	k.age(t, k.path)
	o := &origin{text: "f.example\n", etag: `"1"`}
	k.cfg = source.Config{Dir: k.dir, Client: &http.Client{Transport: o}, Sources: []source.Source{
		{List: set.List{Name: "mine"}, Path: k.path, Format: format.Domains},
		remote("far"),
		{List: set.List{Name: "inner"}, Text: "||c.example^\n@@||d.example^\n"},
	}}
	m := manager(t, k.cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), "far"); err != nil {
		t.Fatal(err)
	}
	k.status = m.Status()
	return k
}

// age makes a file older than the granularity of its time of change.
func (kept) age(t *testing.T, path string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func (k kept) snapshot() string { return filepath.Join(k.dir, "compiled.lists") }

// spoil makes all texts unreadable for a parser, without a change of their identity: who still answers did not parse.
func (k kept) spoil(t *testing.T) {
	t.Helper()
	copies, err := filepath.Glob(filepath.Join(k.dir, "*.list"))
	if err != nil || len(copies) != 2 {
		t.Fatal(copies, err)
	}
	for _, path := range append(copies, k.path) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("? ?"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

func expectAll(t *testing.T, s *set.Set) {
	t.Helper()
	expect(t, s, "x.a.example", "mine")
	expect(t, s, "f.example", "far")
	expect(t, s, "c.example", "inner")
	expect(t, s, "d.example", "")
}

// TestSnapshot: a start takes the saved Set without parsing, and knows of every list what was known before.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	k := keep(t)
	k.spoil(t)
	for _, readOnly := range []bool{false, true} {
		cfg := k.cfg
		cfg.ReadOnly = readOnly
		m := manager(t, cfg)
		s := load(t, m)
		expectAll(t, s)
		if s.Stats().Mapped == 0 {
			t.Error("not from the file")
		}
		for i, got := range m.Status() {
			want := k.status[i]
			got.Next, want.Next, got.Updated, want.Updated = time.Time{}, time.Time{}, time.Time{}, time.Time{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("status:\n got %+v\nwant %+v", got, want)
			}
		}
	}
}

// TestSnapshotTouched: files with new times but the same text are read, not parsed.
func TestSnapshotTouched(t *testing.T) {
	t.Parallel()
	k := keep(t)
	paths, err := filepath.Glob(filepath.Join(k.dir, "*.list"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(k.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, k.path) {
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
	}
	expectAll(t, load(t, manager(t, k.cfg)))
	after, err := os.Stat(k.snapshot())
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("compiled again: %v", err)
	}
}

// TestSnapshotStale: whatever differs from what the Set was compiled from makes a start compile again; it never answers from
// the old Set, nor fails.
func TestSnapshotStale(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(*testing.T, *kept)
		name   string
		want   string
	}{
		"file changed": {func(t *testing.T, k *kept) { write(t, k.path, "b.example\n") }, "b.example", "mine"},
		"same size":    {func(t *testing.T, k *kept) { write(t, k.path, "b.example\nbad line here\n192.0.2.1\n") }, "a.example", ""},
		"copy changed": {func(t *testing.T, k *kept) {
			copies, _ := filepath.Glob(filepath.Join(k.dir, "far*.list"))
			write(t, copies[0], "g.example\n")
		}, "g.example", "far"},
		"copy gone": {func(_ *testing.T, k *kept) {
			copies, _ := filepath.Glob(filepath.Join(k.dir, "far*.list"))
			_ = os.Remove(copies[0])
		}, "f.example", ""},
		"granted":   {func(_ *testing.T, k *kept) { k.cfg.Sources[2].List.GrantAllow = true }, "d.example", "inner"},
		"renamed":   {func(_ *testing.T, k *kept) { k.cfg.Sources[0].List.Name = "other" }, "a.example", "other"},
		"built-in":  {func(_ *testing.T, k *kept) { k.cfg.Sources[2].Text = "h.example\n" }, "h.example", "inner"},
		"one fewer": {func(_ *testing.T, k *kept) { k.cfg.Sources = k.cfg.Sources[1:] }, "a.example", ""},
		"damaged": {func(t *testing.T, k *kept) {
			_ = os.Remove(k.snapshot())
			write(t, k.snapshot(), "weirset\x00 and then garbage")
		}, "a.example", "mine"},
		"truncated": {func(t *testing.T, k *kept) {
			if err := os.Truncate(k.snapshot(), 300); err != nil {
				t.Fatal(err)
			}
		}, "a.example", "mine"},
		"gone":        {func(_ *testing.T, k *kept) { _ = os.Remove(k.snapshot()) }, "a.example", "mine"},
		"a directory": {func(_ *testing.T, k *kept) { _ = os.Remove(k.snapshot()); _ = os.Mkdir(k.snapshot(), 0o700) }, "a.example", "mine"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			k := keep(t)
			c.change(t, &k)
			expect(t, load(t, manager(t, k.cfg)), c.name, c.want)
		})
	}
}

// TestSnapshotHeld: a start from the saved Set still says that a file is broken and an older copy in force.
func TestSnapshotHeld(t *testing.T) {
	t.Parallel()
	k := keep(t)
	write(t, k.path, "? ?\n")
	k.age(t, k.path)
	for range 3 {
		m := manager(t, k.cfg)
		s, err := m.Load(t.Context())
		if st := m.Status()[0]; err == nil || !st.Failing {
			t.Errorf("%v, %+v", err, st)
		}
		expectAll(t, s)
	}
}

// BenchmarkStart is the time from nothing to the first answer, with a hosts file of a million names (or WEIR_BENCH_NAMES) that
// was compiled before.
func BenchmarkStart(b *testing.B) {
	n := 1_000_000
	if text := os.Getenv("WEIR_BENCH_NAMES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	path := filepath.Join(dir, "hosts")
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "0.0.0.0 www.%x-%05x.example\n", i, i*7919&0xfffff)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		b.Fatal(err)
	}
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{{List: set.List{Name: "big"}, Path: path, Format: format.Hosts}}}
	start := func() {
		m, err := source.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		s, err := m.Load(b.Context())
		if err != nil || len(s.Lookup(hostname.MustParse("www.0-00000.example"), nil)) != 1 {
			b.Fatal(err)
		}
		s.Close()
	}
	began := time.Now()
	start()
	b.Logf("first start, without a saved Set: %v", time.Since(began))
	for b.Loop() {
		start()
	}
}
