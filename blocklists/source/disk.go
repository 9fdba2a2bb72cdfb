package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"weir/blocklists/set"
)

// disk is what the store asks of the file system when it writes; tests cut it off at every step.
type disk interface {
	create(dir, pattern string) (output, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
	save(s *set.Set, path string) error // as the others together, see package mapped
}

// output is a file on its way.
type output interface {
	io.ReadWriteSeeker
	Name() string
	Sync() error
	Close() error
}

// system is the real disk.
type system struct{}

var _ disk = system{}

func (system) create(dir, pattern string) (output, error) { return os.CreateTemp(dir, pattern) } // mode 0600
func (system) rename(from, to string) error               { return os.Rename(from, to) }
func (system) remove(path string) error                   { return os.Remove(path) }
func (system) save(s *set.Set, path string) error         { return s.Save(path) }

func (system) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// temporary makes the draft of path: a hidden file beside it, which sweep knows.
func (s store) temporary(path string) (output, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make list directory: %w", err)
	}
	f, err := s.disk.create(s.dir, "."+filepath.Base(path)+"*")
	if err != nil {
		return nil, fmt.Errorf("make list file: %w", err)
	}
	return f, nil
}

// settle makes a draft the file at path. A crash at any moment leaves the file that was there, or the new one whole. The error
// leaves no draft behind.
func (s store) settle(f output, path string) error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), s.disk.remove(f.Name()))
	}
	if err := s.disk.rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", filepath.Base(path), err), s.disk.remove(f.Name()))
	}
	if err := s.disk.syncDir(s.dir); err != nil {
		return fmt.Errorf("replace %s: %w", filepath.Base(path), err)
	}
	return nil
}

// write replaces a small file.
func (s store) write(path string, text []byte) error {
	f, err := s.temporary(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), f.Close(), s.disk.remove(f.Name()))
	}
	return s.settle(f, path)
}
