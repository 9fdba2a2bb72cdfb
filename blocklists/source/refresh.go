package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// refresh brings one item up to date and plans its next refresh. changed says that there is something new to compile.
func (m *Manager) refresh(ctx context.Context, it *item) (changed bool, err error) {
	it.fetching.Lock()
	defer it.fetching.Unlock()
	changed, err = m.bring(ctx, it)
	if err != nil && ctx.Err() != nil {
		return false, err // we were stopped: that says nothing about the list
	}
	back := m.plan(it, err)
	if err != nil {
		m.failed(it, err)
		m.log.Warn("refresh list", "list", it.src.List.Name, "source", it.src.shown(), "err", err)
	}
	return changed || back, err
}

// bring reads or fetches one item.
func (m *Manager) bring(ctx context.Context, it *item) (changed bool, err error) {
	if it.src.remote() {
		return m.download(ctx, it)
	}
	m.work.Lock()
	defer m.work.Unlock()
	if it.src.Dir != "" {
		return m.rescan(ctx, it)
	}
	return m.readFile(ctx, it)
}

// plan says when to look again after a look with this result, and whether a text that had expired counts again.
func (m *Manager) plan(it *item, err error) (back bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	interval := it.interval()
	if err != nil && interval > 0 && !errors.Is(err, ErrHeld) {
		interval = min(interval, firstRetry<<min(it.failures, 12))
	}
	if interval > 0 {
		it.next = time.Now().Add(jitter(interval))
	}
	return err == nil && it.parsed.expired && !it.isExpired(time.Now())
}

func (m *Manager) failed(it *item, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it.err = err
	it.failures++
}

// download fetches a remote list and makes it the copy when it is good.
func (m *Manager) download(ctx context.Context, it *item) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, it.src.Timeout)
	defer cancel()
	old := m.validators(it)
	got, err := m.fetcher(it).fetch(ctx, held{old, m.store.textPath(it.base)})
	if err != nil {
		return false, err
	}
	if got.body == nil {
		m.drop(it)
		old.Checked, old.Zone = time.Now(), got.zone
		return false, m.confirm(it, old)
	}
	defer func() { _ = got.body.Close() }() // the text was read, or is given up
	d, err := m.store.draft(it.base, got.body, it.src.MaxBytes)
	if err != nil {
		return false, err
	}
	if err := m.authenticate(ctx, it, d); err != nil {
		d.discard()
		return false, err
	}
	now := time.Now()
	return m.accept(it, d, meta{ETag: got.etag, LastModified: got.lastModified, Zone: got.zone, Fetched: now, Checked: now})
}

// validators returns the metadata of the copy; without validators when the copy is not the text that they speak of.
func (m *Manager) validators(it *item) meta {
	m.mu.Lock()
	old := it.meta
	m.mu.Unlock()
	if old.ETag == "" && old.LastModified == "" && old.Zone == (zoneState{}) {
		return old
	}
	if h, err := hashFile(m.store.textPath(it.base)); err != nil || h != old.Hash {
		return meta{Entries: old.Entries}
	}
	if err := m.verifyCopy(it); err != nil { // it is as good as none: everything is asked for
		return meta{Entries: old.Entries}
	}
	return old
}

