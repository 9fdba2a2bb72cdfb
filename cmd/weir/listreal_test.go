package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListsTestOnRealFiles: `lists test` reads a directory of real trails, most of which hold hosts with ports, and --check finds names,
// addresses, URLs and authorities of the files themselves.
func TestListsTestOnRealFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../shared/data/maltrail-trails/trails/static/malicious/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("shared/data is absent: lists test is not tried on real files")
	}
	var asked, loaded []string
	for _, file := range files {
		var out, errOut bytes.Buffer
		if execute([]string{"lists", "test", "--json", file}, strings.NewReader(""), &out, &errOut) == 0 {
			loaded = append(loaded, file)
			some := authorities(t, file)
			asked = append(asked, some[:min(len(some), 50)]...)
		}
	}
	if len(loaded) < len(files)-8 { // those that hold little but paths
		t.Errorf("only %d of %d files are read", len(loaded), len(files))
	}
	if len(asked) < 1000 {
		t.Fatalf("only %d authorities in %d files", len(asked), len(files))
	}
	var out, errOut bytes.Buffer
	if code := execute(append([]string{"lists", "test", "--json", "--check", "-"}, loaded...), strings.NewReader(strings.Join(asked, "\n")), &out, &errOut); code != 0 {
		t.Fatalf("%d: %s", code, errOut.String())
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		var v struct{ Name, Verdict, Entry string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if n++; v.Verdict != "block" {
			t.Errorf("%s: %s by %q", v.Name, v.Verdict, v.Entry)
		}
	}
	if n != len(asked) {
		t.Errorf("%d verdicts about %d authorities", n, len(asked))
	}
	t.Logf("%d of %d files, %d authorities", len(loaded), len(files), n)
}

// authorities are the lines of a file that are an address and a port.
func authorities(t *testing.T, file string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if host, port, ok := strings.Cut(line, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" && strings.Trim(host, "0123456789.") == "" {
			out = append(out, line)
		}
	}
	return out
}
