// Package e2e drives the real binary with real peers, all on loopback: curl, dig, Chromium and Python as clients, nginx and
// others as origins. Every test starts its own weir with its own config, addresses and data; nothing is shared but the binary.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The program under test, and a directory that all tests may read. TestMain sets them before any test runs.
var (
	binary  string
	testDir string
)

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	testDir, binary = dir, filepath.Join(dir, "weir")
	cmd := exec.Command("go", "build", "-o", binary, "weir/cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build weir: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// tool finds a program that is no part of this repository.
func tool(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append([]string{"/usr/bin", "/usr/sbin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed; `make setup` installs it as root on Debian", name)
	return ""
}

// cleanEnv is an environment in which no setting of the developer's reaches a peer.
func cleanEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C.UTF-8", "TMPDIR=" + os.TempDir()}
}

// until asks f again and again until it returns nil; after d its last error fails the test.
func until(t testing.TB, d time.Duration, what string, f func() error) {
	t.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, d, err)
		}
	}
}

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// eicar weaves the 68 octets of the EICAR test string (eicar.org), which stand neither in this source nor in the test binary.
func eicar() []byte {
	const (
		even = `XOP@P4PX4P)C)}ECRSADR-NIIU-ETFL!HH`
		odd  = `5!%A[\Z5(^7C7$IA-TNADATVRSTS-IE$+*`
	)
	var b strings.Builder
	for i := range len(even) {
		b.WriteByte(even[i])
		b.WriteByte(odd[i])
	}
	return []byte(b.String())
}
