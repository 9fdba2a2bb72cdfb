package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The files of a CA directory.
const (
	KeyFile    = "ca.key"  // PKCS #8 in PEM, mode 0600
	CertFile   = "ca.crt"  // PEM; certificates above it may follow
	MarkerFile = "CREATED" // fingerprint and date; proof that there has been a CA
)

// maxFile bounds what is read of a file, in bytes; a chain of ten certificates
// is 20 KiB.
const maxFile = 1 << 20

// Errors of Open, Init and Load about the directory.
var (
	// ErrNone: there has never been a CA in this directory.
	ErrNone = errors.New("no certificate authority yet")
	// ErrExists: Init found a CA, or the marker of one.
	ErrExists = errors.New("a certificate authority exists or existed here")
	// ErrLost: the marker says that there was a CA, but files of it are missing.
	ErrLost = errors.New("certificate authority files are missing")
	// ErrKeyMode: group or others may read the key.
	ErrKeyMode = errors.New("private key file is readable by others")
)

// Open loads the CA in dir, or makes one where there has never been one. Two
// processes that open the same new directory end up with the same CA.
func Open(dir string) (*Authority, error) { return Options{}.Open(dir) }

// Open is [Open] with options.
func (o Options) Open(dir string) (*Authority, error) {
	a, err := o.Load(dir)
	if !errors.Is(err, ErrNone) {
		return a, err
	}
	a, err = o.Init(dir)
	if errors.Is(err, ErrExists) {
		return o.Load(dir) // another process was faster
	}
	return a, err
}

// Init makes a CA in dir (created with mode 0700). It fails with ErrExists if
// the directory holds a CA, a part of one, or the marker of one.
//
// The order makes every crash harmless: (1) key and certificate are written and
// synced under names of their own, (2) the marker with their fingerprint is put
// in place, by link, so that only one process can win, (3) both are renamed. A
// crash before (2) leaves nothing that counts; after it, Load finishes (3).
func Init(dir string) (*Authority, error) { return Options{}.Init(dir) }

// Init is [Init] with options.
func (o Options) Init(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("init certificate authority: %w", err)
	}
	for _, name := range []string{MarkerFile, KeyFile, CertFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, fmt.Errorf("init certificate authority in %s: %w (found %s)", dir, ErrExists, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("init certificate authority: %w", err)
		}
	}
	now := time.Now()
	p, err := generate(now, o.organization())
	if err != nil {
		return nil, err
	}
	if err := p.store(dir, now); err != nil {
		return nil, fmt.Errorf("init certificate authority in %s: %w", dir, err)
	}
	a, err := o.Load(dir)
	if err == nil {
		removeStaged(dir)
	}
	return a, err
}

// store does steps (1) and (2) of Init.
func (p pair) store(dir string, now time.Time) error {
	key, cert := staged(dir, KeyFile, p.fingerprint), staged(dir, CertFile, p.fingerprint)
	err := errors.Join(writeSynced(key, p.keyPEM, 0o600), writeSynced(cert, p.certPEM, 0o644))
	if err == nil {
		err = syncDir(dir)
	}
	if err == nil {
		err = writeMarker(dir, p.fingerprint, now)
	}
	if err != nil {
		_ = os.Remove(key)
		_ = os.Remove(cert)
	}
	return err
}

// Load reads the CA in dir. Errors: ErrNone, ErrLost, ErrKeyMode, ErrMismatch,
// ErrUnusable, ErrValidity, or one of the file system; each names the file and
// what to do. It finishes an Init that was interrupted, and marks a directory
// into which an operator has put a key and a certificate of his own.
func Load(dir string) (*Authority, error) { return Options{}.Load(dir) }

// Load is [Load] with options.
func (o Options) Load(dir string) (*Authority, error) {
	marked, err := readMarker(dir)
	if err != nil {
		return nil, err
	}
	a, err := o.load(dir, marked)
	if err == nil || marked != "" {
		return a, err
	}
	// Another process may have made the CA between the two looks.
	if marked, again := readMarker(dir); again == nil && marked != "" {
		return o.load(dir, marked)
	}
	return nil, err
}

// load is Load with the marker read.
func (o Options) load(dir, marked string) (*Authority, error) {
	if marked != "" {
		if err := finish(dir, marked); err != nil {
			return nil, fmt.Errorf("finish certificate authority in %s: %w", dir, err)
		}
	}
	keyPath, certPath := filepath.Join(dir, KeyFile), filepath.Join(dir, CertFile)
	certPEM, certErr := readFile(certPath, 0)
	keyPEM, keyErr := readFile(keyPath, 0o077)
	if err := missing(dir, marked, keyErr, certErr); err != nil {
		return nil, err
	}
	a, err := o.assemble(dir, marked, keyPEM, certPEM)
	clear(keyPEM)
	if err != nil || marked != "" {
		return a, err
	}
	err = writeMarker(dir, a.Fingerprint(), time.Now())
	beaten := errors.Is(err, ErrExists) || errors.Is(err, fs.ErrExist) // by another process that marks the same CA
	if err != nil && !beaten && !readOnly(err) {
		return nil, fmt.Errorf("mark certificate authority: %w", err)
	}
	return a, nil
}

