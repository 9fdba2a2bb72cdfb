package resolver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/blocklists/set"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/resolver"
)

// served scripts zones with their name servers: "zone. ns. address".
func (r *rig) served(zones ...string) {
	for _, z := range zones {
		f := strings.Fields(z)
		start := f[0] + " 60 IN SOA " + f[1] + " root." + f[1] + " 1 2 3 4 60"
		r.up.zone(f[0], func(w dns.ResponseWriter, q *dns.Msg) {
			name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
			switch {
			case qtype == dns.TypeA:
				records(name+" 60 IN A 93.184.216.34")(w, q)
			case qtype == dns.TypeNS && name == f[0]:
				records(name+" 60 IN NS "+f[1])(w, q)
			default:
				records("--\n"+start)(w, q)
			}
		})
		r.up.on(f[1]+" A", records(f[1]+" 60 IN A "+f[2]))
		r.up.on(f[1]+" AAAA", records("--\n"+soa))
	}
}

func TestNameServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, slices.Concat(
		entry("server:ns.crook.test", set.ReplyNXDOMAIN), entry("server:*.farm.test", set.ReplyData, "A 192.0.2.1"),
		entry("server:93.184.217.0/24", set.ReplyNoData), entry("server:2606:4700:bad::/48", set.ReplyNXDOMAIN),
		pass("ok.one.test"), pass("server:ns.four.test"), entry("server:93.184.218.4/32", set.ReplyNXDOMAIN),
	))
	r.served("one.test. ns.crook.test. 93.184.216.1", "two.test. a.b.farm.test. 93.184.216.2", "three.test. ns.three-host.test. 93.184.217.3",
		"four.test. ns.four.test. 93.184.218.4", "fine.test. ns.host.test. 93.184.216.5", "six.test. ns6.host.test. 93.184.216.6")
	r.up.on("ns.four.test. A", records("ns.four.test. 60 IN A 93.184.218.4"))
	r.up.on("ns6.host.test. AAAA", records("ns6.host.test. 60 IN AAAA 2606:4700:bad::1"))
	r.up.zone("alias.test.", records("x.alias.test. 60 IN CNAME www.one.test.\nwww.one.test. 60 IN A 93.184.216.34"))
	r.up.zone("delegated.fine.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeNS && q.Question[0].Name == "delegated.fine.test." {
			records("delegated.fine.test. 60 IN NS ns.crook.test.")(w, q)
			return
		}
		records("--\ndelegated.fine.test. 60 IN SOA ns.crook.test. root.test. 1 2 3 4 60")(w, q)
	})
	for name, want := range map[string]string{
		"www.one.test.":                "NXDOMAIN",
		"one.test.":                    "NXDOMAIN",
		"ok.one.test.":                 "NOERROR; ok.one.test. A 93.184.216.34",
		"a.b.c.d.www.two.test.":        "NOERROR; a.b.c.d.www.two.test. A 192.0.2.1",
		"www.three.test.":              "NOERROR",
		"www.four.test.":               "NOERROR; www.four.test. A 93.184.216.34", // passed by name, so not asked by address
		"www.fine.test.":               "NOERROR; www.fine.test. A 93.184.216.34",
		"www.six.test.":                "NXDOMAIN",
		"x.alias.test.":                "NXDOMAIN", // the zone of the target
		"www.delegated.fine.test.":     "NXDOMAIN", // no data, in a zone of its own
		"a.b.delegated.fine.test.":     "NXDOMAIN",
		deep("www.delegated", "n", 30): "NXDOMAIN",
	} {
		for range 2 {
			if m := r.ask(t, name, dns.TypeA); brief(m) != want {
				t.Errorf("%s: %s, want %s", name, brief(m), want)
			}
		}
	}
	asked := len(r.up.asked())
	r.ask(t, "other.fine.test.", dns.TypeA)
	if more := len(r.up.asked()) - asked; more != 2 { // the name, and whether it is a zone; its zone is known
		t.Errorf("another name of a known zone cost %d questions", more)
	}
	// No list asks about servers: nobody looks for them.
	r.lists(t, entry("x.test", set.ReplyNXDOMAIN))
	asked = len(r.up.asked())
	r.ask(t, "third.fine.test.", dns.TypeA)
	if more := len(r.up.asked()) - asked; more != 1 {
		t.Errorf("%d questions without a list that asks about servers", more)
	}
}

