package session

import (
	"net/netip"
	"sync"
	"time"

	"weir/internal/gate"
	"weir/internal/verdict"
)

// Registry lists what is live: tunnels, WebSockets, intercepted connections and requests under way. It is safe for concurrent
// use; the zero Registry is ready.
type Registry struct {
	mu   sync.Mutex
	live map[*entry]struct{} // guarded by mu
	idle chan struct{}       // guarded by mu; closed when live becomes empty, made by whoever waits
}

// entry is one live transaction.
type entry struct {
	x      *gate.Exchange
	server func() netip.Addr
	cut    func(verdict.Verdict)
	once   sync.Once
}

// How a live transaction was cut, for events.
const (
	CutReset = "reset"    // the connection was closed
	CutDrain = "shutdown" // closed because the program ends
)

// Add lists a live transaction. server returns the address that it is connected to, the zero Addr when there is none (yet); cut
// ends it for a verdict (the zero Verdict when the program ends), must not block, and is called at most once. The caller calls remove when the transaction ended.
func (r *Registry) Add(x *gate.Exchange, server func() netip.Addr, cut func(verdict.Verdict)) (remove func()) {
	e := &entry{x: x, server: server, cut: cut}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == nil {
		r.live = map[*entry]struct{}{}
	}
	r.live[e] = struct{}{}
	return func() { r.remove(e) }
}

func (r *Registry) remove(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, e)
	if len(r.live) == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// Len returns how many transactions are live.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.live)
}

func (r *Registry) entries() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*entry, 0, len(r.live))
	for e := range r.live {
		out = append(out, e)
	}
	return out
}

// Recheck admits everything live again under the policy now in force, cuts what it blocks, with an event each, and returns how
// many were cut. It is called after every swap of the policy and, while the policy has rules that expire, every second.
func (r *Registry) Recheck(now time.Time) (cut int) {
	for _, e := range r.entries() {
		var server netip.Addr
		if e.server != nil {
			server = e.server()
		}
		v := e.x.Again(now, server)
		if !v.Blocks() {
			continue
		}
		e.once.Do(func() {
			cut++
			e.x.Cut(now, v, CutReset)
			e.cut(v)
		})
	}
	return cut
}

// CutAll ends everything that is still live, without asking the policy.
func (r *Registry) CutAll() {
	for _, e := range r.entries() {
		e.once.Do(func() { e.cut(verdict.Verdict{}) })
	}
}

// Wait returns when nothing is live or stop is closed; it says whether nothing is.
func (r *Registry) Wait(stop <-chan struct{}) bool {
	r.mu.Lock()
	if len(r.live) == 0 {
		r.mu.Unlock()
		return true
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-stop:
		return false
	}
}
