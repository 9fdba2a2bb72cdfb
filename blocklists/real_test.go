package blocklists_test

import (
	"bufio"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/hostname"
)

// realData is where real lists lie beside the repository; they are not ours to ship.
const realData = "../../shared/data"

func realFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(realData, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real list %s is not here: put it into ../shared/data beside the repository to run this test", name)
	}
	return path
}

// loaded is a real list in a Set of its own.
type loaded struct {
	set     *blocklists.Set
	sum     format.Summary
	skipped map[uint32]format.Reason
}

func loadReal(t *testing.T, name string) loaded {
	t.Helper()
	f, err := os.Open(realFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: name, GrantAllow: true})
	if err != nil {
		t.Fatal(err)
	}
	out := loaded{skipped: make(map[uint32]format.Reason)}
	out.sum, err = format.Parse(f, format.Auto, func(e format.Entry) {
		if err := b.Add(n, e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}, func(d format.Diagnostic) { out.skipped[d.Line] = d.Reason })
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out.set = b.Build()
	return out
}

// covers says whether the set speaks of a name or an address.
func covers(t *testing.T, s *blocklists.Set, word string) bool {
	t.Helper()
	a, err := hostname.ParseHost(word)
	switch {
	case err != nil:
		return false
	case a.IsAddr():
		return len(s.LookupAddr(a.Addr, nil)) > 0
	}
	return len(s.Lookup(a.Name, nil)) > 0
}

// naiveWords is the simplest reader of a list: what a person would say stands on a line.
func naiveWords(f format.Format, line string) []string {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '!' || line[0] == ';' || line[0] == ':' {
		return nil
	}
	words := strings.Fields(line)
	switch f {
	case format.Hosts:
		return words[1:]
	case format.Wildcard:
		return []string{strings.TrimPrefix(words[0], "*.")}
	case format.Dnsmasq:
		return strings.Split(line, "/")[1:2]
	case format.Unbound, format.Bind:
		return quotedWord(line)
	case format.RPZ:
		if len(words) != 3 || words[1] != "CNAME" {
			return nil
		}
	case format.TPL:
		if words[0] != "-d" {
			return nil
		}
		return words[1:]
	case format.JSON:
		if name := quotedWord(line); strings.HasPrefix(line, `"`) && strings.Contains(name[0], ".") && !strings.ContainsAny(line, ":/") {
			return name // an element; keys, prefixes and what is no name aside
		}
		return nil
	case format.Adblock:
		if !strings.HasPrefix(line, "||") || !strings.HasSuffix(line, "^") || strings.ContainsAny(line, "*/:") {
			return nil // only the plainest rules
		}
		return []string{strings.TrimSuffix(line[2:], "^")}
	}
	return words[:1]
}

// quotedWord is what stands in the first quotes.
func quotedWord(line string) []string {
	_, rest, ok := strings.Cut(line, `"`)
	word, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return nil
	}
	return []string{strings.TrimPrefix(word, ".")}
}

