package detect

import (
	"fmt"

	"weir/internal/inspect"
	"weir/internal/verdict"
)

// httpSyntax turns the anomalies that the wire validator noted into findings.
type httpSyntax struct{}

var _ inspect.Header = httpSyntax{}

// Info implements [inspect.Detector].
func (httpSyntax) Info() inspect.Info {
	return inspect.Info{
		Name: "http-syntax",
		About: "A request that two readers may understand in two ways: Content-Length with Transfer-Encoding, bare LF, folded fields, bad chunks, " +
			"a second Host (RFC 9112 section 11).",
		Technique: "T1071.001",
		Severity:  inspect.High,
		Default:   verdict.Block,
		Safety:    verdict.SafetyFraming,
		False:     "Home-made clients of old devices.",
	}
}

// Head implements [inspect.Header]: one finding for each anomaly.
func (httpSyntax) Head(tx *inspect.Transaction, phase inspect.Phase, report inspect.Report) {
	if phase != inspect.Request {
		return
	}
	for _, a := range tx.Anomalies {
		report(inspect.Match{
			Severity:   inspect.High,
			Confidence: 100,
			Offset:     a.Offset,
			Detail:     fmt.Sprintf("%s at octet %d", a.Kind, a.Offset),
		})
	}
}
