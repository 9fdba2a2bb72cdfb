package blocklists_test

import (
	"bufio"
	"net/url"
	"os"
	"strings"
	"testing"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/internal/hostname"
	"weir/internal/weburl"
)

// webRules are the rules of the real list that hold a host and a path, without what adblock writes around them.
func webRules(t *testing.T, name string) (rules []string) {
	t.Helper()
	f, err := os.Open(realFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rule, ok := strings.CutPrefix(strings.TrimSuffix(lines.Text(), "$all"), "||")
		if ok && strings.Contains(rule, "/") {
			rules = append(rules, rule)
		}
	}
	return rules
}

// listOf makes a Set of a text.
func listOf(t *testing.T, kind format.Format, text string) (*blocklists.Set, format.Summary) {
	t.Helper()
	b := blocklists.NewBuilder()
	n, err := b.AddList(blocklists.List{Name: kind.String()})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := format.Parse(strings.NewReader(text), kind, func(e format.Entry) {
		if err := b.Add(n, e); err != nil {
			t.Error(err)
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.Build(), sum
}

// keyOf is what a request for a URL is looked up by, and its host.
func keyOf(t *testing.T, text string) (key string, host hostname.Authority) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if host, err = hostname.ParseAuthority(u.Host, weburl.DefaultPort(u.Scheme)); err != nil {
		t.Fatal(err)
	}
	return weburl.Key(weburl.Canonical(u.Scheme, host, u)), host
}

// TestURLSpellings: the URLs of the real list, in every format that can hold them, are blocked over http and https, with a query
// and below; their hosts, and what lies beside them, are not.
func TestURLSpellings(t *testing.T) {
	t.Parallel()
	const list = "urlhaus-2022/urlhaus-filter-online.txt"
	rules := webRules(t, list)
	if len(rules) < 400 {
		t.Fatalf("only %d URLs", len(rules))
	}
	hosts := loadReal(t, list).set // of which some stand there alone too
	kinds := map[format.Format]func(rule string) string{
		format.Adblock: func(r string) string { return "||" + r + "$all\n" },
		format.URLs:    func(r string) string { return "http://" + r + "\n" },
		format.Domains: func(r string) string { return r + "\n" },
		format.CSV:     func(r string) string { return "\"1\",\"https://" + r + "\",\"x\"\n" },
		format.TPL: func(r string) string {
			host, path, _ := strings.Cut(r, "/")
			return "-d " + host + " /" + path + "\n"
		},
	}
	for kind, line := range kinds {
		var text strings.Builder
		if kind == format.CSV {
			text.WriteString("id,url,tags\n")
		}
		for _, r := range rules {
			text.WriteString(line(r))
		}
		set, sum := listOf(t, kind, text.String())
		lost := 0
		for _, r := range rules {
			if kind == format.Adblock && strings.Contains(r, "^") {
				lost++ // there it stands for the end of a host or of a word: skipped as a pattern
				continue
			}
			checkURL(t, kind, set, r)
		}
		if sum.URLs != len(rules)-lost || sum.Skipped[format.ReasonPattern] != lost || len(sum.Skipped) > lost {
			t.Errorf("%v: %d of %d URLs, skipped %v", kind, sum.URLs, len(rules), sum.Skipped)
		}
	}
	alone := 0
	for _, r := range rules {
		_, host := keyOf(t, "http://"+r)
		if !covers(t, hosts, host.Host()) {
			alone++
		}
	}
	t.Logf("%d URLs; the hosts of %d are not listed themselves", len(rules), alone)
	if alone == 0 {
		t.Error("every host is listed too: nothing is shown")
	}
}

func checkURL(t *testing.T, kind format.Format, set *blocklists.Set, rule string) {
	t.Helper()
	blocked := map[string]bool{"http://" + rule: true, "https://" + rule: true, "http://" + rule + "#f": true, "http://x." + rule: false}
	if !strings.Contains(rule, "?") { // of some rules with a query the list holds the same without
		blocked["http://"+rule+"x"] = strings.HasSuffix(rule, "/")
		blocked["http://"+rule+"?x=1"] = true
		blocked["http://"+rule+"/y"] = true
	}
	for target, want := range blocked {
		if key, _ := keyOf(t, target); len(set.LookupURL(key, nil)) > 0 != want {
			t.Errorf("%v: %s: blocked %v, want %v", kind, target, !want, want)
		}
	}
	key, host := keyOf(t, "http://"+rule)
	if covers(t, set, host.Host()) {
		t.Errorf("%v: the host of %s is blocked", kind, key)
	}
	if root, _ := keyOf(t, "http://"+host.Host()+"/"); len(set.LookupURL(root, nil)) > 0 && root != key {
		t.Errorf("%v: the root of %s is blocked", kind, key)
	}
}
