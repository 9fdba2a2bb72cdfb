package lookalike

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Limits of the index.
const (
	// editRank is the last rank whose typing slips are looked for: people mistype what they type, and every name more makes
	// neighbours of honest ones.
	editRank = 10_000
	// minEdit is the shortest label compared by typing slips: below it most neighbours are real names (usa.gov and tsa.gov,
	// nbc.com and abc.com, uber and huber, space.com).
	minEdit = 6
	// maxText bounds the text of all names: offsets are 32 bits.
	maxText = 1 << 31
)

// class is the weight of a target.
type class uint8

const (
	classProtected class = iota
	classTop             // rank up to 1,000
	classHigh            // up to 10,000
	classMiddle          // up to 100,000
	classTail
)

// discount is taken off the score: few people imitate what few people know.
func (c class) discount() int {
	switch c {
	case classProtected, classTop:
		return 0
	case classHigh:
		return 8
	case classMiddle:
		return 20
	default:
		return 30
	}
}

func classOf(p Popular) class {
	switch {
	case p.Protected:
		return classProtected
	case p.Rank <= 0 || p.Rank > 100_000:
		return classTail
	case p.Rank > editRank:
		return classMiddle
	case p.Rank > 1000:
		return classHigh
	default:
		return classTop
	}
}

// Index finds look-alikes of a set of names. It holds the names once, as one text in the order of their skeletons: about 9 octets
// and the name for each, and about 90 for each of the most popular ones, whose typing slips are indexed too.
type Index struct {
	confusables map[rune]confusable
	text        string   // registrable names, ordered by skeleton
	offsets     []uint32 // of each name in text, and the end
	class       []class
	skeletons   table // position is the entry
	protected   table
	deletes     table
	longestEdit int

	hasProtected bool
}

func (x *Index) name(entry uint32) string {
	return x.text[x.offsets[entry]:x.offsets[entry+1]]
}

// label is the registered label of an entry: the first of a registrable name.
func (x *Index) label(entry uint32) string {
	label, _, _ := strings.Cut(x.name(entry), ".")
	return label
}

// New builds an index. Names are reduced to their registrable name, and the best rank of each counts; public suffixes and zero
// names are skipped, and so are names beyond 2 GiB of text. An index of nothing finds nothing.
func New(entries []Popular) *Index {
	x := &Index{confusables: confusables()}
	kept := x.keep(entries)
	x.store(kept)
	var marked, deleted []item
	for i := range x.class { // store may have kept fewer
		entry := uint32(i)
		label := x.label(entry)
		if x.class[i] == classProtected {
			marked = append(marked, item{kept[i].hash, entry})
		}
		if x.class[i] > classHigh || len(label) < minEdit || strings.HasPrefix(label, "xn--") {
			continue
		}
		x.longestEdit = max(x.longestEdit, len(label))
		variants(label, func(hash uint64) { deleted = append(deleted, item{hash, entry}) })
	}
	x.hasProtected = len(marked) > 0
	x.protected = newTable(marked, true)
	x.deletes = newTable(deleted, true)
	return x
}

// candidate is a name on its way into the index.
type candidate struct {
	name  string
	hash  uint64
	rank  int
	class class
}

// keep reduces entries to one for each registrable name, in the order of skeleton hashes; of one skeleton the weightiest comes
// first, so that it is told where several are as like.
func (x *Index) keep(entries []Popular) []candidate {
	kept := make([]candidate, 0, len(entries))
	for _, p := range entries {
		name := registrable(p.Name.String())
		if name == "" {
			continue
		}
		label, _, _ := strings.Cut(name, ".")
		kept = append(kept, candidate{name, x.read(label).hash(), p.Rank, classOf(p)})
	}
	slices.SortFunc(kept, func(a, b candidate) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return a.weigh(b)
	})
	kept = slices.CompactFunc(kept, func(a, b candidate) bool { return a.name == b.name })
	for lo := 0; lo < len(kept); {
		hi := lo + 1
		for hi < len(kept) && kept[hi].hash == kept[lo].hash {
			hi++
		}
		slices.SortStableFunc(kept[lo:hi], candidate.weigh)
		lo = hi
	}
	return kept
}

// registrable returns the registrable name of a target; "" when it has none. A suffix of the private section was registered by
// somebody too, and is imitated like others (azurefd.net).
func registrable(name string) string {
	if r, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return r
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); !icann && suffix == name && strings.Count(name, ".") == 1 {
		return name
	}
	return ""
}

// weigh puts the weightier target first.
func (c candidate) weigh(other candidate) int {
	return cmp.Or(cmp.Compare(c.class, other.class), cmp.Compare(c.rank, other.rank))
}

// store writes the names one behind the other.
func (x *Index) store(kept []candidate) {
	size := 0
	for _, c := range kept {
		size += len(c.name)
	}
	var text strings.Builder
	text.Grow(min(size, maxText))
	x.offsets = make([]uint32, 1, len(kept)+1)
	x.class = make([]class, 0, len(kept))
	items := make([]item, 0, len(kept))
	for i, c := range kept {
		if text.Len()+len(c.name) > maxText {
			break
		}
		text.WriteString(c.name)
		x.offsets = append(x.offsets, uint32(text.Len()))
		x.class = append(x.class, c.class)
		items = append(items, item{c.hash, uint32(i)})
	}
	x.text = text.String()
	x.skeletons = newTable(items, false)
}

// item is a hash and the entry it leads to.
type item struct {
	hash  uint64
	entry uint32
}

// table finds the items of a hash: the upper bits choose a bucket, the next 32 are compared. What it finds must be verified.
type table struct {
	shift  uint     // 64 less the bits of the bucket number
	starts []uint32 // of each bucket in prints, and the end
	prints []uint32
	ids    []uint32 // nil: the position is the entry
}

// perBucket is the aimed number of items in a bucket: a cache line of prints.
const perBucket = 8

// newTable orders items by hash; with ids false they must be in that order already, numbered from 0.
func newTable(items []item, ids bool) table {
	if ids {
		slices.SortFunc(items, func(a, b item) int {
			if a.hash != b.hash {
				return cmp.Compare(a.hash, b.hash)
			}
			return cmp.Compare(a.entry, b.entry)
		})
		items = slices.Compact(items)
	}
	width := bits.Len(uint(len(items) / perBucket)) // 0..29 bits, for entries are numbered in 32
	t := table{shift: uint(64 - width), starts: make([]uint32, 1<<width+1), prints: make([]uint32, 0, len(items))}
	for _, it := range items {
		t.starts[t.bucket(it.hash)+1]++
		t.prints = append(t.prints, t.print(it.hash))
		if ids {
			t.ids = append(t.ids, it.entry)
		}
	}
	for i := 1; i < len(t.starts); i++ {
		t.starts[i] += t.starts[i-1]
	}
	t.ids = slices.Clip(t.ids)
	return t
}

func (t *table) bucket(hash uint64) uint64 { return hash >> t.shift } // a shift by 64 gives 0

func (t *table) print(hash uint64) uint32 { return uint32(hash << (64 - t.shift) >> 32) }

// find returns the range of positions whose hash is, but for a coincidence of the bits kept, the one given.
func (t *table) find(hash uint64) (lo, hi uint32) {
	if len(t.prints) == 0 {
		return 0, 0
	}
	b, want := t.bucket(hash), t.print(hash)
	lo, end := t.starts[b], t.starts[b+1]
	for lo < end && t.prints[lo] < want {
		lo++
	}
	hi = lo
	for hi < end && t.prints[hi] == want {
		hi++
	}
	return lo, hi
}
