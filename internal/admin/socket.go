package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	socketMode = 0o600 // only the user of the process may connect
	dirMode    = 0o700
	// maxSocketPath is the room for a path in sockaddr_un, without the NUL (unix(7)).
	maxSocketPath = 107
	// answerTime is how long somebody who listens on an old socket has to accept.
	answerTime = time.Second
	// lockTries times lockPause is how long another weir may take to open its
	// socket in the same directory; it takes it less than a millisecond.
	lockTries = 40
	lockPause = 50 * time.Millisecond
)

// Errors of [ListenControl].
var (
	// ErrInUse: somebody answers on the socket, most likely another weir with the same data directory.
	ErrInUse = errors.New("another process listens on the control socket")
	// ErrNotSocket: a file that is no socket stands in the way; it is left alone.
	ErrNotSocket = errors.New("exists and is not a socket")
)

// bound is a listening Unix socket of ours: who connects is asked of the
// kernel, and its file is removed at the end only if it is still the one that
// was made here.
type bound struct {
	*net.UnixListener
	path  string
	file  fs.FileInfo
	once  sync.Once // a second Close must not meet a successor's file that got our inode number
	allow func(*net.UnixConn) error
	log   *slog.Logger
}

var _ net.Listener = (*bound)(nil)

// bind makes the socket at path, in a directory that it makes with mode 0700 if
// there is none. The lock of the directory keeps two processes that start at
// the same time from removing each other's socket as a stale one.
func bind(path string, log *slog.Logger) (*bound, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := clearStale(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	// Until here the mode is that of the umask; who slips in is refused by uid.
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, ln.Close(), os.Remove(path))
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &bound{UnixListener: ln, path: path, file: info, allow: samePeer, log: log}, nil
}

// CheckSocket says whether a control socket could be made at path, as far as the
// text of the path tells.
func CheckSocket(path string) error { return checkPath(path) }

// checkPath refuses what the system would cut or take for an abstract name,
// which has no mode.
func checkPath(path string) error {
	switch {
	case path == "" || path[0] == '@' || path[0] == 0:
		return fmt.Errorf("control socket %q: expected the path of a file", path)
	case len(path) > maxSocketPath:
		return fmt.Errorf("control socket %s: the path has %d octets, the system takes %d: choose a shorter one", path, len(path), maxSocketPath)
	}
	return nil
}

// lock takes the advisory lock of the directory; it makes no file.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for range lockTries {
		if err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = d.Close() }, nil
		}
		time.Sleep(lockPause)
	}
	_ = d.Close()
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

// clearStale removes a socket on which nobody answers. Links, other files and
// sockets that cannot be asked stay, with an error.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s %w: remove it, or set admin.socket to another path", path, ErrNotSocket)
	}
	c, err := net.DialTimeout("unix", path, answerTime)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("%s: ask the old socket: %w", path, err)
}

// Accept returns the next connection of a process of our own user or of root;
// others are closed.
func (b *bound) Accept() (net.Conn, error) {
	for {
		c, err := b.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err := b.allow(c); err != nil {
			b.log.Warn("control socket: connection refused", "error", err)
			_ = c.Close()
			continue
		}
		return c, nil
	}
}

// Close closes the socket and removes its file, if it is still ours.
func (b *bound) Close() error {
	b.once.Do(func() {
		if now, err := os.Lstat(b.path); err == nil && os.SameFile(now, b.file) {
			_ = os.Remove(b.path)
		}
	})
	return b.UnixListener.Close()
}

// samePeer lets in processes of our own user and of root.
func samePeer(c *net.UnixConn) error {
	uid, err := peerUID(c)
	if err != nil {
		return fmt.Errorf("who is connecting: %w", err)
	}
	return admitUID(uid, uint32(os.Geteuid()))
}

func admitUID(uid, own uint32) error {
	if uid != 0 && uid != own {
		return fmt.Errorf("user %d is neither %d nor root", uid, own)
	}
	return nil
}
