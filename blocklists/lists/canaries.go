package lists

import (
	_ "embed"
	"net/netip"
	"strings"

	"weir/blocklists/source"
	"weir/internal/hostname"
)

//go:embed canaries.txt
var canaries string

// topSite is the section whose names are meant with "www." too.
const topSite = "a top site"

// Canaries returns the names that no list may block unless it is told that it may, ready for [source.Config]: registries, root
// servers, updates, certificates, registries of packages, and sites that everybody uses.
func Canaries() (out []source.Canary) {
	why := ""
	for line := range strings.Lines(canaries) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			why = strings.Trim(line, "[]")
		default:
			out = append(out, canaryLine(strings.Fields(line), why)...)
		}
	}
	return out
}

// canaryLine reads a name and its addresses. What does not parse is a mistake of ours, which a test finds.
func canaryLine(words []string, why string) (out []source.Canary) {
	for _, w := range words {
		if a, err := netip.ParseAddr(w); err == nil {
			out = append(out, source.Canary{Prefix: netip.PrefixFrom(a, a.BitLen()), Why: why})
			continue
		}
		out = append(out, source.Canary{Name: hostname.MustParse(w), Why: why})
		if why == topSite {
			out = append(out, source.Canary{Name: hostname.MustParse("www." + w), Why: why})
		}
	}
	return out
}
