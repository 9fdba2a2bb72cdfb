package memory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"weir/internal/hostname"
)

// Bounds of the file of [Names].
const (
	MaxLearnt   = 100_000 // names: more than one lock's clients need, few enough to be read by a person with an editor
	maxKey      = 512     // octets of a line: a name has 253, the rest is for a customer's part of a path
	maxFile     = MaxLearnt * maxKey
	maxProblems = 20 // lines that are complained about; one mistake is often made in all
)

// Errors of [Names]; each is wrapped with the file.
var (
	ErrFull   = errors.New("full")
	ErrLine   = errors.New("not a name, an address, or a name with a path")
	ErrNoEnd  = errors.New("the last line has no end: it may be cut off, and does not count")
	ErrNoFile = errors.New("not a regular file")
)

// Names is a set of names in a text file that people edit: one a line, "x" for x alone, ".x" for x and all below, "*.x" for all below,
// an address, or a name with a path for one customer of a shared service ("gcs/bucket"); '#' begins a comment. What
// is added is appended, a line at a time, so a crash costs at most the last line. It is safe for concurrent use.
type Names struct {
	path  string
	found atomic.Pointer[nameSet]

	mu    sync.Mutex // guards what follows, and every change
	file  *os.File   // to append to; nil until something is added
	added []string   // since the file was last read
}

// nameSet is what a file says. exact is shared by all that follow until the file is read again.
type nameSet struct {
	exact *sync.Map // key to nothing
	below map[hostname.Name]bool
	count *atomic.Int64
	whole map[hostname.Name]bool // of below: the name itself is meant too
}

func newNameSet() *nameSet {
	return &nameSet{exact: &sync.Map{}, below: map[hostname.Name]bool{}, whole: map[hostname.Name]bool{}, count: &atomic.Int64{}}
}

// NewNames makes an empty set of the names in a file, which need not be there; [Names.Read] reads it.
func NewNames(path string) *Names {
	n := &Names{path: path}
	n.found.Store(newNameSet())
	return n
}

// Path is the file.
func (n *Names) Path() string { return n.path }

// Len is how many lines hold a name.
func (n *Names) Len() int { return int(n.found.Load().count.Load()) }

// Has says whether key was learnt: a name, an address, or a name with a path. host is the name alone; only patterns that a person
// wrote cover a name with a path by its host.
func (n *Names) Has(key string, host hostname.Name) bool {
	s := n.found.Load()
	if _, ok := s.exact.Load(key); ok {
		return true
	}
	if len(s.below) == 0 || host.IsZero() {
		return false
	}
	if s.whole[host] {
		return true
	}
	for p, ok := host.Parent(); ok; p, ok = p.Parent() {
		if s.below[p] {
			return true
		}
	}
	return false
}

// Reading is what a file says, not yet in force.
type Reading struct {
	names    *Names
	set      *nameSet
	mark     int
	Problems []error // lines that are no names, with file and line; the others count
}

// Read reads the file; nothing changes before [Reading.Commit]. That there is none is no error.
func (n *Names) Read() (*Reading, error) {
	n.mu.Lock()
	mark := len(n.added)
	n.mu.Unlock()
	r := &Reading{names: n, set: newNameSet(), mark: mark}
	text, err := readNames(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("learnt names: %s: %w", n.path, err)
	}
	r.parse(n.path, text)
	return r, nil
}

func readNames(path string) (text []byte, err error) {
	info, err := os.Stat(path) // first: opening a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNoFile
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%w: more than %d octets", ErrFull, maxFile)
	}
	return text, err
}

func (r *Reading) problem(path string, line int, err error) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Errorf("%s:%d: %w", path, line, err))
	}
}

func (r *Reading) parse(path string, text []byte) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line[len(line)-1] != '\n' {
			r.problem(path, number, ErrNoEnd)
			return
		}
		word, _, _ := strings.Cut(string(line), "#")
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		if r.set.count.Load() >= MaxLearnt {
			r.problem(path, number, fmt.Errorf("%w: at most %d names", ErrFull, MaxLearnt))
			return
		}
		if err := r.set.add(word); err != nil {
			r.problem(path, number, err)
		}
	}
}

