package lookalike

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxUnits bounds the skeleton of a label: a character becomes at most four octets, and nobody imitates with more than 63
// characters.
const maxUnits = 256

// unit is one octet of a skeleton and where it came from.
type unit struct {
	proto  byte // of the skeleton; 0 ends the units
	letter byte // the ASCII letter or digit that the character looks like
	off    uint8
	source rune
}

// reading is a label as it is seen: its characters, and whether any is not ASCII.
type reading struct {
	index   *Index
	text    string // as shown: U-label
	foreign bool
}

// read decodes a label. One that does not decode is shown by browsers as it is, and so it is read.
func (x *Index) read(label string) reading {
	r := reading{index: x, text: label}
	if !strings.HasPrefix(label, "xn--") {
		return r
	}
	shown, err := idna.Punycode.ToUnicode(label)
	if err != nil || shown == label {
		return r
	}
	r.text, r.foreign = shown, true
	return r
}

// hopeless says whether a label that is not ASCII is written in one script other than Latin under a suffix that is not ASCII
// either: a name for readers of that script, who are not deceived by it.
func (r reading) hopeless(suffix string) bool {
	last := suffix[strings.LastIndexByte(suffix, '.')+1:]
	if !r.foreign || !strings.HasPrefix(last, "xn--") {
		return false
	}
	for _, c := range r.text {
		if unicode.Is(unicode.Latin, c) {
			return false
		}
	}
	return true
}

// expand gives the octets that an ASCII character has in a skeleton. Skeletons are longer spellings (m is "rn", w is "vv", d is
// "cl"), as in UTS #39, so that each character is mapped for itself and "vvv" means both "wv" and "vw". Hyphens have none.
func expand(c byte) (first, second byte) {
	switch c {
	case '-':
		return 0, 0
	case '0':
		return 'o', 0
	case '1', 'i':
		return 'l', 0
	case '5':
		return 's', 0
	case 'm':
		return 'r', 'n'
	case 'w':
		return 'v', 'v'
	case 'd':
		return 'c', 'l'
	default:
		return c, 0
	}
}

// hash is that of the skeleton.
func (r reading) hash() uint64 {
	if r.foreign {
		return r.foreignHash()
	}
	h, n := uint64(0), 0
	for i := range len(r.text) {
		first, second := expand(r.text[i])
		if first != 0 {
			h, n = h*base+uint64(first), n+1
		}
		if second != 0 {
			h, n = h*base+uint64(second), n+1
		}
	}
	return mix(h, n)
}

// foreignHash is the same of a label that is not ASCII.
func (r reading) foreignHash() uint64 {
	h, n := uint64(0), 0
	var buffer [maxUnits]unit
	for _, u := range r.units(&buffer) {
		h, n = h*base+uint64(u.proto), n+1
	}
	return mix(h, n)
}

// units spells the skeleton out.
func (r reading) units(buffer *[maxUnits]unit) []unit {
	units := buffer[:0]
	for _, c := range r.text {
		if len(units)+8 > maxUnits {
			break
		}
		if c < utf8.RuneSelf {
			units = appendLetter(units, byte(c), 0, c)
			continue
		}
		like := r.index.look(c)
		for i := range len(like.letters) {
			units = appendLetter(units, like.letters[i], like.off, c)
		}
	}
	return units
}

func appendLetter(units []unit, letter byte, off uint8, source rune) []unit {
	first, second := expand(letter)
	if first != 0 {
		units = append(units, unit{first, letter, off, source})
	}
	if second != 0 {
		units = append(units, unit{second, letter, off, source})
	}
	return units
}

