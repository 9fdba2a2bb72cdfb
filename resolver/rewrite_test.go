package resolver_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/policy"
)

// lists puts lists with all grants in force; each knows only the entry nearest to a name, as RPZ does.
func (r *rig) lists(t testing.TB, lists ...[]blocklists.Entry) {
	t.Helper()
	r.gate.Swap(r.compile(t, nil, lists...))
}

func (r *rig) compile(t testing.TB, edit func(*policy.Config), lists ...[]blocklists.Entry) *policy.Snapshot {
	t.Helper()
	b := blocklists.NewBuilder()
	for i, entries := range lists {
		n, err := b.AddList(blocklists.List{Name: fmt.Sprintf("l%d", i), GrantAllow: true, GrantRewrite: true, GrantClients: true})
		if err != nil {
			t.Fatal(err)
		}
		b.SetNearest(n)
		for line, e := range entries {
			e.Line = uint32(line + 1)
			if err := b.Add(n, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	cfg := r.policy(t)
	if edit != nil {
		edit(&cfg)
	}
	s, err := policy.Compile(cfg, b.Build())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// entry makes an entry about a name, or a prefix when what is one.
func entry(what string, reply set.Reply, data ...string) (out []blocklists.Entry) {
	e := blocklists.Entry{Reply: reply, Scope: set.Exact}
	if rest, ok := strings.CutPrefix(what, "server:"); ok {
		what, e.Trigger = rest, set.Server
	}
	if p, err := netip.ParsePrefix(what); err == nil {
		e.Prefix, e.Scope = p, 0
	} else {
		if below, ok := strings.CutPrefix(what, "*."); ok {
			what, e.Scope = below, set.Below
		}
		e.Name = hostname.MustParse(what)
	}
	if len(data) == 0 {
		return []blocklists.Entry{e}
	}
	for _, text := range data {
		e.Data = text
		out = append(out, e)
	}
	return out
}

// pass makes an exception of an entry.
func pass(what string) []blocklists.Entry {
	out := entry(what, set.ReplyPolicy)
	out[0].Exception = true
	return out
}

func TestAnswersOfLists(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, slices.Concat(
		entry("nx.test", set.ReplyNXDOMAIN), entry("none.test", set.ReplyNoData), entry("tcp.test", set.ReplyTCPOnly),
		entry("data.test", set.ReplyData, "A 192.0.2.1", "A 192.0.2.2", `TXT "a" "b"`, "MX 5 mail.fine.test."),
		entry("*.below.test", set.ReplyData, "A 192.0.2.3"), entry("65.0.0.0/8", set.ReplyData, "A 192.0.2.4"),
		entry("walled.test", set.ReplyData, "CNAME fine.test."), entry("*.wild.test", set.ReplyData, "CNAME *.garden.test."),
		entry("toprivate.test", set.ReplyData, "CNAME inner.test."), entry("tobad.test", set.ReplyData, "CNAME bad.test."),
		entry("todata.test", set.ReplyData, "CNAME other.test."), entry("gone.test", set.ReplyData, "CNAME nobody.test."),
		entry("self.test", set.ReplyData, "CNAME self.test."), entry("ring1.test", set.ReplyData, "CNAME ring2.test."),
		entry("*.own.test", set.ReplyData, "CNAME x.own.test."), entry("broken.test", set.ReplyData, "A 1.2.3", "A 192.0.2.5", "NOTYPE x"),
	), slices.Concat(entry("bad.test", set.ReplyNXDOMAIN), entry("other.test", set.ReplyData, "A 192.0.2.9"), entry("ring2.test", set.ReplyData, "CNAME ring1.test.")))
	for question, zone := range map[string]string{
		"fine.test. A": "fine.test. 300 IN A 93.184.216.34", "tcp.test. A": "tcp.test. 300 IN A 93.184.216.35",
		"inner.test. A": "inner.test. 300 IN A 10.0.0.1", "listed.test. A": "listed.test. 300 IN A 65.1.1.1",
		"a.b.wild.test.garden.test. A": "a.b.wild.test.garden.test. 300 IN A 93.184.216.36",
		"cloak.test. A":                "cloak.test. 300 IN CNAME data.test.\ndata.test. 300 IN A 93.184.216.37",
		"x.own.test. A":                "x.own.test. 300 IN A 93.184.216.38",
		"fine.test. AAAA":              "--\n" + soa,
	} {
		r.up.on(question, records(zone))
	}
	for _, c := range []struct {
		question, want string
		ede            int
	}{
		{"nx.test. A", "NXDOMAIN", 15},
		{"none.test. A", "NOERROR", 15},
		{"data.test. A", "NOERROR; data.test. A 192.0.2.1; data.test. A 192.0.2.2", 4},
		{"dAtA.test. A", "NOERROR; dAtA.test. A 192.0.2.1; dAtA.test. A 192.0.2.2", 4},
		{"data.test. TXT", `NOERROR; data.test. TXT "a" "b"`, 4},
		{"data.test. MX", "NOERROR; data.test. MX 5 mail.fine.test.", 4},
		{"data.test. AAAA", "NOERROR", 4},
		{"data.test. ANY", "NOERROR; data.test. HINFO \"RFC8482\" \"\"", 4},
		{"x.below.test. A", "NOERROR; x.below.test. A 192.0.2.3", 4},
		{"listed.test. A", "NOERROR; listed.test. A 192.0.2.4", 4},
		{"cloak.test. A", "NOERROR; cloak.test. A 192.0.2.1; cloak.test. A 192.0.2.2", 4},
		{"walled.test. A", "NOERROR; walled.test. CNAME fine.test.; fine.test. A 93.184.216.34", 4},
		{"walled.test. AAAA", "NOERROR; walled.test. CNAME fine.test.", 4},
		{"walled.test. CNAME", "NOERROR; walled.test. CNAME fine.test.", 4},
		{"a.b.wild.test. A", "NOERROR; a.b.wild.test. CNAME a.b.wild.test.garden.test.; a.b.wild.test.garden.test. A 93.184.216.36", 4},
		{"toprivate.test. A", "NXDOMAIN", 15},
		{"tobad.test. A", "NXDOMAIN", 15},
		{"todata.test. A", "NOERROR; todata.test. A 192.0.2.9", 4},
		{"gone.test. A", "NXDOMAIN; gone.test. CNAME nobody.test.", 4},
		{"self.test. A", "SERVFAIL", 0},
		{"ring1.test. A", "SERVFAIL", 0},
		{"y.own.test. A", "NOERROR; y.own.test. CNAME x.own.test.; x.own.test. A 93.184.216.38", 4},
		{"broken.test. A", "NOERROR; broken.test. A 192.0.2.5", 4},
		{strings.Repeat(strings.Repeat("a", 48)+".", 4) + strings.Repeat("b", 40) + ".wild.test. A", "YXDOMAIN", 4},
	} {
		t.Run(c.question, func(t *testing.T) {
			name, qtype, _ := strings.Cut(c.question, " ")
			for range 2 { // once more, from the cache
				m := r.ask(t, name, dns.StringToType[qtype])
				if code, text := ede(m); brief(m) != c.want || code != c.ede || m.AuthenticatedData || m.Authoritative {
					t.Errorf("%s, extended error %d %q, %v; want %s, %d", brief(m), code, text, m.MsgHdr, c.want, c.ede)
				}
				for _, rr := range m.Answer {
					if rr.Header().Ttl > 300 {
						t.Errorf("TTL of %v", rr)
					}
				}
			}
		})
	}
}

func TestTruncatedUntilAskedOverAStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, slices.Concat(entry("tcp.test", set.ReplyTCPOnly), entry("*.tcp.test", set.ReplyTCPOnly), entry("66.66.0.0/16", set.ReplyTCPOnly)))
	r.up.on("tcp.test. A", records("tcp.test. 300 IN A 93.184.216.35"))
	r.up.on("ip.test. A", records("ip.test. 300 IN A 66.66.1.1"))
	r.up.on("cloak.test. A", records("cloak.test. 300 IN CNAME x.tcp.test.\nx.tcp.test. 300 IN A 93.184.216.36"))
	for name, want := range map[string]string{
		"tcp.test.":   "NOERROR; tcp.test. A 93.184.216.35",
		"ip.test.":    "NOERROR; ip.test. A 66.66.1.1",
		"cloak.test.": "NOERROR; cloak.test. CNAME x.tcp.test.; x.tcp.test. A 93.184.216.36",
	} {
		for range 2 {
			m := r.ask(t, name, dns.TypeA)
			if code, _ := ede(m); !m.Truncated || brief(m) != "NOERROR" || len(m.Ns) != 0 || code != -1 {
				t.Errorf("%s over UDP: %v", name, m)
			}
			if m := r.from(t, "127.0.0.1", "tcp", msg(name, dns.TypeA)); m.Truncated || brief(m) != want {
				t.Errorf("%s over TCP: %s, want %s", name, brief(m), want)
			}
		}
	}
}

// What a list says is never an upstream's truth: when the list goes, so does the answer, at once; and what was cached before is
// rewritten as soon as a list says so.
func TestListsChangeUnderTheCache(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.up.on("x.test. A", records("x.test. 300 IN A 93.184.216.34"))
	r.up.on("garden.test. A", records("garden.test. 300 IN A 93.184.216.35"))
	garden := "NOERROR; x.test. CNAME garden.test.; garden.test. A 93.184.216.35"
	for i, step := range []struct {
		entries []blocklists.Entry
		want    string
	}{
		{nil, "NOERROR; x.test. A 93.184.216.34"},
		{entry("x.test", set.ReplyData, "A 192.0.2.1"), "NOERROR; x.test. A 192.0.2.1"},
		{nil, "NOERROR; x.test. A 93.184.216.34"},
		{entry("x.test", set.ReplyData, "CNAME garden.test."), garden},
		{entry("93.184.216.34/32", set.ReplyNoData), "NOERROR"},
		{entry("93.184.216.34/32", set.ReplyData, "CNAME garden.test."), garden},
		{slices.Concat(pass("x.test"), entry("93.184.216.34/32", set.ReplyNXDOMAIN)), "NOERROR; x.test. A 93.184.216.34"},
		{nil, "NOERROR; x.test. A 93.184.216.34"},
	} {
		r.lists(t, step.entries)
		if m := r.ask(t, "x.test.", dns.TypeA); brief(m) != step.want {
			t.Errorf("step %d: %s, want %s", i, brief(m), step.want)
		}
	}
	if n := r.up.count("x.test."); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestLongAnswerOfAList(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	var texts []string
	for i := range 200 {
		texts = append(texts, fmt.Sprintf(`TXT "%03d%s"`, i, strings.Repeat("x", 200)))
	}
	r.lists(t, entry("huge.test", set.ReplyData, texts...))
	if m := r.ask(t, "huge.test.", dns.TypeTXT); !m.Truncated || m.Len() > 1232 {
		t.Errorf("over UDP: %d octets, truncated: %v", m.Len(), m.Truncated)
	}
	if m := r.from(t, "127.0.0.1", "tcp", msg("huge.test.", dns.TypeTXT)); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("over TCP: %d records, truncated: %v", len(m.Answer), m.Truncated)
	}
}
