//go:build image

package imagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	image = "localhost/weir:imagetest"
	root  = "../../.."
	// listed is in the built-in lists: an indicator of the Triangulation campaign.
	listed = "backuprabbit.com"
	// version is stamped into the binary by the build.
	version = "v0.0.0-imagetest"
	// runtime is named because podman's default, crun, is not needed by this test.
	runtime = "/usr/sbin/runc"
)

func TestMain(m *testing.M) {
	if os.Getenv("WEIR_IMAGETEST_ORIGIN") != "" {
		runOrigin()
		return
	}
	os.Exit(m.Run())
}

// TestImage is one story, because the volume of the first part is what the second part is about.
func TestImage(t *testing.T) {
	build(t)
	volume := fmt.Sprintf("weir-imagetest-%d", os.Getpid())
	podman(t, "volume", "create", volume)
	t.Cleanup(func() { quiet("volume", "rm", "-f", volume) })

	var first string
	t.Run("own config", func(t *testing.T) {
		c := start(t, volume)
		t.Logf("figure: image %s MB, ready to serve %v after podman run", imageSize(t), c.ready.Round(time.Millisecond))
		c.unprivileged(t)
		first = c.ca(t)
		t.Run("version is stamped", func(t *testing.T) { c.has(t, c.exec(t, "/weir", "version"), version) })
		t.Run("healthcheck of the image", func(t *testing.T) { podman(t, "healthcheck", "run", c.name) })
		t.Run("listed name over dns", func(t *testing.T) { c.has(t, c.dig(t, listed), "NXDOMAIN") })
		t.Run("listed name over dns and tcp", func(t *testing.T) { c.has(t, c.dig(t, listed, "+tcp"), "NXDOMAIN") })
		t.Run("listed name over http", func(t *testing.T) {
			c.has(t, c.curl(t, "http://"+listed+"/"), "403", "x-weir-event-id:", listed)
		})
		t.Run("listed name over https, under our ca", func(t *testing.T) {
			c.has(t, c.curl(t, "https://"+listed+"/", "--cacert", c.caFile(t)), "403", "x-weir-event-id:", listed)
		})
		t.Run("private address is refused", func(t *testing.T) {
			c.has(t, c.curl(t, "http://127.0.0.1/"), "403", "x-weir-event-id:")
		})
	})
	t.Run("own policy, same volume", func(t *testing.T) {
		c := start(t, volume, "-v", policyFile(t)+":/etc/weir/weir.yaml:ro")
		c.origin(t)
		t.Run("same ca after a restart", func(t *testing.T) {
			if got := c.ca(t); got != first {
				t.Fatalf("the second start has another CA:\n%s\n%s", first, got)
			}
		})
		t.Run("dns through it", func(t *testing.T) { c.has(t, c.dig(t, "origin.test"), "NOERROR", "127.0.0.1") })
		t.Run("dns over tcp through it", func(t *testing.T) { c.has(t, c.dig(t, "origin.test", "+tcp"), "NOERROR", "127.0.0.1") })
		t.Run("http through it", func(t *testing.T) {
			c.has(t, c.curl(t, "http://origin.test:8080/hello"), " 200 ", "hello from the origin")
		})
		t.Run("eicar is stopped", func(t *testing.T) {
			got := c.curl(t, "http://origin.test:8080/eicar")
			c.has(t, got, "403", "x-weir-event-id:")
			if strings.Contains(got, eicar) {
				t.Fatalf("EICAR came through:\n%s", got)
			}
		})
		t.Run("healthcheck of the image", func(t *testing.T) { podman(t, "healthcheck", "run", c.name) })
		t.Run("stops when told", func(t *testing.T) {
			podman(t, "stop", "-t", "30", c.name)
			if code := podman(t, "inspect", "-f", "{{.State.ExitCode}}", c.name); code != "0" {
				t.Fatalf("exit code %s after SIGTERM\n%s", code, c.logs())
			}
		})
	})
}

func build(t *testing.T) {
	t.Helper()
	run(t, 10*time.Minute, "./base.sh")
	cache := strings.TrimSpace(run(t, time.Minute, "go", "env", "GOMODCACHE"))
	begin := time.Now()
	podman(t, "build", "-q", "--format", "docker", "--network", "host", "--ulimit", "nofile=1024:1024",
		"-v", filepath.Join(cache, "cache/download")+":/modproxy:ro",
		"--build-arg", "VERSION="+version, "-t", image, root)
	t.Logf("figure: image built in %v", time.Since(begin).Round(100*time.Millisecond))
}

func imageSize(t *testing.T) string {
	t.Helper()
	var bytes float64
	if _, err := fmt.Sscan(podman(t, "image", "inspect", "-f", "{{.Size}}", image), &bytes); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%.1f", bytes/1e6)
}

