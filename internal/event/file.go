package event

import (
	"fmt"
	"os"
	"sync"
)

// fileMode lets the group read (a log shipper) and nobody else: events hold what people visit.
const fileMode = 0o640

// File is an event log on disk that can be reopened after a rotation. It is safe for concurrent use.
type File struct {
	path string

	mu sync.Mutex // guards f
	f  *os.File
}

// OpenFile opens path to append, and creates it with mode 0640 if it does not exist.
func OpenFile(path string) (*File, error) {
	f, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, f: f}, nil
}

func openAppend(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open event log: %w", err)
	}
	return f, nil
}

// Write appends p.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Write(p)
}

// Reopen opens the path anew and closes the file that it named before, so that a rotation by renaming loses nothing: until then,
// lines go to the renamed file. On an error the old file stays in use.
func (f *File) Reopen() error {
	next, err := openAppend(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.f
	f.f = next
	f.mu.Unlock()
	if err := old.Close(); err != nil {
		return fmt.Errorf("close rotated event log: %w", err)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Close()
}
