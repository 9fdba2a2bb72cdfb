//go:build linux

package memory_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"weir/internal/hostname"
)

// TestFullDisk: a line that the disk took half of is cut off, does not count as learnt, and is learnt when there is room again. A process
// of its own has a limit on the size of its files, since a disk cannot be filled here.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const marker = "WEIR_TEST_FULL_DISK"
	if path := os.Getenv(marker); path != "" {
		fillUp(t, path)
		return
	}
	path := learntFile(t, "")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), marker+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(path)
	if want := "first.example\nthird.example\nsecond.example\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
}

func fillUp(t *testing.T, path string) {
	var whole syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &whole); err != nil {
		t.Fatal(err)
	}
	limit := func(octets uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: octets, Max: whole.Max}); err != nil {
			t.Fatal(err)
		}
	}
	n, _ := names(t, path)
	if err := n.Add("first.example"); err != nil {
		t.Fatal(err)
	}
	limit(20)
	for range 2 {
		if err := n.Add("second.example"); err == nil {
			t.Error("written past the end of the disk")
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "first.example\n" {
			t.Errorf("half a line is left: %q, %v", text, err)
		}
	}
	if n.Has("second.example", hostname.Name{}) || n.Len() != 1 {
		t.Error("learnt, though it was not written")
	}
	limit(whole.Cur)
	for _, key := range []string{"third.example", "second.example"} {
		if err := n.Add(key); err != nil {
			t.Error(err)
		}
	}
	r, err := n.Read()
	if err != nil || len(r.Problems) > 0 {
		t.Fatal(err, r.Problems)
	}
}
