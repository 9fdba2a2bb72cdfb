// Package lookalike finds names that imitate a popular or a protected name: confusable characters, digits and letter pairs that
// look like letters, typing slips, and a protected name shown in front of somebody else's. It finds and weighs; whether the
// weight suffices is said by [Judge], which wants more than likeness: the suspect must be unpopular, new here, and young or very
// like. Sans-IO; an [Index] is immutable and safe for concurrent use. Layer L2.
//
// Names are compared by the label that was registered (public suffix plus one, private section of the Public Suffix List
// included), whatever the suffix: a look-alike in another suffix is one, the same label in another suffix is not, since companies
// register theirs in dozens of suffixes and share short ones with strangers.
package lookalike

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"weir/internal/hostname"
)

// Popular is one name that others may imitate.
type Popular struct {
	Name      hostname.Name
	Rank      int  // 1 is the most popular; 0 or less: listed without rank, weighed like the last
	Protected bool // a name of the customer, or one that he cares for: weighed like the most popular, and looked for in every label
}

// Kind is what makes a name look like another.
type Kind uint8

// The kinds. There is none for the same label under another suffix: google.de beside google.com is the rule, not the exception.
const (
	None      Kind = iota // no likeness: the zero Suspicion
	Homoglyph             // characters of other scripts or with marks, drawn like the target's (UTS #39; ATT&CK T1583.001)
	Skeleton              // ASCII drawn like the target's: rn for m, vv for w, cl for d, 0 for o, 1 or I for l, 5 for s, a hyphen more or less
	Edit                  // one typing slip away: a letter left out, added, changed, or two swapped
	Embedded              // a protected name, or its look-alike, in the labels before somebody else's: paypa1.com.evil.example
	Combo                 // a protected name joined by hyphens with words of log-in pages only: paypal-login.example
)

// String returns the lower-case word of k for logs and events.
func (k Kind) String() string {
	switch k {
	case Homoglyph:
		return "homoglyph"
	case Skeleton:
		return "skeleton"
	case Edit:
		return "edit"
	case Embedded:
		return "embedded"
	case Combo:
		return "combo"
	default:
		return "none"
	}
}

// Suspicion says which name is imitated, how, and how likely that is by looks and by the target's popularity alone. The zero
// Suspicion is none. Suspicions are comparable.
type Suspicion struct {
	Of        hostname.Name // the registrable name that is imitated
	Kind      Kind
	Score     uint8 // 1..100
	Protected bool  // Of is a protected name
}

// minScore is the least score that is worth telling: below it the likeness is that of neighbours in any dictionary.
const minScore = 30

// Find returns the strongest suspicion against name. ok is false for a name that looks like none, for one whose registrable name
// is itself listed, and for one whose registered label is: what is popular under one suffix is no imitation under another (a look-alike
// of a protected name stays one). Plain ASCII names cost no allocation.
func (x *Index) Find(name hostname.Name) (Suspicion, bool) {
	if x == nil || len(x.class) == 0 {
		return Suspicion{}, false
	}
	text := name.String()
	suffix, _ := publicsuffix.PublicSuffix(text)
	if len(text) <= len(suffix)+1 {
		return Suspicion{}, false
	}
	head := text[:len(text)-len(suffix)-1]
	left, label := "", head
	if i := strings.LastIndexByte(head, '.'); i >= 0 {
		left, label = head[:i], head[i+1:]
	}
	q := query{index: x, registrable: text[len(text)-len(suffix)-len(label)-1:], label: label, suffix: suffix}
	q.bySkeleton()
	if q.listed {
		return Suspicion{}, false
	}
	if !q.sameLabel {
		q.byEdit()
	}
	if x.hasProtected {
		q.byCombo()
		q.byLabels(left)
	}
	return q.best, q.best.Kind != None
}

// query is one name on its way through the index.
type query struct {
	index       *Index
	registrable string
	label       string
	suffix      string
	listed      bool // the registrable name itself is in the index
	sameLabel   bool // its label is, under another suffix
	best        Suspicion
}

// offer keeps the stronger of two suspicions; shape is what looks alone say, 0..100.
func (q *query) offer(kind Kind, entry uint32, shape int) {
	score := shape - q.index.class[entry].discount()
	if score < minScore || score <= int(q.best.Score) {
		return
	}
	of, err := hostname.Parse(q.index.name(entry))
	if err != nil {
		return
	}
	q.best = Suspicion{Of: of, Kind: kind, Score: uint8(min(score, 100)), Protected: q.index.class[entry] == classProtected}
}

