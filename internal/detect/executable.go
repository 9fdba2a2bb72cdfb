package detect

import (
	"strings"

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
			"font, CSS, HTML, JSON, XML, JavaScript (for programs), PDF.",
		Technique: "T1036.008",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False: "Install scripts that a web site serves as text/html; programs offered for download by servers that do not know their type " +
			"and say text/html.",
	}
}

// Stream implements [inspect.Body]: bodies as they came (depth 0), of types that are never run.
func (executableType) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	if layer.Depth != 0 {
		return nil
	}
	kinds := suspects(layer.Declared)
	if kinds == 0 {
		return nil
	}
	return &sniff{sniffer: filetype.NewSniffer(kinds), report: report, severity: inspect.High, declared: layer.Declared}
}

// executableHidden finds executables inside layers that were decoded from text.
type executableHidden struct{}

var _ inspect.Body = executableHidden{}

// Info implements [inspect.Detector].
func (executableHidden) Info() inspect.Info {
	return inspect.Info{
		Name:      "executable-hidden",
		About:     "A PE, ELF, Mach-O or DEX executable or a Windows shortcut, by its structure, in a layer decoded from base64 or hex text.",
		Technique: "T1027.013",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False: "Mail and groupware APIs that carry attachments as base64 (Microsoft Graph, Gmail, SOAP), software deployment " +
			"and CI systems that move programs inside JSON.",
	}
}

// hiddenKinds are proved by structure: a DOS stub without a header behind it is none, and compound files are Office documents.
const hiddenKinds = (filetype.Native | 1<<filetype.Shortcut) &^ (1 << filetype.DOS)

// Stream implements [inspect.Body].
func (executableHidden) Stream(_ *inspect.Transaction, layer inspect.Layer, report inspect.Report) inspect.Stream {
	return hidden(layer, report, hiddenKinds, inspect.High)
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
	return hidden(layer, report, filetype.Scripts, inspect.Medium)
}

// hidden opens a stream on a layer that was decoded from base64 or hex text, at any depth of other codings around it.
func hidden(layer inspect.Layer, report inspect.Report, kinds filetype.Kinds, severity inspect.Severity) inspect.Stream {
	if layer.Depth < 1 || !strings.Contains(layer.Path, "base64") && !strings.Contains(layer.Path, "hex") {
		return nil
	}
	return &sniff{sniffer: filetype.NewSniffer(kinds), report: report, severity: severity}
}

// sniff reports the kind of a layer once.
type sniff struct {
	sniffer  filetype.Sniffer
	report   inspect.Report
	severity inspect.Severity
	declared string // "" for layers decoded from text
}

var _ inspect.Stream = (*sniff)(nil)

// Write implements [inspect.Stream].
func (s *sniff) Write(p []byte) { s.tell(s.sniffer.Write(p)) }

// Close implements [inspect.Stream].
func (s *sniff) Close() { s.tell(s.sniffer.End()) }

func (s *sniff) tell(k filetype.Kind) {
	if k == filetype.None {
		return
	}
	detail := k.String() + " hidden in text"
	if s.declared != "" {
		detail = k.String() + " declared as " + short(s.declared)
	}
	s.report(inspect.Match{Severity: s.severity, Confidence: certainty(k), Detail: detail})
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
