package websocket

// Buffered is how many octets of both directions are held, for tests of bounds.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	n := cap(c.pending)
	c.mu.Unlock()
	for _, d := range []*direction{c.up, c.down} {
		if d.mu.TryLock() { // a direction that waits for its reader holds its lock
			n += cap(d.held) + cap(d.frame) + cap(d.input)
			d.mu.Unlock()
		}
	}
	return n
}
