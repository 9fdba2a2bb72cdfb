package decode_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/internal/decode"
)

// encode applies one coding; "raw" is deflate without the zlib wrapper.
func encode(t testing.TB, coding string, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw":
		w, err = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriterLevel(&b, 5)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<17))
	default:
		t.Fatal(coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// run decodes the pieces and returns the output and the first error.
func run(t testing.TB, codings []string, lim decode.Limits, pieces ...[]byte) ([]byte, error) {
	t.Helper()
	var out []byte
	c, err := decode.NewChain(codings, lim, func(p []byte) error { out = append(out, p...); return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for _, p := range pieces {
		if err := c.Write(p); err != nil {
			return out, err
		}
	}
	return out, c.Close()
}

func singles(p []byte) [][]byte { return slices.Collect(slices.Chunk(p, 1)) }

func text(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString([]string{"river ", "weir ", "dam, ", "\n", "water "}[r.IntN(5)])
		b.WriteByte(byte('a' + r.IntN(26)))
	}
	return b.Bytes()[:n]
}

var codingCases = []struct {
	name    string
	encode  []string
	codings []string
}{
	{"gzip", []string{"gzip"}, []string{"gzip"}},
	{"x-gzip upper case", []string{"gzip"}, []string{"X-GZIP"}},
	{"zlib", []string{"deflate"}, []string{"deflate"}},
	{"raw deflate", []string{"raw"}, []string{"deflate"}},
	{"br", []string{"br"}, []string{"br"}},
	{"zstd", []string{"zstd"}, []string{"zstd"}},
	{"gzip in gzip", []string{"gzip", "gzip"}, []string{"gzip", "gzip"}},
	{"gzip, gzip, br", []string{"gzip", "gzip", "br"}, []string{"gzip", "gzip", "br"}},
	{"zstd, identity, raw deflate", []string{"zstd", "raw"}, []string{"zstd", "identity", "deflate"}},
	{"identity", nil, []string{"identity"}},
}

func TestEveryCut(t *testing.T) {
	plain := text(700)
	for _, c := range codingCases {
		t.Run(c.name, func(t *testing.T) {
			enc := plain
			for _, e := range c.encode {
				enc = encode(t, e, enc)
			}
			for cut := range enc {
				out, err := run(t, c.codings, decode.Limits{}, enc[:cut], enc[cut:])
				if err != nil || !bytes.Equal(out, plain) {
					t.Fatalf("cut %d: %d bytes, %v", cut, len(out), err)
				}
				whole, werr := run(t, c.codings, decode.Limits{}, enc[:cut])
				one, oerr := run(t, c.codings, decode.Limits{}, singles(enc[:cut])...)
				if !bytes.Equal(whole, one) || !sameError(werr, oerr) {
					t.Fatalf("first %d bytes: %d/%d bytes, %v/%v", cut, len(whole), len(one), werr, oerr)
				}
				if cut > 0 && len(c.encode) > 0 && !errors.Is(werr, decode.ErrTruncated) {
					t.Fatalf("first %d bytes of %d: %v", cut, len(enc), werr)
				}
			}
			out, err := run(t, c.codings, decode.Limits{}, singles(enc)...)
			if err != nil || !bytes.Equal(out, plain) {
				t.Fatalf("single bytes: %d bytes, %v", len(out), err)
			}
		})
	}
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}

func TestLargeBodies(t *testing.T) {
	plain := text(600_000)
	for _, c := range codingCases {
		enc := plain
		for _, e := range c.encode {
			enc = encode(t, e, enc)
		}
		out, err := run(t, c.codings, decode.Limits{}, enc)
		if err != nil || !bytes.Equal(out, plain) {
			t.Errorf("%s: %d bytes, %v", c.name, len(out), err)
		}
	}
}

// What is decodable is delivered although the end is withheld.
func TestEager(t *testing.T) {
	plain := text(3000)
	for coding, hold := range map[string]int{"gzip": 13, "deflate": 9, "zstd": 4} {
		enc := encode(t, coding, plain)
		out, err := run(t, []string{coding}, decode.Limits{}, enc[:len(enc)-hold])
		if !bytes.Equal(out, plain) || !errors.Is(err, decode.ErrTruncated) {
			t.Errorf("%s without its last %d bytes: %d bytes, %v", coding, hold, len(out), err)
		}
	}
}

func TestMembersAndTrailing(t *testing.T) {
	a, b := text(100), text(50)
	both := append(slices.Clone(a), b...)
	gz := append(encode(t, "gzip", a), encode(t, "gzip", b)...)
	zs := append(encode(t, "zstd", a), encode(t, "zstd", b)...)
	skip := append([]byte{0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}, zs...)
	cases := []struct {
		name, coding string
		in, want     []byte
		err          error
	}{
		{"two gzip members", "gzip", gz, both, nil},
		{"gzip, then zeros", "gzip", append(slices.Clone(gz), 0, 0), both, decode.ErrTrailing},
		{"gzip, then one magic byte", "gzip", append(slices.Clone(gz), 0x1f), both, decode.ErrTrailing},
		{"gzip, then half a member", "gzip", append(slices.Clone(gz), gz[:20]...), nil, decode.ErrTruncated},
		{"two zstd frames", "zstd", zs, both, nil},
		{"skippable frame first", "zstd", skip, both, nil},
		{"zstd, then text", "zstd", append(slices.Clone(zs), "text"...), both, decode.ErrTrailing},
		{"zlib, then text", "deflate", append(encode(t, "deflate", a), 'x'), a, decode.ErrTrailing},
		{"raw, then text", "deflate", append(encode(t, "raw", a), 'x'), a, decode.ErrTrailing},
		{"br, then text", "br", append(encode(t, "br", a), "text"...), a, decode.ErrTrailing},
		{"empty body", "gzip", nil, nil, nil},
		{"gzip checksum", "gzip", flip(encode(t, "gzip", a), -8), a, decode.ErrCorrupt},
		{"zlib checksum", "deflate", flip(encode(t, "deflate", a), -1), a, decode.ErrCorrupt},
		{"gzip with all header fields", "gzip", fullHeader(encode(t, "gzip", a)), a, nil},
		{"not gzip", "gzip", []byte("plain"), nil, decode.ErrCorrupt},
		{"not zstd", "zstd", []byte("plain"), nil, decode.ErrCorrupt},
		{"zstd window of 16 MiB", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0}, nil, decode.ErrCorrupt},
		{"zstd dictionary", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 1, 0, 7, 1, 0, 0}, nil, decode.ErrCorrupt},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, pieces := range [][][]byte{{c.in}, singles(c.in)} {
				out, err := run(t, []string{c.coding}, decode.Limits{}, pieces...)
				if !errors.Is(err, c.err) || c.want != nil && !bytes.Equal(out, c.want) {
					t.Fatalf("%d bytes, %v; want %d bytes, %v", len(out), err, len(c.want), c.err)
				}
			}
		})
	}
}

