package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serverRules is a response policy zone whose triggers are all of those that the proxy meets.
const serverRules = `$TTL 60
@ SOA localhost. nobody.invalid. 1 3600 600 86400 60
@ NS localhost.
ns.crook-host.test.rpz-nsdname CNAME .
*.farm.test.rpz-nsdname CNAME *.
ns.tcp-host.test.rpz-nsdname CNAME rpz-tcp-only.
ns.good-host.test.rpz-nsdname CNAME rpz-passthru.
32.53.0.0.127.rpz-nsip CNAME walled.test.
ok.crook.test CNAME rpz-passthru.
32.77.0.0.127.rpz-ip CNAME rpz-passthru.
32.78.0.0.127.rpz-ip CNAME *.
32.79.0.0.127.rpz-ip CNAME rpz-tcp-only.
data.test A 192.0.2.1
walled-off.test CNAME walled.test.
nodata.test CNAME *.
tcp.test CNAME rpz-tcp-only.
drop.test CNAME rpz-drop.
`

// servedBy are the records of a zone with its name server.
func servedBy(zone, server string, more ...string) []string {
	return append([]string{zone + " 60 IN NS " + server, zone + " 60 IN A 127.0.0.1"}, more...)
}

// serverWorld is a world with zones of all kinds of name servers.
func serverWorld(t testing.TB) *world {
	t.Helper()
	world := newWorld(t, sink(), map[string][]string{
		"crook.test.":       servedBy("crook.test.", "ns.crook-host.test."),
		"farmed.test.":      servedBy("farmed.test.", "a.b.farm.test."),
		"rented.test.":      servedBy("rented.test.", "ns.rented.test."),
		"ns.rented.test.":   {"ns.rented.test. 60 IN A 127.0.0.53"},
		"fine.test.":        servedBy("fine.test.", "ns.fine-host.test."),
		"passed.test.":      servedBy("passed.test.", "ns.good-host.test.", "passed.test. 60 IN NS ns.rented.test."),
		"streams.test.":     servedBy("streams.test.", "ns.tcp-host.test."),
		"alias.test.":       {"alias.test. 60 IN CNAME www.crook.test."},
		"ip.crook.test.":    {"ip.crook.test. 60 IN A 127.0.0.77", "ip.crook.test. 60 IN A 127.0.0.1"},
		"two.crook.test.":   {"two.crook.test. 60 IN A 127.0.0.78", "two.crook.test. 60 IN A 127.0.0.1"},
		"two.test.":         {"two.test. 60 IN A 127.0.0.78", "two.test. 60 IN A 127.0.0.1"},
		"one.test.":         {"one.test. 60 IN A 127.0.0.78"},
		"stream-ip.test.":   {"stream-ip.test. 60 IN A 127.0.0.79", "stream-ip.test. 60 IN A 127.0.0.1"},
		"many.test.":        servedBy("many.test.", "ns0.many.test."),
		"mute.test.":        servedBy("mute.test.", "ns.crook-host.test."),
		"www.splice.test.":  {"www.splice.test. 60 IN A 127.0.0.1"},
		"splice.test.":      servedBy("splice.test.", "ns.crook-host.test."),
		"free.listed.test.": {"free.listed.test. 60 IN CNAME fine.test."},
	})
	world.zone.mu.Lock()
	defer world.zone.mu.Unlock()
	for i := range 199 {
		world.zone.records["many.test."] = append(world.zone.records["many.test."], fmt.Sprintf("many.test. 60 IN NS ns%d.many.test.", i+1))
	}
	world.zone.mute = func(name string, qtype uint16) bool {
		return qtype == dns.TypeNS && strings.HasSuffix(name, "mute.test.") || qtype == dns.TypeAAAA && strings.HasSuffix(name, "slow.test.")
	}
	return world
}

