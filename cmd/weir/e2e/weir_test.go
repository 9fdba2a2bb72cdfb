package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Bounds of waiting, generous because machines are shared; nothing waits that long when all is well.
const (
	startWait = 30 * time.Second
	stopWait  = 30 * time.Second
	eventWait = 10 * time.Second
)

// setting is what a test wants of its weir.
type setting struct {
	ports []int  // of origins: reachable by CONNECT and by plain requests
	dns   string // address of the resolver's upstream
	six   bool   // the resolver listens on ::1 too
	roots string // PEM file with the roots that origins are verified against
	limit string // further lines of proxy.limits, indented by four
	more  string // further sections of the config file
}

// weir is a running program.
type weir struct {
	t      testing.TB
	set    setting
	dir    string
	config string
	events string
	log    string
	proxy  string // address and port of each listener
	dns    string
	dns6   string
	admin  string
	cmd    *exec.Cmd
	exited chan struct{}
	err    *error // of the process; read after exited
	*journal
}

// instances numbers the weirs of this process.
var instances atomic.Uint32

// ownAddress returns a loopback address that nobody else uses, so that ports are never taken by chance; elsewhere than on Linux
// there is one loopback address for all.
func ownAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, instances.Add(1)%250+2)
}

// freePort returns a port of host that is free for TCP and UDP.
func freePort(t testing.TB, host string) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		u, err := net.ListenPacket("udp", addr)
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return ""
}

// start runs weir and waits until it is ready. It is stopped, and its exit code checked, when the test ends.
func start(t testing.TB, set setting) *weir {
	t.Helper()
	host := ownAddress()
	w := &weir{t: t, set: set, dir: t.TempDir(), exited: make(chan struct{}), err: new(error), journal: &journal{}}
	w.proxy, w.dns, w.admin = freePort(t, host), freePort(t, host), freePort(t, host)
	if set.six {
		w.dns6 = freePort(t, "::1")
	}
	w.config, w.events, w.log = filepath.Join(w.dir, "weir.yaml"), filepath.Join(w.dir, "events.jsonl"), filepath.Join(w.dir, "weir.log")
	w.configure(set.more)
	out, err := os.Create(w.log)
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command(binary, "run", "-c", w.config)
	w.cmd.Dir, w.cmd.Env, w.cmd.Stdout, w.cmd.Stderr = w.dir, cleanEnv(w.dir), out, out
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		*w.err = w.cmd.Wait()
		_ = out.Close()
		close(w.exited)
	}()
	t.Cleanup(func() { w.stop() })
	until(t, startWait, "weir is ready", w.ready)
	return w
}

// with returns the same weir for a subtest: what fails, fails there.
func (w *weir) with(t testing.TB) *weir {
	c := *w
	c.t = t
	return &c
}

// configure writes the config file, with more as its further sections.
func (w *weir) configure(more string) {
	w.t.Helper()
	ports := strings.Trim(strings.ReplaceAll(fmt.Sprint(w.set.ports), " ", ", "), "[]")
	upstreams, roots := "", "roots: system"
	if w.set.dns != "" {
		upstreams = strconv.Quote(w.set.dns)
	}
	resolvers := strconv.Quote(w.dns)
	if w.dns6 != "" {
		resolvers += ", " + strconv.Quote(w.dns6)
	}
	if w.set.roots != "" {
		roots = "roots: none\n    extra_roots_file: " + strconv.Quote(w.set.roots)
	}
	writeFile(w.t, w.config, fmt.Sprintf(`version: 1
data_dir: %q
proxy:
  listen: [%q]
  connect_ports: [%s]
  http_ports: [%s]
  limits:
    drain_timeout: 2s
%s
  upstream:
    %s
resolver:
  listen: [%s]
  upstreams: [%s]
admin:
  listen: %q
internal:
  networks: [127.0.0.0/8]
events:
  file: %q
log:
  level: debug
%s`, filepath.Join(w.dir, "data"), w.proxy, ports, ports, w.set.limit, roots, resolvers, upstreams, w.admin, w.events, more))
}

// adminClient speaks to the admin listener alone.
func adminClient() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func (w *weir) ready() error {
	select {
	case <-w.exited:
		w.t.Fatalf("weir ended: %v\n%s", *w.err, readFile(w.t, w.log))
	default:
	}
	r, err := adminClient().Get("http://" + w.admin + "/readyz")
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %s", r.Status)
	}
	return nil
}

