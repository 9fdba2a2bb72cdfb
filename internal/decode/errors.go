package decode

import (
	"errors"
	"fmt"
)

// The kinds of failure. Errors of this package match them with errors.Is.
var (
	ErrOutputLimit   = errors.New("decoded output limit reached")
	ErrRatioLimit    = errors.New("expansion ratio limit reached")
	ErrDepthLimit    = errors.New("too many content codings")
	ErrUnknownCoding = errors.New("unknown content coding")
	ErrCorrupt       = errors.New("corrupt data")
	ErrTruncated     = errors.New("truncated data")
	// ErrTrailing reports bytes behind the end of the coded data. Clients
	// ignore such bytes, so they are counted and not decoded.
	ErrTrailing = errors.New("bytes behind the end of the coded data")
	// ErrReleased reports a Write after Release.
	ErrReleased = errors.New("decoder was released")
)

// Error says which layer of a chain failed and why.
type Error struct {
	Kind   error  // one of the Err values of this package
	Coding string // as it was listed
	Layer  int    // 0 is the outermost coding, the one listed last; -1: the chain as a whole
	Cause  error  // of the decoder, or nil
}

var _ error = (*Error)(nil)

// Error describes the failure in one line.
func (e *Error) Error() string {
	s := "decode"
	if e.Coding != "" {
		s += fmt.Sprintf(" %q", e.Coding)
	}
	s += ": " + e.Kind.Error()
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap makes errors.Is and errors.As see the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