func hashFile(path string) (string, error) {
	f, err := openRegular(path)
	if err != nil {
		return "", fmt.Errorf("read copy: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read copy: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// accept ends a draft: it becomes the copy when it parses, is the pinned text, and has not lost all its entries.
func (m *Manager) accept(it *item, d *draft, now meta) (changed bool, err error) {
	now.Name, now.Hash = it.src.List.Name, d.hash()
	had := m.extent(it)
	sum, err := it.src.judge(d.file, now.Hash, had.entries, m.canaries.watcher(it.src))
	if err != nil {
		d.discard()
		return false, err
	}
	now.Entries, now.Format = sum.Entries(), sum.Format.String()
	copied := m.copyHash(it)
	if now.Hash == copied {
		d.discard()
		m.drop(it)
		return !m.inForce(it), m.confirm(it, now)
	}
	if (it.src.remote() || copied != "") && it.src.needsReview(had, now.extent()) {
		return false, m.hold(it, d, now, had)
	}
	if err := d.commit(m.store.textPath(it.base)); err != nil {
		return false, err
	}
	m.drop(it)
	m.log.Info("list changed", "list", it.src.List.Name, "entries", now.Entries)
	return true, m.confirm(it, now)
}

// copyHash is the digest of the copy on disk, as metadata and the text itself agree on it; empty otherwise.
func (m *Manager) copyHash(it *item) string {
	m.mu.Lock()
	known := it.meta.Hash
	m.mu.Unlock()
	if h, err := hashFile(m.store.textPath(it.base)); err != nil || h != known {
		return ""
	}
	return known
}

// extent is what the text in force had.
func (m *Manager) extent(it *item) extent {
	m.mu.Lock()
	defer m.mu.Unlock()
	if it.parsed.ok {
		return extent{it.parsed.sum.Entries(), it.parsed.sum.Format.String()}
	}
	return it.meta.extent()
}

// inForce says whether a text of the list is in force: a copy may be there and not be, for want of its signature.
func (m *Manager) inForce(it *item) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return it.parsed.ok
}

// confirm records that the copy is current.
func (m *Manager) confirm(it *item, now meta) error {
	m.mu.Lock()
	it.meta, it.err, it.failures, it.direct = now, nil, 0, false
	m.mu.Unlock()
	if it.src.Minisign != "" {
		m.store.pruneSignatures(it.base, now.Hash)
	}
	return m.store.writeMeta(it.base, now)
}

// readFile takes over a local file: as a copy, or itself where no copy can be made. The caller holds work.
func (m *Manager) readFile(ctx context.Context, it *item) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("read list: %w", err)
	}
	m.mu.Lock()
	unknown := it.meta.Hash == "" && m.store.dir != ""
	if unknown {
		it.meta = m.store.readMeta(it.base)
	}
	it.direct, it.origin = false, identity{}
	m.mu.Unlock()
	if unknown {
		m.adoptHeld(it)
	}
	f, err := openRegular(it.src.Path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // read only
	origin, asOf := identity{}, time.Time{}
	if info, err := f.Stat(); err == nil { // before it is read
		origin, asOf = originOf(info), past(info.ModTime(), time.Now())
	}
	if changed, err = m.takeOver(it, f, asOf); err == nil {
		m.mu.Lock()
		it.origin = origin
		m.mu.Unlock()
	}
	return changed, err
}

// takeOver reads a local file into its copy, or judges it where it lies.
func (m *Manager) takeOver(it *item, f *os.File, asOf time.Time) (changed bool, err error) {
	now := time.Now()
	if !m.readOnly {
		d, draftErr := m.store.draft(it.base, f, it.src.MaxBytes)
		if draftErr == nil {
			return m.accept(it, d, meta{Fetched: now, Checked: now, AsOf: asOf})
		}
		m.log.Warn("keep a copy of a list", "list", it.src.List.Name, "err", draftErr)
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return false, fmt.Errorf("read list: %w", err)
		}
	}
	return true, m.readDirect(it, f, meta{Fetched: now, Checked: now, AsOf: asOf})
}

// openRegular refuses what is not a file: a pipe or a device would never end.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer would hold up open itself
	if err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrNotFile)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read list: %w", err)
	}
	return f, nil
}

// readDirect judges a file that is going to be read in place.
func (m *Manager) readDirect(it *item, f io.Reader, now meta) error {
	h := sha256.New()
	limited := io.LimitReader(f, it.src.MaxBytes+1)
	body := io.TeeReader(limited, h)
	had := m.extent(it)
	sum, err := it.src.judge(body, it.src.SHA256, had.entries, m.canaries.watcher(it.src)) // the digest is known only at the end
	if err != nil {
		return err
	}
	digest := hex.EncodeToString(h.Sum(nil))
	if it.src.SHA256 != "" && !strings.EqualFold(digest, it.src.SHA256) {
		return fmt.Errorf("%w: got %s", ErrDigest, digest)
	}
	now.Name, now.Hash, now.Entries, now.Format = it.src.List.Name, digest, sum.Entries(), sum.Format.String()
	review := it.src.needsReview(had, now.extent()) && m.copyHash(it) != ""
	m.mu.Lock()
	defer m.mu.Unlock()
	if review {
		if it.pending.Text.Hash != digest {
			it.pending = candidateOf(now, had)
		}
		return it.pending.err(it)
	}
	it.meta, it.pending = now, candidate{}
	it.err, it.failures, it.direct = nil, 0, true
	return nil
}