// TestRealLists: every list is recognised, and every word of every line is either in force or reported with its line.
func TestRealLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file   string
		format format.Format
		least  int // entries
		most   int // skipped lines
	}{
		{"urlhaus-2022/urlhaus-filter-hosts.txt", format.Hosts, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-hosts-online.txt", format.Hosts, 1240, 1},
		{"urlhaus-2022/urlhaus-filter-domains.txt", format.Domains, 134_210, 6},
		{"urlhaus-2022/urlhaus-filter-domains-online.txt", format.Domains, 6414, 1},
		{"urlhaus-2022/urlhaus-filter-agh.txt", format.Adblock, 134_210, 6},
		{"urlhaus-2022/urlhaus-filter-ag-online.txt", format.Adblock, 6810, 2},
		{"urlhaus-2022/urlhaus-filter-online.txt", format.Adblock, 6810, 2},
		{"urlhaus-2022/urlhaus-filter-dnscrypt-blocked-names.txt", format.Domains, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-dnscrypt-blocked-ips-online.txt", format.Addresses, 5174, 0},
		{"hagezi-2022/hosts/fake.txt", format.Hosts, 14_043, 0},
		{"hagezi-2022/domains/fake.txt", format.Domains, 14_043, 0},
		{"hagezi-2022/wildcard/fake.txt", format.Wildcard, 7355, 0},
		{"hagezi-2022/adblock/fake.txt", format.Adblock, 7355, 0},
		{"hagezi-2022/hosts/doh-vpn-proxy-bypass.txt", format.Hosts, 1205, 0},
		{"hagezi-2022/domains/doh-vpn-proxy-bypass.txt", format.Domains, 1205, 1},
		{"hagezi-2022/wildcard/doh-vpn-proxy-bypass.txt", format.Wildcard, 714, 1},
		{"hagezi-2022/adblock/doh-vpn-proxy-bypass.txt", format.Adblock, 714, 1},
		{"hagezi-2022/3p/stevenblack.domains.txt", format.Domains, 140_600, 30},
		{"hagezi-2022/3p/adguarddns.adblock.txt", format.Adblock, 82_000, 500},
		{"hagezi-2022/3p/ublock.hosts.txt", format.Hosts, 2500, 5},
		{"agh-testdata/internal/filtering/tests/dns.txt", format.Adblock, 12_000, 800},
		{"adguard-urlfilter/testdata/adguard_sdn_filter.txt", format.Adblock, 27_000, 900},
		{"doh-dibdot/doh-domains.txt", format.Domains, 1370, 6},
		{"doh-dibdot/doh-ipv4.txt", format.Addresses, 1970, 0},
		{"doh-dibdot/doh-ipv6.txt", format.Addresses, 1335, 0},
		{"urlhaus-2022/urlhaus-filter-dnsmasq.conf", format.Dnsmasq, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-unbound.conf", format.Unbound, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-bind.conf", format.Bind, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-rpz.conf", format.RPZ, 6090, 6},
		{"urlhaus-2022/urlhaus-filter-online.tpl", format.TPL, 1240, 1},
		{"hagezi-2022/dnsmasq/fake.txt", format.Dnsmasq, 7355, 0},
		{"hagezi-2022/unbound/fake.blacklist.conf", format.Unbound, 7355, 1},
		{"hagezi-2022/3p/ublock.dnsmasq.txt", format.Dnsmasq, 1300, 5},
		{"hagezi-2022/3p/ublock.unbound.conf", format.Unbound, 1300, 5},
		{"misp-warninglists/lists/tranco10k/list.json", format.JSON, 9990, 10},
		{"misp-warninglists/lists/sinkholes/list.json", format.JSON, 100, 2},
		{"doh-dibdot/doh-domains.json", format.JSON, 1370, 6},
		{"doh-dibdot/doh-ipv4.json", format.JSON, 1970, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			got := loadReal(t, c.file)
			t.Logf("%+v %+v", got.sum, got.set.Stats())
			if got.sum.Format != c.format || got.sum.Entries() < c.least || len(got.skipped) > c.most {
				t.Errorf("format %v, %d entries, %d skipped; want %v, at least %d, at most %d",
					got.sum.Format, got.sum.Entries(), len(got.skipped), c.format, c.least, c.most)
			}
			f, err := os.Open(realFile(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			lines := bufio.NewScanner(f)
			for n := uint32(1); lines.Scan(); n++ {
				for _, word := range naiveWords(c.format, lines.Text()) {
					if why := got.skipped[n]; why == "" && !covers(t, got.set, word) {
						t.Errorf("line %d: %q was lost", n, word)
					}
				}
			}
		})
	}
}

// TestOneTruth: the spellings of one list agree on every name it holds. Hosts files cover no subdomains: that is the format's.
func TestOneTruth(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{
		{"hagezi-2022/hosts/fake.txt", "hagezi-2022/domains/fake.txt", "hagezi-2022/wildcard/fake.txt", "hagezi-2022/adblock/fake.txt"},
		{"urlhaus-2022/urlhaus-filter-hosts.txt", "urlhaus-2022/urlhaus-filter-domains.txt", "urlhaus-2022/urlhaus-filter-agh.txt"},
	} {
		sets := make([]loaded, len(list))
		for i, name := range list {
			sets[i] = loadReal(t, name)
		}
		f, err := os.Open(realFile(t, list[0]))
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			for _, word := range naiveWords(format.Hosts, lines.Text()) {
				if !strings.Contains(word, ".") {
					continue // a lone label ("ttp" stands in urlhaus) is exact in hosts, and too broad a suffix elsewhere
				}
				checked++
				agree(t, list, sets, word)
			}
		}
		if err := f.Close(); err != nil || checked < 1000 {
			t.Errorf("%v: only %d names checked, %v", list, checked, err)
		}
	}
}

// agree checks one word, and a name below it, over all spellings.
func agree(t *testing.T, names []string, sets []loaded, word string) {
	t.Helper()
	_, err := netip.ParseAddr(word)
	for i, s := range sets {
		if covers(t, s.set, word) != covers(t, sets[0].set, word) {
			t.Errorf("%s and %s differ on %s", names[0], names[i], word)
		}
		if below := "x." + word; i > 0 && err != nil && covers(t, s.set, below) != covers(t, sets[1].set, below) {
			t.Errorf("%s and %s differ on %s", names[1], names[i], below)
		}
	}
}

// TestNotOurs: formats that we do not read yet are refused by name, not read as garbage.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"urlhaus-2022/urlhaus-filter-suricata-online.rules", "urlhaus-2022/urlhaus-filter-snort2-online.rules",
		"urlhaus-2022/urlhaus-filter-snort3-online.rules", "urlhaus-2022/LICENSE.md",
	} {
		f, err := os.Open(realFile(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := format.Parse(f, format.Auto, func(format.Entry) {}, nil); !errors.Is(err, format.ErrUnknown) {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
