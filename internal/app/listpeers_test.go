package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/internal/app"
)

// peer is a program whose own lists we read: what it makes of one is what the lines mean.
type peer struct {
	program, pkg string
	ready        string // what it says when it serves
	format       string
	// conf writes its configuration into dir and returns its arguments.
	conf func(t *testing.T, dir, list string, port, upstream int) []string
}

func dnsmasq() peer {
	return peer{"dnsmasq", "dnsmasq-base", "started, version", "dnsmasq", func(t *testing.T, dir, list string, port, upstream int) []string {
		return []string{
			"-k", "--log-facility=-", "--user=root", "--pid-file=", "--no-hosts", "--no-resolv", "--cache-size=0", "--bind-interfaces", "--listen-address=127.0.0.1",
			fmt.Sprintf("--port=%d", port), fmt.Sprintf("--server=127.0.0.1#%d", upstream), "--conf-file=" + put(t, dir, "list.conf", list),
		}
	}}
}

func unbound() peer {
	return peer{"unbound", "unbound", "start of service", "unbound", func(t *testing.T, dir, list string, port, upstream int) []string {
		return []string{"-d", "-p", "-c", put(t, dir, "unbound.conf", unboundConf(dir, port, upstream, "iterator")+list)}
	}}
}

// unboundRPZ is unbound with a response policy zone.
func unboundRPZ() peer {
	return peer{"unbound", "unbound", "start of service", "rpz", func(t *testing.T, dir, list string, port, upstream int) []string {
		conf := unboundConf(dir, port, upstream, "respip iterator")
		conf += fmt.Sprintf("rpz:\n name: rpz.test\n zonefile: %q\n", put(t, dir, "rpz.zone", list))
		return []string{"-d", "-p", "-c", put(t, dir, "unbound.conf", conf)}
	}}
}

func unboundConf(dir string, port, upstream int, modules string) string {
	return fmt.Sprintf(`forward-zone:
 name: "."
 forward-addr: 127.0.0.1@%d
remote-control:
 control-enable: no
server:
 interface: 127.0.0.1@%d
 directory: %q
 username: ""
 chroot: ""
 pidfile: ""
 use-syslog: no
 verbosity: 1
 num-threads: 1
 do-not-query-localhost: no
 module-config: %q
`, upstream, port, dir, modules)
}

