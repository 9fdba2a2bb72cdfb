package format

import (
	"cmp"
	"strings"

	"weir/blocklists/set"
	"weir/internal/hostname"
)

// cosmeticMarks start the part of a cosmetic, scriptlet or HTML rule that follows its domains.
var cosmeticMarks = [...]string{"##", "#@#", "#?#", "#@?#", "#$#", "#@$#", "#%#", "#@%#", "$$", "$@$", "#+js("}

func isCosmetic(line string) bool {
	hash := strings.IndexAny(line, "#$")
	if hash < 0 || strings.Trim(line, "#") == "" {
		return false
	}
	for _, m := range cosmeticMarks {
		at := strings.Index(line, m)
		if at < 0 || at+len(m) == len(line) || line[at+len(m)] == ' ' {
			continue
		}
		if at == 0 || line[at-1] != ' ' && line[at-1] != '\t' { // " ##" is an inline comment
			return true
		}
	}
	return false
}

// adblockLine reads one adblock rule.
func (p *parser) adblockLine(line string) {
	switch {
	case line[0] == '!', line[0] == '[' && line[len(line)-1] == ']' && !strings.Contains(line, ":"):
		return
	case isCosmetic(line):
		p.skip(ReasonCosmetic, line)
		return
	case line[0] == '#':
		return
	}
	rule, exception := strings.CutPrefix(line, "@@")
	if isRegex(rule) {
		p.skip(ReasonRegex, line)
		return
	}
	rule, modifiers := cutModifiers(rule)
	e, why := readModifiers(modifiers)
	if exception && e.Reply != set.ReplyPolicy {
		why = ReasonModifier // it switches rewrites off, which no entry says
	}
	if why != "" {
		p.skip(why, line)
		return
	}
	e.Exception = exception
	p.pattern(rule, line, e)
}

// isRegex says whether a rule is /.../ or /.../$modifiers.
func isRegex(rule string) bool {
	if len(rule) < 2 || rule[0] != '/' {
		return false
	}
	end := strings.LastIndexByte(rule, '/')
	return end > 0 && (end == len(rule)-1 || rule[end+1] == '$')
}

// anchors are the beginnings of a rule that say where a host starts, longest first, and what they make of it.
var anchors = [...]struct {
	text  string
	scope set.Scope
}{
	{"||*.", set.Below},
	{"||", set.Suffix},
	{"://*.", set.Below},
	{"://", set.Exact},
	{"//", set.Exact},
	{"|", set.Exact},
}

// anchor cuts the anchor off; ok is false when there is none. ".x^" ends as an anchored rule and is one.
func anchor(rule string) (host string, scope set.Scope, ok bool) {
	for _, a := range anchors {
		if host, ok = strings.CutPrefix(rule, a.text); ok {
			return host, a.scope, true
		}
	}
	if host, ok = strings.CutPrefix(rule, "."); ok && strings.HasSuffix(rule, "^") {
		return host, set.Below, true
	}
	return rule, set.Suffix, false
}

// pattern reads the part before '$'.
func (p *parser) pattern(rule, line string, e Entry) {
	rule = strings.TrimSpace(rule)
	if scheme, host, path, ok := cutURLRule(rule); ok {
		p.urlRule(scheme, host, path, line, e)
		return
	}
	rule, scope, anchored := anchor(rule)
	if !anchored {
		p.bare(rule, line, e)
		return
	}
	e.Scope = scope
	host := strings.TrimSuffix(rule, "/") // every URL has a path: "x/" is all of x
	if host == rule {
		host = strings.TrimSuffix(strings.TrimSuffix(rule, "|"), "^")
	}
	if a, ok := hostPort(host); ok && len(host) < len(rule) {
		p.portRule(a, line, e)
		return
	}
	if why := checkHost(host, scope != set.Suffix && len(host) == len(rule)); why != "" {
		p.skip(why, line)
		return
	}
	p.putTarget(host, e)
}

