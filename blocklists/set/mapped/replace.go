package mapped

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// disk is what Replace asks of the file system; tests cut it off at every step.
type disk interface {
	create(dir, pattern string) (output, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
}

// output is a file on its way.
type output interface {
	Name() string
	Write(p []byte) (int, error)
	Chmod(mode os.FileMode) error
	Sync() error
	Close() error
}

const (
	// writeSize is how much goes to the system in one call.
	writeSize = 4 << 20
	// fileMode keeps even the owner from writing into a file that is mapped: it is replaced, never changed.
	fileMode = 0o400
)

// Replace writes the parts, in order, to path. A crash at any moment leaves the old file or the new one, whole: the text goes
// into a temporary file beside it, is synced, renamed over it, and the directory is synced. What a killed process leaves behind
// is a file ".NAME.*" in the directory of path.
func Replace(path string, parts ...[]byte) error { return replace(system{}, path, parts) }

func replace(d disk, path string, parts [][]byte) error {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := d.create(dir, "."+name+".*")
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := errors.Join(fill(f, parts), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("save snapshot: %w", err), d.remove(f.Name()))
	}
	if err := d.rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("save snapshot: %w", err), d.remove(f.Name()))
	}
	if err := d.syncDir(dir); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return nil
}

// fill writes everything and waits until it is on the disk.
func fill(f output, parts [][]byte) error {
	for _, p := range parts {
		for len(p) > 0 {
			n := min(len(p), writeSize)
			if _, err := f.Write(p[:n]); err != nil {
				return err
			}
			p = p[n:]
		}
	}
	if err := f.Chmod(fileMode); err != nil {
		return err
	}
	return f.Sync()
}

// system is the real disk.
type system struct{}

var _ disk = system{}

func (system) create(dir, pattern string) (output, error) { return os.CreateTemp(dir, pattern) }
func (system) rename(from, to string) error               { return os.Rename(from, to) }
func (system) remove(path string) error                   { return os.Remove(path) }

func (system) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
