package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/memory"
)

// crash ends weir as a power cut would.
func (w *weir) crash() {
	w.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	<-w.exited
	*w.err = nil // meant
}

// rerun starts weir again over the same config and data.
func (w *weir) rerun() *weir {
	w.t.Helper()
	c := *w
	c.exited, c.err = make(chan struct{}), new(error)
	out, err := os.OpenFile(c.log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.Command(binary, "run", "-c", c.config)
	c.cmd.Dir, c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = c.dir, cleanEnv(c.dir), out, out
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		*c.err = c.cmd.Wait()
		_ = out.Close()
		close(c.exited)
	}()
	c.t.Cleanup(func() { c.stop() })
	until(c.t, startWait, "weir is ready again", c.ready)
	return &c
}

// seenFile is the memory of names.
func (w *weir) seenFile() string { return filepath.Join(w.dir, "data", "names.seen") }

// remembers looks at the memory of names, of a weir that runs or of one that is gone.
func (w *weir) remembers(name string) bool {
	w.t.Helper()
	m, err := memory.Open(memory.Config{Path: w.seenFile(), ReadOnly: true})
	if err != nil || m == nil {
		w.t.Fatalf("%v, %v", m, err)
	}
	_, _, ok := m.Seen(name)
	if err := m.Close(); err != nil {
		w.t.Error(err)
	}
	return ok
}

