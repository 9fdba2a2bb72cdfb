//go:build linux

package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The README is run. A block of shell may stand under a comment that says how:
//
//	(nothing)                 it must end with 0
//	<!-- test: exit 1 -->     it must end with 1
//	<!-- test: serve -->      it runs until the end of the test
//	<!-- test: host -->       it changes the machine: run only where the test has /etc for itself
//	<!-- test: image -->      the image test does the same; here it is parsed and held against the Dockerfile
//	<!-- test: itself -->     it would run this test: its make targets must exist
//
// A block of text behind it must be found in its output, line by line, in this order. A block of YAML must be a valid config.
const (
	modeRun    = ""
	modeServe  = "serve"
	modeHost   = "host"
	modeImage  = "image"
	modeItself = "itself"
)

const repository = "../.."

// block is one fenced block of the README.
type block struct {
	line   int
	lang   string
	mode   string
	text   string
	prints []string
}

var marker = regexp.MustCompile(`^<!-- test: ([a-z0-9 ]+) -->$`)

// blocks reads the fenced blocks of a page; text blocks are joined to the shell block before them.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	var out []block
	var open *block
	mode := modeRun
	for i, line := range strings.Split(page, "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1, lang: lang, mode: mode}
			mode = modeRun
		case fence && open.lang == "text":
			if len(out) == 0 {
				t.Fatalf("README.md:%d: a text block without a shell block", open.line)
			}
			out[len(out)-1].prints = strings.Split(strings.TrimSpace(open.text), "\n")
			open = nil
		case fence:
			out, open = append(out, *open), nil
		case open != nil:
			open.text += line + "\n"
		case marker.MatchString(line):
			mode = marker.FindStringSubmatch(line)[1]
		case strings.HasPrefix(line, "<!-- test"):
			t.Errorf("README.md:%d: not a marker: %s", i+1, line)
		}
	}
	return out
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func of(all []block, lang string) []block {
	return slices.DeleteFunc(slices.Clone(all), func(b block) bool { return b.lang != lang })
}

// TestReadmeShell looks at every block of shell without running it: the syntax, and what each marker promises.
func TestReadmeShell(t *testing.T) {
	t.Parallel()
	shell, modes := of(blocks(t, readme(t)), "sh"), map[string]int{}
	for _, b := range shell {
		modes[b.mode]++
		if out, err := exec.Command("bash", "-n", "-c", b.text).CombinedOutput(); err != nil {
			t.Errorf("README.md:%d: %v\n%s", b.line, err, out)
		}
		switch b.mode {
		case modeImage:
			imageBlock(t, b)
		case modeItself:
			makeBlock(t, b)
		}
	}
	if modes[modeServe] != 1 || modes[modeRun] < 2 || modes[modeImage] < 2 || modes[modeItself] != 1 {
		t.Fatalf("the README has other blocks than this test was written for: %v", modes)
	}
}

var (
	published = regexp.MustCompile(`-p [0-9.]*:?[0-9]+:([0-9]+(?:/[a-z]+)?)`)
	inside    = regexp.MustCompile(`(?:^|[ :])(/(?:weir|etc/weir|var/lib/weir)[^\s:"]*)`)
)

// imageBlock holds the commands for the image against the Dockerfile and the compose file.
func imageBlock(t *testing.T, b block) {
	t.Helper()
	docker := repositoryFile(t, "Dockerfile")
	for _, m := range published.FindAllStringSubmatch(b.text, -1) {
		port := m[1]
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		if !regexp.MustCompile(`(?m)^EXPOSE .*\b` + port + `\b`).MatchString(docker) {
			t.Errorf("README.md:%d: the Dockerfile does not expose %s", b.line, port)
		}
	}
	for _, m := range inside.FindAllStringSubmatch(b.text, -1) {
		if !strings.Contains(docker, m[1]) {
			t.Errorf("README.md:%d: the Dockerfile knows no %s", b.line, m[1])
		}
	}
	for _, word := range regexp.MustCompile(`[A-Z_]{4,}=`).FindAllString(b.text, -1) {
		if !strings.Contains(repositoryFile(t, "compose.yaml"), "${"+strings.TrimSuffix(word, "=")) {
			t.Errorf("README.md:%d: compose.yaml does not read %s", b.line, word)
		}
	}
}

func makeBlock(t *testing.T, b block) {
	t.Helper()
	for line := range strings.Lines(b.text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "make" {
			t.Errorf("README.md:%d: not a call of make: %s", b.line, line)
			continue
		}
		for _, target := range words[1:] {
			if !strings.Contains(repositoryFile(t, "Makefile"), "\n"+target+":") {
				t.Errorf("README.md:%d: the Makefile has no target %s", b.line, target)
			}
		}
	}
}

func repositoryFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeFigures: the size and the start time of the image were measured, and stand where the marker is.
func TestReadmeFigures(t *testing.T) {
	t.Parallel()
	if !regexp.MustCompile(`(?m)^The image has \d+(\.\d)? MB and is ready \d+ ms after it starts <!-- figure:image -->`).MatchString(readme(t)) {
		t.Error("README.md: put the figures of `make image-test` into the line with the marker figure:image")
	}
}

// TestReadme runs the README as a newcomer would, in a copy of the tree, one block after the other. As root it has a loopback
// and certificate stores of its own, so that the documented ports are free, nothing reaches the internet, and no machine changes.
func TestReadme(t *testing.T) {
	n := newcomer{dir: copyTree(t), private: private(t)} // this goroutine's thread from here on: no t.Run below
	n.env = environment(t, n.dir)
	all := blocks(t, readme(t))
	for i, b := range of(all, "yaml") {
		file := fmt.Sprintf("example-%d.yaml", i)
		if err := os.WriteFile(filepath.Join(n.dir, file), []byte(b.text), 0o644); err != nil {
			t.Fatal(err)
		}
		n.run(t, block{line: b.line, text: "go run ./cmd/weir validate -c " + file, prints: []string{"the configuration is fine"}})
	}
	for _, b := range of(all, "sh") {
		switch {
		case b.mode == modeServe:
			n.serve(t, b)
		case b.mode == modeImage, b.mode == modeItself, b.mode == modeHost && !n.private:
		default:
			n.run(t, b)
		}
	}
	if n.private { // what the blocks above promised
		n.run(t, block{text: "curl -sS --proxy http://127.0.0.1:3128 https://backuprabbit.com/", prints: []string{"weir: Blocked"}})
		n.run(t, block{text: "certutil -d sql:$HOME/.pki/nssdb -L", prints: []string{"weir"}})
	}
	n.stop(t)
}

// newcomer follows the README in dir.
type newcomer struct {
	dir     string
	env     []string
	private bool
	server  *exec.Cmd
	output  *watcher
}

// longest is the time one block may take: go run builds the program first, on a machine that may be busy.
const longest = 5 * time.Minute

func (n *newcomer) command(ctx context.Context, b block) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", b.text)
	cmd.Dir, cmd.Env = n.dir, n.env
	return cmd
}

// run runs a block to its end and compares its exit code and output with what the README says.
func (n *newcomer) run(t *testing.T, b block) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	out, err := n.command(ctx, b).CombinedOutput()
	want := 0
	if code, ok := strings.CutPrefix(b.mode, "exit "); ok {
		want, _ = strconv.Atoi(code)
	}
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	if err != nil || code != want {
		t.Errorf("README.md:%d: exit code %d, want %d (%v)\n%s%s", b.line, code, want, err, b.text, out)
	}
	if missing, ok := found(string(out), b.prints); !ok {
		t.Errorf("README.md:%d: no %q in the output of\n%s%s", b.line, missing, b.text, out)
	}
}

// found looks for each line of want within a line of out, in order.
func found(out string, want []string) (missing string, ok bool) {
	for line := range strings.Lines(out) {
		if len(want) > 0 && strings.Contains(line, want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		return want[0], false
	}
	return "", true
}

// serve starts a block and returns when it printed what the README says it prints.
func (n *newcomer) serve(t *testing.T, b block) {
	t.Helper()
	if len(b.prints) == 0 {
		t.Fatalf("README.md:%d: a text block behind it must say what it prints when it is up", b.line)
	}
	n.output = newWatcher(b.prints)
	n.server = n.command(context.Background(), b)
	n.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a terminal does: Ctrl-C reaches go run and weir
	n.server.Stdout, n.server.Stderr = n.output, n.output
	if err := n.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-n.server.Process.Pid, syscall.SIGKILL) })
	ended := make(chan error, 1)
	go func() { ended <- n.server.Wait() }()
	n.output.ended = ended
	select {
	case <-n.output.seen:
	case err := <-ended:
		t.Fatalf("README.md:%d: ended: %v\n%s", b.line, err, n.output)
	case <-time.After(longest):
		t.Fatalf("README.md:%d: not up after %v\n%s", b.line, longest, n.output)
	}
}

// stop is Ctrl-C.
func (n *newcomer) stop(t *testing.T) {
	t.Helper()
	if n.server == nil {
		t.Fatal("nothing was started")
	}
	if err := syscall.Kill(-n.server.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.output.ended: // with 1: go run does so after Ctrl-C, whatever the program says
		if missing, ok := found(n.output.String(), []string{"draining", `"message":"stopped"`}); !ok {
			t.Errorf("weir did not end well after Ctrl-C: no %q in\n%s", missing, n.output)
		}
	case <-time.After(time.Minute):
		t.Errorf("weir did not end within a minute after Ctrl-C\n%s", n.output)
	}
}
