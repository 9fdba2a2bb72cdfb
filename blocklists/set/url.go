package set

import (
	"math"
	"runtime"
	"slices"
)

// LookupURL appends to dst every entry that covers url, which is spelled as Entry.URL, most specific first. An entry covers itself,
// itself with any query, and what lies below it at a '/': "x/a" covers x/a, x/a?q, x/a/ and x/a/b; "x/a/" what begins with it; one
// with a query only itself. One pass over the URL, no further than the longest entry; it does not allocate when dst has room.
func (s *Set) LookupURL(url string, dst []Match) []Match {
	if s == nil || s.has.urls.longest == 0 {
		return dst
	}
	w := urlWalk{s: s, text: octets(url), first: len(dst), dst: dst}
	h := s.seed.kind(keyURL)
	for at, more := 0, true; more; {
		h, at, more = w.step(h, at)
	}
	runtime.KeepAlive(s) // the memory is given back when s is unreachable
	w.upright()
	return w.dst
}

// urlWalk is one look-up.
type urlWalk struct {
	s       *Set
	text    []byte
	dst     []Match
	first   int // of dst that is ours
	slashes int // behind us
	passed  int // boundaries behind us
}

// step goes on by a segment and the slash or query behind it.
func (w *urlWalk) step(h uint64, at int) (hash uint64, next int, more bool) {
	has := &w.s.has.urls
	rest := w.text[at:]
	if room := has.longest - uint64(at); uint64(len(rest)) > room+1 {
		rest = rest[:room+1] // one octet more, so that what ends just there is seen to end
	}
	n := segment(rest)
	end := at + n
	h = w.s.seed.part(h, rest[:n])
	if uint64(end) > has.longest {
		return h, end, false
	}
	if n > 0 {
		w.ask(h, end, has.ends)
	}
	switch {
	case end == len(w.text):
		return h, end, false
	case w.text[end] == '?':
		w.askQuery(h, end)
		return h, end, false
	}
	if w.slashes++; uint64(w.slashes) > has.slashes {
		return h, end, false
	}
	h = w.s.seed.slash(h)
	w.ask(h, end+1, has.below)
	return h, end + 1, uint64(end) < has.longest
}

// ask looks for the URL up to end, where numbers tells how many slashes entries of its kind have.
func (w *urlWalk) ask(h uint64, end int, numbers uint64) {
	w.passed++
	if numbers>>min(w.slashes, maxBit)&1 != 0 {
		w.find(h, end)
	}
}

func (w *urlWalk) askQuery(h uint64, at int) {
	w.passed++
	if uint64(len(w.text)) <= w.s.has.urls.query {
		w.find(w.s.seed.part(h, w.text[at:]), len(w.text))
	}
}

// find appends the rules of a key in reverse order, with the boundaries before it in Depth: upright turns both around.
func (w *urlWalk) find(h uint64, end int) {
	rec, ok := w.s.find(h, keyURL, w.text[:end])
	if !ok {
		return
	}
	for i := len(rec.rules) - ruleSize; i >= 0; i -= ruleSize {
		w.dst = w.s.appendMatch(w.dst, rec, i, 0, uint8(min(w.passed, math.MaxUint8)))
	}
}

func (w *urlWalk) upright() {
	if len(w.dst) == w.first {
		return
	}
	all := boundaries(w.text)
	ms := w.dst[w.first:]
	slices.Reverse(ms)
	for i := range ms {
		ms[i].Depth = uint8(min(all-int(ms[i].Depth), math.MaxUint8))
	}
}

// boundaries counts where an entry may end that covers the whole of url.
func boundaries(url []byte) int {
	n := 0
	for at := 0; ; {
		k := segment(url[at:])
		if at += k; k > 0 {
			n++
		}
		if at == len(url) {
			return n
		}
		if n++; url[at] == '?' {
			return n
		}
		at++
	}
}

// LookupFingerprint appends to dst every entry of a JA3 or JA4 fingerprint, in lower case, in the order of the lists. It does not
// allocate when dst has room.
func (s *Set) LookupFingerprint(fp string, dst []Match) []Match {
	if s == nil || s.has.prints == 0 || len(fp) > ja4Size {
		return dst
	}
	var buf [1 + ja4Size]byte
	buf[0] = keyFingerprint
	key := buf[:1+copy(buf[1:], fp)]
	if rec, ok := s.find(s.seed.label(s.seed.start(), key), 0, key); ok {
		for i := 0; i < len(rec.rules); i += ruleSize {
			dst = s.appendMatch(dst, rec, i, 0, 0)
		}
	}
	runtime.KeepAlive(s) // the memory is given back when s is unreachable
	return dst
}
