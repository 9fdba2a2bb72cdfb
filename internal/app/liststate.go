package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/admin"
	"weir/internal/event"
	"weir/internal/redact"
)

// ListState is what there is to know about one list; the JSON of `weir lists status`.
type ListState struct {
	Name            string            `json:"name"`
	State           string            `json:"state"` // a word of listState
	Class           string            `json:"class"`
	Category        string            `json:"category"`
	Source          string            `json:"source"`
	Format          string            `json:"format"`
	Files           int               `json:"files,omitempty"` // of a directory
	Rules           int               `json:"rules"`           // in force
	Names           int               `json:"names"`
	Addresses       int               `json:"addresses"`
	URLs            int               `json:"urls"`
	Fingerprints    int               `json:"fingerprints"`
	Refused         int               `json:"refused"`          // what would let something through, without grants: [allow]
	RefusedRewrites int               `json:"refused_rewrites"` // answers of its own, without grants: [rewrite]
	RefusedClients  int               `json:"refused_clients"`  // about who asks, without grants: [clients]
	Skipped         map[string]int    `json:"skipped"`          // lines, by reason
	Bytes           int64             `json:"bytes"`            // of text
	Updated         time.Time         `json:"updated"`          // when the text in force was last seen to be current
	Next            time.Time         `json:"next"`             // of the next refresh
	LastError       string            `json:"last_error"`
	Failing         bool              `json:"failing"` // the last attempt failed and an older text is in force
	Expired         bool              `json:"expired"` // the text is too old and does not count
	Held            bool              `json:"held"`    // a text waits for review
	Pending         *source.Candidate `json:"pending,omitempty"`
	Memory          ListMemory        `json:"memory"`
}

// ListMemory is what the one set of all lists takes, in octets.
type ListMemory struct {
	Resident uint64 `json:"set_resident_bytes"` // always in memory
	Mapped   uint64 `json:"set_mapped_bytes"`   // of a file, of which only what is touched is in memory
}

func listStates(m *source.Manager) []ListState {
	set := m.Set()
	about := map[string]blocklists.List{}
	for i := range set.Lists() {
		l := set.List(uint16(i))
		about[l.Name] = l
	}
	total := set.Stats()
	out := []ListState{}
	for _, s := range m.Status() {
		l := about[s.Name]
		state := ListState{
			Name: s.Name, State: listState(s), Class: l.Class.String(), Category: l.Category, Source: redact.Text(s.Source), Format: s.Format.String(),
			Files: s.Files, Rules: s.Rules, Names: s.Names, Addresses: s.Addresses, URLs: s.URLs, Fingerprints: s.Fingerprints,
			Refused: s.Refused, RefusedRewrites: s.RefusedRewrites, RefusedClients: s.RefusedClients, Skipped: s.Skipped, Bytes: s.Bytes, Updated: s.Updated, Next: s.Next,
			LastError: redact.Scrub(s.LastError), Failing: s.Failing, Expired: s.Expired, Held: s.Held(), Memory: ListMemory{total.Bytes, total.Mapped},
		}
		if s.Held() {
			state.Pending = &s.Pending
		}
		out = append(out, state)
	}
	return out
}

// listState is one word for how a list fares: built-in; directory, whose files follow as lists of their own; expired, too old to
// count; held, a new text waits for review and the older one is in force; never loaded; failing, the last attempt failed and an
// older text is in force; current.
func listState(s source.Status) string {
	switch {
	case s.BuiltIn:
		return "built-in"
	case s.Directory:
		return "directory"
	case s.Expired:
		return "expired"
	case s.Held():
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
	m, err := onDisk(ctx, f)
	if err != nil {
		return err
	}
	return m.Refresh(ctx, name)
}

// AcceptList puts the text of a list that is held for review in force: in the weir that runs with this config file, else on disk.
func AcceptList(ctx context.Context, f *File, name string) error {
	client, err := controlClient(ctx, f)
	if err == nil {
		return client.AcceptList(ctx, name)
	}
	if errors.Is(err, admin.ErrForbidden) {
		return err
	}
	m, err := onDisk(ctx, f)
	if err != nil {
		return err
	}
	return m.Accept(ctx, name)
}

// onDisk opens the lists as they lie on disk, to change them.
func onDisk(ctx context.Context, f *File) (*source.Manager, error) {
	src, err := sources(f.File)
	if err != nil {
		return nil, err
	}
	m, err := source.New(source.Config{Dir: f.ListsDir(), Sources: src, Canaries: canaries(f.File), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	_, _ = m.Load(ctx) // what is wrong with a list shows in its own refresh, and is no reason to leave out the others
	return m, nil
}
