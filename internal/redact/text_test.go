package redact_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"weir/internal/redact"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"clean ascii", `plain "text" \ here`, `plain "text" \ here`},
		{"clean unicode", "Привет, 世界 é 😀", "Привет, 世界 é 😀"},
		{"newline", "a\nb", `a\u{000A}b`},
		{"carriage return and tab", "a\r\tb", `a\u{000D}\u{0009}b`},
		{"ansi", "\x1b[31mred", `\u{001B}[31mred`},
		{"nul and del", "\x00\x7f", `\u{0000}\u{007F}`},
		{"c1 control", "a\u009bb", `a\u{009B}b`},
		{"bidi override", "gpj\u202eexe", `gpj\u{202E}exe`},
		{"bidi isolates", "\u2066\u2069\u061c\u200e\u200f", `\u{2066}\u{2069}\u{061C}\u{200E}\u{200F}`},
		{"zero width", "a\u200bb\u200c\u200d\ufeff", `a\u{200B}b\u{200C}\u{200D}\u{FEFF}`},
		{"line separators", "\u2028\u2029", `\u{2028}\u{2029}`},
		{"no-break space", "a\u00a0b", `a\u{00A0}b`},
		{"tag characters", "\U000E0041", `\u{E0041}`},
		{"variation selectors", "\ufe0f\U000E0100", `\u{FE0F}\u{E0100}`},
		{"hangul filler", "\u3164\u115f", `\u{3164}\u{115F}`},
		{"braille blank", "\u2800", `\u{2800}`},
		{"private use", "\ue000", `\u{E000}`},
		{"noncharacter of plane 16", "\U0010FFFF", `\u{10FFFF}`},
		{"invalid octets", "a\xff\xc0\x80b", `a\xFF\xC0\x80b`},
		{"surrogate", "\xed\xa0\x80", `\xED\xA0\x80`},
		{"cut rune", "\xe2\x82", `\xE2\x82`},
		{"real replacement character", "\ufffd", "\ufffd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got := redact.Bytes([]byte(tt.in)); got != tt.want {
				t.Errorf("Bytes(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got := string(redact.Append([]byte("x"), tt.in)); got != "x"+tt.want {
				t.Errorf("Append(x, %q) = %q", tt.in, got)
			}
		})
	}
}

// A clean string costs nothing: every field of every event passes here.
func TestTextAllocs(t *testing.T) {
	for _, s := range []string{"GET /index.html HTTP/1.1", "Привет, мир"} {
		if n := testing.AllocsPerRun(100, func() { _ = redact.Text(s) }); n != 0 {
			t.Errorf("Text(%q) allocates %v times, want 0", s, n)
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		n        int
		want     string
	}{
		{"fits", "abc", 3, "abc"},
		{"cut", "abcdef", 5, "ab…"},
		{"on a rune boundary", "ab😀cd", 7, "ab…"},
		{"no room", "abcdef", 2, ""},
		{"only the ellipsis", "abcdef", 3, "…"},
		{"negative", "a", -1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Truncate(tt.in, tt.n); got != tt.want {
				t.Errorf("Truncate(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
			}
		})
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := redact.Writer(&b)
	for _, part := range []string{"a\tb\n\x1b", "[2J\xe2", "\x82\xac\r\n", "end\xf0\x9f"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "a\tb\n\\u{001B}[2J€\\u{000D}\nend\\xF0\\x9F"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// assertSafe is the oracle of every fuzz test here: what an output may hold.
func assertSafe(t *testing.T, in, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%q -> %q: invalid UTF-8", in, out)
	}
	for _, r := range out {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Bidi_Control) || !unicode.IsPrint(r) {
			t.Errorf("%q -> %q: has %U", in, out, r)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "abc", "a\nb\x1b[0m", "\u202e\u200b\ufeff", "\xff\xe2\x82", "é😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := redact.Text(s)
		assertSafe(t, s, out)
		if again := redact.Text(out); again != out {
			t.Errorf("escaping twice: %q -> %q -> %q", s, out, again)
		}
		// Oracle: rune by rune gives what the whole gives.
		var naive strings.Builder
		for rest := s; rest != ""; {
			_, size := utf8.DecodeRuneInString(rest)
			naive.WriteString(redact.Text(rest[:size]))
			rest = rest[size:]
		}
		if naive.String() != out {
			t.Errorf("Text(%q) = %q, rune by rune %q", s, out, naive.String())
		}
	})
}

// One cut and many cuts must give the same text.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\xe2\x82\xac\n\tb\x1b"), uint8(1))
	f.Add([]byte("\xf0\x9f\x98\x80\xf0\x9f"), uint8(3))
	f.Fuzz(func(t *testing.T, p []byte, step uint8) {
		var b bytes.Buffer
		w := redact.Writer(&b)
		for rest := p; len(rest) > 0; {
			n := min(len(rest), int(step)%5+1)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := redact.Lines(string(p)); b.String() != want {
			t.Errorf("cut by %d: %q, whole: %q", step, b.String(), want)
		}
	})
}
