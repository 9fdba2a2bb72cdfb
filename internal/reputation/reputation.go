// Package reputation gives a name its class where no list condemns it: a look-alike, a risky suffix, a customer of a shared service, a
// name that was first seen here a moment ago, or one that is known for long. It also keeps servers to the names that they were seen to
// use ([Lock]). A [Book] is immutable and goes with one policy; what it looks up in package memory goes on. An [Observer] writes there.
// It decides nothing: package policy does. Layer L2.
package reputation

import (
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/identity"
	"weir/internal/memory"
	"weir/internal/reputation/lookalike"
	"weir/internal/reputation/tenant"
	"weir/internal/verdict"
)

// Config is what a Book is made of.
type Config struct {
	Memory     *memory.Memory   // nil: every name is new
	UnknownFor time.Duration    // a name that was first seen here less than that ago is unknown
	SuspectFor time.Duration    // and one that is known for so long imitates nobody
	Lookalikes *lookalike.Index // of the names that others imitate; nil: none
	Suffixes   []hostname.Name  // below these, what no list knows is untrusted
	Internal   []hostname.Name  // the organisation's own zones: they are not judged by class, and locks leave them alone
	Clients    *identity.Table  // numbers the groups of Locks
	Locks      []Lock
}

// Lock keeps clients to the names that they used until some time: learn, then lock.
type Lock struct {
	Name   string
	Groups identity.Groups // whose clients it is for; 0: all
	Until  time.Time       // it learns before, and locks from then on
	Names  *memory.Names   // what it has learnt
}

// Book answers for one policy. The nil Book knows nothing and locks nothing.
type Book struct {
	cfg      Config
	suffixes map[hostname.Name]bool
}

// New makes a Book.
func New(cfg Config) *Book {
	b := &Book{cfg: cfg, suffixes: map[hostname.Name]bool{}}
	for _, s := range cfg.Suffixes {
		b.suffixes[s] = true
	}
	return b
}

// Locks are those of the Book.
func (b *Book) Locks() []Lock {
	if b == nil {
		return nil
	}
	return b.cfg.Locks
}

// Question is a name and what lists say of it that is no blame.
type Question struct {
	Now    time.Time
	Name   hostname.Name
	URL    string // canonical (package weburl); "" where only the name is known
	Known  bool   // a list of popular or known names holds it
	Shared bool   // a list of shared services holds it
	Depth  int    // how many labels the name has in front of the entry of that list
}

// Standing is a class with its reason.
type Standing struct {
	Class   verdict.Class
	Grounds verdict.Grounds
	Own     bool // within a zone of the organisation: its class decides nothing
	Fresh   bool // first seen here less than Config.UnknownFor ago: what is shared or suspect can be new as well
}

// Judge gives a name its class. Of several the worst counts: a look-alike or what stands below a risky suffix is untrusted even where
// it is a tenant; a tenant is shared, how long it may be known; what is left is unknown while it is new. A list of known names acquits
// of all that, but the tenants of a service only where it names them.
func (b *Book) Judge(q Question) Standing {
	if b == nil || q.Name.IsZero() {
		return Standing{Class: verdict.ClassUnknown}
	}
	t := tenantOf(q.Name, q.URL)
	if q.Known && t.lifted(q.Name, q.Depth) {
		return Standing{Class: verdict.ClassKnown}
	}
	if zone, ok := b.internal(q.Name); ok {
		return Standing{Class: verdict.ClassUnknown, Own: true, Grounds: verdict.Grounds{Kind: verdict.GroundInternal, Of: zone.String()}}
	}
	since, age := b.since(t.key, q.Now)
	out := Standing{Class: verdict.ClassUnknown, Fresh: age < b.cfg.UnknownFor, Grounds: verdict.Grounds{Kind: verdict.GroundNew, Since: since}}
	switch {
	case b.imitates(q.Name, age, &out.Grounds), b.risky(q.Name, &out.Grounds):
		out.Class = verdict.ClassUntrusted
	case t.shared:
		out.Class, out.Grounds.Kind, out.Grounds.Of = verdict.ClassShared, verdict.GroundTenant, t.service
	case q.Shared:
		out.Class, out.Grounds.Kind, out.Grounds.Of = verdict.ClassShared, verdict.GroundTenant, above(q.Name, q.Depth).String()
	case !out.Fresh:
		out.Class, out.Grounds.Kind = verdict.ClassKnown, verdict.GroundSeen
	}
	return out
}

