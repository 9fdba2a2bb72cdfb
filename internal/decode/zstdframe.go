package decode

import (
	"encoding/binary"
	"errors"
)

var (
	errZstdMagic = errors.New("bad magic number")
	errZstdDict  = errors.New("frame needs a dictionary")
	errZstdBlock = errors.New("reserved bit or block type")
)

const (
	zstdMagic     = 0xfd2fb528 // RFC 8878 section 3.1.1
	zstdSkipMagic = 0x184d2a50 // section 3.1.2, low four bits free
)

type zstdStep uint8

const (
	zsMagic zstdStep = iota
	zsSkipLen
	zsSkip
	zsDescriptor
	zsHeader
	zsBlockHeader
	zsBlock
	zsChecksum
	zsIgnore
)

// zstdFrames walks the frames and hands them on without content checksums and
// skippable frames. The library delivers a last block only after the checksum
// behind it; a server that withholds those four bytes would show the client a
// block that we have not seen. Checksums are therefore not verified: damaged
// data is inspected as it decodes. Dictionaries are refused (their content is
// unknown to us); dictionary 0 means none.
type zstdFrames struct {
	step     zstdStep
	hdr      [18]byte
	nhdr     int
	want     int
	left     int64
	frames   int
	checksum bool
	last     bool
}

// complete reports that the input may end here.
func (z *zstdFrames) complete() bool { return z.step == zsMagic && z.nhdr == 0 }

// trailing reports bytes behind the last frame that begin no other frame.
func (z *zstdFrames) trailing() bool {
	return z.step == zsIgnore || z.step == zsMagic && z.nhdr > 0 && z.frames > 0
}

// walk hands the bytes of p that belong to data frames to emit.
func (z *zstdFrames) walk(p []byte, emit func([]byte) error) error {
	for len(p) > 0 {
		n, err := 0, error(nil)
		switch z.step {
		case zsSkip, zsBlock:
			n = int(min(z.left, int64(len(p))))
			if z.step == zsBlock {
				err = emit(p[:n])
			}
			if z.left -= int64(n); z.left == 0 {
				z.endBlock()
			}
		case zsIgnore:
			n = len(p)
		default:
			n = 1
			z.hdr[z.nhdr] = p[0]
			z.nhdr++
			err = z.field(emit)
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// field looks at the header field collected so far and ends it when it is whole.
func (z *zstdFrames) field(emit func([]byte) error) error {
	sizes := [...]int{zsMagic: 4, zsSkipLen: 4, zsDescriptor: 1, zsHeader: z.want, zsBlockHeader: 3, zsChecksum: 4}
	if z.nhdr < sizes[z.step] {
		return nil
	}
	h := z.hdr[:z.nhdr]
	z.nhdr = 0
	switch z.step {
	case zsMagic:
		return z.magic(binary.LittleEndian.Uint32(h))
	case zsSkipLen:
		z.left = int64(binary.LittleEndian.Uint32(h))
		z.last = true
		z.checksum = false
		z.step = zsSkip
		if z.left == 0 {
			z.endBlock()
		}
	case zsDescriptor:
		return z.descriptor(h[0], emit)
	case zsHeader:
		return z.header(h, emit)
	case zsBlockHeader:
		return z.blockHeader(h, emit)
	case zsChecksum:
		z.endFrame()
	}
	return nil
}

func (z *zstdFrames) magic(m uint32) error {
	switch {
	case m == zstdMagic:
		z.step = zsDescriptor
	case m&^15 == zstdSkipMagic:
		z.step = zsSkipLen
	case z.frames > 0:
		z.step = zsIgnore
	default:
		return errZstdMagic
	}
	return nil
}

// descriptor computes how long the frame header is (section 3.1.1.1.1).
func (z *zstdFrames) descriptor(fhd byte, emit func([]byte) error) error {
	if fhd&8 != 0 {
		return errZstdBlock
	}
	single := fhd&0x20 != 0
	z.checksum = fhd&4 != 0
	z.want = [...]int{0, 2, 4, 8}[fhd>>6]
	if single && z.want == 0 {
		z.want = 1
	}
	if !single {
		z.want++
	}
	dict := [...]int{0, 1, 2, 4}[fhd&3]
	z.want += dict
	z.hdr[17] = fhd
	z.step = zsHeader
	var head [5]byte
	binary.LittleEndian.PutUint32(head[:], zstdMagic)
	head[4] = fhd &^ 4
	if err := emit(head[:]); err != nil {
		return err
	}
	if z.want == 0 {
		z.step = zsBlockHeader
	}
	return nil
}

func (z *zstdFrames) header(h []byte, emit func([]byte) error) error {
	fhd := z.hdr[17]
	at := 0
	if fhd&0x20 == 0 {
		at = 1
	}
	for _, b := range h[at : at+[...]int{0, 1, 2, 4}[fhd&3]] {
		if b != 0 {
			return errZstdDict
		}
	}
	z.step = zsBlockHeader
	return emit(h)
}

// blockHeader is section 3.1.1.2.
func (z *zstdFrames) blockHeader(h []byte, emit func([]byte) error) error {
	v := uint32(h[0]) | uint32(h[1])<<8 | uint32(h[2])<<16
	z.last = v&1 != 0
	z.left = int64(v >> 3)
	switch v >> 1 & 3 {
	case 1: // RLE: one byte, repeated
		z.left = 1
	case 3:
		return errZstdBlock
	}
	z.step = zsBlock
	if z.left == 0 {
		z.endBlock()
	}
	return emit(h)
}

func (z *zstdFrames) endBlock() {
	switch {
	case !z.last:
		z.step = zsBlockHeader
	case z.checksum:
		z.step = zsChecksum
	default:
		z.endFrame()
	}
}

func (z *zstdFrames) endFrame() {
	z.frames++
	z.step = zsMagic
}
