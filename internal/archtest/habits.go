package archtest

// HouseHabits are the source rules of this module.
func HouseHabits() Habits {
	const (
		signer = "goproxy's stock CONNECT actions sign with a published key or skip our admission: answer Reject or Hijack only (docs/decisions/0003-own-tls-and-ca.md)"
		casing = "goproxy must canonicalise headers: keeping the client's spelling lets a header through under a name that no rule sees"
		clock  = "the gate and all below read no clock but the phase's Now, so that a replayed capture runs in its own time"
		env    = "proxies are configured, never taken from the environment or from shared defaults"
		order  = "the order of decisions is held once, by internal/gate, which alone asks the policy; everybody else calls a phase of the gate"
		lists  = "lists are asked by policy alone: a look-up past it is an opinion without rules, exceptions and observe mode"
		logger = "no global logger: slog is passed in"
	)
	return Habits{
		Selectors: []Selector{
			{Package: "time", Names: []string{"Now", "Since", "Until", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc", "Sleep"}, Why: clock, In: []string{
				"internal/hostname", "internal/verdict", "internal/redact", "internal/address", "internal/wire/...", "internal/decode/...",
				"internal/inspect", "internal/policy", "internal/detect/...", "internal/behavior", "internal/gate", "blocklists", "blocklists/set", "blocklists/format",
			}},
			{Package: "net/http", Names: []string{"DefaultClient", "DefaultTransport", "DefaultServeMux", "ProxyFromEnvironment", "ListenAndServe", "HandleFunc"}, Why: env},
			{Package: "log/slog", Names: []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error"}, Why: logger},
			{Package: "os", Names: []string{"Exit"}, ExceptMain: true, In: []string{"internal/...", "proxy/...", "resolver/...", "blocklists/..."}, Why: "only main ends the process; everybody else returns an error"},
		},
		Methods: []Method{
			{Names: []string{"Admit", "AdmitType", "AdmitAddress", "Finding", "Failure"}, In: callers(), Why: order},
			{Names: []string{"Interception", "Port"}, Via: "Policy", In: callers(), Why: order},
			{Names: []string{"Lookup", "LookupAddr", "LookupURL", "LookupFingerprint", "LookupClient", "LookupServer", "LookupServerAddr"}, In: append(callers(), "internal/gate"), Why: lists},
		},
		Idents: map[string]string{
			"MitmConnect":     signer,
			"HTTPMitmConnect": signer,
			"AlwaysMitm":      signer,
			"OkConnect":       signer,
			"GoproxyCa":       signer,
			"ConnectAccept":   signer,
			"ConnectMitm":     signer,
			"ConnectHTTPMitm": signer,
			"ConnectProxyAuthHijack": "authentication happens before goproxy, for its Reject always closes " +
				"(docs/decisions/0002-goproxy-as-dispatcher.md)",
			"TLSConfigFromCA":         signer,
			"PreventCanonicalization": casing,
			"KeepHeader":              casing,
		},
		PackageNames: []string{"util", "utils", "common", "helpers", "helper", "misc", "shared"},
		Allow: []Exception{
			{Path: "internal/app/search.go", What: "calls Lookup", Why: "`lists search` shows what every list says about a name; it decides nothing"},
			{Path: "internal/app/run.go", What: "uses slog.SetDefault", Why: "net/http writes to the global log, which must pass the redactor; nobody of ours reads it"},
		},
	}
}

// callers are the packages that use the gate, or lie beside the policy, and so must never judge by themselves.
func callers() []string {
	return []string{
		"proxy/...", "resolver/...", "internal/replay", "internal/admin", "internal/app", "cmd/weir", "internal/detect/...", "internal/behavior",
		"internal/inspect", "internal/event",
	}
}
