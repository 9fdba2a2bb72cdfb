package inspect

import (
	"bytes"
	"errors"

	"weir/internal/decode"
)

// layer feeds one stage of decoding to the detectors and opens the layers hidden in it: compressed data known by its magic, and
// runs of base64 and hexadecimal digits. The nil layer swallows everything.
type layer struct {
	scan    *Scan
	info    Layer
	streams []Stream
	nest    bool   // look for layers below
	undone  string // coding of the whole layer that is undone elsewhere
	begin   []byte
	sniffed bool
	inner   *decode.Chain // compressed data that this layer is
	child   *layer        // what inner decodes to
	runs    *textRuns
}

// sniffLen is how many octets decide what a compressed layer is: the longest magic below.
const sniffLen = 4

// compressed lists the magics of compressed data (RFC 1952 section 2.3.1, RFC 8878 section 3.1.1).
var compressed = []struct{ magic, coding string }{
	{"\x1f\x8b\x08", "gzip"},
	{"\x28\xb5\x2f\xfd", "zstd"},
}

func (s *Scan) layer(info Layer, nest bool) *layer {
	l := &layer{scan: s, info: info, nest: nest}
	for i, d := range s.engine.detectors {
		b, ok := d.(Body)
		if !ok || s.off != nil && s.off(uint16(i+1)) {
			continue
		}
		if st := b.Stream(s.tx, info, s.tx.reporter(uint16(i+1), info.Phase, info.Path)); st != nil {
			l.streams = append(l.streams, st)
		}
	}
	if nest && info.Depth < s.limits.MaxDepth {
		l.runs = newTextRuns(l)
	}
	return l
}

// below returns the description of a layer found inside l.
func (l *layer) below(step string) Layer {
	return Layer{Phase: l.info.Phase, Depth: l.info.Depth + 1, Path: join(l.info.Path, step), Root: l.info.Root}
}

func (l *layer) write(p []byte) {
	if l == nil || len(p) == 0 || !l.count(len(p)) {
		return
	}
	for _, st := range l.streams {
		st.Write(p)
	}
	if !l.nest {
		return
	}
	l.sniff(p)
	if l.inner != nil {
		l.innerDone(l.inner.Write(p))
	}
	if l.runs != nil {
		l.runs.write(p)
	}
}

// count books octets against the caps; false means that the scan stopped.
func (l *layer) count(n int) bool {
	s := l.scan
	switch {
	case s.stopped:
		return false
	case l == s.raw:
		return true
	case l.info.Depth == 0:
		s.size += int64(n)
	default:
		s.nested += int64(n)
	}
	if s.size > s.limits.MaxBody || s.nested > s.limits.MaxBody {
		s.note(LimitSize)
		s.stopped = true
		return false
	}
	return true
}

// sniff looks at the first octets of the layer; when they are a magic, those before p are given to the decoder at once.
func (l *layer) sniff(p []byte) {
	if l.sniffed {
		return
	}
	old := len(l.begin)
	l.begin = append(l.begin, p[:min(len(p), sniffLen-old)]...)
	for _, c := range compressed {
		if bytes.HasPrefix(l.begin, []byte(c.magic)) {
			l.sniffed = true
			if l.undone == c.coding || l.undone == "x-"+c.coding {
				return
			}
			l.openInner(c.coding, l.begin[:old])
			return
		}
	}
	l.sniffed = len(l.begin) == sniffLen
}

func (l *layer) openInner(coding string, before []byte) {
	if l.info.Depth >= l.scan.limits.MaxDepth {
		l.scan.note(LimitDepth)
		return
	}
	l.child = l.scan.layer(l.below(coding), true)
	chain, err := decode.NewChain([]string{coding}, l.scan.decodeLimits(), func(p []byte) error {
		l.child.write(p)
		return nil
	})
	if err != nil {
		l.scan.note(outcomeOf(err))
		return
	}
	l.inner = chain
	l.innerDone(chain.Write(before))
}

// innerDone ends the nested decoder on an error. Data that only looked compressed is no failure of the body; a cap is noted.
func (l *layer) innerDone(err error) {
	if err == nil || l.inner == nil {
		return
	}
	switch o := outcomeOf(err); o {
	case Failed:
	case LimitRatio: // whoever gets an archive unpacks it knowingly: that is a matter of size
		l.scan.note(LimitSize)
	default:
		l.scan.note(o)
	}
	l.inner.Release()
	l.inner = nil
	l.child.close()
}

// close ends the layer and those below it.
func (l *layer) close() {
	if l == nil {
		return
	}
	if l.inner != nil {
		err := l.inner.Close()
		if err != nil && !errors.Is(err, decode.ErrTruncated) && !errors.Is(err, decode.ErrTrailing) {
			l.innerDone(err)
		} else {
			l.child.close()
		}
	}
	if l.runs != nil {
		l.runs.close()
	}
	for _, st := range l.streams {
		st.Close()
	}
	l.streams = nil
}

// release frees decoders without looking further.
func (l *layer) release() {
	if l == nil {
		return
	}
	if l.inner != nil {
		l.inner.Release()
		l.inner = nil
	}
	l.child.release()
	if l.runs != nil {
		l.runs.release()
	}
}
