package source

import (
	"context"
	"math/rand/v2"
	"time"

	"weir/blocklists/set"
)

// Run refreshes lists when they are due and calls onChange, from one goroutine at a time, with each new Set, until ctx ends.
// onChange must not call Load, Refresh or Run. It returns when all its goroutines have ended. Call it once, after Load.
func (m *Manager) Run(ctx context.Context, onChange func(*set.Set)) error {
	if m.readOnly {
		return ErrReadOnly
	}
	m.mu.Lock()
	m.onChange = onChange
	m.mu.Unlock()
	r := runner{m: m, busy: make(map[*item]bool), done: make(chan result), slots: make(chan struct{}, maxParallel)}
	r.loop(ctx)
	return nil
}

// runner is the state of one Run; its fields belong to loop.
type runner struct {
	m       *Manager
	busy    map[*item]bool
	done    chan result
	slots   chan struct{}
	settled time.Time // when to compile what came; zero: nothing came
	letGo   time.Time // when to give back what hits have made resident of the saved Set
}

type result struct {
	it      *item
	changed bool
}

func (r *runner) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.start(ctx)
		if changed, _ := r.m.aging(time.Now()); changed && r.settled.IsZero() {
			r.settled = time.Now()
		}
		if !r.settled.IsZero() && (len(r.busy) == 0 || !time.Now().Before(r.settled)) {
			r.settled = time.Time{}
			r.m.publish(ctx)
		}
		if now := time.Now(); !now.Before(r.letGo) {
			r.m.Set().LetGo()
			r.letGo = now.Add(letGoEvery)
		}
		timer.Reset(r.wait())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case res := <-r.done:
			r.finish(res)
		}
	}
	for len(r.busy) > 0 { // ctx has ended: they end soon
		r.finish(<-r.done)
	}
}

// start begins the refresh of everything that is due.
func (r *runner) start(ctx context.Context) {
	now := time.Now()
	for _, it := range r.m.all() {
		if due := r.m.due(it); r.busy[it] || due.IsZero() || now.Before(due) {
			continue
		}
		r.busy[it] = true
		go func() { // loop waits for its result
			r.slots <- struct{}{}
			changed, _ := r.m.refresh(ctx, it) // the error stands in the status
			<-r.slots
			r.done <- result{it, changed}
		}()
	}
}

func (r *runner) finish(res result) {
	delete(r.busy, res.it)
	if res.changed && r.settled.IsZero() {
		r.settled = time.Now().Add(settle)
	}
}

// letGoEvery is how long the pages of the saved Set that hits have touched stay resident: names that are asked all the time pay
// a fault a minute, and a burst of hits on all kinds of names is forgotten after one.
const letGoEvery = time.Minute

// wait is the time to the next thing to do.
func (r *runner) wait() time.Duration {
	next := r.letGo
	if !r.settled.IsZero() && r.settled.Before(next) {
		next = r.settled
	}
	if _, old := r.m.aging(time.Now()); !old.IsZero() && old.Before(next) {
		next = old
	}
	for _, it := range r.m.all() {
		if due := r.m.due(it); !r.busy[it] && !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return max(0, time.Until(next))
}

// due is when an item is to be refreshed; the zero time: never.
func (m *Manager) due(it *item) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if every := it.interval(); it.next.IsZero() && every > 0 && it.src.Text == "" {
		switch {
		case it.src.remote():
			it.next = time.Now()
		case it.err != nil: // Load has just failed to read it
			it.next = time.Now().Add(jitter(min(every, firstRetry)))
		default: // Load has just read it
			it.next = time.Now().Add(jitter(every))
		}
	}
	return it.next
}

// jitter changes d at random by up to a tenth either way.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))
}