// policyFile is the image's own config plus what a loopback origin needs.
func policyFile(t *testing.T) string {
	t.Helper()
	own, err := os.ReadFile(filepath.Join(root, "configs/minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := addKey(addKey(string(own), "resolver", "  upstreams: [\"127.0.0.1:5300\"]\n"), "internal", "  networks: [\"127.0.0.0/8\"]\n")
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(file); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// addKey puts a line into a section of a YAML text, and adds the section where it is absent.
func addKey(text, section, line string) string {
	head := "\n" + section + ":\n"
	if before, after, ok := strings.Cut("\n"+text, head); ok {
		return strings.TrimPrefix(before+head+line+after, "\n")
	}
	return text + "\n" + section + ":\n" + line
}

// container is one run of the image. It has a network of its own with nothing but loopback; its peers enter it with
// nsenter, so no port of this machine is used and nothing can leave.
type container struct {
	name  string
	pid   string
	ready time.Duration
}

func start(t *testing.T, volume string, extra ...string) *container {
	t.Helper()
	c := &container{name: fmt.Sprintf("weir-imagetest-%d-%d", os.Getpid(), time.Now().UnixNano())}
	args := []string{
		"run", "-d", "--name", c.name, "--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
		"-v", volume + ":/var/lib/weir",
	}
	begin := time.Now()
	podman(t, append(append(args, extra...), image)...)
	t.Cleanup(func() { quiet("rm", "-f", "-t", "0", "-i", c.name) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the container:\n%s", c.logs())
		}
	})
	c.pid = podman(t, "inspect", "-f", "{{.State.Pid}}", c.name)
	for !c.healthy() {
		if time.Since(begin) > time.Minute {
			t.Fatalf("not healthy after a minute; state %s", podman(t, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", c.name))
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.ready = time.Since(begin)
	return c
}

func (c *container) healthy() bool {
	return exec.Command("podman", "--runtime", runtime, "exec", c.name, "/weir", "healthcheck", "-c", "/etc/weir/weir.yaml").Run() == nil
}

func (c *container) logs() string {
	out, _ := exec.Command("podman", "logs", c.name).CombinedOutput()
	return string(out)
}

// unprivileged reads from the kernel, not from the engine, that the process can do nothing special.
func (c *container) unprivileged(t *testing.T) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + c.pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(status), "\t", " ")
	c.has(t, text, "Uid: 65532 65532", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1")
}

func (c *container) exec(t *testing.T, args ...string) string {
	t.Helper()
	return podman(t, append([]string{"exec", c.name}, args...)...)
}

func (c *container) ca(t *testing.T) string {
	t.Helper()
	pem := c.exec(t, "/weir", "ca", "export", "-c", "/etc/weir/weir.yaml")
	c.has(t, pem, "BEGIN CERTIFICATE")
	if strings.Contains(pem, "PRIVATE KEY") {
		t.Fatal("ca export shows a private key")
	}
	return pem
}

func (c *container) caFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(c.ca(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// inside runs a program of this machine in the network of the container; its exit code does not matter.
func (c *container) inside(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nsenter", append([]string{"-t", c.pid, "-n"}, args...)...).CombinedOutput()
	if err != nil {
		t.Logf("%s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// curl returns status line, headers and body; names of headers in lower case.
func (c *container) curl(t *testing.T, url string, extra ...string) string {
	t.Helper()
	got := c.inside(t, append([]string{"curl", "-sSi", "-m", "20", "-H", "Accept: text/html", "-x", "http://127.0.0.1:3128", url}, extra...)...)
	return got + "\n" + strings.ToLower(got)
}

func (c *container) dig(t *testing.T, args ...string) string {
	t.Helper()
	return c.inside(t, append([]string{"dig", "+tries=1", "+time=5", "@127.0.0.1", "-p", "1053"}, args...)...)
}

func (c *container) has(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Fatalf("no %q in:\n%s", w, got)
		}
	}
}

// origin starts this test binary again, as web server and name server in the network of the container.
func (c *container) origin(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "-t", c.pid, "-n", self)
	cmd.Env = append(os.Environ(), "WEIR_IMAGETEST_ORIGIN=1")
	cmd.Stderr = os.Stderr
	up, err := cmd.StdoutPipe()
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
	if err := json.NewDecoder(up).Decode(new(string)); err != nil {
		t.Fatalf("origin did not come up: %v", err)
	}
}

func podman(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(run(t, 10*time.Minute, "podman", append([]string{"--log-level", "error", "--runtime", runtime}, args...)...))
}

func quiet(args ...string) { _ = exec.Command("podman", args...).Run() }

// run returns stdout; podman writes progress and warnings to stderr, which is shown on failure only.
func run(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}
