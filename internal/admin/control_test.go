package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/admin"
)

func control() admin.ControlConfig {
	return admin.ControlConfig{
		Reload:      func(context.Context) ([]string, error) { return nil, nil },
		UpdateLists: func(context.Context, string) error { return nil },
		AcceptList:  func(context.Context, string) error { return nil },
		Status:      func() any { return map[string]any{"generation": uint64(1<<53 + 1)} },
		Lists:       func() any { return []string{} },
		Healthy:     ok, Ready: ok, Log: slog.New(slog.DiscardHandler),
	}
}

// socketPath is a short path, whatever the name of the test: sockaddr_un is small.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "new", "control.sock")
}

func listen(t *testing.T, path string, cfg admin.ControlConfig) *admin.Control {
	t.Helper()
	c, err := admin.ListenControl(path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, c *admin.Control) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestControl(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	var updated atomic.Value
	cfg := control()
	var accepted atomic.Value
	cfg.AcceptList = func(_ context.Context, name string) error { accepted.Store(name); return nil }
	cfg.UpdateLists = func(_ context.Context, name string) error {
		updated.Store(name)
		if name == "absent" {
			return errors.New("no list of this name")
		}
		return nil
	}
	cfg.Lists = func() any {
		return []struct {
			Name string `json:"name"`
			URL  string `json:"url"`
		}{{"a", "https://lists.example/x?key=hunter2"}, {"b\u202e", ""}}
	}
	cfg.Reload = func(context.Context) ([]string, error) {
		return nil, fmt.Errorf("reload: %w", errors.New("weir.yaml:3:5: rules[0].action: unknown\nweir.yaml:9:1: token=hunter2 \x1b[2J"))
	}
	serve(t, listen(t, path, cfg))
	client, ctx := admin.Dial(path), t.Context()

	var refused *admin.Refused
	if _, err := client.Reload(ctx); !errors.As(err, &refused) {
		t.Fatalf("reload: got %v", err)
	}
	if len(refused.Problems) != 2 || refused.Problems[0] != "reload: weir.yaml:3:5: rules[0].action: unknown" {
		t.Errorf("problems: %q", refused.Problems)
	}
	if s := refused.Error(); strings.Contains(s, "hunter2") || strings.Contains(s, "\x1b") {
		t.Errorf("unredacted: %q", s)
	}
	if err := client.UpdateLists(ctx, "a b&c"); err != nil || updated.Load() != "a b&c" {
		t.Errorf("update: got %v, name %q", err, updated.Load())
	}
	if err := client.AcceptList(ctx, "c d"); err != nil || accepted.Load() != "c d" {
		t.Errorf("accept: %v, %v", err, accepted.Load())
	}
	if err := client.UpdateLists(ctx, "absent"); !errors.As(err, &refused) || err.Error() != "no list of this name" {
		t.Errorf("update of an absent list: got %v", err)
	}
	status, err := client.Status(ctx)
	if err != nil || strings.TrimSpace(string(status)) != `{"generation":9007199254740993}` {
		t.Errorf("status: got %s, %v", status, err)
	}
	lists, err := client.Lists(ctx)
	var got []struct{ Name, URL string }
	if err := errors.Join(err, json.Unmarshal(lists, &got)); err != nil || len(got) != 2 || got[0].Name != "a" {
		t.Errorf("lists: got %s, %v", lists, err)
	}
	if s := string(lists); strings.Contains(s, "hunter2") || strings.Contains(s, "\u202e") {
		t.Errorf("unredacted: %s", s)
	}
}

func TestControlRoutes(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	cfg := control()
	cfg.Status = func() any { panic("boom") }
	cfg.Lists = func() any { return make(chan int) }
	cfg.Ready = func() error { return errors.New("no listener") }
	serve(t, listen(t, path, cfg))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"reload", "POST", "/reload", "", 200, `{"ok":true}`},
		{"reload by GET", "GET", "/reload", "", 405, ""},
		{"update", "POST", "/lists/update", "", 200, `{"ok":true}`},
		{"accept", "POST", "/lists/accept?name=a", "", 200, `{"ok":true}`},
		{"body", "POST", "/reload", "x", 413, `{"ok":false,"problems":["a request here has no body"]}`},
		{"health", "GET", "/healthz", "", 200, `{"ok":true}`},
		{"not ready", "GET", "/readyz", "", 503, `{"ok":false,"problems":["no listener"]}`},
		{"a panic costs the request", "GET", "/status", "", 500, `"internal error; the log says more"`},
		{"value that is no JSON", "GET", "/lists", "", 500, `"internal error; the log says more"`},
		{"no metrics here", "GET", "/metrics", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://weir"+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
				t.Fatalf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}

func TestSocketModes(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	c := listen(t, path, control())
	for _, want := range []struct {
		path string
		mode fs.FileMode
	}{{path, fs.ModeSocket | 0o600}, {filepath.Dir(path), fs.ModeDir | 0o700}} {
		info, err := os.Lstat(want.path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want.mode {
			t.Errorf("%s: got %v, want %v", want.path, info.Mode(), want.mode)
		}
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if err := c.Serve(); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// stale leaves a socket on which nobody listens, as a killed process does.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketInTheWay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		place func(t *testing.T, path string)
		want  error // nil: it is replaced
	}{
		{"stale socket", stale, nil},
		{"file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, admin.ErrNotSocket},
		{"directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, admin.ErrNotSocket},
		{"link to a stale socket", func(t *testing.T, path string) {
			stale(t, path+"2")
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, admin.ErrNotSocket},
		{"dangling link", func(t *testing.T, path string) {
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, admin.ErrNotSocket},
		{"live socket", func(t *testing.T, path string) {
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
		}, admin.ErrInUse},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := socketPath(t)
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			tt.place(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := admin.ListenControl(path, control())
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				serve(t, c)
				if _, err := admin.Dial(path).Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				return
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Fatalf("what stood there is gone: %v", err)
			}
		})
	}
}

// TestSocketOfASuccessor: a file that has taken our socket's place is not removed at the end.
func TestSocketOfASuccessor(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	c := listen(t, path, control())
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("a foreign file is gone: %v", err)
	}
}

// TestSocketRace: of many that find a stale socket at the same time, one wins and keeps it.
func TestSocketRace(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	stale(t, path)
	var wg sync.WaitGroup
	won := make(chan *admin.Control, 8)
	for range cap(won) {
		wg.Go(func() {
			c, err := admin.ListenControl(path, control())
			if err == nil {
				won <- c
			} else if !errors.Is(err, admin.ErrInUse) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Errorf("%d listeners on one socket", len(won))
	}
	for c := range won {
		serve(t, c)
	}
	if _, err := admin.Dial(path).Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSocketPath(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"empty": "", "abstract": "@weir", "long": "/tmp/" + strings.Repeat("x", 120)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := admin.ListenControl(path, control()); err == nil || !strings.Contains(err.Error(), "control socket") {
				t.Errorf("listen: got %v", err)
			}
			if _, err := admin.Dial(path).Status(t.Context()); err == nil {
				t.Error("dial: no error")
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		uid, own uint32
		ok       bool
	}{{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}} {
		if err := admin.AdmitUID(tt.uid, tt.own); (err == nil) != tt.ok {
			t.Errorf("user %d to a process of user %d: got %v", tt.uid, tt.own, err)
		}
	}
	path := socketPath(t)
	c := listen(t, path, control())
	admin.RefuseAll(c, errors.New("stranger"))
	serve(t, c)
	if _, err := admin.Dial(path).Reload(t.Context()); !errors.Is(err, admin.ErrForbidden) {
		t.Errorf("got %v, want %v", err, admin.ErrForbidden)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if _, err := admin.Dial(path).Reload(t.Context()); !errors.Is(err, admin.ErrNotRunning) || !strings.Contains(err.Error(), path) {
		t.Errorf("no socket: got %v", err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	stale(t, path)
	if _, err := admin.Dial(path).Lists(t.Context()); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("stale socket: got %v", err)
	}
}

// TestChangesAreOneAtATime also reads beside them.
func TestChangesAreOneAtATime(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	var at, most, all atomic.Int32
	work := func() {
		most.Store(max(most.Load(), at.Add(1)))
		runtime.Gosched()
		all.Add(1)
		at.Add(-1)
	}
	cfg := control()
	cfg.Reload = func(context.Context) ([]string, error) { work(); return nil, nil }
	cfg.UpdateLists = func(context.Context, string) error { work(); return nil }
	serve(t, listen(t, path, cfg))
	client := admin.Dial(path)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = client.Reload(t.Context())
			case 1:
				err = client.UpdateLists(t.Context(), "")
			default:
				_, err = client.Status(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || all.Load() != 16 {
		t.Errorf("%d changes at the same time, %d in all", most.Load(), all.Load())
	}
}

// TestCallerGoesAway: the work is told when nobody waits for it any more, and when the time of a shutdown is over.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	began, ended := make(chan struct{}), make(chan error, 2)
	cfg := control()
	cfg.Reload = func(ctx context.Context) ([]string, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}
	c := listen(t, path, cfg)
	served := make(chan error, 1)
	go func() { served <- c.Serve() }()

	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { _, err := admin.Dial(path).Reload(ctx); answer <- err }()
	<-began
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work got %v", err)
	}

	go func() { _, err := admin.Dial(path).Reload(t.Context()); answer <- err }()
	<-began
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work got %v", err)
	}
	if err := <-answer; err == nil {
		t.Error("a cut reload was answered as done")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestReloadSaysWhatWaits: the answer to a reload names the keys that only a restart puts in force.
func TestReloadSaysWhatWaits(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	cfg := control()
	cfg.Reload = func(context.Context) ([]string, error) { return []string{"proxy.listen", "ca"}, nil }
	serve(t, listen(t, path, cfg))
	if got, err := admin.Dial(path).Reload(t.Context()); err != nil || !slices.Equal(got, []string{"proxy.listen", "ca"}) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestManyProblems(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	cfg := control()
	cfg.Reload = func(context.Context) ([]string, error) {
		return nil, errors.New(strings.Repeat("weir.yaml:1:1: bad\n\n", 1000))
	}
	serve(t, listen(t, path, cfg))
	var refused *admin.Refused
	if _, err := admin.Dial(path).Reload(t.Context()); !errors.As(err, &refused) || len(refused.Problems) != 501 || slices.Contains(refused.Problems, "") {
		t.Fatalf("got %v", err)
	}
}

func TestControlNeedsAll(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if _, err := admin.ListenControl(path, admin.ControlConfig{}); err == nil {
		t.Fatal("the zero ControlConfig passed")
	}
	if _, err := os.Lstat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("something was made all the same")
	}
}
