package inflate_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/internal/decode/inflate"
)

func deflate(t testing.TB, level int, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
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

// feed decodes p in pieces of the given size.
func feed(p []byte, size int) (out []byte, used int, err error) {
	var d inflate.Decoder
	for len(p) > 0 && err == nil {
		n := min(size, len(p))
		var k int
		k, err = d.Feed(p[:n], func(b []byte) error { out = append(out, b...); return nil })
		used += k
		p = p[n:]
	}
	return out, used, err
}

func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	words := make([]byte, 0, 200_000)
	for len(words) < 190_000 {
		words = append(words, strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(9))...)
		words = append(words, "weir river"[:r.IntN(10)]...)
	}
	return map[string][]byte{
		"empty": nil, "one byte": {7}, "zeros": make([]byte, 300_000),
		"random": random, "words": words,
	}
}

func TestInflate(t *testing.T) {
	for name, plain := range samples() {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.BestCompression, flate.HuffmanOnly} {
			enc := append(deflate(t, level, plain), "tail"...)
			for _, size := range []int{1, 3, 4096, len(enc)} {
				out, used, err := feed(enc, size)
				if err != io.EOF || used != len(enc)-4 || !bytes.Equal(out, plain) {
					t.Fatalf("%s, level %d, cut %d: %d bytes, used %d of %d, %v", name, level, size, len(out), used, len(enc), err)
				}
			}
		}
	}
}

// Everything that the input so far determines is delivered: all of a block
// before its end-of-block code came.
func TestInflateIsEager(t *testing.T) {
	plain := []byte("the quick brown fox jumps over the lazy dog, and nobody has seen the end of the block")
	enc := deflate(t, flate.BestCompression, plain)
	out, _, err := feed(enc[:len(enc)-5], 1<<20) // 5: empty final block
	if err != nil || !bytes.Equal(out, plain) {
		t.Fatalf("%q, %v", out, err)
	}
}

func TestInflateSinkError(t *testing.T) {
	stop := errors.New("stop")
	var d inflate.Decoder
	enc := deflate(t, 6, make([]byte, 1<<20))
	for range 2 {
		if _, err := d.Feed(enc, func([]byte) error { return stop }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, p := range samples() {
		f.Add(deflate(f, 6, p[:min(len(p), 300)]), uint8(3))
	}
	f.Add([]byte{0x78, 0x9c, 3, 0}, uint8(1))
	f.Add([]byte{5, 0xe0, 0x81, 8, 0, 0, 0, 0, 0x20, 0x7f, 0xeb, 3, 0, 0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, p []byte, cut uint8) {
		if len(p) > 1<<12 { // 4 MiB of output at most
			return
		}
		whole, used, err := feed(p, len(p)+1)
		for _, size := range []int{1, int(cut) + 1} {
			out, n, e := feed(p, size)
			if !bytes.Equal(out, whole) || err == io.EOF && n != used || !errors.Is(e, err) {
				t.Fatalf("cut %d: %d/%d bytes, used %d/%d, %v/%v", size, len(out), len(whole), n, used, e, err)
			}
		}
		src := bytes.NewReader(p) // an io.ByteReader: the library does not read ahead
		want, werr := io.ReadAll(io.LimitReader(flate.NewReader(src), 64<<20))
		if len(want) == 64<<20 {
			return
		}
		switch {
		case err == io.EOF:
			if werr != nil || !bytes.Equal(whole, want) || used != len(p)-src.Len() {
				t.Fatalf("accepted %d bytes (used %d), library %d (%d), %v", len(whole), used, len(want), len(p)-src.Len(), werr)
			}
		case werr == nil:
			t.Fatalf("refused (%v) what the library accepts", err)
		default:
			if !bytes.HasPrefix(whole, want) && !bytes.HasPrefix(want, whole) {
				t.Fatal("different output before the error")
			}
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	plain := samples()["words"]
	enc := deflate(b, 6, plain)
	d := new(inflate.Decoder)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(false)
		if _, err := d.Feed(enc, func([]byte) error { return nil }); err != io.EOF {
			b.Fatal(err)
		}
	}
}
