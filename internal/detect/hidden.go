package detect

import (
	"strings"
	"sync"

	"weir/internal/detect/filetype"
	"weir/internal/detect/needle"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// executableHidden finds executables inside layers that were decoded from text.
type executableHidden struct {
	starts *needle.Set
	kinds  []filetype.Kind // what needle i of starts is
}

var _ inspect.Body = (*executableHidden)(nil)

func newExecutableHidden() *executableHidden {
	d := &executableHidden{}
	var needles [][]byte
	for _, s := range programStarts() {
		for shift := range 4 {
			needles = append(needles, shifted(s.octets, 2*shift))
			d.kinds = append(d.kinds, s.kind)
		}
	}
	d.starts = needle.MustNew(needles)
	return d
}

type programStart struct {
	kind   filetype.Kind
	octets []byte
}

// programStarts returns what stands at the begin of programs as linkers write them and nowhere else: the DOS header and stub of
// Windows programs (code that prints, then what it prints), and ELF headers of the systems that people have (System V gABI chapter 4).
func programStarts() []programStart {
	const show = "\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21"
	out := []programStart{
		{filetype.PE, []byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8\x00\x00\x00")}, // no more zeros: a needle that ends in some is slow
		{filetype.PE, []byte(show + "This program cannot be run in DOS mode.")},                             // Microsoft, GNU, LLVM, Go
		{filetype.PE, []byte(show + "\x90\x90This program must be run under Win32\r\n")},                    // Borland, Embarcadero
		{filetype.PE, []byte(show + "\x90\x90This program must be run under Win64\r\n")},
	}
	for _, machine := range []struct{ class, number byte }{
		{1, 3}, {1, 40}, {2, 62}, {2, 183}, {2, 243}, // x86, ARM, x86-64, ARM64, RISC-V 64
	} {
		for _, system := range []byte{0, 3} { // System V, Linux
			for _, kind := range []byte{2, 3} { // executable, shared
				head := make([]byte, 24)
				copy(head, "\x7fELF")
				head[4], head[5], head[6], head[7] = machine.class, 1, 1, system
				head[16], head[18], head[20] = kind, machine.number, 1
				out = append(out, programStart{filetype.ELF, head})
			}
		}
	}
	return out
}

// shifted returns octets as they decode when the text before them made the decoder begin bits too early: base64 that is glued
// to a word of 1, 2 or 3 characters more than a whole group is 2, 4 or 6 bits off, hex after an odd number of digits 4. The
// octets at both ends that share bits with neighbours are left out.
func shifted(octets []byte, bits int) []byte {
	if bits == 0 {
		return octets
	}
	out := make([]byte, len(octets)-1)
	for i := range out {
		out[i] = octets[i]<<bits | octets[i+1]>>(8-bits)
	}
	return out
}

// Info implements [inspect.Detector].
func (*executableHidden) Info() inspect.Info {
	return inspect.Info{
		Name: "executable-hidden",
		About: "A PE, ELF, Mach-O or DEX executable or a Windows shortcut, by its structure, in a layer decoded from base64 or hex text; " +
			"PE and ELF also where the text before them belongs to the same run.",
		Technique: "T1027.013",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False: "Mail and groupware APIs that carry attachments as base64 (Microsoft Graph, Gmail, SOAP), software deployment " +
			"and CI systems that move programs inside JSON.",
	}
}

// hiddenKinds are proved by structure: a DOS stub without a header behind it is none, and compound files are Office documents.
const hiddenKinds = (filetype.Native | 1<<filetype.Shortcut) &^ (1 << filetype.DOS)

// Stream implements [inspect.Body]. What was unpacked inside of text is judged by its begin only: archives may hold programs.
func (d *executableHidden) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	if !fromText(layer) {
		return nil
	}
	if _, step := cutLast(layer.Path); step != "base64" && step != "hex" {
		return openSniff(hiddenKinds, "", inspect.High, report)
	}
	s, _ := embeddeds.Get().(*embedded)
	s.detector, s.told, s.held = d, false, false
	s.report, s.severity = report, inspect.High
	s.sniffer.Reset(hiddenKinds)
	s.starts.Reset(d.starts)
	return s
}

// embeddeds keeps streams between layers; a cache, not state.
var embeddeds = sync.Pool{New: func() any { return new(embedded) }}

// embedded reports the kind of a layer, or else the first program that begins inside of it. It has no report after Close.
type embedded struct {
	sniff
	detector *executableHidden
	starts   needle.Finder
	hit      needle.Hit
	held     bool // hit waits until the sniffer knows what the layer as a whole is
	told     bool
}

var _ inspect.Stream = (*embedded)(nil)

// Write implements [inspect.Stream].
func (s *embedded) Write(p []byte) {
	if s.report == nil || s.told {
		return
	}
	s.told = s.tell(s.sniffer.Write(p))
	if hit, ok := s.starts.Write(p); ok {
		s.hit, s.held = hit, true
	}
	if s.sniffer.Done() {
		s.tellHit()
	}
}

// Close implements [inspect.Stream].
func (s *embedded) Close() {
	if s.report == nil {
		return
	}
	s.told = s.told || s.tell(s.sniffer.End())
	s.tellHit()
	s.report, s.detector = nil, nil
	embeddeds.Put(s)
}

func (s *embedded) tellHit() {
	if s.told || !s.held {
		return
	}
	s.told = true
	s.report(inspect.Match{
		Severity: s.severity, Confidence: 90, Offset: s.hit.Offset,
		Detail: s.detector.kinds[s.hit.Needle].String() + " hidden inside of text",
	})
}

// scriptHidden finds scripts inside layers that were decoded from text.
type scriptHidden struct{}

var _ inspect.Body = scriptHidden{}

// Info implements [inspect.Detector].
func (scriptHidden) Info() inspect.Info {
	return inspect.Info{
		Name: "script-hidden",
		About: "A script in a layer decoded from base64 or hex text: #! with a known interpreter, a batch file, PowerShell (UTF-16 too), Windows " +
			"script, HTML application or scriptlet.",
		Technique: "T1027.010",
		Severity:  inspect.Medium,
		Default:   verdict.Log,
		False:     "Cloud-init user data, CI jobs, source code fetched through an API (GitHub contents), mail attachments.",
	}
}

// Stream implements [inspect.Body].
func (scriptHidden) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	if !fromText(layer) {
		return nil
	}
	return openSniff(filetype.Scripts, "", inspect.Medium, report)
}

// fromText says whether a layer was decoded from base64 or hex text, at any depth of other codings around it.
func fromText(layer inspect.Layer) bool {
	return layer.Depth > 0 && (strings.Contains(layer.Path, "base64") || strings.Contains(layer.Path, "hex"))
}
