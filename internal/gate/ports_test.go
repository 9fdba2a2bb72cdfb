package gate_test

import (
	"net/netip"
	"net/url"
	"testing"

	"weir/blocklists"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// TestListedPorts: what a list holds at a port is blocked there and nowhere else, by CONNECT, by URL whatever its scheme leaves out,
// at dial, and by an alias; DNS, which has no ports, says nothing.
func TestListedPorts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: "c2"})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []string{"c2.test:8443/", "web.test:443/", "plain.test:80/", "93.184.216.34:8443/", "[2606:2800:220:1::1]:443/", "path.test:8443/x"} {
		if err := b.Add(n, blocklists.Entry{URL: e, Line: uint32(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	r.Swap(snapshotOf(t, r.engine, b.Build(), func(c *policy.Config) {
		c.ConnectPorts, c.PlainPorts = []uint16{443, 8443}, []uint16{80, 443}
	}))
	connect := func(authority string) func() *gate.Exchange {
		return func() *gate.Exchange {
			x := r.Begin(inspect.Tunnel, r.flow(), now)
			x.Connect(now, authority)
			return x
		}
	}
	get := func(target string) func() *gate.Exchange {
		return func() *gate.Exchange {
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			x, err := r.Check(now, r.flow().Client.Addr, u.String())
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
	}
	for what, c := range map[string]struct {
		do      func() *gate.Exchange
		blocked bool
	}{
		"CONNECT":                      {connect("C2.test.:8443"), true},
		"CONNECT to another port":      {connect("c2.test:443"), false},
		"CONNECT to a usual port":      {connect("web.test:443"), true},
		"CONNECT to an address":        {connect("93.184.216.34:8443"), true},
		"CONNECT in another spelling":  {connect("0x5db8d822:8443"), true},
		"CONNECT to its other port":    {connect("93.184.216.34:443"), false},
		"CONNECT over IPv6":            {connect("[2606:2800:220:1::1]:443"), true},
		"CONNECT below":                {connect("x.c2.test:8443"), false},
		"CONNECT to the host of a URL": {connect("path.test:8443"), false},
		"https":                        {get("https://c2.test:8443/a?b"), true},
		"wss":                          {get("wss://c2.test:8443/"), true},
		"https, port left out":         {get("https://web.test/a"), true},
		"http at the port of https":    {get("http://web.test:443/a"), true},
		"http beside https":            {get("http://web.test/"), false},
		"http, port left out":          {get("http://plain.test/x"), true},
		"http, port given":             {get("http://plain.test:80/x"), true},
		"https beside http":            {get("https://plain.test/x"), false},
		"DNS":                          {get("c2.test"), false},
		"dial": {func() *gate.Exchange {
			x := connect("fine.test:8443")()
			x.Unreachable(x.Address(now, verdict.PlaceDial, netip.MustParseAddr("93.184.216.34")))
			return x
		}, true},
		"dial of another port": {func() *gate.Exchange {
			x := connect("fine.test:443")()
			x.Unreachable(x.Address(now, verdict.PlaceDial, netip.MustParseAddr("93.184.216.34")))
			return x
		}, false},
		"alias": {func() *gate.Exchange {
			x := connect("fine.test:8443")()
			x.Name(now, verdict.PlaceCNAME, hostname.MustParse("c2.test"))
			return x
		}, true},
		"SNI": {func() *gate.Exchange {
			x := connect("fine.test:8443")()
			x.Tunnel(now, gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "c2.test"}})
			return x
		}, true},
	} {
		x := c.do()
		if v := x.Verdict(); v.Blocks() != c.blocked || c.blocked && x.Reason().List != "c2" {
			t.Errorf("%s: %+v, %+v", what, v, x.Reason())
		}
	}
}
