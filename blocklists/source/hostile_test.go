package source_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/source"
)

// hostileServer answers every path with one thing that a list server may do wrong.
type hostileServer struct {
	*httptest.Server
	private *httptest.Server // another host, which no configuration names
	healthy atomic.Bool
	bombs   map[string][]byte
}

// good is the text of every list while the server is healthy.
const good = "good.example\n"

func newHostile(t *testing.T) *hostileServer {
	t.Helper()
	s := &hostileServer{bombs: map[string][]byte{}}
	s.healthy.Store(true)
	one := packed(t, 300<<20)
	s.bombs["/gzip"], s.bombs["/stacked"], s.bombs["/zstd"] = one, squeeze(t, one), zstdBomb(1<<30)
	s.private = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "private.example\n") }))
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		s.private.Close()
	})
	return s
}

// packed is n octets of comment lines under gzip.
func packed(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	line := append(bytes.Repeat([]byte("#"), 1<<16-1), '\n')
	for ; n > 0; n -= len(line) {
		_, _ = z.Write(line)
	}
	_ = z.Close()
	return b.Bytes()
}

func squeeze(t *testing.T, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(p)
	_ = z.Close()
	return b.Bytes()
}

// zstdBomb is a frame of n octets made of blocks that say "the same octet 128 Ki times" (RFC 8878 section 3.1.1.2.2).
func zstdBomb(n int) []byte {
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58} // no content size, a window of 2 MiB
	for ; n > 0; n -= 128 << 10 {
		var h [4]byte
		binary.LittleEndian.PutUint32(h[:], uint32(128<<10)<<3|1<<1)
		out = append(out, h[0], h[1], h[2], '#')
	}
	return append(out, 0x01, 0x00, 0x00)
}

func (s *hostileServer) serve(w http.ResponseWriter, r *http.Request) {
	if s.healthy.Load() || r.URL.Path == "/fine" {
		w.Header().Set("ETag", `"good"`)
		_, _ = io.WriteString(w, good)
		return
	}
	if bomb, ok := s.bombs[r.URL.Path]; ok {
		_, _ = w.Write(bomb)
		return
	}
	switch r.URL.Path {
	case "/garbage":
		flood(w, 300<<20, func(b []byte) {
			for i := range b {
				b[i] = byte(i*7 + i/251)
			}
		})
	case "/lines": // that no format can read
		_, _ = io.WriteString(w, "a.example\n"+strings.Repeat("? not / a name\n", 5000))
	case "/line":
		flood(w, 1<<30, func(b []byte) { copy(b, bytes.Repeat([]byte("x"), len(b))) })
	case "/endless":
		flood(w, 1<<40, func(b []byte) { copy(b, bytes.Repeat([]byte("a.example\n"), len(b)/10)) })
	case "/page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "\n<!DOCTYPE html><html><body>Sorry: evil.example</body></html>")
	case "/apology":
		_, _ = io.WriteString(w, "We are sorry that this list is gone\n")
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case "/plain":
		http.Redirect(w, r, "http://192.0.2.1/list", http.StatusFound)
	case "/inside":
		http.Redirect(w, r, "https://192.168.0.1/list", http.StatusFound)
	case "/neighbour":
		http.Redirect(w, r, s.private.URL, http.StatusFound)
	case "/not-modified":
		w.WriteHeader(http.StatusNotModified)
	case "/etag":
		w.Header().Set("ETag", `"`+strconv.FormatInt(time.Now().UnixNano(), 10)+`"`)
		_, _ = io.WriteString(w, good)
	case "/digest":
		_, _ = io.WriteString(w, "evil.example\n")
	default:
		s.raw(w, r)
	}
}

// flood writes n octets of one buffer again and again.
func flood(w io.Writer, n int64, fill func([]byte)) {
	b := make([]byte, 1<<20-(1<<20)%30)
	fill(b)
	for ; n > 0; n -= int64(len(b)) {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// raw answers with what a web server would not send.
func (*hostileServer) raw(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	switch r.URL.Path {
	case "/length":
		_, _ = io.WriteString(conn, head+"Content-Length: 1000\r\n\r\nevil.example\n")
	case "/gzip-cut":
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for i := range 10000 {
			_, _ = fmt.Fprintf(z, "evil%d.example\n", i)
		}
		_ = z.Close()
		half := b.Bytes()[:b.Len()/2]
		_, _ = fmt.Fprintf(conn, "%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", head, len(half), half)
	case "/file-cut": // the list itself is a gzip file
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(strings.Repeat("evil.example\n", 5)))
		_ = z.Close()
		half := b.Bytes()[:b.Len()-6]
		_, _ = fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, len(half), half)
	case "/reset":
		_, _ = io.WriteString(conn, head+"Transfer-Encoding: chunked\r\n\r\nd\r\nevil.example\n\r\n")
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	case "/drip":
		drop(conn, head+"Content-Length: 1000000\r\n\r\n", "#")
	case "/drip-head":
		drop(conn, "HTTP/1.1 200 OK\r\nX-", "a")
	}
}

