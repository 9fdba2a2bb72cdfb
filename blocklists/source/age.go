package source

import (
	"log/slog"
	"time"
)

// confirmed is when the text in force was last known to be current, for its expiry: of a file of somebody else, its change.
func (it *item) confirmed() time.Time {
	if !it.meta.AsOf.IsZero() {
		return it.meta.AsOf
	}
	return it.meta.Checked
}

// isExpired says whether the text of an item is too old at this moment. A text of which nothing is known is not: its age counts
// from its file, see adopt. It is called with Manager.mu held.
func (it *item) isExpired(now time.Time) bool {
	at := it.expiry()
	return !at.IsZero() && !now.Before(at)
}

// expiry is when the text will be too old; zero: never. It is called with Manager.mu held.
func (it *item) expiry() time.Time {
	since, after := it.confirmed(), it.lifetime()
	if after == 0 || since.IsZero() || it.src.Text != "" || it.src.Dir != "" {
		return time.Time{}
	}
	return since.Add(after)
}

// lifetime is the age at which the text no longer counts, as the operator or the zone says, whichever is shorter; 0: none. It is
// called with Manager.mu held.
func (it *item) lifetime() time.Duration {
	after := it.src.Expires
	if zone := it.meta.Zone.expiry(it.interval()); zone > 0 && (after == 0 || zone < after) {
		after = zone
	}
	return after
}

// aging says whether the text of some item has become too old, or young again, since the Set was compiled, and when the next
// one will be; the zero time: none.
func (m *Manager) aging(now time.Time) (changed bool, next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range m.items {
		if it.parsed.expired != it.isExpired(now) && (it.parsed.ok || it.parsed.expired) {
			changed = true
		}
		if at := it.expiry(); at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return changed, next
}

// noteAge tells operators when a list stops counting and when it counts again. It is called with Manager.mu held.
func (it *item) noteAge(log *slog.Logger, expired bool) {
	switch {
	case expired && !it.parsed.expired:
		log.Warn("list expired: it no longer counts", "list", it.src.List.Name, "current", it.confirmed(), "expires", it.lifetime())
	case !expired && it.parsed.expired:
		log.Info("list counts again", "list", it.src.List.Name)
	}
}
