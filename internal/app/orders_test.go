package app_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"

	"weir/internal/app"
)

// TestEndWhileReloading: a reload that hangs, as on a dead file system, neither keeps SIGTERM from ending the run nor piles up.
func TestEndWhileReloading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, ends := make(chan os.Signal), make(chan os.Signal)
		release, calls, reopened := make(chan struct{}), 0, 0
		done := make(chan error, 1)
		go func() {
			done <- app.Obey(t.Context(), requests, ends,
				func(context.Context) { calls++; <-release },
				func(context.Context) { reopened++ })
		}()
		for range 5 { // all are taken at once; one runs, one waits
			requests <- syscall.SIGHUP
			synctest.Wait()
		}
		requests <- syscall.SIGUSR1
		synctest.Wait()
		if calls != 1 || reopened != 1 {
			t.Errorf("%d reloads at once, %d reopened", calls, reopened)
		}
		release <- struct{}{}
		synctest.Wait()
		if calls != 2 {
			t.Errorf("%d reloads for five signals, want 2", calls)
		}
		ends <- syscall.SIGTERM
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(release) // else the bubble would never end
	})
}

// TestEventsFile: events go to files and character devices; a pipe that nobody reads is refused without being opened.
func TestEventsFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, good := range map[string]bool{
		"": true, "-": true, "/dev/null": true, filepath.Join(dir, "new"): true, "/dev/stdout": true,
		pipe: false, dir: false, filepath.Join(dir, "absent", "new"): false, filepath.Join(pipe, "new"): false,
	} {
		if err := app.CheckEvents(path); (err == nil) != good {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestNewRefusesPipes: whatever file a config names, a start with a pipe in its place ends at once with the place of the key.
func TestNewRefusesPipes(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, yaml := range []string{"events: {file: %s}", "admin: {token_file: %s}", "proxy: {upstream: {extra_roots_file: %s}}"} {
		f := load(t, quiet(sprintf(yaml, pipe)))
		if _, err := app.New(t.Context(), f, app.Streams{Out: os.Stdout, Err: os.Stderr}, "test"); !app.IsProblem(err) {
			t.Errorf("%s: %v", yaml, err)
		}
	}
	if _, err := app.Load(pipe); !errors.Is(err, app.ErrConfigFile) {
		t.Errorf("config: %v", err)
	}
}