// since looks a key up in the memory. A name that was never seen is first seen now.
func (b *Book) since(key string, now time.Time) (minute uint32, age time.Duration) {
	first, _, ok := b.cfg.Memory.Seen(key)
	if !ok || first.After(now) {
		first = now
	}
	return uint32(max(first.Unix()/60, 0)), now.Sub(first)
}

// imitates says whether a name that is young here looks like one that others imitate.
func (b *Book) imitates(name hostname.Name, age time.Duration, why *verdict.Grounds) bool {
	known := age >= b.cfg.SuspectFor
	if b.cfg.Lookalikes == nil || known {
		return false
	}
	s, ok := b.cfg.Lookalikes.Find(name)
	if !ok || !lookalike.Judge(s, false, 0, known) { // registration data come as lists, of class untrusted
		return false
	}
	why.Kind, why.Of, why.How = verdict.GroundLookalike, s.Of.String(), s.Kind.String()
	return true
}

// risky says whether a name lies below a risky suffix, and which.
func (b *Book) risky(name hostname.Name, why *verdict.Grounds) bool {
	if len(b.suffixes) == 0 {
		return false
	}
	for p, ok := name.Parent(); ok; p, ok = p.Parent() {
		if b.suffixes[p] {
			why.Kind, why.Of = verdict.GroundSuffix, p.String()
			return true
		}
	}
	return false
}

func (b *Book) internal(name hostname.Name) (zone hostname.Name, ok bool) {
	for _, z := range b.cfg.Internal {
		if name.Within(z) {
			return z, true
		}
	}
	return hostname.Name{}, false
}

// above cuts labels off the left.
func above(name hostname.Name, labels int) hostname.Name {
	for range labels {
		p, ok := name.Parent()
		if !ok {
			break
		}
		name = p
	}
	return name
}

// part is what is remembered and judged of a name: the registrable domain or, on a shared service, a customer's part of it.
type part struct {
	key     string
	service string
	shared  bool
	// door is what a lock learns beside the name: the customer where only the path tells him, or just that path where it tells none
	// ([tenant.Door]). "" where the name says all, or no path is known yet.
	door string
}

// tenantOf says whose part of a shared service name and URL lead to.
func tenantOf(name hostname.Name, url string) part {
	key, service, ok := tenant.OrDomain(name, "")
	p := part{key: key, service: service, shared: ok}
	if path := pathOf(url); ok && key == "" && path != "" {
		p.key, p.service, _ = tenant.Of(name, path)
		p.door = tenant.Door(name, path)
	}
	if p.key == "" {
		p.key = name.String() // the service, of which no part is told
	}
	return p
}

// lifted says whether an entry of a list of known names, depth labels above name, speaks of this part and not of the service.
func (p part) lifted(name hostname.Name, depth int) bool {
	return !p.shared || name.Labels()-depth >= tenant.Labels(name)
}

// pathOf is the path of a canonical URL, with its query.
func pathOf(url string) string {
	for i := range len(url) {
		if url[i] == ':' && len(url) > i+3 && url[i+1] == '/' && url[i+2] == '/' {
			for j := i + 3; j < len(url); j++ {
				if url[j] == '/' {
					return url[j:]
				}
			}
			return ""
		}
	}
	return ""
}

// Door is what a client asks for, as a lock sees it.
type Door struct {
	Now      time.Time
	Groups   identity.Groups
	Name     hostname.Name
	Addr     netip.Addr // the target, where it is no name
	URL      string     // canonical; "" where only name or address are known
	LooseURL string     // as lenient servers read it, where that differs
}

// Locked names the first lock that keeps a client from a name or address which it had not learnt; ok is false when none does. The
// customers of a shared service that only a path tells apart are learnt one by one: the service's own name opens for a look-up or
// CONNECT, and the request is asked about again.
func (b *Book) Locked(d Door) (lock string, ok bool) {
	if b == nil {
		return "", false
	}
	for i := range b.cfg.Locks {
		l := &b.cfg.Locks[i]
		if d.Now.Before(l.Until) || !d.Groups.Has(l.Groups) {
			continue
		}
		if _, own := b.internal(d.Name); !own && !l.opens(d) {
			return l.Name, true
		}
	}
	return "", false
}

// opens says whether all that the door names was learnt.
func (l *Lock) opens(d Door) bool {
	if d.Name.IsZero() {
		return l.Names.Has(addressKey(d.Addr), d.Name)
	}
	for _, url := range [...]string{d.URL, d.LooseURL} {
		if url == "" {
			continue
		}
		if p := tenantOf(d.Name, url); p.door != "" && !l.Names.Has(p.door, d.Name) {
			return false
		}
	}
	return l.Names.Has(d.Name.String(), d.Name)
}