// look says what a character that is not ASCII looks like: by the table, or by the letter under its marks. What looks like
// nothing stands for itself, in UTF-8, which no ASCII name has.
func (x *Index) look(c rune) confusable {
	if like, ok := x.confusables[canonicalCherokee(c)]; ok {
		return like
	}
	var utf [utf8.UTFMax]byte
	n := utf8.EncodeRune(utf[:], c)
	parts := norm.NFKD.Properties(utf[:n]).Decomposition()
	if unicode.Is(unicode.Mn, c) {
		return confusable{off: offMark} // a mark by itself: drawn on the letter before
	}
	off := uint8(offMark)
	if c < 0x100 {
		off = offLatin1
	}
	for b, size := rune(0), 0; len(parts) > 0; parts = parts[size:] {
		if b, size = utf8.DecodeRune(parts); unicode.Is(unicode.Mn, b) {
			continue
		}
		if b < utf8.RuneSelf {
			return confusable{string(b), off}
		}
		if like, ok := x.confusables[b]; ok {
			return confusable{like.letters, min(like.off+off, 99)}
		}
		if b != c {
			return x.look(b)
		}
		break
	}
	return confusable{letters: string(c)}
}

// What a character costs of the shape of the name that it helps to imitate.
const (
	offWeak   = 15 // drawn alike only at a glance, or only as a small capital: в for b
	offMark   = 8  // a mark that no keyboard of western Europe has: ạ
	offLatin1 = 25 // a mark of everyday words: ü, é, ñ
)

// What ASCII differences cost.
const (
	offDigits = 10 // up to here only digits and letter pairs stand in for letters, which no word has
	offWord   = 10 // i for l in 5 letters makes words of words: stihi, stihl
	offHyphen = 25 // a hyphen more or less: rarely drawn wrong, often the owner's own second name
	offOther  = 40
)

// likeness weighs how alike two labels of one skeleton are drawn, 0..100. It walks along both skeletons and pays for each place
// where they come from different characters. Short labels are alike by accident and get 0.
func (x *Index) likeness(suspect reading, target string, protected bool) int {
	if tooShort(len(target), suspect.foreign, protected) {
		return 0
	}
	var a, b [maxUnits]unit
	meant := x.read(target)
	us, them := suspect.units(&a), meant.units(&b)
	if len(us) != len(them) {
		return 0 // a coincidence of hashes
	}
	shape := 100 - hyphens(suspect.text, meant.text)
	var lastUs, lastThem rune
	for i := range us {
		u, v := us[i], them[i]
		if u.proto != v.proto {
			return 0
		}
		if u.source == v.source {
			lastUs, lastThem = 0, 0
			continue
		}
		if u.source != lastUs {
			shape -= int(u.off)
		}
		if v.source != lastThem {
			shape -= int(v.off)
		}
		lastUs, lastThem = u.source, v.source
		shape -= unlike(u.letter, v.letter)
	}
	if !suspect.foreign && shape < 100-offDigits && len(target) < minEdit {
		shape -= offWord
	}
	return max(shape, 0)
}

// tooShort says whether a label is too short to be imitated: letters drawn like others make words of words.
func tooShort(length int, foreign, protected bool) bool {
	switch {
	case foreign && protected:
		return length < 3
	case foreign || protected:
		return length < 4
	default:
		return length < 5
	}
}

func hyphens(a, b string) int {
	n := strings.Count(a, "-") - strings.Count(b, "-")
	if n == 0 && strings.Contains(a, "-") && strings.IndexByte(a, '-') != strings.IndexByte(b, '-') {
		n = 1
	}
	return offHyphen * max(n, -n)
}

// unlike says how different two letters of one skeleton octet are drawn. Letters spelled by two octets are paid for twice, by half.
func unlike(a, b byte) int {
	if a == b {
		return 0
	}
	if a > b {
		a, b = b, a
	}
	switch [2]byte{a, b} {
	case [2]byte{'1', 'l'}:
		return 3
	case [2]byte{'0', 'o'}:
		return 4
	case [2]byte{'1', 'i'}:
		return 6
	case [2]byte{'5', 's'}:
		return 14 // numbers at the end of names are often no letters: peer5
	case [2]byte{'i', 'l'}:
		return 12
	case [2]byte{'m', 'n'}, [2]byte{'m', 'r'}, [2]byte{'v', 'w'}:
		return 2
	case [2]byte{'c', 'd'}, [2]byte{'d', 'l'}:
		return 5
	case [2]byte{'1', 'd'}:
		return 8
	default:
		return offOther
	}
}