func flip(p []byte, at int) []byte { p[len(p)+at] ^= 1; return p }

// fullHeader rewrites a gzip header so that it has every optional field.
func fullHeader(p []byte) []byte {
	h := append([]byte{}, p[:10]...)
	h[3] = 2 | 4 | 8 | 16
	h = append(h, 3, 0, 'x', 'y', 'z')
	h = append(h, "name\x00comment\x00"...)
	return append(append(h, 0, 0), p[10:]...)
}

func TestLimitsDoNotDependOnCuts(t *testing.T) {
	zeros := make([]byte, 4<<20)
	cases := []struct {
		name   string
		chain  []string
		plain  []byte
		limits decode.Limits
		err    error
		size   int // 0: only equal for all cuts
	}{
		{"output, gzip", []string{"gzip"}, text(200_000), decode.Limits{MaxOutput: 70_001}, decode.ErrOutputLimit, 70_001},
		{"output, zstd", []string{"zstd"}, text(200_000), decode.Limits{MaxOutput: 70_001}, decode.ErrOutputLimit, 70_001},
		{"output, br", []string{"br"}, text(200_000), decode.Limits{MaxOutput: 70_001}, decode.ErrOutputLimit, 70_001},
		{"ratio, gzip", []string{"gzip"}, zeros, decode.Limits{MaxRatio: 100}, decode.ErrRatioLimit, 0},
		{"ratio, deflate", []string{"deflate"}, zeros, decode.Limits{MaxRatio: 100}, decode.ErrRatioLimit, 0},
		{"ratio, br", []string{"br"}, zeros, decode.Limits{MaxRatio: 100}, decode.ErrRatioLimit, 102_400},
		{"ratio, zstd", []string{"zstd"}, zeros, decode.Limits{MaxRatio: 100}, decode.ErrRatioLimit, 102_400},
		{"ratio of two layers", []string{"gzip", "gzip"}, zeros, decode.Limits{MaxRatio: 1100}, decode.ErrRatioLimit, 1100 << 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			enc := c.plain
			for _, e := range c.chain {
				enc = encode(t, e, enc)
			}
			want, werr := run(t, c.chain, c.limits, enc)
			if !errors.Is(werr, c.err) || c.size > 0 && len(want) != c.size {
				t.Fatalf("%d bytes, %v", len(want), werr)
			}
			for _, n := range []int{1, 7, 1000, 4096} {
				out, err := run(t, c.chain, c.limits, slices.Collect(slices.Chunk(enc, n))...)
				if !bytes.Equal(out, want) || !sameError(err, werr) {
					t.Fatalf("pieces of %d: %d bytes, %v; want %d, %v", n, len(out), err, len(want), werr)
				}
			}
		})
	}
}

