package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/blocklists/format"
)

// Candidate is a text that was held for review since it has far more or far fewer entries than the one in force, or is of another
// format.
type Candidate struct {
	Entries   int       `json:"entries"`              // in it
	Had       int       `json:"had"`                  // in the text in force when it came
	Format    string    `json:"format,omitempty"`     // of it, as detected
	HadFormat string    `json:"had_format,omitempty"` // of the text in force when it came
	Since     time.Time `json:"since"`                // when it came
}

// extent is what is compared of two texts of a list. The format is empty where it is not known.
type extent struct {
	entries int
	format  string
}

func (m meta) extent() extent { return extent{m.Entries, m.Format} }

// candidate is what stands on disk beside a held text.
type candidate struct {
	Candidate
	Text meta `json:"text"`
}

// A held text and what is known of it. It is written text first: metadata without its text, or with another, is none.
func (s store) heldPath(base string) string     { return s.textPath(base) + ".held" }
func (s store) heldMetaPath(base string) string { return s.metaPath(base) + ".held" }

// needsReview says whether a new text needs a look before it is put in force. A pinned one had it.
func (s Source) needsReview(had, now extent) bool {
	return s.SHA256 == "" && (s.changedTooMuch(had.entries, now.entries) || s.otherFormat(had, now))
}

// otherFormat says whether a text whose format nobody has named is of another than the one before, as the error of a server is. The
// owner of a small file may write it anew as he likes.
func (s Source) otherFormat(had, now extent) bool {
	if s.Format != format.Auto || had.entries == 0 || now.entries == 0 || had.format == "" || had.format == now.format {
		return false
	}
	return s.remote() || s.MaxChange >= 1 && had.entries >= leastCompared
}

func (s Source) changedTooMuch(had, now int) bool {
	if s.MaxChange < 1 || had == 0 || had < leastCompared && now < largeGrowth {
		return false
	}
	least, most := min(had, now), max(had, now)
	return float64(most) > s.MaxChange*float64(least)
}

// hold keeps a draft for review; what is in force stays.
func (m *Manager) hold(it *item, d *draft, now meta, had extent) error {
	m.mu.Lock()
	c := it.pending
	m.mu.Unlock()
	if c.Text.Hash == now.Hash { // the same as at the last look
		d.discard()
		return c.err(it)
	}
	c = candidateOf(now, had)
	if err := d.commit(m.store.heldPath(it.base)); err != nil {
		return err
	}
	if err := m.store.writeJSON(m.store.heldMetaPath(it.base), c); err != nil {
		return err
	}
	m.mu.Lock()
	it.pending = c
	m.mu.Unlock()
	return c.err(it)
}

func candidateOf(now meta, had extent) candidate {
	return candidate{Text: now, Candidate: Candidate{
		Entries: now.Entries, Had: had.entries, Format: now.Format, HadFormat: had.format, Since: now.Fetched,
	}}
}

// err says what is held, why, and what to do.
func (c candidate) err(it *item) error {
	why := fmt.Sprintf("which is more than a change by %g", it.src.MaxChange)
	if !it.src.changedTooMuch(c.Had, c.Entries) {
		why = fmt.Sprintf("and format %s instead of %s", c.Format, c.HadFormat)
	}
	return fmt.Errorf("%w: the new text has %d entries, the one in force %d, %s; `weir lists update %s --accept` takes it",
		ErrHeld, c.Entries, c.Had, why, it.src.List.Name)
}

// adoptHeld takes over what a process before this one held for review.
func (m *Manager) adoptHeld(it *item) {
	var c candidate
	if !readJSON(m.store.heldMetaPath(it.base), &c) {
		return
	}
	if h, err := hashFile(m.store.heldPath(it.base)); err != nil || h != c.Text.Hash {
		return
	}
	now := time.Now()
	c.Since = past(c.Since, now)
	c.Text.settle(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	it.pending = c
	if it.err == nil {
		it.err = c.err(it)
	}
}

// drop forgets what was held: a text that needs no review has come since, or it was accepted.
func (m *Manager) drop(it *item) {
	m.mu.Lock()
	had := it.pending.Text.Hash != ""
	it.pending = candidate{}
	m.mu.Unlock()
	if had {
		_ = m.store.disk.remove(m.store.heldMetaPath(it.base)) // what stays is adopted again at the next start, and dropped again
		_ = m.store.disk.remove(m.store.heldPath(it.base))
	}
}

// Accept puts the text that was held for review in force, and publishes (see Run). Everything but the number of its entries is
// looked at once more. It returns [ErrNotHeld] when there is none.
func (m *Manager) Accept(ctx context.Context, name string) error {
	if m.readOnly {
		return ErrReadOnly
	}
	m.mu.Lock()
	it := m.byName[name]
	m.mu.Unlock()
	if it == nil {
		return fmt.Errorf("list %q: %w", name, ErrNoList)
	}
	if err := m.acceptHeld(it); err != nil {
		return fmt.Errorf("list %q: %w", name, err)
	}
	m.publish(ctx)
	return nil
}

func (m *Manager) acceptHeld(it *item) error {
	it.fetching.Lock()
	defer it.fetching.Unlock()
	m.mu.Lock()
	c := it.pending
	m.mu.Unlock()
	if c.Text.Hash == "" {
		return ErrNotHeld
	}
	path := m.store.heldPath(it.base)
	if err := m.verifyText(it, path); err != nil {
		return err
	}
	if err := m.judgeHeld(it, path, c.Text.Hash); err != nil {
		return err
	}
	if err := m.store.disk.rename(path, m.store.textPath(it.base)); err != nil {
		return fmt.Errorf("take the held text: %w", err)
	}
	if err := m.store.disk.syncDir(m.store.dir); err != nil {
		return fmt.Errorf("take the held text: %w", err)
	}
	m.log.Info("held list accepted", "list", it.src.List.Name, "entries", c.Entries, "had", c.Had)
	if err := m.confirm(it, c.Text); err != nil {
		return err
	}
	m.drop(it)
	return nil
}

// judgeHeld looks at the held text as at any new one.
func (m *Manager) judgeHeld(it *item, path, digest string) error {
	got, err := hashFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && got != digest {
		return ErrNotHeld
	}
	if err != nil {
		return err
	}
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	_, err = it.src.judge(f, digest, m.extent(it).entries, m.canaries.watcher(it.src))
	return err
}