// bySkeleton compares the registered label with all names of the same skeleton.
func (q *query) bySkeleton() {
	suspect := q.index.read(q.label)
	if suspect.hopeless(q.suffix) {
		return
	}
	kind := Skeleton
	if suspect.foreign {
		kind = Homoglyph
	}
	lo, hi := q.index.skeletons.find(suspect.hash())
	for i := lo; i < hi; i++ {
		if q.index.label(i) == q.label {
			q.sameLabel = true
			q.listed = q.listed || q.index.name(i) == q.registrable
		}
	}
	for i := lo; i < hi && !q.listed; i++ {
		protected := q.index.class[i] == classProtected
		if target := q.index.label(i); target != q.label && (protected || !q.sameLabel) {
			q.offer(kind, i, q.index.likeness(suspect, target, protected))
		}
	}
}

// byEdit compares the registered label with the most popular and the protected labels one typing slip away.
func (q *query) byEdit() {
	if len(q.label) < minEdit || len(q.label) > q.index.longestEdit+1 || strings.HasPrefix(q.label, "xn--") {
		return
	}
	variants(q.label, func(hash uint64) {
		lo, hi := q.index.deletes.find(hash)
		for i := lo; i < hi; i++ {
			entry := q.index.deletes.ids[i]
			if target := q.index.label(entry); len(target) >= minEdit {
				q.offer(Edit, entry, slip(q.label, target))
			}
		}
	})
}

// byLabels looks for protected names in the labels left of the registered one. A label that is exactly a protected one is common
// there (tenants of log-in providers, mirrors); it counts only with its own suffix behind it, or when it is a look-alike.
func (q *query) byLabels(left string) {
	for rest := left; rest != ""; {
		label, after, _ := strings.Cut(rest, ".")
		suspect := q.index.read(label)
		lo, hi := q.index.protected.find(suspect.hash())
		for i := lo; i < hi && !suspect.hopeless(""); i++ {
			entry := q.index.protected.ids[i]
			target := q.index.name(entry)
			switch {
			case q.index.label(entry) == label:
				if hasLabels(rest, target) {
					q.offer(Embedded, entry, shapeEmbedded)
				}
			case len(label) >= minEmbedded || suspect.foreign:
				q.offer(Embedded, entry, q.index.likeness(suspect, q.index.label(entry), true))
			}
		}
		rest = after
	}
}

// hasLabels says whether text begins with all labels of name.
func hasLabels(text, name string) bool {
	return strings.HasPrefix(text, name) && (len(text) == len(name) || text[len(name)] == '.')
}

// byCombo looks for a protected name that is joined by hyphens with words of log-in pages and with nothing else.
func (q *query) byCombo() {
	if q.sameLabel || !strings.Contains(q.label, "-") {
		return
	}
	var brand uint32
	shape, words := 0, 0
	for rest, more := q.index.read(q.label).text, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, "-")
		if bait(token) {
			words++
			continue
		}
		entry, s := q.index.brand(token)
		if s == 0 || shape != 0 {
			return
		}
		brand, shape = entry, s
	}
	if shape != 0 && words > 0 {
		q.offer(Combo, brand, min(shape, shapeCombo))
	}
}

// brand finds the protected label that token, as it is shown, is or looks like.
func (x *Index) brand(token string) (entry uint32, shape int) {
	if len(token) < minEmbedded {
		return 0, 0
	}
	suspect := reading{index: x, text: token, foreign: !ascii(token)}
	lo, hi := x.protected.find(suspect.hash())
	for i := lo; i < hi; i++ {
		id := x.protected.ids[i]
		s := 100
		if x.label(id) != token {
			s = x.likeness(suspect, x.label(id), true)
		}
		if s > shape {
			entry, shape = id, s
		}
	}
	return entry, shape
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Weights of what is found beside the registered label.
const (
	minEmbedded   = 5  // shorter labels and tokens are words and abbreviations of everybody
	shapeEmbedded = 90 // the whole protected name, written out, before another: phishing, or a CDN that is listed as popular itself
	shapeCombo    = 80
)

// bait says whether a token is a word that log-in and payment pages use. The list is closed and short: each word more is a false
// alarm with somebody's shop ("-store", "-fans", "-jobs" are not here for that reason).
func bait(token string) bool {
	switch token {
	case "login", "logon", "signin", "signon", "sso", "auth", "mfa", "2fa", "otp", "verify", "verification", "verified", "validate", "account",
		"accounts", "password", "passwort", "secure", "security", "securelogin", "unlock", "recovery", "confirm", "billing", "invoice", "wallet",
		"update", "alert", "online", "www", "web", "id", "my", "com":
		return true
	}
	return false
}
