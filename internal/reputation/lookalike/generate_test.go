package lookalike_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

// generators make look-alikes of a label, in the ways that dnstwist and the studies of typosquatting name.
func generators() map[string]func(string) []string {
	each := func(f func(s string, i int) []string) func(string) []string {
		return func(s string) []string {
			var out []string
			for i := range len(s) {
				out = append(out, f(s, i)...)
			}
			return out
		}
	}
	replace := func(table map[string]string) func(string) []string {
		return each(func(s string, i int) (out []string) {
			for from, to := range table {
				if !strings.HasPrefix(s[i:], from) {
					continue
				}
				for with := range strings.FieldsSeq(to) {
					out = append(out, s[:i]+with+s[i+len(from):])
				}
			}
			return out
		})
	}
	return map[string]func(string) []string{
		"homoglyph, foreign": replace(map[string]string{
			"a": "а ɑ α", "c": "с ᴄ", "d": "ԁ", "e": "е ҽ", "g": "ɡ ց", "h": "һ հ", "i": "і ı", "j": "ј", "k": "κ", "l": "ӏ", "n": "ո",
			"o": "о ο օ", "p": "р ρ", "q": "ԛ", "s": "ѕ ꜱ", "u": "ս υ", "v": "ν ѵ", "w": "ԝ ѡ", "x": "х", "y": "у ү", "z": "ᴢ",
		}),
		"homoglyph, marks": replace(map[string]string{
			"a": "ạ ȧ", "c": "ċ", "d": "ḍ", "e": "ẹ ė", "g": "ġ", "i": "ị", "k": "ḳ", "l": "ḷ", "n": "ṇ", "o": "ọ ȯ", "s": "ṣ", "t": "ṭ", "u": "ụ", "y": "ẏ",
		}),
		"homoglyph, ASCII":   replace(map[string]string{"m": "rn", "w": "vv", "d": "cl", "o": "0", "l": "1", "i": "1", "rn": "m", "vv": "w", "cl": "d"}),
		"homoglyph, i and l": replace(map[string]string{"l": "i", "i": "l"}),
		"omission":           each(func(s string, i int) []string { return []string{s[:i] + s[i+1:]} }),
		"repetition":         each(func(s string, i int) []string { return []string{s[:i+1] + s[i:]} }),
		"transposition": each(func(s string, i int) []string {
			if i == 0 || s[i] == s[i-1] {
				return nil
			}
			return []string{s[:i-1] + string(s[i]) + string(s[i-1]) + s[i+1:]}
		}),
		"adjacent key": each(func(s string, i int) (out []string) {
			near := map[byte]string{
				'q': "wa", 'w': "qes", 'e': "wrd", 'r': "etf", 't': "ryg", 'y': "tuh", 'u': "yij", 'i': "uok", 'o': "ipl", 'p': "o", 'a': "qsz",
				's': "awdx", 'd': "sefc", 'f': "drgv", 'g': "fthb", 'h': "gyjn", 'j': "hukm", 'k': "jil", 'l': "ko", 'z': "ax", 'x': "zsc", 'c': "xdv", 'v': "cfb", 'b': "vgn",
				'n': "bhm", 'm': "nj",
			}
			for _, c := range near[s[i]] {
				out = append(out, s[:i]+string(c)+s[i+1:])
			}
			return out
		}),
		"bitsquat": each(func(s string, i int) (out []string) {
			for bit := range 8 {
				if c := s[i] ^ 1<<bit; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
					out = append(out, s[:i]+string(rune(c))+s[i+1:])
				}
			}
			return out
		}),
		"hyphenation": each(func(s string, i int) []string {
			if i < 2 || i > len(s)-2 || s[i] == '-' || s[i-1] == '-' {
				return nil
			}
			return []string{s[:i] + "-" + s[i:]}
		}),
	}
}

// TestGenerated counts how many look-alikes of the 200 most popular names are found and convicted.
func TestGenerated(t *testing.T) {
	popular := popularity(t)
	index := lookalike.New(popular)
	makers := generators()
	least := map[string][3]float64{ // percent of what is found, convicted when young, convicted without age
		"homoglyph, foreign": {98, 98, 98}, "homoglyph, marks": {98, 98, 97}, "homoglyph, ASCII": {98, 98, 98}, "homoglyph, i and l": {98, 98, 98},
		"omission":   {70, 60, 0}, // of 6 letters 5 are left, which are not compared
		"repetition": {98, 95, 65}, "transposition": {98, 95, 60}, "adjacent key": {98, 90, 40}, "bitsquat": {95, 80, 5}, "hyphenation": {98, 98, 0},
	}
	for _, kind := range slices.Sorted(maps.Keys(makers)) {
		var names, found, young, unknown int
		var missed []string
		for _, p := range popular[:200] {
			target := p.Name.Registrable()
			label, suffix, _ := strings.Cut(target.String(), ".")
			if len(label) < 6 {
				continue
			}
			for _, fake := range makers[kind](label) {
				n, err := hostname.Parse(fake + "." + suffix)
				if err != nil || fake == label || strings.HasPrefix(fake, "-") {
					continue
				}
				names++
				s, ok := index.Find(n)
				if !ok {
					missed = append(missed, n.Unicode())
					continue
				}
				found++
				if lookalike.Judge(s, false, 30*24*time.Hour, false) {
					young++
				}
				if lookalike.Judge(s, false, 0, false) {
					unknown++
				}
			}
		}
		got := [3]float64{share(found, names), share(young, names), share(unknown, names)}
		t.Logf("%-20s %6d: found %.1f %%, convicted young %.1f %%, age unknown %.1f %%; missed %.15v", kind, names, got[0], got[1], got[2], missed[:min(8, len(missed))])
		for i := range got {
			if got[i] < least[kind][i] {
				t.Errorf("%s: %.1f %%, at least %.1f %% expected", kind, got[i], least[kind][i])
			}
		}
	}
}
