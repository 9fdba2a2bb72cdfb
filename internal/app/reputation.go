package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"weir/blocklists"
	"weir/internal/admin"
	"weir/internal/config"
	"weir/internal/identity"
	"weir/internal/memory"
	"weir/internal/redact"
	"weir/internal/reputation"
	"weir/internal/verdict"
)

// SeenFile is the memory of names, below the data directory.
func (f *File) SeenFile() string { return filepath.Join(f.DataDir(), "names.seen") }

// LockFile is what a lock has learnt.
func (f *File) LockFile(lock string) string {
	return filepath.Join(f.DataDir(), "locks", lock+".txt")
}

// openMemory opens the memory of names. Where it cannot be kept it lives as long as the process: what it would have said of older names
// is that they are new.
func (k *core) openMemory(f *File, readOnly bool) error {
	n := f.Reputation.Remember
	if n == 0 {
		return nil
	}
	c := memory.Config{Path: f.SeenFile(), Names: n, Now: time.Now(), ReadOnly: readOnly, Log: k.log}
	m, err := memory.Open(c)
	if err != nil && !readOnly {
		level := slog.LevelWarn
		if errors.Is(err, memory.ErrInUse) {
			level = slog.LevelInfo // the control socket will say it louder
		}
		k.log.Log(context.Background(), level, "names that are seen will not be remembered across a restart", "error", redact.Error(err))
		c.Path = ""
		m, err = memory.Open(c)
	}
	if err != nil && !readOnly {
		return err
	}
	k.memory = m // of one that cannot be looked at: nil, which has seen nothing
	return nil
}

// learnt returns what a lock has learnt; the same one for as long as the process lives, for transactions may be adding to it.
func (k *core) learnt(f *File, lock string) *memory.Names {
	k.locks.Lock()
	defer k.locks.Unlock()
	n := k.names[lock]
	if n == nil {
		n = memory.NewNames(f.LockFile(lock))
		k.names[lock] = n
	}
	return n
}

// readLocks reads the files of all locks; nothing changes before they are committed.
func (k *core) readLocks(f *File) ([]*memory.Reading, error) {
	var out []*memory.Reading
	for i, l := range f.Reputation.Lock {
		r, err := k.learnt(f, l.Name).Read()
		if err != nil {
			return nil, problem(f.File, fmt.Sprintf("reputation.lock[%d].name", i), err)
		}
		for _, p := range r.Problems {
			k.log.Warn("a line of a lock does not count", "lock", l.Name, "problem", redact.Error(p))
		}
		out = append(out, r)
	}
	return out, nil
}

// lockProblems reports lines of the locks' files that do not count.
func (k *core) lockProblems(f *File) (found config.Problems) {
	for i, l := range f.Reputation.Lock {
		r, err := k.learnt(f, l.Name).Read()
		if err != nil {
			continue // reported when it was read
		}
		for _, p := range r.Problems {
			found = append(found, f.Problem(fmt.Sprintf("reputation.lock[%d].name", i), redact.Error(p)))
		}
	}
	return found
}

// book is what gives classes under one policy.
func (k *core) book(f *File, clients *identity.Table, set *blocklists.Set) (*reputation.Book, error) {
	r := &f.Reputation
	cfg := reputation.Config{
		Memory: k.memory, UnknownFor: r.UnknownFor.Std(), SuspectFor: r.SuspectFor.Std(), Lookalikes: k.imitated.of(set, r.Protect), Clients: clients,
	}
	for _, n := range r.RiskySuffixes {
		cfg.Suffixes = append(cfg.Suffixes, n.Name)
	}
	for _, n := range f.Internal.Zones {
		cfg.Internal = append(cfg.Internal, n.Name)
	}
	for _, l := range r.Lock {
		lock := reputation.Lock{Name: l.Name, Until: l.LearnUntil.Time, Names: k.learnt(f, l.Name)}
		for _, name := range l.Groups {
			g, ok := clients.Number(name)
			if !ok {
				return nil, fmt.Errorf("lock %q: unknown group %q", l.Name, name)
			}
			lock.Groups |= g
		}
		cfg.Locks = append(cfg.Locks, lock)
	}
	return reputation.New(cfg), nil
}

// close gives back what a core keeps open; nothing is lost where it is not called.
func (k *core) close() error {
	k.locks.Lock()
	defer k.locks.Unlock()
	err := k.memory.Close()
	for _, n := range k.names {
		err = errors.Join(err, n.Close())
	}
	return err
}

// reputationMetrics are about the memory of names and the classes of what was decided.
func (w *Service) reputationMetrics() []admin.Metric {
	m, seen := w.core.memory.Stats(), w.core.seen.Stats()
	out := []admin.Metric{
		gauge("weir_memory_names", "Names whose first sight is remembered.", &m.Names),
		{Name: "weir_memory_capacity", Help: "Names there is room for.", Type: admin.Gauge, Value: func() float64 { return float64(w.core.memory.Capacity()) }},
		counter("weir_memory_replaced_total", "Names that others pushed out of the memory.", &m.Replaced),
		counter("weir_memory_refused_total", "Names not remembered because the clock was before the memory was made.", &m.Refused),
		counter("weir_memory_noted_total", "Names noted, again or for the first time.", &seen.Remembered),
		counter("weir_lock_unlearnt_total", "Names that a lock could not learn.", &seen.Unlearnt),
	}
	classes := &w.core.gate.Stats().Classes
	for c := verdict.ClassBad; c <= verdict.ClassKnown; c++ {
		out = append(out, counter("weir_classes_total", "Finished transactions by class of what was decided about.", &classes[c], label("class", c.String())))
	}
	return out
}

// lockMetrics are about each lock now in force; their names are those of the config.
func (w *Service) lockMetrics() (out []admin.Metric) {
	for _, l := range w.core.gate.Policy().Standing().Locks() {
		out = append(out, admin.Metric{
			Name: "weir_lock_names", Help: "Names that a lock has learnt.", Type: admin.Gauge, Labels: []admin.Label{label("lock", l.Name)},
			Value: func() float64 { return float64(l.Names.Len()) },
		})
	}
	return out
}
