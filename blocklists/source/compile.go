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
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// compile makes a Set of every text in force. The caller holds work.
func (m *Manager) compile(ctx context.Context) (*set.Set, error) {
	b := set.NewBuilder()
	list := m.all()
	all, items := make([]parsed, len(list)), make([]savedItem, len(list))
	var errs []error
	for i, it := range list {
		if err := ctx.Err(); err != nil {
			return m.Set(), fmt.Errorf("compile lists: %w", err)
		}
		p, err := m.add(b, it)
		all[i], items[i] = p, m.describe(it, p)
		if err != nil && !errors.Is(err, ErrNoCopy) && !errors.Is(err, errExpired) {
			m.failed(it, err)
			errs = append(errs, fmt.Errorf("list %q: %w", it.src.List.Name, err))
		}
	}
	b.SetNote(m.note(list, items))
	s := m.persist(b.Build())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = s
	for i, it := range list {
		it.noteAge(m.log, all[i].expired)
		it.parsed = all[i]
		it.parsed.stats = s.ListStats(uint16(i))
	}
	return s, errors.Join(errs...)
}

// describe tells what the saved Set is compiled from.
func (m *Manager) describe(it *item, p parsed) savedItem {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := savedItem{Loaded: p.ok, Expired: p.expired, Direct: it.direct, Digest: p.digest, Text: p.text, Sum: p.sum, Diags: p.diags}
	out.Current, out.Origin = it.origin.Size != 0 && it.meta.Hash == p.digest, it.origin
	return out
}

// add parses the text of one item into b. What breaks halfway leaves nothing behind.
func (m *Manager) add(b *set.Builder, it *item) (parsed, error) {
	m.mu.Lock()
	list := it.src.List
	list.Updated, list.Hash = it.meta.Checked, it.meta.Hash
	expired := it.isExpired(time.Now())
	m.mu.Unlock()
	n, err := b.AddList(list)
	if err != nil {
		return parsed{}, fmt.Errorf("compile: %w", err)
	}
	if expired {
		return parsed{expired: true}, errExpired
	}
	r, err := m.open(it)
	if err != nil {
		return parsed{}, err
	}
	defer func() { _ = r.Close() }() // read only
	p := parsed{ok: true}
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.text = identityOf(info)
		}
	}
	digest := sha256.New()
	watch := m.canaries.watcher(it.src)
	var addErr error
	p.sum, err = format.ParseWith(io.TeeReader(r, digest), it.src.options(),
		func(e format.Entry) {
			watch.entry(e)
			if addErr == nil {
				addErr = b.Add(n, e)
			}
		},
		func(d format.Diagnostic) {
			watch.skipped(d)
			if len(p.diags) < maxDiagnostics {
				d.File = it.src.shown()
				p.diags = append(p.diags, d)
			}
		})
	if err = errors.Join(err, addErr, watch.err()); err != nil {
		b.Drop(n)
		return parsed{diags: p.diags}, fmt.Errorf("compile: %w", err)
	}
	if p.sum.Format.Nearest() {
		b.SetNearest(n)
	}
	p.digest = hex.EncodeToString(digest.Sum(nil))
	return p, nil
}

// open returns the text in force.
func (m *Manager) open(it *item) (io.ReadCloser, error) {
	m.mu.Lock()
	direct := it.direct
	m.mu.Unlock()
	switch {
	case it.src.Text != "":
		return io.NopCloser(strings.NewReader(it.src.Text)), nil
	case direct:
		return openRegular(it.src.Path)
	case m.store.dir == "", it.src.Dir != "":
		return nil, ErrNoCopy
	}
	return m.openCopy(it)
}

// openCopy opens the last good copy; one that is not the pinned text is none.
func (m *Manager) openCopy(it *item) (io.ReadCloser, error) {
	path := m.store.textPath(it.base)
	if it.src.SHA256 != "" {
		if h, err := hashFile(path); err == nil && !strings.EqualFold(h, it.src.SHA256) {
			return nil, fmt.Errorf("%w: the copy on disk", ErrDigest)
		}
	}
	if err := m.verifyCopy(it); err != nil {
		return nil, err
	}
	f, err := openRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoCopy
	}
	if err != nil {
		return nil, fmt.Errorf("read copy: %w", err)
	}
	return f, nil
}
