package app

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"weir/blocklists"
	"weir/internal/config"
	"weir/internal/reputation"
	"weir/internal/reputation/lookalike"
)

// imitated keeps the index of the names that others imitate for as long as what it is made of stays the same: most reloads and most
// refreshes of lists change nothing of it.
type imitated struct {
	mu    sync.Mutex // guards what follows; held while an index is built, so that it is built once
	key   string
	index *lookalike.Index
	later bool // the lists wait for the second time, so that a start does not: reading them takes a second where they are long
}

// of returns the index of the names of the config, the built-in ones, and those of lists of class known.
func (i *imitated) of(set *blocklists.Set, protect []config.Name) *lookalike.Index {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := imitatedKey(set, protect)
	if i.later && len(reputation.PopularityLists(set)) > 0 {
		set, key = nil, ""
	}
	i.later = false
	if i.index != nil && key != "" && i.key == key {
		return i.index
	}
	names := reputation.Popular()
	for _, n := range protect {
		names = append(names, lookalike.Popular{Name: n.Name, Protected: true})
	}
	names = append(names, reputation.Ranked(set)...)
	i.key, i.index = key, lookalike.New(names)
	return i.index
}

// imitatedKey changes when the names do.
func imitatedKey(set *blocklists.Set, protect []config.Name) string {
	h := sha256.New()
	for _, n := range protect {
		_, _ = fmt.Fprintf(h, "%s\n", n.Name)
	}
	for _, l := range reputation.PopularityLists(set) {
		_, _ = fmt.Fprintf(h, "|%s:%s:%d", set.List(l).Name, set.List(l).Hash, set.ListStats(l).Names)
	}
	return string(h.Sum(nil))
}

// imitate makes look-alikes known of the names that lists call popular, which did not wait for the start; changed is false when there
// were none.
func (k *core) imitate() (changed bool, err error) {
	m := k.manager()
	if k.imitated.complete() {
		return false, nil
	}
	return true, k.relist(m, m.Set())
}

// complete says whether nothing waits.
func (i *imitated) complete() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.key != ""
}
