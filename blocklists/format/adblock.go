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

// pattern reads the part before '$'.
func (p *parser) pattern(rule, line string, e Entry) {
	rule = strings.TrimSpace(rule)
	anchored := false // the host starts here
	switch {
	case strings.HasPrefix(rule, "||*."):
		rule, e.Scope, anchored = rule[4:], set.Below, true
	case strings.HasPrefix(rule, "||"):
		rule, anchored = rule[2:], true
	case strings.HasPrefix(rule, "://*."):
		rule, e.Scope, anchored = rule[5:], set.Below, true
	case strings.HasPrefix(rule, "://"):
		rule, e.Scope, anchored = rule[3:], set.Exact, true
	case strings.HasPrefix(rule, "|"):
		rule, e.Scope, anchored = rule[1:], set.Exact, true
	case strings.HasPrefix(rule, ".") && strings.HasSuffix(rule, "^"):
		rule, e.Scope, anchored = rule[1:], set.Below, true
	}
	if !anchored {
		p.bare(rule, line, e)
		return
	}
	host := strings.TrimSuffix(strings.TrimSuffix(rule, "|"), "^")
	if why := checkHost(host, e.Scope != set.Suffix && len(host) == len(rule)); why != "" {
		p.skip(why, line)
		return
	}
	p.putTarget(host, e)
}

// checkHost finds what makes a rule more than a host. open is true when nothing marks the end of a host that is not anchored
// by "||": "|x" would match any name that starts with x.
func checkHost(host string, open bool) Reason {
	switch {
	case strings.ContainsAny(host, "*?"):
		return ReasonPattern
	case strings.ContainsAny(host, "/"), strings.Count(host, ":") == 1:
		return ReasonPath
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
