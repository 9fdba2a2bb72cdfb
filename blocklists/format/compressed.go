package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"weir/internal/decode"
)

// The first octets of compressed lists: RFC 1952 section 2.3.1 and RFC 8878 section 3.1.1.
const (
	gzipMagic = "\x1f\x8b\x08"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// maxRatio bounds how many octets one compressed octet may become: lists of names shrink to a third, lists of generated names
// to a fiftieth.
const maxRatio = 200

// unpack returns a reader of the text behind br, which may be compressed. done gives the memory back.
func unpack(br *bufio.Reader, most int64) (text *bufio.Reader, done func(), err error) {
	head, err := br.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read list: %w", err)
	}
	coding := ""
	switch {
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		coding = "gzip"
	case bytes.HasPrefix(head, []byte(zstdMagic)):
		coding = "zstd"
	default:
		return br, func() {}, nil
	}
	u := &unpacker{src: br}
	u.chain, err = decode.NewChain([]string{coding}, decode.Limits{MaxOutput: most + 1, MaxRatio: maxRatio}, func(p []byte) error {
		u.out = append(u.out, p...)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("decompress list: %w", err)
	}
	return bufio.NewReaderSize(u, window), u.chain.Release, nil
}

// unpacker turns the chain, which is pushed, into a reader. It feeds little at a time: what one piece may become is bounded by
// the coding (1 MiB for gzip, 32 MiB for zstd) and by maxRatio.
type unpacker struct {
	src   *bufio.Reader
	chain *decode.Chain
	piece [1 << 10]byte
	out   []byte // decoded; out[at:] is not read yet
	at    int
	err   error
}

var _ io.Reader = (*unpacker)(nil)

// Read implements io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	for u.at == len(u.out) {
		if u.err != nil {
			return 0, u.err
		}
		u.out, u.at = u.out[:0], 0
		n, err := u.src.Read(u.piece[:])
		u.err = u.chain.Write(u.piece[:n])
		switch {
		case errors.Is(u.err, decode.ErrRatioLimit), errors.Is(u.err, decode.ErrOutputLimit):
			u.err = fmt.Errorf("%w: decompress: %w", ErrLimit, u.err)
		case u.err != nil:
			u.err = fmt.Errorf("decompress: %w", u.err)
		case errors.Is(err, io.EOF):
			u.err = io.EOF
			if bad := u.chain.Close(); bad != nil {
				u.err = fmt.Errorf("decompress: %w", bad)
			}
		default:
			u.err = err
		}
	}
	n := copy(p, u.out[u.at:])
	u.at += n
	return n, nil
}
