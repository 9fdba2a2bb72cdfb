package source_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"weir/blocklists/format"
	"weir/blocklists/source"
)

// TestHostileTLS: over TLS with a root of its own, what a server does is an error as over plain HTTP, a certificate that nobody vouches
// for is one too, and the last good list stays in force.
func TestHostileTLS(t *testing.T) {
	t.Parallel()
	var answer atomic.Value
	answer.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) }))
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer.Load().(http.HandlerFunc)(w, r) }))
	t.Cleanup(srv.Close)
	src := remote("far")
	src.URL = srv.URL + "/far"
	cfg := source.Config{Dir: t.TempDir(), Client: srv.Client(), Sources: []source.Source{src}}
	m := manager(t, cfg)
	load(t, m)
	if err := m.Refresh(t.Context(), "far"); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		is     error
	}{
		"page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>evil.example</html>") }, format.ErrNotAList},
		"loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/far", http.StatusFound) }, source.ErrRedirect},
		"plain": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/far", http.StatusFound)
		}, source.ErrRedirect},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "evil.example\n")
		}, io.ErrUnexpectedEOF},
		"status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, source.ErrStatus},
	} {
		answer.Store(c.answer)
		if err := m.Refresh(t.Context(), "far"); !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", what, err, c.is)
		}
		expect(t, m.Set(), "good.example", "far")
		expect(t, m.Set(), "evil.example", "")
	}
	cfg.Client = &http.Client{Transport: &http.Transport{}} // it knows the roots of the system alone
	m = manager(t, cfg)
	load(t, m)
	err := m.Refresh(t.Context(), "far")
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown && !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a root that nobody knows: %v", err)
	}
	expect(t, m.Set(), "good.example", "far")
}