func bind() peer {
	return peer{"named", "bind9", "all zones loaded", "bind", func(t *testing.T, dir, list string, port, upstream int) []string {
		put(t, dir, "null.zone", "$TTL 60\n@ SOA localhost. root.localhost. 1 2 3 4 5\n NS localhost.\n A 0.0.0.0\n* A 0.0.0.0\n")
		return []string{"-g", "-n", "1", "-c", put(t, dir, "named.conf", fmt.Sprintf(`options {
 directory %q; pid-file none; session-keyfile none; lock-file none; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
 forwarders { 127.0.0.1 port %d; }; forward only; dnssec-validation no; empty-zones-enable no; managed-keys-directory %q;
};
controls { };
`, dir, port, upstream, dir)+list)}
	}}
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the program with a list until the test ends, and returns where it answers.
func (p peer) start(t *testing.T, list string, upstream int) string {
	t.Helper()
	path, err := exec.LookPath(p.program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + p.program); err != nil {
			t.Skipf("LEFT OUT: %s is not installed (apt-get install %s), so what its lists mean is not compared", p.program, p.pkg)
		}
	}
	port := freePort(t)
	cmd := exec.Command(path, p.conf(t, t.TempDir(), list, port, upstream)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, said := make(chan bool), []string{}
	go func() { // ends with the program
		defer close(ready)
		told := false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if !told {
				said = append(said, lines.Text())
			}
			if strings.Contains(lines.Text(), p.ready) && !told {
				told = true
				ready <- true
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range ready { //nolint:revive // until it has ended
		}
		_ = cmd.Wait()
	})
	select {
	case ok := <-ready:
		if !ok {
			t.Fatalf("%s did not start:\n%s", p.program, strings.Join(said, "\n"))
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not say that it serves", p.program)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// freePort finds a port that is free for UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := u.LocalAddr().(*net.UDPAddr).Port
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		_ = u.Close()
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// open is what the name server on the internet says of every name.
func open() map[uint16]string {
	return map[uint16]string{dns.TypeA: "198.51.100.1", dns.TypeAAAA: "2001:db8:ffff::1", dns.TypeTXT: `"upstream"`, dns.TypeMX: "10 upstream.example."}
}

// internet answers every question with what open says.
func internet(t *testing.T) (port int) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		name, qtype := q.Question[0].Name, q.Question[0].Qtype
		if data, ok := open()[qtype]; ok {
			if rr, err := dns.NewRR(fmt.Sprintf("%s 60 IN %s %s", name, dns.TypeToString[qtype], data)); err == nil {
				m.Answer = []dns.RR{rr}
			}
		}
		_ = w.WriteMsg(m)
	})}
	ended := make(chan error, 1)
	go func() { ended <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		_ = s.Shutdown()
		<-ended
	})
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// asked says in a word how a server answers.
func asked(t *testing.T, server, name string, qtype uint16) string {
	t.Helper()
	c := &dns.Client{Timeout: 700 * time.Millisecond}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), server)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "drop"
	case err != nil:
		t.Fatalf("%s: %v", name, err)
	case m.Truncated:
		return "truncate"
	case m.Rcode != dns.RcodeSuccess:
		return strings.ToLower(dns.RcodeToString[m.Rcode])
	}
	var data []string
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == qtype || rr.Header().Rrtype == dns.TypeCNAME {
			data = append(data, dns.TypeToString[rr.Header().Rrtype]+" "+strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
	return inWords(qtype, data)
}

// inWords names an answer; behind an alias, what it leads to is somebody else's.
func inWords(qtype uint16, data []string) string {
	slices.Sort(data)
	for _, d := range data {
		if strings.HasPrefix(d, "CNAME ") {
			return "data " + d
		}
	}
	switch {
	case len(data) == 0:
		return "nodata"
	case slices.Equal(data, []string{dns.TypeToString[qtype] + " " + open()[qtype]}):
		return "pass"
	}
	if _, addr, _ := strings.Cut(data[0], " "); len(data) == 1 {
		if a, err := netip.ParseAddr(addr); err == nil && (a.IsUnspecified() || a.IsLoopback()) {
			return "null"
		}
	}
	return "data " + strings.Join(data, ", ")
}

// said says how we answer, in the same words.
func said(lists *app.TestedLists, name string, qtype uint16) string {
	kind := dns.TypeToString[qtype]
	v := lists.Check(strings.TrimSuffix(name, ".") + " " + kind)
	switch {
	case v.Error != "":
		return v.Error
	case !v.Listed:
		return "pass"
	case v.Answer == "":
		return "blocked"
	case v.Answer != "data":
		return v.Answer
	}
	data := slices.DeleteFunc(v.Records, func(r string) bool {
		return !strings.HasPrefix(r, kind+" ") && !strings.HasPrefix(r, "CNAME ")
	})
	return inWords(qtype, data)
}

// agree: how a plain block speaks is left to the policy.
func agree(theirs, ours string) bool {
	return theirs == ours || ours == "blocked" && slices.Contains([]string{"null", "refused", "nxdomain", "nodata"}, theirs)
}

// comparison is a list and the names that are asked, each for A, AAAA and TXT.
type comparison struct {
	peer  peer
	list  string
	names string
	// differ names the questions that are answered otherwise, and how: "theirs/ours".
	differ map[string]string
}

func (c comparison) run(t *testing.T) {
	server := c.peer.start(t, c.list, internet(t))
	file := put(t, t.TempDir(), "list", c.list)
	lists, err := app.TestLists(context.Background(), []string{file}, app.ListTest{Format: c.peer.format, GrantAllow: true, GrantRewrite: true, GrantClients: true})
	if err != nil {
		t.Fatal(err)
	}
	blocked := 0
	for name := range strings.FieldsSeq(c.names) {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
			question := name + " " + dns.TypeToString[qtype]
			theirs, ours := asked(t, server, name, qtype), said(lists, name, qtype)
			if want, known := c.differ[question]; known {
				if got := theirs + "/" + ours; got != want {
					t.Errorf("%s: %s, known to be %s", question, got, want)
				}
			} else if !agree(theirs, ours) {
				t.Errorf("%s: %s says %s, we say %s", question, c.peer.program, theirs, ours)
			}
			if ours != "pass" {
				blocked++
			}
		}
	}
	if blocked == 0 {
		t.Error("nothing is blocked")
	}
}

