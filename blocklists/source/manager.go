package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// Manager keeps the lists of one configuration. Its sources never change: after a change of the configuration make a new
// Manager on the same directory, Load it, and stop the Run of the old one; what was downloaded is found on disk.
type Manager struct {
	store    store
	readOnly bool
	client   *http.Client
	log      *slog.Logger
	items    []*item

	work sync.Mutex // held while files are read and a Set is compiled, never while the network is waited for

	mu       sync.Mutex // guards what follows and the state of every item
	current  *set.Set
	onChange func(*set.Set)
}

// item is one source and how it fares.
type item struct {
	src  Source
	base string

	fetching sync.Mutex // held during one refresh of this item

	// guarded by Manager.mu
	meta     meta
	direct   bool     // the file at src.Path is read itself: it is good and no copy could be made
	origin   identity // of the file at src.Path when it was read
	err      error
	failures int
	next     time.Time
	parsed   parsed
}

// interval is the time between refreshes; 0: never. The caller holds Manager.mu.
func (it *item) interval() time.Duration {
	if it.src.Interval == 0 && it.src.Transfer.given() {
		return it.meta.Zone.interval()
	}
	return it.src.Interval
}

// parsed is what the compiled text of an item held.
type parsed struct {
	ok     bool
	sum    format.Summary
	diags  []format.Diagnostic
	stats  set.ListStats
	digest string   // of the text
	text   identity // of the file that held it
}

// New checks the configuration and makes a Manager; nothing is read yet. The error names every invalid source.
func New(c Config) (*Manager, error) {
	m := &Manager{store: store{c.Dir}, readOnly: c.ReadOnly || c.Dir == "", client: guarded(c.Client), log: c.Logger}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	var errs []error
	seen := make(map[string]bool)
	for _, s := range c.Sources {
		if err := s.check(); err != nil {
			errs = append(errs, err)
			continue
		}
		if seen[s.List.Name] {
			errs = append(errs, fmt.Errorf("%w: two lists are named %q", ErrConfig, s.List.Name))
			continue
		}
		seen[s.List.Name] = true
		m.items = append(m.items, &item{src: s.withDefaults(), base: fileBase(s.List.Name, s.location())})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m, nil
}

// Load reads all files that have changed and compiles everything that is on disk, or takes the Set that was compiled from just
// that before (it is saved in Dir, and made by every program that is not ReadOnly); it never waits for the network. The Set is always usable;
// the error joins what went wrong with files and copies (not: lists that were never downloaded), which Status tells too.
func (m *Manager) Load(ctx context.Context) (*set.Set, error) {
	m.work.Lock()
	defer m.work.Unlock()
	if !m.readOnly {
		m.store.sweep()
	}
	var errs []error
	snap := m.openSnapshot()
	for i, it := range m.items {
		switch {
		case it.src.Path != "":
			if m.takeFile(snap, i) {
				continue
			}
			if _, err := m.readFile(ctx, it); err != nil {
				m.failed(it, err)
				errs = append(errs, fmt.Errorf("list %q: %w", it.src.List.Name, err))
			}
		case it.src.remote():
			m.adopt(snap, i)
		}
	}
	if s, ok := m.take(snap); ok {
		return s, errors.Join(errs...)
	}
	s, err := m.compile(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// adopt takes over what the disk knows of a remote list, and plans its next refresh: at once when there is no copy, or not the
// one that the metadata speaks of.
func (m *Manager) adopt(snap *snapshot, i int) {
	it := m.items[i]
	m.mu.Lock()
	known := it.meta.Hash != ""
	m.mu.Unlock()
	if known || m.store.dir == "" {
		return
	}
	found := m.store.readMeta(it.base)
	digest, err := m.copyDigest(snap, i)
	if err != nil {
		found = meta{}
	} else if digest != found.Hash || !m.signed(snap, i, digest) {
		found = meta{Entries: found.Entries, Hash: digest}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	it.meta = found
	if !m.readOnly && !found.Checked.IsZero() {
		it.next = found.Checked.Add(it.interval())
	}
}

// Set returns the Set compiled last; nil, which matches nothing, before the first Load.
func (m *Manager) Set() *set.Set {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

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
		if !r.settled.IsZero() && (len(r.busy) == 0 || !time.Now().Before(r.settled)) {
			r.settled = time.Time{}
			r.m.publish(ctx)
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
	for _, it := range r.m.items {
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

// wait is the time to the next thing to do; an hour when there is none.
func (r *runner) wait() time.Duration {
	next := time.Now().Add(time.Hour)
	if !r.settled.IsZero() && r.settled.Before(next) {
		next = r.settled
	}
	for _, it := range r.m.items {
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
		case it.src.Path == "":
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

// Refresh fetches one list now, or all when name is empty, and compiles and publishes (see Run) what changed.
func (m *Manager) Refresh(ctx context.Context, name string) error {
	if m.readOnly {
		return ErrReadOnly
	}
	var errs []error
	found, changed := false, false
	for _, it := range m.items {
		if name != "" && it.src.List.Name != name {
			continue
		}
		found = true
		if it.src.Text != "" {
			continue
		}
		c, err := m.refresh(ctx, it)
		changed = changed || c
		if err != nil {
			errs = append(errs, fmt.Errorf("list %q: %w", it.src.List.Name, err))
		}
	}
	if !found && name != "" {
		return fmt.Errorf("list %q: %w", name, ErrNoList)
	}
	if changed {
		m.publish(ctx)
	}
	return errors.Join(errs...)
}

// publish compiles a Set and hands it to onChange.
func (m *Manager) publish(ctx context.Context) {
	m.work.Lock()
	defer m.work.Unlock()
	s, err := m.compile(ctx)
	if err != nil {
		m.log.Error("compile lists", "err", err)
	}
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	call := m.onChange
	m.mu.Unlock()
	if call != nil {
		call(s)
	}
}

// Status tells how each list fares, in the order of the configuration.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Status, 0, len(m.items))
	for _, it := range m.items {
		p := it.parsed
		s := Status{
			Name: it.src.List.Name, Source: it.src.shown(), Format: p.sum.Format,
			Rules: p.stats.Names + p.stats.Addresses, Names: p.stats.Names, Addresses: p.stats.Addresses, Refused: p.stats.Refused,
			Skipped: make(map[string]int), Diagnostics: slices.Clone(p.diags), Bytes: p.sum.Bytes,
			Hash: it.meta.Hash, Updated: it.meta.Checked, Next: it.next, Held: it.err != nil && p.ok,
			BuiltIn: it.src.Text != "", Loaded: p.ok,
		}
		for reason, n := range maps.All(p.sum.Skipped) {
			s.Skipped[string(reason)] = n
		}
		if it.err != nil {
			s.LastError = it.err.Error()
		}
		out = append(out, s)
	}
	return out
}

// Vitals are the few numbers of one list that metrics show.
type Vitals struct {
	Rules   int       // entries in force
	Updated time.Time // as in [Status]
	Loaded  bool      // a text is in force
	Failing bool      // the last attempt to have a newer one failed
}

// Vitals returns the numbers of the i-th list of the configuration, without the work of [Manager.Status]; zero when there is none.
func (m *Manager) Vitals(i int) Vitals {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i < 0 || i >= len(m.items) {
		return Vitals{}
	}
	it := m.items[i]
	return Vitals{Rules: it.parsed.stats.Names + it.parsed.stats.Addresses, Updated: it.meta.Checked, Loaded: it.parsed.ok, Failing: it.err != nil}
}
