package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// peer is a resolver that is asked, at two addresses: one for each family of clients.
type peer struct {
	name, version string
	v4, v6        string
	ended         chan struct{} // closed when the program ends
}

// Where the peers listen. BIND takes only addresses that an interface has.
const (
	namedAddr   = "127.0.0.1"
	unboundAddr = "127.10.0.8"
)

const unboundConf = `server:
  interface: %[1]s@%[2]s
  interface: ::1@%[3]s
  port: %[2]s
  do-daemonize: no
  chroot: ""
  username: ""
  directory: %[4]q
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  access-control: ::1/128 allow
  module-config: "respip validator iterator"
  domain-insecure: test.
  local-zone: test. nodefault
  qname-minimisation: no
  prefetch: no
  rrset-roundrobin: no
remote-control:
  control-enable: no
rpz:
  name: policy.rpz
  zonefile: %[5]q
`

const namedConf = `options {
  directory %[4]q;
  port %[7]s;
  pid-file none;
  session-keyfile none;
  listen-on port %[2]s { %[1]s; };
  listen-on-v6 port %[3]s { ::1; };
  recursion yes;
  allow-query { any; };
  allow-recursion { any; };
  dnssec-validation no;
  qname-minimization off;
  empty-zones-enable no;
  prefetch 0;
  notify no;
  response-policy { zone "policy.rpz"; } min-ns-dots 1 nsip-wait-recurse yes nsdname-wait-recurse yes;
};
zone "test" { type static-stub; server-addresses { %[6]s; }; };
zone "policy.rpz" { type primary; file %[5]q; };
controls { };
`

// startUnbound runs Debian's unbound over the internet, with a policy zone.
func (n *internet) startUnbound(t testing.TB, zoneFile string) peer {
	t.Helper()
	program := tool(t, "unbound")
	dir := t.TempDir()
	p := peer{name: "unbound", version: version(t, program, "-V"), v4: freePort(t, unboundAddr), v6: freePort(t, "::1"), ended: make(chan struct{})}
	var conf strings.Builder
	conf.WriteString(fmt.Sprintf(unboundConf, unboundAddr, port(p.v4), port(p.v6), dir, zoneFile))
	for _, apex := range slices.Sorted(maps.Keys(n.zones)) {
		z := n.zones[apex]
		conf.WriteString("stub-zone:\n  name: " + apex + "\n")
		if z.addr == hostServer || z.addr == rootServer {
			conf.WriteString("  stub-addr: " + z.addr + "@" + n.port + "\n")
		} else { // by name, so that the rules on names of servers have one
			conf.WriteString("  stub-host: " + z.server + "@" + n.port + "\n")
		}
	}
	run(t, dir, p, program, "-d", "-c", writeFile(t, filepath.Join(dir, "unbound.conf"), conf.String()))
	return p
}

// startNamed runs Debian's BIND over the internet, with a policy zone. It asks all servers at the port of its config.
func (n *internet) startNamed(t testing.TB, zoneFile string) peer {
	t.Helper()
	program := tool(t, "named")
	dir := t.TempDir()
	p := peer{name: "bind", version: version(t, program, "-V"), v4: freePort(t, namedAddr), v6: freePort(t, "::1"), ended: make(chan struct{})}
	conf := fmt.Sprintf(namedConf, namedAddr, port(p.v4), port(p.v6), dir, zoneFile, rootServer, n.port)
	run(t, dir, p, program, "-g", "-n", "1", "-c", writeFile(t, filepath.Join(dir, "named.conf"), conf))
	return p
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// version finds the first two numbers of the version in what a program says of itself.
func version(t testing.TB, program, flag string) string {
	t.Helper()
	out, err := exec.Command(program, flag).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v", program, flag, err)
	}
	return regexp.MustCompile(`\d+\.\d+`).FindString(string(out))
}

// readyName does not exist but for the policy.
const readyName = "ready.host.test."

