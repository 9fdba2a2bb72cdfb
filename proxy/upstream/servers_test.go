package upstream_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/proxy/upstream"
)

// TestNameServers: they are asked for with the whole chain, behind the addresses and before the dial; when they cannot be asked about, nothing is dialled.
func TestNameServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *upstream.Config) { c.DialTimeout = 100 * time.Millisecond })
	o := newOrigin(t, "127.0.0.1:0", nil, false)
	r.names.set("own.test", "127.0.0.1")
	r.names.set("crook.test", "127.0.0.1")
	r.names.set("private.test", "10.0.0.1")
	r.names.servers = map[string]string{"crook.test": "ns.crook-host.test", "own.test": "ns.fine.test"}
	at := func(host string) string { return "http://" + host + ":" + o.port() + "/" }
	if _, _, err := r.get(t, at("own.test")); err != nil {
		t.Errorf("no list asks about name servers: %v", err)
	}
	r.policyWith(t, loopback, blocklists.Entry{Name: hostname.MustParse("ns.crook-host.test"), Trigger: set.Server})
	if _, _, err := r.get(t, at("own.test")); err != nil {
		t.Errorf("name servers that are fine: %v", err)
	}
	before := r.Stats().Dials.Load()
	_, x, err := r.get(t, at("crook.test"))
	if e := r.done(x); err == nil || err.Source != upstream.SourceBlocked || e.List.Name != "bad" || e.Trace[len(e.Trace)-1].Place != "server" {
		t.Errorf("listed name server: %v %+v", err, e)
	}
	if _, _, err = r.get(t, at("private.test")); err == nil || err.Source != upstream.SourceBlocked || len(r.names.chains) != 3 {
		t.Errorf("name servers of a name without an address that may be dialled: %v, %v", err, r.names.chains)
	}
	if _, _, err = r.get(t, at("127.0.0.1")); err != nil || len(r.names.chains) != 3 {
		t.Errorf("name servers of an address: %v, %v", err, r.names.chains)
	}
	r.names.hangs = true
	if _, _, err = r.get(t, at("own.test")); err == nil || err.Kind != upstream.KindDNSTimeout {
		t.Errorf("a search that does not end: %v", err)
	}
	if n := r.Stats().Dials.Load() - before; n != 1 { // of the address
		t.Errorf("%d dials", n)
	}
}

// TestLongChain: a name behind more CNAMEs than are judged is not gone to.
func TestLongChain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var chain []hostname.Name
	for i := range 23 {
		chain = append(chain, hostname.MustParse(fmt.Sprintf("c%d.test", i)))
	}
	local := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	blockedAt := slices.Clone(chain[:22])
	blockedAt[21] = hostname.MustParse("c.evil.test")
	r.names.answers = map[string]upstream.Answer{"long.test": {Addrs: local, Chain: chain}, "last.test": {Addrs: local, Chain: blockedAt}}
	if _, _, err := r.get(t, "http://long.test:9/"); err == nil || err.Kind != upstream.KindDNS {
		t.Errorf("a chain of 23: %v", err)
	}
	if _, _, err := r.get(t, "http://last.test:9/"); err == nil || err.Source != upstream.SourceBlocked {
		t.Errorf("the last of 22: %v", err)
	}
	if n := r.Stats().Dials.Load(); n != 0 {
		t.Errorf("%d dials", n)
	}
}
