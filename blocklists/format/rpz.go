package format

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/blocklists/set"
)

// rpzZone reads a response policy zone (draft-vixie-dnsop-dns-rpz-00) as a zone file (RFC 1035 section 5). The library's
// reader gives up at the first bad record; here it costs only itself.
type rpzZone struct {
	p      *parser
	fields []string // of the record so far
	owned  bool     // its first field is the owner
	start  uint32   // line on which it began
	span   span     // its lines, while a parenthesis is open
	parens int
	bad    bool // an open quote, too many fields

	origin    zoneName
	apex      zoneName
	apexKnown bool
	owner     zoneName
	hasOwner  bool
}

// zoneName is a name without final dot. One that is relative counts from the apex, wherever that lies.
type zoneName struct {
	text     string
	absolute bool
}

// maxFields is how many fields of a record are kept: DNSSEC records and long texts, which are no rules, may have more.
const maxFields = 64

var _ grammar = (*rpzZone)(nil)

func (z *rpzZone) end() {
	for len(z.span) > 0 {
		z.again()
	}
}

func (z *rpzZone) line(line string) error {
	return z.read(spanLine{line, z.p.line})
}

// read takes one line.
func (z *rpzZone) read(l spanLine) error {
	if z.parens == 0 {
		z.fields, z.start, z.bad, z.owned = z.fields[:0], l.line, false, owns(l.text)
	}
	z.split(l.text)
	if z.parens > 0 || len(z.span) > 0 {
		z.span = append(z.span, l)
	}
	open := z.parens > 0
	switch {
	case open && z.span.tooLong(), !open && z.bad && len(z.span) > 0:
		z.again()
	case !open:
		z.closed()
	}
	return nil
}

// owns says whether a line begins with an owner name: one that begins with a blank is about the last (RFC 1035 section 5.1).
func owns(line string) bool { return line != "" && line[0] != ' ' && line[0] != '\t' }

// closed takes what was read when no parenthesis is open.
func (z *rpzZone) closed() {
	switch {
	case len(z.fields) == 0:
		z.span = nil
	case z.bad:
		z.p.skipAt(z.start, ReasonSyntax, strings.Join(z.fields, " "))
		z.disown()
	case z.owned && z.fields[0][0] == '$':
		z.span = nil
		z.directive()
	default:
		z.whole()
	}
}

// whole reads a record. If it is none, the lines behind its first may be what an open parenthesis swallowed.
func (z *rpzZone) whole() {
	lines, bad := z.span, z.p.sum.Skipped[ReasonSyntax]
	z.span = nil
	if z.record(); len(lines) < 2 || z.p.sum.Skipped[ReasonSyntax] == bad {
		return
	}
	z.disown()
	for _, l := range lines[1:] {
		_ = z.read(l) // returns none
	}
}

// disown makes sure that the next record does not inherit an owner that was not read.
func (z *rpzZone) disown() { z.hasOwner = z.hasOwner && !z.owned }

// again gives up the record whose parenthesis is open, or that is broken: its first line.
func (z *rpzZone) again() {
	z.parens, z.owned = 0, owns(z.span[0].text)
	z.disown()
	_ = z.span.again(z.p, z.read) // read returns none
}

// split adds the fields of one line. A text in quotes keeps its first quote: it is no name and no keyword.
func (z *rpzZone) split(line string) {
	for i := 0; i < len(line); {
		switch c := line[i]; c {
		case ' ', '\t', '\f', '\v':
			i++
		case ';':
			return
		case '(':
			z.parens++
			i++
		case ')':
			if z.parens--; z.parens < 0 {
				z.parens, z.bad = 0, true
			}
			i++
		default:
			end, closed := fieldEnd(line, i)
			z.add(line[i:end])
			z.bad = z.bad || !closed
			i = end
		}
	}
}

