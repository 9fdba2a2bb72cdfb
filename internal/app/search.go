package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/event"
	"weir/internal/hostname"
	"weir/internal/redact"
	"weir/internal/weburl"
)

// Hit is one list entry that speaks of what was searched for.
type Hit struct {
	List     string `json:"list"`
	Class    string `json:"class"`
	Category string `json:"category"`
	Source   string `json:"source"`
	Entry    string `json:"entry"`
	Line     uint32 `json:"line"`
	// Trigger says what the entry is compared with, when that is not the target: client or server (a name server of the zone).
	Trigger    string `json:"trigger,omitempty"`
	Exception  bool   `json:"exception,omitempty"` // it lets through
	Priority   int    `json:"priority,omitempty"`
	Confidence uint8  `json:"confidence,omitempty"` // percent; 0: the list does not say
	Shadow     bool   `json:"shadow,omitempty"`     // the list is only tried out
}

// errSearch says what can be searched for.
var errSearch = errors.New("not a name, address, network, URL or fingerprint (JA3, JA4)")

// SearchLists finds every list and line that holds a name or its parents, an address or network, a URL (its host as well), or a
// fingerprint, whatever the entry is compared with. It decides nothing: exceptions and lists for other clients are shown too.
func SearchLists(ctx context.Context, f *File, text string) ([]Hit, error) {
	find, err := finder(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return nil, err
	}
	set := k.lists.Set()
	hits := []Hit{}
	for _, m := range find(set) {
		l, e := set.List(m.List), set.Entry(m)
		h := Hit{
			List: l.Name, Class: l.Class.String(), Category: l.Category, Source: redact.Text(l.Source), Entry: redact.Text(e.String()), Line: e.Line,
			Exception: e.Exception, Priority: l.Priority, Confidence: l.Confidence, Shadow: l.Shadow,
		}
		if e.Trigger != 0 {
			h.Trigger = e.Trigger.String()
		}
		hits = append(hits, h)
	}
	return hits, nil
}

// finder reads what is searched for and returns how to look it up.
func finder(text string) (func(*blocklists.Set) []blocklists.Match, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return func(s *blocklists.Set) []blocklists.Match { return findPrefix(s, p) }, nil
	}
	if strings.Contains(text, "/") {
		return findURL(text)
	}
	host, err := hostname.ParseHost(text)
	fingerprint, ok := format.ParseFingerprint(text)
	if err != nil && !ok {
		return nil, fmt.Errorf("%q: %w", text, errSearch)
	}
	return func(s *blocklists.Set) []blocklists.Match {
		var out []blocklists.Match
		if ok {
			out = s.LookupFingerprint(fingerprint, nil)
		}
		if err == nil { // a JA3 may be a name as well
			out = findHost(s, host, out)
		}
		return out
	}, nil
}

func findHost(s *blocklists.Set, host hostname.Authority, dst []blocklists.Match) []blocklists.Match {
	if host.IsAddr() {
		return s.LookupServerAddr(host.Addr, s.LookupClient(host.Addr, s.LookupAddr(host.Addr, dst)))
	}
	return s.LookupServer(host.Name, s.Lookup(host.Name, dst))
}

// findPrefix returns the entries that hold the whole network.
func findPrefix(s *blocklists.Set, p netip.Prefix) []blocklists.Match {
	host := hostname.Authority{Addr: p.Masked().Addr()}
	return slices.DeleteFunc(findHost(s, host, nil), func(m blocklists.Match) bool { return s.Entry(m).Prefix.Bits() > p.Bits() })
}

// findURL looks a URL up in both ways in which servers may read it, and its host.
func findURL(text string) (func(*blocklists.Set) []blocklists.Match, error) {
	host, u, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	return func(s *blocklists.Set) []blocklists.Match {
		out := s.LookupURL(weburl.Key(weburl.Canonical(u.Scheme, host, u)), nil)
		if loose := weburl.Loose(u.Scheme, host, u); loose != "" {
			for _, m := range s.LookupURL(weburl.Key(loose), nil) {
				if !slices.ContainsFunc(out, func(o blocklists.Match) bool { return o.List == m.List && o.Entry == m.Entry }) {
					out = append(out, m)
				}
			}
		}
		return findHost(s, hostname.Authority{Name: host.Name, Addr: host.Addr}, out)
	}, nil
}

// parseURL reads a URL; one without a scheme, as lists have them, is as good as with http.
func parseURL(text string) (hostname.Authority, *url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return hostname.Authority{}, nil, fmt.Errorf("%q: %w", redact.URL(text), errSearch)
	}
	host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		return hostname.Authority{}, nil, fmt.Errorf("%q: %w", redact.URL(text), errSearch)
	}
	return host, u, nil
}

// lookUp returns what lists say of a host, for people to read: it decides nothing.
func lookUp(set *blocklists.Set, host hostname.Authority) []blocklists.Match {
	if host.IsAddr() {
		return set.LookupAddr(host.Addr, nil)
	}
	return set.Lookup(host.Name, nil)
}