// run starts a program that ends with the test, and waits until it answers.
func run(t testing.TB, dir string, p peer, program string, args ...string) {
	t.Helper()
	messages := filepath.Join(dir, p.name+".log")
	out, err := os.Create(messages)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, cleanEnv(dir), out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(stopWait, func() { _ = cmd.Process.Kill() })
		<-p.ended
		late.Stop()
		_ = out.Close()
		if t.Failed() {
			text, _ := os.ReadFile(messages)
			t.Logf("the log of %s:\n%s", p.name, tail(text, 4<<10))
		}
	})
	until(t, startWait, p.name+" answers", func() error {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(messages)
			t.Fatalf("%s ended: %s", p.name, text)
		default:
		}
		m, err := exchange(p.v4, client, "udp", time.Second, readyName, dns.TypeA)
		if err == nil && len(m.Answer) == 0 { // BIND answers before it has read the policy
			err = errors.New("the policy is not in force: " + dns.RcodeToString[m.Rcode])
		}
		return err
	})
}

// exchange asks one question from a client's address.
func exchange(server, client, network string, patience time.Duration, name string, qtype uint16) (*dns.Msg, error) {
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(client)}
	if network == "tcp" {
		local = &net.TCPAddr{IP: net.ParseIP(client)}
	}
	c := dns.Client{Net: network, Timeout: patience, UDPSize: 1232, Dialer: &net.Dialer{LocalAddr: local, Timeout: patience}}
	q := new(dns.Msg).SetQuestion(name, qtype).SetEdns0(1232, false)
	m, _, err := c.Exchange(q, server)
	return m, err
}

// patiences are how long a reply is waited for, again and again: who says nothing to all of them does not answer.
func patiences() []time.Duration { return []time.Duration{2 * time.Second, 8 * time.Second} }

// ask returns what a peer answers in one line.
func (p peer) ask(client, network, name string, qtype uint16) string {
	server := p.v4
	if strings.Contains(client, ":") {
		server = p.v6
	}
	for _, patience := range patiences() {
		m, err := exchange(server, client, network, patience, name, qtype)
		if err == nil {
			return line(m)
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			if network == "tcp" { // closed without a word
				return silence
			}
			return "error: " + err.Error()
		}
	}
	return silence
}

// survives returns what a peer answers to a question that may end it.
func (p peer) survives(c rpzCase) string {
	m, err := exchange(p.v4, c.client, "udp", patiences()[0], c.name, c.qtype)
	if err == nil {
		return line(m)
	}
	late := time.NewTimer(startWait)
	defer late.Stop()
	select {
	case <-p.ended:
		return "it crashed"
	case <-late.C:
		return silence
	}
}

// silence is what a server says that does not answer.
const silence = "no answer"

// line puts a reply into one line: the response code, or that there is no data, or that it is truncated; then the records, without
// TTL, in an order of their own, and their owners where they are not the asked name.
func line(m *dns.Msg) string {
	asked := strings.ToLower(m.Question[0].Name)
	var words []string
	for _, rr := range m.Answer {
		h := rr.Header()
		text := dns.Type(h.Rrtype).String() + " " + strings.TrimPrefix(rr.String(), h.String())
		if owner := strings.ToLower(h.Name); owner != asked {
			text = owner + " " + text
		}
		if text = strings.ToLower(text); len(text) > 60 {
			text = text[:57] + "..."
		}
		words = append(words, text)
	}
	slices.Sort(words)
	code := dns.RcodeToString[m.Rcode]
	switch {
	case m.Truncated: // what is left of the records is nobody's to use
		code, words = "TC", nil
	case m.Rcode == dns.RcodeSuccess && len(words) == 0:
		code = "NODATA"
	case m.Rcode == dns.RcodeSuccess:
		code = ""
	}
	if m.AuthenticatedData {
		code = strings.TrimSpace("AD " + code)
	}
	return strings.TrimSpace(code + " " + strings.Join(words, ", "))
}
