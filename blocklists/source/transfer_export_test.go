package source

import (
	"errors"
	"os"

	"weir/blocklists/set"
)

// errDead is what a disk says after its last step.
var errDead = errors.New("the process is dead")

// DyingDisk is a disk under a process that is killed at one step: that step and all later ones fail, a write gets halfway, and
// what was never synced is lost.
type DyingDisk struct {
	left  int // steps; below zero: dead
	files []*dyingFile
}

var _ disk = (*DyingDisk)(nil)

// DieAt makes everything that m writes end after so many steps. It is called before Load.
func (m *Manager) DieAt(steps int) *DyingDisk {
	d := &DyingDisk{left: steps}
	m.store.disk = d
	return d
}

// Dead says whether the step was reached.
func (d *DyingDisk) Dead() bool { return d.left < 0 }

// step counts one step; an error: it is the last, or comes after it.
func (d *DyingDisk) step() error {
	if d.left < 0 {
		return errDead
	}
	if d.left--; d.left >= 0 {
		return nil
	}
	var errs []error
	for _, f := range d.files {
		if !f.synced {
			errs = append(errs, os.Truncate(f.path, 0))
		}
	}
	return errors.Join(append(errs, errDead)...)
}

func (d *DyingDisk) create(dir, pattern string) (output, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := system{}.create(dir, pattern)
	if err != nil {
		return nil, err
	}
	out := &dyingFile{output: f, disk: d, path: f.Name()}
	d.files = append(d.files, out)
	return out, nil
}

func (d *DyingDisk) save(s *set.Set, path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return s.Save(path)
}

func (d *DyingDisk) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	for _, f := range d.files {
		if f.path == from {
			f.path = to
		}
	}
	return system{}.rename(from, to)
}

func (d *DyingDisk) remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	for i, f := range d.files {
		if f.path == path {
			d.files = append(d.files[:i:i], d.files[i+1:]...)
			break
		}
	}
	return system{}.remove(path)
}

func (d *DyingDisk) syncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return system{}.syncDir(dir)
}

// dyingFile is a file on a DyingDisk.
type dyingFile struct {
	output
	disk   *DyingDisk
	path   string
	synced bool
}

func (f *dyingFile) Write(p []byte) (int, error) {
	f.synced = false
	if err := f.disk.step(); err != nil {
		n, _ := f.output.Write(p[:len(p)/2])
		return n, err
	}
	return f.output.Write(p)
}

func (f *dyingFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	f.synced = true
	return f.output.Sync()
}
