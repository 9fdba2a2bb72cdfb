package reputation

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/redact"
)

// Observer remembers what was let through and answered, and has locks learn it. What is blocked is not remembered: nobody makes his
// name old by asking for it again and again. Neither is what does not exist (NXDOMAIN), nor what could not be reached.
type Observer struct {
	book  atomic.Pointer[Book]
	log   *slog.Logger
	stats ObserverStats
}

// ObserverStats counts what an Observer did. Every field only grows.
type ObserverStats struct {
	Remembered atomic.Uint64 // names noted, again or for the first time
	Unlearnt   atomic.Uint64 // names that a lock could not learn: its file is full or cannot be written
}

// NewObserver makes an Observer that remembers nothing until [Observer.Swap].
func NewObserver(log *slog.Logger) *Observer { return &Observer{log: log} }

// Swap puts another Book in force.
func (o *Observer) Swap(b *Book) { o.book.Store(b) }

// Book is the one in force; nil before the first Swap.
func (o *Observer) Book() *Book { return o.book.Load() }

// Stats returns the counters.
func (o *Observer) Stats() *ObserverStats { return &o.stats }

// Observe implements [inspect.Observer].
func (o *Observer) Observe(tx *inspect.Transaction) {
	if b := o.book.Load(); b != nil && !tx.Verdict.Blocks() && tx.Answered {
		o.remember(b, tx)
		o.learn(b, tx)
	}
}

// Watch implements [inspect.Watcher]: what a connection that lives on leads to is learnt before a lock falls shut on it.
func (o *Observer) Watch(tx *inspect.Transaction) {
	if b := o.book.Load(); b != nil && !tx.Verdict.Blocks() {
		o.learn(b, tx)
	}
}

var (
	_ inspect.Observer = (*Observer)(nil)
	_ inspect.Watcher  = (*Observer)(nil)
)

// remember notes the target and the names that it led to.
func (o *Observer) remember(b *Book, tx *inspect.Transaction) {
	o.note(b, tx.Target.Name, tx.Request.URL, absent(tx), tx.Now)
	for _, n := range tx.Names {
		o.note(b, n, "", false, tx.Now)
	}
}

// absent says whether the service answered that what was asked for is not there: then its customer may not be there either, and who
// asks for one of the future does not make him older.
func absent(tx *inspect.Transaction) bool {
	return tx.Response.Status == http.StatusNotFound || tx.Response.Status == http.StatusGone
}

func (o *Observer) note(b *Book, name hostname.Name, url string, absent bool, now time.Time) {
	if name.IsZero() {
		return
	}
	if _, own := b.internal(name); own {
		return
	}
	p := tenantOf(name, url)
	if p.shared && absent {
		return
	}
	b.cfg.Memory.Note(p.key, now)
	o.stats.Remembered.Add(1)
}

// learn has every lock that still learns learn the target. Names that it leads to need not be learnt: they pass behind it.
func (o *Observer) learn(b *Book, tx *inspect.Transaction) {
	for i := range b.cfg.Locks {
		l := &b.cfg.Locks[i]
		if !tx.Now.Before(l.Until) || !b.cfg.Clients.Lookup(tx.Flow.Client.Addr).Groups.Has(l.Groups) {
			continue // the groups of the transaction are numbers of its own policy, which may be an older one
		}
		if _, own := b.internal(tx.Target.Name); own {
			continue
		}
		for _, key := range keys(tx) {
			if err := l.Names.Add(key); err != nil && o.stats.Unlearnt.Add(1)%1000 == 1 { // once for many: they have one reason
				o.log.Error("a lock does not learn: what it misses will be blocked", "lock", l.Name, "error", redact.Error(err))
			}
		}
	}
}

// keys are the lines that a lock learns of a transaction: the name or address, and the customer of a shared service where the path
// tells.
func keys(tx *inspect.Transaction) []string {
	if tx.Target.IsAddr() {
		return []string{addressKey(tx.Target.Addr)}
	}
	if tx.Target.Name.IsZero() {
		return nil
	}
	out := []string{tx.Target.Name.String()}
	if p := tenantOf(tx.Target.Name, tx.Request.URL); p.door != "" && !absent(tx) {
		out = append(out, p.door)
	}
	return out
}

func addressKey(a netip.Addr) string { return a.Unmap().String() }
