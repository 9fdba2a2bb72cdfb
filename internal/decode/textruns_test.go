package decode_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/internal/decode"
)

// runs records what a TextRuns finds.
type runs struct {
	log  []string
	cur  []byte
	at   int64
	open bool
}

var _ decode.RunSink = (*runs)(nil)

func (r *runs) BeginRun(_ decode.RunKind, offset int64) {
	if r.open {
		panic("run begins within a run")
	}
	r.open, r.at, r.cur = true, offset, nil
}
func (r *runs) RunData(p []byte) { r.cur = append(r.cur, p...) }
func (r *runs) EndRun() {
	r.open = false
	r.log = append(r.log, fmt.Sprintf("%d:%q", r.at, r.cur))
}

func find(kind decode.RunKind, minRun int, pieces ...[]byte) []string {
	var r runs
	t := decode.NewTextRuns(kind, minRun, &r)
	for _, p := range pieces {
		t.Write(p)
	}
	t.Close()
	return r.log
}

func TestTextRuns(t *testing.T) {
	secret := []byte("\x00\xffThis program cannot be run?>\xfb\xef\xbe")
	q := fmt.Sprintf("%q", secret)
	std, url := base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret)
	unicode := strings.NewReplacer("+", `\u002b`, "/", `\u002F`).Replace(std)
	hx := hex.EncodeToString(secret)
	pairs := func(before, sep string) string {
		var s []string
		for _, b := range secret {
			s = append(s, fmt.Sprintf("%s%02x", before, b))
		}
		return strings.Join(s, sep)
	}
	b64, hexa := decode.Base64Run, decode.HexRun
	cases := []struct {
		name string
		kind decode.RunKind
		in   string
		want []string
	}{
		{"standard", b64, `{"a":"` + std + `"}`, []string{"6:" + q}},
		{"url", b64, "x=" + url + "&", []string{"2:" + q}},
		{"at the end", b64, url, []string{"0:" + q}},
		{"lines", b64, ">" + std[:20] + "\r\n" + std[20:], []string{"1:" + q}},
		{"json lines", b64, `"` + std[:21] + `\r\n` + std[21:] + `"`, []string{"1:" + q}},
		{"json slashes", b64, `"` + strings.ReplaceAll(std, "/", `\/`) + `"`, []string{"1:" + q}},
		{"json unicode", b64, `"` + unicode + `"`, []string{"1:" + q}},
		{"percent", b64, "=" + strings.NewReplacer("+", "%2B", "/", "%2f", "=", "%3D").Replace(std) + "&", []string{"1:" + q}},
		{"two runs", b64, std + "=" + std, []string{"0:" + q, fmt.Sprintf("%d:%s", len(std)+1, q)}},
		{"words", b64, "some plain words, none of them long enough", nil},
		{"plain hex", hexa, `"` + hx + `"`, []string{"1:" + q}},
		{"upper case", hexa, ";" + strings.ToUpper(hx), []string{"1:" + q}},
		{"backslash x", hexa, `"` + pairs(`\x`, "") + `"`, []string{"3:" + q}},
		{"0x list", hexa, "[" + pairs("0x", ", ") + "]", []string{"3:" + q}},
		{"colons", hexa, pairs("", ":"), []string{"0:" + q}},
		{"dashes", hexa, "x " + strings.ToUpper(pairs("", "-")), []string{"2:" + q}},
		{"percent signs", hexa, "a=" + pairs("%", "") + "&b=%41%4", []string{"3:" + q}},
		{"long", hexa, hx + hx[:9] + "-" + hx, []string{fmt.Sprintf("0:%q", append(slices.Clone(secret), secret[:4]...)), fmt.Sprintf("%d:%s", len(hx)+10, q)}},
		{"no percent inside a pair", hexa, strings.Repeat("4", 21) + "%" + strings.Repeat("4", 21), nil},
		{"dump lines", hexa, pairs("", " ")[:47] + "\r\n" + pairs("", " ")[48:], []string{"0:" + q}},
		{"too short", hexa, "deadbeefdeadbeefdeadbeefdeadbee", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 5, len(c.in)} {
				got := find(c.kind, 0, slices.Collect(slices.Chunk([]byte(c.in), size))...)
				if !slices.Equal(got, c.want) {
					t.Fatalf("pieces of %d: %v, want %v", size, got, c.want)
				}
			}
		})
	}
}

