package inflate

const (
	maxCodeLen = 15 // RFC 1951 section 3.2.7
	fastBits   = 9  // codes up to this length take one table look-up; measured: larger tables cost more to build than they save
)

// huffman is a canonical prefix code (RFC 1951 section 3.2.2): a table for
// short codes, counts and sorted symbols for the rest.
type huffman struct {
	fast   [1 << fastBits]uint16 // symbol<<4 | length; 0 = not a short code
	count  [maxCodeLen + 1]uint16
	symbol [288]uint16
}

// build makes the code from the code lengths. It refuses what zlib refuses:
// over-subscribed sets, and incomplete sets other than a single code of one
// bit (or no code at all, when empty is true: a block without distances).
func (h *huffman) build(lengths []uint8, empty bool) bool {
	h.count = [maxCodeLen + 1]uint16{}
	for _, l := range lengths {
		h.count[l]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	left, longest := 1, 0
	for l := 1; l <= maxCodeLen; l++ {
		left = left<<1 - int(h.count[l])
		if left < 0 {
			return false
		}
		if h.count[l] != 0 {
			longest = l
		}
	}
	if used == 0 && !empty || left > 0 && longest > 1 {
		return false
	}
	h.fill(lengths)
	return true
}

// fill assigns the codes in canonical order.
func (h *huffman) fill(lengths []uint8) {
	h.fast = [1 << fastBits]uint16{}
	var offset, next [maxCodeLen + 2]uint16
	code := uint16(0)
	for l := 1; l <= maxCodeLen; l++ {
		offset[l+1] = offset[l] + h.count[l]
		code = (code + h.count[l-1]) << 1
		next[l] = code
	}
	for sym, l := range lengths {
		if l == 0 {
			continue
		}
		h.symbol[offset[l]] = uint16(sym)
		offset[l]++
		c := next[l]
		next[l]++
		if l > fastBits {
			continue
		}
		rev := reverse16(c) >> (16 - l)
		for i := int(rev); i < 1<<fastBits; i += 1 << l {
			h.fast[i] = uint16(sym)<<4 | uint16(l)
		}
	}
}

// decode reads one symbol from the low end of bits, of which nb are valid.
// n is the length of its code; n == 0 means that more bits are needed;
// sym < 0 means that no code begins like that.
func (h *huffman) decode(bits uint64, nb uint) (sym int, n uint) {
	if e := h.fast[bits&(1<<fastBits-1)]; e != 0 {
		if l := uint(e & 15); l <= nb {
			return int(e >> 4), l
		}
		return 0, 0
	}
	return h.decodeSlow(bits, nb)
}

func (h *huffman) decodeSlow(bits uint64, nb uint) (sym int, n uint) {
	code, first, index := 0, 0, 0
	for l := uint(1); l <= maxCodeLen; l++ {
		if l > nb {
			return 0, 0
		}
		code |= int(bits & 1)
		bits >>= 1
		count := int(h.count[l])
		if code-count < first {
			return int(h.symbol[index+code-first]), l
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return -1, maxCodeLen
}

func reverse16(v uint16) uint16 {
	v = v>>8 | v<<8
	v = v&0xf0f0>>4 | v&0x0f0f<<4
	v = v&0xcccc>>2 | v&0x3333<<2
	return v&0xaaaa>>1 | v&0x5555<<1
}
