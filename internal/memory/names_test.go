package memory_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/internal/hostname"
	"weir/internal/memory"
)

func name(s string) hostname.Name { return hostname.MustParse(s) }

func names(t testing.TB, path string) (*memory.Names, []error) {
	t.Helper()
	n := memory.NewNames(path)
	r, err := n.Read()
	if err != nil {
		t.Fatal(err)
	}
	r.Commit()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, r.Problems
}

func learntFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "learnt.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPatterns: what a person may write into the file, and what it covers.
func TestPatterns(t *testing.T) {
	t.Parallel()
	n, problems := names(t, learntFile(t, "\xef\xbb\xbf# reviewed\r\nExact.example.\r\n.zone.example  # all of it\n*.below.example\nb\u00fccher.example\n"+
		"192.0.2.1\n2001:DB8::1\nstorage.googleapis.com/Bucket\n_srv.example\n\n\n"))
	if len(problems) > 0 || n.Len() != 8 {
		t.Errorf("%d names, %v", n.Len(), problems)
	}
	for key, want := range map[string]bool{
		"exact.example": true, "www.exact.example": false, "example": false,
		"zone.example": true, "a.b.zone.example": true, "notzone.example": false,
		"below.example": false, "x.below.example": true,
		"xn--bcher-kva.example": true, "_srv.example": true,
		"storage.googleapis.com": false, "storage.googleapis.com/Bucket": true, "storage.googleapis.com/bucket": false,
		"x.zone.example/tenant": true,
	} {
		host, _, _ := strings.Cut(key, "/")
		if got := n.Has(key, name(host)); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	for key, want := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true, "192.0.2.2": false} {
		if got := n.Has(key, hostname.Name{}); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

// TestBadLines: each is said with file and line, and the others count.
func TestBadLines(t *testing.T) {
	t.Parallel()
	path := learntFile(t, "good.example\nnot a name\n*.\n..\n/path\n1.2.3.4/x\n"+strings.Repeat("x", 600)+"\nfine.example\ncut.exam")
	n, problems := names(t, path)
	if n.Len() != 2 || !n.Has("good.example", hostname.Name{}) || !n.Has("fine.example", hostname.Name{}) || n.Has("cut.exam", hostname.Name{}) {
		t.Errorf("%d names", n.Len())
	}
	if len(problems) != 7 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
	for i, line := range []int{2, 3, 4, 5, 6, 7, 9} {
		if i < len(problems) && !strings.HasPrefix(problems[i].Error(), fmt.Sprintf("%s:%d: ", path, line)) {
			t.Errorf("%v, want line %d", problems[i], line)
		}
	}
	if err := n.Add("next.example"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(text), "fine.example\nnext.example\n") {
		t.Errorf("what is added must not be glued to what was cut off: %q, %v", text[len(text)-40:], err)
	}
}

// TestAdd: each name once, a line each; what an editor takes out is gone after the next reading, and nothing that was learnt meanwhile
// is lost.
func TestAdd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks", "servers.txt")
	n, _ := names(t, path)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for i := range 100 {
				if err := n.Add(fmt.Sprintf("%d.example", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 100 || n.Len() != 100 {
		t.Errorf("%d lines, %d names, %v", strings.Count(string(text), "\n"), n.Len(), err)
	}
	for _, bad := range []string{"", "a b", "a\nb", "a#b", strings.Repeat("x", 600)} {
		if err := n.Add(bad); !errors.Is(err, memory.ErrLine) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.WriteFile(path+".new", []byte(".example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // as editors do
		t.Fatal(err)
	}
	r, err := n.Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Add("meanwhile.test"); err != nil {
		t.Fatal(err)
	}
	if !n.Has("3.example", name("3.example")) || n.Len() != 101 {
		t.Error("something changed before Commit")
	}
	r.Commit()
	if n.Len() != 2 || !n.Has("300.example", name("300.example")) || !n.Has("meanwhile.test", name("meanwhile.test")) {
		t.Errorf("%d names after the editor", n.Len())
	}
	if err := n.Add("later.test"); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(path); err != nil || string(text) != ".example\nlater.test\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestFull: a lock learns no more than a person can review.
func TestFull(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range memory.MaxLearnt {
		fmt.Fprintf(&b, "%d.example\n", i)
	}
	n, problems := names(t, learntFile(t, b.String()))
	if err := n.Add("more.example"); !errors.Is(err, memory.ErrFull) || len(problems) > 0 || n.Has("more.example", hostname.Name{}) {
		t.Errorf("%v, %v", err, problems)
	}
	n, problems = names(t, learntFile(t, b.String()+"more.example\n"))
	if len(problems) != 1 || !errors.Is(problems[0], memory.ErrFull) || n.Len() != memory.MaxLearnt {
		t.Errorf("%d names, %v", n.Len(), problems)
	}
	dir := t.TempDir()
	if _, err := memory.NewNames(dir).Read(); !errors.Is(err, memory.ErrNoFile) {
		t.Errorf("a directory: %v", err)
	}
}
