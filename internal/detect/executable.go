package detect

import (
	"strings"
	"sync"

	"weir/internal/detect/filetype"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// executableType finds executables and scripts served or sent under a media type that is none.
type executableType struct{}

var _ inspect.Body = executableType{}

// Info implements [inspect.Detector].
func (executableType) Info() inspect.Info {
	return inspect.Info{
		Name: "executable-type",
		About: "An executable, a Windows shortcut or installer, or a script in a body declared as a type that is never run: image, audio, video, " +
			"font, CSS, HTML, JSON, XML, JavaScript (for programs), PDF. Programs also where the body is gzip or zstd data in itself.",
		Technique: "T1036.008",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False: "Install scripts that a web site serves as text/html; programs offered for download by servers that do not know their type " +
			"and say text/html.",
	}
}

// Stream implements [inspect.Body]: bodies as they came (depth 0) of types that are never run, and what they unpack to.
func (executableType) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	declared, kinds := layer.Declared, filetype.Kinds(0)
	switch {
	case layer.Depth == 0:
		kinds = suspects(declared)
	case packed(layer):
		declared = layer.Root
		kinds = suspects(declared) & programs
	}
	return openSniff(kinds, declared, inspect.High, report)
}

// programs are the kinds that have a structure, but for compound files, most of which are documents.
const programs = filetype.Native | 1<<filetype.Shortcut | 1<<filetype.MSI

// packed says whether a layer lies in nothing but gzip and zstd data that were known by their magic number: each step of its
// path that is no content coding is one of them.
func packed(layer inspect.Layer) bool {
	path, step := layer.Path, ""
	for range layer.Depth {
		if path, step = cutLast(path); step != "gzip" && step != "zstd" {
			return false
		}
	}
	return layer.Depth > 0
}

// cutLast cuts the last step off a decoding path.
func cutLast(path string) (outer, step string) {
	const arrow = " > "
	if i := strings.LastIndex(path, arrow); i >= 0 {
		return path[:i], path[i+len(arrow):]
	}
	return "", path
}

// executableMislabelled finds programs under types that are no lie about pictures and pages, but are not theirs either.
type executableMislabelled struct{}

var _ inspect.Body = executableMislabelled{}

// Info implements [inspect.Detector].
func (executableMislabelled) Info() inspect.Info {
	return inspect.Info{
		Name: "executable-mislabelled",
		About: "An executable, a Windows shortcut or installer, by its structure, in a body declared as a type under which programs are not served and " +
			"which executable-type does not know: plain text, Markdown, archives, documents, messages, models, forms.",
		Technique: "T1036.008",
		Severity:  inspect.Medium,
		Default:   verdict.Log,
		False: "Servers that do not know the type of a download and say text/plain, or that name a self-extracting archive after what is in it; " +
			"home-made types of software update services.",
	}
}

// Stream implements [inspect.Body]: bodies as they came.
func (executableMislabelled) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	if layer.Depth != 0 || suspects(layer.Declared) != 0 || mayBeProgram(layer.Declared) {
		return nil
	}
	return openSniff(programs, layer.Declared, inspect.Medium, report)
}

// sniff reports the kind of a layer once. It has no report after Close.
type sniff struct {
	sniffer  filetype.Sniffer
	report   inspect.Report
	severity inspect.Severity
	declared string // "" for layers decoded from text
}

var _ inspect.Stream = (*sniff)(nil)

// sniffs keeps streams between layers, of which a body may have thousands; a cache, not state.
var sniffs = sync.Pool{New: func() any { return new(sniff) }}

// openSniff returns nil where there is nothing to look for.
func openSniff(kinds filetype.Kinds, declared string, severity inspect.Severity, report inspect.Report) inspect.Stream {
	if kinds == 0 {
		return nil
	}
	s, _ := sniffs.Get().(*sniff)
	s.sniffer.Reset(kinds)
	s.report, s.severity, s.declared = report, severity, declared
	return s
}

// Write implements [inspect.Stream].
func (s *sniff) Write(p []byte) {
	if s.report != nil {
		s.tell(s.sniffer.Write(p))
	}
}

// Close implements [inspect.Stream].
func (s *sniff) Close() {
	if s.report == nil {
		return
	}
	s.tell(s.sniffer.End())
	s.report, s.declared = nil, ""
	sniffs.Put(s)
}

// tell reports k and says whether it is something.
func (s *sniff) tell(k filetype.Kind) bool {
	if k == filetype.None {
		return false
	}
	detail := k.String() + " hidden in text"
	if s.declared != "" {
		detail = k.String() + " declared as " + short(s.declared)
	}
	s.report(inspect.Match{Severity: s.severity, Confidence: certainty(k), Detail: detail})
	return true
}

// certainty in percent: structure proves, words suggest.
func certainty(k filetype.Kind) uint8 {
	switch k {
	case filetype.PowerShell, filetype.WindowsScript:
		return 80
	case filetype.DOS, filetype.Shebang, filetype.Batch, filetype.HTA, filetype.Scriptlet:
		return 95
	}
	return 100
}

// short bounds what a peer said for a Detail: findings are for people.
func short(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
