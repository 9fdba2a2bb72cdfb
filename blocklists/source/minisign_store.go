package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Signatures lie beside the copies, each under the digest of the text that it is of: a text and its signature cannot be mixed
// up, and whichever text a crash leaves behind finds its own. They are written before their text.

const signatureSuffix = ".minisig"

// keptSignatures is how many signatures besides that of the copy are kept: of texts that were refused or wait for somebody to
// approve them.
const keptSignatures = 4

func (s store) signaturePath(base, digest string) string {
	return filepath.Join(s.dir, base+"."+digest[:min(len(digest), 32)]+signatureSuffix)
}

// checkSignature refuses a key that is none, and one where nothing is signed.
func (s Source) checkSignature() error {
	if s.Minisign == "" {
		if s.SignatureURL != "" {
			return fmt.Errorf("%w: list %q: a place of signatures without a key", ErrConfig, s.List.Name)
		}
		return nil
	}
	if s.URL == "" {
		return fmt.Errorf("%w: list %q: only lists from URLs have signatures", ErrConfig, s.List.Name)
	}
	if _, err := parseSigner(s.Minisign); err != nil {
		return fmt.Errorf("%w: list %q: %w", ErrConfig, s.List.Name, err)
	}
	if s.SignatureURL == "" {
		return nil
	}
	if u, err := url.Parse(s.SignatureURL); err != nil || !(u.Scheme == "https" && u.Hostname() != "" || loopbackHTTP(u)) {
		return fmt.Errorf("%w: list %q: the URL of signatures: want https (http only to a loopback address)", ErrConfig, s.List.Name)
	}
	return nil
}

// signatureURL is where the signature of the list is: behind the path of the list, unless the config says otherwise.
func (s Source) signatureURL() string {
	if s.SignatureURL != "" {
		return s.SignatureURL
	}
	u, err := url.Parse(s.URL)
	if err != nil { // cannot be: check has parsed it
		return s.URL + signatureSuffix
	}
	if u.RawPath != "" {
		u.RawPath += signatureSuffix
	}
	u.Path += signatureSuffix
	return u.String()
}

// authenticate fetches the signature of a draft, checks it and keeps it. Without a configured key there is nothing to do.
func (m *Manager) authenticate(ctx context.Context, it *item, d *draft) error {
	if it.src.Minisign == "" {
		return nil
	}
	text, err := m.fetchSignature(ctx, it.src.signatureURL())
	if err != nil {
		return err
	}
	if err := it.src.verify(text, d.file); err != nil {
		return err
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := m.store.write(m.store.signaturePath(it.base, d.hash()), text); err != nil {
		return fmt.Errorf("keep signature: %w", err)
	}
	return nil
}

func (m *Manager) fetchSignature(ctx context.Context, from string) ([]byte, error) {
	got, err := webFetcher{m.client, from}.fetch(ctx, held{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	defer func() { _ = got.body.Close() }() // it was read, or is given up
	text, err := io.ReadAll(io.LimitReader(got.body, maxSignature+1))
	if err != nil {
		return nil, fmt.Errorf("%w: download: %w", ErrSignature, err)
	}
	return text, nil
}

// verify checks the signature file text over r.
func (s Source) verify(text []byte, r io.Reader) error {
	key, err := parseSigner(s.Minisign)
	if err != nil {
		return err
	}
	sig, err := parseSignature(text)
	if err != nil {
		return err
	}
	return key.verify(sig, r)
}

// verifyCopy checks the copy on disk against the signature beside it.
func (m *Manager) verifyCopy(it *item) error { return m.verifyText(it, m.store.textPath(it.base)) }

// verifyText checks a text of a list on disk against its signature. Without a configured key there is nothing to do.
func (m *Manager) verifyText(it *item, path string) error {
	if it.src.Minisign == "" {
		return nil
	}
	f, err := openRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoCopy
	}
	if err != nil {
		return fmt.Errorf("read copy: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read copy: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read copy: %w", err)
	}
	text, err := readSmall(m.store.signaturePath(it.base, hex.EncodeToString(h.Sum(nil))), maxSignature)
	if err != nil {
		return fmt.Errorf("%w: the text on disk has none: %w", ErrSignature, err)
	}
	if err := it.src.verify(text, f); err != nil {
		return fmt.Errorf("text on disk: %w", err)
	}
	return nil
}

// readSmall reads a regular file of at most limit octets and one more.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// pruneSignatures removes the oldest signatures of a list, never that of the text with this digest.
func (s store) pruneSignatures(base, digest string) {
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return // the next one tries again, as with all that follows
	}
	type old struct {
		path string
		time int64
	}
	var olds []old
	for _, e := range found {
		path := filepath.Join(s.dir, e.Name())
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), base+".") && strings.HasSuffix(e.Name(), signatureSuffix) && path != s.signaturePath(base, digest) {
			olds = append(olds, old{path, info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(olds, func(a, b old) int { return cmp.Compare(b.time, a.time) })
	for _, o := range olds[min(len(olds), keptSignatures):] {
		_ = s.disk.remove(o.path)
	}
}
