package source_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	named := func(s source.Source) source.Source { s.List.Name = "a"; return s }
	for what, s := range map[string]source.Source{
		"no name":       {Text: "a.example"},
		"no source":     named(source.Source{}),
		"two sources":   named(source.Source{Text: "x", Path: "y"}),
		"plain http":    named(source.Source{URL: "http://lists.example/a"}),
		"other scheme":  named(source.Source{URL: "file:///etc/passwd"}),
		"not loopback":  named(source.Source{URL: "http://127.0.0.1.lists.example/a"}),
		"short":         named(source.Source{URL: "https://lists.example/a", Interval: time.Second}),
		"negative":      named(source.Source{Path: "a", MaxBytes: -1}),
		"digest":        named(source.Source{Path: "a", SHA256: "abc"}),
		"secret in URL": named(source.Source{URL: "https://user:secret@%zz/secret"}),
		"allow":         {List: set.List{Name: "a", Action: set.ActionAllow}, Text: "x"},
	} {
		_, err := source.New(source.Config{Sources: []source.Source{s}})
		if !errors.Is(err, source.ErrConfig) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	twice := named(source.Source{Text: "x"})
	if _, err := source.New(source.Config{Sources: []source.Source{twice, twice}}); !errors.Is(err, source.ErrConfig) {
		t.Errorf("same name: %v", err)
	}
	for _, u := range []string{"http://127.0.0.1:80/a", "http://[::1]/a", "http://localhost/a", "https://lists.example/a"} {
		if _, err := source.New(source.Config{Sources: []source.Source{named(source.Source{URL: u})}}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestFiles: files are read anew at each Load, and stay inside the directory whatever the list is called.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{
		{List: set.List{Name: "../../etc/my list"}, Path: path, Format: format.Domains},
		{List: set.List{Name: "inner"}, Text: "||c.example^\n@@||d.example^\n"},
	}}
	write(t, path, "a.example\nbad line here\n")
	m := manager(t, cfg)
	s := load(t, m)
	expect(t, s, "x.a.example", "../../etc/my list")
	expect(t, s, "c.example", "inner")
	expect(t, s, "d.example", "")
	st := m.Status()
	if st[0].Rules != 1 || st[0].Skipped["trailing-text"] != 1 || len(st[0].Diagnostics) != 1 || st[0].Diagnostics[0].File != path || st[0].Failing {
		t.Errorf("status: %+v", st[0])
	}
	if st[1].Refused != 1 || st[1].Source != "built-in" || st[1].Format != format.Adblock {
		t.Errorf("status: %+v", st[1])
	}
	write(t, path, "b.example\n")
	expect(t, load(t, m), "b.example", "../../etc/my list")
	expect(t, m.Set(), "a.example", "")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("files outside the directory: %v, %v", entries, err)
	}
}

// TestFileHeld: a file that breaks leaves its last good copy in force, even over a restart; one emptied on purpose does not.
func TestFileHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{{List: set.List{Name: "mine"}, Path: path, Format: format.Domains}}}
	write(t, path, "a.example\n")
	m := manager(t, cfg)
	load(t, m)
	for what, step := range map[string]func(){
		"empty":   func() { write(t, path, "") },
		"garbage": func() { write(t, path, "? ?\n! !\n") },
		"page":    func() { write(t, path, "<html>a.example</html>") },
		"gone":    func() { _ = os.Remove(path) },
		"a pipe":  func() { _ = os.Remove(path); _ = os.Mkdir(path, 0o700) },
	} {
		_ = os.Remove(path)
		step()
		for _, m := range []*source.Manager{m, manager(t, cfg)} {
			s, err := m.Load(t.Context())
			if err == nil || !m.Status()[0].Failing || m.Status()[0].LastError == "" {
				t.Errorf("%s: %v, %+v", what, err, m.Status()[0])
			}
			expect(t, s, "a.example", "mine")
		}
	}
	_ = os.Remove(path)
	write(t, path, "# emptied on purpose\n")
	expect(t, load(t, m), "a.example", "")
}

