package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// maxReason bounds the text of a rule on the block page, in octets.
const maxReason = 500

func (f *File) checkRules(known Known, groups, lists, categories []string) {
	names := make([]string, 0, len(f.Rules))
	for i := range f.Rules {
		r, path := &f.Rules[i], fmt.Sprintf("rules[%d]", i)
		f.checkName(path+".name", r.Name, names)
		names = append(names, r.Name)
		f.checkRefs(path+".groups", "group", r.Groups, groups)
		f.checkRefs(path+".lists", "list", r.Lists, lists)
		f.checkRefs(path+".categories", "category", r.Categories, categories)
		for j, name := range r.Detectors {
			f.checkDetector(known, fmt.Sprintf("%s.detectors[%d]", path, j), name)
		}
		f.checkRuleAction(path, r)
		f.checkRuleScope(path, r)
		f.checkConditions(path, r)
	}
}

// checkRuleAction checks what goes with which action.
func (f *File) checkRuleAction(path string, r *Rule) {
	only := func(key string, given bool, action RuleAction) {
		if given && r.Action != action && !f.src.isBad(path+".action") {
			f.src.report(path+"."+key, "%s goes only with the action %s, not with %s", key, action, r.Action)
		}
	}
	only("until", !r.Until.IsZero(), RuleAllow)
	only("inspect", r.Inspect == Off, RuleAllow)
	only("answer", r.Answer != "", RuleBlock)
	only("observe", r.Observe, RuleBlock)
	if len(r.Reason) > maxReason {
		f.src.report(path+".reason", "longer than %d octets", maxReason)
	}
	if r.Action != RuleSplice {
		return
	}
	for _, key := range []string{"urls", "methods", "content_types", "detectors", "min_severity", "qtypes"} {
		if hasCondition(r, key) {
			f.src.report(path+"."+key, "%s cannot be known without decrypting: splice is decided by names, lists, addresses and clients", key)
		}
	}
	if i := slices.Index(r.Protocols, DNS); i >= 0 {
		f.src.report(fmt.Sprintf("%s.protocols[%d]", path, i), "dns is not decrypted: splice has no meaning there")
	}
}

// checkRuleScope finds rules whose conditions exclude each other.
func (f *File) checkRuleScope(path string, r *Rule) {
	dns := len(r.Protocols) == 0 || slices.Contains(r.Protocols, DNS)
	web := len(r.Protocols) == 0 || slices.ContainsFunc(r.Protocols, func(p Protocol) bool { return p != DNS })
	if len(r.QTypes) > 0 && !dns {
		f.src.report(path+".qtypes", "the rule can never match: qtypes are of dns, and protocols leave it out")
	}
	for _, key := range []string{"urls", "methods", "content_types"} {
		if !hasCondition(r, key) {
			continue
		}
		if !web {
			f.src.report(path+"."+key, "the rule can never match: dns has no %s", key)
		}
		if len(r.QTypes) > 0 {
			f.src.report(path+"."+key, "the rule can never match: only dns has qtypes, and it has no %s", key)
		}
	}
}

// conditions are the keys of a rule that narrow it.
func conditions() []string {
	return []string{
		"groups", "protocols", "names", "lists", "categories", "classes", "urls", "methods", "content_types", "addresses", "qtypes",
		"detectors", "min_severity",
	}
}

func hasCondition(r *Rule, key string) bool {
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i).Len() > 0
		}
	}
	return false
}

// checkConditions reports conditions without content, and rules without conditions: they would match everything.
func (f *File) checkConditions(path string, r *Rule) {
	has := false
	for _, key := range conditions() {
		at, full := path+"."+key, hasCondition(r, key)
		if f.src.given(at) && !full {
			f.src.report(at, "an empty condition would match everything: remove the key, or name something")
		}
		has = has || full || f.src.given(at)
	}
	if !has {
		f.src.report(path, "no condition: it would match everything, which is what default is for; conditions are %s", strings.Join(conditions(), ", "))
	}
}
