// Package detect holds the detectors: what they find, how bad it is, what happens by default. They find and never decide. All of
// them are listed by [All], in the order in which documents and metrics show them; docs/detectors.md is generated from that
// list. Layer L3.
package detect

import "weir/internal/inspect"

// All returns every detector of the program, new and immutable, in a fixed order.
func All() []inspect.Detector {
	return []inspect.Detector{
		newEICAR(),
		executableType{},
		executableMislabelled{},
		newExecutableHidden(),
		scriptHidden{},
		tunnelProtocol{},
		identityMismatch{},
		sniUnusual{},
		misdirectedRequest{},
		httpSyntax{},
	}
}