// fieldEnd finds the end of the field that starts at i; closed is false for a quote that stays open. A text in quotes is a field;
// inside of one (alpn="h2,h3") it is a part of it.
func fieldEnd(line string, i int) (end int, closed bool) {
	whole := line[i] == '"'
	quoted := whole
	if quoted {
		i++
	}
	for ; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"' && whole:
			return i + 1, true
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t\f\v;()", c) >= 0:
			return i, true
		}
	}
	return len(line), !quoted
}

func (z *rpzZone) add(field string) {
	if len(z.fields) < maxFields {
		z.fields = append(z.fields, field)
	}
}

// directive reads $ORIGIN and $TTL; others are skipped.
func (z *rpzZone) directive() {
	switch strings.ToUpper(z.fields[0]) {
	case "$TTL":
	case "$ORIGIN":
		if len(z.fields) != 2 {
			z.p.skipAt(z.start, ReasonSyntax, strings.Join(z.fields, " "))
			return
		}
		z.origin = z.name(z.fields[1])
		if !z.apexKnown && z.origin.absolute {
			z.apex, z.apexKnown = z.origin, true
		}
	case "$INCLUDE":
		z.p.skipAt(z.start, ReasonInclude, strings.Join(z.fields, " "))
	default:
		z.p.skipAt(z.start, ReasonSetting, strings.Join(z.fields, " "))
	}
}

// name reads a name against the origin.
func (z *rpzZone) name(text string) zoneName {
	switch {
	case text == "@":
		return z.origin
	case text == ".":
		return zoneName{absolute: true}
	case strings.HasSuffix(text, ".") && !strings.HasSuffix(text, `\.`):
		return zoneName{text[:len(text)-1], true}
	case z.origin.text == "":
		return zoneName{text, z.origin.absolute}
	}
	return zoneName{text + "." + z.origin.text, z.origin.absolute}
}

// trigger returns an owner as seen from the apex; "" is the apex itself.
func (z *rpzZone) trigger(n zoneName) (text string, ok bool) {
	switch {
	case !n.absolute:
		return n.text, true
	case !z.apexKnown:
		return "", false
	case z.apex.text == "":
		return n.text, true
	case strings.EqualFold(n.text, z.apex.text):
		return "", true
	}
	cut := len(n.text) - len(z.apex.text) - 1
	if cut <= 0 || n.text[cut] != '.' || !strings.EqualFold(n.text[cut+1:], z.apex.text) {
		return "", false
	}
	return n.text[:cut], true
}

// record reads one record.
func (z *rpzZone) record() {
	text := strings.Join(z.fields, " ")
	fields := z.fields
	if z.owned {
		z.owner, z.hasOwner = z.name(fields[0]), true
		fields = fields[1:]
	}
	kind, rdata := rrType(fields)
	if kind == "" || len(rdata) == 0 || !z.hasOwner {
		z.p.skipAt(z.start, ReasonSyntax, text)
		return
	}
	if kind == "SOA" && !z.apexKnown && z.owner.absolute {
		z.apex, z.apexKnown = z.owner, true
	}
	trigger, ok := z.trigger(z.owner)
	switch {
	case !ok:
		z.p.skipAt(z.start, ReasonOutOfZone, text)
	case trigger == "": // what the zone says of itself
	default:
		z.rule(trigger, kind, rdata, text)
	}
}

// rule reads one rule: a record whose owner is the trigger and whose value is the action.
func (z *rpzZone) rule(trigger, kind string, rdata []string, text string) {
	e, why := z.action(trigger, kind, rdata)
	e.Line = z.start
	rest, last := "", trigger
	if dot := strings.LastIndexByte(trigger, '.'); dot >= 0 {
		rest, last = trigger[:dot], trigger[dot+1:]
	}
	byName := false
	if why == "" {
		switch strings.ToLower(last) {
		case "rpz-ip":
			e.Prefix, why = rpzPrefix(rest)
		case "rpz-client-ip":
			e.Trigger = set.Client
			e.Prefix, why = rpzPrefix(rest)
		case "rpz-nsip":
			e.Trigger = set.Server
			e.Prefix, why = rpzPrefix(rest)
		case "rpz-nsdname":
			e.Trigger = set.Server
			trigger, byName = rest, true
		default:
			byName = true
		}
	}
	switch {
	case why != "":
		z.p.skipAt(z.start, why, text)
	case byName:
		z.byName(trigger, text, e)
	default:
		z.p.put(e)
	}
}

