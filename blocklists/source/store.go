package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// meta stands beside each copy. It is written after the copy: when the process dies between the two, Hash differs from the
// text, the validators are not used, and the next refresh asks for everything.
type meta struct {
	Name         string    `json:"name"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Hash         string    `json:"sha256"`
	Entries      int       `json:"entries"`
	Format       string    `json:"format,omitempty"` // as given or detected
	Fetched      time.Time `json:"fetched"`          // when the text was received
	Checked      time.Time `json:"checked"`          // when it was last seen to be current
	Zone         zoneState `json:"zone,omitzero"`
	// AsOf is the time of change of a local file: nobody but it can say whether the file is still kept up.
	AsOf time.Time `json:"as_of,omitzero"`
	// Files are the names of the files of a directory.
	Files []string `json:"files,omitempty"`
}

// maxMeta bounds the metadata file: an ETag may be as long as a header line, and a directory has up to [maxFiles] names.
const maxMeta = 1 << 20

// fileBase makes a file name of a list name: readable, never a path, different for different lists and locations.
func fileBase(name, location string) string {
	readable := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(name))
	digest := sha256.Sum256([]byte(name + "\x00" + location))
	return readable[:min(len(readable), 40)] + "-" + hex.EncodeToString(digest[:8])
}

// store is the directory of last good copies.
type store struct {
	dir  string
	disk disk
}

func (s store) textPath(base string) string { return filepath.Join(s.dir, base+".list") }
func (s store) metaPath(base string) string { return filepath.Join(s.dir, base+".json") }

// readMeta returns the zero meta when there is none that fits the text.
func (s store) readMeta(base string) meta {
	var m meta
	if !readJSON(s.metaPath(base), &m) {
		return meta{}
	}
	m.settle(time.Now())
	return m
}

// settle takes times that have not come yet, of a clock that ran ahead, for now: else nothing would be looked at until then.
func (m *meta) settle(now time.Time) {
	for _, at := range [...]*time.Time{&m.Fetched, &m.Checked, &m.AsOf} {
		*at = past(*at, now)
	}
}

// past is a time, but never one to come.
func past(at, now time.Time) time.Time {
	if at.After(now) {
		return now
	}
	return at
}

// readJSON reads a small file of ours; what is missing or broken is false.
func readJSON(path string, into any) bool {
	f, err := openRegular(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	return json.NewDecoder(io.LimitReader(f, maxMeta)).Decode(into) == nil
}

func (s store) writeMeta(base string, m meta) error { return s.writeJSON(s.metaPath(base), m) }

func (s store) writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	return s.write(path, append(text, '\n'))
}

// strayAge is when a draft without owner is taken for the rest of a killed process: no download lasts this long.
const strayAge = 24 * time.Hour

// sweep removes the drafts that killed processes left behind.
func (s store) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // nothing was ever stored, or the error shows when something is
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && isDraft(e.Name()) && time.Since(info.ModTime()) > strayAge {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // the next sweep tries again
		}
	}
}

// isDraft knows the names of drafts of copies, candidates, signatures and metadata: ".NAME.list123".
func isDraft(name string) bool {
	return strings.HasPrefix(name, ".") && (strings.Contains(name, ".list") || strings.Contains(name, ".json") || strings.Contains(name, signatureSuffix))
}

// draft is a text on its way to become a copy. Exactly one of commit and discard ends it.
type draft struct {
	store store
	file  output
	sum   hash.Hash
	size  int64
}

var errTooBig = errors.New("text exceeds its limit")

// draft streams r, of at most limit bytes, into a temporary file beside the copy.
func (s store) draft(base string, r io.Reader, limit int64) (*draft, error) {
	f, err := s.temporary(s.textPath(base))
	if err != nil {
		return nil, err
	}
	d := &draft{store: s, file: f, sum: sha256.New()}
	d.size, err = io.Copy(io.MultiWriter(f, d.sum), io.LimitReader(r, limit+1))
	if err == nil && d.size > limit {
		err = fmt.Errorf("%w of %d bytes", errTooBig, limit)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		d.discard()
		return nil, fmt.Errorf("receive list: %w", err)
	}
	return d, nil
}

func (d *draft) hash() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// discard leaves what is there as it was.
func (d *draft) discard() {
	_ = d.file.Close()
	_ = d.store.disk.remove(d.file.Name()) // the worst is a stray temporary file
}

// commit syncs the text and moves it to path in one step.
func (d *draft) commit(path string) error { return d.store.settle(d.file, path) }
