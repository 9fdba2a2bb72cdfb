//go:build !linux

package mapped

import "fmt"

// Region is memory on the Go heap here: only Linux is served by mapping.
type Region struct{ b []byte }

// Anonymous returns n zero bytes. n may be zero.
func Anonymous(n int) (*Region, error) {
	if n < 0 {
		return nil, fmt.Errorf("reserve memory: %w", ErrSize)
	}
	return &Region{b: make([]byte, n)}, nil
}

// Map reads the whole file.
func (f *File) Map() (*Region, error) {
	if f.size <= 0 || f.size != int64(int(f.size)) {
		return nil, fmt.Errorf("map snapshot: %w", ErrSize)
	}
	b := make([]byte, f.size)
	if err := f.ReadFull(b, 0); err != nil {
		return nil, err
	}
	return &Region{b: b}, nil
}

// Bytes is the memory. It must not be used after [Region.Free], nor across [Region.Resize].
func (r *Region) Bytes() []byte { return r.b }

// Huge does nothing here.
func (r *Region) Huge() {}

// LetGo does nothing here.
func (r *Region) LetGo() {}

// Resize changes the length.
func (r *Region) Resize(n int) error {
	if n <= 0 {
		return fmt.Errorf("resize memory: %w", ErrSize)
	}
	b := make([]byte, n)
	copy(b, r.b)
	r.b = b
	return nil
}

// Free forgets the memory.
func (r *Region) Free() {
	if r != nil {
		r.b = nil
	}
}