// TestNameServers: what only the name servers of a name condemn is not reachable through the proxy either, and what a better trigger passed is.
func TestNameServers(t *testing.T) {
	t.Parallel()
	world := serverWorld(t)
	list := writeFile(t, filepath.Join(t.TempDir(), "policy.rpz"), serverRules)
	w := start(t, world.setting(rpzConfig(list)+"rules:\n  - {name: banks, names: [.splice.test], action: splice}\n"))
	for _, c := range []struct {
		name, host, entry string // entry "": it is reached
		place             string // where it was seen
	}{
		{"name server", "crook.test", "ns.crook-host.test.rpz-nsdname CNAME .", "server"},
		{"a name below", "a.b.crook.test", "ns.crook-host.test.rpz-nsdname CNAME .", "server"},
		{"server below a wildcard", "farmed.test", "*.farm.test.rpz-nsdname CNAME *.", "server"},
		{"address of the server", "www.rented.test", "32.53.0.0.127.rpz-nsip CNAME walled.test.", "server"},
		{"target of a CNAME", "alias.test", "ns.crook-host.test.rpz-nsdname CNAME .", "server"},
		{"one of two addresses listed, in a zone with a listed server", "two.crook.test", "ns.crook-host.test.rpz-nsdname CNAME .", "server"},
		{"sibling", "fine.test", "", ""},
		{"name that was passed", "ok.crook.test", "", ""},
		{"address that was passed", "ip.crook.test", "", ""},
		{"name server that was passed, beside a listed address", "passed.test", "", ""},
		{"only over a stream: the server", "streams.test", "", ""},
		{"only over a stream: the name", "tcp.test", "", ""},
		{"only over a stream: the address", "stream-ip.test", "", ""},
		{"one of two addresses listed", "two.test", "", ""},
		{"the only address listed", "one.test", "32.78.0.0.127.rpz-ip CNAME *.", "dial"},
		{"name with data", "data.test", "data.test A 192.0.2.1", "url"},
		{"name with a CNAME", "walled-off.test", "walled-off.test CNAME walled.test.", "url"},
		{"name without data", "nodata.test", "nodata.test CNAME *.", "url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.with(t)
			plain := w.curl(world.http(c.host, "/"))
			_, _, code := w.command("", "check", world.http(c.host, "/"), "--resolve")
			if c.entry == "" {
				if plain.status != http.StatusOK || plain.header.Get("X-Origin") == "" || code != 0 {
					t.Fatalf("not reached (check: %d): %v", code, plain)
				}
				return
			}
			e := w.event("event.id", plain.blocked(t, http.StatusForbidden))
			if !e.is("weir.verdict", "block", "weir.list.name", "policy", "weir.list.entry", c.entry) || !strings.Contains(fmt.Sprint(e["weir"]), "place:"+c.place+" ") ||
				!strings.Contains(string(plain.body), c.entry) || code != 1 {
				t.Errorf("check: %d, event: %v\npage: %s", code, e, plain.body)
			}
		})
	}
	t.Run("under TLS", func(t *testing.T) { w.with(t).serversUnderTLS(world) })
	t.Run("dropped", func(t *testing.T) {
		if a := w.with(t).curl(world.http("drop.test", "/")); a.exit == 0 || a.status != 0 {
			t.Errorf("answered: %v", a)
		}
	})
	t.Run("check of a name", func(t *testing.T) {
		out, _, code := w.with(t).command("", "check", "www.crook.test", "fine.test", "--resolve", "--json")
		if code != 1 || !strings.Contains(out, `{"target":"www.crook.test","verdict":"block"`) || !strings.Contains(out, `{"target":"fine.test","verdict":"allow"`) || !strings.Contains(out, `"entry":"ns.crook-host.test.rpz-nsdname CNAME ."`) {
			t.Errorf("exit code %d: %s", code, out)
		}
	})
}

// serversUnderTLS are tunnels, decrypted and not.
func (w *weir) serversUnderTLS(world *world) {
	w.t.Helper()
	if a := w.curl(world.https("fine.test", "/")); a.status != http.StatusOK {
		w.t.Errorf("sibling: %v", a)
	}
	w.curl(world.https("crook.test", "/")).blocked(w.t, http.StatusForbidden)
	if a := w.curl(world.https("www.splice.test", "/")); a.exit == 0 || a.header.Get("X-Origin") != "" {
		w.t.Errorf("a tunnel that is not decrypted: %v", a)
	}
	if e := w.event("event.action", "connect", "destination.domain", "www.splice.test"); !e.is("weir.verdict", "block", "weir.list.entry", "ns.crook-host.test.rpz-nsdname CNAME .") {
		w.t.Errorf("event of the tunnel: %v", e)
	}
}

// TestHostileNameServers: servers that do not answer cost a bounded time and are let through as docs/rpz.md says, with a step in the trace; too many are
// refused, for a bounded number of questions.
func TestHostileNameServers(t *testing.T) {
	t.Parallel()
	world := serverWorld(t)
	list := writeFile(t, filepath.Join(t.TempDir(), "policy.rpz"), serverRules)
	w := start(t, world.setting(rpzConfig(list)))
	for range 2 {
		began := time.Now()
		a := w.curl(world.http("www.mute.test", "/"))
		if a.status != http.StatusOK || time.Since(began) > 15*time.Second { // 3 s for the search
			t.Fatalf("after %v: %v", time.Since(began), a)
		}
	}
	e := w.event("event.action", "http-request", "destination.domain", "www.mute.test")
	if trace := fmt.Sprint(e["weir"]); !strings.Contains(trace, "www.mute.test") || !strings.Contains(trace, "place:server") {
		t.Errorf("the trace does not say that name servers are unknown: %v", e)
	}
	if n := world.zone.asked("www.mute.test"); n > 12 { // A, AAAA and NS, each tried as often as any question
		t.Errorf("%d questions for one name whose server is silent", n)
	}
	e = w.event("event.id", w.curl(world.http("many.test", "/")).blocked(t, http.StatusBadGateway))
	if !e.is("weir.verdict", "block", "weir.cause", "safety") {
		t.Errorf("event of too many servers: %v", e)
	}
	asked := 0
	for i := range 200 {
		asked += world.zone.asked(fmt.Sprintf("ns%d.many.test", i))
	}
	if asked > 130 {
		t.Errorf("%d questions about the servers of one zone", asked)
	}
}
