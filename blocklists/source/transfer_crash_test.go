package source_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/miekg/dns"

	"weir/blocklists/source"
)

// newcomer is a list whose publisher has a new text, for a process that is killed while it fetches it.
type newcomer struct {
	source source.Source
	web    http.RoundTripper
	before func() // the publisher has the old text, which holds old.example and both.example
	after  func() // the new one: new.example and both.example; or something that must not be taken
	taken  bool   // the new one is good
}

// TestKilledWhileFetching: wherever the process dies, the next start has the old text as a whole or the new one as a whole, the
// latter only when it is good; and then the next look gets what there is to get.
func TestKilledWhileFetching(t *testing.T) {
	t.Parallel()
	const oldText, newText = "old.example\nboth.example\n", "new.example\nboth.example\n"
	p, other := newPublisher(t), newPublisher(t)
	for name, make := range map[string]func(t *testing.T) newcomer{
		"signed":              func(*testing.T) newcomer { return signedNewcomer(p, oldText, newText, p.sign(newText, ""), true) },
		"signed by another":   func(*testing.T) newcomer { return signedNewcomer(p, oldText, newText, other.sign(newText, ""), false) },
		"old signature":       func(*testing.T) newcomer { return signedNewcomer(p, oldText, newText, p.sign(oldText, ""), false) },
		"signed, but no list": func(*testing.T) newcomer { return signedNewcomer(p, oldText, "<html>", p.sign("<html>", ""), false) },
		"zone, whole": func(t *testing.T) newcomer {
			return zoneNewcomer(t, honest(2, bad("new.example"), bad("both.example")), true)
		},
		"zone, differences": func(t *testing.T) newcomer {
			whole := honest(2, bad("new.example"), bad("both.example"))
			return zoneNewcomer(t, func(c *asked) {
				if c.kind() != dns.TypeIXFR {
					whole(c)
					return
				}
				c.send(c.message(soa(2), soa(1), bad("old.example"), soa(2), bad("new.example"), soa(2)))
			}, true)
		},
		"zone, cut": func(t *testing.T) newcomer {
			return zoneNewcomer(t, whenAsked(2, func(c *asked) { c.send(c.message(soa(2), bad("new.example"))) }), false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := make(t)
			start := t.TempDir()
			n.before()
			m := n.manager(t, start)
			load(t, m)
			if err := m.Refresh(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			n.after()
			for step := 0; n.killedAt(t, start, step); step++ {
				if step > 200 {
					t.Fatal("it never ends")
				}
			}
		})
	}
}

func (n newcomer) manager(t *testing.T, dir string) *source.Manager {
	return manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: n.web}, Sources: []source.Source{n.source}})
}

// killedAt lets the process die at one step of the fetch; false: it ended before.
func (n newcomer) killedAt(t *testing.T, start string, step int) bool {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(start)); err != nil {
		t.Fatal(err)
	}
	m := n.manager(t, dir)
	disk := m.DieAt(step)
	load(t, m)
	err := m.Refresh(t.Context(), "")
	if !disk.Dead() && (err == nil) != n.taken {
		t.Errorf("nobody killed it: %v", err)
	}
	again := n.manager(t, dir)
	s := load(t, again)
	isNew := listed(s, "new.example") != ""
	if isOld := listed(s, "old.example") != ""; isOld == isNew || listed(s, "both.example") == "" || isNew && !n.taken {
		t.Errorf("killed at step %d: old %v, new %v, both %v", step, isOld, isNew, listed(s, "both.example"))
	}
	if err := again.Refresh(t.Context(), ""); (err == nil) != n.taken {
		t.Errorf("killed at step %d, looked again: %v", step, err)
	}
	now := "old.example"
	if n.taken {
		now = "new.example"
	}
	if listed(again.Set(), now) == "" || listed(again.Set(), "both.example") == "" {
		t.Errorf("killed at step %d, looked again: %s is not listed", step, now)
	}
	return disk.Dead()
}

func signedNewcomer(p publisher, oldText, newText, signature string, taken bool) newcomer {
	web := &site{files: map[string]string{}}
	put := func(text, sig string) func() {
		return func() { web.files["/far"], web.files["/far.minisig"] = text, sig }
	}
	return newcomer{signedSource(p.public()), web, put(oldText, p.sign(oldText, "")), put(newText, signature), taken}
}

func zoneNewcomer(t *testing.T, answer func(*asked), taken bool) newcomer {
	s := serve(t, honest(1, bad("old.example"), bad("both.example")))
	return newcomer{transferred("rpz.test", testKey(), s.addr), nil, func() {}, func() { s.set(answer) }, taken}
}