func TestNewChainErrors(t *testing.T) {
	_, err := decode.NewChain([]string{"gzip", "compress"}, decode.Limits{}, nil)
	var e *decode.Error
	if !errors.As(err, &e) || !errors.Is(err, decode.ErrUnknownCoding) || e.Coding != "compress" {
		t.Error(err)
	}
	_, err = decode.NewChain(slices.Repeat([]string{"br"}, 5), decode.Limits{}, nil)
	if !errors.Is(err, decode.ErrDepthLimit) {
		t.Error(err)
	}
}

func TestSinkErrorComesBack(t *testing.T) {
	stop := errors.New("stop")
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "identity"} {
		chain, err := decode.NewChain([]string{coding}, decode.Limits{}, func([]byte) error { return stop })
		if err != nil {
			t.Fatal(err)
		}
		enc := []byte("x")
		if coding != "identity" {
			enc = encode(t, coding, text(1000))
		}
		if err := chain.Write(enc); err != stop {
			t.Errorf("%s: %v", coding, err)
		}
		chain.Release()
	}
}

func TestReleaseStopsCoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		enc := encode(t, coding, text(3000))
		for _, n := range []int{0, 5, len(enc) / 2, len(enc)} {
			c, err := decode.NewChain([]string{coding, "gzip"}, decode.Limits{}, func([]byte) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Write(encode(t, "gzip", enc)[:n]); err != nil {
				t.Fatal(err)
			}
			c.Release()
			c.Release()
			if err := c.Write([]byte{1}); !errors.Is(err, decode.ErrReleased) {
				t.Fatal(err)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("%d goroutines, %d before", after, before)
	}
}

func TestParseContentEncoding(t *testing.T) {
	cases := []struct {
		name string
		in   []string
		want string
		bad  bool
	}{
		{"none", nil, "", false},
		{"list over two fields", []string{"GZip , x-gzip", ",br,"}, "gzip gzip br", false},
		{"unknown is kept", []string{"aes128gcm"}, "aes128gcm", false},
		{"parameter", []string{"gzip;q=1"}, "", true},
		{"inner space", []string{"gzip br"}, "", true},
		{"control", []string{"gzip\x0b"}, "", true},
	}
	for _, c := range cases {
		got, err := decode.ParseContentEncoding(c.in)
		if strings.Join(got, " ") != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func FuzzChain(f *testing.F) {
	names := []string{"gzip", "deflate", "br", "zstd"}
	for i, n := range names {
		f.Add(encode(f, n, text(200)), uint8(i), uint8(3))
	}
	f.Add(encode(f, "raw", text(200)), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, p []byte, which, cut uint8) {
		if len(p) > 1<<12 {
			return
		}
		coding := []string{names[which%4]}
		lim := decode.Limits{MaxOutput: 1 << 20, MaxRatio: 300}
		want, werr := run(t, coding, lim, p)
		for _, n := range []int{1, int(cut) + 1} {
			out, err := run(t, coding, lim, slices.Collect(slices.Chunk(p, n))...)
			same := bytes.Equal(out, want) && sameError(err, werr)
			switch { // the documented exceptions
			case coding[0] != "br":
			case errors.Is(werr, decode.ErrCorrupt):
				same = (bytes.HasPrefix(out, want) || bytes.HasPrefix(want, out)) && errors.Is(err, decode.ErrCorrupt)
			case werr == nil, errors.Is(werr, decode.ErrTrailing):
				same = bytes.Equal(out, want) && (err == nil || errors.Is(err, decode.ErrTrailing))
			}
			if !same {
				t.Fatalf("%s, pieces of %d: %d/%d bytes, %v/%v", coding, n, len(out), len(want), err, werr)
			}
		}
		if werr == nil && len(p) > 0 {
			if lib := library(coding[0], p); lib != nil && !bytes.Equal(lib, want) {
				t.Fatalf("%s: %d bytes, library %d", coding, len(want), len(lib))
			}
		}
	})
}

// library decodes with the usual packages; nil where they fail.
func library(coding string, p []byte) []byte {
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(p))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(p))
	case "br":
		r = brotli.NewReader(bytes.NewReader(p))
	default:
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(p), zstd.WithDecoderConcurrency(1))
		if err == nil {
			defer d.Close()
			r = d
		}
	}
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return out
}

func BenchmarkChain(b *testing.B) {
	plain := text(1 << 20)
	for _, coding := range []string{"gzip", "br", "zstd"} {
		enc := encode(b, coding, plain)
		b.Run(coding, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := discard(coding, enc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func discard(coding string, enc []byte) (int64, error) {
	c, err := decode.NewChain([]string{coding}, decode.Limits{}, func([]byte) error { return nil })
	if err != nil {
		return 0, err
	}
	defer c.Release()
	if err := c.Write(enc); err != nil {
		return 0, err
	}
	return c.Decoded(), c.Close()
}