// TestHasRun: false only for texts without runs, and for most of them.
func TestHasRun(t *testing.T) {
	const digits = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		name     string
		in       string
		b64, hex bool
	}{
		{"empty", "", false, false},
		{"short", digits[1:], false, false},
		{"just as long", digits, true, true},
		{"behind words", strings.Repeat("some words; ", 30) + digits, true, true},
		{"cut by a quote", digits[:39] + `"` + digits[1:], false, false},
		{"base64", digits[1:] + "Z", true, false},
		{"dashes", strings.Repeat("4D-", 40), true, true},
		{"binary", strings.Repeat("\x00\x01\xff", 50), false, false},
	} {
		for kind, want := range map[decode.RunKind]bool{decode.Base64Run: c.b64, decode.HexRun: c.hex} {
			if got := decode.HasRun(kind, 40, []byte(c.in)); got != want {
				t.Errorf("%s, kind %d: %v, want %v", c.name, kind, got, want)
			}
		}
	}
	long := []byte(strings.Repeat("some words; ", 30) + digits)
	if n := testing.AllocsPerRun(20, func() { decode.HasRun(decode.HexRun, 0, long) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTextRunsDoNotAllocate(t *testing.T) {
	in := []byte(strings.Repeat("text "+base64.StdEncoding.EncodeToString(text(300))+"\" ", 20))
	var r counter
	runs := decode.NewTextRuns(decode.Base64Run, 0, &r)
	if n := testing.AllocsPerRun(20, func() { runs.Write(in) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
	if r == 0 {
		t.Fatal("no runs")
	}
}

type counter int

func (c *counter) BeginRun(decode.RunKind, int64) { *c++ }
func (c *counter) RunData([]byte)                 {}
func (c *counter) EndRun()                        {}

func FuzzTextRuns(f *testing.F) {
	f.Add("aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=", uint8(1))
	f.Add(`\x41\x42 0x41,0x4100x41 \n\u002b%2f`, uint8(2))
	f.Add(`4D-5A-90-00 %4d%5A%%41 41424344454647484950515253545556575859-60`, uint8(3))
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		for _, kind := range []decode.RunKind{decode.Base64Run, decode.HexRun} {
			want := find(kind, 4, []byte(s))
			got := find(kind, 4, slices.Collect(slices.Chunk([]byte(s), int(cut)+1))...)
			if !slices.Equal(got, want) {
				t.Fatalf("kind %d: %v, whole %v", kind, got, want)
			}
			if len(want) > 0 && !decode.HasRun(kind, 4, []byte(s)) {
				t.Fatalf("kind %d: HasRun denies %v", kind, want)
			}
		}
		plain := []byte(s)
		if len(plain) < 18 {
			return
		}
		for kind, enc := range map[decode.RunKind]string{
			decode.Base64Run: base64.StdEncoding.EncodeToString(plain), decode.HexRun: hex.EncodeToString(plain),
		} {
			for _, size := range []int{len(enc) + 2, int(cut) + 1} {
				got := find(kind, 0, slices.Collect(slices.Chunk([]byte("<"+enc+">"), size))...)
				if want := fmt.Sprintf("1:%q", plain); len(got) != 1 || got[0] != want {
					t.Fatalf("%v, want %s", got, want)
				}
			}
		}
	})
}

func BenchmarkTextRuns(b *testing.B) {
	for kind, in := range map[decode.RunKind][]byte{
		decode.Base64Run: []byte(base64.StdEncoding.EncodeToString(bytes.Repeat(text(100), 600))),
		decode.HexRun:    []byte(hex.EncodeToString(bytes.Repeat(text(100), 400))),
	} {
		b.Run(fmt.Sprint(kind), func(b *testing.B) {
			var r counter
			t := decode.NewTextRuns(kind, 0, &r)
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				t.Write(in)
			}
		})
	}
}