// assemble makes an Authority of what the files say, and holds it against the
// marker.
func (o Options) assemble(dir, marked string, keyPEM, certPEM []byte) (*Authority, error) {
	keyPath, certPath := filepath.Join(dir, KeyFile), filepath.Join(dir, CertFile)
	chain, err := parseChain(certPath, certPEM)
	if err != nil {
		return nil, err
	}
	signer, err := parseKey(keyPath, keyPEM)
	if err != nil {
		return nil, err
	}
	if found := fingerprint(chain[0].Raw); marked != "" && marked != found {
		return nil, fmt.Errorf("%s (sha256 %s) %w the one that %s records (%s): if you replaced it on purpose, remove %s",
			certPath, found, ErrMismatch, MarkerFile, marked, filepath.Join(dir, MarkerFile))
	}
	a, err := New(chain[0], signer, chain[1:], o)
	if err != nil {
		return nil, fmt.Errorf("load %s and %s: %w", certPath, keyPath, err)
	}
	return a, nil
}

// readOnly: where no marker can be written, no new CA can be written either.
func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// missing turns the errors of reading both files into one that tells what to do.
func missing(dir, marked string, keyErr, certErr error) error {
	var gone []string
	for _, file := range [2]struct {
		name string
		err  error
	}{{KeyFile, keyErr}, {CertFile, certErr}} {
		switch {
		case errors.Is(file.err, fs.ErrNotExist):
			gone = append(gone, filepath.Join(dir, file.name))
		case file.err != nil:
			return fmt.Errorf("load certificate authority: %w", file.err)
		}
	}
	switch {
	case len(gone) == 0:
		return nil
	case marked == "" && len(gone) == 2:
		return fmt.Errorf("load %s: %w", dir, ErrNone)
	case marked == "":
		return fmt.Errorf("%w: %s; restore it, or remove the other half to start anew", ErrLost, gone[0])
	}
	return fmt.Errorf("%w: %s; a CA with fingerprint sha256 %s was made here and clients may trust it: "+
		"restore the files from a backup, or, to give up that CA for good, remove the directory %s and give every client the new certificate",
		ErrLost, strings.Join(gone, " and "), marked, dir)
}

// staged names a file that is written but not in force yet.
func staged(dir, name, fingerprint string) string {
	return filepath.Join(dir, name+"."+fingerprint[:16]+".new")
}

// finish is step (3) of Init: it renames the staged files of the marked CA. A
// file that is in place already is never replaced.
func finish(dir, marked string) error {
	for _, name := range []string{KeyFile, CertFile} {
		final := filepath.Join(dir, name)
		if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := os.Rename(staged(dir, name, marked), final)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nothing staged, or another process has just renamed it
		}
		if err != nil {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// removeStaged removes keys that crashed or beaten attempts left behind; none
// of them ever signed anything. Failure is harmless.
func removeStaged(dir string) {
	for _, name := range []string{KeyFile, CertFile} {
		left, _ := filepath.Glob(filepath.Join(dir, name+".*.new"))
		for _, path := range left {
			_ = os.Remove(path)
		}
	}
}

// writeMarker records the fingerprint; it fails with ErrExists if there is a
// marker already.
func writeMarker(dir, fingerprint string, now time.Time) error {
	text := "sha256:" + fingerprint + " " + now.UTC().Format(time.RFC3339) + "\n" +
		"# This file says that a certificate authority was made here. While it exists, no new one is made.\n"
	final := filepath.Join(dir, MarkerFile)
	temp := staged(dir, MarkerFile, fingerprint)
	_ = os.Remove(temp)
	if err := writeSynced(temp, []byte(text), 0o644); err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }()
	err := os.Link(temp, final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links. Exclusive creation is as good against
		// another process; a crash within it leaves a marker that Load reports.
		err = writeSynced(final, []byte(text), 0o644)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w (found %s)", ErrExists, MarkerFile)
	} else if err != nil {
		return err
	}
	return syncDir(dir)
}

// readMarker returns the fingerprint in the marker, or "" if there is none.
func readMarker(dir string) (string, error) {
	path := filepath.Join(dir, MarkerFile)
	b, err := readFile(path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read marker: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	value, _, _ := strings.Cut(strings.TrimPrefix(line, "sha256:"), " ")
	if len(value) != 64 || strings.Trim(value, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%s:1: no fingerprint: restore the file from a backup", path)
	}
	return value, nil
}

// readFile reads a small regular file and refuses one with a mode bit of
// forbidden set.
func readFile(path string, forbidden fs.FileMode) ([]byte, error) {
	// O_NONBLOCK: a FIFO in its place must not hang the start.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&forbidden != 0:
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s (and think about who may have read it)",
			ErrKeyMode, path, info.Mode().Perm(), path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// writeSynced makes a new file whose octets are on the disk when it returns.
func writeSynced(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes creations and renames in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func parseChain(path string, data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: unexpected PEM block %q", path, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(chain)+1, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%s: no PEM certificate", path)
	}
	return chain, nil
}

// parseKey never puts any part of the file into an error.
func parseKey(path string, data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s: exactly one PEM private key is expected", path)
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%s: not an unencrypted private key in PEM", path)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: private key cannot be read", path)
	}
	return signer, nil
}
