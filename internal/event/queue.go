package event

import "sync"

// queue is a bounded ring of events in the order in which they came. Its last quarter is kept for urgent events, so that a flood
// of allowed traffic cannot hide an attack.
type queue struct {
	mu     sync.Mutex
	ring   []*Event
	head   int // index of the oldest
	n      int // how many wait
	pushed uint64
	closed bool

	wake chan struct{} // capacity 1: something happened
}

func newQueue(size int) *queue {
	return &queue{ring: make([]*Event, size), wake: make(chan struct{}, 1)}
}

// push reports whether there was room for e.
func (q *queue) push(e *Event) bool {
	limit := len(q.ring)
	if !urgent(e) {
		limit -= limit / 4
	}
	q.mu.Lock()
	ok := !q.closed && q.n < limit
	if ok {
		q.ring[(q.head+q.n)%len(q.ring)] = e
		q.n++
		q.pushed++
	}
	q.mu.Unlock()
	if ok {
		q.signal()
	}
	return ok
}

// pop moves up to cap(into) events into it, oldest first. done means that the queue is closed and empty.
func (q *queue) pop(into []*Event) (out []*Event, done bool) {
	out = into[:0]
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n > 0 && len(out) < cap(into) {
		out = append(out, q.ring[q.head])
		q.ring[q.head] = nil
		q.head = (q.head + 1) % len(q.ring)
		q.n--
	}
	return out, q.closed && len(out) == 0
}

// close lets nothing more in. It may be called again.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// state returns how many events were ever let in and how many wait.
func (q *queue) state() (pushed uint64, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pushed, q.n
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
