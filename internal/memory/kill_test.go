package memory_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weir/internal/memory"
)

// childFile tells this test binary to be the process that is killed.
const childFile = "WEIR_MEMORY_CHILD"

// TestMain lets the test binary be that process: it notes and learns names as fast as it can and says each hundredth of them.
func TestMain(m *testing.M) {
	dir := os.Getenv(childFile)
	if dir == "" {
		os.Exit(m.Run())
	}
	seen, err := memory.Open(memory.Config{Path: filepath.Join(dir, "seen"), Names: 1 << 16, Now: day(29)})
	if err != nil {
		panic(err)
	}
	learnt := memory.NewNames(filepath.Join(dir, "learnt.txt"))
	for i := 0; ; i++ {
		name := killName(i)
		seen.Note(name, killTime(i))
		if i%10 == 0 {
			if err := learnt.Add(name); err != nil {
				panic(err)
			}
		}
		if i%100 == 0 {
			fmt.Println(i)
		}
	}
}

func killName(i int) string { return fmt.Sprintf("%d.example", i%20_000) }

// killTime gives every name a day of its own and never another one.
func killTime(i int) time.Time { return day(2).Add(time.Duration(i%20_000) * time.Minute) }

// TestKill: kill -9 under load, again and again over one file: what the process had said it noted is there with its times, nothing has
// the times of something else, and the learnt names are whole lines.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shut(t, open(t, memory.Config{Path: filepath.Join(dir, "seen"), Names: 1 << 16, Now: day(1)}))
	most := 0
	for round := range 8 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childFile+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		last := 0
		for n := 0; n <= 3+40*round && said.Scan(); n++ {
			if last, err = strconv.Atoi(said.Text()); err != nil {
				t.Fatal(err)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for said.Scan() {
			if last, err = strconv.Atoi(said.Text()); err != nil {
				t.Fatal(err)
			}
		}
		_ = child.Wait() // killed
		most = max(most, last)
		checkKilled(t, dir, min(most, 19_999))
	}
	t.Logf("%d names at the end", most)
}

func checkKilled(t *testing.T, dir string, last int) {
	t.Helper()
	m := open(t, memory.Config{Path: filepath.Join(dir, "seen"), Names: 1 << 16, Now: day(29)})
	defer shut(t, m)
	for i := range 20_000 {
		first, seen, ok := m.Seen(killName(i))
		if !ok && i <= last {
			t.Fatalf("%s is gone: the process had noted all up to %d", killName(i), last)
		}
		if ok && (!first.Equal(killTime(i)) || !seen.Equal(killTime(i))) {
			t.Fatalf("%s: %v to %v, want %v", killName(i), first, seen, killTime(i))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "seen.damaged")); err == nil {
		t.Fatal("the file was taken for damaged")
	}
	learnt := memory.NewNames(filepath.Join(dir, "learnt.txt"))
	r, err := learnt.Read()
	if err != nil || len(r.Problems) > 0 {
		t.Fatalf("%v, %v", err, r.Problems)
	}
	r.Commit()
	for i := 0; i <= last; i += 10 {
		if !learnt.Has(killName(i), name(killName(i))) {
			t.Fatalf("%s is not learnt", killName(i))
		}
	}
}
