package e2e_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// download is the size of the large file: more than three times what the inspection looks at, and than weir may need.
const download = 200 << 20

// maxResident bounds the peak of weir's resident memory while it relays large files, in KiB.
const maxResident = 200 << 10

const nginxConf = `daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 256; }
http {
  types { text/html html; text/css css; application/javascript js; application/octet-stream bin; }
  access_log off;
  gzip on;
  gzip_min_length 1;
  gzip_proxied any; # a proxy names itself in Via, to which nginx would answer plainly
  gzip_types text/css application/javascript;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%d;
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    root %s;
  }
}
`

// startNginx serves dir plainly and over TLS with HTTP/2, and returns the ports.
func startNginx(t testing.TB, root *authority, dir string) (plain, secure int) {
	t.Helper()
	program := tool(t, "nginx")
	prefix := t.TempDir()
	for _, d := range []string{prefix, dir} { // workers of a root's nginx are nobody
		for ; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	files(t, prefix, root.leaf(t, nil, certNames()...))
	ports := []int{}
	for range 2 {
		l, port := listen(t)
		_ = l.Close()
		ports = append(ports, port)
	}
	conf := writeFile(t, filepath.Join(prefix, "nginx.conf"), fmt.Sprintf(nginxConf, ports[0], ports[1], dir))
	messages := filepath.Join(prefix, "error.log")
	cmd := exec.Command(program, "-p", prefix, "-c", conf, "-e", messages)
	cmd.Env = cleanEnv(prefix)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	until(t, startWait, "nginx listens", func() error {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])))
		if err != nil {
			text, _ := os.ReadFile(messages)
			return fmt.Errorf("%w: %s", err, text)
		}
		return c.Close()
	})
	return ports[0], ports[1]
}

// peak returns the highest resident size that a process ever had, in KiB.
func (w *weir) peak() int {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		w.t.Skipf("the system does not tell how much memory a process had: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
	}
	w.t.Fatal("no VmHWM in the process status")
	return 0
}

func TestNginx(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	css := strings.Repeat("p { color: teal }\n", 500)
	writeFile(t, filepath.Join(dir, "style.css"), css)
	large := random(download, 2)
	writeFile(t, filepath.Join(dir, "large.bin"), string(large))
	for _, f := range []string{"style.css", "large.bin"} {
		if err := os.Chmod(filepath.Join(dir, f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, zone := newAuthority(t, "e2e root"), newZone(t, nil)
	plain, secure := startNginx(t, root, dir)
	w := start(t, setting{ports: []int{plain, secure}, dns: zone.addr, roots: root.file})
	base := map[string]string{
		"plain": fmt.Sprintf("http://a.test:%d", plain), "http1.1": fmt.Sprintf("https://a.test:%d", secure), "http2": fmt.Sprintf("https://a.test:%d", secure),
	}
	args := map[string][]string{"plain": {}, "http1.1": {"--http1.1"}, "http2": {"--http2"}}
	for _, kind := range []string{"plain", "http1.1", "http2"} {
		t.Run(kind, func(t *testing.T) {
			w := w.with(t)
			a := w.curl(append(args[kind], base[kind]+"/style.css")...)
			if a.status != 200 || string(a.body) != css || a.header.Get("Server") == "" {
				t.Errorf("as it is: %v", a)
			}
			a = w.curl(append(args[kind], "-H", "Accept-Encoding: gzip", base[kind]+"/style.css")...)
			if z, err := gzip.NewReader(bytes.NewReader(a.body)); err != nil || a.header.Get("Content-Encoding") != "gzip" {
				t.Errorf("gzip: %v: %v", err, a)
			} else if err := z.Close(); err != nil {
				t.Error(err)
			}
			a = w.curl(append(args[kind], "--compressed", base[kind]+"/style.css")...)
			if string(a.body) != css {
				t.Errorf("gzip undone: %v", a)
			}
			a = w.curl(append(args[kind], "-r", "100-199", base[kind]+"/style.css")...)
			if a.status != 206 || string(a.body) != css[100:200] {
				t.Errorf("range: %v", a)
			}
			w.large(kind, append(args[kind], base[kind]+"/large.bin"), digest(large))
		})
	}
}

// large downloads the large file and checks it, the memory of weir and the time.
func (w *weir) large(kind string, args []string, want string) {
	w.t.Helper()
	cmd := exec.Command(tool(w.t, "curl"), append([]string{
		"-q", "-sS", "--max-time", "120", "--noproxy", "", "--proxy", "http://" + w.proxy, "--cacert", w.caFile(),
	}, args...)...)
	h := sha256.New()
	var errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnv(w.t.TempDir()), h, &errOut
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%v: %s", err, errOut.String())
	}
	took := time.Since(begin)
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		w.t.Errorf("the file arrived as %s, want %s", got, want)
	}
	peak := w.peak()
	if peak > maxResident {
		w.t.Errorf("weir needed %d KiB, more than %d", peak, maxResident)
	}
	figure(w.t, "200 MiB over %s in %.1f s (%.0f MiB/s), peak resident memory of weir %d MiB", kind, took.Seconds(), download/took.Seconds()/(1<<20), peak>>10)
}
