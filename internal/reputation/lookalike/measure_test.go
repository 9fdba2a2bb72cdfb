package lookalike_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

const shared = "../../../../shared/data/"

// load reads names, one a line or as a JSON list, and reduces them to registrable names.
func load(t testing.TB, path string) []hostname.Name {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, path))
	if os.IsNotExist(err) {
		t.Skipf("SKIPPED: no real data at %s", shared)
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if strings.HasSuffix(path, ".json") {
		var list struct{ List []string }
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		lines = list.List
	} else {
		for s := bufio.NewScanner(strings.NewReader(string(raw))); s.Scan(); {
			lines = append(lines, strings.Fields(s.Text() + " #")[0])
		}
	}
	seen := map[hostname.Name]bool{}
	for _, line := range lines {
		if n, err := hostname.Parse(strings.Trim(line, ".")); err == nil && !n.IsPublicSuffix() {
			seen[n.Registrable()] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b hostname.Name) int { return strings.Compare(a.String(), b.String()) })
}

// popularity is the list of this measurement: the 500 of npm by rank, Tranco's 10,000 without (5,000 is assumed).
func popularity(t testing.TB) []lookalike.Popular {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "npm-lists/top-sites-1.1.222/top-sites.json"))
	if os.IsNotExist(err) {
		t.Skipf("SKIPPED: no real data at %s", shared)
	}
	var sites []struct {
		Rank       int
		RootDomain string
	}
	if err == nil {
		err = json.Unmarshal(raw, &sites)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []lookalike.Popular
	for _, s := range sites {
		if n, err := hostname.Parse(s.RootDomain); err == nil {
			out = append(out, lookalike.Popular{Name: n, Rank: s.Rank})
		}
	}
	for _, n := range load(t, "misp-warninglists/lists/tranco10k/list.json") {
		out = append(out, lookalike.Popular{Name: n, Rank: 5000})
	}
	return out
}

// tally counts what becomes of a set of names.
type tally struct {
	names, found        int
	unknown, young, old int // convicted, by what is known of the age
	convicts            []string
}

func (c tally) String() string {
	return fmt.Sprintf("%d names: alike %.2f %%; convicted young %.2f %%, age unknown %.3f %%, old %.3f %%", c.names, share(c.found, c.names),
		share(c.young, c.names), share(c.unknown, c.names), share(c.old, c.names))
}

func count(index *lookalike.Index, names []hostname.Name) tally {
	c := tally{names: len(names)}
	for _, n := range names {
		s, ok := index.Find(n)
		if !ok {
			continue
		}
		c.found++
		if lookalike.Judge(s, false, 0, false) {
			c.unknown++
			c.convicts = append(c.convicts, n.String()+"~"+s.Of.String())
		}
		if lookalike.Judge(s, false, 30*24*time.Hour, false) {
			c.young++
		}
		if lookalike.Judge(s, false, 3*lookalike.Old, false) {
			c.old++
		}
	}
	return c
}

// TestOrdinaryNames counts false alarms: names of these sets are honest, all but a few typing slips that somebody registered. None
// is told to the judge as popular or known, which in service acquits most of what is left.
func TestOrdinaryNames(t *testing.T) {
	popular := popularity(t)
	index := lookalike.New(popular)
	var half []lookalike.Popular
	var others []hostname.Name
	for _, p := range popular {
		h := fnv.New32a()
		h.Write([]byte(p.Name.Registrable().String()))
		if h.Sum32()%2 == 0 {
			half = append(half, p)
		} else {
			others = append(others, p.Name)
		}
	}
	for _, set := range []struct {
		what  string
		index *lookalike.Index
		names []hostname.Name
	}{
		{"OpenDNS, drawn at random (2014)", index, load(t, "dga-andrewaeva/dga_wordlists/opendns-random-domains.txt")},
		{"OpenDNS, top (2014)", index, load(t, "dga-andrewaeva/dga_wordlists/opendns-top-domains.txt")},
		{"Cisco top 20,000", index, load(t, "misp-warninglists/lists/cisco_top20k/list.json")},
		{"banks", index, load(t, "misp-warninglists/lists/bank-website/list.json")},
		{"one half of the list against the other", lookalike.New(half), others},
	} {
		c := count(set.index, set.names)
		t.Log(set.what+":", c)
		if share(c.unknown, c.names) > 0.05 || share(c.old, c.names) > 0.02 || share(c.young, c.names) > 1 {
			t.Errorf("%s: too many false alarms: %v", set.what, c.convicts)
		}
	}
}

// TestListedNames shows what the judgment adds on lists of bad names: most of them imitate nobody.
func TestListedNames(t *testing.T) {
	index := lookalike.New(popularity(t))
	for _, set := range []struct{ what, path string }{
		{"GoPhish hosts", "maltrail-trails/trails/static/malicious/gophish.txt"},
		{"StevenBlack", "hagezi-2022/3p/stevenblack.domains.txt"},
		{"HaGeZi fake shops", "hagezi-2022/domains/fake.txt"},
		{"URLhaus", "urlhaus-2022/urlhaus-filter-domains.txt"},
	} {
		c := count(index, load(t, set.path))
		t.Log(set.what+":", c, c.convicts[:min(8, len(c.convicts))])
		if c.names == 0 {
			t.Errorf("%s: no names", set.what)
		}
	}
}

// TestRealNeighbours: names that a filter by likeness alone blocked, or would (AdGuardDNS issue 1022 among them).
func TestRealNeighbours(t *testing.T) {
	index := lookalike.New(popularity(t))
	for _, text := range []string{
		"tsa.gov", "usa.gov", "mtb.com", "space.com", "lamy.com", "vercel-dns.com", "nbc.com", "abc.com", "cbc.ca", "cnn.com", "ebey.com", "aol.com",
		"adl.org", "hp.com", "huber.com", "uber.com", "appl.com", "apple.de", "spade.com", "clear.com", "dear.com", "modem.com", "modern.com",
		"telstar.com", "notion.com", "motion.com", "goober.com", "amazone.de", "huber.de", "click.com", "dick.com", "stihl.com",
	} {
		s, _ := index.Find(hostname.MustParse(text))
		for _, age := range []time.Duration{0, 10 * lookalike.Old} {
			if lookalike.Judge(s, false, age, false) {
				t.Errorf("%s, age %v: convicted for %v", text, age, s)
			}
		}
		if lookalike.Judge(s, true, 24*time.Hour, false) || lookalike.Judge(s, false, 24*time.Hour, true) {
			t.Errorf("%s: convicted though popular or known", text)
		}
	}
}

func share(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }
