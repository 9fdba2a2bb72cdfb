// Package mapped gives package set memory that the garbage collector does not count, and files that are read through such
// memory and replaced as a whole. It holds all system calls of the list snapshot and knows nothing of its content. No network,
// no clock.
package mapped

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Errors of this package; each is wrapped with the operation and the path.
var (
	ErrTruncated = errors.New("file is shorter than it was")
	ErrSize      = errors.New("impossible size")
)

// File is an open file to read from; several goroutines may use it.
type File struct {
	f    *os.File
	size int64
}

// Open opens a regular file.
func Open(path string) (*File, error) {
	info, err := os.Stat(path) // first: opening a pipe would wait for its writer
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open snapshot: %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshot: %w", err), f.Close())
	}
	return &File{f: f, size: info.Size()}, nil
}

// Size is the size in bytes when the file was opened.
func (f *File) Size() int64 { return f.size }

// ReadFull fills p from offset off, or fails. It goes through the page cache and maps nothing.
func (f *File) ReadFull(p []byte, off int64) error {
	_, err := f.f.ReadAt(p, off)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("read snapshot: %w", ErrTruncated)
	case err != nil:
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

// Close closes the file; what [File.Map] gave stays.
func (f *File) Close() error {
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("close snapshot: %w", err)
	}
	return nil
}