// TestFileRefresh: a file with an interval is read again without being asked, soon when it could not be read.
func TestFileRefresh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	synctest.Test(t, func(t *testing.T) {
		cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{
			{List: set.List{Name: "mine"}, Path: path, Format: format.Domains, Interval: time.Hour},
		}}
		m := manager(t, cfg)
		if _, err := m.Load(t.Context()); err == nil {
			t.Fatal("no file, no error")
		}
		if v := m.Vitals("mine"); !v.Failing || v.Loaded {
			t.Errorf("missing: %+v", v)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Run(ctx, func(*set.Set) {}) })
		write(t, path, "a.example\n")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		expect(t, m.Set(), "a.example", "mine")
		write(t, path, "b.example\nc.example\n")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		expect(t, m.Set(), "b.example", "mine")
		if v := m.Vitals("mine"); v.Failing || !v.Loaded || v.Rules != 2 || v.Updated.IsZero() {
			t.Errorf("loaded: %+v", v)
		}
		stop()
		wg.Wait()
	})
}

// TestNoPipe: what would never end, a pipe in the place of a list or of a copy, is refused at once.
func TestNoPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	m := manager(t, source.Config{Sources: []source.Source{{List: set.List{Name: "mine"}, Path: path}}})
	if _, err := m.Load(t.Context()); !errors.Is(err, source.ErrNotFile) {
		t.Errorf("got %v", err)
	}
}

// TestNoDirectory: files work where nothing may be written, and read-only managers write nothing.
func TestNoDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, blocked := filepath.Join(dir, "mine.txt"), filepath.Join(dir, "file")
	write(t, path, "a.example\n")
	write(t, blocked, "")
	src := []source.Source{{List: set.List{Name: "mine"}, Path: path}, remote("far")}
	for what, cfg := range map[string]source.Config{
		"none":       {Sources: src},
		"read-only":  {Sources: src, Dir: filepath.Join(dir, "lists"), ReadOnly: true},
		"impossible": {Sources: src, Dir: filepath.Join(blocked, "lists")},
	} {
		m := manager(t, cfg)
		s, err := m.Load(t.Context())
		if (err != nil) != (what == "impossible") { // the broken directory is reported, not suffered
			t.Errorf("%s: %v", what, err)
		}
		expect(t, s, "a.example", "mine")
		if st := m.Status(); st[0].Hash == "" || st[1].Rules != 0 {
			t.Errorf("%s: %+v", what, st)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "lists")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a read-only manager wrote: %v", err)
	}
	m := manager(t, source.Config{Sources: src, ReadOnly: true})
	if err := m.Refresh(t.Context(), ""); !errors.Is(err, source.ErrReadOnly) {
		t.Errorf("refresh: %v", err)
	}
}

// TestPinned: a text that is not the pinned one never comes into force, from file, network or disk.
func TestPinned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	write(t, path, "a.example\n")
	digest := sha256.Sum256([]byte("a.example\n"))
	src := source.Source{List: set.List{Name: "mine"}, Path: path, SHA256: strings.ToUpper(hex.EncodeToString(digest[:]))}
	for what, cfg := range map[string]source.Config{"copy": {Dir: filepath.Join(dir, "lists")}, "direct": {}} {
		cfg.Sources = []source.Source{src}
		write(t, path, "a.example\n")
		m := manager(t, cfg)
		expect(t, load(t, m), "a.example", "mine")
		write(t, path, "b.example\n")
		s, err := m.Load(t.Context())
		if !errors.Is(err, source.ErrDigest) {
			t.Errorf("%s: %v", what, err)
		}
		expect(t, s, "b.example", "")
	}
	copies, err := filepath.Glob(filepath.Join(dir, "lists", "*.list"))
	if err != nil || len(copies) != 1 {
		t.Fatal(copies, err)
	}
	write(t, copies[0], "evil.example\n")
	_ = os.Remove(path)
	s, err := manager(t, source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{src}}).Load(t.Context())
	if !errors.Is(err, source.ErrDigest) {
		t.Errorf("copy: %v", err)
	}
	expect(t, s, "evil.example", "")
}

