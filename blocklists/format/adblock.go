package format

import (
	"strings"

	"weir/blocklists/set"
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
	rule, modifiers, _ := strings.Cut(rule, "$")
	e, ok := applyModifiers(modifiers)
	if !ok {
		p.skip(ReasonModifier, line)
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

// applyModifiers knows the modifiers that we apply in full. "all" says that the rule is about every kind of request, which is
// what blocking a name means.
func applyModifiers(text string) (e Entry, ok bool) {
	if text == "" {
		return e, true
	}
	for m := range strings.SplitSeq(text, ",") {
		switch strings.TrimSpace(m) {
		case "important":
			e.Important = true
		case "badfilter":
			e.Cancel = true
		case "all":
		default:
			return Entry{}, false
		}
	}
	return e, true
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
	rule, scope, anchored := anchor(strings.TrimSpace(rule))
	if !anchored {
		p.bare(rule, line, e)
		return
	}
	e.Scope = scope
	host := strings.TrimSuffix(rule, "/") // every URL has a path: "x/" is all of x
	if host == rule {
		host = strings.TrimSuffix(strings.TrimSuffix(rule, "|"), "^")
	}
	if why := checkHost(host, scope != set.Suffix && len(host) == len(rule)); why != "" {
		p.skip(why, line)
		return
	}
	p.putTarget(host, e)
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
		p.putTarget(rule, e)
	}
}