// add takes one line.
func (s *nameSet) add(word string) error {
	if len(word) > maxKey {
		return fmt.Errorf("%w: longer than %d octets", ErrLine, maxKey)
	}
	zone, whole := strings.CutPrefix(word, ".")
	if !whole {
		var below bool
		if zone, below = strings.CutPrefix(word, "*."); !below {
			return s.addKey(word)
		}
	}
	n, err := hostname.Parse(zone)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrLine, word)
	}
	if !s.below[n] {
		s.count.Add(1)
	}
	s.below[n], s.whole[n] = true, s.whole[n] || whole
	return nil
}

// addKey takes a line without a pattern.
func (s *nameSet) addKey(word string) error {
	host, path, ok := strings.Cut(word, "/")
	if addr, err := netip.ParseAddr(host); err == nil && !ok {
		s.put(addr.Unmap().String())
		return nil
	}
	n, err := hostname.Parse(host)
	if err != nil && strings.Contains(host, `\`) { // an octet that only DNS allows, as it was learnt
		n, err = hostname.FromDNS(host)
	}
	if err != nil || strings.ContainsAny(word, " \t") {
		return fmt.Errorf("%w: %q", ErrLine, word)
	}
	if ok {
		s.put(n.String() + "/" + path)
	} else {
		s.put(n.String())
	}
	return nil
}

func (s *nameSet) put(key string) bool {
	if _, had := s.exact.LoadOrStore(key, nil); had {
		return false
	}
	s.count.Add(1)
	return true
}

// Commit puts what was read in force, together with what was added meanwhile.
func (r *Reading) Commit() {
	n := r.names
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range n.added[min(r.mark, len(n.added)):] {
		r.set.put(key)
	}
	n.added = nil
	n.found.Store(r.set)
	if n.file != nil { // an editor may have put a new file in its place
		_ = n.file.Close() // every line was written; nothing is buffered
		n.file = nil
	}
}

// Add learns key and appends it to the file. What is there already costs a look-up and no lock. ErrFull: there are [MaxLearnt]; the
// rest is not learnt. What could not be written is not learnt either: it may be added again when it is seen again.
func (n *Names) Add(key string) error {
	if _, had := n.found.Load().exact.Load(key); had {
		return nil
	}
	if key == "" || len(key) > maxKey || strings.ContainsAny(key, "# \t\r\n") {
		return fmt.Errorf("learn %q: %w", key, ErrLine)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.found.Load()
	if s.count.Load() >= MaxLearnt {
		return fmt.Errorf("learn into %s: %w: %d names", n.path, ErrFull, MaxLearnt)
	}
	if _, had := s.exact.Load(key); had {
		return nil
	}
	if err := n.append(key + "\n"); err != nil {
		return fmt.Errorf("learn into %s: %w", n.path, err)
	}
	s.put(key)
	n.added = append(n.added, key)
	return nil
}

// append writes one line with one write, so that a crash leaves it whole or cuts it off where [Names.Read] sees it. After a write that
// failed, on a disk that is full, the file is opened anew: what was written of the line is cut off before the next one.
func (n *Names) append(line string) error {
	if n.file == nil {
		f, err := openAppend(n.path)
		if err != nil {
			return err
		}
		n.file = f
	}
	_, err := n.file.WriteString(line)
	if err == nil {
		return nil
	}
	file := n.file
	n.file = nil
	if end, bad := wholeLines(file); bad == nil {
		err = errors.Join(err, file.Truncate(end)) // at once, for who reads it meanwhile
	}
	return errors.Join(err, file.Close())
}

// openAppend opens the file for appending. A last line without an end, which [Names.Read] has reported, is cut off before the next one
// would be glued to it.
func openAppend(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	end, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o600)
}

// wholeLines returns the length of f without a last line that has no end.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	tail := make([]byte, min(size, 2*maxKey))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	i := bytes.LastIndexByte(tail, '\n')
	if i < 0 && size > int64(len(tail)) {
		return 0, fmt.Errorf("%w: its last line is longer than %d octets", ErrLine, len(tail))
	}
	return size - int64(len(tail)) + int64(i+1), nil
}

// Close closes the file.
func (n *Names) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file == nil {
		return nil
	}
	f := n.file
	n.file = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("learnt names: %w", err)
	}
	return nil
}