// byName emits what a name triggers: the name alone, or with a star what is below it.
func (z *rpzZone) byName(trigger, text string, e Entry) {
	e.Scope = set.Exact
	if trigger == "*" {
		z.p.skipAt(z.start, ReasonTooBroad, text)
		return
	}
	if below, ok := strings.CutPrefix(trigger, "*."); ok {
		trigger, e.Scope = below, set.Below
	}
	trigger = plainName(trigger)
	if e.Trigger == set.Server || e.Reply == set.ReplyData {
		z.p.putName(trigger, e)
		return
	}
	z.p.putTarget(trigger, e)
}

// action says what the record does to its trigger.
func (z *rpzZone) action(trigger, kind string, rdata []string) (Entry, Reason) {
	switch kind {
	case "CNAME":
		if len(rdata) != 1 {
			return Entry{}, ReasonSyntax
		}
		return z.alias(trigger, rdata[0])
	case "A", "AAAA":
		if sunk, why := sunkAddress(kind, strings.Join(rdata, " ")); sunk || why != "" {
			return Entry{}, why // an address that leads nowhere blocks, grant or not
		}
	}
	return z.localData(kind, rdata)
}

// alias reads the value of a CNAME record, which may be a word for an action.
func (z *rpzZone) alias(trigger, target string) (Entry, Reason) {
	name := z.name(target)
	if !name.absolute {
		return Entry{}, ReasonRewrite // it counts from the apex, wherever that lies
	}
	switch strings.ToLower(name.text) {
	case "":
		return Entry{Reply: set.ReplyNXDOMAIN}, ""
	case "*":
		return Entry{Reply: set.ReplyNoData}, ""
	case "rpz-drop":
		return Entry{Reply: set.ReplyDrop}, ""
	case "rpz-passthru", strings.ToLower(trigger): // the latter is how the first drafts wrote it
		return Entry{Exception: true}, ""
	case "rpz-tcp-only":
		return Entry{Reply: set.ReplyTCPOnly}, ""
	}
	return z.localData("CNAME", []string{name.text + "."})
}

// localData makes the record itself the answer. In a zone whose apex nobody named, names that count from it cannot be said.
func (z *rpzZone) localData(kind string, rdata []string) (Entry, Reason) {
	if len(z.fields) >= maxFields {
		return Entry{}, ReasonTooLong
	}
	text := strings.Join(rdata, " ")
	origin := z.origin.text + "."
	if !z.origin.absolute {
		origin = "a."
	}
	data, why := recordData(kind, text, origin)
	if why == "" && !z.origin.absolute {
		if other, _ := recordData(kind, text, "b."); other != data {
			return Entry{}, ReasonRewrite
		}
	}
	return Entry{Reply: set.ReplyData, Data: data}, why
}

// rpzPrefix reads 24.0.2.0.192 as 192.0.2.0/24 and 48.zz.1.db8.2001 as 2001:db8:1::/48 (as in the draft and in unbound.conf(5), RPZ).
func rpzPrefix(text string) (netip.Prefix, Reason) {
	labels := strings.Split(text, ".")
	bits, err := strconv.ParseUint(labels[0], 10, 8)
	if err != nil {
		return netip.Prefix{}, ReasonAddress
	}
	labels = labels[1:]
	slices.Reverse(labels)
	host := strings.Join(labels, ".")
	if gap := slices.Index(labels, "zz"); gap >= 0 {
		host = strings.Join(labels[:gap], ":") + "::" + strings.Join(labels[gap+1:], ":")
	} else if len(labels) != 4 {
		host = strings.Join(labels, ":")
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, ReasonAddress
	}
	p := netip.PrefixFrom(addr, int(bits))
	if !p.IsValid() || p.Masked() != p {
		return netip.Prefix{}, ReasonAddress
	}
	return narrow(p)
}
