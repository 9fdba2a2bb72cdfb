package format

import (
	"strings"

	"github.com/miekg/dns"

	"weir/blocklists/set"
)

// cutModifiers cuts a rule before its modifiers. A path may hold a '$'; a host does not, but the value of $dnsrewrite may.
func cutModifiers(rule string) (pattern, modifiers string) {
	at := strings.IndexByte(rule, '$')
	if at < 0 {
		return rule, ""
	}
	head := rule[:at]
	if scheme := strings.Index(head, "://"); scheme >= 0 {
		head = head[scheme+len("://"):]
	}
	if strings.Contains(strings.TrimLeft(head, "|/"), "/") {
		at = strings.LastIndexByte(rule, '$')
	}
	return rule[:at], rule[at+1:]
}

// readModifiers knows the modifiers that entries express in full (AdGuard DNS filtering syntax). "all" says that the rule is about
// every kind of request, which is what blocking a name means.
func readModifiers(text string) (e Entry, why Reason) {
	if text == "" {
		return e, ""
	}
	for _, m := range splitModifiers(text) {
		name, value, valued := strings.Cut(strings.TrimSpace(m), "=")
		ok := !valued
		switch name {
		case "important":
			e.Important = true
		case "badfilter":
			e.Cancel = true
		case "all", "match-case":
		case "dnstype":
			ok = e.Types == "" && readTypes(value, &e)
		case "dnsrewrite":
			ok = e.Reply == set.ReplyPolicy && valued && readRewrite(value, &e)
		default: // client, ctag, denyallow and what browsers know
			ok = false
		}
		if !ok {
			return Entry{}, ReasonModifier
		}
	}
	return e, ""
}

// splitModifiers splits at commas; a backslash before one makes it a part of a value.
func splitModifiers(text string) []string {
	var out []string
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == ',':
		case c == ',' && (i == 0 || text[i-1] != '\\'):
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(out, b.String())
}

// readTypes reads "A|AAAA" or "~A|~AAAA". A mixture says its types twice: it is not read.
func readTypes(value string, e *Entry) bool {
	var types []uint16
	except := strings.HasPrefix(value, "~")
	for word := range strings.SplitSeq(value, "|") {
		word, not := strings.CutPrefix(strings.TrimSpace(word), "~")
		qtype, known := typeNumber(word)
		if !known || not != except || len(types) >= set.MaxTypes {
			return false
		}
		types = append(types, qtype)
	}
	e.Types = set.NewTypes(except, types...)
	return true
}

// typeNumber reads "AAAA" or "TYPE65280" (RFC 3597 section 5).
func typeNumber(word string) (uint16, bool) {
	word = strings.ToUpper(word)
	if n, ok := dns.StringToType[word]; ok {
		return n, n != dns.TypeNone && n != dns.TypeReserved
	}
	n, ok := cutNumber(word, "TYPE")
	return n, ok
}

// readRewrite reads the value of $dnsrewrite: a response code, an address or a name, or "CODE;TYPE;VALUE".
func readRewrite(value string, e *Entry) bool {
	parts := strings.SplitN(value, ";", 3)
	switch len(parts) {
	case 1:
		return shortRewrite(value, e)
	case 3:
		return fullRewrite(strings.ToUpper(parts[0]), strings.ToUpper(parts[1]), parts[2], e)
	}
	return false
}

// shortRewrite reads "NXDOMAIN", "192.0.2.1" or "x.example".
func shortRewrite(value string, e *Entry) bool {
	if value == strings.ToUpper(value) && isType(value) {
		return fullRewrite(value, "", "", e)
	}
	name, prefix, why := target(value)
	switch {
	case why != "", prefix.IsValid() && !prefix.IsSingleIP():
		return false
	case prefix.IsValid():
		kind, _, _ := strings.Cut(dataEntry(prefix.Addr()).Data, " ")
		return fullRewrite("NOERROR", kind, prefix.Addr().String(), e)
	}
	return fullRewrite("NOERROR", "CNAME", name.String(), e)
}

// fullRewrite applies a response code, and for NOERROR a record.
func fullRewrite(code, kind, value string, e *Entry) bool {
	bare := kind == "" && value == ""
	switch {
	case code == "NXDOMAIN":
		e.Reply = set.ReplyNXDOMAIN
		return bare
	case code == "REFUSED":
		return bare // blocked; which answer says so is left to the policy
	case code == "NOERROR" && bare:
		e.Reply = set.ReplyNoData
		return true
	}
	return code == "NOERROR" && rewriteTo(kind, value, e)
}

// rewriteTo makes a record the answer. An address that leads nowhere blocks, grant or not.
func rewriteTo(kind, value string, e *Entry) bool {
	if sunk, why := sunkAddress(kind, value); sunk || why != "" {
		return why == ""
	}
	if kind == "TXT" && !strings.HasPrefix(value, `"`) {
		value = quoteText(value)
	}
	record, why := recordData(kind, value, ".")
	e.Reply, e.Data = set.ReplyData, record
	return why == ""
}

// quoteText makes one character string of a text (RFC 1035 section 5.1).
func quoteText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
