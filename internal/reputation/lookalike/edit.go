package lookalike

import (
	"math/bits"
	"strings"
)

// variants calls yield with the hash of label and of label with each octet left out. Two labels at optimal string alignment
// distance (Damerau-Levenshtein without overlapping edits) 1 share one of them, so that a look-up of each finds all neighbours;
// sharing one does not prove it, see [slip].
func variants(label string, yield func(hash uint64)) {
	var prefix, power [64]uint64 // a label has 63 octets at most
	if len(label) >= len(prefix) {
		return
	}
	power[0] = 1
	for i := range len(label) {
		prefix[i+1] = prefix[i]*base + uint64(label[i])
		power[i+1] = power[i] * base
	}
	n := len(label)
	yield(mix(prefix[n], n))
	for i := range n {
		if i > 0 && label[i] == label[i-1] {
			continue // the same text as without the one before
		}
		tail := prefix[n] - prefix[i+1]*power[n-i-1]
		yield(mix(prefix[i]*power[n-i-1]+tail, n-1))
	}
}

// base of the polynomial hash: an odd 64-bit constant (the golden ratio) so that multiplication loses nothing.
const base = 0x9e3779b97f4a7c15

// mix spreads a polynomial over all bits (the finaliser of MurmurHash3, public domain).
func mix(h uint64, n int) uint64 {
	h ^= uint64(n) * 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Shapes of typing slips, 0..100: how much likelier the slip is than another word of the language.
const (
	shapeTransposed = 90 // micorsoft
	shapeDoubled    = 88 // gooogle, gogle: a letter pressed twice, or once too few
	shapeAdjacent   = 84 // neighbours on the keyboard
	shapeLike       = 82 // letters drawn alike that no skeleton joins: u and v, q and g
	shapeOmitted    = 78
	shapeBesides    = 76 // a neighbour pressed too
	shapeVowel      = 70 // one vowel for another
	shapeBit        = 68 // one bit flipped in memory or on the way (bitsquatting)
	shapeAdded      = 60
	shapeChanged    = 52
)

// What makes a slip less likely than an honest neighbour.
const (
	offFirst  = 20 // the first letter is the last one mistyped and the first one seen
	offPlural = 25 // an s more or less at the end is another word
	offDigit  = 30 // numbered names are series: web24 and web25
	offShort  = 12 // 6 letters
	offMedium = 5  // 7 letters
)

// slip weighs the one typing slip that makes suspect of target; 0 when they are the same or more than one apart.
func slip(suspect, target string) int {
	p, s := ends(suspect, target)
	a, b := suspect[p:len(suspect)-s], target[p:len(target)-s]
	shape := 0
	switch [2]int{len(a), len(b)} {
	case [2]int{1, 1}:
		shape = changed(a[0], b[0])
	case [2]int{2, 2}:
		if a[0] != b[1] || a[1] != b[0] {
			return 0
		}
		shape = shapeTransposed
	case [2]int{1, 0}:
		shape = added(a[0], around(suspect, p))
	case [2]int{0, 1}:
		shape = omitted(b[0], around(target, p))
	default:
		return 0
	}
	return max(shape-off(a, b, p, s, min(len(suspect), len(target))), 1)
}

// ends counts the octets that a and b have in common at the beginning, and of the rest at the end.
func ends(a, b string) (before, behind int) {
	for before < len(a) && before < len(b) && a[before] == b[before] {
		before++
	}
	a, b = a[before:], b[before:]
	for behind < len(a) && behind < len(b) && a[len(a)-1-behind] == b[len(b)-1-behind] {
		behind++
	}
	return before, behind
}

// around returns the octets before and behind position i of s; 0 at the ends.
func around(s string, i int) (near [2]byte) {
	if i > 0 {
		near[0] = s[i-1]
	}
	if i+1 < len(s) {
		near[1] = s[i+1]
	}
	return near
}

func off(a, b string, before, behind, length int) int {
	n := 0
	if before == 0 {
		n += offFirst
	}
	if behind == 0 && len(a)+len(b) == 1 && (a == "s" || b == "s") {
		n += offPlural
	}
	if strings.ContainsAny(a, "0123456789") || strings.ContainsAny(b, "0123456789") {
		n += offDigit
	}
	switch length {
	case minEdit - 1, minEdit:
		n += offShort
	case minEdit + 1:
		n += offMedium
	}
	return n
}

func changed(a, b byte) int {
	switch {
	case adjacent(a, b):
		return shapeAdjacent
	case alike(a, b):
		return shapeLike
	case strings.IndexByte("aeiouy", a) >= 0 && strings.IndexByte("aeiouy", b) >= 0:
		return shapeVowel
	case bits.OnesCount8(a^b) == 1:
		return shapeBit
	default:
		return shapeChanged
	}
}

func added(c byte, near [2]byte) int {
	switch {
	case c == near[0] || c == near[1]:
		return shapeDoubled
	case adjacent(c, near[0]) || adjacent(c, near[1]):
		return shapeBesides
	default:
		return shapeAdded
	}
}

func omitted(c byte, near [2]byte) int {
	if c == near[0] || c == near[1] {
		return shapeDoubled
	}
	return shapeOmitted
}

// alike says whether two letters or digits are drawn alike without being one skeleton.
func alike(a, b byte) bool {
	const pairs = "uv gq ce nm bh hn 3e 4a 7t 8b 9g 6b 2z nr lt ij tf "
	if a == b {
		return false
	}
	return strings.Contains(pairs, string([]byte{a, b, ' '})) || strings.Contains(pairs, string([]byte{b, a, ' '}))
}

// adjacent says whether two keys touch on the keyboards QWERTY, QWERTZ and AZERTY share most of; rows are shifted by half a key.
func adjacent(a, b byte) bool {
	ra, ca := key(a)
	rb, cb := key(b)
	if ra < 0 || rb < 0 || a == b {
		return false
	}
	if ra > rb {
		ra, rb, ca, cb = rb, ra, cb, ca
	}
	switch rb - ra {
	case 0:
		return ca-cb == 1 || cb-ca == 1
	case 1:
		return ca == cb || ca == cb+1
	}
	return false
}

// key returns the row and column of a key, -1 for none.
func key(c byte) (row, column int) {
	for row, keys := range [...]string{"1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm"} {
		if i := strings.IndexByte(keys, c); i >= 0 {
			return row, i
		}
	}
	return -1, -1
}
