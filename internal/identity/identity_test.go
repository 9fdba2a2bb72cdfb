package identity_test

import (
	"net/netip"
	"reflect"
	"testing"

	"weir/internal/identity"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	table, err := identity.NewTable([]identity.Group{
		{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{Name: "lab", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}},
	}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string][]string{
		"10.2.3.4": {"office"}, "10.1.2.3": {"office", "lab"}, "::ffff:10.1.2.3": {"office", "lab"}, "fd00::1": {"lab"}, "192.0.2.1": nil,
	} {
		c := table.Lookup(netip.MustParseAddr(addr))
		if got := table.Names(c.Groups); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is in %v, want %v", addr, got, want)
		}
	}
	if !table.Lookup(netip.MustParseAddr("127.0.0.1")).Served || table.Lookup(netip.MustParseAddr("192.0.2.1")).Served {
		t.Error("served networks are wrong")
	}
	if c := (*identity.Table)(nil).Lookup(netip.MustParseAddr("10.0.0.1")); c.Served || c.Groups != 0 {
		t.Error("the nil table must serve nobody")
	}
	lab, ok := table.Number("lab")
	if !ok || !table.Lookup(netip.MustParseAddr("10.1.0.1")).Groups.Has(lab) || table.Lookup(netip.MustParseAddr("10.2.0.1")).Groups.Has(lab) {
		t.Error("Number does not agree with Lookup")
	}
	if _, err := identity.NewTable(make([]identity.Group, 65), nil); err == nil {
		t.Error("65 groups must be refused")
	}
}
