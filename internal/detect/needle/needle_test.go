package needle_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/internal/detect/needle"
)

func needles(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i, t := range texts {
		out[i] = []byte(t)
	}
	return out
}

func mustNew(t testing.TB, list [][]byte) *needle.Set {
	t.Helper()
	set, err := needle.New(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestNewRefusesSetsOutOfLimits(t *testing.T) {
	for name, list := range map[string][][]byte{
		"empty":     {},
		"too short": needles(strings.Repeat("x", needle.MinLen-1)),
		"too long":  needles(strings.Repeat("x", needle.MaxLen+1)),
		"too many":  needles(strings.Split(strings.Repeat("abcdefgh ", needle.MaxNeedles+1), " ")[:needle.MaxNeedles+1]...),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := needle.New(list); !errors.Is(err, needle.ErrNeedle) {
				t.Fatalf("error %v", err)
			}
		})
	}
}

// naive is the oracle: every end in order, every needle in order.
func naive(list [][]byte, data []byte) (needle.Hit, bool) {
	for end := range len(data) + 1 {
		for i, n := range list {
			if bytes.HasSuffix(data[:end], n) {
				return needle.Hit{Needle: i, Offset: int64(end - len(n))}, true
			}
		}
	}
	return needle.Hit{}, false
}

// stream writes data in the parts that size chooses.
func stream(set *needle.Set, data []byte, size func() int) (hit needle.Hit, ok bool) {
	f := set.Finder()
	for len(data) > 0 {
		n := min(len(data), max(1, size()))
		if h, found := f.Write(data[:n]); found {
			if ok {
				panic("two hits")
			}
			hit, ok = h, found
		}
		data = data[n:]
	}
	return hit, ok
}

var long = strings.Repeat("0123456789abcdef", needle.MaxLen/16)

func TestFindsAtEveryCut(t *testing.T) {
	list := needles("needle-one", "second needle, a longer one", "one-and-overlap", long, "aaaaaaaa", "aaaaaaaaa")
	set := mustNew(t, list)
	for name, data := range map[string]string{
		"nothing":            "no such thing here, only needle-tw",
		"alone":              "needle-one",
		"at the end":         strings.Repeat("x", 300) + "needle-one",
		"at the begin":       "needle-one" + strings.Repeat("x", 300),
		"overlapping":        "xxneedle-one-and-overlap",
		"longest":            "xx" + long + "yy",
		"longest, almost":    "xx" + long[1:] + "yy",
		"short inside long":  "second needle, a longer needle-one",
		"two that end alike": "aaaaaaaaaaaa",
		"repeated end grams": strings.Repeat("-one", 100) + "needle-one",
		"binary":             "\x00\xff\x00needle-one\x00",
	} {
		t.Run(name, func(t *testing.T) {
			want, found := naive(list, []byte(data))
			for cut := range len(data) + 1 {
				first := true
				got, ok := stream(set, []byte(data), func() int {
					if first {
						first = false
						return cut
					}
					return len(data)
				})
				if got != want || ok != found {
					t.Fatalf("cut at %d: %v %v, want %v %v", cut, got, ok, want, found)
				}
			}
			for size := range 40 {
				if got, ok := stream(set, []byte(data), func() int { return size }); got != want || ok != found {
					t.Fatalf("writes of %d: %v %v, want %v %v", size, got, ok, want, found)
				}
			}
		})
	}
}

func FuzzFinderAgreesWithNaive(f *testing.F) {
	f.Add("needle-one", "a second one", []byte("xxneedle-onexx"), uint64(1))
	f.Add("aaaaaaaa", "aaaaaaaaa", []byte("aaaaaaaaaaaaaaaa"), uint64(2))
	f.Add("abababab", "babababa", bytes.Repeat([]byte("ab"), 200), uint64(3))
	f.Add(long, "0123456789", []byte("x"+long), uint64(4))
	f.Fuzz(func(t *testing.T, a, b string, data []byte, seed uint64) {
		list := needles(a, b)
		set, err := needle.New(list)
		if err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 0))
		if len(data) > 0 && seed%2 == 0 { // plant one
			at := random.IntN(len(data))
			data = append(data[:at:at], a+string(data[at:])...)
		}
		want, found := naive(list, data)
		for _, most := range []int{1, 7, 64, 1024} {
			if got, ok := stream(set, data, func() int { return 1 + random.IntN(most) }); got != want || ok != found {
				t.Fatalf("parts up to %d: %v %v, want %v %v", most, got, ok, want, found)
			}
		}
	})
}

func BenchmarkFinder(b *testing.B) {
	list := needles(long[:68], strings.ToUpper(long)[:136], strings.Repeat("needle, ", 9))
	set := mustNew(b, list)
	random := make([]byte, 1<<20)
	chacha := rand.NewChaCha8([32]byte{1})
	_, _ = chacha.Read(random)
	for name, data := range map[string][]byte{
		"random": random,
		"zeros":  make([]byte, 1<<20),
		"almost": append([]byte("x"), bytes.Repeat(list[0][1:], (1<<20)/67+1)...), // almost the needle, all the time
	} {
		for _, size := range []int{1 << 10, 32 << 10} {
			b.Run(name+"/"+map[int]string{1 << 10: "1KiB", 32 << 10: "32KiB"}[size], func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				f := set.Finder()
				for i := 0; b.Loop(); i += size {
					i %= len(data)
					f.Write(data[i : i+size])
				}
			})
		}
	}
}
