package inspect

import "weir/internal/decode"

// minRun is the shortest run of base64 or hexadecimal digits that becomes a layer: 30 or 20 octets, less than any executable
// or script needs and more than most words, hashes and identifiers have, which keeps ordinary pages cheap.
const minRun = 40

// shortLayer is how many octets of a nested layer are kept back from the finders: most nested layers are shorter, hold no run, and
// need no finders at all.
const shortLayer = 512

// textRuns finds base64 and hexadecimal runs in a layer and makes each a layer of its own.
type textRuns struct {
	parent  *layer
	begin   []byte // of a nested layer, until it is long or holds a run
	finders [2]*decode.TextRuns
	opened  [2]runSink
}

// runSink takes the runs of one kind.
type runSink struct {
	parent *layer
	name   string
	child  *layer
}

var _ decode.RunSink = (*runSink)(nil)

func newTextRuns(parent *layer) *textRuns {
	return &textRuns{parent: parent}
}

func (r *textRuns) write(p []byte) {
	if r.finders[0] == nil {
		if r.parent.info.Depth > 0 && len(r.begin)+len(p) <= shortLayer {
			r.begin = append(r.begin, p...)
			if !decode.HasRun(decode.Base64Run, minRun, r.begin) && !decode.HasRun(decode.HexRun, minRun, r.begin) {
				return
			}
			p = nil
		}
		r.open()
	}
	for _, f := range r.finders {
		f.Write(p)
	}
}

// open makes the finders and gives them what was kept back.
func (r *textRuns) open() {
	r.opened = [2]runSink{{parent: r.parent, name: "base64"}, {parent: r.parent, name: "hex"}}
	for i, kind := range [...]decode.RunKind{decode.Base64Run, decode.HexRun} {
		r.finders[i] = decode.NewTextRuns(kind, minRun, &r.opened[i])
		r.finders[i].Write(r.begin)
	}
	r.begin = nil
}

func (r *textRuns) close() {
	for _, f := range r.finders {
		if f != nil {
			f.Close()
		}
	}
}

func (r *textRuns) release() {
	for i := range r.opened {
		r.opened[i].child.release()
	}
}

// BeginRun opens the layer of a run.
func (s *runSink) BeginRun(decode.RunKind, int64) {
	s.child = s.parent.scan.layer(s.parent.below(s.name), true)
}

// RunData hands decoded octets to the layer.
func (s *runSink) RunData(p []byte) { s.child.write(p) }

// EndRun ends the layer.
func (s *runSink) EndRun() {
	s.child.close()
	s.child.release()
	s.child = nil
}
