package decode

import (
	"errors"
	"io"
	"iter"
	"sync"

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

// brotliDecoder is RFC 7932. Its window can be 16 MiB and is allocated only as
// far as the stream uses it; large-window streams are refused.
type brotliDecoder struct {
	pull
	trailing bool
}

var _ decoder = (*brotliDecoder)(nil)

// brotliExcess is how the library reports bytes behind the end; it exports no value for it.
const brotliExcess = "brotli: excessive input"

func newBrotli() *brotliDecoder {
	d := &brotliDecoder{}
	d.start = func(src io.Reader, out func([]byte) error) error {
		r := brotli.NewReader(src)
		buf := make([]byte, 16<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				if serr := out(buf[:n]); serr != nil {
					return serr
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return d
}

func (d *brotliDecoder) feed(p []byte, out func([]byte) error) error {
	if d.trailing {
		return nil
	}
	err := d.pull.feed(p, out)
	if err != nil && err.Error() == brotliExcess {
		d.trailing = true
		return nil
	}
	return err
}

func (d *brotliDecoder) close(out func([]byte) error) error {
	if d.trailing {
		return ErrTrailing
	}
	err := d.finish(out)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// zstdWindow is the largest window a decoder of web content has to support
// and browsers accept (RFC 8878 section 3.1.1.1.2, RFC 9659).
const zstdWindow = 8 << 20

var zstdReaders sync.Pool // of *zstd.Decoder without goroutines; a cache, not state

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
		r, ok := zstdReaders.Get().(*zstd.Decoder)
		if !ok {
			var err error
			// One decoder, no goroutines; decoded size is limited by the layer.
			r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return err
			}
		}
		err := r.Reset(src)
		if err == nil {
			_, err = r.WriteTo(writerFunc(out))
		}
		if r.Reset(nil) == nil {
			zstdReaders.Put(r)
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
