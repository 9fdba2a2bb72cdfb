package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/hostname"
)

// sharedData is where real lists lie, outside of the repository.
const sharedData = "../../../../shared/data"

// sampled is how many names of the lists are asked for; as many subdomains and some names of no list come on top.
const sampled = 1000

// realLists are the lists of the test: one of each form, and large ones.
func realLists() []struct{ name, format, path string } {
	return []struct{ name, format, path string }{
		{"urlhaus", "hosts", "urlhaus-2022/urlhaus-filter-hosts.txt"},
		{"fake", "domains", "hagezi-2022/domains/fake.txt"},
		{"bypass", "adblock", "hagezi-2022/adblock/doh-vpn-proxy-bypass.txt"},
		{"wild", "wildcard", "hagezi-2022/wildcard/fake.txt"},
		{"sdn", "adblock", "hagezi-2022/3p/adguarddns.adblock.txt"},
		{"stevenblack", "domains", "hagezi-2022/3p/stevenblack.domains.txt"},
	}
}

// names reads the names of a list in a way of its own: what stands last in a line, without the marks of its form.
func names(t testing.TB, path string) (out []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.ContainsAny(fields[0][:1], "#!@") {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(fields[len(fields)-1], "||"), "*."), "^")
		if n, err := hostname.Parse(name); err == nil && n.String() == name && strings.Contains(name, ".") && net.ParseIP(name) == nil {
			out = append(out, name)
		}
	}
	return out
}

