package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"sync"

	"weir/internal/decode/inflate"
)

var (
	errHeader   = errors.New("bad header")
	errChecksum = errors.New("checksum or length differs")
)

// inflateMemory is what one decoder of DEFLATE needs, in bytes, rounded up.
const inflateMemory = 100 << 10

// inflaters keeps decoders of 75 KiB between bodies; a cache, not state.
var inflaters = sync.Pool{New: func() any { return new(inflate.Decoder) }}

func getInflater() *inflate.Decoder {
	d, _ := inflaters.Get().(*inflate.Decoder)
	d.Reset(false)
	return d
}

// putInflater gives *inf back, if there is one.
func putInflater(inf **inflate.Decoder) {
	if *inf != nil {
		inflaters.Put(*inf)
		*inf = nil
	}
}

// inflateSome decodes p with *inf, which is there only between the first byte of a DEFLATE stream and its end.
func inflateSome(inf **inflate.Decoder, p []byte, out func([]byte) error) (n int, end bool, err error) {
	if *inf == nil {
		*inf = getInflater()
	}
	n, err = (*inf).Feed(p, out)
	if err == io.EOF {
		putInflater(inf)
		return n, true, nil
	}
	return n, false, err
}

// Steps of a gzip member (RFC 1952 section 2.3). The names are those of its fields.
type gzipStep uint8

const (
	gzMagic gzipStep = iota // 10 fixed bytes
	gzExtraLen
	gzExtra
	gzName
	gzComment
	gzHeaderCRC
	gzBody
	gzTrailer
	gzIgnore // behind the last member
)

const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
)

// gzipDecoder decodes any number of members. What follows a member and does
// not begin with the magic bytes is trailing data. Reserved flags are ignored:
// RFC 1952 section 2.3.1.2 asks to refuse them, but some clients do not.
type gzipDecoder struct {
	inf     *inflate.Decoder // nil outside bodies
	step    gzipStep
	flags   byte
	members int
	hdr     [10]byte
	nhdr    int
	skip    int
	crc     hash.Hash32
	size    uint32
	out     func([]byte) error
	tee     func([]byte) error
}

var _ decoder = (*gzipDecoder)(nil)

func newGzip() *gzipDecoder {
	g := &gzipDecoder{crc: crc32.NewIEEE()}
	g.tee = func(p []byte) error {
		_, _ = g.crc.Write(p) // hashes do not fail
		g.size += uint32(len(p))
		return g.out(p)
	}
	return g
}

func (g *gzipDecoder) release() { putInflater(&g.inf) }

func (g *gzipDecoder) close(func([]byte) error) error {
	switch {
	case g.step == gzIgnore:
		return ErrTrailing
	case g.step == gzMagic && g.members > 0 && g.nhdr == 0:
		return nil
	case g.step == gzMagic && g.members > 0 && g.nhdr == 1:
		return ErrTrailing
	}
	return ErrTruncated
}