// TestRun walks a remote list through its life in synthetic time: absent, downloaded, unchanged, changed, restarted.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, stop := live(t, dir, &origin{down: errors.New("no route")})
		l.pass(time.Second)
		l.want("first failure", false, "no route", 0, 0)
		l.set(func(o *origin) { o.down, o.text, o.etag = nil, "a.example\n", `"1"` })
		l.pass(2 * time.Minute) // the retry comes after about one
		l.want("success", false, "", 1, 1)
		expect(t, l.got, "a.example", "far")
		l.pass(2 * time.Hour)
		l.want("unchanged", false, "", 1, 1)
		if l.count() < 3 || !strings.HasSuffix(l.requests[l.count()-1], ` "1"`) {
			t.Errorf("no validators: %q", l.requests)
		}
		l.set(func(o *origin) { o.text, o.etag = "b.example\n", `"4"` })
		if err := l.m.Refresh(t.Context(), "far"); err != nil {
			t.Error(err)
		}
		expect(t, l.got, "b.example", "far")
		if err := l.m.Refresh(t.Context(), "near"); !errors.Is(err, source.ErrNoList) {
			t.Errorf("unknown list: %v", err)
		}
		stop()

		l.set(func(o *origin) { o.down = errors.New("no route") })
		before := l.count()
		again := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: l.origin}, Sources: []source.Source{remote("far")}})
		expect(t, load(t, again), "b.example", "far")
		if l.count() != before {
			t.Error("Load went to the network")
		}
	})
}

// TestHeld: whatever a server sends in place of the list, the last good one stays in force, and the next good answer heals it.
func TestHeld(t *testing.T) {
	t.Parallel()
	for what, broken := range map[string]func(*origin){
		"web page": func(o *origin) { o.text, o.etag = "<!doctype html>", `"2"` },
		"emptied":  func(o *origin) { o.text, o.etag = "# nothing left\n", `"3"` },
		"garbage":  func(o *origin) { o.text, o.etag = "\x1f\x8b\x08\x00\xff\xff", `"4"` },
		"status":   func(o *origin) { o.status = 503 },
		"down":     func(o *origin) { o.down = errors.New("no route") },
		"loop":     func(o *origin) { o.redirect = "https://lists.example/far" },
		"plain":    func(o *origin) { o.redirect = "http://lists.example/far" },
		"loopback": func(o *origin) { o.redirect = "http://127.0.0.1/far" },
		"partial":  func(o *origin) { o.status = 206 },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l, stop := live(t, dir, &origin{text: "a.example\n", etag: `"1"`})
				defer stop()
				l.pass(time.Minute)
				l.want("good", false, "", 1, 1)
				l.set(broken)
				l.pass(2 * time.Hour)
				st := l.m.Status()[0]
				if !st.Failing || st.LastError == "" || st.Rules != 1 || l.changes != 1 {
					t.Errorf("%+v, %d changes", st, l.changes)
				}
				expect(t, l.m.Set(), "a.example", "far")
				l.set(func(o *origin) { o.down, o.status, o.redirect, o.text, o.etag = nil, 0, "", "a.example\n", `"1"` })
				l.pass(2 * time.Hour)
				l.want("healed", false, "", 1, 1)
			})
		})
	}
}

// TestInterrupted: whatever a crash leaves behind between the two writes, the list is whole and the next refresh asks for all.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for what, crash := range map[string]func(t *testing.T, text, meta string){
		"text newer than metadata": func(t *testing.T, text, _ string) { write(t, text, "b.example\n") },
		"no metadata":              func(_ *testing.T, _, meta string) { _ = os.Remove(meta) },
		"garbage metadata":         func(t *testing.T, _, meta string) { write(t, meta, "{\x00") },
		"no text":                  func(_ *testing.T, text, _ string) { _ = os.Remove(text) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := &origin{text: "a.example\n", etag: `"1"`}
			cfg := source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far")}}
			m := manager(t, cfg)
			load(t, m)
			if err := m.Refresh(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			texts, _ := filepath.Glob(filepath.Join(dir, "*.list"))
			metas, _ := filepath.Glob(filepath.Join(dir, "*.json"))
			if len(texts) != 1 || len(metas) != 1 {
				t.Fatal(texts, metas)
			}
			crash(t, texts[0], metas[0])
			m = manager(t, cfg)
			if _, err := m.Load(t.Context()); err != nil {
				t.Errorf("load: %v", err)
			}
			if err := m.Refresh(t.Context(), ""); err != nil {
				t.Errorf("refresh: %v", err)
			}
			if last := o.requests[len(o.requests)-1]; strings.Contains(last, `"1"`) {
				t.Errorf("validators of another text were sent: %s", last)
			}
			expect(t, m.Set(), "a.example", "far")
		})
	}
}

