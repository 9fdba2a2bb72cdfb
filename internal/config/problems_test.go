package config_test

import (
	"strings"
	"testing"

	"weir/internal/config"
)

// known is what the tests take for the rest of the program.
func known() config.Known {
	return config.Known{
		Detectors:  []string{"eicar", "mismatch"},
		Lists:      []string{"weir-bad"},
		Categories: []string{"dynamic-dns"},
	}
}

// rule wraps the keys of a rule that is otherwise right.
func rule(keys string) string {
	return "rules:\n  - name: r\n    names: [example.com]\n    action: block\n    " + keys + "\n"
}

// TestProblems gives every kind of mistake with the exact report.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, yaml, want string }{
		// YAML itself
		{"syntax, inline", "mode: a: b\n", `1:8: not YAML: mapping values are not allowed in this context`},
		{"syntax, list not closed", "\n\nlists: [1,\nmode: 2\n", `4:1: not YAML: did not find expected ',' or ']'`},
		{"syntax, indentation", "proxy:\n  listen: []\n limits: {}\n", `3:2: not YAML: did not find expected key`},
		{"syntax, tab", "proxy:\n\tlisten: []\n", `2:1: not YAML: found character that cannot start any token`},
		{"syntax, quote not closed", "mode: \"x\n", `1:7: not YAML: found unexpected end of stream`},
		{"unknown alias", "mode: enforce\ngroups: *g\n", `2:10: not YAML: unknown anchor 'g' referenced`},
		{"not UTF-8", "mode: \xff\n", `1:7: not UTF-8 text, or a control character`},
		{"control character", "a: ü\x01\n", `1:5: not UTF-8 text, or a control character`},
		{"second document", "mode: enforce\n---\nmode: observe\n", `2:1: a second document: one file is one document`},
		{"not a mapping", "- a\n", `1:1: expected a section of keys, found a list`},
		{"a word", "hello\n", `1:1: expected a section of keys, found "hello"`},
		// keys
		{"unknown key", "mod: enforce\n", `1:1: mod: unknown key "mod" (did you mean "mode"?)`},
		{"unknown key below", "proxy:\n  limits: {max_conections: 1}\n", `2:12: proxy.limits.max_conections: unknown key "max_conections" (did you mean "max_connections"?)`},
		{"unknown key, nothing near", "telemetry: true\n", `1:1: telemetry: unknown key "telemetry"`},
		{"line is not settable", "groups: [{name: a, networks: [10.0.0.0/8], Line: 3}]\n", `1:44: groups[0].Line: unknown key "Line"`},
		{"duplicate key", "mode: enforce\nlog: {level: info}\nmode: observe\n", `3:1: mode: duplicate key "mode", first on line 1`},
		{"merge key", "log: &l {level: info}\nca:\n  <<: *l\n", `3:3: ca.<<: merge keys are not supported`},
		{"key is no word", "[a]: 1\n", `1:1: ?: a key must be a word`},
		{"number as key", "1: 1\n", `1:1: ?: a key must be a word`},
		// types
		{"list for a section", "proxy: [a]\n", `1:8: proxy: expected a section of keys, found a list`},
		{"text for a list", "proxy:\n  listen: 127.0.0.1:1\n", `2:11: proxy.listen: expected a list, found "127.0.0.1:1"`},
		{"list for a scalar", "resolver: {timeout: [3s]}\n", `1:21: resolver.timeout: expected one value, found a list`},
		{"section for a word", "mode: {a: b}\n", `1:7: mode: expected one of enforce, observe, found a section of keys`},
		{"number for text", "data_dir: 12\n", `1:11: data_dir: expected text, found the number 12: put it in quotes`},
		{"truth value for text", "data_dir: true\n", `1:11: data_dir: expected text, found the truth value true: put it in quotes`},
		{"date for text", "data_dir: 2026-01-01\n", `1:11: data_dir: expected text, found the date 2026-01-01: put it in quotes`},
		{"word for truth value", "builtin_lists: yes\n", `1:16: builtin_lists: expected true or false, found "yes"`},
		{"text for number", "ca: {cache: many}\n", `1:13: ca.cache: expected a whole number, found "many"`},
		{"fraction for number", "ca: {cache: 1.5}\n", `1:13: ca.cache: expected a whole number, found the number 1.5`},
		{"hexadecimal number", "ca: {cache: 0x10}\n", `1:13: ca.cache: expected a whole number, found the number 0x10`},
		{"port out of range", "proxy: {connect_ports: [443, 65536]}\n", `1:30: proxy.connect_ports[1]: 65536 is out of range`},
		{"port 0", "proxy: {connect_ports: [0]}\n", `1:25: proxy.connect_ports[0]: 0 is too small: from 1 to 65535`},
		{"no value", "mode:\n", `1:6: mode: no value: give one or remove the key`},
		{"null answer", "resolver: {block_answer: null}\n", `1:26: resolver.block_answer: unknown answer "null" (did you mean "null_ip"?)`},
		{"null query type", rule("qtypes: [NULL]"), `5:14: rules[0].qtypes[0]: empty entry, or put NULL in quotes to mean the word`},
		{"tag", "mode: !secret x\n", `1:7: mode: the tag "!secret" has no meaning here`},
		{"binary tag", "mode: !!binary eA==\n", `1:7: mode: the tag "!!binary" has no meaning here`},
		{"bidi mark", rule(`reason: "a\u202eb"`), `5:13: rules[0].reason: character U+202E is not allowed`},
		{"escaped control", rule(`reason: "a\eb"`), `5:13: rules[0].reason: character U+001B is not allowed`},
		{"empty entry", rule("qtypes:\n    -"), `6:6: rules[0].qtypes[0]: empty entry`},
		{"cyclic alias", "groups: &g [*g]\n", `1:13: groups[0]: expected a section of keys, found a list`},
		// scalars
		{"word", "mode: observed\n", `1:7: mode: unknown mode "observed" (did you mean "observe"?)`},
		{"word, nothing near", "default: perhaps\n", `1:10: default: unknown action "perhaps" (one of allow, log, block)`},
		{"duration without unit", "resolver: {timeout: 3}\n", `1:21: resolver.timeout: "3" has no unit: write 3s, 3m or 3h`},
		{"duration", "resolver: {timeout: soon}\n", `1:21: resolver.timeout: "soon" is not a duration like 90s, 10m, 12h or 14d`},
		{"negative duration", "resolver: {timeout: -3s}\n", `1:21: resolver.timeout: "-3s" is negative or signed`},
		{"duration too long", "ca: {leaf_lifetime: 31d}\n", `1:21: ca.leaf_lifetime: 31d is too large: from 1h to 30d`},
		{"duration zero", "resolver: {timeout: 0s}\n", `1:21: resolver.timeout: 0s is too small: from 100ms to 30s`},
		{"size unit", "inspection: {hold: 64KB}\n", `1:20: inspection.hold: unknown unit in "64KB": write B, KiB, MiB, GiB or TiB`},
		{"size", "inspection: {hold: much}\n", `1:20: inspection.hold: "much" is not a size like 65536, 64KiB or 16MiB`},
		{"size too large", "inspection: {hold: 17MiB}\n", `1:20: inspection.hold: 17MiB is too large: from 1KiB to 16MiB`},
		{"listen without address", "proxy: {listen: [\":3128\"]}\n", `1:18: proxy.listen[0]: ":3128" has no address: write 127.0.0.1:3128, or 0.0.0.0:3128 for all of IPv4, or [::]:3128 for all`},
		{"listen on a name", "proxy: {listen: [\"localhost:1\"]}\n", `1:18: proxy.listen[0]: "localhost:1" is not an address and a port like 127.0.0.1:3128 or [::1]:3128`},
		{"listen on nothing", "proxy: {listen: [\"\"]}\n", `1:18: proxy.listen[0]: empty text`},
		{"upstream with scheme", "resolver: {upstreams: [\"tls://192.0.2.1\"]}\n", `1:24: resolver.upstreams[0]: "tls://192.0.2.1": only plain DNS servers can be upstreams, as 10.0.0.1 or 10.0.0.1:53`},
		{"upstream", "resolver: {upstreams: [dns.example]}\n", `1:24: resolver.upstreams[0]: "dns.example" is not a DNS server's address like 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53`},
		{"network", "internal: {networks: [10.0.0.0/33]}\n", `1:23: internal.networks[0]: "10.0.0.0/33" is not a network like 10.0.0.0/8 or 2001:db8::/32`},
		{"host bits", "internal: {networks: [10.0.0.1/8]}\n", `1:23: internal.networks[0]: "10.0.0.1/8" has host bits set (did you mean "10.0.0.0/8"?)`},
		{"mapped address", "internal: {networks: [\"::ffff:10.0.0.1\"]}\n", `1:23: internal.networks[0]: "::ffff:10.0.0.1" is an IPv4 address written as IPv6: write it as IPv4`},
		{"client word", "clients: {serve: [privat]}\n", `1:19: clients.serve[0]: "privat" is neither a network nor a word (did you mean "private"?)`},
		{"client network", "clients: {serve: [10.0.0/8]}\n", `1:19: clients.serve[0]: "10.0.0/8" is not a network like 10.0.0.0/8 or 2001:db8::/32`},
		{"answer", "resolver: {block_answer: nxdomian}\n", `1:26: resolver.block_answer: unknown answer "nxdomian" (did you mean "nxdomain"?), or an address`},
		{"page in DNS", "resolver: {block_answer: page}\n", `1:26: resolver.block_answer: unknown answer "page" (one of nxdomain, nodata, null_ip, refused, drop), or an address`},
		{"two addresses of a family", "resolver: {block_answer: 192.0.2.1 192.0.2.2}\n", `1:26: resolver.block_answer: more than one address of a family`},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, tc.yaml, tc.want) })
	}
}

