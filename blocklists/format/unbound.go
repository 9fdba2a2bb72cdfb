package format

import (
	"net/netip"
	"strings"
)

// unboundConf reads rules of an unbound configuration (unbound.conf(5)). What its zones and data do to each other is in
// unboundZones.
type unboundConf struct {
	p      *parser
	clause string // in which clause we are: "" and "server" hold rules for everybody
	zones  unboundZones
}

var _ grammar = (*unboundConf)(nil)

func newUnbound(p *parser) *unboundConf {
	return &unboundConf{p: p, zones: newUnboundZones(p)}
}

func (u *unboundConf) end() { u.zones.end() }

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
		u.pointer(value, text)
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
	if !u.zones.add(name, kind) {
		u.p.skip(ReasonZoneType, text)
	}
}

func (u *unboundConf) localData(value, text string) {
	data, more, ok := unquote(value)
	owner, rest := cutField(data)
	kind, rdata := rrTypeOf(rest)
	if !ok || more != "" || owner == "" || kind == "" || rdata == "" {
		u.p.skip(ReasonSyntax, text)
		return
	}
	sunk, why := sunkAddress(kind, rdata)
	switch {
	case why != "":
		u.p.skip(why, text)
		return
	case sunk:
		u.zones.sink(owner)
		return
	}
	record, why := recordData(kind, rdata, ".")
	if why != "" {
		u.p.skip(why, text)
		return
	}
	if kind == "CNAME" && strings.EqualFold(zoneKey(owner)+".", strings.TrimPrefix(record, "CNAME ")) {
		u.p.skip(ReasonSyntax, text) // a name that is only an alias of itself
		return
	}
	u.zones.data(owner, kind, record)
}

// sunkAddress says whether a record is the address of nowhere.
func sunkAddress(kind, rdata string) (bool, Reason) {
	if kind != "A" && kind != "AAAA" {
		return false, ""
	}
	addr, err := netip.ParseAddr(rdata)
	if err != nil || addr.Is4() != (kind == "A") || addr.Zone() != "" {
		return false, ReasonAddress
	}
	return sink(addr), ""
}

// pointer reads "ADDRESS [TTL] NAME".
func (u *unboundConf) pointer(value, text string) {
	data, more, ok := unquote(value)
	fields := strings.Fields(data)
	if len(fields) == 3 && isTTL(strings.ToUpper(fields[1])) {
		fields = []string{fields[0], fields[2]}
	}
	if !ok || more != "" || len(fields) != 2 {
		u.p.skip(ReasonSyntax, text)
		return
	}
	addr, err := netip.ParseAddr(fields[0])
	if err != nil || addr.Zone() != "" {
		u.p.skip(ReasonAddress, text)
		return
	}
	record, why := recordData("PTR", fields[1], ".")
	if why != "" {
		u.p.skip(why, text)
		return
	}
	u.zones.data(pointerName(addr), "PTR", record)
}

// cutField cuts the first field off.
func cutField(text string) (field, rest string) {
	text = strings.TrimLeft(text, " \t")
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end:])
}

// rrTypeOf does what rrType does, and leaves the blanks of the value as they are: they may be part of a text.
func rrTypeOf(text string) (kind, rdata string) {
	for range 3 {
		var field string
		field, text = cutField(text)
		if kind, _ = rrType([]string{field}); kind != "" {
			return kind, text
		}
		if f := strings.ToUpper(field); !isTTL(f) && f != "IN" && f != "CH" && f != "HS" {
			break
		}
	}
	return "", ""
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
