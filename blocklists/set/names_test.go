package set_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// held collects what Names yields, in order.
func held(s *set.Set, last uint32, lists ...uint16) (out []string) {
	for n, at := range s.Names(last, lists...) {
		out = append(out, fmt.Sprintf("%d:%04d %s", at.List, at.Line, n))
	}
	slices.Sort(out)
	return out
}

// TestNames: of exactly the lists that are asked for come exactly the names in force, whatever their records look like.
func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("x", 60)+".", 4)
	s := build(
		t,
		[]set.Entry{
			named("a.example", 1), named("b.example", 2, exact), named("c.example", 3, exception), named("d.example", 4, below),
			named("gone.example", 5), named("gone.example", 6, cancel), prefix("192.0.2.0/24", 7),
			{URL: "a.example/x", Line: 8},
			named("ns.example", 9, func(e *set.Entry) { e.Trigger = set.Server }), named(long+"example", 10),
			named("typed.example", 11, func(e *set.Entry) { e.Types = set.NewTypes(false, 1) }),
		},
		[]set.Entry{named("a.example", 1), named("only.example", 2)},
		nil,
	)
	want := []string{"0:0001 a.example", "0:0002 b.example", "0:0004 d.example", "0:0010 " + long + "example", "0:0011 typed.example"}
	for _, s := range []*set.Set{s, reopened(t, s)} {
		if got := held(s, 0, 0); !slices.Equal(got, want) {
			t.Errorf("list 0: %q", got)
		}
		if got := held(s, 2, 1, 0, 2, 999); !slices.Equal(got, []string{"0:0001 a.example", "0:0002 b.example", "1:0001 a.example", "1:0002 only.example"}) {
			t.Errorf("the first two lines of all: %q", got)
		}
		if got := append(held(s, 0), held(s, 0, 2, 7)...); got != nil {
			t.Errorf("no list: %q", got)
		}
		for range s.Names(0, 0) {
			break
		}
	}
	var none *set.Set
	if held(none, 0, 0) != nil || held(&set.Set{}, 0, 0) != nil {
		t.Error("nothing holds names")
	}
}

// FuzzNames: what Names yields is what look-ups find, and every name that a look-up finds it yields.
func FuzzNames(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, i)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		g := generator{rand.New(rand.NewPCG(a, b))}
		lists := g.lists()
		s := build(t, lists...)
		var all []uint16
		asked, want := map[hostname.Name]bool{}, []string(nil)
		for l, entries := range lists {
			all = append(all, uint16(l))
			for _, e := range entries {
				asked[e.Name] = true
			}
		}
		for n := range asked {
			below, err := hostname.Parse("x." + n.String())
			if err != nil {
				continue // the zero Name of other entries, or an address
			}
			for _, m := range append(s.Lookup(n, nil), s.Lookup(below, nil)...) { // the second for those that cover only what is below
				e := s.Entry(m)
				if line := fmt.Sprintf("%d:%04d %s", m.List, e.Line, n); e.Name == n && !e.Exception && e.Trigger == set.Target {
					want = append(want, line)
				}
			}
		}
		slices.Sort(want)
		if got := slices.Compact(held(s, 0, all...)); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}
