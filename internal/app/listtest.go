package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/hostname"
	"weir/internal/redact"
)

// ListTest says how `weir lists test` reads its files; the zero value detects the format and grants nothing.
type ListTest struct {
	Format string // a word of [format.ParseFormat]; "" detects
	Column string // of CSV and JSON, see [format.Options]
	Grant  bool   // exceptions count, as with grants: [allow]
	// Diagnostic, which may be nil, is told of everything that is skipped.
	Diagnostic func(format.Diagnostic)
}

// ListReport says what became of one file, or of all together: a line of `weir lists test --json`.
type ListReport struct {
	File          string         `json:"file"` // "all" for all together
	Format        string         `json:"format"`
	Rules         int            `json:"rules"`     // in force, without those said twice
	Names         int            `json:"names"`     // distinct
	Addresses     int            `json:"addresses"` // distinct addresses and prefixes
	URLs          int            `json:"urls"`
	Skipped       map[string]int `json:"skipped"` // by reason; "no-grant": exceptions of a list that may not allow
	Seconds       float64        `json:"seconds"` // to read the text and to build the snapshot
	SnapshotBytes uint64         `json:"snapshot_bytes"`
	Error         string         `json:"error,omitempty"` // why the file is no list; then it counts nothing
}

// reasonNoGrant counts exceptions that were read and refused.
const reasonNoGrant = "no-grant"

// TestedLists are the lists of one `weir lists test`.
type TestedLists struct {
	Files []ListReport
	All   ListReport
	set   *blocklists.Set
}

// TestLists reads lists from files and builds their snapshot; no config is needed. The error is of the options, of ctx, or of
// the files that could not be read, whose reports carry it too.
func TestLists(ctx context.Context, files []string, o ListTest) (*TestedLists, error) {
	kind, err := format.ParseFormat(o.Format)
	if err != nil {
		return nil, err
	}
	t := &TestedLists{All: ListReport{File: "all", Skipped: map[string]int{}}}
	all := blocklists.NewBuilder()
	started := time.Now()
	var errs []error
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := testList(all, file, kind, o)
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
			r.Error = err.Error()
			errs = append(errs, err)
		}
		t.Files = append(t.Files, r)
	}
	t.set = all.Build()
	t.sum(time.Since(started))
	return t, errors.Join(errs...)
}

// sum fills in the report of all.
func (t *TestedLists) sum(took time.Duration) {
	for i, f := range t.Files {
		if i == 0 {
			t.All.Format = f.Format
		} else if t.All.Format != f.Format {
			t.All.Format = "mixed"
		}
		t.All.URLs += f.URLs
		for reason, n := range f.Skipped {
			t.All.Skipped[reason] += n
		}
	}
	t.All.measure(t.set, took)
}

func (r *ListReport) measure(s *blocklists.Set, took time.Duration) {
	stats := s.Stats()
	r.Rules, r.Names, r.Addresses, r.SnapshotBytes = stats.Rules, stats.Names, stats.Addresses, stats.Bytes
	r.Seconds = took.Seconds()
}

// testList reads one file into a snapshot of its own and into that of all.
func testList(all *blocklists.Builder, file string, kind format.Format, o ListTest) (ListReport, error) {
	r := ListReport{File: file, Format: kind.String(), Skipped: map[string]int{}}
	f, err := os.Open(file)
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }() // read only
	started := time.Now()
	own, list := blocklists.NewBuilder(), blocklists.List{Name: file, Source: file, GrantAllow: o.Grant}
	n, err := all.AddList(list)
	if err != nil {
		return r, err
	}
	if _, err := own.AddList(list); err != nil {
		return r, err
	}
	var addErr error
	sum, err := format.ParseWith(f, format.Options{Format: kind, Column: o.Column}, func(e format.Entry) {
		if addErr == nil {
			addErr = errors.Join(own.Add(0, e), all.Add(n, e))
		}
	}, o.diagnosticsOf(file))
	r.Format = sum.Format.String()
	if err = errors.Join(err, addErr); err != nil {
		all.Drop(n)
		return r, err
	}
	s := own.Build()
	r.URLs = sum.URLs
	for reason, count := range sum.Skipped {
		r.Skipped[string(reason)] = count
	}
	if refused := s.ListStats(0).Refused; refused > 0 {
		r.Skipped[reasonNoGrant] = refused
	}
	r.measure(s, time.Since(started))
	return r, nil
}

// diagnosticsOf puts the name of the file in.
func (o ListTest) diagnosticsOf(file string) func(format.Diagnostic) {
	if o.Diagnostic == nil {
		return nil
	}
	return func(d format.Diagnostic) {
		d.File = file
		o.Diagnostic(d)
	}
}

// ListVerdict says whether lists block a name or an address, and which entry decides: the most specific that blocks, or the
// exception that lets it through. A line of `weir lists test --check --json`.
type ListVerdict struct {
	Name   string `json:"name"`
	Listed bool   `json:"listed"`
	List   string `json:"list"`
	Entry  string `json:"entry"`
	Line   uint32 `json:"line"`
	Error  string `json:"error,omitempty"` // not a name and not an address
}

// Check looks one name or address up in all lists together.
func (t *TestedLists) Check(name string) ListVerdict {
	v := ListVerdict{Name: name}
	host, err := hostname.ParseHost(name)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	m, listed, ok := decide(lookUp(t.set, host))
	if !ok {
		return v
	}
	v.Listed, v.List = listed, t.set.List(m.List).Name
	v.Entry, v.Line = t.set.EntryText(m)
	v.Entry = redact.Text(v.Entry)
	return v
}

// decide finds the first match that blocks and that no exception beats: here all lists have one priority. Without one, an
// exception that beat something speaks.
func decide(matches []blocklists.Match) (m blocklists.Match, listed, ok bool) {
	for _, block := range matches {
		if block.Exception {
			continue
		}
		by, beaten := exceptionOf(block, matches)
		if !beaten {
			return block, true, true
		}
		if !ok {
			m, ok = by, true
		}
	}
	return m, false, ok
}

func exceptionOf(block blocklists.Match, matches []blocklists.Match) (blocklists.Match, bool) {
	for _, e := range matches {
		if e.Exception && (e.Important || !block.Important) {
			return e, true
		}
	}
	return blocklists.Match{}, false
}
