package policy

import "slices"

// trigger is what made an entry match, in the order in which one list with [blocklists.List.Nearest] is asked: in response policy
// zones the first kind that matches settles what the zone says (the precedence rules of draft-vixie-dnsop-dns-rpz-00).
type trigger uint8

const (
	byClient     trigger = iota // the address of the client
	byTarget                    // the name asked for, a URL, a fingerprint
	byAddress                   // an address that the name leads to
	byServer                    // a name server of the zone
	byServerAddr                // the address of one
)

// Spoken remembers for one transaction which of the lists in which only the nearest entry counts have spoken, and by which kind of
// trigger: a better one settles what the list says, so that an address is not blocked by a zone that passed its name. The zero Spoken
// remembers nothing; it is not safe for concurrent use, and serves one Snapshot.
type Spoken struct {
	lists []spoken
}

type spoken struct {
	list   uint16
	by     trigger
	passed bool // a name, by an exception
}

// Clone returns a copy that changes no more.
func (h *Spoken) Clone() Spoken { return Spoken{lists: slices.Clone(h.lists)} }

// passed says whether a list let a name of the transaction pass: then it says nothing against the names that it is an alias of, for what is
// said of a name goes before what is said of the target of its CNAME.
func (h *Spoken) passed(list uint16) bool {
	return h != nil && slices.ContainsFunc(h.lists, func(e spoken) bool { return e.list == list && e.passed })
}

// settled says whether a better trigger than by has spoken in a list.
func (h *Spoken) settled(list uint16, by trigger) bool {
	if h == nil {
		return false
	}
	for _, e := range h.lists {
		if e.list == list && e.by < by {
			return true
		}
	}
	return false
}

func (h *Spoken) note(list uint16, by trigger, passed bool) {
	if h == nil {
		return
	}
	for i := range h.lists {
		if e := &h.lists[i]; e.list == list {
			e.by, e.passed = min(e.by, by), e.passed || passed
			return
		}
	}
	h.lists = append(h.lists, spoken{list, by, passed})
}