// deep is a name of more labels than are looked at, in a zone that is not the shortest.
func deep(_, label string, n int) string {
	return strings.Repeat(label+".", n) + "delegated.fine.test."
}

func TestNameServersThatCannotBeFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{resolver: func(c *resolver.Config) { c.Timeout = 2 * time.Second }})
	r.lists(t, entry("server:ns.crook.test", set.ReplyNXDOMAIN))
	r.up.zone("mute.test.", func(w dns.ResponseWriter, q *dns.Msg) { // as load balancers: addresses alone
		if q.Question[0].Qtype == dns.TypeA {
			records(q.Question[0].Name+" 60 IN A 93.184.216.34")(w, q)
		}
	})
	r.up.zone("broken.test.", func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeA {
			records(q.Question[0].Name+" 60 IN A 93.184.216.34")(w, q)
			return
		}
		records("", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure })(w, q)
	})
	for _, name := range []string{"a.mute.test.", "a.broken.test."} {
		if m := r.ask(t, name, dns.TypeA); brief(m) != "NOERROR; "+name+" A 93.184.216.34" {
			t.Errorf("%s: %s", name, brief(m))
		}
	}
	if n := r.Stats().ServersUnknown.Load(); n < 4 {
		t.Errorf("%d levels counted as unknown", n)
	}
	asked := len(r.up.asked())
	r.ask(t, "a.broken.test.", dns.TypeA)
	if more := len(r.up.asked()) - asked; more != 0 {
		t.Errorf("what could not be found was looked for again: %d questions", more)
	}
	r.clock.Add(time.Hour)
	r.ask(t, "a.broken.test.", dns.TypeA)
	if more := len(r.up.asked()) - asked; more < 2 {
		t.Errorf("what could not be found was not looked for again later")
	}
}

func TestTooManyNameServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.lists(t, entry("server:93.184.217.0/24", set.ReplyNXDOMAIN))
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("many.test. 60 IN NS ns%d.many.test.", i))
	}
	r.up.on("many.test. NS", records(strings.Join(many, "\n")))
	r.up.on("many.test. A", records("many.test. 60 IN A 93.184.216.34"))
	m := r.ask(t, "many.test.", dns.TypeA)
	if code, _ := ede(m); brief(m) != "SERVFAIL" || code != int(dns.ExtendedErrorCodeOther) {
		t.Errorf("%s, %d", brief(m), code)
	}
	if e := r.last(t, 1); e.Verdict != "block" || e.Cause != "safety" {
		t.Errorf("event: %+v", e)
	}
	if n := len(r.up.asked()); n > 140 {
		t.Errorf("%d questions", n)
	}
	if n := r.Pending(); n != 0 {
		t.Errorf("%d pending", n)
	}
}

func TestAllowRuleNeedsNoNameServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, change{})
	r.gate.Swap(r.compile(t, func(c *policy.Config) {
		c.Rules = []policy.Rule{{Name: "ours", Names: []string{".fine.test"}, Action: policy.RuleAllow}}
	}, entry("server:ns.crook.test", set.ReplyNXDOMAIN)))
	r.served("fine.test. ns.crook.test. 93.184.216.5")
	if m := r.ask(t, "www.fine.test.", dns.TypeA); brief(m) != "NOERROR; www.fine.test. A 93.184.216.34" {
		t.Error(brief(m))
	}
	if n := len(r.up.asked()); n != 1 {
		t.Errorf("%d questions", n)
	}
	if e := r.last(t, 1); e.Verdict != verdict.Allow.String() {
		t.Errorf("event: %+v", e)
	}
}
