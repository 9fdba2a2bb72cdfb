package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// The compiled Set is kept beside the copies, so that a start filters from its first packet without parsing anything. It is
// taken only when the configuration, the program and every text in force are what it was made from; whatever does not agree is
// no error: the texts are compiled again. docs/decisions/0006-list-snapshot.md tells more.

// snapshotName must not end in .list or .json, as copies and their metadata do; drafts of it are known to the sweep of strays.
const snapshotName = "compiled.lists"

// raceTime: a file that changed so shortly before it was read may have changed again without a new time of change (file
// systems count in steps of up to two seconds), so that time proves nothing. Copies are exempt: they are only ever replaced.
const raceTime = 2 * time.Second

// identity tells, as make and git do, whether a file may have changed, without reading it.
type identity struct {
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds since 1970; zero: unknown
	Inode    uint64 `json:"inode"`
}

func identityOf(info os.FileInfo) identity {
	id := identity{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Inode = sys.Ino
	}
	return id
}

// originOf is the identity of a file that others write, about to be read.
func originOf(info os.FileInfo) identity {
	id := identityOf(info)
	if time.Since(info.ModTime()) < raceTime {
		id.Modified = 0
	}
	return id
}

// holds says whether the file at path holds the text with this digest. It is read only where its identity leaves a doubt.
func (i identity) holds(path, digest string) bool {
	info, err := os.Stat(path)
	if err != nil || digest == "" || !info.Mode().IsRegular() || info.Size() != i.Size {
		return false
	}
	if i.Modified != 0 && i == identityOf(info) {
		return true
	}
	got, err := hashFile(path)
	return err == nil && got == digest
}

// saved is the note of a saved Set.
type saved struct {
	Key   string      `json:"key"`
	Items []savedItem `json:"items"`
}

// savedItem is what was known of one item when the Set was compiled.
type savedItem struct {
	Loaded  bool                `json:"loaded"`
	Expired bool                `json:"expired,omitempty"` // left out since it was too old
	Direct  bool                `json:"direct,omitempty"`
	Digest  string              `json:"digest,omitempty"`  // of the compiled text; empty: there was none, or it was broken
	Text    identity            `json:"text"`              // of the file with that text
	Current bool                `json:"current,omitempty"` // the file of the configuration held this text too; else an older copy was in force
	Origin  identity            `json:"origin"`            // of that file
	Sum     format.Summary      `json:"sum"`
	Diags   []format.Diagnostic `json:"diags,omitempty"`
}

// snapshot is a saved Set that fits the configuration; nil: there is none.
type snapshot struct {
	set   *set.Set
	items []savedItem
}

