package format

import (
	"net/netip"
	"strings"

	"weir/blocklists/set"
)

// cutHash cuts a comment that starts with '#', at the start of the line or after a blank: in dnsmasq and unbound ';' is none.
func cutHash(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}

// isKeyword says whether text looks like an option of dnsmasq or unbound.
func isKeyword(text string) bool {
	for i := range len(text) {
		if c := text[i]; c != '-' && c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}

// dnsmasqLine reads one line of a dnsmasq configuration (dnsmasq(8)): "address=/x/y/target" and its kin.
func (p *parser) dnsmasqLine(line string) {
	text := cutHash(line)
	if text == "" {
		return
	}
	key, value, _ := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch key {
	case "address", "server", "local":
		p.dnsmasqRule(key, value, line)
	case "cname":
		p.dnsmasqAlias(value, line)
	case "host-record", "alias", "txt-record", "mx-host", "srv-host", "ptr-record", "naptr-record", "dns-rr", "synth-domain":
		p.skip(ReasonRewrite, line)
	case "conf-file", "conf-dir", "servers-file", "addn-hosts", "hostsdir":
		p.skip(ReasonInclude, line)
	default:
		if isKeyword(key) {
			p.skip(ReasonSetting, line)
		} else {
			p.skip(ReasonSyntax, line)
		}
	}
}

// dnsmasqRule reads "/x/y/target".
func (p *parser) dnsmasqRule(key, value, line string) {
	last := strings.LastIndexByte(value, '/')
	if last < 1 || value[0] != '/' {
		if key == "server" && last < 0 && value != "" {
			p.skip(ReasonSetting, line) // a server for all names
		} else {
			p.skip(ReasonSyntax, line)
		}
		return
	}
	e, why := dnsmasqTarget(key, value[last+1:])
	if why != "" {
		p.skip(why, line)
		return
	}
	for name := range strings.SplitSeq(value[1:last], "/") {
		// "" stands for names without a dot, "#" for all names, a leading "*" for the end of any label.
		if name == "" || name == "#" || name[0] == '*' {
			p.skip(ReasonPattern, line)
			continue
		}
		if name = strings.TrimPrefix(name, "."); e.Reply == set.ReplyData {
			p.putName(name, e)
		} else {
			p.putTarget(name, e)
		}
	}
}

// dnsmasqTarget says what a rule makes of its names. No target is NXDOMAIN; "#" is the null address for address=, and the
// usual servers for server=, whatever a wider rule says. An address answers questions of its own type alone; the others go
// upstream (since dnsmasq 2.86), but for addresses that lead nowhere: that blocks.
func dnsmasqTarget(key, target string) (Entry, Reason) {
	switch {
	case target == "":
		return Entry{Reply: set.ReplyNXDOMAIN}, ""
	case target == "#" && key == "address":
		return Entry{}, ""
	case target == "#":
		return Entry{Exception: true}, ""
	case key != "address":
		return Entry{}, ReasonRewrite
	}
	addr, err := netip.ParseAddr(target)
	switch {
	case err != nil || addr.Zone() != "":
		return Entry{}, ReasonSyntax
	case sink(addr):
		return Entry{}, ""
	}
	data, qtype := addressData(addr)
	return Entry{Reply: set.ReplyData, Data: data, Types: set.NewTypes(false, qtype)}, ""
}

// dnsmasqAlias reads "alias[,alias...],target[,TTL]". An alias with a star is one of zones that dnsmasq serves, not of its answers.
func (p *parser) dnsmasqAlias(value, line string) {
	words := strings.Split(value, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	if last := len(words) - 1; last > 1 && words[last] != "" && strings.Trim(words[last], "0123456789") == "" {
		words = words[:last]
	}
	last := len(words) - 1
	to, _, why := target(words[last])
	if last < 1 || to.IsZero() || why != "" {
		p.skip(ReasonSyntax, line)
		return
	}
	record, why := recordData("CNAME", to.String()+".", ".")
	if why != "" {
		p.skip(why, line)
		return
	}
	for _, alias := range words[:last] {
		p.putName(alias, Entry{Scope: set.Exact, Reply: set.ReplyData, Data: record})
	}
}