// sample draws names of all lists, below each a name that nobody ever asked for, and names of no list.
func sample(t testing.TB) []string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same names in every run
	var out []string
	all := realLists()
	for i, l := range all {
		of := names(t, filepath.Join(sharedData, l.path))
		want := sampled/len(all) + 1
		if len(of) < want {
			t.Fatalf("only %d names in %s", len(of), l.path)
		}
		r.Shuffle(len(of), func(a, b int) { of[a], of[b] = of[b], of[a] })
		out = append(out, of[:want]...)
		for j := range 40 {
			out = append(out, fmt.Sprintf("harmless-%d-%d.test", i, j))
		}
	}
	for _, name := range slices.Clone(out) {
		out = append(out, fmt.Sprintf("r%08x.%s", r.Uint32(), name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestRealLists(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(sharedData); os.IsNotExist(err) {
		t.Skip("shared/data is absent: the real lists are not tested")
	}
	world := newWorld(t, sink(), nil)
	more := []byte("lists:\n")
	for _, l := range realLists() {
		path, err := filepath.Abs(filepath.Join(sharedData, l.path))
		if err != nil {
			t.Fatal(err)
		}
		more = fmt.Appendf(more, "  - {name: %s, format: %s, file: %q}\n", l.name, l.format, path)
	}
	w := start(t, world.setting(string(more)))
	w.listsLoaded(t)
	all := sample(t)
	var checked, resolved, proxied map[string]bool
	t.Run("check", func(t *testing.T) { checked = w.with(t).checkAll(all) })
	t.Run("dig", func(t *testing.T) { resolved = w.with(t).digAll(all) })
	t.Run("curl", func(t *testing.T) { proxied = w.with(t).curlAll(world, all) })
	blocked, differ := 0, 0
	for _, name := range all {
		c, okC := checked[name]
		d, okD := resolved[name]
		p, okP := proxied[name]
		if !okC || !okD || !okP || c != d || d != p {
			if differ++; differ <= 20 {
				t.Errorf("%s is blocked: check %v (%v), dig %v (%v), curl %v (%v)", name, c, okC, d, okD, p, okP)
			}
		}
		if strings.HasSuffix(name, ".test") && c {
			t.Errorf("%s is on no list and blocked", name)
		}
		if c {
			blocked++
		}
	}
	// Exact names of a hosts or domains list say nothing of those below them: a little less than half may be free.
	if blocked < sampled {
		t.Errorf("only %d of %d names are blocked, %d stand on lists", blocked, len(all), sampled)
	}
	figure(t, "check, dig and curl agree on %d of %d names, %d of them blocked", len(all)-differ, len(all), blocked)
}

// listState is what `weir lists status --json` says of a list.
type listState struct {
	Name  string         `json:"name"`
	Rules int            `json:"rules"`
	Error string         `json:"last_error"`
	Skip  map[string]int `json:"skipped"`
}

// listsLoaded checks that every list was read, and how much of it.
func (w *weir) listsLoaded(t testing.TB) {
	t.Helper()
	out, errOut, code := w.command("", "lists", "status", "--json")
	if code != 0 {
		t.Fatalf("lists status: exit code %d: %s", code, errOut)
	}
	var states []listState
	if err := json.Unmarshal([]byte(out), &states); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, l := range realLists() {
		lines := len(names(t, filepath.Join(sharedData, l.path)))
		i := slices.IndexFunc(states, func(s listState) bool { return s.Name == l.name })
		if i < 0 || states[i].Error != "" || states[i].Rules < lines*95/100 {
			t.Errorf("list %s with %d names: %+v", l.name, lines, states)
			continue
		}
		figure(t, "list %s (%s): %d rules, skipped %v", l.name, l.format, states[i].Rules, states[i].Skip)
	}
}

// checkAll asks `weir check` about all names in one run.
func (w *weir) checkAll(all []string) map[string]bool {
	w.t.Helper()
	out, errOut, code := w.command(strings.Join(all, "\n")+"\n", "check", "--json", "-")
	if code != 1 {
		w.t.Fatalf("check: exit code %d, want 1, for something is blocked: %s", code, errOut)
	}
	blocked := map[string]bool{}
	for line := range strings.Lines(out) {
		var a struct{ Target, Verdict string }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			w.t.Fatalf("%v: %s", err, line)
		}
		blocked[a.Target] = a.Verdict == "block"
	}
	return blocked
}

// digAll asks the resolver for all names with one dig.
func (w *weir) digAll(all []string) map[string]bool {
	w.t.Helper()
	file := writeFile(w.t, filepath.Join(w.t.TempDir(), "names"), strings.Join(all, "\n")+"\n")
	blocked, status, refused := map[string]bool{}, "", false
	for line := range strings.Lines(w.dig("-f", file)) {
		switch {
		case strings.HasPrefix(line, ";; ->>HEADER<<-"):
			_, after, _ := strings.Cut(line, "status: ")
			status, _, _ = strings.Cut(after, ",")
			refused = false
		case strings.Contains(line, "EDE: 15 (Blocked)"):
			refused = true
		case len(line) > 1 && line[0] == ';' && line[1] != ';' && strings.HasSuffix(line, "A\n"): // of the question section
			name := strings.TrimSuffix(strings.Fields(line[1:])[0], ".")
			switch {
			case status == "NXDOMAIN" && refused:
				blocked[name] = true
			case status == "NOERROR" && !refused:
				blocked[name] = false
			default:
				w.t.Errorf("%s: %s, EDE %v", name, status, refused)
			}
		}
	}
	return blocked
}

// curlAll asks for a page of all names through the proxy with one curl.
func (w *weir) curlAll(world *world, all []string) map[string]bool {
	w.t.Helper()
	var config strings.Builder
	for _, name := range all {
		fmt.Fprintf(&config, "url = %q\noutput = %q\n", world.http(name, "/"), os.DevNull)
	}
	dir := w.t.TempDir()
	file := writeFile(w.t, filepath.Join(dir, "urls"), config.String())
	cmd := exec.Command(tool(w.t, "curl"), "-q", "-sS", "--noproxy", "", "--proxy", "http://"+w.proxy, "-K", file,
		"-w", "%{url} %{http_code} %header{x-origin} %header{x-weir-event-id}\n")
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnv(dir), &out, &errOut
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%v: %s", err, errOut.String())
	}
	blocked := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		name := mustURL(w.t, fields[0]).Hostname()
		switch {
		case len(fields) == 3 && fields[1] == "403" && fields[2] != "reached":
			blocked[name] = true
		case len(fields) == 3 && fields[1] == "200" && fields[2] == "reached":
			blocked[name] = false
		default:
			w.t.Errorf("curl: %s", strconv.Quote(line))
		}
	}
	return blocked
}
