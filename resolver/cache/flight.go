package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"weir/resolver/query"
)

// ErrPanic says that the work of a flight panicked; everyone who waited gets it.
var ErrPanic = errors.New("panic while resolving")

// Result is what a flight brought.
type Result struct {
	Entry    Entry
	Upstream string // the server that answered; "" none
	Shared   bool   // another query's flight brought it
}

// Flight joins identical questions: N at once make one upstream query. It keeps a birthday attack from raising its chances with
// the number of queries (CVE-2023-30464, CVE-2024-56089). The zero Flight is ready; it must not be copied.
type Flight struct {
	mu    sync.Mutex
	calls map[query.Key]*call
	wg    sync.WaitGroup
}

type call struct {
	done   chan struct{}
	result Result
	err    error
}

// Do runs work for a key, or waits for one that runs already. Work runs on a goroutine of its own with the context base, so that
// the first asker's leaving does not hurt the others; ctx ends this caller's waiting only.
func (f *Flight) Do(ctx, base context.Context, key query.Key, work func(context.Context) (Result, error)) (Result, error) {
	c, shared := f.join(base, key, work)
	select {
	case <-c.done:
		r := c.result
		r.Shared = shared
		return r, c.err
	case <-ctx.Done():
		return Result{}, fmt.Errorf("wait for an answer: %w", context.Cause(ctx))
	}
}

func (f *Flight) join(base context.Context, key query.Key, work func(context.Context) (Result, error)) (c *call, shared bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.calls[key]; ok {
		return c, true
	}
	if f.calls == nil {
		f.calls = map[query.Key]*call{}
	}
	c = &call{done: make(chan struct{})}
	f.calls[key] = c
	f.wg.Go(func() { f.run(base, key, c, work) })
	return c, false
}

func (f *Flight) run(base context.Context, key query.Key, c *call, work func(context.Context) (Result, error)) {
	defer func() {
		if p := recover(); p != nil {
			c.err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
		f.mu.Lock()
		delete(f.calls, key)
		f.mu.Unlock()
		close(c.done)
	}()
	c.result, c.err = work(base)
}

// Wait returns when no flight is under way.
func (f *Flight) Wait() { f.wg.Wait() }
