package policy

import (
	"slices"
	"strings"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

// aspect is what of a Subject is looked up in the lists.
type aspect uint8

const (
	ofTarget  aspect = iota // who asks, and what for: client, name, literal address, URL
	ofAddress               // an address that the name leads to
	ofServer                // a name server of the zone, or its address
	ofHello                 // the fingerprints of a ClientHello
)

// lookUp appends to dst what the lists say of one aspect of the subject, as far as it counts for this client and question.
func (s *Snapshot) lookUp(q *Subject, what aspect, dst []blocklists.Match) []blocklists.Match {
	switch what {
	case ofTarget:
		return s.lookUpTarget(q, dst)
	case ofAddress:
		from := len(dst)
		return s.hear(q, byAddress, s.lookUpPort(q, s.lookUpAddr(q.Addr, set.Target, dst)), from)
	case ofServer:
		from := len(dst)
		dst = s.hear(q, byServer, s.set.LookupServer(q.Name, dst), from)
		if from = len(dst); q.Addr.IsValid() {
			dst = s.hear(q, byServerAddr, s.lookUpAddr(q.Addr, set.Server, dst), from)
		}
	case ofHello:
		if s.holds&set.KindFingerprint != 0 {
			from := len(dst)
			dst = s.set.LookupFingerprint(strings.ToLower(q.JA3), dst)
			dst = s.set.LookupFingerprint(strings.ToLower(q.JA4), dst) // the ends of an ALPN value may be capitals
			dst = s.hear(q, byTarget, dst, from)
		}
	}
	return dst
}

func (s *Snapshot) lookUpTarget(q *Subject, dst []blocklists.Match) []blocklists.Match {
	if s.holds&set.KindClient != 0 && q.Place != verdict.PlaceCNAME && q.Place != verdict.PlaceTarget {
		dst = s.hear(q, byClient, s.set.LookupClient(q.Client.Addr, dst), len(dst))
	}
	from := len(dst)
	if !q.Name.IsZero() {
		dst = s.set.Lookup(q.Name, dst)
	}
	if s.holds&set.KindURL != 0 && q.URL != "" {
		dst = s.lookUpURL(q, dst)
	}
	dst = s.lookUpPort(q, dst)
	dst = s.hear(q, byTarget, dst, from)
	if from = len(dst); q.Addr.IsValid() {
		dst = s.hear(q, byAddress, s.lookUpAddr(q.Addr, set.Target, dst), from)
	}
	return dst
}

// lookUpPort looks up the host with its port, "host:port/", so that what is listed at a port is known where there is no URL yet: at
// CONNECT, at dial, and in a URL that leaves its usual port out.
func (s *Snapshot) lookUpPort(q *Subject, dst []blocklists.Match) []blocklists.Match {
	if s.holds&set.KindURL == 0 || q.Port == 0 {
		return dst
	}
	if !q.Name.IsZero() {
		return s.lookUpHost(q, hostname.Authority{Name: q.Name, Port: q.Port}, dst)
	}
	forms := [][]blocklists.Match{s.lookUpHost(q, hostname.Authority{Addr: q.Addr.Unmap().WithZone(""), Port: q.Port}, nil)}
	for _, a := range embedded(q.Addr) {
		forms = append(forms, s.lookUpHost(q, hostname.Authority{Addr: a, Port: q.Port}, nil))
	}
	return s.merge(forms, dst)
}

func (s *Snapshot) lookUpHost(q *Subject, host hostname.Authority, dst []blocklists.Match) []blocklists.Match {
	key := host.String() + "/"
	if host.IsZero() || strings.HasPrefix(weburl.Key(q.URL), key) {
		return dst // the URL was looked up, and with it this
	}
	return append(dst, s.set.LookupURL(key, nil)...) // of its own, as in lookUpURL
}

// lookUpURL looks up both ways in which servers may read the URL: what stops holds for either, what lets through only for both.
func (s *Snapshot) lookUpURL(q *Subject, dst []blocklists.Match) []blocklists.Match {
	strict := s.set.LookupURL(weburl.Key(q.URL), nil) // of its own, so that dst stays on the stack: URLs are rarely listed
	if q.LooseURL == "" {
		return append(dst, strict...)
	}
	loose := s.set.LookupURL(weburl.Key(q.LooseURL), nil)
	for _, m := range strict {
		if !s.permits(m) || slices.ContainsFunc(loose, sameEntry(m)) {
			dst = append(dst, m)
		}
	}
	for _, m := range loose {
		if !s.permits(m) && !slices.ContainsFunc(strict, sameEntry(m)) {
			dst = append(dst, m)
		}
	}
	return dst
}

func sameEntry(m blocklists.Match) func(blocklists.Match) bool {
	return func(o blocklists.Match) bool { return o.List == m.List && o.Entry == m.Entry }
}

// permits says whether a match can let something through that would be stopped without it.
func (s *Snapshot) permits(m blocklists.Match) bool {
	l := &s.listing[m.List]
	return m.Exception || l.allows() || l.action == blocklists.ActionByClass && l.class > verdict.ClassUntrusted
}

// hear keeps those of the matches from from on that count: of lists that speak to this client, about questions of this type; of a
// list in which only the nearest entry counts that one alone, unless a better trigger has settled what the list says.
func (s *Snapshot) hear(q *Subject, by trigger, all []blocklists.Match, from int) []blocklists.Match {
	n, near := from, false
	for _, m := range all[from:] {
		l := &s.listing[m.List]
		if l.dead || m.List+1 == q.Mute || !q.Client.Groups.Has(l.groups) || m.Extra && !s.asked(q, m) {
			continue
		}
		all[n] = m
		n++
		near = near || l.nearest
	}
	if all = all[:n]; near {
		all = s.nearest(q, by, all, from)
	}
	return s.dropped(q, all, from)
}

// asked says whether an entry is about questions of this type; those for some types only are about DNS alone.
func (s *Snapshot) asked(q *Subject, m blocklists.Match) bool {
	types := s.set.Entry(m).Types
	return types == "" || q.Protocol == inspect.DNS && types.Has(q.QType)
}

// nearest keeps, of each list in which only the nearest entry counts, its nearest entries: those for the longest name or prefix,
// and of these the ones for exactly this name before the ones for it and what is below.
func (s *Snapshot) nearest(q *Subject, by trigger, all []blocklists.Match, from int) []blocklists.Match {
	n := from
	for i, m := range all[from:] {
		if s.listing[m.List].nearest && (settled(q, by, m) || holdsList(all[:from], m.List) ||
			s.outdone(m, all[from:n]) || s.outdone(m, all[from+i:])) {
			continue
		}
		all[n] = m
		n++
	}
	kept := all[from:n]
	for _, m := range kept {
		if s.listing[m.List].nearest {
			q.Spoken.note(m.List, by, m.Exception && by == byTarget)
		}
	}
	return all[:n]
}

// settled says whether what the list of m says was said before: by a better trigger, or when it let pass the name that m's is an alias of.
func settled(q *Subject, by trigger, m blocklists.Match) bool {
	return q.Spoken.settled(m.List, by) || q.Place == verdict.PlaceCNAME && !m.Exception && q.Spoken.passed(m.List)
}

func holdsList(all []blocklists.Match, list uint16) bool {
	return slices.ContainsFunc(all, func(o blocklists.Match) bool { return o.List == list })
}

// outdone says whether one of the others is of the same list as m and lies nearer to what was looked up.
func (s *Snapshot) outdone(m blocklists.Match, others []blocklists.Match) bool {
	for _, o := range others {
		if o.List != m.List || o.Entry == m.Entry || o.Depth > m.Depth {
			continue
		}
		if o.Depth < m.Depth || tightness[s.set.Entry(o).Scope%3] < tightness[s.set.Entry(m).Scope%3] {
			return true
		}
	}
	return false
}

// tightness orders scopes: exact before a name and all below, before only what is below.
var tightness = [...]int{blocklists.Exact: 0, blocklists.Suffix: 1, blocklists.Below: 2}

// dropped removes the matches that only ask for a stream where there is one: they have settled what their list says, and say nothing.
func (s *Snapshot) dropped(q *Subject, all []blocklists.Match, from int) []blocklists.Match {
	if !q.Stream && q.Protocol == inspect.DNS {
		return all
	}
	n := from
	for _, m := range all[from:] {
		if !m.Extra || s.set.Entry(m).Reply != set.ReplyTCPOnly {
			all[n] = m
			n++
		}
	}
	return all[:n]
}
