package set

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"unsafe"

	"weir/blocklists/set/mapped"
)

// ref is one entry on its way through Build.
type ref struct {
	hash uint64
	unit uint32 // of its record, in recordUnit
	_    uint32
}

// Build makes the Set: it removes what was dropped, cancelled or said twice by one list, and lays everything out in the order
// of the hash, so that index and records are written front to back.
func (b *Builder) Build() *Set {
	s := &Set{seed: newSeed(), lists: b.lists, stats: b.stats, note: b.note}
	refs, free := b.sorted(&s.seed)
	b.layOut(s, refs)
	free.Free()
	b.raw.Free()
	b.raw, b.mem, b.used = nil, nil, 0
	for i := range b.gone {
		if b.gone[i] {
			s.stats[i] = ListStats{}
		}
	}
	s.count.Lists = len(s.lists)
	s.count.Bytes = s.size()
	return s
}

// maxParts bounds the counters of the first pass of the sort; 1<<16 of them fit the second cache.
const maxParts = 1 << 16

// sorted returns the entries of lists that were not dropped, by hash, then key, then list, then what they say, a cancelling
// one first. Entries are counted into parts by the first bits of their hash, and each part, some dozens, is sorted.
func (b *Builder) sorted(seed *seed) ([]ref, *mapped.Region) {
	parts := min(maxParts, 1<<bits.Len(uint(b.count/64)))
	shift := 64 - (bits.Len(uint(parts)) - 1)
	at := make([]uint32, parts+1)
	b.each(func(rec record) { at[seed.key(rec.key)>>shift+1]++ })
	for i := 1; i <= parts; i++ {
		at[i] += at[i-1]
	}
	refs, region := newRefs(int(at[parts]))
	b.each(func(rec record) {
		h := seed.key(rec.key)
		i := &at[h>>shift]
		refs[*i] = ref{hash: h, unit: uint32(rec.off / recordUnit)}
		*i++
	})
	start := uint32(0)
	for _, end := range at[:parts] { // at[i] is now the end of part i
		slices.SortFunc(refs[start:end], b.compare)
		start = end
	}
	return refs, region
}

// each calls f for the record of every entry that counts.
func (b *Builder) each(f func(record)) {
	for off := uint64(0); off < b.used; {
		rec, ok := recordAt(b.mem[:b.used], off)
		if !ok { // cannot be: write made it
			return
		}
		if !b.gone[ruleAt(rec.rules).list] {
			f(rec)
		}
		off = rec.next(b.mem[:b.used])
	}
}

// newRefs makes room outside of the Go heap: it is given back at once.
func newRefs(n int) ([]ref, *mapped.Region) {
	if n == 0 {
		return nil, nil
	}
	region, err := mapped.Anonymous(n * int(unsafe.Sizeof(ref{})))
	if err != nil {
		return make([]ref, n), nil
	}
	return unsafe.Slice((*ref)(unsafe.Pointer(&region.Bytes()[0])), n), region // a ref holds no pointers; pages are aligned
}

func (b *Builder) record(r ref) record {
	rec, _ := recordAt(b.mem, uint64(r.unit)*recordUnit) // it is there: each has read it
	return rec
}

func (b *Builder) compare(x, y ref) int {
	if c := cmp.Compare(x.hash, y.hash); c != 0 {
		return c
	}
	xr, yr := b.record(x), b.record(y)
	if c := bytes.Compare(xr.key, yr.key); c != 0 {
		return c
	}
	p, q := b.rule(xr), b.rule(yr)
	return cmp.Or(cmp.Compare(p.list, q.list), compareSaid(p, q), cmp.Compare(p.line, q.line))
}

// rule reads the one rule of a record of ours.
func (b *Builder) rule(rec record) rule {
	r := ruleAt(rec.rules)
	if r.flag&flagExtra != 0 {
		r.extra, _ = rec.extraOf(b.mem, 0)
	}
	return r
}

