// Package decode undoes content codings (RFC 9110 section 8.4.1) and finds
// base64 and hexadecimal runs in text, for inspection beside a stream that is
// forwarded unchanged.
//
// Everything is pushed: after Write returned, every byte that the input so far
// determines was given to the sink, in order, on the caller's goroutine. What
// is delivered, where a limit cuts and which error is reported do not depend
// on how the input was cut into Writes.
package decode

import (
	"errors"
	"fmt"
	"strings"
)

// Limits bounds what hostile input can cost. A zero field takes its default;
// there is no way to switch a limit off.
type Limits struct {
	MaxOutput int64 // decoded bytes of each layer; default 64 MiB
	MaxRatio  int   // decoded to encoded bytes, of each layer and of the whole chain; default 200
	MaxDepth  int   // number of codings, identity not counted; default 4
	RatioFree int64 // decoded bytes up to which no ratio is computed; default 64 KiB
}

// Defaults of Limits.
const (
	DefaultMaxOutput = 64 << 20 // holds the decoded form of all but rare downloads
	DefaultMaxRatio  = 200      // real pages stay under 100; DEFLATE itself ends at 1032
	DefaultMaxDepth  = 4        // nobody lists more than two in earnest
	DefaultRatioFree = 64 << 10 // small repetitive bodies compress very well
)

// memoryBudget bounds the windows of one chain together, in bytes: two codings with large windows, which is more than anybody
// serves in earnest. The windows are taken as the largest that the coding may declare, for a peer may declare what he likes.
const memoryBudget = 24 << 20

// piece is the grid on which input is fed and ratios are computed, counted
// from the start of the stream. It makes the place where the ratio limit cuts
// independent of the sizes of the Writes.
const piece = 1 << 10

func (l Limits) withDefaults() Limits {
	if l.MaxOutput <= 0 {
		l.MaxOutput = DefaultMaxOutput
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = DefaultMaxRatio
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = DefaultMaxDepth
	}
	if l.RatioFree <= 0 {
		l.RatioFree = DefaultRatioFree
	}
	return l
}

// decoder is one coding without limits. feed decodes p into out at once;
// io.EOF never escapes it. close is called once at the end of the input.
type decoder interface {
	feed(p []byte, out func([]byte) error) error
	close(out func([]byte) error) error
	release()
}

// Chain undoes a list of codings. It is not safe for concurrent use.
type Chain struct {
	limits  Limits
	layers  []*layer
	sink    func([]byte) error
	in, out int64
	err     error
	closed  bool
}

// layer is one decoder with its limits; its output goes to the next layer.
type layer struct {
	dec     decoder
	coding  string
	index   int
	chain   *Chain
	in, out int64
	emitFn  func([]byte) error
}

// NewChain makes a chain for codings in the order of Content-Encoding: the
// last one listed is undone first. identity is skipped; an empty list passes
// everything through. Errors: ErrUnknownCoding (the Error names the coding),
// ErrDepthLimit for more codings than MaxDepth or windows of more than 24 MiB
// together (br 16 MiB, zstd 8 MiB, gzip and deflate 0.1 MiB). Windows are
// allocated when the stream asks for them, no sooner. Release must be called
// when the chain is no longer needed.
// The slice given to sink is valid only during the call; an error from sink
// stops the chain and is returned by Write as it is.
func NewChain(codings []string, lim Limits, sink func([]byte) error) (*Chain, error) {
	c := &Chain{limits: lim.withDefaults(), sink: sink}
	memory := 0
	for i := len(codings) - 1; i >= 0; i-- {
		name := strings.ToLower(codings[i])
		if name == "identity" {
			continue
		}
		n := len(c.layers)
		dec, window := newDecoder(name)
		if dec == nil {
			return nil, &Error{Kind: ErrUnknownCoding, Coding: codings[i], Layer: n}
		}
		if memory += window; n == c.limits.MaxDepth || memory > memoryBudget {
			return nil, &Error{Kind: ErrDepthLimit, Coding: codings[i], Layer: n}
		}
		l := &layer{dec: dec, coding: name, index: n, chain: c}
		l.emitFn = l.emit
		c.layers = append(c.layers, l)
	}
	return c, nil
}

// newDecoder returns a decoder that holds nothing yet, and the most that its window may need, in bytes; nil for an unknown name.
func newDecoder(name string) (d decoder, window int) {
	switch name {
	case "gzip", "x-gzip":
		return newGzip(), inflateMemory
	case "deflate":
		return newDeflate(), inflateMemory
	case "br":
		return &brotliDecoder{}, brotliWindow
	case "zstd":
		return newZstd(), zstdWindow
	}
	return nil, 0
}

// Write decodes p and gives the result to the sink before it returns. Errors
// are sticky; what was decoded before an error has been delivered. Bytes
// behind the end of the coded data are no error here: see Close.
func (c *Chain) Write(p []byte) error {
	for len(p) > 0 && c.err == nil {
		n := min(piece-int(c.in%piece), len(p))
		c.in += int64(n)
		c.err = unwrapSink(c.push(0, p[:n]))
		p = p[n:]
	}
	return c.err
}

