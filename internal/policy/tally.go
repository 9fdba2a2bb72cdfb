package policy

import (
	"sync"
	"sync/atomic"

	"weir/internal/verdict"
)

// Tally counts, list by list, in how many transactions it spoke. It outlives the Snapshots that count into it, so the counts only
// grow. The nil Tally counts nothing. It is safe for concurrent use.
type Tally struct {
	mu    sync.Mutex // guards lists
	lists map[string]*ListTally
}

// ListTally are the counts of one list. Every field only grows.
type ListTally struct {
	Hits  atomic.Uint64 // transactions in which an entry of it spoke
	Would atomic.Uint64 // those of them that it would have blocked, were it, the rule or the policy not only tried out
}

// List returns the counts of a list, which begin at 0 when it is first asked for; nil for the nil Tally.
func (t *Tally) List(name string) *ListTally {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lists == nil {
		t.lists = map[string]*ListTally{}
	}
	l := t.lists[name]
	if l == nil {
		l = &ListTally{}
		t.lists[name] = l
	}
	return l
}

// Count adds what a finished transaction met to the tally: each list once, however many stages it spoke in.
func (s *Snapshot) Count(tr *verdict.Trace) {
	if s == nil || s.cfg.Tally == nil {
		return
	}
	for i := range tr.Steps {
		v := &tr.Steps[i].Verdict
		n := int(v.Ref.List)
		if n == 0 || n > len(s.listing) {
			continue
		}
		seen, would := false, v.Observed
		for j := range tr.Steps[:i] {
			if w := &tr.Steps[j].Verdict; int(w.Ref.List) == n {
				seen, would = true, would && !w.Observed
			}
		}
		if !seen {
			s.listing[n-1].tally.Hits.Add(1)
		}
		if would {
			s.listing[n-1].tally.Would.Add(1)
		}
	}
}
