package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// upload is the body of a request while addresses are tried: net/http closes a body when it cannot connect, but the next address
// needs it. A body that nobody read from stays open until finish. The nil upload is no body.
type upload struct {
	body io.ReadCloser

	mu       sync.Mutex // guards what follows
	started  bool       // something was read
	finished bool       // the last attempt is over
	closing  bool       // Close was called before either
	closed   bool
	err      error // what reading ended with, if not io.EOF
}

var _ io.ReadCloser = (*upload)(nil)

// hold takes the body of a request; nil when there is none.
func hold(req *http.Request) *upload {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	return &upload{body: req.Body}
}

// reader is what net/http is given.
func (u *upload) reader() io.ReadCloser {
	if u == nil {
		return nil
	}
	return u
}

// Read reads from the client's body.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	u.started = true
	u.mu.Unlock()
	n, err := u.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.mu.Lock()
		u.err = err
		u.mu.Unlock()
	}
	return n, err
}

// Close closes the body as soon as no other attempt can need it.
func (u *upload) Close() error {
	u.mu.Lock()
	u.closing = true
	wait := !u.started && !u.finished || u.closed
	u.closed = u.closed || !wait
	u.mu.Unlock()
	if wait {
		return nil
	}
	return u.body.Close()
}

// finish says that there will be no other attempt.
func (u *upload) finish() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.finished = true
	pending := u.closing
	u.mu.Unlock()
	if pending {
		u.shut()
	}
}

// shut closes the body for good.
func (u *upload) shut() {
	if u != nil {
		_ = u.Close() // a body that is thrown away
	}
}

// failure is what reading the body failed with.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
