// Package inflate is a push-style DEFLATE decoder (RFC 1951).
//
// The decoders of the standard library pull their input and hold decoded bytes
// back until 32 KiB are ready or the block ends. A filter must not: a server
// could send all of a page but the last code, the client would already show
// what the filter has not yet seen. This decoder delivers every byte that the
// input fed so far determines, and its result does not depend on how the input
// was cut.
package inflate

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrCorrupt reports input that is not DEFLATE.
var ErrCorrupt = errors.New("inflate: corrupt data")

const (
	windowSize = 1 << 15        // RFC 1951 section 2
	bufSize    = 2 * windowSize // window plus room, so that sliding costs one copy per 32 KiB
)

type state uint8

const (
	stBlock state = iota
	stStoredLen
	stStored
	stDynamic
	stCodeLengths
	stLengths
	stCodes
	stEnd
)

// Decoder decodes one DEFLATE stream. It needs about 75 KiB and starts no
// goroutine. The zero Decoder is ready; it is not safe for concurrent use.
type Decoder struct {
	bits uint64
	nb   uint
	in   []byte // what is left of the slice being fed; nil between calls

	st    state
	final bool
	fixed bool // fixed tables were built
	err   error

	stored                    int // bytes left of a stored block
	nlit, ndist, nclen, nread int // dynamic header
	lengths                   [320]uint8

	lit, dist           *huffman // of the current block
	dynLit, dynDist     huffman
	fixedLit, fixedDist huffman

	sink       func([]byte) error
	w, flushed int
	total      int64 // bytes produced: distances may not reach before the start
	buf        [bufSize]byte
}

// Reset prepares the decoder for a new stream. keepWindow keeps the last
// 32 KiB as history, as context takeover asks (RFC 7692 section 7.2.2).
func (d *Decoder) Reset(keepWindow bool) {
	d.bits, d.nb, d.in, d.st, d.final, d.err = 0, 0, nil, stBlock, false, nil
	if !keepWindow {
		d.w, d.flushed, d.total = 0, 0, 0
	}
}

// Feed decodes p and hands the output to sink before it returns. n is how many
// bytes of p belong to the stream. err is nil when more input is needed, io.EOF
// behind the final block, ErrCorrupt, or the error of sink; it is sticky. The
// slice given to sink is valid only during the call.
func (d *Decoder) Feed(p []byte, sink func([]byte) error) (n int, err error) {
	if d.err != nil {
		return 0, d.err
	}
	d.in, d.sink = p, sink
	err = d.run()
	if ferr := d.flush(); ferr != nil {
		err = ferr
	}
	n = len(p) - len(d.in)
	if err == io.EOF {
		n -= int(d.nb >> 3) // whole bytes behind the end; all of them came with p
	}
	d.bits &= 1<<d.nb - 1
	d.in, d.sink, d.err = nil, nil, err
	return n, err
}

// Aligned reports that the decoder stands at the start of a block with at most
// padding bits unread: between two messages of permessage-deflate.
func (d *Decoder) Aligned() bool { return d.err == nil && d.st == stBlock && d.nb < 8 }

// run steps the state machine until the input is used up (nil) or the stream ends.
func (d *Decoder) run() error {
	for {
		var ok bool
		var err error
		switch d.st {
		case stBlock:
			ok, err = d.blockHeader()
		case stStoredLen:
			ok, err = d.storedLen()
		case stStored:
			ok, err = d.copyStored()
		case stDynamic:
			ok, err = d.dynamicHeader()
		case stCodeLengths:
			ok, err = d.codeLengths()
		case stLengths:
			ok, err = d.readLengths()
		case stCodes:
			ok, err = d.codes()
		case stEnd:
			return io.EOF
		}
		if err != nil || !ok {
			return err
		}
	}
}

// need makes n <= 32 bits available; false: the input is used up.
func (d *Decoder) need(n uint) bool {
	for d.nb < n {
		if len(d.in) == 0 {
			return false
		}
		d.bits &= 1<<d.nb - 1
		d.bits |= uint64(d.in[0]) << d.nb
		d.nb += 8
		d.in = d.in[1:]
	}
	return true
}

// take consumes n bits that need has made available.
func (d *Decoder) take(n uint) int {
	v := d.bits & (1<<n - 1)
	d.bits >>= n
	d.nb -= n
	return int(v)
}

func (d *Decoder) blockHeader() (bool, error) {
	if d.final {
		d.st = stEnd
		return true, nil
	}
	if !d.need(3) {
		return false, nil
	}
	d.final = d.take(1) == 1
	switch d.take(2) {
	case 0:
		d.st = stStoredLen
		d.take(d.nb & 7)
	case 1:
		d.useFixed()
		d.st = stCodes
	case 2:
		d.st = stDynamic
	default:
		return false, ErrCorrupt
	}
	return true, nil
}

func (d *Decoder) storedLen() (bool, error) {
	if !d.need(32) {
		return false, nil
	}
	n, inv := d.take(16), d.take(16)
	if n != inv^0xffff {
		return false, ErrCorrupt
	}
	d.stored, d.st = n, stStored
	return true, nil
}

func (d *Decoder) copyStored() (bool, error) {
	for d.stored > 0 {
		if d.w == bufSize {
			if err := d.slide(); err != nil {
				return false, err
			}
		}
		if d.nb >= 8 {
			d.buf[d.w] = byte(d.take(8))
			d.w++
			d.stored--
			d.total++
			continue
		}
		if len(d.in) == 0 {
			return false, nil
		}
		n := copy(d.buf[d.w:], d.in[:min(d.stored, len(d.in))])
		d.bits, d.nb = 0, 0
		d.in = d.in[n:]
		d.w += n
		d.stored -= n
		d.total += int64(n)
	}
	d.st = stBlock
	return true, nil
}

// flush delivers what was decoded and not yet delivered.
func (d *Decoder) flush() error {
	if d.flushed == d.w {
		return nil
	}
	p := d.buf[d.flushed:d.w]
	d.flushed = d.w
	return d.sink(p)
}

// slide delivers the full buffer and keeps its last window.
func (d *Decoder) slide() error {
	err := d.flush()
	copy(d.buf[:windowSize], d.buf[bufSize-windowSize:])
	d.w, d.flushed = windowSize, windowSize
	return err
}

// match copies length bytes from dist bytes back.
func (d *Decoder) match(dist, length int) error {
	if dist > windowSize || int64(dist) > d.total {
		return ErrCorrupt
	}
	d.total += int64(length)
	for length > 0 {
		if d.w == bufSize {
			if err := d.slide(); err != nil {
				return err
			}
		}
		n := copy(d.buf[d.w:min(d.w+length, bufSize)], d.buf[d.w-dist:d.w])
		d.w += n
		length -= n
	}
	return nil
}

// refill tops up the bit buffer to at least 56 bits where the input has them.
func refill(bits uint64, nb uint, in []byte) (uint64, uint, []byte) {
	if len(in) >= 8 {
		bits |= binary.LittleEndian.Uint64(in) << nb
		in = in[(63-nb)>>3:]
		return bits, nb | 56, in
	}
	bits &= 1<<nb - 1
	for nb <= 55 && len(in) > 0 {
		bits |= uint64(in[0]) << nb
		nb += 8
		in = in[1:]
	}
	return bits, nb, in
}
