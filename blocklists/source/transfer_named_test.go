package source_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/blocklists/set"
	"weir/blocklists/source"
)

// The keys of the test servers.
const (
	keyName     = "weir."
	otherName   = "other."
	keySecret   = "the secret of weir, 32 octets!!!"
	otherSecret = "another secret, 32 octets long!!"
)

func testKey() source.Key {
	return source.Key{Name: "weir", Algorithm: "hmac-sha256", Secret: []byte(keySecret)}
}

// named is BIND 9, serving the zone rpz.test on loopback.
type named struct {
	t    *testing.T
	dir  string
	addr netip.AddrPort
	cmd  *exec.Cmd
	tail *locked
}

const namedConf = `options {
  directory "%[1]s"; pid-file none; session-keyfile none; listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { none; }; managed-keys-directory "%[1]s"; empty-zones-enable no;
  lock-file none;
};
controls { };
key "weir" { algorithm hmac-sha256; secret "%[3]s"; };
key "strong" { algorithm hmac-sha512; secret "%[3]s"; };
key "other" { algorithm hmac-sha256; secret "%[4]s"; };
zone "rpz.test" {
  type primary; file "rpz.test.zone"; journal "rpz.test.jnl"; ixfr-from-differences yes;
  allow-transfer { key weir; key strong; }; allow-update { key other; };
};
zone "open.test" { type primary; file "open.test.zone"; allow-transfer { 127.0.0.1; }; };
`

const zoneHead = "$TTL 300\n@ IN SOA localhost. hostmaster.localhost. (%d 3600 600 86400 300)\n@ IN NS localhost.\n"

// startNamed starts BIND with n names in its zone; the test ends it.
func startNamed(t *testing.T, n int) *named {
	t.Helper()
	path, err := exec.LookPath("named")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/named"); err != nil {
			t.Skip("LEFT OUT: BIND is not installed (apt-get install bind9), so transfers from a real server are not tested")
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &named{t: t, dir: t.TempDir(), addr: netip.MustParseAddrPort(free.Addr().String())}
	_ = free.Close()
	var zone strings.Builder
	fmt.Fprintf(&zone, zoneHead, 1)
	for i := range n {
		fmt.Fprintf(&zone, "bad%d.example CNAME .\n", i)
	}
	write(t, filepath.Join(s.dir, "rpz.test.zone"), zone.String())
	write(t, filepath.Join(s.dir, "open.test.zone"), fmt.Sprintf(zoneHead, 7)+"open.example CNAME .\n")
	b64 := base64.StdEncoding.EncodeToString
	write(t, filepath.Join(s.dir, "named.conf"), fmt.Sprintf(namedConf, s.dir, s.addr.Port(), b64([]byte(keySecret)), b64([]byte(otherSecret))))
	s.run(path)
	t.Cleanup(s.stop)
	return s
}

// run starts the program and waits until it says that it runs.
func (s *named) run(path string) {
	s.t.Helper()
	s.cmd = exec.Command(path, "-g", "-n", "1", "-c", filepath.Join(s.dir, "named.conf"))
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready, said := make(chan bool, 1), &locked{}
	s.tail = said
	go func() { // ends with the program
		defer close(ready)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = said.Write([]byte(lines.Text() + "\n"))
			if strings.HasSuffix(lines.Text(), " running") {
				ready <- true
			}
		}
	}()
	if !<-ready {
		s.t.Fatalf("named did not start:\n%s", said)
	}
}

func (s *named) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// update changes the zone by dynamic update (RFC 2136), so that the server has a journal to answer IXFR from.
func (s *named) update(remove, insert []string) {
	s.t.Helper()
	m := new(dns.Msg).SetUpdate("rpz.test.")
	m.Remove(rrs(s.t, remove))
	m.Insert(rrs(s.t, insert))
	m.SetTsig(otherName, dns.HmacSHA256, 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", TsigSecret: map[string]string{otherName: base64.StdEncoding.EncodeToString([]byte(otherSecret))}}
	r, _, err := c.Exchange(m, s.addr.String())
	if err != nil || r.Rcode != dns.RcodeSuccess {
		s.t.Fatalf("update: %v %v\n%s", err, r, s.tail)
	}
}

func rrs(t *testing.T, lines []string) []dns.RR {
	t.Helper()
	var out []dns.RR
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rr)
	}
	return out
}

// locked is a buffer for the log.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// take returns what was written since the last time.
func (l *locked) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

// zoneLife is a Manager with one transferred list.
type zoneLife struct {
	t   *testing.T
	dir string
	m   *source.Manager
	log *locked
}

func transferred(zone string, key source.Key, servers ...netip.AddrPort) source.Source {
	return source.Source{List: set.List{Name: "zone"}, Transfer: source.Transfer{Servers: servers, Zone: zone, Key: key}}
}

func zoneManager(t *testing.T, dir string, s source.Source) *zoneLife {
	t.Helper()
	l := &zoneLife{t: t, dir: dir, log: &locked{}}
	l.m = manager(t, source.Config{Dir: dir, Sources: []source.Source{s}, Logger: slog.New(slog.NewTextHandler(l.log, nil))})
	load(t, l.m)
	return l
}

