package event

import (
	"context"
	"fmt"
	"sync"
)

// Discard is a Recorder that forgets everything.
type Discard struct{}

var _ Recorder = Discard{}

// Record does nothing.
func (Discard) Record(*Event) {}

// Memory is a Recorder that keeps every event, without bound: for tests and for commands that judge one thing. The zero Memory is
// ready and safe for concurrent use; it must not be copied.
type Memory struct {
	mu     sync.Mutex
	events []*Event
	more   chan struct{} // closed by the next Record; nil when nobody waits
}

var _ Recorder = (*Memory)(nil)

// Record keeps e.
func (m *Memory) Record(e *Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
	if m.more != nil {
		close(m.more)
		m.more = nil
	}
}

// Events returns what was recorded so far, oldest first, in a slice of the caller's own.
func (m *Memory) Events() []*Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*Event(nil), m.events...)
}

// Wait returns the events as soon as there are n of them. When ctx ends first it returns those that came, and an error that wraps
// that of ctx and says how many they are.
func (m *Memory) Wait(ctx context.Context, n int) ([]*Event, error) {
	for {
		m.mu.Lock()
		if len(m.events) >= n {
			m.mu.Unlock()
			return m.Events(), nil
		}
		if m.more == nil {
			m.more = make(chan struct{})
		}
		more := m.more
		m.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			got := m.Events()
			return got, fmt.Errorf("wait for %d events, have %d: %w", n, len(got), ctx.Err())
		}
	}
}

// Reset forgets what was recorded so far.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = nil
}
