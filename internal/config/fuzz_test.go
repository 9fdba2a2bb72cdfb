package config_test

import (
	"encoding"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"weir/internal/config"
)

// FuzzParse: no input makes Parse panic; every problem has a line within the file; what is accepted means the same when it is
// printed and parsed again, and stays valid.
func FuzzParse(f *testing.F) {
	full, err := os.ReadFile(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", string(full), "mode: observe\n", "a: &a [*a]\n", "mode: a: b\n", "? [a]\n: 1\n", "---\n---\n", "rules: [{name: a, <<: *b}]\n", "\xff",
		"data_dir: \"\\u2028x\"\n", "rules:\n- {name: x, methods: ['~'], qtypes: ['NULL'], action: log}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, problems := config.Parse("x", data, config.Known{})
		if (file == nil) != (len(problems) > 0) {
			t.Fatalf("file %v with %d problems", file, len(problems))
		}
		lines := 1
		for _, c := range string(data) {
			if c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029 {
				lines++
			}
		}
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines || p.Line > 0 && p.Column < 1 || p.Message == "" {
				t.Fatalf("problem outside of %d lines: %+v", lines, p)
			}
		}
		roundTrip(t, data)
	})
}

// scalar is what all text forms have.
type scalar interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

// FuzzScalars: every accepted text prints as one that means the same.
func FuzzScalars(f *testing.F) {
	for _, seed := range []string{
		"14d", "1d12h", "64KiB", "10.0.0.0/8", "::1", "[::1%eth0]:53", "127.0.0.1:1", "private", "nxdomain", "192.0.2.1 2001:db8::1", "*.example.com",
		".bücher.example", "https://*.example.com:8443/a*b?c=*", "POST", "text/*", "TYPE65280", "any", "2026-12-01T00:00:00+01:00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, fresh := range []func() scalar{
			func() scalar { return new(config.Duration) }, func() scalar { return new(config.Size) },
			func() scalar { return new(config.Time) }, func() scalar { return new(config.Prefix) },
			func() scalar { return new(config.AddrPort) }, func() scalar { return new(config.ServerAddr) },
			func() scalar { return new(config.ClientNet) }, func() scalar { return new(config.BlockAnswer) },
			func() scalar { return new(config.RuleAnswer) }, func() scalar { return new(config.Name) },
			func() scalar { return new(config.NamePattern) }, func() scalar { return new(config.URLPattern) },
			func() scalar { return new(config.Method) }, func() scalar { return new(config.MediaRange) },
			func() scalar { return new(config.QType) },
		} {
			v, again := fresh(), fresh()
			if v.UnmarshalText([]byte(text)) != nil {
				continue
			}
			out, err := v.MarshalText()
			if err != nil {
				t.Fatalf("%T: %q cannot be printed: %v", v, text, err)
			}
			if err := again.UnmarshalText(out); err != nil || !reflect.DeepEqual(v, again) {
				t.Fatalf("%T: %q prints as %q, which is %v (%v)", v, text, out, again, err)
			}
		}
	})
}
