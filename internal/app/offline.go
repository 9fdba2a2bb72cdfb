package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/admin"
	"weir/internal/ca"
	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/redact"
)

// ListState is what there is to know about one list; the JSON of `weir lists status`.
type ListState struct {
	Name      string         `json:"name"`
	State     string         `json:"state"` // built-in, current, held (the last attempt failed, an older text is in force) or never loaded
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
			Name: s.Name, State: listState(s), Class: l.Class.String(), Category: l.Category, Source: redact.Text(s.Source), Format: s.Format.String(), Rules: s.Rules,
			Names: s.Names, Addresses: s.Addresses, Refused: s.Refused, Skipped: s.Skipped, Bytes: s.Bytes, Updated: s.Updated, Next: s.Next,
			LastError: redact.Scrub(s.LastError), Held: s.Failing,
		})
	}
	return out
}

func listState(s source.Status) string {
	switch {
	case s.BuiltIn:
		return "built-in"
	case s.Directory:
		return "directory"
	case s.Expired:
		return "expired"
	case s.Pending.Entries > 0 || s.Pending.Had > 0:
		return "held"
	case !s.Loaded:
		return "never loaded"
	case s.Failing:
		return "failing"
	}
	return "current"
}

// ListsStatus says how the lists of a config file fare: in the weir that runs with it, else as they lie on disk.
func ListsStatus(ctx context.Context, f *File) ([]ListState, error) {
	text, err := admin.Dial(f.Socket()).Lists(ctx)
	if errors.Is(err, admin.ErrForbidden) {
		return nil, err // one runs, and what is on disk may be something else
	}
	if err == nil {
		var out []ListState
		if err := json.Unmarshal(text, &out); err != nil {
			return nil, fmt.Errorf("what the running weir says about lists: %w", err)
		}
		return out, nil
	}
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return nil, err
	}
	return listStates(k.lists), nil
}

// UpdateLists refreshes one list, or all when name is "", now and on disk. A running weir that uses the same directory sees them
// at its next look or reload; through its control socket it does so at once.
func UpdateLists(ctx context.Context, f *File, name string) error {
	client, err := controlClient(ctx, f)
	if err == nil {
		return client.UpdateLists(ctx, name)
	}
	if errors.Is(err, admin.ErrForbidden) {
		return err
	}
	src, err := sources(f.File)
	if err != nil {
		return err
	}
	m, err := source.New(source.Config{Dir: f.ListsDir(), Sources: src, Canaries: canaries(f.File), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, _ = m.Load(ctx) // what is wrong with a list shows in its own refresh, and is no reason to leave out the others
	return m.Refresh(ctx, name)
}

// caOptions are the settings of the certificate authority.
func caOptions(f *config.File) ca.Options {
	return ca.Options{CacheSize: f.CA.Cache, LeafLife: f.CA.LeafLifetime.Std(), Organization: f.CA.Organization}
}

// InitCA makes the CA and describes it; it is refused where one exists or once existed.
func InitCA(f *File) (AboutCA, error) {
	a, err := caOptions(f.File).Init(f.CADir())
	if err != nil {
		return AboutCA{}, err
	}
	return describeCA(f, a), nil
}

// AboutCA is what there is to tell about the CA; the JSON of `weir ca show`.
type AboutCA struct {
	Name      string    `json:"name"`
	File      string    `json:"file"` // the certificate
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// String is the form for people.
func (a AboutCA) String() string {
	return fmt.Sprintf("%s\nfile        %s\nsha256      %s\nvalid until %s", a.Name, a.File, a.SHA256, a.NotAfter.Format(time.DateOnly))
}

// ShowCA describes the CA.
func ShowCA(f *File) (AboutCA, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return AboutCA{}, err
	}
	return describeCA(f, a), nil
}

func describeCA(f *File, a *ca.Authority) AboutCA {
	c := a.Certificate()
	return AboutCA{
		Name: c.Subject.CommonName, File: filepath.Join(f.CADir(), ca.CertFile), SHA256: a.Fingerprint(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
}

// ExportCA returns the CA's certificate as PEM.
func ExportCA(f *File) ([]byte, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return nil, err
	}
	return a.CertificatePEM(), nil
}
