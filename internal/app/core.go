package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/detect"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/memory"
	"weir/internal/policy"
	"weir/internal/reputation"
)

// core is what the data path and the command line share: the gate with its policy and lists.
type core struct {
	log    *slog.Logger
	engine *inspect.Engine
	gate   *gate.Gate
	tally  *policy.Tally // of every policy in turn
	memory *memory.Memory
	seen   *reputation.Observer // writes it; nobody asks it where lists are only looked at

	locks sync.Mutex // guards names
	names map[string]*memory.Names

	imitated imitated

	mu    sync.Mutex // guards what follows and every change of policy
	file  *File
	lists *source.Manager
}

// coreConfig says what a core is for.
type coreConfig struct {
	recorder event.Recorder
	log      *slog.Logger
	clock    func() time.Time // of the time cap; nil: none
	readOnly bool             // lists are looked at as a running weir left them
}

// newCore loads lists from disk, compiles the policy and puts it in force. Lists that cannot be loaded are logged; a policy that
// does not compile is an error.
func newCore(ctx context.Context, f *File, c coreConfig) (*core, error) {
	engine := inspect.NewEngine(detect.All(), c.clock)
	k := &core{log: c.log, engine: engine, tally: &policy.Tally{}}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	k.seen, k.names = reputation.NewObserver(k.log), map[string]*memory.Names{}
	k.imitated.later = !c.readOnly
	if err := k.openMemory(f, c.readOnly); err != nil {
		return nil, err
	}
	watch := gate.Config{Engine: engine, Recorder: c.recorder, Allowed: f.Events.IncludeAllowed}
	if !c.readOnly {
		watch.Observers = []inspect.Observer{k.seen}
	}
	k.gate = gate.New(watch)
	next, err := k.prepare(ctx, f, c.readOnly)
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	k.commit(next)
	return k, nil
}

// change is a policy that compiled and waits to be put in force.
type change struct {
	file  *File
	lists *source.Manager
	snap  *policy.Snapshot
	locks []*memory.Reading
}

// prepare does everything that can fail; nothing in force is touched.
func (k *core) prepare(ctx context.Context, f *File, readOnly bool) (change, error) {
	src, err := sources(f.File)
	if err != nil {
		return change{}, problemsOf(f.File, err)
	}
	manager, err := source.New(source.Config{Dir: f.ListsDir(), Sources: src, Canaries: canaries(f.File), ReadOnly: readOnly, Logger: k.log})
	if err != nil {
		return change{}, problemsOf(f.File, err)
	}
	set, err := manager.Load(ctx)
	if err != nil { // the Set is usable all the same: what went wrong keeps its last good copy
		for _, text := range lines(err) {
			k.log.Warn("a list was not loaded", "error", text)
		}
	}
	if err := ctx.Err(); err != nil {
		return change{}, err // some lists may be missing only because we were stopped
	}
	locks, err := k.readLocks(f)
	if err != nil {
		return change{}, err
	}
	snap, err := k.compile(f, set)
	if err != nil {
		return change{}, problemsOf(f.File, err)
	}
	return change{f, manager, snap, locks}, nil
}

func (k *core) compile(f *File, set *blocklists.Set) (*policy.Snapshot, error) {
	cfg, err := policyConfig(f.File, k.engine.Infos(), version(f, set))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	cfg.Tally = k.tally
	if cfg.Standing, err = k.book(f, cfg.Clients, set); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	snap, err := policy.Compile(cfg, set)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return snap, nil
}

// version labels a policy: the same config text and the same lists give the same label on every machine.
func version(f *File, set *blocklists.Set) string {
	h := sha256.New()
	_, _ = io.WriteString(h, f.digest)
	for i := range set.Lists() {
		_, _ = fmt.Fprintf(h, "|%s:%s", set.List(uint16(i)).Name, set.List(uint16(i)).Hash)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// commit puts a change in force for all transactions that begin from now on.
func (k *core) commit(c change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, k.lists = c.file, c.lists
	for _, r := range c.locks {
		r.Commit()
	}
	k.force(c.snap)
}

// relist puts a new Set in force under the same config file. It is called by the lists' own goroutine; a manager that was
// replaced meanwhile no longer speaks.
func (k *core) relist(m *source.Manager, set *blocklists.Set) error {
	k.imitated.of(set, k.current().Reputation.Protect) // it takes longest: nobody waits for the lock meanwhile
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lists != m {
		return nil
	}
	snap, err := k.compile(k.file, set)
	if err != nil {
		return err
	}
	k.force(snap)
	return nil
}

// force swaps the policy, and what remembers under it.
func (k *core) force(snap *policy.Snapshot) {
	k.seen.Swap(snap.Standing())
	k.gate.Swap(snap)
}

// current returns the config file in force.
func (k *core) current() *File {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file
}

// manager returns the lists in force.
func (k *core) manager() *source.Manager {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lists
}
