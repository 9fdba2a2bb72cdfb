package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// scanAll looks which files the directories hold. The caller holds work.
func (m *Manager) scanAll(ctx context.Context) (errs []error) {
	for _, it := range m.roots {
		if it.src.Dir == "" {
			continue
		}
		if _, err := m.scan(ctx, it); err != nil {
			m.failed(it, err)
			errs = append(errs, fmt.Errorf("list %q: %w", it.src.List.Name, err))
		}
	}
	return errs
}

// rescan looks which files a directory holds, and reads each of them. What is wrong with one stands in its own status. The
// caller holds work.
func (m *Manager) rescan(ctx context.Context, it *item) (changed bool, err error) {
	if changed, err = m.scan(ctx, it); err != nil {
		return changed, err
	}
	for _, file := range m.filesOf(it) {
		c, err := m.readFile(ctx, file)
		changed = changed || c
		if err != nil {
			m.failed(file, err)
			m.log.Warn("refresh list", "list", file.src.List.Name, "source", file.src.Path, "err", err)
		}
	}
	m.mu.Lock()
	for _, file := range it.files {
		changed = changed || file.err == nil && file.parsed.expired != file.isExpired(time.Now())
	}
	m.mu.Unlock()
	return changed, nil
}

// fileErrors is what is wrong with the files of a directory.
func (m *Manager) fileErrors(it *item) (errs []error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, file := range it.files {
		if file.err != nil {
			errs = append(errs, fmt.Errorf("list %q: %w", file.src.List.Name, file.err))
		}
	}
	return errs
}

func (m *Manager) filesOf(it *item) []*item {
	m.mu.Lock()
	defer m.mu.Unlock()
	return it.files
}

// scan makes an item of every file in a directory, keeps those that it knew, and drops those of files that are gone. A directory
// that cannot be read keeps the files that it had, over a restart too. The caller holds work.
func (m *Manager) scan(ctx context.Context, it *item) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("read directory: %w", err)
	}
	names, err := listFiles(it.src.Dir)
	if err != nil {
		if m.store.dir != "" && m.filesOf(it) == nil {
			m.setFiles(it, m.store.readMeta(it.base).Files)
		}
		return false, err
	}
	gone, changed := m.setFiles(it, names)
	now := meta{Name: it.src.List.Name, Fetched: time.Now(), Checked: time.Now(), Files: names}
	m.mu.Lock()
	it.meta, it.err, it.failures = now, nil, 0
	m.mu.Unlock()
	if m.readOnly {
		return changed, nil
	}
	if changed {
		if err := m.store.writeMeta(it.base, now); err != nil {
			m.log.Warn("keep the files of a directory", "list", it.src.List.Name, "err", err)
		}
	}
	for _, file := range gone { // the owner took them away: their copies are of no use
		for _, path := range [...]func(string) string{m.store.metaPath, m.store.textPath, m.store.heldMetaPath, m.store.heldPath} {
			_ = m.store.disk.remove(path(file.base))
		}
	}
	return changed, nil
}

// setFiles gives a directory its files and returns the items that it lost.
func (m *Manager) setFiles(it *item, names []string) (gone []*item, changed bool) {
	known := make(map[string]*item)
	for _, file := range m.filesOf(it) {
		known[file.src.Path] = file
	}
	files := make([]*item, 0, len(names))
	for _, name := range names {
		path := filepath.Join(it.src.Dir, name)
		file := known[path]
		delete(known, path)
		if file == nil {
			file, changed = newItem(it.src.file(name, path)), true
		}
		files = append(files, file)
	}
	for _, file := range known {
		gone = append(gone, file)
	}
	m.mu.Lock()
	it.files = files
	m.mu.Unlock()
	m.arrange()
	return gone, changed || len(gone) > 0
}

// file is the source of one file of a directory. The directory looks at it, so it has no interval of its own.
func (s Source) file(name, path string) Source {
	s.List.Name, s.folder, s.Path, s.Dir, s.Interval = s.List.Name+"/"+name, s.List.Name, path, "", 0
	return s
}

// listFiles names the regular files of a directory, links to such included, in order. Hidden ones do not count: they are drafts
// and the like; nor do names that nobody could read in a log.
func listFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) { // taken away meanwhile, or a link to nowhere
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			continue
		}
		names = append(names, name)
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("read directory: %w: %d, at most %d", ErrFiles, len(names), maxFiles)
	}
	slices.Sort(names)
	return names, nil
}
