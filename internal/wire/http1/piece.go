package http1

import "bytes"

// Piece returns how many bytes of p to Feed so that they end no later than the current line or the current run of body data:
// a caller that feeds pieces sees every boundary between head, body and the next message. It is at least 1 unless p is empty.
func (v *Validator) Piece(p []byte) int {
	switch v.st {
	case stDetached, stUntilClose:
		return len(p)
	case stBody, stChunkData:
		return int(min(v.left, int64(len(p))))
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return i + 1
	}
	return len(p)
}
