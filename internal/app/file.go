package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weir/internal/ca"
	"weir/internal/config"
	"weir/internal/detect"
	"weir/internal/inspect"
)

// Where data lies when the config does not say.
const (
	systemDataDir = "/var/lib/weir" // the image's volume, and that of packages
	localDataDir  = "weir-data"     // beside the newcomer
)

// File is a loaded config file and where it came from.
type File struct {
	*config.File
	Path   string // "" for the built-in defaults
	digest string // of its text
	dir    string // where data lies for as long as the process lives; "" until a weir runs
}

// ErrConfigFile says that a config file cannot be read.
var ErrConfigFile = errors.New("config file")

// Load reads a config file; path "" means the built-in defaults. The error holds every problem, one a line, with file, line and
// column ([IsProblem] tells it from a file that cannot be read, [ErrConfigFile]; only a regular file can).
func Load(path string) (*File, error) {
	if path == "" {
		return &File{File: config.Default(), digest: "default"}, nil
	}
	text, err := readRegular(path, config.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfigFile, err)
	}
	f, problems := config.Parse(path, text, known(detectorNames(detect.All())))
	if err := problems.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return &File{File: f, Path: path, digest: hex.EncodeToString(sum[:6])}, nil
}

// IsProblem says whether err is about what a config file says.
func IsProblem(err error) bool {
	var p config.Problems
	return errors.As(err, &p)
}

// Problems lists the problems in err, one a line, as file:line:column: path: text.
func Problems(err error) []string {
	var p config.Problems
	if !errors.As(err, &p) {
		return lines(err)
	}
	var out []string
	for _, one := range p {
		out = append(out, one.Error())
	}
	return out
}

func detectorNames(all []inspect.Detector) (names []string) {
	for _, d := range all {
		names = append(names, d.Info().Name)
	}
	return names
}

// DataDir returns where data lies: what the config says, else /var/lib/weir when that can be written or holds a certificate
// authority, else ./weir-data.
func (f *File) DataDir() string {
	switch {
	case f.dir != "":
		return f.dir
	case f.File.DataDir != "":
		return f.File.DataDir
	case writable(systemDataDir) || hasCA(systemDataDir): // a CA that clients trust counts, also where nothing can be written
		return systemDataDir
	}
	return localDataDir
}

func hasCA(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "ca", ca.CertFile))
	return err == nil
}

func writable(dir string) bool {
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return false
	}
	_ = probe.Close()
	return os.Remove(probe.Name()) == nil
}

// CADir holds the certificate authority.
func (f *File) CADir() string { return filepath.Join(f.DataDir(), "ca") }

// ListsDir holds the last good copies of lists.
func (f *File) ListsDir() string { return filepath.Join(f.DataDir(), "lists") }

// Socket is the control socket.
func (f *File) Socket() string {
	if f.Admin.Socket != "" {
		return f.Admin.Socket
	}
	return filepath.Join(f.DataDir(), "control.sock")
}
