package app_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/app"
)

func judge(t *testing.T, yaml string) *app.Judge {
	t.Helper()
	j, err := app.NewJudge(context.Background(), load(t, yaml), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// load writes a config file whose data lies in a directory of the test.
func load(t *testing.T, yaml string) *app.File {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(path, []byte("data_dir: "+dir+"\n"+yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := app.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryShippedConfigCompiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d configs, %v", len(files), err)
	}
	for _, path := range files {
		f, err := app.Load(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		f.File.DataDir = t.TempDir()
		if err := app.Validate(context.Background(), f); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCheckWithDefaults(t *testing.T) {
	t.Parallel()
	j := judge(t, "")
	for _, c := range []struct{ target, verdict, cause, class, list string }{
		{"backuprabbit.com", "block", "reputation", "bad", "weir-bad"},
		{"www.backuprabbit.com", "block", "reputation", "bad", "weir-bad"},
		{"https://backuprabbit.com/x?token=1", "block", "reputation", "bad", "weir-bad"},
		{"api.ipify.org", "log", "reputation", "untrusted", "weir-ip-lookup"},
		{"x.duckdns.org", "log", "reputation", "untrusted", "weir-dynamic-dns"},
		{"example.com", "allow", "default", "unknown", ""},
		{"https://example.com/", "allow", "default", "unknown", ""},
		{"93.184.216.34", "log", "reputation", "untrusted", ""},
		{"http://127.0.0.1/", "block", "safety", "", ""},
		{"http://[::ffff:169.254.169.254]/", "block", "safety", "", ""},
		{"http://2130706433/", "block", "safety", "", ""},
		{"http://example.com:25/", "block", "safety", "", ""},
	} {
		a, err := j.Check(time.Now(), c.target)
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		if a.Verdict != c.verdict || a.Cause != c.cause || a.Class != c.class || a.List != c.list || len(a.Trace) == 0 || a.Reason == "" {
			t.Errorf("%s: %+v", c.target, a)
		}
		if strings.Contains(a.Target+a.Trace[0].Subject, "token=1") && strings.Contains(a.Trace[0].Subject, "token=1") {
			t.Errorf("%s: the query value is in the trace: %+v", c.target, a)
		}
	}
}

func TestCheckByRules(t *testing.T) {
	t.Parallel()
	j := judge(t, `
mode: observe
groups: [{name: me, networks: [127.0.0.0/8]}]
rules:
  - {name: no-games, groups: [me], names: [.games.test], action: block, reason: Games are for later}
  - {name: bank, names: [bank.test], action: splice}
  - {name: txt, qtypes: [TXT], action: block}
default: block
`)
	for _, c := range []struct{ target, verdict, would, rule string }{
		{"a.games.test", "log", "block", "no-games"},
		{"https://bank.test/", "allow", "", "bank"},
		{"other.test", "log", "block", ""},
		{"https://shop.test/", "log", "block", ""},
	} {
		a, err := j.Check(time.Now(), c.target)
		if err != nil || a.Verdict != c.verdict || a.Would != c.would || a.Rule != c.rule {
			t.Errorf("%s: %+v, %v", c.target, a, err)
		}
		if want := map[string]string{"https://bank.test/": "splice", "https://shop.test/": "intercept"}[c.target]; a.TLS != want {
			t.Errorf("%s: TLS %q, want %q", c.target, a.TLS, want)
		}
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	j := judge(t, "")
	eicar := `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + `ANTIVIRUS-TEST-FILE!$H+H*`
	for _, c := range []struct{ name, content, verdict, detector string }{
		{"clean file", "hello", "allow", ""},
		{"file", "some text " + eicar, "block", "eicar"},
		{"request", "POST http://example.com/up HTTP/1.1\r\nHost: example.com\r\nContent-Length: 68\r\n\r\n" + eicar, "block", "eicar"},
		{"response", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 68\r\n\r\n" + eicar, "block", "eicar"},
		{"smuggling", "POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "block", "http-syntax"},
		{"listed host", "GET / HTTP/1.1\r\nHost: backuprabbit.com\r\n\r\n", "block", ""},
		{"no host at all", "GET / HTTP/1.1\n\n", "block", "http-syntax"},
	} {
		a, err := j.Inspect(time.Now(), c.name, strings.NewReader(c.content))
		if err != nil || a.Verdict != c.verdict || c.detector != "" && (len(a.Findings) == 0 || a.Findings[0].Detector != c.detector) {
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
	}
}

func TestSearchLists(t *testing.T) {
	t.Parallel()
	f := load(t, "")
	hits, err := app.SearchLists(context.Background(), f, "a.b.backuprabbit.com")
	if err != nil || len(hits) != 1 || hits[0].List != "weir-bad" || hits[0].Line == 0 {
		t.Errorf("%+v, %v", hits, err)
	}
	if _, err := app.SearchLists(context.Background(), f, "not a name"); err == nil {
		t.Error("must be refused")
	}
	all, err := app.ListsStatus(context.Background(), f)
	if err != nil || len(all) < 5 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestSearchFindsEveryKind: whatever a list holds is found by what it is about, in any spelling.
func TestSearchFindsEveryKind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"urls.txt": "http://evil.test/a/b.exe\n", "hellos.txt": "e7d705a3286e19ea42f587b344ee6865\nt13d1516h2_8daaf6152771_b186095e22b6\n",
		"nets.txt": "203.0.113.0/24\n", "names.txt": "||evil.test^\n@@||ok.evil.test^\n",
		"zone.rpz": "$TTL 60\n@ SOA a. b. 1 2 3 4 5\n24.0.2.0.192.rpz-client-ip CNAME .\nns.evil.test.rpz-nsdname CNAME .\n24.0.113.0.203.rpz-nsip CNAME .\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := load(t, strings.ReplaceAll(`builtin_lists: false
lists:
  - {name: urls, file: DIR/urls.txt, format: urls}
  - {name: hellos, file: DIR/hellos.txt, format: fingerprints, confidence: 60}
  - {name: nets, file: DIR/nets.txt, format: addresses, priority: 7}
  - {name: names, file: DIR/names.txt, format: adblock, grants: [allow], shadow: true}
  - {name: zone, file: DIR/zone.rpz, format: rpz, grants: [clients]}
`, "DIR", dir))
	for text, want := range map[string]string{
		"evil.test":                             "names:1",
		"x.ok.evil.test":                        "names:2! names:1",
		"a.ns.evil.test":                        "names:1",
		"ns.evil.test":                          "names:1 zone:4 server",
		"203.0.113.9":                           "nets:1 zone:5 server",
		"203.0.113.0/25":                        "nets:1 zone:5 server",
		"203.0.0.0/16":                          "",
		"192.0.2.7":                             "zone:3 client",
		"http://evil.test/a/b.exe?x":            "urls:1 names:1",
		"https://EVIL.test/a/x/..%2fb.exe":      "urls:1 names:1",
		"evil.test/a/b.exe":                     "urls:1 names:1",
		"evil.test/a":                           "names:1",
		"E7D705A3286E19EA42F587B344EE6865":      "hellos:1",
		"t13d1516h2_8daaf6152771_b186095e22b6":  "hellos:2",
		"t13d1516h2_8daaf6152771_b186095e22b7 ": "",
	} {
		hits, err := app.SearchLists(t.Context(), f, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, h := range hits {
			said := fmt.Sprintf("%s:%d", h.List, h.Line)
			if h.Exception {
				said += "!"
			}
			if got = append(got, said); h.Trigger != "" {
				got = append(got, h.Trigger)
			}
			if (h.List == "hellos") != (h.Confidence == 60) || (h.List == "nets") != (h.Priority == 7) || (h.List == "names") != h.Shadow {
				t.Errorf("%s: %+v", text, h)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "a b", "http://", "http://a b/", "::1/x"} {
		if hits, err := app.SearchLists(t.Context(), f, text); err == nil {
			t.Errorf("%q: %+v", text, hits)
		}
	}
}

func TestListWithANamedColumn(t *testing.T) {
	t.Parallel()
	csv := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(csv, []byte("id,seen_at_host,owner\n1,first.test,safe.test\n2,second.test,safe.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := judge(t, "lists: [{name: table, file: "+csv+", format: csv, column: seen_at_host}]\n")
	for target, blocked := range map[string]bool{"first.test": true, "second.test": true, "safe.test": false} {
		if a, err := j.Check(time.Now(), target); err != nil || a.Blocks() != blocked {
			t.Errorf("%s: %+v, %v", target, a, err)
		}
	}
}

func TestBadConfigIsAProblem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte("modes: enforce\nrules: [{name: x, names: [a b], action: blok}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := app.Load(path)
	if !app.IsProblem(err) || len(app.Problems(err)) < 3 || !strings.Contains(app.Problems(err)[0], "weir.yaml:1:1") {
		t.Errorf("%v", err)
	}
	if _, err := app.Load(path + ".gone"); err == nil || app.IsProblem(err) {
		t.Errorf("a missing file: %v", err)
	}
}
