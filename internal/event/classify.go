package event

import (
	"net/netip"

	"weir/internal/verdict"
)

// String returns event.action.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return "invalid"
}

var kinds = [...]string{"http-request", "connect", "websocket", "dns-query", "finding", "connection-cut", "system"}

// blocked says whether e is about something stopped.
func blocked(e *Event) bool { return e.Verdict == verdict.Block.String() }

// wouldBlock says whether e is about something that enforce mode would have stopped.
func wouldBlock(e *Event) bool { return e.Would == verdict.Block.String() }

// urgent events are those that a full queue must not lose to plain traffic.
func urgent(e *Event) bool {
	return blocked(e) || wouldBlock(e) || e.Kind == KindFinding || e.Kind == KindCut || e.Kind == KindSystem
}

// kind returns event.kind: an alert wherever something was detected, also in observe mode.
func kind(e *Event) string {
	if e.Kind != KindSystem && urgent(e) {
		return "alert"
	}
	return "event"
}

// category appends event.category to out.
func category(e *Event, out []string) []string {
	alert := kind(e) == "alert"
	switch {
	case e.Kind == KindSystem:
		return append(out, "configuration")
	case e.Kind == KindHTTP && alert:
		return append(out, "web", "network", "intrusion_detection")
	case e.Kind == KindHTTP:
		return append(out, "web", "network")
	case alert:
		return append(out, "network", "intrusion_detection")
	}
	return append(out, "network")
}

// types appends event.type to out: what happened in general, then what was decided. Without a verdict nothing is claimed.
func types(e *Event, out []string) []string {
	switch e.Kind {
	case KindHTTP:
		out = append(out, "access", "protocol")
	case KindConnect:
		out = append(out, "connection")
	case KindWebSocket:
		out = append(out, "connection", "protocol")
	case KindDNS:
		out = append(out, "protocol")
	case KindCut:
		out = append(out, "connection", "end")
	case KindSystem:
		return append(out, "info")
	}
	switch {
	case blocked(e):
		return append(out, "denied")
	case e.Verdict == verdict.Log.String() || e.Kind == KindFinding:
		return append(out, "info")
	case e.Verdict == verdict.Allow.String():
		return append(out, "allowed")
	}
	return out
}

// outcome returns event.outcome, seen from the client: did it get what it asked for.
func outcome(e *Event) string {
	switch {
	case blocked(e) || e.Error != "":
		return "failure"
	case e.Verdict != "" || e.Kind == KindSystem:
		return "success"
	}
	return "unknown"
}

// The scores of the severities: those of Elastic's detection rules, so that ours sort among theirs.
const (
	scoreLow      = 21
	scoreMedium   = 47
	scoreHigh     = 73
	scoreCritical = 99
)

// score returns event.severity and event.risk_score, 0 to 100. Severity is that of the worst finding; the risk is it times the
// confidence. Without findings, a block is as severe as the class of the name.
func score(e *Event) (severity, risk int64) {
	for i := range e.Findings {
		f := &e.Findings[i]
		s := severityScore(f.Severity)
		r := s
		if 0 < f.Confidence && f.Confidence < 100 {
			r = s * int64(f.Confidence) / 100
		}
		severity, risk = max(severity, s), max(risk, r)
	}
	if severity == 0 && (blocked(e) || wouldBlock(e)) {
		severity = blockScore(e)
		risk = severity
	}
	return severity, risk
}

func severityScore(word string) int64 {
	switch word {
	case "low":
		return scoreLow
	case "medium":
		return scoreMedium
	case "high":
		return scoreHigh
	case "critical":
		return scoreCritical
	}
	return 0
}

func blockScore(e *Event) int64 {
	switch {
	case e.Class == verdict.ClassBad.String():
		return scoreHigh
	case e.Class == verdict.ClassUntrusted.String() || e.Cause == verdict.CauseSafety.String():
		return scoreMedium
	}
	return scoreLow
}

// spoken returns network.application and network.protocol.
func spoken(e *Event) (application, protocol string) {
	switch {
	case e.WebSocket != nil || e.Kind == KindWebSocket:
		return "websocket", "http"
	case e.DNS != nil || e.Kind == KindDNS:
		return "", "dns"
	case e.Kind == KindConnect && (e.SNI != "" || e.Intercepted != ""):
		return "", "tls"
	case e.Kind == KindHTTP || e.Kind == KindConnect || e.Method != "":
		return "", "http"
	}
	return "", ""
}

// transport returns network.transport: TLS and HTTPS run over TCP.
func transport(t string) string {
	if t == "tls" || t == "https" {
		return "tcp"
	}
	return t
}

// addr returns the address of an A or AAAA record; the zero Addr for all others.
func (a *Answer) addr() netip.Addr {
	if a.Type != "A" && a.Type != "AAAA" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(a.Data)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}
