package source_test

import (
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"weir/blocklists/source"
)

// TestRealHTTP runs the default client against a real server on loopback: compression, validators, and a bomb.
func TestRealHTTP(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9") // must be ignored
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Last-Modified", "Sun, 24 Jul 2022 12:29:21 GMT")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte("a.example\n"))
		if r.URL.Path == "/bomb" {
			for range 1000 {
				_, _ = z.Write([]byte(strings.Repeat("#", 1<<16)))
			}
		}
		_ = z.Close()
	}))
	defer srv.Close()
	list, bomb := remote("list"), remote("bomb")
	list.URL, bomb.URL, bomb.MaxBytes = srv.URL+"/list", srv.URL+"/bomb", 1<<20
	dir := t.TempDir()
	m := manager(t, source.Config{Dir: dir, Sources: []source.Source{list, bomb}})
	for range 2 {
		if err := m.Refresh(t.Context(), "list"); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, m.Set(), "a.example", "list")
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	if err := m.Refresh(t.Context(), "bomb"); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("bomb: %v", err)
	}
	expect(t, m.Set(), "a.example", "list")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 { // the copy, its metadata, the compiled Set
		t.Errorf("left behind: %v, %v", left, err)
	}
}
