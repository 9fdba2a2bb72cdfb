package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// Snapshot is a compiled policy with its lists. It is immutable and safe for concurrent use; the nil Snapshot blocks everything.
type Snapshot struct {
	cfg     Config
	set     *blocklists.Set
	rules   ruleSets
	expires bool // some rule has an end
	listing []listing
	holds   set.Kinds
}

// maxRules is what a rule number can hold.
const maxRules = math.MaxUint16 - 1

// Compile makes a Snapshot. Every problem is reported, each with the rule's place; on any problem there is no Snapshot, and the
// caller keeps the old one.
func Compile(cfg Config, set *blocklists.Set) (*Snapshot, error) {
	s := &Snapshot{cfg: cfg, set: set}
	var problems []error
	if len(cfg.Rules) > maxRules {
		return nil, fmt.Errorf("%d rules: at most %d", len(cfg.Rules), maxRules)
	}
	s.compileLists()
	for i := range cfg.Rules {
		r, err := s.compileRule(uint16(i+1), &cfg.Rules[i])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: rule %q: %w", cfg.Rules[i].Where, cfg.Rules[i].Name, err))
			continue
		}
		s.rules.add(r)
		s.expires = s.expires || !r.Until.IsZero()
	}
	s.expires = s.expires || s.locks()
	for name := range cfg.Modes {
		if s.detector(name) == 0 {
			problems = append(problems, fmt.Errorf("unknown detector %q", name))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return s, nil
}

func (s *Snapshot) compileRule(number uint16, src *Rule) (*rule, error) {
	r := &rule{Rule: src, number: number, hasNames: len(src.Names) > 0, hasLists: len(src.Lists)+len(src.Categories) > 0}
	var problems []error
	for _, name := range src.Groups {
		g, ok := s.cfg.Clients.Number(name)
		if !ok {
			problems = append(problems, fmt.Errorf("unknown group %q", name))
		}
		r.groups |= g
	}
	for _, p := range src.Protocols {
		r.protocols |= 1 << p
	}
	problems = append(problems, r.compileNames(src.Names), s.compileRuleLists(r), s.compileDetectors(r))
	if len(src.Classes) > 0 {
		r.classes = map[verdict.Class]bool{}
		for _, c := range src.Classes {
			r.classes[c] = true
		}
	}
	if src.InspectOff && src.Action != RuleAllow {
		problems = append(problems, errors.New("inspect: off goes with action: allow only"))
	}
	return r, errors.Join(problems...)
}

func (r *rule) compileNames(patterns []string) error {
	r.exact, r.below = map[hostname.Name]bool{}, map[hostname.Name]scope{}
	for _, p := range patterns {
		zone, kind := p, scope(0)
		if rest, ok := strings.CutPrefix(p, "*."); ok {
			zone, kind = rest, scopeBelow
		} else if rest, ok := strings.CutPrefix(p, "."); ok {
			zone, kind = rest, scopeSuffix
		}
		n, err := hostname.Parse(zone)
		if err != nil {
			return fmt.Errorf("name: %w", err)
		}
		if kind == 0 {
			r.exact[n] = true
		} else {
			r.below[n] |= kind
		}
	}
	return nil
}

func (s *Snapshot) compileRuleLists(r *rule) error {
	if !r.hasLists {
		return nil
	}
	r.lists = map[uint16]bool{}
	var problems []error
	for _, name := range r.Lists {
		found := false
		for i := range s.set.Lists() {
			if of := s.set.List(uint16(i)).Name; of == name || strings.HasPrefix(of, name+"/") { // a file of a directory
				r.lists[uint16(i)], found = true, true
			}
		}
		if !found {
			problems = append(problems, fmt.Errorf("unknown list %q", name))
		}
	}
	for i := range s.set.Lists() {
		if slices.Contains(r.Categories, s.set.List(uint16(i)).Category) {
			r.lists[uint16(i)] = true
		}
	}
	r.shadows = map[uint16]bool{}
	for n := range r.lists {
		if s.listing[n].shadow {
			r.shadows[n] = true
		}
	}
	return errors.Join(problems...)
}

func (s *Snapshot) compileDetectors(r *rule) error {
	if len(r.Detectors) == 0 {
		return nil
	}
	r.detectors = map[uint16]bool{}
	var problems []error
	for _, name := range r.Detectors {
		n := s.detector(name)
		if n == 0 {
			problems = append(problems, fmt.Errorf("unknown detector %q", name))
		}
		r.detectors[n] = true
	}
	return errors.Join(problems...)
}

// detector returns the number of a detector, 0 when there is none of that name.
func (s *Snapshot) detector(name string) uint16 {
	for i := range s.cfg.Detectors {
		if s.cfg.Detectors[i].Name == name {
			return uint16(i + 1)
		}
	}
	return 0
}

// Limits returns the caps of inspection.
func (s *Snapshot) Limits() inspect.Limits { return s.cfg.Limits }

// AnswerTTL returns the TTL of blocked DNS answers.
func (s *Snapshot) AnswerTTL() time.Duration { return s.cfg.AnswerTTL }

// Version returns the label of the policy for events.
func (s *Snapshot) Version() string {
	if s == nil {
		return ""
	}
	return s.cfg.Version
}

// Observing says whether the whole policy only logs.
func (s *Snapshot) Observing() bool { return s != nil && s.cfg.Observe }

// Expires says whether some rule has an end, so that live connections must be admitted again now and then.
func (s *Snapshot) Expires() bool { return s != nil && s.expires }

// Client says who addr is.
func (s *Snapshot) Client(addr netip.Addr) identity.Client {
	if s == nil {
		return identity.Client{Addr: addr}
	}
	return s.cfg.Clients.Lookup(addr)
}

// Groups names the groups of a client.
func (s *Snapshot) Groups(c identity.Client) []string {
	if s == nil || s.cfg.Clients == nil {
		return nil
	}
	return s.cfg.Clients.Names(c.Groups)
}
