package listener

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// canShare says whether several UDP sockets may have one address.
const canShare = true

// share lets sockets of this process have one address (SO_REUSEPORT); the kernel lets no other user's process join.
func share(_, _ string, c syscall.RawConn) error {
	var err error
	control := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(control, err)
}

// transient says whether a socket may be read again after an error.
func transient(err error) bool {
	var e syscall.Errno
	var n net.Error
	if errors.As(err, &e) {
		return e == unix.ECONNREFUSED || e == unix.EHOSTUNREACH || e == unix.ENETUNREACH || e == unix.EMSGSIZE || e == unix.ENOBUFS || e == unix.ENOMEM || e == unix.EINTR
	}
	return errors.As(err, &n) && n.Timeout()
}
