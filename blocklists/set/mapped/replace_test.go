package mapped

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// errKilled is what every step of a dead process says.
var errKilled = errors.New("killed")

// mortal is the real disk, used by a process that dies at a given step. A write in which it dies gets halfway; afterwards
// nothing happens any more, not even cleaning up.
type mortal struct {
	steps int // left to live
}

func (d *mortal) step() error {
	if d.steps--; d.steps < 0 {
		return errKilled
	}
	return nil
}

func (d *mortal) create(dir, pattern string) (output, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, pattern)
	return &mortalFile{f, d}, err
}

func (d *mortal) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (d *mortal) remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return os.Remove(path)
}

func (d *mortal) syncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return system{}.syncDir(dir)
}

type mortalFile struct {
	*os.File
	d *mortal
}

func (f *mortalFile) Write(p []byte) (int, error) {
	if err := f.d.step(); err != nil {
		if f.d.steps == -1 {
			_, _ = f.File.Write(p[:len(p)/2])
		}
		return 0, err
	}
	return f.File.Write(p)
}

func (f *mortalFile) Chmod(mode os.FileMode) error {
	if err := f.d.step(); err != nil {
		return err
	}
	return f.File.Chmod(mode)
}

func (f *mortalFile) Sync() error {
	if err := f.d.step(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *mortalFile) Close() error {
	err := f.d.step()
	return errors.Join(err, f.File.Close()) // the system closes the files of the dead
}

// TestReplaceKilled kills the writer before every step: the file is the old one or the new one, and once Replace has said that
// all is well, the new one.
func TestReplaceKilled(t *testing.T) {
	t.Parallel()
	was, parts := []byte("old"), [][]byte{bytes.Repeat([]byte("a"), writeSize+7), nil, []byte("end")}
	want := bytes.Join(parts, nil)
	renamed := false
	for steps := 0; ; steps++ {
		path := filepath.Join(t.TempDir(), "snapshot")
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
		err := replace(&mortal{steps}, path, parts)
		got, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		switch {
		case bytes.Equal(got, want):
			renamed = true
		case !bytes.Equal(got, was), err == nil, renamed:
			t.Fatalf("killed at step %d: %d bytes, %v", steps, len(got), err)
		}
		if err == nil {
			if steps < 9 { // create, 3 writes, chmod, sync, close, rename, sync of the directory
				t.Errorf("only %d steps", steps)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("step %d: %v", steps, err)
		}
	}
}

// failing is a disk on which one step fails and the process lives on.
type failing struct {
	mortal
	at string
}

func (d *failing) create(dir, pattern string) (output, error) {
	f, err := os.CreateTemp(dir, pattern)
	return &failingFile{f, d.at}, err
}

func (d *failing) rename(from, to string) error {
	if d.at == "rename" {
		return errKilled
	}
	return os.Rename(from, to)
}

func (*failing) remove(path string) error { return os.Remove(path) }

type failingFile struct {
	*os.File
	at string
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.at == "write" {
		return 0, errKilled
	}
	return f.File.Write(p)
}

func (f *failingFile) Sync() error {
	if f.at == "sync" {
		return errKilled
	}
	return f.File.Sync()
}

// TestReplaceFails: a full disk leaves the old file and nothing beside it.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"write", "sync", "rename"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "snapshot")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := replace(&failing{at: at}, path, [][]byte{[]byte("new")}); !errors.Is(err, errKilled) {
			t.Errorf("%s: %v", at, err)
		}
		got, err := os.ReadFile(path)
		entries, dirErr := os.ReadDir(dir)
		if err != nil || dirErr != nil || string(got) != "old" || len(entries) != 1 {
			t.Errorf("%s: %q, %v, %v, %v", at, got, err, dirErr, entries)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "snapshot")
	for i := range 3 {
		if err := Replace(path, fmt.Append(nil, "text "), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := fmt.Sprint("text ", i); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if err := Replace(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("wrote below a file")
	}
}

// TestRegion: memory keeps its content when it grows, shrinks and moves.
func TestRegion(t *testing.T) {
	t.Parallel()
	r, err := Anonymous(100)
	if err != nil {
		t.Fatal(err)
	}
	copy(r.Bytes(), "text")
	for _, n := range []int{5000, 2 * hugeFrom, 2*hugeFrom + 1, hugeFrom + 4096, 4} {
		if err := r.Resize(n); err != nil {
			t.Fatal(err)
		}
		r.Huge()
		if b := r.Bytes(); len(b) != n || string(b[:4]) != "text" || n > 4 && b[n-1] != 0 {
			t.Fatalf("%d: %d bytes, %q", n, len(b), b[:4])
		}
		if b := r.Bytes(); n > 4 {
			b[n-1] = 0
		}
	}
	r.Free()
	r.Free()
	var none *Region
	none.Free()
	if r.Bytes() != nil || r.Resize(10) == nil {
		t.Error("freed memory lives")
	}
	if _, err := Anonymous(-1); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
	if r, err := Anonymous(0); err != nil || len(r.Bytes()) != 0 {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, p := range []string{dir, path} {
		if _, err := Open(p); err == nil {
			t.Errorf("%s opens", p)
		}
	}
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Map()
	if err != nil || f.Size() != 10 {
		t.Fatal(f.Size(), err)
	}
	part := make([]byte, 3)
	if err := f.ReadFull(part, 7); err != nil || string(part) != "789" {
		t.Errorf("%q, %v", part, err)
	}
	if err := f.ReadFull(part, 8); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if string(r.Bytes()) != "0123456789" {
		t.Errorf("%q", r.Bytes())
	}
	r.Free()
}
