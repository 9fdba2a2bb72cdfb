package policy

import (
	"net/netip"
	"slices"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/address"
)

// lookUpAddr looks up an address as it was written and every IPv4 address inside it (NAT64, 6to4, Teredo, ISATAP): translators and
// relays on the way decide which of them is reached. What stops holds for any of them; what lets through, only where nothing stops
// another one.
func (s *Snapshot) lookUpAddr(addr netip.Addr, by set.Trigger, dst []blocklists.Match) []blocklists.Match {
	inside := embedded(addr)
	if len(inside) == 0 {
		return s.findAddr(addr, by, dst)
	}
	forms := make([][]blocklists.Match, 0, len(inside)+1) // of their own: such addresses are rare
	forms = append(forms, s.findAddr(addr, by, nil))
	for _, a := range inside {
		forms = append(forms, s.findAddr(a, by, nil))
	}
	return s.merge(forms, dst)
}

func (s *Snapshot) findAddr(addr netip.Addr, by set.Trigger, dst []blocklists.Match) []blocklists.Match {
	if by == set.Server {
		return s.set.LookupServerAddr(addr, dst)
	}
	return s.set.LookupAddr(addr, dst)
}

// merge appends what counts of the matches of several readings of one address.
func (s *Snapshot) merge(forms [][]blocklists.Match, dst []blocklists.Match) []blocklists.Match {
	from := len(dst)
	for i, form := range forms {
		for _, m := range form {
			if !slices.ContainsFunc(dst[from:], sameEntry(m)) && (!s.permits(m) || !s.stopsOther(forms, i, m)) {
				dst = append(dst, m)
			}
		}
	}
	return dst
}

// stopsOther says whether something stops another form than the one that m, which lets through, was found for, and m does not hold there.
func (s *Snapshot) stopsOther(forms [][]blocklists.Match, own int, m blocklists.Match) bool {
	for i, form := range forms {
		if i != own && !slices.ContainsFunc(form, sameEntry(m)) &&
			slices.ContainsFunc(form, func(o blocklists.Match) bool { return !s.permits(o) }) {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 addresses inside a, without those that are a itself in another spelling; nil for an address without any.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() || a.Is4In6() { // that is where the kernel connects
		return nil
	}
	return address.Embedded(a)
}

// withinOne says whether one of the networks holds the address as it was written, or all that is inside it.
func withinOne(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.WithZone("")
	if holds(networks, addr.Unmap()) || holds(networks, addr) {
		return true
	}
	inside := embedded(addr)
	return len(inside) > 0 && !slices.ContainsFunc(inside, func(a netip.Addr) bool { return !holds(networks, a) })
}

// holds says whether one of the networks holds an address.
func holds(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
