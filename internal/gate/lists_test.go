package gate_test

import (
	"net/netip"
	"slices"
	"testing"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// listed is the rig with lists of its own.
func listed(t testing.TB, tally *policy.Tally, fill func(add func(blocklists.List, ...blocklists.Entry))) *rig {
	t.Helper()
	r := newRig(t, nil)
	b := blocklists.NewBuilder()
	fill(func(l blocklists.List, entries ...blocklists.Entry) {
		n, err := b.AddList(l)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries {
			e.Line = uint32(i + 1)
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	})
	snap := snapshotOf(t, r.engine, b.Build(), func(c *policy.Config) { c.Tally = tally })
	r.Swap(snap)
	return r
}

func entry(name string, scope blocklists.Scope) blocklists.Entry {
	return blocklists.Entry{Name: hostname.MustParse(name), Scope: scope}
}

// TestHelloOnAList: the fingerprint of a ClientHello stops the tunnel, also one that is not decrypted, and a list that comes later ends
// the tunnels that are open.
func TestHelloOnAList(t *testing.T) {
	t.Parallel()
	const ja3, ja4 = "e7d705a3286e19ea42f587b344ee6865", "t13d1516h2_8daaf6152771_b186095e22b6"
	tally := &policy.Tally{}
	r := newRig(t, nil)
	open := func(h *inspect.Hello) (*gate.Exchange, verdict.Verdict) {
		flow := r.flow()
		x := r.Begin(inspect.Tunnel, flow, now)
		x.Connect(now, "fine.test:443")
		return x, x.Tunnel(now, gate.Opening{First: inspect.FirstTLS, Hello: h})
	}
	hello := func(a, b string) *inspect.Hello { return &inspect.Hello{SNI: "fine.test", JA3: a, JA4: b} }
	early, v := open(hello(ja3, ja4))
	if v.Blocks() {
		t.Fatalf("%+v", v)
	}
	later := listed(t, tally, func(add func(blocklists.List, ...blocklists.Entry)) {
		add(blocklists.List{Name: "first"}, entry("other.test", blocklists.Suffix))
		add(blocklists.List{Name: "hellos", Category: "c2", Confidence: 70}, blocklists.Entry{Fingerprint: ja3}, blocklists.Entry{Fingerprint: ja4})
	})
	r.Swap(later.Policy())
	for _, c := range []struct {
		what     string
		ja3, ja4 string
		blocked  bool
	}{
		{"JA3", ja3, "t13d1517h2_8daaf6152771_b186095e22b6", true},
		{"JA4", "e7d705a3286e19ea42f587b344ee6866", ja4, true},
		{"JA4 in capitals", "", "T13D1516H2_8daaf6152771_b186095e22b6", true},
		{"neither", "e7d705a3286e19ea42f587b344ee6866", "t13d1517h2_8daaf6152771_b186095e22b6", false},
	} {
		x, v := open(hello(c.ja3, c.ja4))
		if v.Blocks() != c.blocked || v.Blocks() && x.Reason().List != "hellos" {
			t.Errorf("%s: %+v %+v", c.what, v, x.Reason())
		}
		x.Done(now)
	}
	e := r.events.Events()[0]
	if e.List.Name != "hellos" || e.List.Confidence != 70 || e.JA3 != ja3 || e.Stage != "reputation" || len(e.Trace) == 0 || e.Trace[len(e.Trace)-1].Place != "tunnel" {
		t.Errorf("event %+v", e)
	}
	if v := early.Again(now, netip.MustParseAddr("93.184.216.34")); !v.Blocks() {
		t.Errorf("an open tunnel goes on: %+v", v)
	}
	if got := tally.List("hellos"); got.Hits.Load() != 3 || got.Would.Load() != 0 {
		t.Errorf("%d hits, %d would have blocked", got.Hits.Load(), got.Would.Load())
	}
}

// TestZoneThroughThePhases: what a policy zone says of a client or a name holds for the addresses and name servers that come later.
func TestZoneThroughThePhases(t *testing.T) {
	t.Parallel()
	pass := func(e blocklists.Entry) blocklists.Entry { e.Exception = true; return e }
	server := func(e blocklists.Entry) blocklists.Entry { e.Trigger = set.Server; return e }
	network := func(p string) blocklists.Entry { return blocklists.Entry{Prefix: netip.MustParsePrefix(p)} }
	tcp, data := entry("tcp.test", blocklists.Exact), entry("data.test", blocklists.Exact)
	tcp.Reply, data.Reply, data.Data = set.ReplyTCPOnly, set.ReplyData, "CNAME walled.test."
	r := listed(t, nil, func(add func(blocklists.List, ...blocklists.Entry)) {
		add(blocklists.List{Name: "zone", Nearest: true, GrantAllow: true, GrantRewrite: true},
			pass(entry("passed.test", blocklists.Exact)), tcp, data, entry("walled.test", blocklists.Exact), network("93.184.216.0/24"),
			server(entry("ns.test", blocklists.Suffix)), server(network("198.41.0.0/24")))
		add(blocklists.List{Name: "other"}, network("193.0.14.0/24"), entry("walled.test", blocklists.Exact))
		add(blocklists.List{Name: "trial", Shadow: true}, server(entry("fine.ns.test", blocklists.Suffix)))
	})
	addr, root := netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("198.41.0.4")
	for _, c := range []struct {
		what, name, transport string
		then                  func(x *gate.Exchange) verdict.Verdict
		list                  string
	}{
		{"address", "fine.test", "udp", func(x *gate.Exchange) verdict.Verdict { return x.Address(now, verdict.PlaceAnswer, addr) }, "zone"},
		{"address of a passed name", "passed.test", "udp", func(x *gate.Exchange) verdict.Verdict { return x.Address(now, verdict.PlaceAnswer, addr) }, ""},
		{"which another list holds", "passed.test", "udp", func(x *gate.Exchange) verdict.Verdict {
			return x.Address(now, verdict.PlaceAnswer, netip.MustParseAddr("193.0.14.129"))
		}, "other"},
		{"truncated", "tcp.test", "udp", func(x *gate.Exchange) verdict.Verdict { return x.Verdict() }, "zone"},
		{"over no known transport", "tcp.test", "", func(x *gate.Exchange) verdict.Verdict { return x.Verdict() }, "zone"},
		{"over TCP", "tcp.test", "tcp", func(x *gate.Exchange) verdict.Verdict { return x.Verdict() }, ""},
		{"over TLS", "tcp.test", "tls", func(x *gate.Exchange) verdict.Verdict { return x.Address(now, verdict.PlaceAnswer, addr) }, ""},
		{"name server", "fine.test", "udp", func(x *gate.Exchange) verdict.Verdict {
			return x.Name(now, verdict.PlaceServer, hostname.MustParse("a.ns.test"))
		}, "zone"},
		{"address of a name server", "fine.test", "udp", func(x *gate.Exchange) verdict.Verdict { return x.Address(now, verdict.PlaceServer, root) }, "zone"},
		{"name server of a passed name", "passed.test", "udp", func(x *gate.Exchange) verdict.Verdict {
			x.Name(now, verdict.PlaceServer, hostname.MustParse("a.ns.test"))
			return x.Address(now, verdict.PlaceServer, root)
		}, ""},
		{"the target of a list's own CNAME", "data.test", "udp", func(x *gate.Exchange) verdict.Verdict {
			return x.Rewritten(now, verdict.PlaceCNAME, hostname.MustParse("walled.test"), netip.Addr{})
		}, "other"},
	} {
		flow := r.flow()
		flow.Transport = c.transport
		x := r.Begin(inspect.DNS, flow, now)
		x.Query(now, inspect.Question{Name: hostname.MustParse(c.name), Type: 1, Class: 1})
		v := c.then(x)
		if v.Blocks() != (c.list != "") || x.Verdict().Blocks() && x.Reason().List != c.list {
			t.Errorf("%s: %+v %+v", c.what, v, x.Reason())
		}
		if names, addrs := x.Servers(); !names || !addrs {
			t.Errorf("%s: nobody looks for name servers", c.what)
		}
		x.Done(now)
	}
	x := r.Begin(inspect.DNS, r.flow(), now)
	x.Query(now, inspect.Question{Name: hostname.MustParse("data.test"), Type: 1, Class: 1})
	if got := x.Records(); !slices.Equal(got, []string{"CNAME walled.test."}) || x.Verdict().Answer.Kind != verdict.AnswerData {
		t.Errorf("records %q", got)
	}
	x.Done(now)
}

// TestEventTellsOfTrialsAndExceptions: the event names the list on trial with what it would have done, and what an exception beat.
func TestEventTellsOfTrialsAndExceptions(t *testing.T) {
	t.Parallel()
	but := entry("ok.evil.test", blocklists.Suffix)
	but.Exception = true
	r := listed(t, nil, func(add func(blocklists.List, ...blocklists.Entry)) {
		add(blocklists.List{Name: "bad"}, entry("evil.test", blocklists.Suffix))
		add(blocklists.List{Name: "mine", GrantAllow: true}, but)
		add(blocklists.List{Name: "trial", Shadow: true, Confidence: 40}, entry("trial.test", blocklists.Suffix))
	})
	for _, name := range []string{"trial.test", "x.ok.evil.test"} {
		x := r.Begin(inspect.DNS, r.flow(), now)
		x.Query(now, inspect.Question{Name: hostname.MustParse(name), Type: 1, Class: 1})
		x.Done(now)
	}
	tried, pardoned := r.events.Events()[0], r.events.Events()[1]
	if tried.Verdict != "log" || tried.Would != "block" || tried.List.Name != "trial" || !tried.List.Shadow || tried.List.Confidence != 40 || tried.Mode != "enforce" {
		t.Errorf("%+v", tried)
	}
	want := event.Step{
		Stage: "lists", Place: "query", Subject: "x.ok.evil.test", Verdict: "allow", Cause: "list", Class: "unknown", List: "mine",
		Entry: "@@||ok.evil.test^", OverList: "bad", OverEntry: "||evil.test^",
	}
	if pardoned.Verdict != "allow" || len(pardoned.Trace) == 0 || pardoned.Trace[0] != want {
		t.Errorf("%+v", pardoned.Trace)
	}
}
