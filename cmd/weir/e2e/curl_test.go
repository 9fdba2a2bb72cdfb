package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// answer is what curl got.
type answer struct {
	exit    int    // of curl
	status  int    // 0: none
	version string // 1.1, 2
	issuers string // of the certificates that the server showed
	header  http.Header
	body    []byte
	message string // curl's own
}

// curl asks for one URL through the proxy, trusting nothing but weir's CA. Output goes to a file unless args say otherwise.
func (w *weir) curl(args ...string) answer {
	w.t.Helper()
	dir := w.t.TempDir()
	body, head := filepath.Join(dir, "body"), filepath.Join(dir, "head")
	args = append([]string{
		"-q", "-sS", "--max-time", "120", "--noproxy", "", "--proxy", "http://" + w.proxy, "--cacert", w.caFile(), "-o", body, "-D", head,
		"--suppress-connect-headers", "-w", "%{json}\n%{certs}",
	}, args...)
	cmd := exec.Command(tool(w.t, "curl"), args...)
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnv(dir), &out, &errOut
	a := answer{header: http.Header{}}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		a.exit = exit.ExitCode()
	} else if err != nil {
		w.t.Fatal(err)
	}
	a.message = errOut.String()
	text, certs, _ := strings.Cut(out.String(), "\n")
	var about struct {
		Status  int    `json:"response_code"`
		Connect int    `json:"http_connect"`
		Version string `json:"http_version"`
	}
	if err := json.Unmarshal([]byte(text), &about); err != nil {
		w.t.Fatalf("curl printed %q: %v", text, err)
	}
	a.status, a.version, a.issuers = about.Status, about.Version, certs
	if a.status == 0 {
		a.status = about.Connect
	}
	a.body, _ = os.ReadFile(body)
	a.readHead(head)
	return a
}

func (a *answer) readHead(file string) {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			a.header.Add(name, value)
		}
	}
}

func (a answer) String() string {
	return fmt.Sprintf("curl exit %d, HTTP/%s %d, %v, %.300q, %s", a.exit, a.version, a.status, a.header, a.body, a.message)
}

// blocked checks that an answer is weir's page and not the origin's, and returns the event's id.
func (a answer) blocked(t testing.TB, status int) string {
	t.Helper()
	id := a.header.Get("X-Weir-Event-Id")
	if a.status != status || id == "" || !strings.HasPrefix(a.header.Get("Proxy-Status"), "weir") {
		t.Errorf("not blocked with %d: %v", status, a)
	}
	return id
}

// random returns n octets that do not compress, the same for the same seed.
func random(n int, seed byte) []byte {
	out := make([]byte, n)
	r := rand.NewChaCha8([32]byte{seed})
	_, _ = r.Read(out)
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// sink is an origin that says how it was asked and what it received.
func sink() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		rw.Header().Set("X-Origin", "reached")
		_, _ = fmt.Fprintf(rw, "%s %s %s %d %s\n", r.Proto, r.Method, r.URL.Path, n, hex.EncodeToString(h.Sum(nil)))
	})
}

func TestCurl(t *testing.T) {
	t.Parallel()
	world := newWorld(t, sink(), nil)
	w := start(t, world.setting(""))
	upload := random(20<<20, 1)
	file := filepath.Join(t.TempDir(), "upload")
	writeFile(t, file, string(upload))
	sent := fmt.Sprintf("%d %s", len(upload), digest(upload))
	for _, tc := range []struct {
		name    string
		args    []string
		version string
		tls     bool
		body    string
	}{
		{"plain", []string{world.http("a.test", "/p")}, "1.1", false, "HTTP/1.1 GET /p 0"},
		{"TLS, HTTP/1.1", []string{"--http1.1", world.https("a.test", "/p")}, "1.1", true, "GET /p 0"},
		{"TLS, HTTP/2", []string{"--http2", world.https("a.test", "/p")}, "2", true, "HTTP/2.0 GET /p 0"},
		{"PUT of 20 MB, HTTP/1.1", []string{"--http1.1", "-T", file, world.https("a.test", "/u")}, "1.1", true, "PUT /u " + sent},
		{"PUT of 20 MB, HTTP/2", []string{"--http2", "-T", file, world.https("a.test", "/u")}, "2", true, "PUT /u " + sent},
		{"POST of 20 MB, HTTP/2", []string{"--http2", "--data-binary", "@" + file, world.https("a.test", "/u")}, "2", true, "POST /u " + sent},
		{"POST of 20 MB, chunked, plain", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@" + file, world.http("a.test", "/u")}, "1.1", false, "POST /u " + sent},
		{"HEAD", []string{"--http2", "-I", world.https("a.test", "/p")}, "2", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := w.with(t).curl(tc.args...)
			if a.exit != 0 || a.status != 200 || a.version != tc.version || a.header.Get("X-Origin") != "reached" {
				t.Fatal(a)
			}
			if tc.tls != strings.Contains(a.issuers, "weir") {
				t.Errorf("certificates: %s", a.issuers)
			}
			if !strings.Contains(string(a.body), tc.body) && tc.name != "HEAD" {
				t.Errorf("body %q, want %q", a.body, tc.body)
			}
		})
	}
	e := w.event("event.action", "http-request", "url.path", "/u", "http.request.method", "PUT", "http.version", "2")
	if e.at("source.bytes") == "" || e.at("weir.verdict") != "allow" || e.at("destination.domain") != "a.test" {
		t.Errorf("event of the upload: %v", e)
	}
}

// TestSecretsStayInside proves that what a request carries in secret places reaches neither events nor the log.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	world := newWorld(t, sink(), nil)
	w := start(t, world.setting(""))
	const canary = "CANARY7f3a91"
	for _, url := range []string{world.http("a.test", "/x?token="+canary), world.https("a.test", "/y?q="+canary)} {
		if a := w.curl("-H", "Authorization: Bearer "+canary, "-H", "Cookie: session="+canary, "-u", "user:"+canary, "-d", canary, url); a.status != 200 {
			t.Fatal(a)
		}
	}
	w.event("url.path", "/y")
	for _, file := range []string{w.events, w.log} {
		if text := readFile(t, file); strings.Contains(text, canary) {
			t.Errorf("%s holds a secret", file)
		}
	}
}