func (g *gzipDecoder) feed(p []byte, out func([]byte) error) error {
	g.out = out
	for len(p) > 0 {
		n, err := g.advance(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// advance handles at least one byte of p, or changes the step.
func (g *gzipDecoder) advance(p []byte) (int, error) {
	switch g.step {
	case gzMagic:
		return g.magic(p)
	case gzExtraLen:
		if _, ok := g.collect(p, 2); ok {
			g.skip = int(binary.LittleEndian.Uint16(g.hdr[:]))
			g.step = gzExtra
		}
		return 1, nil
	case gzExtra:
		return g.extra(p), nil
	case gzName, gzComment:
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			return len(p), nil
		}
		g.next(g.step)
		return i + 1, nil
	case gzHeaderCRC:
		n, ok := g.collect(p, 2)
		if ok {
			g.step = gzBody
		}
		return n, nil
	case gzBody:
		n, end, err := inflateSome(&g.inf, p, g.tee)
		if end {
			g.step = gzTrailer
		}
		return n, err
	case gzTrailer:
		return g.trailer(p)
	default:
		return len(p), nil
	}
}

// extra skips the extra field.
func (g *gzipDecoder) extra(p []byte) int {
	n := min(g.skip, len(p))
	if g.skip -= n; g.skip == 0 {
		g.next(gzExtra)
	}
	return n
}

// collect gathers one byte of p into hdr; ok when want bytes are there.
func (g *gzipDecoder) collect(p []byte, want int) (n int, ok bool) {
	g.hdr[g.nhdr] = p[0]
	g.nhdr++
	if g.nhdr < want {
		return 1, false
	}
	g.nhdr = 0
	return 1, true
}

// magic reads the fixed header and refuses it at the first wrong byte.
func (g *gzipDecoder) magic(p []byte) (int, error) {
	n, ok := g.collect(p, 10)
	seen := g.nhdr
	if ok {
		seen = 10
	}
	if seen <= 2 && g.hdr[seen-1] != [2]byte{0x1f, 0x8b}[seen-1] {
		if g.members > 0 {
			g.step = gzIgnore
			return n, nil
		}
		return n, errHeader
	}
	if seen == 3 && g.hdr[2] != 8 {
		return n, errHeader
	}
	if ok {
		g.flags = g.hdr[3]
		g.next(gzMagic)
	}
	return n, nil
}

// next selects the step behind a header field.
func (g *gzipDecoder) next(done gzipStep) {
	switch {
	case done < gzExtraLen && g.flags&flagExtra != 0:
		g.step = gzExtraLen
	case done < gzName && g.flags&flagName != 0:
		g.step = gzName
	case done < gzComment && g.flags&flagComment != 0:
		g.step = gzComment
	case g.flags&flagHeaderCRC != 0:
		g.step = gzHeaderCRC
	default:
		g.step = gzBody
	}
}

func (g *gzipDecoder) trailer(p []byte) (int, error) {
	n, ok := g.collect(p, 8)
	if !ok {
		return n, nil
	}
	if binary.LittleEndian.Uint32(g.hdr[:4]) != g.crc.Sum32() || binary.LittleEndian.Uint32(g.hdr[4:8]) != g.size {
		return n, errChecksum
	}
	g.members++
	g.step, g.size = gzMagic, 0
	g.crc.Reset()
	return n, nil
}

// maxReplay bounds what is kept to try again as raw DEFLATE: longer than any
// dynamic block header (about 330 bytes).
const maxReplay = 1 << 10

// deflateDecoder decodes the coding "deflate": zlib (RFC 1950), or the raw
// stream that some servers send. As browsers and curl do, it takes zlib first
// and starts over with raw when that fails before any output.
type deflateDecoder struct {
	inf    *inflate.Decoder // nil before and behind the body
	raw    bool
	hdr    [4]byte
	nhdr   int
	inBody bool
	inTail bool
	done   bool
	extra  bool   // bytes came behind the end
	replay []byte // input so far, while starting over is possible
	sum    hash.Hash32
	out    func([]byte) error
	tee    func([]byte) error
}

var _ decoder = (*deflateDecoder)(nil)

func newDeflate() *deflateDecoder {
	d := &deflateDecoder{sum: adler32.New(), replay: make([]byte, 0, 64)}
	d.tee = func(p []byte) error {
		d.replay = nil
		if !d.raw {
			_, _ = d.sum.Write(p)
		}
		return d.out(p)
	}
	return d
}

func (d *deflateDecoder) release() { putInflater(&d.inf) }

func (d *deflateDecoder) close(out func([]byte) error) error {
	switch {
	case d.extra:
		return ErrTrailing
	case d.done:
		return nil
	case !d.raw && d.replay != nil && !d.inBody: // one byte: too short for zlib
		if err := d.restart(out); err != nil {
			return err
		}
		if d.done {
			return nil
		}
	}
	return ErrTruncated
}

func (d *deflateDecoder) feed(p []byte, out func([]byte) error) error {
	d.out = out
	for i := range p { // byte by byte while the form is open, so that cuts do not matter
		if d.raw || d.replay == nil {
			return d.body(p[i:])
		}
		d.replay = append(d.replay, p[i])
		err := d.zlib(p[i : i+1])
		if err != nil && d.replay != nil {
			err = d.restart(out)
		}
		if err != nil {
			return err
		}
		if len(d.replay) >= maxReplay {
			d.replay = nil
		}
	}
	return nil
}

// restart decodes again from the start, as raw DEFLATE.
func (d *deflateDecoder) restart(out func([]byte) error) error {
	p := d.replay
	d.raw, d.replay, d.inTail, d.done, d.extra, d.out = true, nil, false, false, false, out
	d.release()
	return d.body(p)
}

// zlib reads the header, then the body.
func (d *deflateDecoder) zlib(p []byte) error {
	if d.inBody {
		return d.body(p)
	}
	d.hdr[d.nhdr] = p[0]
	d.nhdr++
	if d.nhdr < 2 {
		return nil
	}
	d.nhdr = 0
	cmf, flg := d.hdr[0], d.hdr[1]
	if cmf&15 != 8 || cmf>>4 > 7 || (int(cmf)<<8|int(flg))%31 != 0 || flg&0x20 != 0 {
		return errHeader
	}
	d.inBody = true
	return nil
}

func (d *deflateDecoder) body(p []byte) error {
	if !d.inTail && !d.done {
		n, end, err := inflateSome(&d.inf, p, d.tee)
		if err != nil {
			return err
		}
		if end {
			d.done, d.inTail = d.raw, !d.raw
		}
		p = p[n:]
	}
	for len(p) > 0 && d.inTail && !d.done {
		d.hdr[d.nhdr] = p[0]
		d.nhdr++
		p = p[1:]
		if d.nhdr == 4 {
			if binary.BigEndian.Uint32(d.hdr[:]) != d.sum.Sum32() {
				return errChecksum
			}
			d.done = true
		}
	}
	d.extra = d.extra || len(p) > 0
	return nil
}