// portRule emits a rule about what a host serves at one port, with an end mark behind it: for that host itself, as in [parser.urlRule].
func (p *parser) portRule(a hostname.Authority, line string, e Entry) {
	if e.Reply != set.ReplyPolicy || e.Types != "" || e.Scope == set.Below {
		p.skip(ReasonModifier, line)
		return
	}
	p.putPort(a, line, e)
}

// checkHost finds what makes a rule more than a host. open is true when nothing marks the end of a host that is not
// anchored by "||": "|x" would match any name that starts with x.
func checkHost(host string, open bool) Reason {
	switch {
	case strings.ContainsAny(host, "/?&="), strings.Count(host, ":") == 1:
		return ReasonPath
	case strings.Contains(host, "*"):
		return ReasonPattern
	case open, strings.ContainsAny(host, "^|"), strings.HasSuffix(host, "."), strings.HasPrefix(host, "."):
		return ReasonPattern
	}
	return ""
}

// urlAnchors are the beginnings of rules about URLs.
var urlAnchors = [...]string{"||", "|http://", "|https://", "http://", "https://", "://", "//"}

// cutURLRule takes a rule that is a host and a path apart; ok is false for other rules. scheme is "" when the rule does not say it.
func cutURLRule(rule string) (scheme, host, path string, ok bool) {
	for _, a := range urlAnchors {
		rest, found := strings.CutPrefix(rule, a)
		if !found {
			continue
		}
		if host, path = cutHost(rest); path == "/" && (a == "||" || !strings.Contains(host, ":")) {
			return "", "", "", false // all of the host
		}
		scheme, _, _ = strings.Cut(strings.TrimLeft(a, "|/:"), ":")
		return scheme, host, path, path != "" && path[0] != '\\' && path[0] != '#'
	}
	return "", "", "", false
}

// urlRule emits a rule about a URL when an entry says the same but for the narrower edges that docs/lists.md names: the host
// itself, and the path up to a '/', a '?' or its end.
func (p *parser) urlRule(scheme, host, path, line string, e Entry) {
	end := len(path)
	path = strings.TrimSuffix(strings.TrimSuffix(path, "*"), "^")
	switch {
	case e.Reply != set.ReplyPolicy || e.Types != "":
		p.skip(ReasonModifier, line)
	case strings.ContainsAny(path, "*^|") || strings.Contains(host, "*"):
		p.skip(ReasonPattern, line)
	case end != len(path) && strings.HasSuffix(path, "/"), scheme == "" && unclear(host, path):
		p.skip(ReasonPath, line)
	default:
		p.putWeb(cmp.Or(scheme, "http"), host, path, line, e)
	}
}

// unclear says whether, without a scheme, a rule may be a prefix of addresses, or names a port that one scheme leaves out.
func unclear(host, path string) bool {
	return isAddress(host+path) || strings.HasSuffix(host, ":80") || strings.HasSuffix(host, ":443")
}

// bare reads a rule without anchors: a domain, an address, a prefix or a hosts line, as AdGuard takes them too.
func (p *parser) bare(rule, line string, e Entry) {
	rule, _ = cutComment(rule)
	switch {
	case rule == "":
		if e != (Entry{}) {
			p.skip(ReasonPattern, line) // "@@" or "$important" alone
		}
	case strings.ContainsAny(rule, " \t") && e == (Entry{}):
		p.hostsLine(rule)
	case strings.ContainsAny(rule, "^|"):
		p.skip(ReasonPattern, line)
	case strings.HasPrefix(rule, "*."), strings.HasPrefix(rule, "."):
		p.putWord(rule, e)
	default:
		p.bareWord(rule, line, e)
	}
}

// bareWord reads a fingerprint, a name, an address or a prefix.
func (p *parser) bareWord(rule, line string, e Entry) {
	fp, ok := fingerprint(rule)
	switch {
	case !ok:
		p.putTarget(rule, e)
	case e.Reply != set.ReplyPolicy || e.Types != "":
		p.skip(ReasonModifier, line)
	default:
		e.Fingerprint = fp
		p.put(e)
	}
}
