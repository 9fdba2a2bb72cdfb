package proxy

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"weir/internal/verdict"
)

// lastFrames is how long the client may take to get what was still on its way when one direction of a WebSocket ended: the close
// frame that says why, above all.
const lastFrames = 2 * time.Second

// relay stands between goproxy and a WebSocket. goproxy copies in two goroutines, goes on when the first ends, closes the body
// and forgets the client connection: so Close waits for finish, and a panic ends the relay, not the process.
type relay struct {
	inner io.ReadWriteCloser

	read   chan struct{} // closed when the direction to the client ended
	ended  sync.Once
	closed sync.Once
}

var errRelay = errors.New("websocket relay")

func newRelay(inner io.ReadWriteCloser) *relay {
	return &relay{inner: inner, read: make(chan struct{})}
}

var _ io.ReadWriteCloser = (*relay)(nil)

// Read gives what goes to the client.
func (r *relay) Read(p []byte) (n int, err error) {
	defer func() {
		if how := recover(); how != nil {
			n, err = 0, fmt.Errorf("%w: panic: %v", errRelay, how)
		}
		if err != nil {
			r.ended.Do(func() { close(r.read) })
		}
	}()
	return r.inner.Read(p)
}

// Write takes what comes from the client.
func (r *relay) Write(p []byte) (n int, err error) {
	defer func() {
		if how := recover(); how != nil {
			n, err = 0, fmt.Errorf("%w: panic: %v", errRelay, how)
		}
	}()
	return r.inner.Write(p)
}

// block ends the WebSocket with a close frame that names v.
func (r *relay) block(v verdict.Verdict) {
	defer func() { _ = recover() }()
	if b, ok := r.inner.(interface{ Block(verdict.Verdict) }); ok {
		b.Block(v)
		return
	}
	_ = r.inner.Close()
}

// Close does nothing: finish does it when the last frames are out.
func (r *relay) Close() error { return nil }

// finish waits a moment for the last frames to the client, then closes both sides. client is nil when the relay never ran.
func (r *relay) finish(client *socketEnd) {
	if client != nil && !client.gone.Load() {
		timer := time.NewTimer(lastFrames)
		select {
		case <-r.read:
		case <-timer.C:
		}
		timer.Stop()
	}
	r.closed.Do(func() {
		defer func() { _ = recover() }()
		_ = r.inner.Close()
	})
	if client != nil {
		_ = client.Close()
	}
}
