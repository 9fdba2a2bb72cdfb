package blocklists_test

import (
	"bufio"
	"os"
	"path"
	"strings"
	"testing"

	"weir/blocklists/format"
)

// difference is one that a format itself makes: why, for which files, and for which words it leaves unlisted what the others list.
type difference struct {
	why   string
	files string // pattern of path.Match
	word  func(word string) bool
}

// spelling is one list in all its formats.
type spelling struct {
	name  string
	files []string
	diffs []difference
}

// isAddress says whether the publisher takes a word for an address: four times one to three digits. What browsers take for one
// beside that, as 0x7f.1 and 0056.0151.0121.0114, stands in his lists of names.
func isAddress(word string) bool {
	parts := strings.Split(word, ".")
	for _, p := range parts {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return len(parts) == 4
}

func isName(word string) bool { return !isAddress(word) }
func isLabel(word string) bool {
	return !strings.ContainsAny(word, ".:") && !strings.HasPrefix(word, "0x")
}
func isAny(string) bool { return true }

// spellings lists what is published in many formats, and the whole table of differences.
func spellings() []spelling {
	const (
		noAddresses = "the publisher leaves addresses out of formats that speak of names"
		loneLabel   = "a lone label is a registry where an entry means everything below it too: refused as public-suffix"
	)
	out := []spelling{{
		name: "urlhaus", files: []string{
			"agh.txt", "domains.txt", "hosts.txt", "dnscrypt-blocked-names.txt", "dnsmasq.conf", "unbound.conf", "bind.conf", "rpz.conf",
		},
		diffs: []difference{
			{noAddresses, "hosts.txt", isAddress},
			{noAddresses, "dns*", isAddress},
			{noAddresses, "[urb]*.conf", isAddress},
			{loneLabel, "agh.txt", isLabel},
			{loneLabel, "d*", isLabel},
			{loneLabel, "unbound.conf", isLabel},
			{loneLabel, "bind.conf", isLabel},
		},
	}, {
		name: "urlhaus online", files: []string{
			"agh-online.txt", "ag-online.txt", "online.txt", "domains-online.txt", "hosts-online.txt", "dnscrypt-blocked-names-online.txt",
			"dnscrypt-blocked-ips-online.txt", "dnsmasq-online.conf", "unbound-online.conf", "bind-online.conf", "rpz-online.conf",
			"online.tpl", "vivaldi-online.txt",
		},
		diffs: []difference{
			{noAddresses, "hosts-online.txt", isAddress},
			{noAddresses, "dnscrypt-blocked-names-online.txt", isAddress},
			{noAddresses, "*.conf", isAddress},
			{noAddresses, "*.tpl", isAddress},
			{"a list of addresses holds no names", "dnscrypt-blocked-ips-online.txt", isName},
			{"$document stops the loading of pages alone: not applied in part", "vivaldi-online.txt", isAny},
		},
	}}
	for i := range out {
		for k, f := range out[i].files {
			out[i].files[k] = "urlhaus-2022/urlhaus-filter-" + f
		}
	}
	for _, n := range []string{"fake", "doh-vpn-proxy-bypass"} {
		out = append(out, spelling{name: "hagezi " + n, files: []string{
			"hagezi-2022/hosts/" + n + ".txt", "hagezi-2022/domains/" + n + ".txt", "hagezi-2022/wildcard/" + n + ".txt",
			"hagezi-2022/adblock/" + n + ".txt", "hagezi-2022/dnsmasq/" + n + ".txt", "hagezi-2022/unbound/" + n + ".blacklist.conf",
		}})
	}
	return out
}

// TestSpellings: one list in all its formats gives one verdict on every name that any of them holds, but for the differences
// of the table; and every difference of the table happens.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, s := range spellings() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			sets := make([]loaded, len(s.files))
			words := map[string]bool{}
			for i, f := range s.files {
				sets[i] = loadReal(t, f)
				holds(t, f, sets[i].sum.Format, words)
			}
			if len(words) < 700 {
				t.Fatalf("only %d words", len(words))
			}
			made := make([]int, len(s.diffs))
			for word := range words {
				for i, f := range s.files {
					if !covers(t, sets[i].set, word) && !explained(s.diffs, made, f, word) {
						t.Errorf("%s does not list %s", f, word)
					}
				}
			}
			for i, d := range s.diffs {
				t.Logf("%6d times %s: %s", made[i], d.files, d.why)
				if made[i] == 0 {
					t.Errorf("%s: %q never happened", d.files, d.why)
				}
			}
		})
	}
}

// explained counts the first difference of the table that fits.
func explained(diffs []difference, made []int, file, word string) bool {
	short := strings.TrimPrefix(path.Base(file), "urlhaus-filter-")
	for i, d := range diffs {
		if ok, err := path.Match(d.files, short); ok && err == nil && d.word(word) {
			made[i]++
			return true
		}
	}
	return false
}

// holds adds the words of a list, as a naive reader sees them.
func holds(t *testing.T, file string, kind format.Format, words map[string]bool) {
	t.Helper()
	f, err := os.Open(realFile(t, file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		for _, w := range naiveWords(kind, lines.Text()) {
			words[strings.TrimSuffix(w, ".")] = true
		}
	}
}

// TestBelow: which formats cover what lies below a name. Hosts and RPZ entries speak of the name alone; in all others x means
// x and everything below.
func TestBelow(t *testing.T) {
	t.Parallel()
	for file, below := range map[string]bool{
		"hosts.txt": false, "rpz.conf": false, "agh.txt": true, "domains.txt": true, "dnscrypt-blocked-names.txt": true,
		"dnsmasq.conf": true, "unbound.conf": true, "bind.conf": true, "online.tpl": true,
	} {
		got := loadReal(t, "urlhaus-2022/urlhaus-filter-"+file)
		if name := "x.y.zeepanel.online"; !covers(t, got.set, "zeepanel.online") || covers(t, got.set, name) != below {
			t.Errorf("%s: %s: %v, want %v", file, name, !below, below)
		}
	}
}
