package http1

import "strconv"

// Kind is a way in which a message breaks the framing rules of RFC 9112 or the
// stricter ones of this package. The set is closed: it may label metrics.
type Kind uint8

// The kinds.
const (
	None                    Kind = iota
	LengthAndEncoding            // both Content-Length and Transfer-Encoding (RFC 9112 section 6.1)
	DuplicateContentLength       // more than one field, equal or not
	BadContentLength             // sign, list, no digits, more than 63 bits
	BadTransferEncoding          // anything but exactly one "chunked"
	TransferEncodingHTTP10       // Transfer-Encoding in HTTP/1.0
	BareLF                       // line that ends without CR
	BareCR                       // CR that ends no line
	ObsFold                      // continued field line (section 5.2)
	SpaceBeforeColon             // section 5.1
	BadFieldName                 // empty, no token, or no colon
	ControlInValue               // control byte in a field value
	MissingHost                  // HTTP/1.1 request without Host
	DuplicateHost                // more than one Host
	BadHost                      // Host that is no host[:port]
	BadRequestLine               // not method, one space, target, one space, version
	BadMethod                    // no token
	BadTarget                    // control bytes or no valid request target
	MissingVersion               // HTTP/0.9 style line
	BadVersion                   // anything but HTTP/1.0 and HTTP/1.1, in capitals
	HTTP2Preface                 // PRI * HTTP/2.0 where it is not expected
	BadStatusLine                // response
	BadChunkSize                 // no hex digits, sign, prefix, white space, more than 63 bits
	BadChunkEnd                  // chunk data not followed by CR LF
	BadChunkExtension            // longer than 256 bytes, or with control bytes
	ForbiddenTrailer             // framing or routing field in or announced for the trailer section
	LineTooLong                  // MaxLine
	HeadTooLarge                 // MaxHead or MaxFields
	Truncated                    // the stream ended within a message
	UnsolicitedResponse          // response bytes without a request
	BodyWithoutBodyResponse      // Content-Length or Transfer-Encoding where no body can be (1xx, 204)
	numKinds
)

var kindNames = [numKinds]string{
	"none", "length-and-encoding", "duplicate-content-length", "bad-content-length", "bad-transfer-encoding",
	"transfer-encoding-http10", "bare-lf", "bare-cr", "obs-fold", "space-before-colon", "bad-field-name",
	"control-in-value", "missing-host", "duplicate-host", "bad-host", "bad-request-line", "bad-method",
	"bad-target", "missing-version", "bad-version", "http2-preface", "bad-status-line", "bad-chunk-size",
	"bad-chunk-end", "bad-chunk-extension", "forbidden-trailer", "line-too-long", "head-too-large", "truncated",
	"unsolicited-response", "framing-without-body",
}

// String is the stable lower-case name of the kind.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "kind-" + strconv.Itoa(int(k))
}

// Anomaly is one violation. Offset is where it was established, in bytes from
// the start of the stream: the start of the offending line, or the byte itself.
type Anomaly struct {
	Kind   Kind
	Offset int64
}

var _ error = (*Anomaly)(nil)

// Error says kind and offset.
func (a *Anomaly) Error() string {
	return "http/1 framing: " + a.Kind.String() + " at byte " + strconv.FormatInt(a.Offset, 10)
}
