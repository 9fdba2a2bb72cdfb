package set

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/internal/hostname"
)

// String returns the canonical text of the entry, in the syntax of a format that can say it:
//
//	adblock  ||x^ (x and below), |x^ (x alone), ||*.x^ (only below), an address or prefix bare, a fingerprint bare, http://host/path;
//	         "@@" before exceptions; $important, $badfilter, $dnstype=A|~AAAA and, for x and below, $dnsrewrite=NXDOMAIN;;
//	rpz      x CNAME . (and *.x, 32.1.2.0.192.rpz-ip, .rpz-client-ip, .rpz-nsdname, .rpz-nsip), for what has a Reply or a Trigger
//	unbound  local-zone: "x" always_deny, for x and below where adblock has no word
//
// Parsed as that format it gives the entry again. What no format can say (an important rule of an RPZ trigger, say) is the
// nearest record with a comment.
func (e Entry) String() string {
	switch {
	case e.Trigger == Target && (e.Reply == ReplyDrop || e.Reply == ReplyTCPOnly) && !e.Name.IsZero() && e.Scope == Suffix:
		return "local-zone: \"" + e.Name.String() + "\" " + zoneType(e.Reply) + e.comment("#")
	case e.Trigger != Target, e.Reply == ReplyDrop, e.Reply == ReplyTCPOnly, e.Reply != ReplyPolicy && e.plainRecord():
		return e.record()
	}
	return e.adblock()
}

// plainRecord says whether a record of a response policy zone says all of e.
func (e Entry) plainRecord() bool {
	return !e.Important && !e.Cancel && e.Types == "" && (e.Prefix.IsValid() || e.Scope != Suffix)
}

func zoneType(r Reply) string {
	if r == ReplyTCPOnly {
		return "truncate"
	}
	return "always_deny"
}

// adblock writes e as an adblock rule.
func (e Entry) adblock() string {
	text := ""
	if e.Exception {
		text = "@@"
	}
	switch {
	case e.Prefix.IsValid() && e.Prefix.IsSingleIP():
		text += e.Prefix.Addr().String()
	case e.Prefix.IsValid():
		text += e.Prefix.String()
	case e.URL != "":
		text += schemeOf(e.URL) + e.urlText()
	case e.Fingerprint != "":
		text += e.Fingerprint
	case e.Scope == Exact:
		text += "|" + e.Name.String() + "^"
	case e.Scope == Below:
		text += "||*." + e.Name.String() + "^"
	default:
		text += "||" + e.Name.String() + "^"
	}
	if words := e.modifiers(); len(words) > 0 {
		text += "$" + strings.Join(words, ",")
	}
	return text
}

// urlText is the URL, in a rule with the marks of adblock rules escaped: that is another spelling of it. A plain one may stand in
// a list of URLs, too.
func (e Entry) urlText() string {
	if !e.Exception && !e.Important && !e.Cancel {
		return e.URL
	}
	return strings.NewReplacer("$", "%24", "*", "%2A", "^", "%5E", "|", "%7C").Replace(e.URL)
}

// schemeOf is the scheme with which a URL key is spelled out: http, unless its port would then be left out.
func schemeOf(url string) string {
	host, _, _ := strings.Cut(url, "/")
	if strings.HasSuffix(host, ":80") {
		return "https://"
	}
	return "http://"
}

// modifiers lists what stands behind "$".
func (e Entry) modifiers() []string {
	var out []string
	if e.Important {
		out = append(out, "important")
	}
	if e.Types != "" {
		out = append(out, "dnstype="+e.Types.String())
	}
	if e.Reply != ReplyPolicy {
		out = append(out, "dnsrewrite="+e.rewrite())
	}
	if e.Cancel {
		out = append(out, "badfilter")
	}
	return out
}

// rewrite is the value of AdGuard's $dnsrewrite: response code, type and value, where commas are escaped.
func (e Entry) rewrite() string {
	switch e.Reply {
	case ReplyNXDOMAIN:
		return "NXDOMAIN;;"
	case ReplyNoData:
		return "NOERROR;;"
	}
	kind, data, _ := strings.Cut(e.Data, " ")
	return "NOERROR;" + kind + ";" + strings.ReplaceAll(data, ",", `\,`)
}

// record writes e as a record of a response policy zone.
func (e Entry) record() string {
	owner := ""
	switch {
	case e.Prefix.IsValid():
		owner = reversed(e.Prefix) + [...]string{".rpz-ip", ".rpz-client-ip", ".rpz-nsip"}[e.Trigger%3]
	case e.Scope == Below:
		owner = "*." + e.Name.String()
	default:
		owner = e.Name.String()
	}
	if e.Trigger == Server && !e.Prefix.IsValid() {
		owner += ".rpz-nsdname"
	}
	return owner + " " + e.action() + e.comment(";")
}

// action is the right side of a record (draft-vixie-dnsop-dns-rpz-00).
func (e Entry) action() string {
	switch {
	case e.Exception:
		return "CNAME rpz-passthru."
	case e.Reply == ReplyNoData:
		return "CNAME *."
	case e.Reply == ReplyDrop:
		return "CNAME rpz-drop."
	case e.Reply == ReplyTCPOnly:
		return "CNAME rpz-tcp-only."
	case e.Reply == ReplyData:
		return e.Data
	}
	return "CNAME ."
}

// comment names what neither a record nor a zone can say.
func (e Entry) comment(begin string) string {
	var out []string
	if e.Trigger == Server && !e.Prefix.IsValid() && e.Scope == Suffix {
		out = append(out, "and below")
	}
	if e.Reply == ReplyPolicy && !e.Exception {
		out = append(out, "as policy says")
	}
	if e.Important {
		out = append(out, "important")
	}
	if e.Types != "" {
		out = append(out, "dnstype="+e.Types.String())
	}
	if e.Cancel {
		out = append(out, "badfilter")
	}
	if len(out) == 0 {
		return ""
	}
	return " " + begin + " " + strings.Join(out, ", ")
}

// reversed writes a prefix as the draft does: the length, then the parts of the address from right to left, where
// "zz" stands for the longest run of zeros in an IPv6 address.
func reversed(p netip.Prefix) string {
	text := fmt.Sprint(p.Bits())
	if p.Addr().Is4() {
		b := p.Addr().As4()
		for i := len(b) - 1; i >= 0; i-- {
			text += fmt.Sprintf(".%d", b[i])
		}
		return text
	}
	left, right, short := strings.Cut(p.Addr().String(), "::")
	parts := groups(left)
	if short {
		parts = append(append(parts, "zz"), groups(right)...)
	}
	for i := len(parts) - 1; i >= 0; i-- {
		text += "." + parts[i]
	}
	return text
}

func groups(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ":")
}

// nameOf makes a Name of stored octets again; the zero Name when they are none.
func nameOf(key []byte) hostname.Name {
	name, err := hostname.FromDNS(string(key))
	if err != nil { // cannot be, unless the file lies: it was a Name when it was added
		return hostname.Name{}
	}
	return name
}
