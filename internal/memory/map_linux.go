package memory

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second process from writing the same file.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// unlock ends a lock; the mapping alone would hold it.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// mapFile maps a whole file, shared with it.
func mapFile(f *os.File, size int, write bool) (b []byte, flush func() error, err error) {
	protect := syscall.PROT_READ
	if write {
		protect |= syscall.PROT_WRITE
	}
	if b, err = syscall.Mmap(int(f.Fd()), 0, size, protect, syscall.MAP_SHARED); err != nil {
		return nil, nil, fmt.Errorf("map: %w", err)
	}
	return b, func() error { return nil }, nil
}

// unmap gives the memory back once nobody can reach its owner: a transaction that outlives the end must not meet a hole.
func unmap(b []byte) { _ = syscall.Munmap(b) } // fails only for what is no mapping
