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
	size uint32 // of its record, in recordUnit
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
		refs[*i] = ref{hash: h, unit: uint32(rec.off / recordUnit), size: uint32((rec.next(b.mem[:b.used]) - rec.off) / recordUnit)}
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

// layOut writes index and table.
func (b *Builder) layOut(s *Set, refs []ref) {
	keys, needs, far := b.measure(refs)
	if keys == 0 {
		return
	}
	var buckets []byte
	s.buckets, buckets = reserve(indexSize(keys))
	if s.buckets != nil {
		s.buckets.Huge()
	}
	s.index = indexOf(buckets)
	refused := slices.Clone(s.stats)
	for rounds := 0; !b.fill(s, refs, tableBlocks(needs, rounds), far); rounds++ {
		s.body.Free()
		clear(buckets)
		copy(s.stats, refused)
		s.count, s.has = Stats{}, present{}
	}
}

// measure counts keys, how many blocks their records need, and how much lies behind the blocks at most. It takes no account of
// what is cancelled or said twice.
func (b *Builder) measure(refs []ref) (keys int, needs, far uint64) {
	for start, stop := 0, 0; start < len(refs); start = stop {
		size, most := uint64(0), uint64(0)
		for stop = start; stop < len(refs) && (stop == start || b.sameKey(refs[start], refs[stop])); stop++ {
			each := uint64(refs[stop].size) * recordUnit
			most += each
			if size += each; stop > start { // the key lies there once
				size -= aligned(uint64(ruleSize+keySize(b.record(refs[stop]).key))) - ruleSize
			}
		}
		keys++
		needs += need(size)
		far += farSize(most)
	}
	return keys, needs, far
}

// eachKey calls f with the entries of each key that has rules left, until f says no.
func (b *Builder) eachKey(refs []ref, f func(group []ref, live []rule) bool) bool {
	var live []rule
	for start := 0; start < len(refs); {
		stop := start + 1
		for stop < len(refs) && b.sameKey(refs[start], refs[stop]) {
			stop++
		}
		if live = b.live(live[:0], refs[start:stop]); len(live) > 0 && !f(refs[start:stop], live) {
			return false
		}
		start = stop
	}
	return true
}

// fill writes index and a table with so many blocks; ok is false when they are too few.
func (b *Builder) fill(s *Set, refs []ref, blocks, far uint64) (ok bool) {
	var body []byte
	s.body, body = reserve(int(blocks*blockSize + far)) // only what is written becomes resident
	w := writer{table: table{b: body, blocks: blocks}, end: blocks * blockSize}
	ok = b.eachKey(refs, func(group []ref, live []rule) bool {
		key := b.record(group[0]).key
		off, ok := w.place(group[0].hash, sizeOf(live, key))
		if !ok {
			return false
		}
		emit(body, off, live, key)
		s.index.put(group[0].hash)
		for _, r := range live {
			s.stats[r.list].count(key)
		}
		s.count.count(key)
		s.count.Rules += len(live)
		s.has.add(key)
		return true
	})
	if ok {
		s.trim(body, blocks, w.end)
	}
	return ok
}

// trim gives back what the table does not need.
func (s *Set) trim(body []byte, blocks, end uint64) {
	s.table = table{b: body[:end], blocks: blocks}
	if s.body != nil && s.body.Resize(int(end)) == nil {
		s.table.b = s.body.Bytes()
	}
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

// emit writes the record of a key at off.
func emit(body []byte, off uint64, rules []rule, key []byte) {
	for i, r := range rules {
		size := 0
		if i == len(rules)-1 {
			size = len(key)
		}
		off += uint64(r.put(body[off:], size))
	}
	off += uint64(copy(body[off:], key))
	for _, r := range rules {
		off += uint64(copy(body[off:], r.extra))
	}
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
		n += uint64(len(s.table.b))
	}
	return n
}
