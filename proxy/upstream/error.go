package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"weir/internal/verdict"
)

// Source says whose fault an [Error] is. The zero Source is ours.
type Source uint8

// The sources.
const (
	SourceInternal Source = iota // weir itself
	SourceUpstream               // the origin, its name servers or the way there
	SourceBlocked                // a verdict; Error.Verdict says which
	SourceClient                 // the client went away or its body failed
)

// String returns the word used in logs.
func (s Source) String() string { return word(sources[:], int(s)) }

var sources = [...]string{"internal", "upstream", "blocked", "client"}

// Kind says what went wrong: a closed set, fit for metric labels.
type Kind uint8

// The kinds.
const (
	KindInternal        Kind = iota // a fault of weir, such as a request without an exchange
	KindBlocked                     // a verdict blocked before or while the request went out
	KindDNS                         // the name has no address, or its name servers failed
	KindDNSTimeout                  // its name servers did not answer in time
	KindRefused                     // the origin refused the connection
	KindUnreachable                 // there is no way to the origin
	KindTimeout                     // the connection or TLS handshake took too long
	KindTLS                         // the TLS handshake failed
	KindCertificate                 // the certificate or TLS version is not acceptable; Error.CertCode says why
	KindProtocol                    // what came back is not HTTP
	KindResponseTimeout             // the head of the response did not come in time
	KindClosed                      // the origin closed the connection before it answered
	KindCanceled                    // the client gave up
)

// String returns the word used in logs and metrics.
func (k Kind) String() string { return word(kinds[:], int(k)) }

var kinds = [...]string{
	"internal", "blocked", "dns", "dns-timeout", "refused", "unreachable", "timeout", "tls", "certificate", "protocol",
	"response-timeout", "closed", "canceled",
}

// kindCount bounds tables over all kinds.
const kindCount = int(KindCanceled) + 1

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "invalid"
}

// Error is the only error that a [Transport] returns; package blockpage makes a response of it, so that filters and the event run.
type Error struct {
	Source   Source
	Kind     Kind
	Verdict  verdict.Verdict // blocks when Source is SourceBlocked; else it has no meaning
	CertCode string          // code of ca.DescribeError, "" unless the handshake failed
	CertText string          // and its sentence for people, escaped
	Err      error           // for operators; not for pages; nil when a verdict says all
}

var _ error = (*Error)(nil)

// Error describes the failure for operators. It may hold names and addresses: redact it on output.
func (e *Error) Error() string {
	if e.Err == nil {
		return "upstream: " + e.Kind.String()
	}
	return fmt.Sprintf("upstream: %s: %v", e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// dialError marks a failure to connect: nothing was sent, so another address may be tried.
type dialError struct{ err error }

func (e *dialError) Error() string { return "dial: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// handshakeError marks a failure of the TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// blocked makes the Error of a verdict.
func blocked(v verdict.Verdict) *Error {
	return &Error{Source: SourceBlocked, Kind: KindBlocked, Verdict: v}
}

func internal(text string) *Error {
	return &Error{Source: SourceInternal, Kind: KindInternal, Err: errors.New(text)}
}

// timedOut says whether err is a deadline of any layer.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// dnsKind classifies what a Resolver returned.
func dnsKind(err error) Kind {
	if timedOut(err) {
		return KindDNSTimeout
	}
	return KindDNS
}

// dialKind classifies a failure to connect.
func dialKind(err error) Kind {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return KindRefused
	case timedOut(err):
		return KindTimeout
	}
	return KindUnreachable
}

// closedIdle is the text of an error that net/http does not export: the connection closed while the request was about to go out.
const closedIdle = "http: server closed idle connection"

// exchangeKind classifies a failure on a connection that was up.
func exchangeKind(err error) Kind {
	var op *net.OpError
	switch {
	case timedOut(err):
		return KindResponseTimeout
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), err != nil && err.Error() == closedIdle:
		return KindClosed
	}
	return KindProtocol
}
