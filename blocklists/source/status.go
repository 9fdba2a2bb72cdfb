package source

import (
	"maps"
	"slices"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// Status tells people and metrics how one list fares.
type Status struct {
	Name            string
	Source          string        // file, directory or URL, without secrets
	Format          format.Format // as detected
	Rules           int           // entries in force
	Names           int
	Addresses       int
	URLs            int
	Fingerprints    int
	Refused         int            // exceptions and the like, refused for want of a grant to allow
	RefusedRewrites int            // answers of its own, refused for want of a grant to rewrite
	RefusedClients  int            // about who asks, refused for want of a grant
	Skipped         map[string]int // lines skipped, by reason (see [format.Reason])
	Diagnostics     []format.Diagnostic
	Bytes           int64     // of text
	Hash            string    // SHA-256 of the text in force
	BuiltIn         bool      // the text is part of the program
	Directory       bool      // it stands for the files in it, which follow as lists of their own
	Files           int       // how many those are
	Loaded          bool      // a text is in force
	Expired         bool      // the text is too old to count
	Updated         time.Time // when the text in force was last seen to be current; zero for built-in lists
	Next            time.Time // of the next refresh; zero: none is planned
	LastError       string    // of the last attempt; empty: it went well
	Failing         bool      // the last attempt failed and an older copy is in force
	Pending         Candidate // held for review; the zero Candidate: nothing is
}

// Status tells how each list fares, in the order of the configuration.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Status, 0, len(m.items))
	for _, it := range m.items {
		out = append(out, it.status())
	}
	return out
}

// status is called with Manager.mu held.
func (it *item) status() Status {
	p := it.parsed
	s := Status{
		Name: it.src.List.Name, Source: it.src.shown(), Format: p.sum.Format,
		Rules: rules(p.stats), Names: p.stats.Names, Addresses: p.stats.Addresses, URLs: p.stats.URLs, Fingerprints: p.stats.Fingerprints,
		Refused: p.stats.Refused, RefusedRewrites: p.stats.RefusedRewrites, RefusedClients: p.stats.RefusedClients,
		Skipped: make(map[string]int), Diagnostics: slices.Clone(p.diags), Bytes: p.sum.Bytes,
		Hash: it.meta.Hash, Updated: it.meta.Checked, Next: it.next, Failing: it.err != nil && p.ok,
		BuiltIn: it.src.Text != "", Directory: it.src.Dir != "", Files: len(it.files), Loaded: p.ok, Expired: p.expired, Pending: it.pending.Candidate,
	}
	for reason, n := range maps.All(p.sum.Skipped) {
		s.Skipped[string(reason)] = n
	}
	if it.err != nil {
		s.LastError = it.err.Error()
	}
	return s
}

// Held says whether a text is held for review.
func (s Status) Held() bool { return !s.Pending.Since.IsZero() }

func rules(s set.ListStats) int { return s.Names + s.Addresses + s.URLs + s.Fingerprints }

// Vitals are the few numbers of one list that metrics show.
type Vitals struct {
	Rules   int       // entries in force
	Updated time.Time // as in [Status]
	Loaded  bool      // a text is in force
	Failing bool      // the last attempt to have a newer one failed
	Held    bool      // a text is held for review
	Expired bool      // the text is too old to count
}

// Vitals returns the numbers of a list, without the work of [Manager.Status]; zero when there is none of that name.
func (m *Manager) Vitals(name string) Vitals {
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.byName[name]
	if it == nil {
		return Vitals{}
	}
	return Vitals{
		Rules: rules(it.parsed.stats), Updated: it.meta.Checked, Loaded: it.parsed.ok, Failing: it.err != nil,
		Held: it.pending.Text.Hash != "", Expired: it.parsed.expired,
	}
}
