package source

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// ErrSignature wraps everything that is wrong with the signature of a list.
var ErrSignature = errors.New("minisign signature")

// Limits of signatures.
const (
	maxSignature = 16 << 10 // octets of the file; minisign itself writes comments of at most 8 KiB
	// maxLegacy bounds a text whose signature covers the text itself instead of its digest: it must be in memory as a whole.
	maxLegacy = 64 << 20
)

// The two algorithms of https://jedisct1.github.io/minisign/#signature-format, as their first two octets.
const (
	algLegacy    = "Ed" // the signature covers the text
	algPrehashed = "ED" // the signature covers the BLAKE2b-512 digest of the text
)

// signer is a public key of minisign.
type signer struct {
	id  uint64
	key ed25519.PublicKey
}

// parseSigner reads a public key as minisign prints it: the base64 text that begins with RW.
func parseSigner(text string) (signer, error) {
	raw, err := fromBase64(text)
	if err != nil || len(raw) != 2+8+ed25519.PublicKeySize || string(raw[:2]) != algLegacy {
		return signer{}, fmt.Errorf("%w: %.80q is not a public key of minisign (the line that begins with RW)", ErrSignature, text)
	}
	return signer{binary.LittleEndian.Uint64(raw[2:]), raw[10:]}, nil
}

// signature is a signature file of minisign.
type signature struct {
	prehashed bool
	id        uint64
	text      [ed25519.SignatureSize]byte // of the text or its digest
	comment   string                      // trusted once global is checked
	global    [ed25519.SignatureSize]byte // of text and comment
}

const (
	untrustedMark = "untrusted comment: "
	trustedMark   = "trusted comment: "
)

// parseSignature reads a signature file: four lines, strictly.
func parseSignature(text []byte) (signature, error) {
	if len(text) > maxSignature {
		return signature{}, fmt.Errorf("%w: the file is longer than %d octets", ErrSignature, maxSignature)
	}
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], untrustedMark) || !strings.HasPrefix(lines[2], trustedMark) {
		return signature{}, fmt.Errorf("%w: the file is not one of minisign, or cut", ErrSignature)
	}
	var s signature
	raw, err := fromBase64(lines[1])
	if err != nil || len(raw) != 2+8+len(s.text) {
		return signature{}, fmt.Errorf("%w: the signature in the file is broken or cut", ErrSignature)
	}
	switch string(raw[:2]) {
	case algLegacy:
	case algPrehashed:
		s.prehashed = true
	default:
		return signature{}, fmt.Errorf("%w: unknown algorithm %q", ErrSignature, raw[:2])
	}
	s.id = binary.LittleEndian.Uint64(raw[2:])
	copy(s.text[:], raw[10:])
	s.comment = strings.TrimPrefix(lines[2], trustedMark)
	raw, err = fromBase64(lines[3])
	if err != nil || len(raw) != len(s.global) {
		return signature{}, fmt.Errorf("%w: the signature of the comment is broken or cut", ErrSignature)
	}
	copy(s.global[:], raw)
	return s, nil
}

// fromBase64 is strict: each value has one text.
func fromBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // the library skips them
		return nil, ErrSignature
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// String prints the file that parseSignature reads, with an untrusted comment of ours.
func (s signature) String() string {
	alg := algLegacy
	if s.prehashed {
		alg = algPrehashed
	}
	raw := append(binary.LittleEndian.AppendUint64([]byte(alg), s.id), s.text[:]...)
	b64 := base64.StdEncoding.EncodeToString
	return untrustedMark + "kept by weir\n" + b64(raw) + "\n" + trustedMark + s.comment + "\n" + b64(s.global[:]) + "\n"
}

// verify says whether the key has signed what r yields, and the comment.
func (k signer) verify(s signature, r io.Reader) error {
	if s.id != k.id {
		return fmt.Errorf("%w: made by the key %016X, configured is %016X", ErrSignature, s.id, k.id)
	}
	if !ed25519.Verify(k.key, append(bytes.Clone(s.text[:]), s.comment...), s.global[:]) {
		return fmt.Errorf("%w: the trusted comment does not fit, or another key signed it", ErrSignature)
	}
	message, err := s.message(r)
	if err != nil {
		return err
	}
	if !ed25519.Verify(k.key, message, s.text[:]) {
		return fmt.Errorf("%w: the text is not what was signed", ErrSignature)
	}
	return nil
}

// message is what the signature covers.
func (s signature) message(r io.Reader) ([]byte, error) {
	if s.prehashed {
		h, err := blake2b.New512(nil)
		if err == nil {
			_, err = io.Copy(h, r)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: digest: %w", ErrSignature, err)
		}
		return h.Sum(nil), nil
	}
	text, err := io.ReadAll(io.LimitReader(r, maxLegacy+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read text: %w", ErrSignature, err)
	case len(text) > maxLegacy:
		return nil, fmt.Errorf("%w: of the old kind, for a text of more than %d octets: sign it with minisign -H", ErrSignature, maxLegacy)
	}
	return text, nil
}