// TestBounded: a list without end is given up at its limit, and leaves nothing on disk.
func TestBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := remote("far")
	src.MaxBytes = 1000
	o := &origin{text: strings.Repeat("a.example\n", 200)}
	m := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{src}})
	if err := m.Refresh(t.Context(), ""); err == nil {
		t.Error("accepted")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSlow: a server that never ends costs its timeout and nothing else.
func TestSlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := tripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "slow") {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: drip{r.Context()}, Request: r}, nil
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString("a.example\n")), Request: r}, nil
		})
		m := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("slow"), remote("fast")}})
		load(t, m)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Run(ctx, func(*set.Set) {}) })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		expect(t, m.Set(), "a.example", "fast")
		load(t, m) // a reload does not wait for the download
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if st := m.Status()[0]; st.LastError == "" {
			t.Errorf("slow: %+v", st)
		}
		stop()
		wg.Wait()
	})
}

// TestStray: drafts of killed processes go after a day; nothing else does.
func TestStray(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{".far-1.list123", ".far-1.json45", "far-1.list", ".other"} {
		write(t, filepath.Join(dir, name), "")
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, ".far-1.list678"), "")
	load(t, manager(t, source.Config{Dir: dir, Sources: []source.Source{remote("far")}}))
	var left []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); err != nil || got != ".far-1.list678 .other far-1.list" {
		t.Errorf("left: %s, %v", got, err)
	}
}

// TestDraftName: a download under way has a name that the sweep of strays knows.
func TestDraftName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := make(chan []string, 1)
	o := tripper(func(r *http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader("a.example\n"), reader(func() {
			found, _ := filepath.Glob(filepath.Join(dir, ".*.list*"))
			names <- found
		}))
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
	})
	m := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far")}})
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := <-names; len(got) != 1 {
		t.Errorf("drafts while downloading: %v", got)
	}
}

// reader calls a function once and ends.
type reader func()

func (f reader) Read([]byte) (int, error) { f(); return 0, io.EOF }

// TestSecrets: user, password and query of a URL, and the key of a subscriber in its path, are shown nowhere.
func TestSecrets(t *testing.T) {
	t.Parallel()
	src := remote("far")
	src.URL = "https://user:hunter2@lists.example/3f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c/far?token=hunter2"
	o := &origin{down: errors.New("no route")}
	m := manager(t, source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: o}, Sources: []source.Source{src}})
	err := m.Refresh(t.Context(), "far")
	st := m.Status()[0]
	s := load(t, m)
	for _, text := range []string{err.Error(), st.Source, st.LastError, s.List(0).Source} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "3f9a8b") {
			t.Error(text)
		}
	}
	if st.Source != "https://lists.example/redacted/far?redacted" {
		t.Error(st.Source)
	}
}

// TestManyReaders runs loads, refreshes and status together (for the race detector).
func TestManyReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	write(t, path, "a.example\n")
	o := &origin{text: "b.example\n"}
	m := manager(t, source.Config{Dir: filepath.Join(dir, "lists"), Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far"), {List: set.List{Name: "mine"}, Path: path}}})
	load(t, m)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				o.set(func(o *origin) { o.text = "b.example\nc" + strconv.Itoa(i*10+j) + ".example\n" })
				if err := m.Refresh(t.Context(), ""); err != nil {
					t.Error(err)
				}
				if s, err := m.Load(t.Context()); err != nil || listed(s, "b.example") != "far" || listed(s, "a.example") != "mine" {
					t.Errorf("half a list: %v", err)
				}
				_ = m.Status()
			}
		})
	}
	wg.Wait()
}