// drop sends start, and then a little every 20 ms until the other side hangs up.
func drop(conn net.Conn, start, each string) {
	if _, err := io.WriteString(conn, start); err != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = bufio.NewReader(conn).ReadByte()
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
			if _, err := io.WriteString(conn, each); err != nil {
				return
			}
		}
	}
}

// peak is the most memory that the process has had since it was last reset; the system counts it.
func peak(t *testing.T, reset bool) int64 {
	t.Helper()
	if reset {
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // proc(5)
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// maxGrowth is how much memory a hostile server may cost. A decoder has windows of up to 32 MiB.
const maxGrowth = 96 << 20

// TestHostile: whatever a server does, there is a clear error, bounded memory, the last good list in force, and nothing left on
// disk; other lists are refreshed meanwhile. It does not run beside others since it looks at the memory of the process.
//
//nolint:paralleltest // see above
func TestHostile(t *testing.T) {
	srv := newHostile(t)
	pin := sha256.Sum256([]byte(good))
	for _, c := range []struct {
		path, want string // want in the error; "": it goes well
		is         error
		change     func(*source.Source)
	}{
		{path: "garbage", is: source.ErrEmptied, want: "skipped", change: func(s *source.Source) { s.MaxBytes = 1 << 30 }},
		{path: "garbage", is: format.ErrUnknown, change: func(s *source.Source) { s.MaxBytes, s.Format = 1<<30, format.Auto }},
		{path: "garbage", want: "limit of 268435456 bytes"},
		{path: "lines", is: source.ErrGarbage, want: "1 entries; 5000 trailing-text skipped"},
		{path: "line", is: source.ErrEmptied, change: func(s *source.Source) { s.MaxBytes = 2 << 30 }},
		{path: "endless", want: "limit of 268435456 bytes"},
		{path: "gzip", is: format.ErrLimit, want: "decompress"},
		{path: "zstd", is: format.ErrLimit, want: "decompress"},
		{path: "stacked", is: source.ErrEmptied},
		{path: "stacked", is: format.ErrUnknown, change: func(s *source.Source) { s.Format = format.Auto }},
		{path: "page", is: format.ErrNotAList},
		{path: "apology", is: source.ErrEmptied},
		{path: "apology", is: format.ErrUnknown, change: func(s *source.Source) { s.Format = format.Auto }},
		{path: "loop", is: source.ErrRedirect, want: "more than"},
		{path: "plain", is: source.ErrRedirect, want: "plain text"},
		{path: "inside", is: source.ErrRedirect, want: "private address"},
		{path: "neighbour", is: source.ErrRedirect, want: "private address"},
		{path: "drip", is: context.DeadlineExceeded, change: func(s *source.Source) { s.Timeout = time.Second }},
		{path: "drip-head", is: context.DeadlineExceeded, change: func(s *source.Source) { s.Timeout = time.Second }},
		{path: "length", is: io.ErrUnexpectedEOF},
		{path: "gzip-cut", is: io.ErrUnexpectedEOF},
		{path: "file-cut", want: "decompress"},
		{path: "reset", want: "receive list"},
		{path: "not-modified", is: source.ErrStatus, want: "304"},
		{path: "etag"},
		{path: "digest", is: source.ErrDigest, change: func(s *source.Source) { s.SHA256 = hex.EncodeToString(pin[:]) }},
	} {
		t.Run(c.path, func(t *testing.T) {
			src, fine := remote("far"), remote("fine")
			src.URL, fine.URL = srv.URL+"/"+c.path, srv.URL+"/fine"
			if c.change != nil {
				c.change(&src)
			}
			dir := t.TempDir()
			m := manager(t, source.Config{Dir: dir, Sources: []source.Source{src, fine}})
			load(t, m)
			srv.healthy.Store(true)
			had, on := c.path != "not-modified", "far fine" // without a copy nothing can be unmodified
			if !had {
				on = "fine"
			} else if err := m.Refresh(t.Context(), "far"); err != nil {
				t.Fatal(err)
			}
			srv.healthy.Store(false)
			before := peak(t, true)
			err := m.Refresh(t.Context(), "")
			grown := peak(t, false) - before
			t.Logf("%d MiB: %v", grown>>20, err)
			if (err == nil) != (c.is == nil && c.want == "") || c.is != nil && !errors.Is(err, c.is) || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want %v %q", err, c.is, c.want)
			}
			if grown > maxGrowth {
				t.Errorf("memory grew by %d MiB", grown>>20)
			}
			expect(t, m.Set(), "good.example", on)
			if st := m.Status(); st[0].Failing != (err != nil && had) || (st[0].LastError == "") != (err == nil) || !st[1].Loaded || st[1].LastError != "" {
				t.Errorf("%+v", st)
			}
			if in := m.Set(); err == nil && (m.Refresh(t.Context(), "far") != nil || m.Set() != in) {
				t.Error("the same text under another tag was compiled again")
			}
			if left := matches(t, filepath.Join(dir, ".*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func matches(t *testing.T, glob string) []string {
	t.Helper()
	found, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