// Close ends the input. It reports ErrTruncated, ErrCorrupt or, if nothing
// worse happened, ErrTrailing. An empty body is whole in every coding, as it is
// for browsers. Close does not release: call Release too.
func (c *Chain) Close() error {
	if c.closed || c.err != nil && !errors.Is(c.err, ErrTrailing) {
		return c.err
	}
	c.closed = true
	for _, l := range c.layers {
		if l.in == 0 {
			continue
		}
		if err := unwrapSink(l.fail(l.dec.close(l.emitFn))); err != nil {
			if !errors.Is(err, ErrTrailing) {
				c.err = err
				return err
			}
			c.err = err
		}
	}
	return c.err
}

// Release stops the decoders and gives their memory back. It may be called at
// any time and more than once, but not from within the sink.
func (c *Chain) Release() {
	for _, l := range c.layers {
		l.dec.release()
	}
	c.layers = nil
	if c.err == nil {
		c.err = &Error{Kind: ErrReleased, Layer: -1}
	}
}

// Decoded is the number of bytes given to the sink.
func (c *Chain) Decoded() int64 { return c.out }

// push gives p to layer i, or to the sink behind the last layer.
func (c *Chain) push(i int, p []byte) error {
	if i == len(c.layers) {
		if len(c.layers) == 0 {
			c.out += int64(len(p))
			if err := c.sink(p); err != nil {
				return &sinkError{err}
			}
			return nil
		}
		return c.deliver(p)
	}
	l := c.layers[i]
	for len(p) > 0 {
		n := min(piece-int(l.in%piece), len(p))
		l.in += int64(n)
		if err := l.fail(l.dec.feed(p[:n], l.emitFn)); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// deliver gives the output of the last layer to the sink, up to the ratio of
// the chain as a whole.
func (c *Chain) deliver(p []byte) error {
	n := allowed(c.limits, c.in, c.out, len(p), false)
	c.out += int64(n)
	if n > 0 {
		if err := c.sink(p[:n]); err != nil {
			return &sinkError{err}
		}
	}
	if n < len(p) {
		return &Error{Kind: ErrRatioLimit, Layer: -1}
	}
	return nil
}

// allowed is how many of n more bytes the ratio limit (and the output limit, if
// size is set) let pass.
func allowed(lim Limits, in, out int64, n int, size bool) int {
	grid := (in + piece - 1) / piece * piece
	room := max(int64(lim.MaxRatio)*grid, lim.RatioFree) - out
	if size {
		room = min(room, lim.MaxOutput-out)
	}
	return int(min(max(room, 0), int64(n)))
}

// emit takes the output of a layer's decoder.
func (l *layer) emit(p []byte) error {
	n := allowed(l.chain.limits, l.in, l.out, len(p), true)
	l.out += int64(n)
	if n > 0 {
		if err := l.chain.push(l.index+1, p[:n]); err != nil {
			return err
		}
	}
	if n == len(p) {
		return nil
	}
	kind := ErrRatioLimit
	if l.out >= l.chain.limits.MaxOutput {
		kind = ErrOutputLimit
	}
	return &Error{Kind: kind, Coding: l.coding, Layer: l.index}
}

// sinkError carries the sink's error through decoders that wrap errors.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

func unwrapSink(err error) error {
	if s, ok := err.(*sinkError); ok {
		return s.err
	}
	return err
}

// fail turns a decoder's error into one that says where it arose.
func (l *layer) fail(err error) error {
	if err == nil {
		return nil
	}
	if s := (*sinkError)(nil); errors.As(err, &s) {
		return s
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	for _, kind := range []error{ErrTruncated, ErrTrailing, ErrReleased} {
		if errors.Is(err, kind) {
			return &Error{Kind: kind, Coding: l.coding, Layer: l.index}
		}
	}
	return &Error{Kind: ErrCorrupt, Coding: l.coding, Layer: l.index, Cause: err}
}

// ParseContentEncoding reads the values of all Content-Encoding fields of a
// message, in order, and returns the codings in lower case, in the order in
// which they were applied; x-gzip becomes gzip. An element that is no token is
// an error, for no two parties would read it alike. Unknown codings are not.
func ParseContentEncoding(values []string) ([]string, error) {
	var out []string
	for _, v := range values {
		for elem := range strings.SplitSeq(v, ",") {
			elem = strings.ToLower(strings.Trim(elem, " \t"))
			if elem == "" {
				continue // RFC 9110 section 5.6.1.2: empty elements are ignored
			}
			if strings.ContainsFunc(elem, notToken) {
				return nil, fmt.Errorf("parse Content-Encoding %q: not a token", v)
			}
			if elem == "x-gzip" {
				elem = "gzip"
			}
			out = append(out, elem)
		}
	}
	return out, nil
}

// notToken reports what RFC 9110 section 5.6.2 does not allow in a token.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}
