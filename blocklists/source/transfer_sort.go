package source

import (
	"bufio"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"weir/blocklists/format"
)

// runBytes of records are sorted in memory; a larger zone is sorted in runs on disk, so that its size does not matter.
const runBytes = 8 << 20

// maxRecordLine bounds one line of a copy: 64 KiB of data, each octet escaped to four.
const maxRecordLine = 4*65536 + 2048

// records yields records in the order of their keys, each key once; io.EOF ends them.
type records interface {
	next() (zoneRecord, error)
}

func compareRecords(a, b zoneRecord) int {
	return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.ttl, b.ttl))
}

// sorter puts the records of a zone in order, in bounded memory.
type sorter struct {
	dir   string // for runs
	limit int64  // octets of all lines
	size  int64
	count int
	held  int
	run   []zoneRecord
	files []*os.File // unlinked: nothing is left behind whatever happens
}

func (s *sorter) add(r zoneRecord) error {
	s.size += int64(len(r.key)) + lineOverhead
	switch s.count++; {
	case s.size > s.limit:
		return fmt.Errorf("%w of %d bytes", errTooBig, s.limit)
	case s.count > format.DefaultEntries:
		return fmt.Errorf("%w of %d records", errTooBig, format.DefaultEntries)
	}
	s.run = append(s.run, r)
	if s.held += len(r.key) + 24; s.held >= runBytes { // 24: the value itself
		return s.spill()
	}
	return nil
}

// lineOverhead is what a line has at least beside its key: " 0 IN" and its end.
const lineOverhead = 6

// spill writes the run to a file without name.
func (s *sorter) spill() error {
	slices.SortFunc(s.run, compareRecords)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("sort zone: %w", err)
	}
	f, err := os.CreateTemp(s.dir, ".run.list*") // a name that the sweep of strays knows
	if err != nil {
		return fmt.Errorf("sort zone: %w", err)
	}
	s.files = append(s.files, f)
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("sort zone: %w", err)
	}
	w := bufio.NewWriter(f)
	for _, r := range s.run {
		_, _ = w.WriteString(r.line() + "\n") // Flush reports its error
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort zone: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sort zone: %w", err)
	}
	s.run, s.held = s.run[:0], 0
	return nil
}

// sorted ends the adding.
func (s *sorter) sorted() (records, error) {
	slices.SortFunc(s.run, compareRecords)
	m := &merge{}
	sources := []records{&memoryRecords{s.run}}
	for _, f := range s.files {
		sources = append(sources, newFileRecords(f))
	}
	for _, from := range sources {
		r, err := from.next()
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.heads = append(m.heads, mergeHead{r, from})
	}
	heap.Init(m)
	return m, nil
}

// close gives the runs back.
func (s *sorter) close() {
	for _, f := range s.files {
		_ = f.Close() // it has no name any more
	}
	s.files, s.run = nil, nil
}

// memoryRecords are records that are in memory and in order.
type memoryRecords struct{ rest []zoneRecord }

func (m *memoryRecords) next() (zoneRecord, error) {
	if len(m.rest) == 0 {
		return zoneRecord{}, io.EOF
	}
	r := m.rest[0]
	m.rest = m.rest[1:]
	return r, nil
}

// fileRecords are the lines of a file that we have written.
type fileRecords struct{ lines *bufio.Scanner }

func newFileRecords(r io.Reader) *fileRecords {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxRecordLine)
	return &fileRecords{s}
}

func (f *fileRecords) next() (zoneRecord, error) {
	if f.lines.Scan() {
		return parseRecord(f.lines.Text())
	}
	if err := f.lines.Err(); err != nil {
		return zoneRecord{}, fmt.Errorf("read zone: %w", err)
	}
	return zoneRecord{}, io.EOF
}

// merge yields the records of several sources; of those with one key only the first.
type merge struct {
	heads []mergeHead
	last  zoneRecord
}

type mergeHead struct {
	zoneRecord
	from records
}

var (
	_ records        = (*merge)(nil)
	_ records        = (*memoryRecords)(nil)
	_ records        = (*fileRecords)(nil)
	_ heap.Interface = (*merge)(nil)
)

func (m *merge) next() (zoneRecord, error) {
	for len(m.heads) > 0 {
		r := m.heads[0].zoneRecord
		following, err := m.heads[0].from.next()
		switch {
		case errors.Is(err, io.EOF):
			heap.Pop(m)
		case err != nil:
			return zoneRecord{}, err
		default:
			m.heads[0].zoneRecord = following
			heap.Fix(m, 0)
		}
		if r.key != m.last.key {
			m.last = r
			return r, nil
		}
	}
	return zoneRecord{}, io.EOF
}

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (m *merge) Len() int { return len(m.heads) }

func (m *merge) Less(i, j int) bool {
	return compareRecords(m.heads[i].zoneRecord, m.heads[j].zoneRecord) < 0
}
func (m *merge) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merge) Push(any)      {} // nothing is added after Init
func (m *merge) Pop() any {
	last := len(m.heads) - 1
	out := m.heads[last]
	m.heads = m.heads[:last]
	return out
}
