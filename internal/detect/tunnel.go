package detect

import (
	"fmt"
	"slices"

	"weir/internal/inspect"
	"weir/internal/verdict"
)

// tunnelProtocol finds CONNECT tunnels that carry neither TLS nor HTTP.
type tunnelProtocol struct{}

var _ inspect.Header = tunnelProtocol{}

// Info implements [inspect.Detector].
func (tunnelProtocol) Info() inspect.Info {
	return inspect.Info{
		Name:      "tunnel-protocol",
		About:     "A CONNECT tunnel whose first bytes are neither TLS nor HTTP, or in which the client says nothing; names the protocol where it knows it.",
		Technique: "T1572",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False:     "Deliberate use of CONNECT for SSH or mail; clients that open connections in advance and say nothing until they need them.",
	}
}

// Head implements [inspect.Header]: phase Open, once the first bytes are known or did not come.
func (tunnelProtocol) Head(tx *inspect.Transaction, phase inspect.Phase, report inspect.Report) {
	if phase != inspect.Open || !inConnect(tx) {
		return
	}
	switch tx.First {
	case inspect.FirstTLS, inspect.FirstHTTP, inspect.FirstHTTP2:
	case inspect.FirstNone:
		report(inspect.Match{
			Severity: inspect.Medium, Confidence: 60,
			Detail: "the client says nothing, as in protocols whose server speaks first (SMTP, FTP, POP3, IMAP, MySQL)" + oddPort(tx),
		})
	default:
		name := protocolOf(tx.FirstPeek)
		confidence := uint8(90)
		if name == "" {
			name, confidence = fmt.Sprintf("unknown protocol, first bytes %x", tx.FirstPeek[:min(len(tx.FirstPeek), 16)]), 80
		}
		report(inspect.Match{Severity: inspect.High, Confidence: confidence, Detail: name + oddPort(tx)})
	}
}

func inConnect(tx *inspect.Transaction) bool {
	return tx.Protocol == inspect.Tunnel || tx.Protocol == inspect.HTTP && tx.Flow != nil && !tx.Flow.Authorized.IsZero()
}

// oddPort says when the port is none that web servers use (T1571, non-standard port); 0 is unknown.
func oddPort(tx *inspect.Transaction) string {
	port := tx.Target.Port
	if port == 0 && tx.Flow != nil {
		port = tx.Flow.Authorized.Port
	}
	if slices.Contains([]uint16{0, 80, 443, 8000, 8008, 8080, 8443, 8888}, port) {
		return ""
	}
	return fmt.Sprintf("; port %d is no web port (T1571)", port)
}
