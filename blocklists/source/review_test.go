package source_test

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
)

// hostsText is a hosts list of n names.
func hostsText(n int) string {
	return strings.ReplaceAll("\n"+strings.TrimSuffix(namesText(n), "\n"), "\n", "\n0.0.0.0 ")[1:] + "\n"
}

// TestReviewFormat: a text of another format than the one in force waits for review, whatever its size, over a restart too; a named
// format makes no such difference.
func TestReviewFormat(t *testing.T) {
	t.Parallel()
	const page = `[{"url":"https://www.reddit.com/"}]`
	o := &origin{text: hostsText(99)}
	far := remote("far")
	far.Format = format.Auto
	cfg := source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: o}, Sources: []source.Source{far}}
	m := manager(t, cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{page, "||n1.example^\n||www.reddit.com^\n||n3.example^\n"} {
		for range 2 {
			o.set(func(o *origin) { o.text = text })
			err := m.Refresh(t.Context(), "")
			if !errors.Is(err, source.ErrHeld) || !strings.Contains(err.Error(), "instead of hosts") || !strings.Contains(err.Error(), "update far --accept") {
				t.Errorf("%s: %v", text, err)
			}
			if st := m.Status()[0]; !st.Held() || st.Rules != 99 || st.Pending.HadFormat != "hosts" {
				t.Errorf("%s: %+v", text, st)
			}
			m = manager(t, cfg)
			load(t, m)
		}
	}
	if err := m.Accept(t.Context(), "far"); err != nil {
		t.Fatal(err)
	}
	expect(t, m.Set(), "www.reddit.com", "far")
	o.set(func(o *origin) { o.text = "||n1.example^\n" })
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Errorf("the new format again: %v", err)
	}
}

// TestFirstText: what comes first and holds nothing, or is what a server says about itself, is an error that is soon tried again.
func TestFirstText(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":        {"", source.ErrEmpty},
		"blank":          {"\n\n", source.ErrEmpty},
		"comments":       {"# soon\n", source.ErrEmpty},
		"an empty array": {"[]", source.ErrEmpty},
		"an error":       {`{"error":"rate limited","url":"https://www.reddit.com/"}`, format.ErrNotAList},
	} {
		far := remote("far")
		far.Format = format.Auto
		m := manager(t, source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: &origin{text: c.text}}, Sources: []source.Source{far}})
		load(t, m)
		err := m.Refresh(t.Context(), "")
		st := m.Status()[0]
		if !errors.Is(err, c.want) || st.Loaded || st.LastError == "" || time.Until(st.Next) > time.Hour/2 {
			t.Errorf("%s: %v, %+v", what, err, st)
		}
	}
}

// TestReviewFile: a local file that was cut short waits for review as a download does, while its last good copy stays, for those too
// who only look; it is taken when it is accepted, or when max_change allows any change.
func TestReviewFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	write(t, path, namesText(1000))
	cfg := source.Config{Dir: filepath.Join(dir, "lists"), Sources: []source.Source{{List: set.List{Name: "mine"}, Path: path}}}
	load(t, manager(t, cfg))
	write(t, path, namesText(5))
	looker := cfg
	looker.ReadOnly = true
	for what, c := range map[string]source.Config{"looker": looker, "first": cfg} {
		m := manager(t, c)
		s, err := m.Load(t.Context())
		if st := m.Status()[0]; !errors.Is(err, source.ErrHeld) || !strings.Contains(err.Error(), "update mine --accept") || !st.Held() || st.Rules != 1000 {
			t.Errorf("%s: %v, %+v", what, err, st)
		}
		expect(t, s, "n700.example", "mine")
	}
	m := manager(t, cfg)
	if _, err := m.Load(t.Context()); !errors.Is(err, source.ErrHeld) {
		t.Errorf("again: %v", err)
	}
	write(t, path, namesText(1000))
	load(t, m)
	if st := m.Status()[0]; st.Held() || st.Failing || st.Rules != 1000 {
		t.Errorf("completed: %+v", st)
	}
	write(t, path, namesText(5))
	_, _ = m.Load(t.Context())
	if err := m.Accept(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	expect(t, m.Set(), "n700.example", "")
	expect(t, load(t, manager(t, cfg)), "n4.example", "mine")
	if left, err := filepath.Glob(filepath.Join(dir, "lists", "*.held")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	write(t, path, namesText(20_000))
	cfg.Sources[0].MaxChange = source.AnyChange
	expect(t, load(t, manager(t, cfg)), "n700.example", "mine")
}

// TestClockAhead: times in metadata that have not come yet, of a clock that ran ahead, neither put off a refresh nor an expiry.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	o := &origin{text: namesText(3)}
	far := remote("far")
	far.Expires = 2 * time.Hour
	cfg := source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: o}, Sources: []source.Source{far}}
	m := manager(t, cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cfg.Dir, "far-*.json"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	year := time.Now().UTC().Format("\"2006-")
	write(t, found[0], strings.ReplaceAll(string(text), year, "\"2099-"))
	m = manager(t, cfg)
	load(t, m)
	if st := m.Status()[0]; !st.Loaded || time.Until(st.Next) > 2*time.Hour || time.Until(st.Updated) > 0 {
		t.Errorf("%+v", st)
	}
}

// TestFreshInstall: the first start saves its compiled lists and has nothing to complain about.
func TestFreshInstall(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	dir := filepath.Join(t.TempDir(), "lists")
	load(t, manager(t, source.Config{
		Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil)), Sources: []source.Source{{List: set.List{Name: "own"}, Text: "a.example\n"}},
	}))
	if _, err := os.Stat(filepath.Join(dir, "compiled.lists")); err != nil || said.Len() > 0 {
		t.Errorf("%v, %s", err, &said)
	}
}
