package decode_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/internal/decode"
)

// TestStackedWindows: codings whose windows are too large together are refused before anything is allocated.
func TestStackedWindows(t *testing.T) {
	for _, c := range []struct {
		codings string
		ok      bool
	}{
		{"br", true},
		{"zstd br", true},
		{"br zstd", true},
		{"zstd zstd zstd", true},
		{"gzip deflate gzip br", true},
		{"gzip gzip zstd zstd", true},
		{"br br", false},
		{"br identity br", false},
		{"br gzip br", false},
		{"BR br", false},
		{"br zstd zstd", false},
		{"br zstd gzip", false},
		{"zstd zstd zstd zstd", false},
	} {
		codings := strings.Fields(c.codings)
		chain, err := decode.NewChain(codings, decode.Limits{}, func([]byte) error { return nil })
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, decode.ErrDepthLimit) {
			t.Errorf("%s: %v", c.codings, err)
		}
		if chain != nil {
			chain.Release()
		}
	}
	var err error
	before := allocated()
	for range 1000 {
		_, err = decode.NewChain([]string{"br", "br"}, decode.Limits{}, nil)
	}
	if n := allocated() - before; err == nil || n > 4<<20 {
		t.Errorf("%d bytes for 1000 refusals, %v", n, err)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// windowed encodes p with a declared window of 16 MiB (br) or 8 MiB (zstd), its size not declared.
func windowed(t testing.TB, coding string, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if coding == "br" {
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 1, LGWin: 24})
		write(t, w, p)
		return b.Bytes()
	}
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, p)
	return b.Bytes()
}

func write(t testing.TB, w interface {
	Write([]byte) (int, error)
	Close() error
}, p []byte,
) {
	t.Helper()
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryFollowsTheStream: nothing is held before the first byte, a large window only where the stream uses it, and nothing
// after Release, nor behind the end of a stream that has one.
func TestMemoryFollowsTheStream(t *testing.T) {
	noise := make([]byte, 6<<20)
	chacha := rand.NewChaCha8([32]byte{3})
	_, _ = chacha.Read(noise)
	for _, c := range []struct {
		name, coding string
		plain        []byte
		written      func([]byte) []byte
		most         int64 // held before Release
	}{
		{"br, nothing written", "br", noise, func([]byte) []byte { return nil }, 16 << 10},
		{"zstd, nothing written", "zstd", noise, func([]byte) []byte { return nil }, 16 << 10},
		{"gzip, nothing written", "gzip", noise, func([]byte) []byte { return nil }, 16 << 10},
		{"br, small body, large window", "br", text(3000), func(p []byte) []byte { return p[:len(p)-1] }, 512 << 10},
		{"br, large body", "br", noise, func(p []byte) []byte { return p[:len(p)-1] }, 17 << 20},
		{"br, at its end", "br", noise, func(p []byte) []byte { return p }, 64 << 10},
		{"zstd, large window", "zstd", noise, func(p []byte) []byte { return p[:len(p)-1] }, 9 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			var enc []byte
			if c.coding == "gzip" {
				enc = encode(t, c.coding, c.plain)
			} else {
				enc = windowed(t, c.coding, c.plain)
			}
			in := c.written(enc)
			before := held()
			chain, err := decode.NewChain([]string{c.coding}, decode.Limits{}, func([]byte) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if err := chain.Write(in); err != nil {
				t.Fatal(err)
			}
			if n := held() - before; n > c.most {
				t.Errorf("%d bytes held, want %d at most", n, c.most)
			}
			chain.Release()
			if n := held() - before; n > 64<<10 {
				t.Errorf("%d bytes held after Release", n)
			}
			runtime.KeepAlive(chain)
			runtime.KeepAlive(enc)
		})
	}
}

// TestReservedGzipFlags: some clients ignore them, so what is behind them is looked at.
func TestReservedGzipFlags(t *testing.T) {
	plain := text(300)
	for _, flag := range []byte{0x20, 0x40, 0x80, 0xe0} {
		enc := encode(t, "gzip", plain)
		enc[3] |= flag
		two := append(encode(t, "gzip", plain), enc...)
		for _, in := range [][]byte{enc, two} {
			for _, pieces := range [][][]byte{{in}, singles(in)} {
				out, err := run(t, []string{"gzip"}, decode.Limits{}, pieces...)
				if err != nil || !bytes.HasSuffix(out, plain) || len(out)%len(plain) != 0 {
					t.Errorf("flags %#x: %d bytes, %v", flag, len(out), err)
				}
			}
		}
	}
}
