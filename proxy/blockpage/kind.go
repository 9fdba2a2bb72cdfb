package blockpage

import (
	"net"
	"net/http"
	"strings"

	"weir/internal/ca"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/proxy/upstream"
)

// kind is how one sort of refusal or failure speaks: the one table from causes to HTTP.
type kind struct {
	status int    // HTTP status
	proxy  string // Proxy-Status error type (RFC 9209 section 2.3)
	grpc   string // gRPC status code
	title  string
	why    string // when nothing better is known
}

// gRPC status codes (grpc/doc/statuscodes.md).
const (
	grpcCanceled    = "1"
	grpcDeadline    = "4"
	grpcDenied      = "7"
	grpcInternal    = "13"
	grpcUnavailable = "14"
)

// Short names for the table of failures.
const (
	badGateway     = http.StatusBadGateway
	gatewayTimeout = http.StatusGatewayTimeout
	internalError  = http.StatusInternalServerError
)

// denied is the answer to everything that the policy blocks.
func denied() kind {
	return kind{http.StatusForbidden, "http_request_denied", grpcDenied, "Blocked", "The policy of this network does not allow it."}
}

// verdictKind is the table for verdicts.
func verdictKind(v verdict.Verdict) kind {
	switch v.Cause {
	case verdict.CauseSafety:
		return safetyKind(v.Ref.Safety)
	case verdict.CauseError, verdict.CauseTimeout, verdict.CauseLimit:
		k := denied()
		k.title = "Could not be inspected"
		return k
	case verdict.CauseRule, verdict.CauseList, verdict.CauseReputation, verdict.CauseDetector, verdict.CauseDefault:
	}
	return denied()
}

func safetyKind(s verdict.Safety) kind {
	k := denied()
	k.title = "Refused"
	switch s {
	case verdict.SafetyFraming, verdict.SafetyTarget, verdict.SafetyWebSocket:
		k.status, k.proxy, k.title = http.StatusBadRequest, "http_request_error", "Malformed request"
	case verdict.SafetyCertificate:
		return certificateKind("")
	case verdict.SafetyPrivateAddress:
		k.proxy, k.title = "destination_ip_prohibited", "Private address refused"
	case verdict.SafetyMisdirected:
		k.status, k.title = http.StatusMisdirectedRequest, "Misdirected request"
	case verdict.SafetyLoop:
		k.status, k.proxy, k.title = http.StatusLoopDetected, "proxy_loop_detected", "Loop detected"
	case verdict.SafetyLimit:
		k.status, k.title = http.StatusTooManyRequests, "Limit reached"
	case verdict.SafetyDNS:
		k.status, k.proxy, k.grpc = http.StatusBadGateway, "dns_error", grpcUnavailable
	case verdict.SafetyNone, verdict.SafetyPort, verdict.SafetyClient, verdict.SafetyUpgrade:
	}
	return k
}

// certificateKind is the answer to a handshake that was refused; code is one of ca.DescribeError.
func certificateKind(code string) kind {
	k := kind{
		http.StatusBadGateway, "tls_certificate_error", grpcUnavailable, "Certificate refused",
		"The identity of the site could not be verified, so nothing was sent to it.",
	}
	switch code {
	case ca.CodeExpired:
		k.title = "Certificate expired"
	case ca.CodeNotYetValid:
		k.title = "Certificate not yet valid"
	case ca.CodeWrongHost:
		k.title = "Certificate is for another site"
	case ca.CodeSelfSigned:
		k.title = "Self-signed certificate"
	case ca.CodeUnknownRoot:
		k.title = "Certificate from an unknown authority"
	case ca.CodeNoSAN:
		k.title = "Certificate without a usable name"
	case ca.CodeBadSignature:
		k.title = "Certificate with a bad signature"
	case ca.CodeRevoked:
		k.title = "Certificate revoked"
	case ca.CodeTLSVersion:
		k.title, k.proxy = "Unsafe TLS version", "tls_protocol_error"
	}
	return k
}

// failures is the table for failures that are no verdict.
var failures = [...]kind{
	upstream.KindInternal:        {internalError, "proxy_internal_error", grpcInternal, "Internal error", "The proxy could not handle the request."},
	upstream.KindBlocked:         {http.StatusForbidden, "http_request_denied", grpcDenied, "Blocked", "The policy of this network does not allow it."},
	upstream.KindDNS:             {badGateway, "dns_error", grpcUnavailable, "Site not found", "The name of the site has no address."},
	upstream.KindDNSTimeout:      {gatewayTimeout, "dns_timeout", grpcDeadline, "Site not found", "The name servers of the site did not answer in time."},
	upstream.KindRefused:         {badGateway, "connection_refused", grpcUnavailable, "Connection refused", "The site refused the connection."},
	upstream.KindUnreachable:     {badGateway, "destination_ip_unroutable", grpcUnavailable, "Site not reachable", "There is no way to the address of the site."},
	upstream.KindTimeout:         {gatewayTimeout, "connection_timeout", grpcDeadline, "Site does not answer", "The connection to the site took too long."},
	upstream.KindTLS:             {badGateway, "tls_protocol_error", grpcUnavailable, "No secure connection", "The secure connection to the site could not be made."},
	upstream.KindCertificate:     {badGateway, "tls_certificate_error", grpcUnavailable, "Certificate refused", "The identity of the site could not be verified."},
	upstream.KindProtocol:        {badGateway, "http_protocol_error", grpcUnavailable, "Invalid answer", "What the site answered is not valid HTTP."},
	upstream.KindResponseTimeout: {gatewayTimeout, "http_response_timeout", grpcDeadline, "Site does not answer", "The answer of the site took too long."},
	upstream.KindClosed:          {badGateway, "connection_terminated", grpcUnavailable, "Connection lost", "The site closed the connection before it answered."},
	upstream.KindCanceled:        {http.StatusBadRequest, "http_request_error", grpcCanceled, "Request cancelled", "The request ended before it was complete."},
}

func failureKind(k upstream.Kind) kind {
	if int(k) < len(failures) {
		return failures[k]
	}
	return failures[upstream.KindInternal]
}

// proxyStatus is the Proxy-Status field (RFC 9209): details is an sf-string, so it holds printable ASCII only.
func (p *page) proxyStatus() string {
	details := p.Why
	if p.Detail != "" {
		details = p.Detail
	}
	var b strings.Builder
	b.WriteString("weir; error=" + p.kind.proxy + `; details="`)
	for _, r := range redact.Truncate(details, maxDetails) {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		default:
			b.WriteByte('?')
		}
	}
	b.WriteByte('"')
	return b.String()
}

// grpc fills in a trailers-only response (gRPC over HTTP/2, "Responses").
func (p *page) grpc(h http.Header) {
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", p.kind.grpc)
	h.Set("Grpc-Message", grpcMessage(p.Title+": "+p.Why+" (event "+p.EventID+")"))
}

// grpcMessage percent-encodes what is not printable ASCII, and the percent sign.
func grpcMessage(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// host cuts the port off an address.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
