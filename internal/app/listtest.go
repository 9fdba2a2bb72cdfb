package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/gate"
	"weir/internal/redact"
)

// ListTest says how `weir lists test` reads its files; the zero value detects the format and grants nothing.
type ListTest struct {
	Format string // a word of [format.ParseFormat]; "" detects
	Column string // of CSV and JSON, see [format.Options]
	// GrantAllow, GrantRewrite and GrantClients let exceptions, records and entries about who asks count, as with grants: [allow,
	// rewrite, clients].
	GrantAllow, GrantRewrite, GrantClients bool
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
	Fingerprints  int            `json:"fingerprints"`
	Skipped       map[string]int `json:"skipped"` // by reason; "needs-grant": what lets through, rewrites, or is about who asks
	Seconds       float64        `json:"seconds"` // to read the text and to build the snapshot
	SnapshotBytes uint64         `json:"snapshot_bytes"`
	Error         string         `json:"error,omitempty"` // why the file is no list; then it counts nothing
}

// reasonGrant counts exceptions, records and entries about who asks that were read and refused.
const reasonGrant = "needs-grant"

// TestedLists are the lists of one `weir lists test`.
type TestedLists struct {
	Files []ListReport
	All   ListReport
	set   *blocklists.Set
	gate  *gate.Gate // with a policy of these lists, each of which blocks, and nothing else
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
	if t.gate, err = listGate(t.set); err != nil {
		return nil, fmt.Errorf("compile the lists: %w", err)
	}
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
		for reason, n := range f.Skipped {
			t.All.Skipped[reason] += n
		}
	}
	t.All.measure(t.set, took)
}

func (r *ListReport) measure(s *blocklists.Set, took time.Duration) {
	stats := s.Stats()
	r.Rules, r.Names, r.Addresses, r.SnapshotBytes = stats.Rules, stats.Names, stats.Addresses, stats.Bytes
	r.URLs, r.Fingerprints = stats.URLs, stats.Fingerprints
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
	own, list := blocklists.NewBuilder(), o.list(file)
	n, err := all.AddList(list)
	if err != nil {
		return r, err
	}
	if _, err := own.AddList(list); err != nil {
		return r, err
	}
	var addErr error
	diagnose := o.diagnosticsOf(file)
	sum, err := format.ParseWith(f, format.Options{Format: kind, Column: o.Column}, func(e format.Entry) {
		if addErr == nil {
			addErr = errors.Join(own.Add(0, e), all.Add(n, e))
		}
		if !e.Cancel && list.Refuses(e) && diagnose != nil {
			diagnose(format.Diagnostic{Line: e.Line, Text: redact.Text(e.String()), Reason: reasonGrant})
		}
	}, diagnose)
	r.Format = sum.Format.String()
	if err = errors.Join(err, addErr); err != nil {
		all.Drop(n)
		return r, err
	}
	if sum.Format.Nearest() {
		own.SetNearest(0)
		all.SetNearest(n)
	}
	s := own.Build()
	for reason, count := range sum.Skipped {
		r.Skipped[string(reason)] = count
	}
	st := s.ListStats(0)
	if refused := st.Refused + st.RefusedRewrites + st.RefusedClients; refused > 0 {
		r.Skipped[reasonGrant] = refused
	}
	r.measure(s, time.Since(started))
	return r, nil
}

// list is what a file is tested as.
func (o ListTest) list(file string) blocklists.List {
	return blocklists.List{Name: file, Source: file, GrantAllow: o.GrantAllow, GrantRewrite: o.GrantRewrite, GrantClients: o.GrantClients}
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
