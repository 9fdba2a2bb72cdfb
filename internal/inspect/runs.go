package inspect

import "weir/internal/decode"

// minRun is the shortest run of base64 or hexadecimal digits that becomes a layer: 30 or 20 octets, less than any executable
// or script needs and more than most words, hashes and identifiers have, which keeps ordinary pages cheap.
const minRun = 40

// textRuns finds base64 and hexadecimal runs in a layer and makes each a layer of its own.
type textRuns struct {
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
	r := &textRuns{opened: [2]runSink{{parent: parent, name: "base64"}, {parent: parent, name: "hex"}}}
	for i, kind := range [...]decode.RunKind{decode.Base64Run, decode.HexRun} {
		r.finders[i] = decode.NewTextRuns(kind, minRun, &r.opened[i])
	}
	return r
}

func (r *textRuns) write(p []byte) {
	for _, f := range r.finders {
		f.Write(p)
	}
}

func (r *textRuns) close() {
	for _, f := range r.finders {
		f.Close()
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
