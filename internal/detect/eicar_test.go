package detect_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/internal/inspect"
)

// eicar returns the test string; it does not stand in the source, for scanners of sources.
func eicar(t testing.TB) string {
	t.Helper()
	backwards := []byte("*H+H$!ELIF|TSET|SURIVITNA|DRADNATS|RACIE$}7)CC7)^P(45XZP\\4[PA@%P!O5X")
	slices.Reverse(backwards)
	s := strings.ReplaceAll(string(backwards), "|", "-")
	const published = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
	if sum := sha256.Sum256([]byte(s)); hex.EncodeToString(sum[:]) != published {
		t.Fatalf("the test builds %q", s)
	}
	return s
}

func utf16(s string, high int) []byte {
	out := make([]byte, 2*len(s))
	for i, c := range []byte(s) {
		out[2*i+1-high] = c
	}
	return out
}

func TestEICARForms(t *testing.T) {
	plain := eicar(t)
	quoted, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	backwards := []byte(plain)
	slices.Reverse(backwards)
	forms := map[string]string{
		"as it is":    plain,
		"in reverse":  string(backwards),
		"UTF-16LE":    string(utf16(plain, 1)),
		"UTF-16BE":    string(utf16(plain, 0)),
		"hex":         hex.EncodeToString([]byte(plain)),
		"HEX":         strings.ToUpper(hex.EncodeToString([]byte(plain))),
		"JSON string": string(quoted),
		"form value":  url.Values{"q": {plain}}.Encode(),
	}
	for _, before := range []string{"", "a", "ab", "abc"} {
		for _, after := range []string{"", "z", "zy"} {
			for name, e := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.RawURLEncoding} {
				forms[name+" "+before+"+"+after] = e.EncodeToString([]byte(before + plain + after))
				forms[name+" wide "+before+"+"+after] = e.EncodeToString([]byte(before + string(utf16(plain, 1)) + after))
			}
		}
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			for _, around := range []string{"", "x", strings.Repeat(" text around it ", 40)} {
				data := []byte(around + form + around)
				got := run(t, "eicar", inspect.Layer{}, data, all(data))
				if len(got) != 1 || got[0].Severity != inspect.Critical || got[0].Confidence != 100 {
					t.Fatalf("found %v", got)
				}
				if off := int(got[0].Offset); off < len(around) || off > len(around)+8 {
					t.Fatalf("at %d, begins at %d", off, len(around))
				}
			}
			if got := cutsAgree(t, "eicar", inspect.Layer{Depth: 1, Path: "gzip"}, []byte("some"+form+form+"thing")); len(got) != 1 {
				t.Fatalf("found %v", got)
			}
		})
	}
}

func TestEICARNot(t *testing.T) {
	plain := eicar(t)
	for name, data := range map[string]string{
		"empty":             "",
		"first octet lost":  plain[1:],
		"last octet lost":   plain[:len(plain)-1],
		"one octet changed": strings.Replace(plain, "ANTI", "ANTE", 1),
		"other case":        strings.ToLower(plain),
		"name only":         "EICAR-STANDARD-ANTIVIRUS-TEST-FILE",
		"divided":           plain[:30] + "\n" + plain[30:],
	} {
		t.Run(name, func(t *testing.T) {
			if got := cutsAgree(t, "eicar", inspect.Layer{}, []byte(data)); len(got) != 0 {
				t.Fatalf("found %v", got)
			}
		})
	}
}

// FuzzEICAR: the stream finds what a plain search finds, wherever it stands and however it is cut.
func FuzzEICAR(f *testing.F) {
	plain := eicar(f)
	f.Add([]byte("before and after"), uint64(3), uint8(1))
	f.Add([]byte(plain[:40]), uint64(40), uint8(0))
	f.Add([]byte(plain+plain), uint64(2), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, copies uint8) {
		random := rand.New(rand.NewPCG(seed, 2))
		for range copies % 3 {
			at := random.IntN(len(data) + 1)
			data = slices.Insert(data, at, []byte(plain)...)
		}
		whole := run(t, "eicar", inspect.Layer{}, data, all(data))
		if bytes.Contains(data, []byte(plain)) && len(whole) != 1 {
			t.Fatalf("found %v", whole)
		}
		for _, most := range []int{1, 5, 100} {
			if got := run(t, "eicar", inspect.Layer{}, data, func() int { return 1 + random.IntN(most) }); !slices.Equal(got, whole) {
				t.Fatalf("parts up to %d: %v, want %v", most, got, whole)
			}
		}
	})
}

func BenchmarkEICAR(b *testing.B) {
	random := make([]byte, 1<<20)
	chacha := rand.NewChaCha8([32]byte{7})
	_, _ = chacha.Read(random)
	d := byName(b, "eicar").(inspect.Body)
	for name, data := range map[string][]byte{
		"binary": random,
		"html":   bytes.Repeat([]byte("<p class=\"a\">Some words of a page, EICAR among them.</p>\n"), 1<<20/57),
		"base64": []byte(base64.StdEncoding.EncodeToString(random[:1<<20/4*3])),
		"hex":    []byte(hex.EncodeToString(random[:1<<19])),
	} {
		b.Run(name, func(b *testing.B) {
			const size = 16 << 10
			b.SetBytes(size)
			b.ReportAllocs()
			s := d.Stream(nil, inspect.Layer{}, func(m inspect.Match) { b.Errorf("%v", m) })
			for i := 0; b.Loop(); i = (i + size) % (len(data) - size) {
				s.Write(data[i : i+size])
			}
		})
	}
}

// TestWriteDoesNotAllocate: a body of any length costs what its stream cost to open.
func TestWriteDoesNotAllocate(t *testing.T) {
	clean := bytes.Repeat([]byte("nothing to see here, go on; "), 2000)
	layer := inspect.Layer{Declared: "image/png"}
	deep := inspect.Layer{Depth: 1, Path: "base64"}
	for name, l := range map[string]inspect.Layer{"eicar": layer, "executable-type": layer, "executable-hidden": deep, "script-hidden": deep} {
		s := byName(t, name).(inspect.Body).Stream(nil, l, func(m inspect.Match) { t.Errorf("%v", m) })
		if n := testing.AllocsPerRun(50, func() { s.Write(clean); s.Write(clean[:7]) }); n != 0 {
			t.Errorf("%s: %v allocations per Write", name, n)
		}
		s.Close()
	}
}
