package source

import (
	"errors"
	"os"
	"syscall"

	"weir/blocklists/set"
)

// errKilled is what every step of a dead process says.
var errKilled = errors.New("killed")

// Mortal is the real disk for a process that dies, or meets a full disk once, at a given step. A write at that step gets halfway.
type Mortal struct {
	Steps int  // left to live
	Once  bool // the step fails and life goes on
}

var _ disk = (*Mortal)(nil)

// MakeMortal gives a Manager such a disk.
func (m *Manager) MakeMortal(d *Mortal) { m.store.disk = d }

func (d *Mortal) step() error {
	d.Steps--
	switch {
	case d.Steps == -1 && d.Once:
		return syscall.ENOSPC
	case d.Steps < 0 && !d.Once:
		return errKilled
	}
	return nil
}

func (d *Mortal) create(dir, pattern string) (output, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, pattern)
	return &mortalFile{f, d}, err
}

func (d *Mortal) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (d *Mortal) remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return os.Remove(path)
}

func (d *Mortal) syncDir(string) error {
	return d.step() // what a killed process has written is there, synced or not
}

func (d *Mortal) save(s *set.Set, path string) error {
	if err := d.step(); err != nil {
		return err // package mapped has its own test of every step in it
	}
	return s.Save(path)
}

type mortalFile struct {
	*os.File
	d *Mortal
}

func (f *mortalFile) Write(p []byte) (int, error) {
	if err := f.d.step(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *mortalFile) Sync() error { return f.d.step() }
