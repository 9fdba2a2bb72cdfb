package main_test

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// stores are what trusting a CA changes on Debian.
var stores = []string{"/etc/ssl/certs", "/usr/local/share/ca-certificates"}

// private gives the calling goroutine, and the programs that it starts, a network with nothing but loopback and copies of the
// certificate stores. Where that is not allowed it says false, and the documented ports must be free. The goroutine keeps its
// thread, which ends with it.
func private(t *testing.T) bool {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		runtime.UnlockOSThread()
		t.Logf("no network of its own (%v): the documented ports of this machine are used, and its certificate stores left alone", err)
		for _, addr := range []string{"127.0.0.1:3128", "127.0.0.1:1053", "127.0.0.1:8090"} {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatalf("the README's port is taken: %v", err)
			}
			_ = l.Close()
		}
		return false
	}
	loopbackUp(t)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("private mounts: %v", err)
	}
	for _, dir := range stores {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		shadow := t.TempDir()
		if out, err := exec.Command("cp", "-a", dir+"/.", shadow).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v\n%s", dir, err, out)
		}
		if err := unix.Mount(shadow, dir, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("mount over %s: %v", dir, err)
		}
	}
	return true
}

// loopbackUp switches the loopback of a new network on; the kernel gives it 127.0.0.1.
func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatalf("switch loopback on: %v", err)
	}
}

// copyTree copies what a clone has and a build needs.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(repository, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(repository, p)
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && (strings.HasPrefix(name, ".") || name == "bin" || name == "weir-data" || name == "testdata"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case strings.HasSuffix(name, "_test.go") || !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if err != nil {
		t.Fatalf("copy of the tree: %v", err)
	}
	return to
}

// environment is that of a newcomer: a home of his own, no proxies, but the caches of this machine, for there is no internet.
func environment(t *testing.T, dir string) []string {
	t.Helper()
	keep := []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS"}
	out, err := exec.Command("go", append([]string{"env"}, keep...)...).Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + home, "LC_ALL=C.UTF-8"}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if name == "PATH" || strings.HasPrefix(name, "GO") && name != "GOCOVERDIR" || name == "TMPDIR" {
			env = append(env, pair)
		}
	}
	for i, value := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		if keep[i] == "GOFLAGS" {
			value += " -trimpath" // the copy is at another place each time; what was built for the last one is good for this one
		}
		env = append(env, keep[i]+"="+strings.TrimSpace(value))
	}
	// As root on Debian some programs lie where a login shell of root looks.
	return append(env, "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
}

// watcher collects output and tells when lines came that it waits for. It is safe for concurrent use.
type watcher struct {
	seen  chan struct{} // closed when all lines came
	ended chan error

	mu   sync.Mutex // guards what follows
	all  bytes.Buffer
	want []string
	once bool
}

func newWatcher(want []string) *watcher { return &watcher{seen: make(chan struct{}), want: want} }

// Write implements io.Writer.
func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if _, ok := found(w.all.String(), w.want); ok && !w.once {
		w.once = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