// key names everything but the texts that the compiled Set depends on: the sources, and the program with its parsers.
func (m *Manager) key(items []*item) (string, error) {
	program, err := os.Stat("/proc/self/exe") // the file that runs, even when another has taken its place
	if err != nil {
		return "", fmt.Errorf("which program: %w", err)
	}
	h := sha256.New()
	enc := json.NewEncoder(h)
	if err := enc.Encode([]int64{program.Size(), program.ModTime().UnixNano()}); err != nil {
		return "", fmt.Errorf("key of the configuration: %w", err)
	}
	for _, c := range m.canaries.all {
		_, _ = fmt.Fprintln(h, c, c.Within, c.Networks) // a hash takes everything
	}
	for _, it := range items {
		_, _ = fmt.Fprintln(h, it.src.MayBlock.Names, it.src.MayBlock.Prefixes)
		if err := enc.Encode(it.src); err != nil {
			return "", fmt.Errorf("key of the configuration: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (m *Manager) snapshotPath() string { return filepath.Join(m.store.dir, snapshotName) }

// openSnapshot returns the saved Set when it was made by this program from this configuration.
func (m *Manager) openSnapshot() *snapshot {
	if m.store.dir == "" {
		return nil
	}
	items := m.all()
	key, err := m.key(items)
	if err != nil {
		return nil
	}
	s, err := set.Open(m.snapshotPath())
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			m.log.Warn("saved lists are not used", "err", err)
		}
		return nil
	}
	var note saved
	if json.Unmarshal(s.Note(), &note) != nil || note.Key != key || len(note.Items) != len(items) || s.Lists() != len(items) {
		s.Close()
		return nil
	}
	return &snapshot{set: s, items: note.Items}
}

// takeFile adopts the copy of a local file when neither has changed since it was compiled, without parsing it and in most cases
// without reading it.
func (m *Manager) takeFile(snap *snapshot, i int) bool {
	if snap == nil {
		return false
	}
	it, was := m.all()[i], snap.items[i]
	if !was.Current || !was.Origin.holds(it.src.Path, was.Digest) {
		return false
	}
	if !was.Direct && (m.store.readMeta(it.base).Hash != was.Digest || !was.Text.holds(m.store.textPath(it.base), was.Digest)) {
		return false
	}
	now := meta{
		Name: it.src.List.Name, Hash: was.Digest, Entries: was.Sum.Entries(), Format: was.Sum.Format.String(), Fetched: time.Now(), Checked: time.Now(), AsOf: changeOf(it.src.Path),
	}
	if !m.readOnly {
		m.drop(it)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	it.meta, it.err, it.failures, it.direct, it.origin = now, nil, 0, was.Direct, was.Origin
	return true
}

// copyDigest is the digest of the copy of item i; the copy is read only when it may have changed since it was compiled.
func (m *Manager) copyDigest(snap *snapshot, i int) (string, error) {
	path := m.store.textPath(m.all()[i].base)
	if snap != nil && !snap.items[i].Direct && snap.items[i].Text.holds(path, snap.items[i].Digest) {
		return snap.items[i].Digest, nil
	}
	return hashFile(path)
}

// signed says whether the copy of item i, with this digest, bears the signature that is asked for. What the saved Set was
// compiled from did: the key is part of the configuration that it was made for.
func (m *Manager) signed(snap *snapshot, i int, digest string) bool {
	it := m.all()[i]
	if it.src.Minisign == "" || snap != nil && snap.items[i].Loaded && snap.items[i].Digest == digest {
		return true
	}
	return m.verifyCopy(it) == nil
}

// take puts the saved Set in force when every text is the one that it was compiled from. The caller holds work.
func (m *Manager) take(snap *snapshot) (*set.Set, bool) {
	if snap == nil {
		return nil, false
	}
	items := m.all()
	for i := range items {
		if !m.unchanged(snap, i) {
			snap.set.Close()
			return nil, false
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = snap.set
	for i, it := range items {
		was := snap.items[i]
		snap.set.Confirm(uint16(i), it.meta.Checked)
		it.parsed = parsed{ok: was.Loaded, expired: was.Expired, sum: was.Sum, diags: was.Diags, stats: snap.set.ListStats(uint16(i))}
	}
	return snap.set, true
}

// unchanged says whether the text in force of item i is the one in the saved Set.
func (m *Manager) unchanged(snap *snapshot, i int) bool {
	it, was := m.all()[i], snap.items[i]
	if it.src.Text != "" {
		return was.Loaded
	}
	m.mu.Lock()
	hash, direct, expired := it.meta.Hash, it.direct, it.isExpired(time.Now())
	m.mu.Unlock()
	if expired || was.Expired || it.src.Dir != "" {
		return expired == was.Expired
	}
	if hash != was.Digest || direct != was.Direct && hash != "" {
		return false
	}
	if direct {
		return true // it was read, or its identity compared, a moment ago
	}
	got, err := m.copyDigest(snap, i)
	return err == nil && got == hash || errors.Is(err, os.ErrNotExist) && hash == ""
}

// note describes what is about to be built; nil when it cannot be told.
func (m *Manager) note(list []*item, items []savedItem) []byte {
	if m.readOnly {
		return nil
	}
	key, err := m.key(list)
	if err != nil {
		return nil
	}
	text, err := json.Marshal(saved{Key: key, Items: items})
	if err != nil {
		return nil
	}
	return text
}

// persist saves a Set that was just built and returns it as opened from the file, so that its names need not stay in memory.
// When that fails, the lists work as well from memory; the next start parses.
func (m *Manager) persist(built *set.Set) *set.Set {
	if m.readOnly || built.Note() == nil || built.Stats().Rules == 0 {
		return built
	}
	if err := os.MkdirAll(m.store.dir, 0o700); err != nil {
		m.log.Warn("make list directory", "err", err)
		return built
	}
	if err := m.store.disk.save(built, m.snapshotPath()); err != nil {
		m.log.Warn("save compiled lists", "err", err)
		return built
	}
	opened, err := set.Open(m.snapshotPath())
	if err != nil {
		m.log.Warn("read back compiled lists", "err", err)
		return built
	}
	built.Close()
	return opened
}