// TestProblemsOfPolicy gives every kind of mistake in groups, lists and rules, and between keys.
func TestProblemsOfPolicy(t *testing.T) {
	t.Parallel()
	const list = "lists:\n  - name: l\n    "
	for _, tc := range []struct{ name, yaml, want string }{
		{"empty condition", rule("urls: []"), `5:11: rules[0].urls: an empty condition would match everything: remove the key, or name something`},
		{"name is an address", strings.Replace(rule(""), "example.com", "192.0.2.1", 1), `3:13: rules[0].names[0]: "192.0.2.1" is an address, not a name: addresses and networks have keys of their own`},
		{"name is a network", strings.Replace(rule(""), "example.com", "10.0.0.0/8", 1), `3:13: rules[0].names[0]: "10.0.0.0/8" is a network, not a name: addresses and networks have keys of their own`},
		{"name", strings.Replace(rule(""), "example.com", "exa mple.com", 1), `3:13: rules[0].names[0]: "exa mple.com": octet not allowed in a name: ' ' at 3`},
		{"star inside", strings.Replace(rule(""), "example.com", "a.*.com", 1), `3:13: rules[0].names[0]: "a.*.com": "*" may stand only as the whole first label, as in *.example.com`},
		{"URL without scheme", rule("urls: [example.com/x]"), `5:12: rules[0].urls[0]: "example.com/x" has no scheme: write https://HOST/PATH or *://HOST/PATH`},
		{"URL scheme", rule("urls: [htp://example.com/x]"), `5:12: rules[0].urls[0]: unknown scheme "htp" (did you mean "http"?)`},
		{"URL without path", rule("urls: [http://example.com]"), `5:12: rules[0].urls[0]: "http://example.com" has no path: write http://example.com/ or http://example.com/*`},
		{"URL with user", rule("urls: [http://a@example.com/]"), `5:12: rules[0].urls[0]: "http://a@example.com/": user information cannot be matched`},
		{"URL with port 0", rule("urls: [http://example.com:0/]"), `5:12: rules[0].urls[0]: "http://example.com:0/": bad port "0"`},
		{"URL with fragment", rule("urls: [http://example.com/#x]"), `5:12: rules[0].urls[0]: "http://example.com/#x": "#" cannot stand in a URL: percent-encode it`},
		{"method", rule("methods: [post]"), `5:15: rules[0].methods[0]: "post": request methods are in capitals (did you mean "POST"?)`},
		{"method token", rule("methods: [\"A B\"]"), `5:15: rules[0].methods[0]: "A B" is not a request method`},
		{"media type", rule("content_types: [text]"), `5:21: rules[0].content_types[0]: "text" is not a media type like text/html or application/*`},
		{"media type with parameter", rule("content_types: [text/html;q=1]"), `5:21: rules[0].content_types[0]: "text/html;q=1": parameters are not compared, leave them out`},
		{"media range", rule("content_types: [\"*/html\"]"), `5:21: rules[0].content_types[0]: "*/html": "*" may stand only for the whole second half, as in text/*`},
		{"query type", rule("qtypes: [TXTT]"), `5:14: rules[0].qtypes[0]: unknown query type "TXTT" (did you mean "TXT"?)`},
		{"query type, nothing near", rule("qtypes: [SOMETHING]"), `5:14: rules[0].qtypes[0]: unknown query type "SOMETHING": write a mnemonic such as TXT, or TYPE123`},
		{"protocol", rule("protocols: [htp]"), `5:17: rules[0].protocols[0]: unknown protocol "htp" (did you mean "http"?)`},
		{"moment", strings.Replace(rule("until: 2026-12-01"), "block", "allow", 1), `5:12: rules[0].until: "2026-12-01" is not a moment like 2026-12-01T00:00:00Z`},
		{"action", strings.Replace(rule("until: 2026-12-01T00:00:00Z"), "block", "blok", 1), `4:13: rules[0].action: unknown action "blok" (did you mean "block"?)`},
		{"no action", "rules:\n  - names: [a.example]\n    name: a\n", `2:5: rules[0].action: action is missing`},
		{"no name", "rules:\n  - names: [a.example]\n    action: log\n", `2:5: rules[0].name: name is missing`},
		{"bad name", "rules: [{name: a b, names: [a.example], action: log}]\n", `1:16: rules[0].name: "a b" is not a name: letters, digits, '.', '_' and '-', at most 64`},
		{"name taken", rule("") + "  - {name: r, names: [a.example], action: log}\n", `6:12: rules[1].name: "r" is taken already`},
		{"no condition", "rules:\n  - {name: a, action: block}\n", `2:5: rules[0]: no condition: it would match everything, which is what default is for; conditions are groups, protocols, names, lists, categories, classes, urls, methods, content_types, addresses, qtypes, detectors, min_severity`},
		{"until on block", rule("until: 2026-12-01T00:00:00Z"), `5:12: rules[0].until: until goes only with the action allow, not with block`},
		{"inspect off on block", rule("inspect: off"), `5:14: rules[0].inspect: inspect goes only with the action allow, not with block`},
		{"observe on allow", strings.Replace(rule("observe: true"), "block", "allow", 1), `5:14: rules[0].observe: observe goes only with the action block, not with allow`},
		{"answer on log", strings.Replace(rule("answer: drop"), "block", "log", 1), `5:13: rules[0].answer: answer goes only with the action block, not with log`},
		{"splice with URLs", strings.Replace(rule("urls: [\"https://a.example/\"]"), "block", "splice", 1), `5:11: rules[0].urls: urls cannot be known without decrypting: splice is decided by names, lists, addresses and clients`},
		{"splice with DNS", strings.Replace(rule("protocols: [http, dns]"), "block", "splice", 1), `5:23: rules[0].protocols[1]: dns is not decrypted: splice has no meaning there`},
		{"query type without DNS", rule("qtypes: [TXT]\n    protocols: [http]"), `5:13: rules[0].qtypes: the rule can never match: qtypes are of dns, and protocols leave it out`},
		{"method in DNS", rule("methods: [GET]\n    protocols: [dns]"), `5:14: rules[0].methods: the rule can never match: dns has no methods`},
		{"method and query type", rule("methods: [GET]\n    qtypes: [TXT]"), `5:14: rules[0].methods: the rule can never match: only dns has qtypes, and it has no methods`},
		{"reason too long", rule("reason: " + strings.Repeat("x", 501)), `5:13: rules[0].reason: longer than 500 octets`},
		{"condition without value", rule("lists:"), `5:11: rules[0].lists: no value: give one or remove the key`},
		{"unknown group", "groups: [{name: lab, networks: [10.0.0.0/8]}]\n" + rule("groups: [lap]"), `6:14: rules[0].groups[0]: unknown group "lap" (did you mean "lab"?)`},
		{"unknown list", rule("lists: [weir-bad, urlhaus]"), `5:23: rules[0].lists[1]: unknown list "urlhaus"`},
		{"built-in list turned off", "builtin_lists: false\n" + rule("lists: [weir-bad]"), `6:13: rules[0].lists[0]: unknown list "weir-bad"`},
		{"unknown category", rule("categories: [dynamic-dsn]"), `5:18: rules[0].categories[0]: unknown category "dynamic-dsn" (did you mean "dynamic-dns"?)`},
		{"unknown detector in a rule", rule("detectors: [eicra]"), `5:17: rules[0].detectors[0]: unknown detector "eicra" (did you mean "eicar"?)`},
		{"unknown detector", "detectors:\n  eicar: log\n  eicra: block\n", `3:3: detectors.eicra: unknown detector "eicra" (did you mean "eicar"?)`},
		{"detector action", "detectors: {eicar: allow}\n", `1:20: detectors.eicar: unknown detector action "allow" (one of block, log, off)`},
		{"group without networks", "groups:\n  - {name: a, networks: []}\n", `2:25: groups[0].networks: a group needs at least one network`},
		{"group name taken", "groups:\n  - {name: a, networks: [10.0.0.0/8]}\n  - {name: a, networks: [10.0.0.0/8]}\n", `3:12: groups[1].name: "a" is taken already`},
		{"too many groups", "groups:\n" + numbered(65, "  - {name: g%, networks: [10.0.0.0/8]}\n"), `66:5: groups[64]: more than 64 groups`},
		{"list without source", list + "format: hosts\n", `2:5: lists[0].url: a list needs a url, a file, a dir or a transfer`},
		{"list with two", list + "url: https://a.example/\n    file: x\n", `4:11: lists[0].file: url and file are given: a list has one source`},
		{"list of three", list + "dir: d\n    file: x\n", `3:10: lists[0].dir: file and dir are given: a list has one source`},
		{"directory with digest", list + "dir: d\n    sha256: " + strings.Repeat("ab", 32) + "\n", `4:13: lists[0].sha256: a directory has no digest: its files change`},
		{"expiry", list + "file: d\n    expires: 1h\n", `4:14: lists[0].expires: shorter than refresh (1d): the list would expire between two looks`},
		{"may block", list + "file: d\n    may_block: [10.0.0.1/8]\n", `4:17: lists[0].may_block[0]: "10.0.0.1/8" has host bits set (did you mean "10.0.0.0/8"?)`},
		{"list over HTTP", list + "url: http://a.example/\n", `3:10: lists[0].url: not an https:// URL: lists come over HTTPS or from a file`},
		{"list with password", list + "url: https://u:p@a.example/\n", `3:10: lists[0].url: user name and password do not belong into this file`},
		{"list URL", list + "url: \"https://a b/%\"\n", `3:10: lists[0].url: not a URL`},
		{"digest", list + "file: x\n    sha256: abc\n", `4:13: lists[0].sha256: not a SHA-256 in 64 hexadecimal digits`},
		{"list class", list + "file: x\n    class: unknown\n", `4:12: lists[0].class: unknown class "unknown" (did you mean "known"?)`},
		{"list format", list + "file: x\n    format: host\n", `4:13: lists[0].format: unknown format "host" (did you mean "hosts"?)`},
		{"list of a priority out of range", list + "file: x\n    priority: -101\n", `4:15: lists[0].priority: -101 is too small: from -100 to 100`},
		{"list that is surer than sure", list + "file: x\n    confidence: 101\n", `4:17: lists[0].confidence: 101 is too large: from 0 to 100`},
		{"unknown grant", list + "file: x\n    grants: [rewite]\n", `4:14: lists[0].grants[0]: unknown grant "rewite" (did you mean "rewrite"?)`},
		{"list grants nothing", list + "file: x\n    grants: []\n", `4:13: lists[0].grants: an empty list would match nothing or everything: remove the key, or name something`},
		{"list for nobody", list + "file: x\n    groups: []\n", `4:13: lists[0].groups: an empty list would match nothing or everything: remove the key, or name something`},
		{"list for unknown group", list + "file: x\n    groups: [lab]\n", `4:14: lists[0].groups[0]: unknown group "lab"`},
		{"list named like a built-in", "lists: [{name: weir-bad, file: x}]\n", `1:16: lists[0].name: "weir-bad" is taken already`},
		{"remember too little", "reputation: {remember: 100}\n", `1:24: reputation.remember: 100 is too small: 0, or from 4096`},
		{"lock for nobody", "reputation: {lock: [{name: a, learn_until: 2026-12-01T00:00:00Z}]}\n", `1:21: reputation.lock[0].groups: groups is missing`},
		{"lock for unknown group", "reputation: {lock: [{name: a, groups: [x], learn_until: 2026-12-01T00:00:00Z}]}\n", `1:40: reputation.lock[0].groups[0]: unknown group "x"`},
		{"lock without end", "groups: [{name: x, networks: [10.0.0.1]}]\nreputation: {lock: [{name: a, groups: [x]}]}\n", `2:21: reputation.lock[0].learn_until: learn_until is missing`},
		{"lock named like a path", "groups: [{name: x, networks: [10.0.0.1]}]\nreputation: {lock: [{name: ../a, groups: [x], learn_until: 2026-12-01T00:00:00Z}]}\n", `2:28: reputation.lock[0].name: "../a" is not a name: letters, digits, '.', '_' and '-', at most 64`},
		{"risky suffix", "reputation: {risky_suffixes: [.top]}\n", `1:31: reputation.risky_suffixes[0]: ".top": empty label or label longer than 63 octets`},
		{"column", list + "file: x\n    column: host\n", `4:13: lists[0].column: a list of format auto has no columns: csv and json have`},
		{"category", list + "file: x\n    category: \"\"\n", `4:15: lists[0].category: "" is not a name: letters, digits, '.', '_' and '-', at most 64`},
		{"open admin listener", "admin:\n  listen: 0.0.0.0:8090\n", `2:11: admin.listen: 0.0.0.0:8090 is not loopback: set token_file, or listen on 127.0.0.1`},
		{"one address twice", "proxy: {listen: [127.0.0.1:1, 127.0.0.1:1]}\n", `1:31: proxy.listen[1]: 127.0.0.1:1 is listened on already, see proxy.listen[0]`},
		{"address of another listener", "proxy: {listen: [127.0.0.1:8090]}\nadmin: {listen: 127.0.0.1:8090}\n", `2:17: admin.listen: 127.0.0.1:8090 is listened on already, see proxy.listen[0]`},
		{"resolver asks itself", "resolver: {listen: [127.0.0.1:53], upstreams: [127.0.0.1]}\n", `1:48: resolver.upstreams[0]: 127.0.0.1:53 is this resolver itself`},
		{"times to live", "resolver: {cache: {min_ttl: 1h, max_ttl: 1m}}\n", `1:29: resolver.cache.min_ttl: 1h is more than max_ttl, 1m`},
		{"limits of clients", "proxy: {limits: {max_connections: 5, max_connections_per_client: 6}}\n", `1:66: proxy.limits.max_connections_per_client: 6 is more than max_connections, 5`},
		{"hold", "inspection: {max_body: 1KiB}\n", `1:13: inspection.hold: 64KiB is more than max_body, 1KiB`},
		{"no roots", "proxy: {upstream: {roots: none}}\n", `1:27: proxy.upstream.roots: none needs extra_roots_file, or no origin can be verified`},
		{"upstreams without zones", "internal: {upstreams: [10.0.0.1]}\n", `1:23: internal.upstreams: upstreams without zones are never asked`},
		{"version", "version: 2\n", `1:10: version: 2 is too large: from 1 to 1`},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, tc.yaml, tc.want) })
	}
}

