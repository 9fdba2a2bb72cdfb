package format

import (
	"net/netip"
	"strings"
)

// unboundConf reads rules of an unbound configuration (unbound.conf(5)).
type unboundConf struct {
	p         *parser
	clause    string // in which clause we are: "" and "server" hold rules for everybody
	zones     []heldZone
	rewritten map[string]bool // names to which local-data gives a real address or another name
}

// heldZone answers from its local-data: what it does is known at the end of the list.
type heldZone struct {
	name string
	line uint32
}

var _ grammar = (*unboundConf)(nil)

func newUnbound(p *parser) *unboundConf {
	return &unboundConf{p: p, rewritten: make(map[string]bool)}
}

// end emits the zones whose own name leads nowhere.
func (u *unboundConf) end() {
	u.p.held = 0
	for _, z := range u.zones {
		if u.rewritten[zoneKey(z.name)] {
			u.p.skipAt(z.line, ReasonRewrite, z.name)
			continue
		}
		u.p.putTarget(z.name, Entry{Line: z.line})
	}
}

// zoneKey is one form for one name.
func zoneKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (u *unboundConf) line(line string) error {
	if text := strings.TrimSpace(cutHash(line)); text != "" {
		u.statement(text)
	}
	return nil
}

func (u *unboundConf) statement(text string) {
	key, value, ok := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	switch {
	case !ok || !isKeyword(key):
		u.p.skip(ReasonSyntax, text)
	case isClause(key):
		u.clause = key
		if value != "" {
			u.statement(value)
		}
	default:
		u.option(key, value, text)
	}
}

// option reads what is no clause. Zones of a view are for some clients only.
func (u *unboundConf) option(key, value, text string) {
	rule := key == "local-zone" || key == "local-data" || key == "local-data-ptr"
	switch {
	case rule && u.clause != "" && u.clause != "server":
		u.p.skip(ReasonView, text)
	case key == "local-zone":
		u.localZone(value, text)
	case key == "local-data":
		u.localData(value, text)
	case rule:
		u.p.skip(ReasonRewrite, text)
	case key == "include", key == "include-toplevel":
		u.p.skip(ReasonInclude, text)
	default:
		u.p.skip(ReasonSetting, text)
	}
}

// isClause knows the words that start a clause.
func isClause(key string) bool {
	switch key {
	case "server", "view", "remote-control", "forward-zone", "stub-zone", "auth-zone", "rpz", "python", "dynlib", "dnscrypt",
		"cachedb", "ipset", "dnstap":
		return true
	}
	return false
}

// unquote takes the quotes off the first word and returns what follows it. An open quote is no word.
func unquote(text string) (word, rest string, ok bool) {
	if text == "" {
		return "", "", false
	}
	if q := text[0]; q == '"' || q == '\'' {
		word, rest, ok = strings.Cut(text[1:], string(q))
		return word, strings.TrimSpace(rest), ok
	}
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, "", true
	}
	return text[:end], strings.TrimSpace(text[end:]), true
}

func (u *unboundConf) localZone(value, text string) {
	name, rest, ok := unquote(value)
	kind, more, ok2 := unquote(rest)
	if !ok || !ok2 || more != "" || name == "" {
		u.p.skip(ReasonSyntax, text)
		return
	}
	switch kind {
	case "always_nxdomain", "always_null", "always_nodata", "always_deny", "always_refuse", "deny", "refuse", "inform_deny":
		u.p.putTarget(name, Entry{})
	case "static", "redirect", "inform_redirect":
		u.zones = append(u.zones, heldZone{name, u.p.line})
		u.p.held++
	case "transparent", "typetransparent", "always_transparent", "inform":
		u.p.putTarget(name, Entry{Exception: true})
	default: // nodefault, block_a, ipset, noview
		u.p.skip(ReasonZoneType, text)
	}
}

func (u *unboundConf) localData(value, text string) {
	data, more, ok := unquote(value)
	fields := strings.Fields(data)
	if !ok || more != "" || len(fields) < 2 {
		u.p.skip(ReasonSyntax, text)
		return
	}
	name := fields[0]
	kind, rdata := rrType(fields[1:])
	switch kind {
	case "":
		u.p.skip(ReasonSyntax, text)
	case "A", "AAAA":
		u.address(name, rdata, text)
	case "CNAME":
		u.rewrite(name, text)
	default:
		u.p.skip(ReasonRewrite, text) // the answer to a question that is not about addresses
	}
}

func (u *unboundConf) address(name string, rdata []string, text string) {
	if len(rdata) != 1 {
		u.p.skip(ReasonSyntax, text)
		return
	}
	addr, err := netip.ParseAddr(rdata[0])
	switch {
	case err != nil:
		u.p.skip(ReasonAddress, text)
	case sink(addr):
		u.p.putHost(name)
	default:
		u.rewrite(name, text)
	}
}

func (u *unboundConf) rewrite(name, text string) {
	if key := zoneKey(name); !u.rewritten[key] {
		u.rewritten[key] = true
		u.p.held++
	}
	u.p.skip(ReasonRewrite, text)
}

// rrType cuts TTL and class, in either order, off the fields behind an owner name, and returns the type in upper case (RFC
// 1035 section 5.1); "" when there is none.
func rrType(fields []string) (kind string, rdata []string) {
	for i := 0; i < len(fields) && i < 3; i++ {
		f := strings.ToUpper(fields[i])
		if isTTL(f) || f == "IN" || f == "CH" || f == "HS" {
			continue
		}
		if !isType(f) {
			return "", nil
		}
		return f, fields[i+1:]
	}
	return "", nil
}

// isType knows the shape of a type: A, NSEC3.
func isType(f string) bool {
	for i := range len(f) {
		if c := f[i]; (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return f != ""
}

// isTTL knows 300 and BIND's 1H30M.
func isTTL(f string) bool {
	for i := range len(f) {
		if c := f[i]; (c < '0' || c > '9') && (i == 0 || !strings.ContainsRune("SMHDW", rune(c))) {
			return false
		}
	}
	return f != ""
}
