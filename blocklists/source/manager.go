package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
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
	canaries *canaries
	roots    []*item // one for each source

	work sync.Mutex // held while files are read and a Set is compiled, never while the network is waited for

	mu       sync.Mutex // guards what follows and the state of every item
	items    []*item    // the roots, and behind each directory its files; replaced as a whole
	byName   map[string]*item
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
	pending  candidate
	files    []*item // of a directory, by name
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
	ok      bool
	expired bool // the text is too old, and was left out
	sum     format.Summary
	diags   []format.Diagnostic
	stats   set.ListStats
	digest  string   // of the text
	text    identity // of the file that held it
}

// New checks the configuration and makes a Manager; nothing is read yet. The error names every invalid source.
func New(c Config) (*Manager, error) {
	m := &Manager{store: store{c.Dir, system{}}, readOnly: c.ReadOnly || c.Dir == "", client: guarded(c.Client, hostsOf(c.Sources)), log: c.Logger}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.canaries = newCanaries(slices.Concat(c.Canaries, origins(c.Sources), private()))
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
		m.roots = append(m.roots, newItem(s))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	m.arrange()
	return m, nil
}

func newItem(s Source) *item {
	s = s.withDefaults()
	return &item{src: s, base: fileBase(s.List.Name, s.location())}
}

// all returns the items as they are now.
func (m *Manager) all() []*item {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items
}

// arrange puts roots and files in order.
func (m *Manager) arrange() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := make([]*item, 0, len(m.items))
	m.byName = make(map[string]*item, len(m.items))
	for _, it := range m.roots {
		items = append(append(items, it), it.files...)
	}
	for _, it := range items {
		m.byName[it.src.List.Name] = it
	}
	m.items = items
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
	errs := m.scanAll(ctx)
	snap := m.openSnapshot()
	for i, it := range m.all() {
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
	it := m.all()[i]
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
		found = meta{Entries: found.Entries, Hash: digest, AsOf: changeOf(m.store.textPath(it.base))}
	}
	m.mu.Lock()
	it.meta = found
	if !m.readOnly && !found.Checked.IsZero() {
		it.next = found.Checked.Add(it.interval())
	}
	m.mu.Unlock()
	m.adoptHeld(it)
}

// changeOf is when a file was changed; zero when that cannot be told.
func changeOf(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return past(info.ModTime(), time.Now())
}

// Set returns the Set compiled last; nil, which matches nothing, before the first Load.
func (m *Manager) Set() *set.Set {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// meant says whether an item is to be refreshed by itself when name, or all, are.
func (it *item) meant(name string) bool {
	return it.src.List.Name == name || name == "" && it.src.folder == "" // a directory brings its files
}

// Refresh fetches one list now, or all when name is empty, and compiles and publishes (see Run) what changed.
func (m *Manager) Refresh(ctx context.Context, name string) error {
	if m.readOnly {
		return ErrReadOnly
	}
	var errs []error
	found, changed := false, false
	for _, it := range m.all() {
		if !it.meant(name) {
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
		errs = append(errs, m.fileErrors(it)...)
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
