//go:build !linux

package memory

import (
	"io"
	"os"
)

// lock does nothing here.
func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }

// mapFile reads the file, and flush writes it back: only on Linux it is mapped, so that a crash loses nothing.
func mapFile(f *os.File, size int, write bool) (b []byte, flush func() error, err error) {
	b = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), b); err != nil {
		return nil, nil, err
	}
	return b, func() error {
		if !write {
			return nil
		}
		_, err := f.WriteAt(b, 0)
		return err
	}, nil
}

// unmap has nothing to give back.
func unmap([]byte) {}
