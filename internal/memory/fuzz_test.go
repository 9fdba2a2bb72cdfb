package memory_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"weir/internal/hostname"
	"weir/internal/memory"
)

// FuzzOpen: whatever lies in the file, it opens: as it is, or set aside untouched. What it says is within its bounds, it can be written,
// and the next opening agrees with it.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	m := open(f, memory.Config{Path: path})
	m.Note("example.com", day(2))
	shut(f, m)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	name := bytes.IndexFunc(good[4096:], func(r rune) bool { return r != 0 }) + 4096 // the one slot that is taken
	for at := 0; at < 56; at += 4 {
		f.Add([]byte{}, []byte{1, 2, 3, 4}, uint16(at), true)
	}
	for at := name &^ 15; at < name&^15+32; at += 4 {
		f.Add([]byte{}, []byte{0xff, 0, 0, 0xff, 1, 0, 0, 0}, uint16(at), true)
	}
	f.Add(good[:64], []byte{}, uint16(0), true)
	f.Add(good[:56], []byte("patch"), uint16(4100), true)
	f.Add(good[:100], []byte("x"), uint16(1), false)
	f.Add([]byte("text\n"), []byte{}, uint16(0), false)
	f.Fuzz(func(t *testing.T, head, patch []byte, at uint16, whole bool) {
		text := append([]byte(nil), head...)
		if whole { // so that the fuzzer gets past the length
			text = append(text, good[min(len(text), len(good)):]...)
		}
		if int(at) < len(text) {
			copy(text[at:], patch)
		}
		if whole {
			memory.Seal(text) // and past the sum of the head
		}
		path := filepath.Join(t.TempDir(), "names")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		m := open(t, memory.Config{Path: path, Now: day(3)})
		if n := m.Stats().Names.Load(); m.Capacity() != memory.MinNames || n > memory.MinNames {
			t.Fatalf("%d names in a memory for %d", n, m.Capacity())
		}
		if kept, err := os.ReadFile(path + ".damaged"); err == nil && !bytes.Equal(kept, text) {
			t.Fatal("what was set aside has changed")
		}
		first, last, ok := m.Seen("example.com")
		if ok && (last.Before(first) || last.After(day(3))) {
			t.Fatalf("%v to %v", first, last)
		}
		m.Note("example.org", day(4))
		held := m.Stats().Names.Load()
		_, _, noted := m.Seen("example.org")
		shut(t, m)
		m = open(t, memory.Config{Path: path, Now: day(5)})
		f2, l2, ok2 := m.Seen("example.com")
		_, _, again := m.Seen("example.org")
		if f2 != first || l2 != last || ok2 != ok || again != noted || m.Stats().Names.Load() != held {
			t.Fatalf("the second opening differs: %v %v %v, was %v %v %v; %v, was %v; %d names, were %d", f2, l2, ok2, first, last, ok, again, noted, m.Stats().Names.Load(), held)
		}
		shut(t, m)
	})
}

// FuzzNames: whatever the file says, reading ends, and what it holds is what a plain look at the lines says.
func FuzzNames(f *testing.F) {
	f.Add([]byte("a.example\n.b.example\n*.c.example\n192.0.2.1\nstorage.example/x # y\ncut"))
	f.Add([]byte("\xef\xbb\xbf# \r\n\n..\n*.\n/\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, problems := names(t, learntFile(t, string(text)))
		if n.Len() > bytes.Count(text, []byte("\n")) {
			t.Fatalf("%d names in %d lines", n.Len(), bytes.Count(text, []byte("\n")))
		}
		if len(problems) > 20 {
			t.Fatalf("%d problems", len(problems))
		}
		for line := range bytes.Lines(text) { // a plain name that stands alone on a whole line is there
			word := string(bytes.TrimSuffix(line, []byte("\n")))
			if h, err := hostname.Parse(word); err == nil && h.String() == word && len(word) < len(line) && !n.Has(word, h) {
				t.Fatalf("%q is not there", word)
			}
		}
		n.Has("x.example", hostname.MustParse("x.example"))
	})
}