// age puts a memory in the place of the one there is, in which a name was first seen three days ago.
func (w *weir) age(name string) {
	w.t.Helper()
	if err := os.Remove(w.seenFile()); err != nil {
		w.t.Fatal(err)
	}
	then := time.Now().Add(-3 * 24 * time.Hour)
	m, err := memory.Open(memory.Config{Path: w.seenFile(), Names: 1 << 18, Now: then})
	if err != nil {
		w.t.Fatal(err)
	}
	m.Note(name, then)
	if err := m.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// TestFirstSightSurvives: what was let through and answered is remembered across kill -9, and policy acts on it; what was blocked or
// does not exist is not.
func TestFirstSightSurvives(t *testing.T) {
	t.Parallel()
	zone := newZone(t, map[string][]string{"none.test.": nil, "alias.test.": {"alias.test. 60 IN CNAME behind.example.", "behind.example. 60 IN A 127.0.0.1"}})
	list := writeFile(t, t.TempDir()+"/list.txt", "listed.test\n")
	const unknown = "reputation: {unknown: %s}\nlists:\n  - {name: unwanted, file: %s, format: wildcard}\n"
	w := start(t, setting{ports: []int{443}, dns: zone.addr, more: fmt.Sprintf(unknown, "log", list)})
	for _, q := range []string{"www.seen.test", "none.test", "x.listed.test", "alias.test"} {
		w.dig(q)
	}
	w.event("dns.question.name", "www.seen.test", "weir.class", "unknown", "weir.verdict", "log", "weir.why", "first seen here "+time.Now().UTC().Format(time.DateOnly))
	w.event("dns.question.name", "alias.test")
	w.crash()
	for name, want := range map[string]bool{
		"seen.test": true, "alias.test": true, "behind.example": true, "none.test": false, "listed.test": false,
	} {
		if got := w.remembers(name); got != want {
			t.Errorf("%s: remembered %v, want %v", name, got, want)
		}
	}
	w.age("seen.test")
	w.configure(fmt.Sprintf(unknown, "block", list))
	w = w.rerun()
	if out := w.dig("other.seen.test"); !strings.Contains(out, "NOERROR") {
		t.Errorf("a name that is known here for days:\n%s", out)
	}
	for range 3 { // asking again and again makes nobody older
		if out := w.dig("new.test"); !strings.Contains(out, "NXDOMAIN") || !strings.Contains(out, "first seen here") {
			t.Errorf("a name that is new:\n%s", out)
		}
	}
	if w.remembers("new.test") || !w.remembers("seen.test") {
		t.Error("what was blocked is remembered, or what was not is forgotten")
	}
	out, _, code := w.command("", "check", "seen.test", "new.test")
	if code != 1 || !strings.Contains(out, "known here since 20") || !strings.Contains(out, "reputation: unknown, first seen here 20") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// TestLock: a server learns while it may, by DNS and HTTP alike; then everything else is blocked for it, until a person edits the file.
func TestLock(t *testing.T) {
	t.Parallel()
	zone := newZone(t, map[string][]string{"none.test.": nil, "alias.test.": {"alias.test. 60 IN CNAME behind.example.", "behind.example. 60 IN A 127.0.0.1"}})
	o := newWorld(t, sink(), nil)
	list := writeFile(t, t.TempDir()+"/list.txt", "listed.test\n")
	more := func(until string) string {
		return fmt.Sprintf("groups: [{name: servers, networks: [127.0.0.1/32]}]\nreputation:\n  lock:\n    - {name: servers, groups: [servers], learn_until: %s}\n"+
			"lists:\n  - {name: unwanted, file: %s, format: wildcard}\n", until, list)
	}
	w := start(t, setting{ports: []int{o.plain, o.tls}, dns: zone.addr, more: more("2999-01-01T00:00:00Z")})
	page := func(name string) string { return fmt.Sprintf("http://%s:%d/", name, o.plain) }
	for _, q := range []string{"good.test", "none.test", "listed.test", "alias.test"} {
		w.dig(q)
	}
	if a := w.curl(page("web.test")); a.status != 200 {
		t.Fatal(a)
	}
	learnt := filepath.Join(w.dir, "data", "locks", "servers.txt")
	until(t, startWait, "web.test is learnt", func() error {
		if text := string(readFile(t, learnt)); !strings.Contains(text, "web.test\n") {
			return fmt.Errorf("%q", text)
		}
		return nil
	})
	lines := strings.Fields(string(readFile(t, learnt)))
	slices.Sort(lines)
	if want := []string{"alias.test", "good.test", "web.test"}; !slices.Equal(lines, want) {
		t.Fatalf("learnt %q, want %q", lines, want)
	}
	w.configure(more("2020-01-01T00:00:00Z"))
	w.reload()
	passes := func(name string) {
		t.Helper()
		if out := w.dig(name); !strings.Contains(out, "NOERROR") || !strings.Contains(out, "127.0.0.1") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	stops := func(name, why string) {
		t.Helper()
		if out := w.dig(name); !strings.Contains(out, "NXDOMAIN") || !strings.Contains(out, why) {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	passes("good.test")
	passes("alias.test") // and what it leads to
	passes("web.test")
	stops("new.test", "not learnt by lock servers")
	stops("www.good.test", "not learnt by lock servers")
	stops("behind.example", "not learnt by lock servers")
	stops("listed.test", "unwanted")
	if a := w.curl(page("web.test")); a.status != 200 {
		t.Error(a)
	}
	a := w.curl(page("new.test"))
	if a.blocked(t, 403); !strings.Contains(string(a.body), "Not learnt by lock servers") {
		t.Errorf("%s", a.body)
	}
	w.curl(page("127.0.0.1")) // the organisation's own address: the config says so
	w.event("dns.question.name", "new.test", "weir.verdict", "block", "weir.cause", "reputation", "weir.why", "not learnt by lock servers")
	for client, want := range map[string]int{"127.0.0.1": 1, "10.0.0.9": 0} {
		if out, _, code := w.command("", "check", "new.test", "--client", client); code != want || want == 1 && !strings.Contains(out, "not learnt by lock servers") {
			t.Errorf("check for %s: exit code %d\n%s", client, code, out)
		}
	}
	text := string(readFile(t, learnt))
	writeFile(t, learnt, strings.Replace(text, "good.test\n", "", 1)+"# reviewed\n.new.test\nlisted.test\nnot a name\n")
	w.reload()
	passes("new.test")
	passes("deep.new.test")
	stops("good.test", "not learnt by lock servers")
	stops("listed.test", "unwanted")
	if log := string(readFile(t, w.log)); !strings.Contains(log, learnt+":") || !strings.Contains(log, "not a name") {
		t.Error("the line that is no name was not reported")
	}
}
