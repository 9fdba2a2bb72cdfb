package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// TestAddressesInAddresses: lists and rules are asked about an address as it was written and about every address inside it.
func TestAddressesInAddresses(t *testing.T) {
	t.Parallel()
	s := compile(t, config(t), stock(t, stocked{List: blocklists.List{Name: "bad", GrantAllow: true}, entries: entries(
		network("64:ff9b::808:808/128"), network("2002:909::/32"), network("2001:0:4136:e378::/64"), network("64:ff9b:1:2::/64"),
		network("93.184.216.0/24"), but(network("93.184.216.9/32")), but(network("1.1.1.1/32")), network("2002:101:101::/48"),
		triggered(network("93.184.216.0/24"), set.Server), triggered(network("64:ff9b::808:808/128"), set.Server),
		link("[2002:b0b:b0b::1]:8080/"), link("81.2.69.142:8080/"),
	)}))
	for _, c := range []struct {
		addr    string
		port    uint16
		blocked bool
	}{
		{"64:ff9b::808:808", 0, true},                     // listed as it was written
		{"64:ff9b::808:809", 0, false},                    //
		{"64:ff9b::5db8:d801", 0, true},                   // listed for what is inside
		{"64:ff9b::5db8:d809", 0, false},                  // the exception holds for the only address inside
		{"2002:909:909::1", 0, true},                      // 6to4
		{"2001:0:4136:e378:8000:63bf:f7f7:f7f7", 0, true}, // Teredo, by its server's prefix
		{"2001:0:5db8:d801:8000:63bf:f7f7:f7f7", 0, true}, // Teredo: the server 93.184.216.1, the client 8.8.8.8
		{"2001:0:5db8:d801:8000:63bf:fefe:fefe", 0, true}, // the client 1.1.1.1 passes nothing that is wrong with the server
		{"2001:0:808:808:8000:63bf:fefe:fefe", 0, false},  //
		{"64:ff9b:1:2::808:808", 0, true},                 // local NAT64
		{"64:ff9b:1:5db8:d8:100::", 0, true},              // of another length
		{"2002:101:101::1", 0, true},                      // what passes 1.1.1.1 does not pass the way to it
		{"::ffff:93.184.216.1", 0, true},                  //
		{"2002:b0b:b0b::1", 8080, true},                   // a host with its port
		{"64:ff9b::5102:458e", 8080, true},                //
		{"64:ff9b::5102:458e", 80, false},                 //
		{"2002:b0b:b0b::2", 8080, false},                  //
	} {
		for how, q := range map[string]policy.Subject{
			"literal": literal(c.addr), "answer": {Now: now, Place: verdict.PlaceAnswer, Addr: netip.MustParseAddr(c.addr)},
		} {
			q.Port = c.port
			got := s.AdmitAddress(&q, nil)
			if q.Literal {
				got = s.Admit(&q, nil).Verdict
			}
			if blocked := got.Ref.List != 0 && got.Blocks(); blocked != c.blocked {
				t.Errorf("%s %s:%d: %v", how, c.addr, c.port, got)
			}
		}
	}
	for addr, blocked := range map[string]bool{"64:ff9b::808:808": true, "64:ff9b::5db8:d801": true, "64:ff9b::909:909": false} {
		q := policy.Subject{Now: now, Place: verdict.PlaceServer, Addr: netip.MustParseAddr(addr)}
		if v, ok := s.AdmitServer(&q, nil); (ok && v.Blocks()) != blocked {
			t.Errorf("server %s: %v", addr, v)
		}
	}
}

// TestRulesSeeEveryAddressInside: a rule that stops holds for any address inside, one that allows only for all.
func TestRulesSeeEveryAddressInside(t *testing.T) {
	t.Parallel()
	const teredo = "2001:0:909:909:8000:63bf:fefe:fefe" // the server 9.9.9.9, the client 1.1.1.1
	for _, c := range []struct {
		action  policy.RuleAction
		nets    string
		applies bool
	}{
		{policy.RuleBlock, "9.9.9.0/24", true},
		{policy.RuleBlock, "1.1.1.1/32", true},
		{policy.RuleBlock, "2001::/32", true},
		{policy.RuleAllow, "1.1.1.1/32", false},
		{policy.RuleAllow, "2001::/32", true},
	} {
		cfg := config(t)
		cfg.Rules = []policy.Rule{{Name: "r", Addresses: prefixes(c.nets), Action: c.action}}
		q := literal(teredo)
		v := compile(t, cfg, nil).Admit(&q, nil).Verdict
		if applied := v.Ref.Rule != 0; applied != c.applies {
			t.Error(fmt.Sprint(c), v)
		}
	}
	cfg := config(t)
	cfg.Internal.Networks = prefixes("10.0.0.0/8")
	s := compile(t, cfg, nil)
	for addr, refused := range map[string]bool{
		"64:ff9b::a00:1": false, "2001:0:a00:1:8000:63bf:f5ff:fffe": false, // Teredo with both inside
		"2001:0:a9fe:a9fe:8000:63bf:f5ff:fffe": true, // its server is 169.254.169.254
	} {
		q := policy.Subject{Now: now, Place: verdict.PlaceDial, Addr: netip.MustParseAddr(addr)}
		if v := s.AdmitAddress(&q, nil); v.Blocks() != refused {
			t.Errorf("%s: %v", addr, v)
		}
	}
}