func TestPeerDnsmasq(t *testing.T) {
	t.Parallel()
	comparison{
		peer: dnsmasq(),
		list: `address=/nx.example/
address=/null.example/#
address=/zero.example/0.0.0.0
local=/local.example/
server=/server.example/
address=/two.example/.dots.example/
address=/data.example/192.0.2.1
address=/both.example/192.0.2.1
address=/both.example/2001:db8::2
server=/good.nx.example/#
address=/bad.good.nx.example/
address=/v4.local.example/192.0.2.4
cname=alias.example,data.example
cname=*.star.example,data.example
cname=in.nx.example,both.example
server=/same.example/#
address=/same.example/
`,
		names: `nx.example a.nx.example good.nx.example a.good.nx.example bad.good.nx.example a.bad.good.nx.example null.example a.null.example zero.example
local.example a.local.example v4.local.example a.v4.local.example server.example a.server.example two.example dots.example a.dots.example data.example
a.data.example both.example a.b.both.example alias.example a.alias.example star.example a.star.example in.nx.example free.example xnx.example same.example`,
		// A name above one that dnsmasq knows exists: no data instead of no name. What leads nowhere does so for addresses alone, since
		// 2.86 of its own family alone; in a list of names to block it means to block.
		differ: map[string]string{
			"nx.example A": "nodata/nxdomain", "nx.example AAAA": "nodata/nxdomain", "nx.example TXT": "nodata/nxdomain",
			"null.example TXT": "pass/blocked", "a.null.example TXT": "pass/blocked", "zero.example AAAA": "pass/blocked", "zero.example TXT": "pass/blocked",
		},
	}.run(t)
}

func TestPeerUnbound(t *testing.T) {
	t.Parallel()
	comparison{
		peer: unbound(),
		list: `server:
 local-zone: "nx.example" always_nxdomain
 local-zone: "nd.example." always_nodata
 local-zone: "null.example" always_null
 local-zone: "refused.example" always_refuse
 local-zone: "refuse.example" refuse
 local-zone: "deny.example" deny
 local-zone: "static.example" static
 local-data: "static.example A 192.0.2.1"
 local-data: "a.static.example A 192.0.2.2"
 local-data: 'a.static.example TXT "x y"'
 local-zone: "bare.example" static
 local-zone: "redirect.example" redirect
 local-data: "redirect.example A 192.0.2.3"
 local-zone: "sink.example" redirect
 local-data: "sink.example A 0.0.0.0"
 local-zone: "empty.example" redirect
 local-data: "alone.example A 192.0.2.5"
 local-data: "sunk.example A 127.0.0.1"
 local-zone: "typed.example" typetransparent
 local-data: "typed.example A 192.0.2.6"
 local-data: "a.typed.example A 192.0.2.7"
 local-zone: "good.nx.example" transparent
 local-data: "a.good.nx.example A 192.0.2.8"
 local-zone: "fine.nx.example" always_transparent
 local-data: "a.fine.nx.example A 192.0.2.9"
 local-data: "in.nx.example A 192.0.2.10"
 local-data: "in.refuse.example A 192.0.2.11"
 local-data: "in.deny.example A 192.0.2.12"
 local-data: "refuse.example TXT apex"
 local-data: "alias.example CNAME data.example."
 local-data-ptr: "192.0.2.77 ptr.example"
`,
		names: `nx.example a.nx.example nd.example a.nd.example null.example a.null.example refused.example refuse.example a.refuse.example deny.example
static.example a.static.example b.static.example bare.example a.bare.example redirect.example a.redirect.example sink.example a.sink.example empty.example
alone.example a.alone.example sunk.example a.sunk.example typed.example a.typed.example b.typed.example good.nx.example a.good.nx.example b.good.nx.example
fine.nx.example a.fine.nx.example in.nx.example in.refuse.example refuse.example in.deny.example alias.example 77.2.0.192.in-addr.arpa free.example`,
	}.run(t)
}

func TestPeerBind(t *testing.T) {
	t.Parallel()
	comparison{
		peer: bind(),
		list: `zone "zone.example" { type master; notify no; file "null.zone"; };
zone "in.example" IN { type primary; file "null.zone"; };
zone "fwd.zone.example" { type forward; forward only; forwarders { }; };
`,
		names: `zone.example a.zone.example a.b.zone.example in.example free.example xzone.example`,
	}.run(t)
}

func TestPeerRPZ(t *testing.T) {
	t.Parallel()
	comparison{
		peer: unboundRPZ(),
		list: `$TTL 60
@ SOA localhost. root.localhost. 1 2 3 4 5
 NS localhost.
nx.example CNAME .
*.below.example CNAME .
nd.example CNAME *.
drop.example CNAME rpz-drop.
*.wide.example CNAME .
good.wide.example CNAME rpz-passthru.
*.good.wide.example CNAME rpz-passthru.
tcp.example CNAME rpz-tcp-only.
data.example A 192.0.2.1
 A 192.0.2.2
 TXT "x" "y z"
alias.example CNAME other.example.
*.star.example CNAME walled.example.
upper.EXAMPLE CNAME .
\110x\050.example CNAME .
`,
		names: `nx.example a.nx.example below.example a.below.example a.b.below.example nd.example drop.example wide.example a.wide.example good.wide.example
a.good.wide.example tcp.example data.example a.data.example alias.example star.example a.star.example UPPER.example nx2.example free.example`,
	}.run(t)
}
