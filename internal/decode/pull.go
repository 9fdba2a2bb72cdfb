package decode

import (
	"io"
	"iter"
	"sync"
	"weak"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// pull turns a decoder that reads into one that is fed: the decoder runs in a
// coroutine that is resumed by feed and suspends where it asks for more input.
// Its steps happen only while feed, close or release run.
type pull struct {
	start func(src io.Reader, out func([]byte) error) error
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	in    []byte
	eof   bool
	quit  bool
	out   func([]byte) error
	err   error // result of start
	ended bool
}

var _ io.Reader = (*pull)(nil)

// Read gives the decoder its input.
func (p *pull) Read(b []byte) (int, error) {
	for len(p.in) == 0 {
		if p.quit {
			return 0, ErrReleased
		}
		if p.eof {
			return 0, io.EOF
		}
		if !p.yield(struct{}{}) {
			p.quit = true
		}
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

// resume runs the decoder until it has used up the input.
func (p *pull) resume(out func([]byte) error) error {
	if p.ended {
		return p.err
	}
	p.out = out
	if p.next == nil {
		p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
			p.yield = yield
			p.err = p.start(p, func(b []byte) error { return p.out(b) })
			p.ended = true
		})
	}
	p.next()
	p.out = nil
	if p.ended {
		return p.err
	}
	return nil
}

func (p *pull) feed(b []byte, out func([]byte) error) error {
	p.in = b
	return p.resume(out)
}

func (p *pull) finish(out func([]byte) error) error {
	p.eof = true
	return p.resume(out)
}

func (p *pull) release() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	p.ended, p.err = true, ErrReleased
}

// brotliWindow is the largest window of RFC 7932 section 9.1, in bytes; large-window streams are refused.
const brotliWindow = 16 << 20

// brotliDecoder is RFC 7932. The library allocates the window as far as the
// blocks of the stream declare to use it, and the decoder is dropped where the
// stream ends. What is delivered before corrupt data, and whether a byte behind
// the end is noticed, is up to the library and may depend on how the input was
// cut.
type brotliDecoder struct {
	r        *brotli.Reader // nil before the first byte and behind the end
	src      starved
	ended    bool
	trailing bool
}

var _ decoder = (*brotliDecoder)(nil)

// brotliExcess is how the library reports bytes behind the end; it exports no value for it.
const brotliExcess = "brotli: excessive input"

// starved gives the bytes there are and then io.EOF, until there are more. The
// brotli library passes an EOF on, as io.ErrUnexpectedEOF when the stream is
// not at its end, and then reads on as if nothing had happened; so it is fed
// without a coroutine.
type starved struct{ p []byte }

var _ io.Reader = (*starved)(nil)

// Read implements [io.Reader].
func (s *starved) Read(b []byte) (int, error) {
	if len(s.p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.p)
	s.p = s.p[n:]
	return n, nil
}

// brotliOut is how many decoded bytes are taken at once.
const brotliOut = 16 << 10

var brotliBuffers = sync.Pool{New: func() any { return new([brotliOut]byte) }}

func (d *brotliDecoder) feed(p []byte, out func([]byte) error) error {
	if d.ended {
		d.trailing = d.trailing || len(p) > 0
		return nil
	}
	d.src.p = p
	if d.r == nil {
		d.r = brotli.NewReader(&d.src)
	}
	buf, _ := brotliBuffers.Get().(*[brotliOut]byte)
	defer brotliBuffers.Put(buf)
	for {
		n, err := d.r.Read(buf[:])
		if n > 0 {
			if serr := out(buf[:n]); serr != nil {
				return serr
			}
		}
		switch {
		case err == nil:
		case err == io.ErrUnexpectedEOF: // the input is used up
			return nil
		case err == io.EOF:
			d.end(false)
			return nil
		case err.Error() == brotliExcess:
			d.end(true)
			return nil
		default:
			return err
		}
	}
}

func (d *brotliDecoder) end(trailing bool) {
	d.ended, d.trailing = true, trailing
	d.release()
}

func (d *brotliDecoder) close(func([]byte) error) error {
	switch {
	case d.trailing:
		return ErrTrailing
	case !d.ended:
		return ErrTruncated
	}
	return nil
}

func (d *brotliDecoder) release() { d.r = nil }

// zstdWindow is the largest window a decoder of web content has to support
// and browsers accept (RFC 8878 section 3.1.1.1.2, RFC 9659).
const zstdWindow = 8 << 20

// zstdReaders keeps decoders without goroutines, with their windows; a cache, not state. Its pointers are weak: the next
// collection takes what has been released, but until then streams that declare much and hold little do not make us allocate
// and clear a window for each.
var zstdReaders sync.Pool // of *weak.Pointer[zstd.Decoder]

func getZstd() (*zstd.Decoder, error) {
	if w, ok := zstdReaders.Get().(*weak.Pointer[zstd.Decoder]); ok {
		if r := w.Value(); r != nil {
			return r, nil
		}
	}
	// One decoder, no goroutines; decoded size is limited by the layer.
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
}

// zstdDecoder is RFC 8878 without dictionaries. Frames are walked first: see
// zstdFrames.
type zstdDecoder struct {
	pull
	frames zstdFrames
}

var _ decoder = (*zstdDecoder)(nil)

func newZstd() *zstdDecoder {
	d := &zstdDecoder{}
	d.start = func(src io.Reader, out func([]byte) error) error {
		r, err := getZstd()
		if err != nil {
			return err
		}
		err = r.Reset(src)
		if err == nil {
			_, err = r.WriteTo(writerFunc(out))
		}
		if r.Reset(nil) == nil {
			w := weak.Make(r)
			zstdReaders.Put(&w)
		}
		return err
	}
	return d
}

type writerFunc func([]byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (d *zstdDecoder) feed(p []byte, out func([]byte) error) error {
	return d.frames.walk(p, func(b []byte) error { return d.pull.feed(b, out) })
}

func (d *zstdDecoder) close(out func([]byte) error) error {
	if d.frames.trailing() {
		return ErrTrailing
	}
	if !d.frames.complete() {
		return ErrTruncated
	}
	if d.next == nil {
		return nil // skippable frames only
	}
	return d.finish(out)
}
