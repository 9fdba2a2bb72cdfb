package event

import (
	"bytes"
	"errors"
	"testing"
)

// TestPanicCostsOneEvent: no input makes the encoder panic, so this test makes one by hand.
func TestPanicCostsOneEvent(t *testing.T) {
	t.Parallel()
	w := &Writer{}
	out, err := w.encode([]byte("kept"), nil)
	if !errors.Is(err, errPanic) || !bytes.Equal(out, []byte("kept")) {
		t.Errorf("%q, %v", out, err)
	}
}
