package inflate

// Base values and extra bits of lengths and distances: RFC 1951 section 3.2.5.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	clenOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} // section 3.2.7
)

const endOfBlock = 256

// useFixed selects the fixed codes of section 3.2.6.
func (d *Decoder) useFixed() {
	if !d.fixed {
		l := d.lengths[:288]
		for i := range l {
			switch {
			case i < 144, i >= 280:
				l[i] = 8
			case i < 256:
				l[i] = 9
			default:
				l[i] = 7
			}
		}
		d.fixedLit.build(l, false)
		for i := range l[:32] {
			l[i] = 5
		}
		d.fixedDist.build(l[:32], false)
		d.fixed = true
	}
	d.lit, d.dist = &d.fixedLit, &d.fixedDist
}

func (d *Decoder) dynamicHeader() (bool, error) {
	if !d.need(14) {
		return false, nil
	}
	d.nlit, d.ndist, d.nclen = d.take(5)+257, d.take(5)+1, d.take(4)+4
	if d.nlit > 286 || d.ndist > 30 {
		return false, ErrCorrupt
	}
	clear(d.lengths[:19])
	d.nread = 0
	d.st = stCodeLengths
	return true, nil
}

func (d *Decoder) codeLengths() (bool, error) {
	for d.nread < d.nclen {
		if !d.need(3) {
			return false, nil
		}
		d.lengths[clenOrder[d.nread]] = uint8(d.take(3))
		d.nread++
	}
	if !d.dynDist.build(d.lengths[:19], false) { // dynDist is free until the lengths are read
		return false, ErrCorrupt
	}
	d.nread = 0
	d.st = stLengths
	return true, nil
}

// readLengths reads the run-length coded code lengths of both alphabets.
func (d *Decoder) readLengths() (bool, error) {
	total := d.nlit + d.ndist
	for d.nread < total {
		d.bits, d.nb, d.in = refill(d.bits, d.nb, d.in)
		sym, n := d.dynDist.decode(d.bits, d.nb)
		if n == 0 {
			return false, nil
		}
		if sym < 0 {
			return false, ErrCorrupt
		}
		if sym < 16 {
			d.take(n)
			d.lengths[d.nread] = uint8(sym)
			d.nread++
			continue
		}
		if ok, err := d.repeatLength(sym, n, total); !ok || err != nil {
			return false, err
		}
	}
	return true, d.buildDynamic()
}

// repeatLength handles the run symbols 16 to 18 of section 3.2.7; the symbol took n bits.
func (d *Decoder) repeatLength(sym int, n uint, total int) (bool, error) {
	run := [3]struct {
		extra uint
		base  int
	}{{2, 3}, {3, 3}, {7, 11}}[sym-16]
	if d.nb < n+run.extra {
		return false, nil
	}
	d.take(n)
	rep := run.base + d.take(run.extra)
	if d.nread+rep > total || sym == 16 && d.nread == 0 {
		return false, ErrCorrupt
	}
	v := uint8(0)
	if sym == 16 {
		v = d.lengths[d.nread-1]
	}
	for ; rep > 0; rep-- {
		d.lengths[d.nread] = v
		d.nread++
	}
	return true, nil
}

func (d *Decoder) buildDynamic() error {
	lit, dist := d.lengths[:d.nlit], d.lengths[d.nlit:d.nlit+d.ndist]
	if lit[endOfBlock] == 0 || !d.dynLit.build(lit, false) || !d.dynDist.build(dist, true) {
		return ErrCorrupt
	}
	d.lit, d.dist = &d.dynLit, &d.dynDist
	d.st = stCodes
	return nil
}

// codes decodes literals and matches until the block ends. A code is taken
// only when all its bits are there, so that a cut changes nothing.
func (d *Decoder) codes() (bool, error) {
	for {
		if d.nb < 48 { // 15+5+15+13: the longest literal/length, distance and extra bits
			d.bits, d.nb, d.in = refill(d.bits, d.nb, d.in)
		}
		sym, n := d.lit.decode(d.bits, d.nb)
		switch {
		case n == 0:
			return false, nil
		case sym < 0 || sym > 285:
			return false, ErrCorrupt
		case sym < endOfBlock:
			d.bits >>= n
			d.nb -= n
			if d.w == bufSize {
				if err := d.slide(); err != nil {
					return false, err
				}
			}
			d.buf[d.w] = byte(sym)
			d.w++
			d.total++
		case sym == endOfBlock:
			d.take(n)
			d.st = stBlock
			return true, nil
		default:
			if ok, err := d.lengthDistance(sym-257, n); !ok || err != nil {
				return false, err
			}
		}
	}
}

// lengthDistance completes a match whose length symbol took n bits.
func (d *Decoder) lengthDistance(sym int, n uint) (bool, error) {
	extra := uint(lengthExtra[sym])
	if d.nb < n+extra {
		return false, nil
	}
	length := int(lengthBase[sym]) + int(d.bits>>n&(1<<extra-1))
	n += extra
	ds, dn := d.dist.decode(d.bits>>n, d.nb-n)
	if dn == 0 {
		return false, nil
	}
	if ds < 0 || ds >= len(distBase) {
		return false, ErrCorrupt
	}
	n += dn
	extra = uint(distExtra[ds])
	if d.nb < n+extra {
		return false, nil
	}
	dist := int(distBase[ds]) + int(d.bits>>n&(1<<extra-1))
	d.bits >>= n + extra
	d.nb -= n + extra
	return true, d.match(dist, length)
}