// refresh asks now; the error must hold want, or be none when want is "". The log must hold each of logged.
func (l *zoneLife) refresh(want string, logged ...string) {
	l.t.Helper()
	err := l.m.Refresh(l.t.Context(), "zone")
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		l.t.Errorf("refresh: %v, want %q", err, want)
	}
	text := l.log.take()
	for _, w := range logged {
		if !strings.Contains(text, w) {
			l.t.Errorf("log without %q:\n%s", w, text)
		}
	}
}

func (l *zoneLife) listed(name, want string) {
	l.t.Helper()
	expect(l.t, l.m.Set(), name, want)
}

// path is where the copy is.
func (l *zoneLife) path() string {
	l.t.Helper()
	found, err := filepath.Glob(filepath.Join(l.dir, "zone-*.list"))
	if err != nil || len(found) != 1 {
		l.t.Fatalf("copies: %v %v", found, err)
	}
	return found[0]
}

// text is the copy on disk.
func (l *zoneLife) text() string {
	l.t.Helper()
	return read(l.t, l.path())
}

// TestTransferFromNamed is the life of a zone served by BIND 9.
func TestTransferFromNamed(t *testing.T) {
	t.Parallel()
	const many = 3000 // more than fit into one message
	s := startNamed(t, many)
	l := zoneManager(t, t.TempDir(), transferred("RPZ.test", testKey(), s.addr))
	l.refresh("", "kind=AXFR", "to=1")
	l.listed("bad2999.example", "zone")
	if got := l.m.Status()[0]; got.Rules != many || got.Next.IsZero() || time.Until(got.Next) > 66*time.Minute {
		t.Errorf("status %+v", got)
	}
	l.refresh("") // unchanged
	s.update([]string{"bad7.example.rpz.test. 0 CNAME ."}, []string{"new.example.rpz.test. 300 CNAME ."})
	s.update([]string{"new.example.rpz.test. 0 CNAME ."}, []string{"*.newer.example.rpz.test. 60 CNAME .", `txt.rpz.test. 60 TXT "a b;c" "\"d\\\200"`})
	l.refresh("", "kind=IXFR", "removed=2", "added=3")
	l.listed("bad7.example", "")
	l.listed("new.example", "")
	l.listed("x.newer.example", "zone")
	l.listed("bad8.example", "zone")

	whole := zoneManager(t, t.TempDir(), transferred("rpz.test", source.Key{Name: "strong", Algorithm: "hmac-sha512", Secret: []byte(keySecret)}, s.addr))
	whole.refresh("", "kind=AXFR")
	if whole.text() != l.text() {
		t.Error("what IXFR made is not what AXFR gives")
	}

	again := zoneManager(t, l.dir, transferred("rpz.test", testKey(), s.addr)) // after a restart
	again.listed("x.newer.example", "zone")
	s.update(nil, []string{"last.example.rpz.test. 60 CNAME ."})
	again.refresh("", "kind=IXFR", "added=1")
	again.listed("last.example", "zone")
	s.stop()
	again.refresh("connection refused")
	again.listed("last.example", "zone")
	if got := again.m.Status()[0]; !got.Failing || got.LastError == "" {
		t.Errorf("status %+v", got)
	}
}

// TestTransferRefused: who is not let in by BIND is told why, and what there was stays.
func TestTransferRefused(t *testing.T) {
	t.Parallel()
	s := startNamed(t, 1)
	for _, tc := range []struct {
		name, zone string
		key        source.Key
		want       string
	}{
		{"wrong secret", "rpz.test", source.Key{Name: "weir", Algorithm: "hmac-sha256", Secret: []byte(otherSecret)}, "BADSIG"},
		{"unknown key", "rpz.test", source.Key{Name: "nobody", Algorithm: "hmac-sha256", Secret: []byte(keySecret)}, "BADKEY"},
		{"wrong algorithm", "rpz.test", source.Key{Name: "weir", Algorithm: "hmac-sha384", Secret: []byte(keySecret)}, "BADKEY"},
		{"key without right", "rpz.test", source.Key{Name: "other", Algorithm: "hmac-sha256", Secret: []byte(otherSecret)}, "REFUSED"},
		{"no key", "rpz.test", source.Key{}, "REFUSED"},
		{"unknown zone", "else.test", testKey(), "REFUSED"},
		{"no key needed", "open.test", source.Key{}, ""},
		{"a key where none is needed", "open.test", testKey(), ""},
	} {
		zoneManager(t, t.TempDir(), transferred(tc.zone, tc.key, s.addr)).refresh(tc.want)
		if t.Failed() {
			t.Fatal(tc.name)
		}
	}
	gone := netip.MustParseAddrPort("127.0.0.1:1")
	both := zoneManager(t, t.TempDir(), transferred("rpz.test", testKey(), gone, s.addr))
	both.refresh("", "kind=AXFR")
	both.listed("bad0.example", "zone")
}
