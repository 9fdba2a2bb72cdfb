package app

import (
	"net/netip"
	"strconv"

	"weir/internal/config"
	"weir/internal/identity"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// policyConfig turns the config file into that of package policy. What it does not know becomes the strictest choice.
func policyConfig(f *config.File, detectors []inspect.Info, version string) (policy.Config, error) {
	clients, err := clients(f)
	if err != nil {
		return policy.Config{}, err
	}
	cfg := policy.Config{
		Version: version, Observe: f.Mode == config.Observe, Clients: clients,
		Internal: internal(f), ConnectPorts: f.Proxy.ConnectPorts, PlainPorts: f.Proxy.HTTPPorts,
		Reputation: map[verdict.Class]verdict.Action{
			verdict.ClassBad:       action(f.Reputation.Bad),
			verdict.ClassUntrusted: action(f.Reputation.Untrusted),
			verdict.ClassUnknown:   action(f.Reputation.Unknown),
			verdict.ClassShared:    action(f.Reputation.Shared),
			verdict.ClassKnown:     action(f.Reputation.Known),
		},
		Default:   action(f.Default),
		Answer:    blockAnswer(f.Resolver.BlockAnswer),
		AnswerTTL: f.Resolver.BlockTTL.Std(),
		Limits:    limits(f),
		Failures: policy.Failures{
			Limit: failure(f.Inspection.OnLimit), Expansion: failure(f.Inspection.OnExpansion), Error: failure(f.Inspection.OnError),
			Timeout: failure(f.Inspection.OnTimeout), Panic: failure(f.Inspection.OnPanic),
		},
		Detectors: detectors, Modes: map[string]verdict.Action{}, Off: map[string]bool{},
	}
	if f.Interception.Default == config.SpliceTLS {
		cfg.Interception = policy.Splice
	}
	for name, mode := range f.Detectors {
		switch mode {
		case config.DetectorOff:
			cfg.Off[name] = true
		case config.DetectorLog:
			cfg.Modes[name] = verdict.Log
		case config.DetectorBlock:
			cfg.Modes[name] = verdict.Block
		}
	}
	for i := range f.Rules {
		cfg.Rules = append(cfg.Rules, rule(f, &f.Rules[i]))
	}
	return cfg, nil
}

func clients(f *config.File) (*identity.Table, error) {
	var groups []identity.Group
	for _, g := range f.Groups {
		groups = append(groups, identity.Group{Name: g.Name, Networks: prefixes(g.Networks)})
	}
	var serve []netip.Prefix
	for _, n := range f.Clients.Serve {
		serve = append(serve, n.Prefixes()...)
	}
	return identity.NewTable(groups, serve)
}

func internal(f *config.File) policy.Internal {
	in := policy.Internal{Networks: prefixes(f.Internal.Networks)}
	for _, z := range f.Internal.Zones {
		in.Zones = append(in.Zones, z.Name)
	}
	return in
}

func limits(f *config.File) inspect.Limits {
	in := &f.Inspection
	return inspect.Limits{
		Hold: int(in.Hold), HoldWait: in.HoldWait.Std(), MaxBody: int64(in.MaxBody), MaxDepth: in.MaxDepth, MaxRatio: in.MaxRatio,
		MaxTime: in.MaxTime.Std(), MaxMessage: int64(in.MaxMessage),
	}
}

func action(a config.Action) verdict.Action {
	switch a {
	case config.Allow:
		return verdict.Allow
	case config.LogOnly:
		return verdict.Log
	case config.Block:
		return verdict.Block
	}
	return verdict.Block
}

func failure(a config.FailAction) verdict.Action {
	if a == config.FailLog {
		return verdict.Log
	}
	return verdict.Block
}

func blockAnswer(a config.BlockAnswer) verdict.Answer {
	v4, v6 := a.Addrs()
	return answer(string(a), v4, v6)
}

func answer(word string, v4, v6 netip.Addr) verdict.Answer {
	switch word {
	case config.AnswerNullIP:
		return verdict.Answer{Kind: verdict.AnswerNull}
	case config.AnswerRefused:
		return verdict.Answer{Kind: verdict.AnswerRefused}
	case config.AnswerDrop:
		return verdict.Answer{Kind: verdict.AnswerDrop}
	case config.AnswerNoData:
		return verdict.Answer{Kind: verdict.AnswerNoData}
	case config.AnswerNXDOMAIN:
		return verdict.Answer{Kind: verdict.AnswerNXDOMAIN}
	}
	if v4.IsValid() || v6.IsValid() {
		return verdict.Answer{Kind: verdict.AnswerAddress, V4: v4, V6: v6}
	}
	return verdict.Answer{}
}

// rule translates one rule.
func rule(f *config.File, r *config.Rule) policy.Rule {
	out := policy.Rule{
		Name: r.Name, Where: f.Name() + ":" + strconv.Itoa(r.Line), Text: r.Reason, Groups: r.Groups, Lists: r.Lists,
		Categories: r.Categories, URLs: texts(r.URLs), Methods: texts(r.Methods), ContentTypes: texts(r.ContentTypes),
		Addresses: prefixes(r.Addresses), Detectors: r.Detectors, Until: r.Until.Time, Observe: r.Observe, InspectOff: r.Inspect == config.Off,
	}
	for _, p := range r.Protocols {
		out.Protocols = append(out.Protocols, protocols(p)...)
	}
	for _, n := range r.Names {
		out.Names = append(out.Names, patternPrefix(n.Kind)+n.Name.String())
	}
	for _, c := range r.Classes {
		if class, ok := verdict.ParseClass(string(c)); ok {
			out.Classes = append(out.Classes, class)
		}
	}
	for _, q := range r.QTypes {
		out.QTypes = append(out.QTypes, uint16(q))
	}
	out.MinSeverity, out.BySeverity = severity(r.MinSeverity)
	switch r.Action {
	case config.RuleAllow:
		out.Action = policy.RuleAllow
	case config.RuleLog:
		out.Action = policy.RuleLog
	case config.RuleSplice:
		out.Action = policy.RuleSplice
	case config.RuleBlock:
		out.Action = policy.RuleBlock
	}
	if r.Answer != "" {
		v4, v6 := r.Answer.Addrs()
		a := answer(string(r.Answer), v4, v6)
		out.Answer = &a
	}
	return out
}

// protocols: tunnels carry http, so a rule about http speaks about them too.
func protocols(p config.Protocol) []inspect.Protocol {
	switch p {
	case config.WebSocket:
		return []inspect.Protocol{inspect.WebSocket}
	case config.DNS:
		return []inspect.Protocol{inspect.DNS}
	case config.HTTP:
		return []inspect.Protocol{inspect.HTTP, inspect.Tunnel}
	}
	return []inspect.Protocol{inspect.HTTP, inspect.Tunnel}
}

func patternPrefix(k config.PatternKind) string {
	switch k {
	case config.Suffix:
		return "."
	case config.Below:
		return "*."
	case config.Exact:
		return ""
	}
	return ""
}

func severity(s config.Severity) (inspect.Severity, bool) {
	for v := inspect.Low; v <= inspect.Critical; v++ {
		if v.String() == string(s) {
			return v, true
		}
	}
	return inspect.Low, false
}

func prefixes(in []config.Prefix) (out []netip.Prefix) {
	for _, p := range in {
		out = append(out, p.Prefix)
	}
	return out
}

func texts[T ~string](in []T) (out []string) {
	for _, t := range in {
		out = append(out, string(t))
	}
	return out
}
