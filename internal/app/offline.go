package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/ca"
	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/hostname"
	"weir/internal/redact"
)

// Validate compiles the policy of a config file as run would, without starting anything: what only shows then (a file that a
// list names, roots that do not parse) is an error too.
func Validate(ctx context.Context, f *File) error {
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return err
	}
	var problems []error
	for _, s := range k.lists.Status() {
		if s.LastError != "" {
			problems = append(problems, fmt.Errorf("list %s: %s", s.Name, s.LastError))
		}
	}
	_, err = roots(f.File)
	return errors.Join(append(problems, err)...)
}

// ListState is what there is to know about one list; the JSON of `weir lists status`.
type ListState struct {
	Name      string         `json:"name"`
	Class     string         `json:"class"`
	Category  string         `json:"category"`
	Source    string         `json:"source"`
	Format    string         `json:"format"`
	Rules     int            `json:"rules"`
	Names     int            `json:"names"`
	Addresses int            `json:"addresses"`
	Refused   int            `json:"refused"` // exceptions without a grant
	Skipped   map[string]int `json:"skipped"`
	Bytes     int64          `json:"bytes"`
	Updated   time.Time      `json:"updated"`
	Next      time.Time      `json:"next"`
	LastError string         `json:"last_error"`
	Held      bool           `json:"held"`
}

func listStates(m *source.Manager) []ListState {
	set := m.Set()
	about := map[string]blocklists.List{}
	for i := range set.Lists() {
		l := set.List(uint16(i))
		about[l.Name] = l
	}
	out := []ListState{}
	for _, s := range m.Status() {
		l := about[s.Name]
		out = append(out, ListState{
			Name: s.Name, Class: l.Class.String(), Category: l.Category, Source: redact.Text(s.Source), Format: s.Format.String(), Rules: s.Rules,
			Names: s.Names, Addresses: s.Addresses, Refused: s.Refused, Skipped: s.Skipped, Bytes: s.Bytes, Updated: s.Updated, Next: s.Next,
			LastError: redact.Scrub(s.LastError), Held: s.Held,
		})
	}
	return out
}

// ListsStatus says how the lists of a config file fare, as they lie on disk.
func ListsStatus(ctx context.Context, f *File) ([]ListState, error) {
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return nil, err
	}
	return listStates(k.lists), nil
}

// UpdateLists refreshes one list, or all when name is "", now and on disk. A running weir that uses the same directory sees them
// at its next look or reload; through its control socket it does so at once.
func UpdateLists(ctx context.Context, f *File, name string) error {
	if client, err := controlClient(ctx, f); err == nil {
		return client.UpdateLists(ctx, name)
	}
	src, err := sources(f.File)
	if err != nil {
		return err
	}
	m, err := source.New(source.Config{Dir: f.ListsDir(), Sources: src, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := m.Load(ctx); err != nil {
		return err
	}
	return refresh(ctx, m, name)
}

// refresh refreshes one list, or every remote one.
func refresh(ctx context.Context, m *source.Manager, name string) error {
	if name != "" {
		return m.Refresh(ctx, name)
	}
	var failed []error
	for _, s := range m.Status() {
		if s.Updated.IsZero() && s.LastError == "" && s.Source == "built-in" {
			continue
		}
		failed = append(failed, m.Refresh(ctx, s.Name))
	}
	return errors.Join(failed...)
}

// Hit is one list entry that speaks of a name or an address.
type Hit struct {
	List     string `json:"list"`
	Class    string `json:"class"`
	Category string `json:"category"`
	Source   string `json:"source"`
	Entry    string `json:"entry"`
	Line     uint32 `json:"line"`
}

// SearchLists finds every list and line that holds a name, its parents, or an address.
func SearchLists(ctx context.Context, f *File, name string) ([]Hit, error) {
	host, err := hostname.ParseHost(name)
	if err != nil {
		return nil, err
	}
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return nil, err
	}
	set := k.lists.Set()
	var matches []blocklists.Match
	if host.IsAddr() {
		matches = set.LookupAddr(host.Addr, nil)
	} else {
		matches = set.Lookup(host.Name, nil)
	}
	hits := []Hit{}
	for _, m := range matches {
		l := set.List(m.List)
		entry, line := set.EntryText(m)
		hits = append(hits, Hit{l.Name, l.Class.String(), l.Category, redact.Text(l.Source), redact.Text(entry), line})
	}
	return hits, nil
}

// caOptions are the settings of the certificate authority.
func caOptions(f *config.File) ca.Options {
	return ca.Options{CacheSize: f.CA.Cache, LeafLife: f.CA.LeafLifetime.Std(), Organization: f.CA.Organization}
}

// InitCA makes the CA; it is refused where one exists or once existed. The text says where it is.
func InitCA(f *File) (string, error) {
	a, err := caOptions(f.File).Init(f.CADir())
	if err != nil {
		return "", err
	}
	return describeCA(f, a), nil
}

// ShowCA describes the CA.
func ShowCA(f *File) (string, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return "", err
	}
	return describeCA(f, a), nil
}

func describeCA(f *File, a *ca.Authority) string {
	c := a.Certificate()
	return fmt.Sprintf("%s\nfile        %s/%s\nsha256      %s\nvalid until %s", c.Subject.CommonName, f.CADir(), ca.CertFile, a.Fingerprint(), c.NotAfter.UTC().Format(time.DateOnly))
}

// ExportCA returns the CA's certificate as PEM.
func ExportCA(f *File) ([]byte, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return nil, err
	}
	return a.CertificatePEM(), nil
}
