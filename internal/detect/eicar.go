package detect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"weir/internal/detect/needle"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// eicar finds the EICAR test string (eicar.org, "Anti-Malware Testfile") anywhere in a layer, as it is and in the encodings that
// a decoder which cuts runs out of text may miss: base64 that begins inside a longer run, escapes, other character widths.
type eicar struct {
	set   *needle.Set
	forms []string // what needle i of set is
}

var _ inspect.Body = (*eicar)(nil)

func newEICAR() *eicar {
	d := &eicar{}
	var needles [][]byte
	for _, f := range eicarForms(eicarString()) {
		if !slices.ContainsFunc(needles, func(n []byte) bool { return bytes.Equal(n, f.octets) }) {
			needles = append(needles, f.octets)
			d.forms = append(d.forms, f.name)
		}
	}
	d.set = needle.MustNew(needles)
	return d
}

// eicarString weaves the 68 octets of the test string. They stand neither in this source nor in the program, so that no scanner
// takes weir itself for the test file.
func eicarString() []byte {
	const (
		even = `XOP@P4PX4P)C)}ECRSADR-NIIU-ETFL!HH`
		odd  = `5!%A[\Z5(^7C7$IA-TNADATVRSTS-IE$+*`
	)
	out := make([]byte, 0, len(even)+len(odd))
	for i := range len(even) {
		out = append(out, even[i])
		if i < len(odd) {
			out = append(out, odd[i])
		}
	}
	return out
}

type eicarForm struct {
	name   string
	octets []byte
}

// eicarForms returns the needles; some are equal.
func eicarForms(plain []byte) []eicarForm {
	text := string(plain)
	reversed := slices.Clone(plain)
	slices.Reverse(reversed)
	little, big := utf16Octets(text)
	escaped := strings.ReplaceAll(text, `\`, `\\`)
	percent := url.QueryEscape(text)
	// encodeURIComponent of ECMAScript leaves these marks as they are.
	component := strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(percent)
	out := []eicarForm{
		{"as it is", plain},
		{"in reverse", reversed},
		{"in UTF-16LE", little},
		{"in UTF-16BE", big},
		{"in hex", []byte(hex.EncodeToString(plain))},
		{"in hex", bytes.ToUpper([]byte(hex.EncodeToString(plain)))},
		{"with escaped backslash", []byte(escaped)},
		{"percent-encoded", []byte(percent)},
		{"percent-encoded", []byte(component)},
	}
	out = append(out, base64Forms("in base64", plain)...)
	return append(out, base64Forms("in base64 of UTF-16LE", little)...)
}

// base64Forms returns what stands in base64 text for octets that begin at each of the three alignments: the characters that no
// neighbour touches, in both alphabets, and with the escapes that JSON and URLs put on '/' and '+'.
func base64Forms(name string, octets []byte) []eicarForm {
	var out []eicarForm
	for pad := range 3 {
		padded := append(make([]byte, pad), octets...)
		first, last := (8*pad+5)/6, 8*len(padded)/6
		std := base64.RawStdEncoding.EncodeToString(padded)[first:last]
		for _, form := range []string{
			std,
			base64.RawURLEncoding.EncodeToString(padded)[first:last],
			strings.ReplaceAll(std, "/", `\/`),
			strings.NewReplacer("+", "%2B", "/", "%2F").Replace(std),
		} {
			out = append(out, eicarForm{name, []byte(form)})
		}
	}
	return out
}

func utf16Octets(text string) (little, big []byte) {
	for _, u := range utf16.Encode([]rune(text)) {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	return little, big
}

// Info implements [inspect.Detector].
func (*eicar) Info() inspect.Info {
	return inspect.Info{
		Name:      "eicar",
		About:     "The EICAR anti-malware test string, anywhere in a body or message or in any layer decoded from it.",
		Technique: "T1105",
		Severity:  inspect.Critical,
		Default:   verdict.Block,
		False:     "Pages and sources that quote the string in full, such as the documentation of malware scanners.",
	}
}

// Stream implements [inspect.Body].
func (d *eicar) Stream(_ *inspect.Transaction, _ inspect.Layer, report inspect.Report) inspect.Stream {
	s, _ := eicarStreams.Get().(*eicarStream)
	s.detector, s.report = d, report
	s.finder.Reset(d.set)
	return s
}

// eicarStreams keeps streams between layers, of which a body may have thousands; a cache, not state.
var eicarStreams = sync.Pool{New: func() any { return new(eicarStream) }}

// eicarStream has no report after Close.
type eicarStream struct {
	detector *eicar
	finder   needle.Finder
	report   inspect.Report
}

var _ inspect.Stream = (*eicarStream)(nil)

// Write implements [inspect.Stream]: the first find of a layer is reported, no further one.
func (s *eicarStream) Write(p []byte) {
	if s.report == nil {
		return
	}
	hit, ok := s.finder.Write(p)
	if !ok {
		return
	}
	s.report(inspect.Match{
		Severity:   inspect.Critical,
		Confidence: 100,
		Offset:     hit.Offset,
		Detail:     "EICAR test string " + s.detector.forms[hit.Needle],
	})
}

// Close implements [inspect.Stream].
func (s *eicarStream) Close() {
	if s.report == nil {
		return
	}
	s.detector, s.report = nil, nil
	eicarStreams.Put(s)
}
