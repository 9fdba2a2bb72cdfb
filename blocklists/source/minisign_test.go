package source_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/blake2b"

	"weir/blocklists/source"
)

// site serves files by path, without sockets.
type site struct {
	mu    sync.Mutex
	files map[string]string
	asked []string
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
	text, ok := s.files[r.URL.RequestURI()]
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if !ok {
		resp.StatusCode = http.StatusNotFound
	}
	resp.Body = io.NopCloser(strings.NewReader(text))
	return resp, nil
}

// publisher signs as minisign does.
type publisher struct {
	id  string
	key ed25519.PrivateKey
}

func newPublisher(t *testing.T) publisher {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{"12345678", key}
}

func (p publisher) public() string {
	return base64.StdEncoding.EncodeToString(slices.Concat([]byte("Ed"+p.id), p.key.Public().(ed25519.PublicKey)))
}

func (p publisher) sign(text, comment string) string {
	digest := blake2b.Sum512([]byte(text))
	return p.wrap("ED", ed25519.Sign(p.key, digest[:]), comment)
}

func (p publisher) legacy(text, comment string) string {
	return p.wrap("Ed", ed25519.Sign(p.key, []byte(text)), comment)
}

func (p publisher) wrap(alg string, sig []byte, comment string) string {
	b64 := base64.StdEncoding.EncodeToString
	global := ed25519.Sign(p.key, slices.Concat(sig, []byte(comment)))
	return "untrusted comment: x\n" + b64(slices.Concat([]byte(alg+p.id), sig)) + "\ntrusted comment: " + comment + "\n" + b64(global) + "\n"
}

func signedSource(key string) source.Source {
	s := remote("far")
	s.Minisign = key
	return s
}

// TestMinisign: only what bears the right signature comes in force, and what was in force stays.
func TestMinisign(t *testing.T) {
	t.Parallel()
	const text, path = "new.example\n", "/far"
	p, other := newPublisher(t), newPublisher(t)
	stranger := publisher{"87654321", other.key}
	good := p.sign(text, "timestamp:1")
	for _, tc := range []struct{ name, text, sig, want string }{
		{"prehashed", text, good, ""},
		{"legacy", text, p.legacy(text, "timestamp:1"), ""},
		{"lines end in CRLF", text, strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"no end of the last line", text, strings.TrimSuffix(good, "\n"), ""},
		{"no comment", text, p.sign(text, ""), ""},
		{"missing", text, "", "status 404"},
		{"empty", text, "\n", "not one of minisign, or cut"},
		{"an error page", text, "<html>\n", "not one of minisign, or cut"},
		{"without its last line", text, good[:strings.LastIndex(strings.TrimSuffix(good, "\n"), "\n")], "not one of minisign, or cut"},
		{"cut in the last line", text, good[:len(good)-10], "comment is broken or cut"},
		{"more behind it", text, good + "x\n", "not one of minisign, or cut"},
		{"long", text, good + strings.Repeat("\n", 20000), "longer than"},
		{"tampered text", text + "evil.example\n", good, "not what was signed"},
		{"tampered comment", text, strings.Replace(good, "timestamp:1", "timestamp:2", 1), "trusted comment does not fit"},
		{"other key, other id", text, stranger.sign(text, ""), "made by the key 3132333435363738, configured is 3837363534333231"},
		{"other key, same id", text, other.sign(text, ""), "another key signed it"},
		{"legacy as prehashed", text, p.wrap("ED", ed25519.Sign(p.key, []byte(text)), ""), "not what was signed"},
		{"unknown algorithm", text, p.wrap("Ex", ed25519.Sign(p.key, []byte(text)), ""), "unknown algorithm"},
		{"not base64", text, strings.Replace(good, "\n", "\n?", 1), "signature in the file is broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			web := &site{files: map[string]string{path: "old.example\n", path + ".minisig": p.sign("old.example\n", "")}}
			m := manager(t, source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: web}, Sources: []source.Source{signedSource(p.public())}})
			load(t, m)
			if err := m.Refresh(t.Context(), "far"); err != nil {
				t.Fatal(err)
			}
			expect(t, m.Set(), "old.example", "far")
			web.files[path], web.files[path+".minisig"] = tc.text, tc.sig
			if tc.sig == "" {
				delete(web.files, path+".minisig")
			}
			err := m.Refresh(t.Context(), "far")
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			now, was := "far", ""
			if tc.want != "" {
				now, was = "", "far"
			}
			expect(t, m.Set(), "new.example", now)
			expect(t, m.Set(), "old.example", was)
		})
	}
}

