package set_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// saverEnv makes a process of this test binary save Sets to the path in it until it is killed.
const saverEnv = "WEIR_TEST_SAVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(saverEnv); path != "" {
		saveForEver(path)
	}
	os.Exit(m.Run())
}

func saveForEver(path string) {
	for i := 0; ; i++ {
		b := set.NewBuilder()
		list, err := b.AddList(set.List{Name: "l"})
		for j := 0; j < 2000 && err == nil; j++ {
			err = b.Add(list, set.Entry{Name: hostname.MustParse(fmt.Sprintf("n%d.example", j)), Line: uint32(i + 1)})
		}
		if err == nil {
			err = b.Build().Save(path)
		}
		if err != nil {
			panic(err)
		}
		if i == 0 {
			fmt.Println("saved")
		}
	}
}

// TestKilled kills a process that saves without pause, at moments of chance: what it leaves is whole.
func TestKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lists.set")
	for range 10 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{Env: append(os.Environ(), saverEnv+"="+path), Files: []*os.File{nil, w, os.Stderr}})
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		if _, err := io.ReadFull(r, make([]byte, 5)); err != nil { // it has saved once
			t.Error(err)
		}
		time.Sleep(time.Duration(rand.IntN(int(20 * time.Millisecond)))) // not a wait for something: the moment of death is the test's input
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		_, _ = p.Wait()
		_ = r.Close()
		s, err := set.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		first := s.Entry(s.Lookup(hostname.MustParse("n0.example"), nil)[0]).Line
		for j := range 2000 {
			if ms := s.Lookup(hostname.MustParse(fmt.Sprintf("n%d.example", j)), nil); len(ms) != 1 || s.Entry(ms[0]).Line != first {
				t.Fatalf("half a Set: %v", ms)
			}
		}
	}
}
