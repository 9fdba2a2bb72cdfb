package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/blocklists/set"
	"weir/blocklists/source"
)

// world is a directory with lists of every kind, and the server of the remote one.
type world struct {
	origin *origin
	folder string
	cfg    source.Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := memoryDir(t)
	w := &world{origin: &origin{}, folder: filepath.Join(dir, "lists.d")}
	if err := os.Mkdir(w.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	w.cfg = source.Config{Dir: filepath.Join(dir, "data"), Client: &http.Client{Transport: w.origin}, Sources: []source.Source{
		remote("far"), {List: set.List{Name: "mine"}, Dir: w.folder, MaxChange: source.AnyChange},
	}}
	w.publish(t, 1, 300)
	m := manager(t, w.cfg)
	m.MakeMortal(&source.Mortal{Steps: 1 << 30})
	load(t, m)
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return w
}

// memoryDir is a directory in memory where the system has one: a life is walked through some hundred times, and what is asked is what
// was written in which order, not how long a disk takes to keep it.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "weir-lists-*") // shm_overview(7)
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// publish changes the remote list and the file: n names, of which the last tells the version and how many there must be.
func (w *world) publish(t *testing.T, version, n int) {
	t.Helper()
	text := fmt.Sprintf("%sv%d-%d.example\n", namesText(n), version, n)
	w.origin.set(func(o *origin) { o.text, o.etag = text, fmt.Sprintf(`"%d"`, version) })
	write(t, filepath.Join(w.folder, "own"), text)
}

// life is all that a process may do with lists: take a new text, hold one, take it at the operator's word, and find one unchanged.
func (w *world) life(t *testing.T, m *source.Manager) {
	t.Helper()
	ctx := t.Context()
	_, _ = m.Load(ctx) // what fails is seen in what is in force
	w.publish(t, 2, 250)
	_ = m.Refresh(ctx, "")
	w.publish(t, 3, 20)
	_ = m.Refresh(ctx, "")
	_ = m.Accept(ctx, "far")
	_ = m.Refresh(ctx, "")
	w.publish(t, 4, 30)
	_ = m.Refresh(ctx, "")
}

// whole says that each list in force is one of those that were published, with all its names.
func whole(t *testing.T, what string, s *set.Set) {
	t.Helper()
	for _, list := range []string{"far", "mine/own"} {
		var found []int
		for _, v := range []struct{ version, n int }{{1, 300}, {2, 250}, {3, 20}, {4, 30}} {
			if strings.Contains(" "+listed(s, fmt.Sprintf("v%d-%d.example", v.version, v.n))+" ", " "+list+" ") {
				found = append(found, v.version)
				for i := range v.n {
					if !strings.Contains(" "+listed(s, fmt.Sprintf("n%d.example", i))+" ", " "+list+" ") {
						t.Fatalf("%s: half of %s, version %d: n%d is missing", what, list, v.version, i)
					}
				}
			}
		}
		if len(found) != 1 {
			t.Errorf("%s: versions %v of %s are in force", what, found, list)
		}
	}
}

// TestEveryStep kills a process at every write, sync, rename and removal of its life, or lets just that one fail: what is in force
// is whole, the next start filters with a whole list without the network, and the next refresh heals everything.
func TestEveryStep(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		ended := false
		for n := 0; !ended; n++ {
			if n > 500 {
				t.Fatal("a life without end")
			}
			what := fmt.Sprintf("step %d, once %v", n, once)
			w := newWorld(t)
			m := manager(t, w.cfg)
			d := &source.Mortal{Steps: n, Once: once}
			m.MakeMortal(d)
			w.life(t, m)
			if ended = d.Steps >= 0; ended {
				t.Logf("%d steps, once %v", n, once)
			}
			whole(t, what, m.Set())
			w.origin.set(func(o *origin) { o.down = errors.New("no route") })
			next := manager(t, w.cfg)
			next.MakeMortal(&source.Mortal{Steps: 1 << 30})
			s, err := next.Load(t.Context())
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			whole(t, what+", next start", s)
			w.origin.set(func(o *origin) { o.down = nil })
			if err := next.Refresh(t.Context(), ""); err != nil && !errors.Is(err, source.ErrHeld) {
				t.Errorf("%s: next refresh: %v", what, err)
			}
			if next.Status()[0].Held() {
				if err := next.Accept(t.Context(), "far"); err != nil {
					t.Errorf("%s: accept: %v", what, err)
				}
			}
			expect(t, next.Set(), "v4-30.example", "far mine/own")
		}
	}
}

// keeperEnv makes a process of this test binary refresh its lists in that directory until it is killed.
const keeperEnv = "WEIR_TEST_KEEPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(keeperEnv); dir != "" {
		keepForEver(dir)
	}
	os.Exit(m.Run())
}

func keeperConfig(dir string) (source.Config, *origin) {
	o := &origin{}
	src := remote("far")
	src.MaxChange = source.AnyChange
	return source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{src}}, o
}

func keepForEver(dir string) {
	cfg, o := keeperConfig(dir)
	m, err := source.New(cfg)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		n := 500 + 500*(i%2)
		o.set(func(o *origin) { o.text, o.etag = fmt.Sprintf("%sv%d.example\n", namesText(n), n), fmt.Sprint(i) })
		if err := m.Refresh(context.Background(), ""); err != nil {
			panic(err)
		}
		if i == 0 {
			fmt.Println("saved")
		}
	}
}

// TestKilled kills a process that refreshes without pause, at moments of chance: the next start has a whole list, from its copy and
// from the compiled Set.
func TestKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg, _ := keeperConfig(dir)
	for i := range 12 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{Env: append(os.Environ(), keeperEnv+"="+dir), Files: []*os.File{nil, w, os.Stderr}})
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		if _, err := io.ReadFull(r, make([]byte, 5)); err != nil { // it has refreshed once
			t.Error(err)
		}
		time.Sleep(time.Duration(rand.IntN(int(30 * time.Millisecond)))) // not a wait for something: the moment of death is the test's input
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		_, _ = p.Wait()
		_ = r.Close()
		if i%2 == 1 { // the texts alone
			_ = os.Remove(filepath.Join(dir, "compiled.lists"))
		}
		s := load(t, manager(t, cfg))
		n := 500
		if listed(s, "v1000.example") != "" {
			n = 1000
		}
		if st := s.Stats(); st.Rules != n+1 || listed(s, fmt.Sprintf("v%d.example", n)) != "far" {
			t.Fatalf("half a list: %+v", st)
		}
	}
}
