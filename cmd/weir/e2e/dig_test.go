package e2e_test

import (
	"bytes"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// dig asks the resolver of weir.
func (w *weir) dig(args ...string) string {
	w.t.Helper()
	host, port, err := net.SplitHostPort(w.dns)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(tool(w.t, "dig"), append([]string{"-r", "@" + host, "-p", port, "+time=5", "+tries=1"}, args...)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnv(w.t.TempDir()), &out, &out
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("dig %v: %v\n%s", args, err, out.String())
	}
	return out.String()
}

func TestDig(t *testing.T) {
	t.Parallel()
	zone := newZone(t, map[string][]string{
		"v6.test.":    {"v6.test. 60 IN AAAA 2606:4700::1111", "v6.test. 60 IN A 127.0.0.1"},
		"alias.test.": {"alias.test. 60 IN CNAME good.test."},
		"cloak.test.": {"cloak.test. 60 IN CNAME x.listed.test."},
		"svcb.test.":  {"svcb.test. 60 IN HTTPS 1 listed.test. alpn=h2"},
		"none.test.":  nil,
		"inner.test.": {"inner.test. 60 IN A 10.1.2.3"},
		"many.test.":  {"many.test. 60 IN TXT " + strings.Repeat(`"0123456789012345678901234567890123456789" `, 40)},
	})
	dir := t.TempDir()
	list := writeFile(t, dir+"/list.txt", "listed.test\n")
	w := start(t, setting{ports: []int{443}, dns: zone.addr, more: "lists:\n  - {name: unwanted, file: " + list + ", format: wildcard, category: malware}\n"})
	for _, tc := range []struct {
		name string
		args []string
		want []string // in the output
		not  []string
	}{
		{"allowed", []string{"good.test"}, []string{"NOERROR", "127.0.0.1"}, []string{"EDE"}},
		{"allowed, from the cache", []string{"GOOD.test"}, []string{"NOERROR", "GOOD.test.", "127.0.0.1"}, nil},
		{"AAAA", []string{"v6.test", "AAAA"}, []string{"NOERROR", "2606:4700::1111"}, nil},
		{"no data", []string{"good.test", "AAAA"}, []string{"NOERROR", "ANSWER: 0", "SOA"}, []string{"EDE"}},
		{"no such name", []string{"none.test"}, []string{"NXDOMAIN"}, []string{"EDE"}},
		{"alias", []string{"alias.test"}, []string{"NOERROR", "CNAME", "good.test.", "127.0.0.1"}, nil},
		{"listed", []string{"listed.test"}, []string{"NXDOMAIN", "EDE: 15 (Blocked)", "unwanted"}, []string{"127.0.0.1\n"}},
		{"below a listed name", []string{"x.y.listed.test", "AAAA"}, []string{"NXDOMAIN", "EDE: 15 (Blocked)"}, nil},
		{"alias of a listed name", []string{"cloak.test"}, []string{"NXDOMAIN", "EDE: 15 (Blocked)"}, []string{"127.0.0.1\n"}},
		{"service of a listed name", []string{"svcb.test", "HTTPS"}, []string{"NXDOMAIN", "EDE: 15 (Blocked)"}, []string{"alpn"}},
		{"private address", []string{"inner.test"}, []string{"EDE"}, []string{"10.1.2.3"}},
	} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			t.Run(tc.name+" "+transport, func(t *testing.T) {
				out := w.with(t).dig(append(tc.args, transport)...)
				for _, want := range tc.want {
					if !strings.Contains(out, want) {
						t.Errorf("%q is missing in\n%s", want, out)
					}
				}
				for _, not := range tc.not {
					if strings.Contains(out, not) {
						t.Errorf("%q is in\n%s", not, out)
					}
				}
			})
		}
	}
	if n := zone.asked("listed.test") + zone.asked("x.y.listed.test"); n != 0 {
		t.Errorf("the upstream was asked %d times for a listed name", n)
	}
	// An answer longer than a datagram: truncated over UDP, so that dig comes again over TCP.
	if out := w.dig("many.test", "TXT", "+bufsize=512"); !strings.Contains(out, "(TCP)") || strings.Count(out, "0123456789012345678901234567890123456789") != 40 {
		t.Errorf("a long answer:\n%s", out)
	}
	if e := w.event("event.action", "dns-query", "dns.question.name", "listed.test", "network.transport", "tcp"); !e.is("weir.verdict", "block", "weir.cause", "reputation",
		"weir.list.name", "unwanted", "weir.list.line", "1", "weir.dns.ede", "15", "dns.response_code", "NXDOMAIN") {
		t.Errorf("event: %v", e)
	}
}
