package e2e_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// python prepares a run of the WebSocket peer made with Debian's python3-websockets.
func python(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	program := tool(t, "python3")
	probe := exec.Command(program, "-c", "import websockets")
	probe.Env = cleanEnv(t.TempDir())
	if err := probe.Run(); err != nil {
		t.Skip("python3-websockets is not installed; `make setup` installs it as root on Debian")
	}
	cmd := exec.Command(program, append([]string{"testdata/ws_peer.py"}, args...)...)
	cmd.Env = cleanEnv(t.TempDir())
	return cmd
}

// pythonServer starts the echo server and returns its port.
func pythonServer(t testing.TB, root *authority) int {
	t.Helper()
	cert, key := files(t, t.TempDir(), root.leaf(t, nil, certNames()...))
	cmd := python(t, "serve", cert, key)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestForeignWebSocket has a client and a server that share no code with weir talk through it.
func TestForeignWebSocket(t *testing.T) {
	t.Parallel()
	world := newWorld(t, http.HandlerFunc(wsEcho), nil)
	port := pythonServer(t, world.root)
	w := start(t, world.setting("", port))
	talk := func(t *testing.T, stdin, verb string, port int) string {
		t.Helper()
		cmd := python(t, verb, w.proxy, "a.test", strconv.Itoa(port), w.caFile())
		var out bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return strings.TrimSpace(out.String())
	}
	for name, port := range map[string]int{"Python to Python": port, "Python to Go": world.tls} {
		t.Run(name, func(t *testing.T) {
			if got := talk(t, "", "client", port); got != "ok ['permessage-deflate']" {
				t.Error(got)
			}
		})
		t.Run(name+", EICAR in three fragments", func(t *testing.T) {
			if got := talk(t, string(eicar()), "send", port); got != "closed 1008" {
				t.Error(got)
			}
		})
	}
	t.Run("Go to Python", func(t *testing.T) {
		c, err := w.with(t).webSocket(true, net.JoinHostPort("a.test", strconv.Itoa(port)), "/echo", true)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		for _, m := range []string{"one", strings.Repeat("two ", 50000), "three"} {
			if err := c.echo(1, []byte(m), 3); err != nil {
				t.Fatal(err)
			}
		}
	})
	if e := w.event("event.action", "websocket", "weir.verdict", "block"); !e.is("weir.aborted", "close-1008", "weir.cause", "detector", "weir.websocket.close_code", "1008") {
		t.Errorf("event: %v", e)
	}
}
