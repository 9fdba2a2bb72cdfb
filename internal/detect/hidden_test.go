package detect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"weir/internal/detect"
	"weir/internal/inspect"
)

// stubbed is a PE file with the DOS stub that the linkers of Microsoft, GNU and Go write.
func stubbed() []byte {
	p := program("PE")
	copy(p[64:], "\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$")
	return p
}

// header is a PE file with the DOS header that those linkers write, and no stub.
func header() []byte {
	p := program("PE")
	copy(p, "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8")
	return p
}

func linux() []byte {
	p := program("ELF")
	p[20] = 1
	return p
}

// decoded is what a base64 or hex run decodes to.
func decoded(t *testing.T, kind, text string) []byte {
	t.Helper()
	var out []byte
	var err error
	if text = strings.TrimRight(text, "="); kind == "hex" {
		out, err = hex.DecodeString(text[:len(text)&^1])
	} else {
		out, err = base64.RawStdEncoding.DecodeString(text[:len(text)&^3])
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGluedPrograms: a word before the text of a program shifts what it decodes to, and hides nothing.
func TestGluedPrograms(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"PE": {stubbed(), "PE executable hidden"}, "ELF": {linux(), "ELF executable hidden"}, "this test": {test[:1<<14], "hidden"},
		"PE without stub": {header(), "PE executable hidden"}, "PNG": {program("PNG"), ""}, "stub text alone": {program("stub"), ""},
	} {
		if name == "this test" && !bytes.HasPrefix(test, []byte("\x7fELF")) && !bytes.HasPrefix(test, []byte("MZ")) {
			continue
		}
		for _, word := range []string{"", "a", "ab", "abc", "abcd", "f00", "payload", strings.Repeat("0", 401), strings.Repeat("A", 5003)} {
			for kind, text := range map[string]string{
				"base64": word + base64.StdEncoding.EncodeToString(c.data),
				"hex":    strings.Repeat("c", len(word)) + hex.EncodeToString(c.data),
			} {
				layer := inspect.Layer{Depth: 1, Path: kind}
				data := decoded(t, kind, text)
				got := run(t, "executable-hidden", layer, data, all(data))
				if (len(got) == 1) != (c.want != "") || len(got) > 1 || len(got) == 1 && !strings.Contains(got[0].Detail, c.want) {
					t.Errorf("%s in %s behind %.8q (%d): %v", name, kind, word, len(word), got)
				}
				for _, size := range []int{1, 7, 100, 1000, 1025} {
					if cut := run(t, "executable-hidden", layer, data, func() int { return size }); !slices.Equal(cut, got) {
						t.Errorf("%s in %s behind %.8q in parts of %d: %v, want %v", name, kind, word, size, cut, got)
					}
				}
			}
		}
	}
	data := append([]byte("an archive: "), stubbed()...)
	if got := run(t, "executable-hidden", inspect.Layer{Depth: 2, Path: "base64 > gzip"}, data, all(data)); got != nil {
		t.Errorf("inside an archive: %v", got)
	}
}

// FuzzGlued: cuts change nothing where a program begins inside of a layer.
func FuzzGlued(f *testing.F) {
	f.Add([]byte("word"), stubbed()[:200], uint64(1))
	f.Add([]byte(strings.Repeat("word", 300)), linux()[:64], uint64(2))
	f.Fuzz(func(t *testing.T, before, data []byte, seed uint64) {
		data = append(before[:len(before):len(before)], data...)
		random := rand.New(rand.NewPCG(seed, 4))
		layer := inspect.Layer{Depth: 1, Path: "base64"}
		want := run(t, "executable-hidden", layer, data, all(data))
		if got := run(t, "executable-hidden", layer, data, func() int { return 1 + random.IntN(300) }); !slices.Equal(got, want) {
			t.Fatalf("%v, in one %v", got, want)
		}
	})
}

func TestExecutableMislabelled(t *testing.T) {
	wrong := []string{
		"text/plain", "text/markdown", "text/rtf", "application/rtf", "application/zip", "application/gzip", "application/msword", "message/rfc822",
		"model/gltf-binary", "application/x-www-form-urlencoded", "application/epub+zip", "application/sql", "multipart/form-data",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "chemical/x-pdb", "application/x-sh", "nonsense",
	}
	honest := []string{
		"", "application/octet-stream", "binary/octet-stream", "application/x-msdownload", "application/vnd.microsoft.portable-executable",
		"application/x-dosexec", "application/x-msdos-program", "application/x-executable", "application/x-elf", "application/x-sharedlib",
		"application/x-mach-binary", "application/x-pie-executable", "application/download", "application/force-download", "application/x-msi",
		"application/vnd.android.package-archive", "application/x-ms-installer", "vms/exe", "unknown/unknown",
	}
	strict := []string{"image/png", "text/html", "application/json", "font/x-fon", "text/javascript"} // executable-type speaks there
	expect := func(kind, declared string, want bool) {
		t.Helper()
		got := run(t, "executable-mislabelled", inspect.Layer{Declared: declared}, program(kind), func() int { return 100 })
		if (len(got) == 1) != want || len(got) > 1 || want && (got[0].Severity != inspect.Medium || !strings.HasSuffix(got[0].Detail, short(declared))) {
			t.Errorf("%s as %q: %v, want a find: %v", kind, declared, got, want)
		}
	}
	for _, kind := range []string{"PE", "ELF", "Mach-O", "MSI", "LNK", "stub"} {
		for _, declared := range wrong {
			expect(kind, declared, true)
		}
		for _, declared := range slices.Concat(honest, strict) {
			expect(kind, declared, false)
		}
	}
	for _, kind := range []string{"Office", "PNG", "text", "shell", "node", "batch", "PowerShell", "HTA"} {
		for _, declared := range slices.Concat(wrong, honest, strict) {
			expect(kind, declared, false)
		}
	}
	if got := run(t, "executable-mislabelled", inspect.Layer{Depth: 1, Path: "gzip", Root: "text/plain"}, program("PE"), func() int { return 4096 }); got != nil {
		t.Errorf("inside an archive: %v", got)
	}
}

func short(s string) string { return s[:min(len(s), 80)] }

// TestPackedPrograms: compressed data under a type that is never run is unpacked and judged as the body itself is.
func TestPackedPrograms(t *testing.T) {
	for _, c := range []struct {
		kind, root, path string
		depth            int
		want             bool
	}{
		{"PE", "image/png", "gzip", 1, true},
		{"PE", "image/png", "zstd > gzip", 2, true},
		{"PE", "image/png", "br > gzip", 1, true},
		{"PE", "text/html", "gzip > gzip", 1, true},
		{"ELF", "application/json", "zstd", 1, true},
		{"PE", "image/png", "br > gzip", 2, false},
		{"PE", "image/png", "base64", 1, false},
		{"PE", "image/png", "gzip > base64", 2, false},
		{"PE", "image/png", "base64 > gzip", 2, false},
		{"PE", "application/gzip", "gzip", 1, false},
		{"PE", "text/plain", "gzip", 1, false},
		{"PE", "", "gzip", 1, false},
		{"PNG", "image/png", "gzip", 1, false},
		{"shell", "text/html", "gzip", 1, false},
		{"Office", "image/png", "gzip", 1, false},
		{"LNK", "image/png", "gzip", 1, true},
	} {
		got := run(t, "executable-type", inspect.Layer{Depth: c.depth, Path: c.path, Root: c.root}, program(c.kind), func() int { return 1000 })
		if (len(got) == 1) != c.want || len(got) > 1 || c.want && !strings.HasSuffix(got[0].Detail, c.root) {
			t.Errorf("%s in %q as %q: %v, want a find: %v", c.kind, c.path, c.root, got, c.want)
		}
	}
}

// TestStreamsAreIndependent: a stream that is used again says nothing about the one before, and a closed one says nothing.
func TestStreamsAreIndependent(t *testing.T) {
	glued := decoded(t, "base64", "a"+base64.StdEncoding.EncodeToString(stubbed()))
	text := []byte(eicar(t))
	samples := [][]byte{program("PE"), glued, program("shell"), text, text[:40], text[40:], program("PE")[:100], []byte("x")}
	layer := inspect.Layer{Depth: 1, Path: "base64"}
	for _, d := range detect.All() {
		b, ok := d.(inspect.Body)
		if !ok {
			continue
		}
		name := d.Info().Name
		want := map[int]int{}
		for i, data := range samples {
			want[i] = len(run(t, name, layer, data, all(data)))
		}
		for round := range 200 {
			i := round * 7 % len(samples)
			found := 0
			s := b.Stream(nil, layer, func(inspect.Match) { found++ })
			if s == nil {
				continue
			}
			s.Write(samples[i])
			s.Close()
			s.Close()
			s.Write(samples[0])
			s.Write(text)
			if found != want[i] {
				t.Fatalf("%s on sample %d: %d finds, want %d", name, i, found, want[i])
			}
		}
	}
}

// shortLayer opens all detectors on a layer that is decoded from a short run, hands it 44 octets, and closes them.
func shortLayer(detectors []inspect.Body, streams []inspect.Stream, data []byte, report inspect.Report) {
	streams = streams[:0]
	for _, d := range detectors {
		if s := d.Stream(nil, inspect.Layer{Depth: 1, Path: "base64"}, report); s != nil {
			streams = append(streams, s)
		}
	}
	for _, s := range streams {
		s.Write(data)
	}
	for _, s := range streams {
		s.Close()
	}
}

func bodies() (out []inspect.Body) {
	for _, d := range detect.All() {
		if b, ok := d.(inspect.Body); ok {
			out = append(out, b)
		}
	}
	return out
}

func noise(n int) []byte {
	out := make([]byte, n)
	chacha := rand.NewChaCha8([32]byte{9})
	_, _ = chacha.Read(out)
	return out
}

// TestShortLayersAreCheap: pages may hold short runs by the thousand, so a layer costs no memory. One allocation is allowed: a
// collection may empty the pools.
func TestShortLayersAreCheap(t *testing.T) {
	detectors, streams, data := bodies(), make([]inspect.Stream, 0, 8), noise(44)
	report := func(m inspect.Match) { t.Errorf("%v", m) }
	if n := testing.AllocsPerRun(1000, func() { shortLayer(detectors, streams, data, report) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkShortLayer(b *testing.B) {
	detectors, streams, data := bodies(), make([]inspect.Stream, 0, 8), noise(44)
	report := func(m inspect.Match) { b.Errorf("%v", m) }
	b.ReportAllocs()
	for b.Loop() {
		shortLayer(detectors, streams, data, report)
	}
}

// BenchmarkHidden is what detectors cost in a long layer that was decoded from text.
func BenchmarkHidden(b *testing.B) {
	const size = 16 << 10
	d := byName(b, "executable-hidden").(inspect.Body)
	for name, data := range map[string][]byte{"random": noise(1 << 20), "zeros": make([]byte, 1<<20)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			s := d.Stream(nil, inspect.Layer{Depth: 1, Path: "base64"}, func(m inspect.Match) { b.Errorf("%v", m) })
			for i := 0; b.Loop(); i = (i + size) % len(data) {
				s.Write(data[i : i+size])
			}
			s.Close()
		})
	}
}
