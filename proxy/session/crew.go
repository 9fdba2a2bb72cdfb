package session

import "sync"

// Crew counts goroutines that serve, so that somebody can wait for them. Unlike a WaitGroup it may be entered while it is waited
// for, until it is closed. The zero Crew is ready and safe for concurrent use.
type Crew struct {
	mu     sync.Mutex // guards what follows
	n      int
	closed bool
	idle   chan struct{}
}

// Enter counts the caller in; false means that the crew is closed and the caller must not go on.
func (c *Crew) Enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	return true
}

// Leave counts the caller out.
func (c *Crew) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.closed && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Close lets nobody in any more and waits until all have left or stop is closed; it says whether they have.
func (c *Crew) Close(stop <-chan struct{}) bool {
	c.mu.Lock()
	c.closed = true
	if c.n == 0 {
		c.mu.Unlock()
		return true
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-stop:
		return false
	}
}