// stop ends weir as an operator does, once, and checks that it ends well.
func (w *weir) stop() {
	w.t.Helper()
	select {
	case <-w.exited:
	default:
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			w.t.Error(err)
		}
		late := time.AfterFunc(stopWait, func() { _ = w.cmd.Process.Signal(syscall.SIGABRT) })
		<-w.exited
		if !late.Stop() {
			w.t.Errorf("weir did not end within %v of SIGTERM", stopWait)
		}
	}
	if *w.err != nil {
		w.t.Errorf("weir ended with %v", *w.err)
	}
	text, _ := os.ReadFile(w.log)
	if bytes.Contains(text, []byte("panic:")) || bytes.Contains(text, []byte("goroutine 1 [")) {
		w.t.Error("weir panicked")
	}
	if w.t.Failed() {
		w.t.Logf("the log of weir:\n%s", tail(text, 8<<10))
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// reload sends SIGHUP and waits until the new policy is in force.
func (w *weir) reload() {
	w.t.Helper()
	was := w.count("event.action", "system", "message", reloaded)
	w.signal(syscall.SIGHUP)
	until(w.t, startWait, "reloaded", func() error {
		if w.count("event.action", "system", "message", reloaded) == was {
			return errors.New("no event of a reload")
		}
		return nil
	})
}

// reloaded is the message of the event after a reload.
const reloaded = "reloaded the policy"

// signal sends a signal.
func (w *weir) signal(s os.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// command runs another command of weir with the same config; the exit code is returned.
func (w *weir) command(stdin string, args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.Command(binary, append(args, "-c", w.config)...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.dir, cleanEnv(w.dir), strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		w.t.Fatal(err)
	}
	return out.String(), errOut.String(), code
}

// caFile exports the CA's certificate into a file.
func (w *weir) caFile() string {
	w.t.Helper()
	path := filepath.Join(w.dir, "ca.pem")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	pem, errOut, code := w.command("", "ca", "export")
	if code != 0 {
		w.t.Fatalf("ca export: exit code %d: %s", code, errOut)
	}
	return writeFile(w.t, path, pem)
}

// record is one event.
type record map[string]any

// at returns the value under a path such as weir.list.name, as text; lists are joined by blanks.
func (r record) at(path string) string {
	var v any = map[string]any(r)
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		return strings.Trim(fmt.Sprint(v), "[]")
	}
	return fmt.Sprint(v)
}

// is says whether every path has its value; pairs alternate.
func (r record) is(pairs ...string) bool {
	for i := 0; i < len(pairs); i += 2 {
		if r.at(pairs[i]) != pairs[i+1] {
			return false
		}
	}
	return true
}

// journal is what was read of an events file.
type journal struct {
	mu   sync.Mutex // guards what follows
	read int64      // octets
	all  []record
}

// records returns every event that was written so far.
func (w *weir) records() []record {
	w.t.Helper()
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	f, err := os.Open(w.events)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(f, w.journal.read, 1<<40))
	if err != nil {
		w.t.Fatal(err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(text) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			w.t.Fatalf("an event that is no JSON: %v: %q", err, line)
		}
		w.journal.all = append(w.journal.all, r)
	}
	w.journal.read += int64(len(text))
	return slices.Clip(w.journal.all)
}

// count says how many events have these values.
func (w *weir) count(pairs ...string) (n int) {
	w.t.Helper()
	for _, r := range w.records() {
		if r.is(pairs...) {
			n++
		}
	}
	return n
}

// event waits for an event whose paths have these values.
func (w *weir) event(pairs ...string) record {
	w.t.Helper()
	var found record
	until(w.t, eventWait, "event with "+strings.Join(pairs, " "), func() error {
		all := w.records()
		for _, r := range all {
			if r.is(pairs...) {
				found = r
				return nil
			}
		}
		return fmt.Errorf("none among %d events, last %v", len(all), last(all))
	})
	return found
}

func last(all []record) string {
	if len(all) == 0 {
		return ""
	}
	text, _ := json.Marshal(all[len(all)-1])
	return string(text)
}

// figure reports a measured value; `make test` prints it.
func figure(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("figure: "+format, args...)
}
