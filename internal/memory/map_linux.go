package memory

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second process from writing the same file; it ends with the file's last descriptor.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// mapFile maps a whole file, shared with it, and owns f from then on.
func mapFile(f *os.File, size int, write bool) (b []byte, release func() error, err error) {
	protect := syscall.PROT_READ
	if write {
		protect |= syscall.PROT_WRITE
	}
	if b, err = syscall.Mmap(int(f.Fd()), 0, size, protect, syscall.MAP_SHARED); err != nil {
		return nil, nil, fmt.Errorf("map: %w", err)
	}
	return b, func() error { return errors.Join(syscall.Munmap(b), f.Close()) }, nil
}
