package config

import (
	"fmt"

	"weir/internal/hostname"
)

// Reputation gives each class its action, and says how a name gets its class. See docs/reputation.md.
type Reputation struct {
	// Known to be malicious: on a list of this class. Default: block.
	Bad Action `yaml:"bad"`
	// Often misused: dynamic DNS, look-up of the own public address, DoH providers, an address where a name should be, young
	// look-alikes of protected and popular names, names below risky_suffixes. Default: log.
	Untrusted Action `yaml:"untrusted"`
	// On no list, and first seen here less than unknown_for ago. Default: allow.
	Unknown Action `yaml:"unknown"`
	// A customer's part of a service where anybody can publish. One that was first seen here less than unknown_for ago gets the
	// action for unknown when that is stricter. Default: allow.
	Shared Action `yaml:"shared"`
	// Well known, by a list or because it is known here for longer than unknown_for. Default: allow.
	Known Action `yaml:"known"`
	// How long after its first sight here a name is unknown. Default: 1d.
	UnknownFor Duration `yaml:"unknown_for" bounds:"1m..365d"`
	// How long after its first sight here a name may be taken for a look-alike of another. Default: 30d.
	SuspectFor Duration `yaml:"suspect_for" bounds:"1m..365d"`
	// Names whose first and last sight is remembered across restarts, in DATA/names.seen: registrable domains, and customers of
	// shared services. 16 octets each, rounded up to a power of two; the least used give way. 0: nothing is remembered, so every
	// name stays unknown. Default: 262144.
	Remember int `yaml:"remember" bounds:"0..268435456"`
	// Names of your own and of those whose log-in pages your people use: what looks like one of them and is new here is untrusted.
	// Default: none.
	Protect []Name `yaml:"protect"`
	// Suffixes below which a name that no list knows is untrusted. Default: [accountant, cf, click, cyou, download, ga, gdn, gq,
	// icu, loan, ml, monster, pw, sbs, science, stream, su, tk, top, win, xin, zip].
	RiskySuffixes []Name `yaml:"risky_suffixes"`
	// Learn, then lock: keeps clients, servers above all, to the names that they were seen to use. Default: none.
	Lock []Lock `yaml:"lock"`
}

// Lock keeps clients to what they used until a time.
type Lock struct {
	// Name by which events and pages refer to the lock, and of its file, DATA/locks/NAME.txt: letters, digits, '.', '_' and '-'.
	// Required.
	Name string `yaml:"name" jsonschema:"required"`
	// Groups of clients for whom it is. Required.
	Groups []string `yaml:"groups" jsonschema:"required"`
	// Until then, as in 2026-12-01T00:00:00Z, the names that they reach are learnt; from then on all others are blocked for them. What
	// is blocked by something else is not learnt. Required.
	LearnUntil Time `yaml:"learn_until" jsonschema:"required"`
}

// minRemember is the least that is worth a file of its own.
const minRemember = 4096

// maxLocks bounds the locks: each is asked about every name of its clients.
const maxLocks = 64

// checkReputation reports what is wrong with values that are each well-formed.
func (f *File) checkReputation(groups []string) {
	r := &f.Reputation
	if r.Remember != 0 && r.Remember < minRemember {
		f.src.report("reputation.remember", "%d is too small: 0, or from %d", r.Remember, minRemember)
	}
	var names []string
	for i, l := range r.Lock {
		path := fmt.Sprintf("reputation.lock[%d]", i)
		f.checkName(path+".name", l.Name, names)
		names = append(names, l.Name)
		if i == maxLocks {
			f.src.report(path, "more than %d locks", maxLocks)
		}
		f.checkNotEmpty(path, "groups", len(l.Groups))
		f.checkRefs(path+".groups", "group", l.Groups, groups)
	}
}

// defaultReputation acts on what is bad and says what is untrusted; whatever is merely new or shared passes.
func defaultReputation() Reputation {
	return Reputation{
		Bad: Block, Untrusted: LogOnly, Unknown: Allow, Shared: Allow, Known: Allow,
		UnknownFor: Duration(day), SuspectFor: Duration(30 * day), Remember: 1 << 18, RiskySuffixes: riskySuffixes(),
	}
}

// riskySuffixes are top-level domains that two collections of indicators single out: Maltrail's static trail "suspicious/domain" (2026:
// cf, ga, gq, icu, loan, ml, monster, cyou, pw, sbs, su, tk, xin, zip) and the rules "Suspicious TLD" and ".su TLD" of Emerging Threats
// Open (2017: accountant, click, download, gdn, science, stream, su, top, win). Left out, though they stand there: biz, cc, link, ltd,
// tt, vu, ws and xyz, below which too many honest companies are.
func riskySuffixes() []Name {
	words := []string{
		"accountant", "cf", "click", "cyou", "download", "ga", "gdn", "gq", "icu", "loan", "ml", "monster", "pw", "sbs", "science", "stream",
		"su", "tk", "top", "win", "xin", "zip",
	}
	out := make([]Name, len(words))
	for i, w := range words {
		out[i] = Name{hostname.MustParse(w)}
	}
	return out
}
