package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"weir/internal/config"
)

// Limits of the small files that a config names, in octets.
const (
	maxToken = 4 << 10  // a token is one word
	maxRoots = 16 << 20 // the bundle of a distribution has a quarter of a MiB
)

// Errors of files that a config names.
var (
	errNotFile = errors.New("not a regular file")
	errTooLong = errors.New("too long")
)

// readRegular reads a file of at most limit octets. A pipe or a device, which may never end, is refused without being waited for.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNotFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: %w: more than %d octets", path, errTooLong, limit)
	}
	return text, err
}

// checkEvents says whether events can be appended to path: a regular file, a character device such as /dev/null, what standard
// output or standard error already is (/dev/stdout), or a new file in a directory that there is. A pipe that nobody reads would
// hold up whoever opens it.
func checkEvents(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err := os.Stat(filepath.Dir(path))
		if err == nil && !dir.IsDir() {
			err = fmt.Errorf("%s: not a directory", filepath.Dir(path))
		}
		return err
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() || info.Mode()&fs.ModeCharDevice != 0 || ownStream(info) {
		return nil
	}
	return fmt.Errorf("%s: %w, and not a character device; - is standard output", path, errNotFile)
}

// ownStream says whether a pipe is one that this process already writes to: it has a reader.
func ownStream(info fs.FileInfo) bool {
	for _, own := range []*os.File{os.Stdout, os.Stderr} {
		if o, err := own.Stat(); err == nil && os.SameFile(info, o) {
			return info.Mode()&fs.ModeNamedPipe != 0
		}
	}
	return false
}

// checkDataDir warns of what makes the data directory less than it should be.
func checkDataDir(dir string) (warning string) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return ""
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Sprintf("others than the owner may write here (mode %04o): whoever can, can replace the certificate authority; chmod 0700", info.Mode().Perm())
	case !writable(dir):
		return "it cannot be written: no control socket and no copies of lists, so that lists from URLs are not refreshed"
	}
	return ""
}

// cannotWrite says whether err is that of a place that is read-only for us.
func cannotWrite(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// problem is one mistake of a config file that shows only outside it.
func problem(f *config.File, path string, err error) error {
	return config.Problems{f.Problem(path, err.Error())}
}

// problemsOf turns what does not compile into problems of the config file, one a line.
func problemsOf(f *config.File, err error) error {
	var found config.Problems
	if errors.As(err, &found) {
		return err
	}
	for _, text := range lines(err) {
		found = append(found, config.Problem{File: f.Name(), Message: text})
	}
	return found.Err()
}