// TestMinisignAtStart: the copy on disk counts only with its signature, and is fetched anew without.
func TestMinisignAtStart(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	const text = "a.example\n"
	web := &site{files: map[string]string{"/far": text, "/far.minisig": p.sign(text, "")}}
	start := func(dir string, s source.Source) (*source.Manager, error) {
		m := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: web}, Sources: []source.Source{s}})
		_, err := m.Load(t.Context())
		return m, err
	}
	fresh := func(t *testing.T, s source.Source) string {
		dir := t.TempDir()
		m, err := start(dir, s)
		if err == nil {
			err = m.Refresh(t.Context(), "far")
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	glob := func(t *testing.T, dir, pattern string) []string {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		return found
	}
	for _, tc := range []struct {
		name   string
		source source.Source // at first
		spoil  func(t *testing.T, dir string)
		want   string
	}{
		{"nothing happened", signedSource(p.public()), func(*testing.T, string) {}, ""},
		{"parsed again", signedSource(p.public()), func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "compiled.lists")) }, ""},
		{"the key was added later", remote("far"), func(*testing.T, string) {}, "the text on disk has none"},
		{"the signature is lost", signedSource(p.public()), func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "compiled.lists"))
			remove(t, glob(t, dir, "*.minisig")[0])
		}, "the text on disk has none"},
		{"the text was changed", signedSource(p.public()), func(t *testing.T, dir string) { write(t, glob(t, dir, "far-*.list")[0], "evil.example\n") }, "the text on disk has none"},
		{"text and name of the signature were changed", signedSource(p.public()), func(t *testing.T, dir string) {
			write(t, glob(t, dir, "far-*.list")[0], "evil.example\n")
			sig := glob(t, dir, "*.minisig")[0]
			base, _, _ := strings.Cut(sig, ".minisig")
			base = base[:strings.LastIndex(base, ".")+1]
			if err := os.Rename(sig, base+sum("evil.example\n")[:32]+".minisig"); err != nil {
				t.Fatal(err)
			}
		}, "not what was signed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := fresh(t, tc.source)
			tc.spoil(t, dir)
			m, err := start(dir, signedSource(p.public()))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			loaded := "far"
			if tc.want != "" {
				loaded = ""
			}
			expect(t, m.Set(), "a.example", loaded)
			expect(t, m.Set(), "evil.example", "")
			if err := m.Refresh(t.Context(), "far"); err != nil {
				t.Error(err)
			}
			expect(t, m.Set(), "a.example", "far")
		})
	}
}

// TestMinisignPlace: where the signature is asked for.
func TestMinisignPlace(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	for _, tc := range []struct{ url, place, want string }{
		{"https://lists.example/a.txt", "", "/a.txt.minisig"},
		{"https://lists.example/a.txt?v=1&k=2", "", "/a.txt.minisig?v=1&k=2"},
		{"https://lists.example/a%2Fb", "", "/a%2Fb.minisig"},
		{"https://lists.example/a", "https://keys.example/b?c", "/b?c"},
	} {
		web := &site{files: map[string]string{}}
		s := signedSource(p.public())
		s.URL, s.SignatureURL = tc.url, tc.place
		m := manager(t, source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: web}, Sources: []source.Source{s}})
		web.files[strings.TrimPrefix(tc.url, "https://lists.example")] = "a.example\n"
		if err := m.Refresh(t.Context(), "far"); err == nil {
			t.Error("no signature, no error")
		}
		if got := web.asked[len(web.asked)-1]; got != tc.want {
			t.Errorf("%s: asked for %s, want %s", tc.url, got, tc.want)
		}
	}
}

// TestMinisignProgram checks what the real program signs, in both forms.
func TestMinisignProgram(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("LEFT OUT: minisign is not installed (apt-get install minisign), so signatures of the real program are not tested")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("minisign %v: %v\n%s", args, err, out)
		}
	}
	run("-G", "-W", "-p", at("pub"), "-s", at("key"))
	pub := strings.Split(read(t, at("pub")), "\n")[1]
	const text = "a.example\nb.example\n"
	write(t, at("text"), text)
	for _, form := range []string{"-H", "-l"} {
		run("-S", form, "-s", at("key"), "-m", at("text"), "-x", at("sig"), "-t", "a comment, trusted")
		web := &site{files: map[string]string{"/far": text, "/far.minisig": read(t, at("sig"))}}
		m := manager(t, source.Config{Dir: t.TempDir(), Client: &http.Client{Transport: web}, Sources: []source.Source{signedSource(pub)}})
		if err := m.Refresh(t.Context(), "far"); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		expect(t, m.Set(), "b.example", "far")
	}
	// And the other way round: what the tests sign is what the program takes.
	p := newPublisher(t)
	write(t, at("text.minisig"), p.sign(text, "ours"))
	run("-V", "-P", p.public(), "-m", at("text"))
}

// TestMinisignConfig refuses what could never work.
func TestMinisignConfig(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	for name, change := range map[string]func(*source.Source){
		"not a key":            func(s *source.Source) { s.Minisign = "RWx" },
		"a signature":          func(s *source.Source) { s.Minisign = strings.Split(p.sign("", ""), "\n")[1] },
		"a key, twice":         func(s *source.Source) { s.Minisign += s.Minisign },
		"a key with line end":  func(s *source.Source) { s.Minisign += "\n" },
		"a file":               func(s *source.Source) { s.URL, s.Path = "", "x" },
		"place without key":    func(s *source.Source) { s.Minisign, s.SignatureURL = "", "https://a.example/" },
		"place without TLS":    func(s *source.Source) { s.SignatureURL = "http://a.example/" },
		"place that is no URL": func(s *source.Source) { s.SignatureURL = "%" },
	} {
		s := signedSource(p.public())
		change(&s)
		if _, err := source.New(source.Config{Dir: t.TempDir(), Sources: []source.Source{s}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSignaturesArePruned: old ones do not pile up, and that of the copy stays.
func TestSignaturesArePruned(t *testing.T) {
	t.Parallel()
	p, dir, web := newPublisher(t), t.TempDir(), &site{files: map[string]string{}}
	m := manager(t, source.Config{Dir: dir, Client: &http.Client{Transport: web}, Sources: []source.Source{signedSource(p.public())}})
	for i := range 12 {
		text := strings.Repeat("a", i+1) + ".example\n"
		web.files["/far"], web.files["/far.minisig"] = text, p.sign(text, "")
		if err := m.Refresh(t.Context(), "far"); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.minisig")); len(found) != 5 {
		t.Errorf("%d signatures", len(found))
	}
	remove(t, filepath.Join(dir, "compiled.lists"))
	again := manager(t, source.Config{Dir: dir, Sources: []source.Source{signedSource(p.public())}})
	expect(t, load(t, again), "aaaaaaaaaaaa.example", "far")
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
