package set_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/internal/hostname"
)

// process reads a size of this process, in bytes, from what Linux says of it.
func process(b *testing.B, field string) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("needs Linux: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(n) * 1024
		}
	}
	b.Fatal("no ", field)
	return 0
}

func resident(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	return process(b, "RssAnon") + process(b, "RssFile")
}

// savedNames saves a Set of n names; nothing of it stays in memory.
func savedNames(b *testing.B, n int) (path string, one hostname.Name) {
	b.Helper()
	names := generated(n)
	s := compiled(b, names)
	defer s.Close()
	path = filepath.Join(b.TempDir(), "lists.set")
	if err := s.Save(path); err != nil {
		b.Fatal(err)
	}
	return path, hostname.MustParse(strings.Clone(names[n/2].String()))
}

// BenchmarkOpen is the time to the first answer of a saved Set, and what the process grows by.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes(b) {
		path, one := savedNames(b, n)
		b.Run(fmt.Sprint("names=", n), func(b *testing.B) {
			before := resident(b)
			var s *set.Set
			processorTime(b, func() {
				for b.Loop() {
					s.Close()
					var err error
					if s, err = set.Open(path); err != nil {
						b.Fatal(err)
					}
					if len(s.Lookup(one, nil)) != 1 {
						b.Fatal("not found")
					}
				}
			})
			b.ReportMetric((resident(b)-before)/float64(n), "resident-B/name")
			b.ReportMetric(float64(s.Stats().Mapped)/float64(n), "file-B/name")
			s.Close()
		})
	}
}

// BenchmarkCompile makes a Set of the text of a hosts file, and shows the most memory that the process had meanwhile.
func BenchmarkCompile(b *testing.B) {
	for _, n := range sizes(b) {
		path := hostsFile(b, n)
		b.Run(fmt.Sprint("lines=", n), func(b *testing.B) {
			before := resident(b)
			_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // begins a new peak; not allowed everywhere
			var size uint64
			processorTime(b, func() {
				for b.Loop() {
					size = compileText(b, path)
				}
			})
			b.ReportMetric((process(b, "VmHWM")-before)/float64(n), "peak-B/line")
			b.ReportMetric(float64(size)/float64(n), "result-B/line")
		})
	}
}

// hostsFile writes a hosts file; in memory it would count as memory that compiling takes.
func hostsFile(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "hosts")
	var text bytes.Buffer
	for _, name := range generated(n) {
		text.WriteString("0.0.0.0 ")
		text.WriteString(name.String())
		text.WriteByte('\n')
	}
	write(b, path, text.Bytes())
	return path
}

func compileText(b *testing.B, path string) uint64 {
	b.Helper()
	text, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	builder := set.NewBuilder()
	list, err := builder.AddList(set.List{Name: "hosts"})
	if err != nil {
		b.Fatal(err)
	}
	_, err = format.Parse(text, format.Hosts, func(e format.Entry) {
		if err := builder.Add(list, e); err != nil {
			b.Error(err)
		}
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := builder.Build()
	defer s.Close()
	return s.Stats().Bytes
}

// BenchmarkGC is one full collection beside a Set, beside Go's map of the same names, and beside nothing.
func BenchmarkGC(b *testing.B) {
	for _, n := range sizes(b) {
		path, _ := savedNames(b, n)
		collect := func(b *testing.B, beside any) {
			b.Helper()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			processorTime(b, func() {
				for b.Loop() {
					runtime.GC()
				}
			})
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.PauseTotalNs-before.PauseTotalNs)/float64(after.NumGC-before.NumGC), "pause-ns")
			runtime.KeepAlive(beside)
		}
		b.Run(fmt.Sprint("names=", n, "/nothing"), func(b *testing.B) { collect(b, nil) })
		b.Run(fmt.Sprint("names=", n, "/set"), func(b *testing.B) {
			s, err := set.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			collect(b, s)
		})
		b.Run(fmt.Sprint("names=", n, "/gomap"), func(b *testing.B) {
			plain := make(map[string]uint32, n)
			for i, name := range generated(n) {
				plain[name.String()] = uint32(i)
			}
			collect(b, plain)
		})
	}
}
