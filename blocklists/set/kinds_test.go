package set_test

import (
	"net/netip"
	"strings"
	"testing"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

const (
	ja3 = "e7d705a3286e19ea42f587b344ee6865"
	ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"
)

func urlEntry(url string, line uint32) set.Entry { return set.Entry{URL: url, Line: line} }

func TestLookupURL(t *testing.T) {
	t.Parallel()
	deep := "h.example/" + strings.Repeat("d/", 80)
	long := "h.example/" + strings.Repeat("x", 3000)
	s := build(
		t,
		[]set.Entry{
			urlEntry("h.example/a", 1), urlEntry("h.example/a/", 2), urlEntry("h.example/a?x=1", 3), urlEntry("h.example/a/b/c.exe", 4),
			urlEntry("h.example:8080/", 5), urlEntry("h.example/q/?a/b", 6), urlEntry(deep, 7), urlEntry(long, 8), urlEntry("h.example:80/t", 9),
		},
		[]set.Entry{urlEntry("h.example/a", 11)},
	)
	for _, c := range []struct{ url, want string }{
		{"h.example/a", "l0:http://h.example/a:1@0 l1:http://h.example/a:11@0"},
		{"h.example/a?x=1", "l0:http://h.example/a?x=1:3@0 l0:http://h.example/a:1@1 l1:http://h.example/a:11@1"},
		{"h.example/a?x=12", "l0:http://h.example/a:1@1 l1:http://h.example/a:11@1"},
		{"h.example/a/", "l0:http://h.example/a/:2@0 l0:http://h.example/a:1@1 l1:http://h.example/a:11@1"},
		{"h.example/a/?x=1", "l0:http://h.example/a/:2@1 l0:http://h.example/a:1@2 l1:http://h.example/a:11@2"},
		{"h.example/a/b/c.exe", "l0:http://h.example/a/b/c.exe:4@0 l0:http://h.example/a/:2@3 l0:http://h.example/a:1@4 l1:http://h.example/a:11@4"},
		{"h.example/ab", ""},
		{"h.example/", ""},
		{"h.example", ""},
		{"", ""},
		{"h.example:8080/", "l0:http://h.example:8080/:5@0"},
		{"h.example:8080/x/y?z", "l0:http://h.example:8080/:5@4"},
		{"h.example:8080", ""},
		{"h.example/q/?a/b", "l0:http://h.example/q/?a/b:6@0"},
		{"h.example/q/?a/b/c", ""},
		{deep, "l0:http://" + deep + ":7@0"},
		{deep + "d/d/d/d", "l0:http://" + deep + ":7@7"},
		{deep[:len(deep)-2], ""},
		{long, "l0:http://" + long + ":8@0"},
		{long + "/", "l0:http://" + long + ":8@1"},
		{long + "?" + long, "l0:http://" + long + ":8@1"},
		{long + "x", ""},
		{long[:len(long)-1], ""},
		{"h.example:80/t/u", "l0:https://h.example:80/t:9@2"},
	} {
		if got := say(s, s.LookupURL(c.url, nil)); got != c.want {
			t.Errorf("%.50s:\n got %s\nwant %s", c.url, got, c.want)
		}
	}
	if got := s.Stats(); got.URLs != 9 || got.Names != 0 || s.ListStats(0).URLs != 9 || s.Holds() != set.KindURL {
		t.Errorf("%+v %+v %b", got, s.ListStats(0), s.Holds())
	}
}

// TestKinds: one of each kind is found by its own question, and by no other.
func TestKinds(t *testing.T) {
	t.Parallel()
	name, addr := hostname.MustParse("ns.a.example"), netip.MustParseAddr("192.0.2.1")
	client, server, nsip := prefix("192.0.2.0/24", 2), named("a.example", 3), prefix("2001:db8::/32", 4)
	client.Trigger, server.Trigger, nsip.Trigger = set.Client, set.Server, set.Server
	ask := func(s *set.Set) map[string]string {
		return map[string]string{
			"name": say(s, s.Lookup(name, nil)), "addr": say(s, s.LookupAddr(addr, nil)), "client": say(s, s.LookupClient(addr, nil)),
			"server": say(s, s.LookupServer(name, nil)), "nsip": say(s, s.LookupServerAddr(netip.MustParseAddr("2001:db8::1"), nil)),
			"url": say(s, s.LookupURL("ns.a.example/", nil)), "ja3": say(s, s.LookupFingerprint(ja3, nil)), "ja4": say(s, s.LookupFingerprint(ja4, nil)),
		}
	}
	for _, c := range []struct {
		entry    set.Entry
		by, want string
		kind     set.Kinds
	}{
		{named("ns.a.example", 1), "name", "l0:||ns.a.example^:1@0", set.KindName},
		{prefix("192.0.2.1/32", 1), "addr", "l0:192.0.2.1:1@0", set.KindAddr},
		{client, "client", "l0:24.0.2.0.192.rpz-client-ip CNAME . ; as policy says:2@8", set.KindClient},
		{server, "server", "l0:a.example.rpz-nsdname CNAME . ; and below, as policy says:3@1", set.KindServer},
		{nsip, "nsip", "l0:32.zz.db8.2001.rpz-nsip CNAME . ; as policy says:4@96", set.KindServerAddr},
		{urlEntry("ns.a.example/", 5), "url", "l0:http://ns.a.example/:5@0", set.KindURL},
		{set.Entry{Fingerprint: ja3, Line: 6}, "ja3", "l0:" + ja3 + ":6@0", set.KindFingerprint},
		{set.Entry{Fingerprint: ja4, Line: 7}, "ja4", "l0:" + ja4 + ":7@0", set.KindFingerprint},
	} {
		s := reopened(t, build(t, []set.Entry{c.entry}))
		for by, got := range ask(s) {
			if want := map[bool]string{true: c.want}[by == c.by]; got != want {
				t.Errorf("%v asked by %s: got %q, want %q", c.entry, by, got, want)
			}
		}
		if s.Holds() != c.kind {
			t.Errorf("%v holds %b", c.entry, s.Holds())
		}
	}
}

// client is an entry about who asks.
func client(line uint32, change func(*set.Entry)) set.Entry {
	e := set.Entry{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Trigger: set.Client, Line: line}
	change(&e)
	return e
}

// TestGrants: what a list has no grant for is counted and never matches.
func TestGrants(t *testing.T) {
	t.Parallel()
	entries := []set.Entry{
		named("allow.example", 1, exception),
		named("tcp.example", 2, func(e *set.Entry) { e.Reply = set.ReplyTCPOnly }),
		named("data.example", 3, func(e *set.Entry) { e.Reply, e.Data = set.ReplyData, "A 192.0.2.1" }),
		named("nx.example", 4, func(e *set.Entry) { e.Reply = set.ReplyNXDOMAIN }),
		client(5, func(e *set.Entry) { e.Reply = set.ReplyNXDOMAIN }),
		client(6, func(e *set.Entry) { e.Exception = true }),
		client(7, func(e *set.Entry) { e.Reply = set.ReplyTCPOnly }),
		client(8, func(e *set.Entry) { e.Reply, e.Data = set.ReplyData, "A 192.0.2.1" }),
		client(9, func(e *set.Entry) { e.Reply, e.Cancel = set.ReplyDrop, true }),
	}
	for _, c := range []struct {
		list                             set.List
		in, refused, rewritings, clients int
	}{
		{set.List{}, 1, 3, 1, 3},
		{set.List{GrantAllow: true}, 4, 0, 1, 3},
		{set.List{GrantRewrite: true}, 2, 3, 0, 3},
		{set.List{GrantClients: true}, 2, 4, 2, 0},
		{set.List{GrantAllow: true, GrantRewrite: true}, 5, 0, 0, 3},
		{set.List{GrantAllow: true, GrantRewrite: true, GrantClients: true}, 8, 0, 0, 0},
	} {
		b := set.NewBuilder()
		n, err := b.AddList(c.list)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, e := range entries {
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
		s := b.Build()
		for _, e := range entries {
			if e.Name.IsZero() {
				continue
			}
			for _, m := range s.Lookup(e.Name, nil) {
				found++
				if s.Entry(m) != e || m.Extra != (e.Reply != set.ReplyPolicy) {
					t.Errorf("got %+v, want %+v", s.Entry(m), e)
				}
			}
		}
		for _, m := range s.LookupClient(netip.MustParseAddr("192.0.2.7"), nil) {
			found++
			if e := s.Entry(m); e.Prefix != entries[4].Prefix || c.list.Refuses(e) {
				t.Errorf("%+v is in force", e)
			}
		}
		if got := s.ListStats(n); found != c.in || got.Refused != c.refused || got.RefusedRewrites != c.rewritings || got.RefusedClients != c.clients {
			t.Errorf("%+v: %d found, %+v", c.list, found, got)
		}
	}
}

// TestEntryString: one text for each kind of entry.
func TestEntryString(t *testing.T) {
	t.Parallel()
	reply := func(r set.Reply, data string) func(*set.Entry) {
		return func(e *set.Entry) { e.Reply, e.Data = r, data }
	}
	trigger := func(tr set.Trigger) func(*set.Entry) { return func(e *set.Entry) { e.Trigger = tr } }
	types := func(e *set.Entry) { e.Types = set.NewTypes(true, 28, 1, 65280) }
	addr := func(p string, change ...func(*set.Entry)) set.Entry {
		e := prefix(p, 1)
		for _, f := range change {
			f(&e)
		}
		return e
	}
	for _, c := range []struct {
		entry set.Entry
		want  string
	}{
		{named("x.example", 1, types), "||x.example^$dnstype=~A|~AAAA|~TYPE65280"},
		{named("x.example", 1, exact, important, types, cancel), "|x.example^$important,dnstype=~A|~AAAA|~TYPE65280,badfilter"},
		{named("x.example", 1, exact, reply(set.ReplyNXDOMAIN, "")), "x.example CNAME ."},
		{named("x.example", 1, below, reply(set.ReplyNoData, "")), "*.x.example CNAME *."},
		{named("x.example", 1, exact, reply(set.ReplyDrop, "")), "x.example CNAME rpz-drop."},
		{named("x.example", 1, exact, reply(set.ReplyTCPOnly, "")), "x.example CNAME rpz-tcp-only."},
		{named("x.example", 1, exact, reply(set.ReplyData, `TXT "a,b"`)), `x.example TXT "a,b"`},
		{named("x.example", 1, reply(set.ReplyData, `TXT "a,b"`)), `||x.example^$dnsrewrite=NOERROR;TXT;"a\,b"`},
		{named("x.example", 1, reply(set.ReplyNXDOMAIN, "")), "||x.example^$dnsrewrite=NXDOMAIN;;"},
		{named("x.example", 1, reply(set.ReplyNoData, "")), "||x.example^$dnsrewrite=NOERROR;;"},
		{named("x.example", 1, reply(set.ReplyDrop, "")), `local-zone: "x.example" always_deny`},
		{named("x.example", 1, reply(set.ReplyTCPOnly, "")), `local-zone: "x.example" truncate`},
		{named("x.example", 1, exact, trigger(set.Server), reply(set.ReplyNXDOMAIN, "")), "x.example.rpz-nsdname CNAME ."},
		{named("x.example", 1, below, trigger(set.Server), exception), "*.x.example.rpz-nsdname CNAME rpz-passthru."},
		{addr("192.0.2.0/24", trigger(set.Client), exception), "24.0.2.0.192.rpz-client-ip CNAME rpz-passthru."},
		{addr("::/0", trigger(set.Server), reply(set.ReplyNoData, "")), "0.zz.rpz-nsip CNAME *."},
		{addr("2001:db8:0:1::/64", reply(set.ReplyDrop, "")), "64.zz.1.0.db8.2001.rpz-ip CNAME rpz-drop."},
		{addr("2001:db8::1:0:0:1/128", reply(set.ReplyNXDOMAIN, "")), "128.1.0.0.1.zz.db8.2001.rpz-ip CNAME ."},
		{set.Entry{URL: "h.example/a", Exception: true, Important: true}, "@@http://h.example/a$important"},
		{set.Entry{Fingerprint: ja4, Exception: true}, "@@" + ja4},
	} {
		if got := c.entry.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		types    set.Types
		text     string
		in, outs uint16
	}{
		{set.NewTypes(false, 28, 1, 28), "A|AAAA", 28, 15},
		{set.NewTypes(true, 65), "~HTTPS", 1, 65},
		{set.NewTypes(true), "", 65535, 0},
	} {
		if got := c.types.String(); got != c.text || !c.types.Has(c.in) || c.outs != 0 && c.types.Has(c.outs) {
			t.Errorf("%q: %s", string(c.types), got)
		}
	}
	if set.NewTypes(false, 2, 1, 2) != set.NewTypes(false, 1, 2) {
		t.Error("equal sets differ")
	}
}

// TestNearest: what is set once the format of a list is known is saved with it; look-ups give all.
func TestNearest(t *testing.T) {
	t.Parallel()
	b := set.NewBuilder()
	for _, name := range []string{"near", "all"} {
		n, err := b.AddList(set.List{Name: name, GrantAllow: true})
		if err != nil {
			t.Fatal(err)
		}
		if name == "near" {
			b.SetNearest(n)
		}
		for _, e := range []set.Entry{named("example", 1, exception), named("b.example", 2)} {
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.SetNearest(7)
	s := reopened(t, b.Build())
	if got := s.Lookup(hostname.MustParse("a.b.example"), nil); len(got) != 4 || !s.List(0).Nearest || s.List(1).Nearest {
		t.Errorf("%v of %+v", got, s.List(0))
	}
}
