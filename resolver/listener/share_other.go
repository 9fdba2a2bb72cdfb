//go:build !linux

package listener

import "syscall"

// canShare says whether several UDP sockets may have one address.
const canShare = false

func share(_, _ string, _ syscall.RawConn) error { return nil }

// transient says whether a socket may be read again after an error. Which errors are is not known here: the server stops.
func transient(error) bool { return false }