// numbered repeats text n times with % for the number.
func numbered(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "%", string(rune('a'+i/26))+string(rune('a'+i%26))))
	}
	return b.String()
}

// expect compares the only problem of a file; want is without the name of the file.
func expect(t *testing.T, yaml, want string) {
	t.Helper()
	f, problems := config.Parse("weir.yaml", []byte(yaml), known())
	if f != nil {
		t.Errorf("a file with problems was returned")
	}
	if got := problems.Error(); got != "weir.yaml:"+want {
		t.Errorf("got  %s\nwant weir.yaml:%s", got, want)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	const yaml = `mode: enfroce
mode: observe
proxy:
  listn: [127.0.0.1:1]
  limits:
    idle_timeout: 1
rules:
  - name: a
    names: [192.0.2.1, example.com, "b*d"]
    lists: [gone]
    action: blok
  - name: a
    action: block
detectors: {eicra: block}
`
	const want = `weir.yaml:1:7: mode: unknown mode "enfroce" (did you mean "enforce"?)
weir.yaml:2:1: mode: duplicate key "mode", first on line 1
weir.yaml:4:3: proxy.listn: unknown key "listn" (did you mean "listen"?)
weir.yaml:6:19: proxy.limits.idle_timeout: "1" has no unit: write 1s, 1m or 1h
weir.yaml:9:13: rules[0].names[0]: "192.0.2.1" is an address, not a name: addresses and networks have keys of their own
weir.yaml:9:37: rules[0].names[2]: "b*d": "*" may stand only as the whole first label, as in *.example.com
weir.yaml:10:13: rules[0].lists[0]: unknown list "gone"
weir.yaml:11:13: rules[0].action: unknown action "blok" (did you mean "block"?)
weir.yaml:12:5: rules[1]: no condition: `
	_, problems := config.Parse("weir.yaml", []byte(yaml), known())
	if got := problems.Error(); !strings.HasPrefix(got, want) || len(problems) != 11 {
		t.Errorf("got %d problems\n%s", len(problems), got)
	}
}

// TestProblemOfValue: what shows only outside the file stands where its value stands; without a file it has its path.
func TestProblemOfValue(t *testing.T) {
	t.Parallel()
	f, problems := config.Parse("weir.yaml", []byte("admin:\n  token_file: secret\n"), known())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for path, want := range map[string]string{
		"admin.token_file": "weir.yaml:2:15: admin.token_file: gone",
		"admin.socket":     "weir.yaml:2:3: admin.socket: gone", // not given: the section
		"data_dir":         "weir.yaml:1:1: data_dir: gone",
	} {
		if got := f.Problem(path, "gone").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := config.Default().Problem("data_dir", "gone").Error(); got != "data_dir: gone" {
		t.Errorf("got %q", got)
	}
}
