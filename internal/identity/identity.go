// Package identity says who asks: it maps a client's address to the groups of the policy. Layer L1.
package identity

import (
	"fmt"
	"net/netip"

	"github.com/gaissmai/bart"
)

// MaxGroups bounds the number of groups, so that membership is one word.
const MaxGroups = 64

// Groups is a set of group numbers.
type Groups uint64

// Has says whether any of want is in g; an empty want is in every set.
func (g Groups) Has(want Groups) bool { return want == 0 || g&want != 0 }

// Client is the asker of a transaction.
type Client struct {
	Addr   netip.Addr
	Groups Groups
	Served bool // the config serves this client at all
}

// Group is a named set of client networks.
type Group struct {
	Name     string
	Networks []netip.Prefix
}

// Table maps addresses to groups. It is immutable; the nil Table knows no groups and serves nobody.
type Table struct {
	names  []string
	groups bart.Table[Groups]
	served bart.Table[struct{}]
}

// NewTable compiles groups and the networks that are served. Group numbers follow the order given.
func NewTable(groups []Group, serve []netip.Prefix) (*Table, error) {
	if len(groups) > MaxGroups {
		return nil, fmt.Errorf("%d groups: at most %d", len(groups), MaxGroups)
	}
	t := &Table{}
	for i, g := range groups {
		t.names = append(t.names, g.Name)
		for _, p := range g.Networks {
			bits, _ := t.groups.Get(p.Masked())
			t.groups.Insert(p.Masked(), bits|1<<i)
		}
	}
	for _, p := range serve {
		t.served.Insert(p.Masked(), struct{}{})
	}
	return t, nil
}

// Lookup says who addr is; a v4-mapped address is its IPv4 address.
func (t *Table) Lookup(addr netip.Addr) Client {
	c := Client{Addr: addr.Unmap().WithZone("")}
	if t == nil || !addr.IsValid() {
		return c
	}
	for _, bits := range t.groups.Supernets(netip.PrefixFrom(c.Addr, c.Addr.BitLen())) {
		c.Groups |= bits
	}
	c.Served = t.served.Contains(c.Addr)
	return c
}

// Number returns the set that holds only the named group; ok is false for a group that does not exist.
func (t *Table) Number(name string) (g Groups, ok bool) {
	for i, n := range t.names {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Names lists the groups in g.
func (t *Table) Names(g Groups) []string {
	var out []string
	for i, n := range t.names {
		if g&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}
