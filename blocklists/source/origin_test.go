package source_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
	"weir/internal/hostname"
)

// origin is a web server without sockets, so that tests run in a synctest bubble.
type origin struct {
	mu       sync.Mutex
	text     string
	etag     string
	status   int
	redirect string
	down     error
	requests []string
}

func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, r.URL.String()+" "+r.Header.Get("If-None-Match"))
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	switch {
	case o.down != nil:
		return nil, o.down
	case o.redirect != "":
		resp.StatusCode = http.StatusFound
		resp.Header.Set("Location", o.redirect)
	case o.status != 0:
		resp.StatusCode = o.status
	case o.etag != "" && r.Header.Get("If-None-Match") == o.etag:
		resp.StatusCode = http.StatusNotModified
	default:
		resp.Header.Set("Etag", o.etag)
		resp.Body = io.NopCloser(strings.NewReader(o.text))
	}
	return resp, nil
}

func (o *origin) set(change func(*origin)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

func remote(name string) source.Source {
	return source.Source{List: set.List{Name: name}, URL: "https://lists.example/" + name, Format: format.Domains, Interval: time.Hour}
}

func manager(t *testing.T, c source.Config) *source.Manager {
	t.Helper()
	m, err := source.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func load(t *testing.T, m *source.Manager) *set.Set {
	t.Helper()
	s, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listed says which lists hold the name.
func listed(s *set.Set, name string) string {
	var out []string
	for _, m := range s.Lookup(hostname.MustParse(name), nil) {
		out = append(out, s.List(m.List).Name)
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, s *set.Set, name, want string) {
	t.Helper()
	if got := listed(s, name); got != want {
		t.Errorf("%s is on %q, want %q", name, got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// life is a remote list kept by a running Manager, in a synctest bubble.
type life struct {
	*origin
	t       *testing.T
	m       *source.Manager
	got     *set.Set // by onChange
	changes int
}

// live starts a Manager for one list that the origin serves; stop ends it.
func live(t *testing.T, dir string, o *origin) (l *life, stop func()) {
	t.Helper()
	l = &life{origin: o, t: t, m: manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: o}, Sources: []source.Source{remote("far")}})}
	load(t, l.m)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.m.Run(ctx, func(s *set.Set) { l.got, l.changes = s, l.changes+1 }); err != nil {
			t.Error(err)
		}
	})
	return l, func() { cancel(); wg.Wait() }
}

// pass lets time go by.
func (*life) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// want checks the one list's status.
func (l *life) want(what string, held bool, lastError string, rules, changes int) {
	l.t.Helper()
	st := l.m.Status()[0]
	if st.Failing != held || (st.LastError == "") != (lastError == "") || !strings.Contains(st.LastError, lastError) || st.Rules != rules || l.changes != changes {
		l.t.Errorf("%s: %+v, %d changes", what, st, l.changes)
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip gives one byte a second until its context ends.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		p[0] = '#'
		return 1, nil
	}
}

func (drip) Close() error { return nil }