// compareSaid puts a cancelling entry before the entries it cancels.
func compareSaid(p, q rule) int {
	return cmp.Or(cmp.Compare(p.flag&^flagCancel, q.flag&^flagCancel), bytes.Compare(p.extra, q.extra), cmp.Compare(q.flag&flagCancel, p.flag&flagCancel))
}

// sameKey says whether two neighbours speak of one key.
func (b *Builder) sameKey(x, y ref) bool {
	return x.hash == y.hash && bytes.Equal(b.record(x).key, b.record(y).key)
}

// layOut writes index and records.
func (b *Builder) layOut(s *Set, refs []ref) {
	keys := 0
	for i := range refs {
		if i == 0 || !b.sameKey(refs[i-1], refs[i]) {
			keys++
		}
	}
	if keys == 0 {
		return
	}
	var buckets []byte
	s.buckets, buckets = reserve(indexSize(keys))
	if s.buckets != nil {
		s.buckets.Huge()
	}
	s.index = indexOf(buckets)
	var body []byte
	s.body, body = reserve(int(b.used)) // more than enough; only what is written becomes resident
	end := uint64(0)
	var live []rule
	for start := 0; start < len(refs); {
		stop := start + 1
		for stop < len(refs) && b.sameKey(refs[start], refs[stop]) {
			stop++
		}
		if live = b.live(live[:0], refs[start:stop]); len(live) > 0 {
			s.index.put(refs[start].hash, uint32(end/recordUnit))
			end = s.emit(body, end, live, b.record(refs[start]).key)
		}
		start = stop
	}
	s.trim(body, end)
}

// trim gives back what the records do not need.
func (s *Set) trim(body []byte, end uint64) {
	if end == 0 {
		s.body.Free()
		s.body = nil
		return
	}
	if s.body != nil && s.body.Resize(int(end)) == nil {
		s.records = s.body.Bytes()
		return
	}
	s.records = body[:end]
}

// live appends the first of each run of equal rules of one key, unless the run starts with a cancellation.
func (b *Builder) live(dst []rule, group []ref) []rule {
	for i := 0; i < len(group); {
		r := b.rule(b.record(group[i]))
		for i++; i < len(group); i++ {
			o := b.rule(b.record(group[i]))
			if o.list != r.list || (o.flag^r.flag)&^flagCancel != 0 || !bytes.Equal(o.extra, r.extra) {
				break
			}
		}
		if r.flag&flagCancel == 0 {
			dst = append(dst, r)
		}
	}
	return dst
}

// emit writes the record of a key at off and counts it; it returns where the next one begins.
func (s *Set) emit(body []byte, off uint64, rules []rule, key []byte) uint64 {
	for i, r := range rules {
		size := 0
		if i == len(rules)-1 {
			size = len(key)
		}
		off += uint64(r.put(body[off:], size))
		s.stats[r.list].count(key)
	}
	s.count.count(key)
	s.has.add(key)
	s.count.Rules += len(rules)
	off += uint64(copy(body[off:], key))
	for _, r := range rules {
		off += uint64(copy(body[off:], r.extra))
	}
	return aligned(off)
}

// count counts a rule of a key.
func (c *ListStats) count(key []byte) {
	*counter(key, &c.Names, &c.Addresses, &c.URLs, &c.Fingerprints)++
}

// count counts a key.
func (c *Stats) count(key []byte) { *counter(key, &c.Names, &c.Addresses, &c.URLs, &c.Fingerprints)++ }

func counter(key []byte, names, addresses, urls, fingerprints *int) *int {
	switch {
	case isAddrKey(key):
		return addresses
	case key[0] == keyURL:
		return urls
	case key[0] == keyFingerprint:
		return fingerprints
	}
	return names
}

// size is what is always resident: everything, unless the records lie in a file.
func (s *Set) size() uint64 {
	n := uint64(unsafe.Sizeof(*s)) + uint64(len(s.index.b)) + uint64(len(s.note))
	if s.count.Mapped == 0 {
		n += uint64(len(s.records))
	}
	return n
}
