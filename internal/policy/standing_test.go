package policy_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"weir/blocklists"
	"weir/internal/hostname"
	"weir/internal/memory"
	"weir/internal/policy"
	"weir/internal/reputation"
	"weir/internal/verdict"
)

// TestStanding: what policy does with classes that no list gave, and with a lock.
func TestStanding(t *testing.T) {
	t.Parallel()
	seen := memory.New(memory.MinNames, [2]uint64{1, 2})
	seen.Note("old.test", now.Add(-72*time.Hour))
	learnt := memory.NewNames(filepath.Join(t.TempDir(), "lock.txt"))
	t.Cleanup(func() { _ = learnt.Close() })
	for _, key := range []string{"old.test", "evil.test"} {
		if err := learnt.Add(key); err != nil {
			t.Fatal(err)
		}
	}
	set := lists(t, listed{blocklists.List{Name: "bad"}, []string{"evil.test"}}, listed{blocklists.List{Name: "top", Class: blocklists.ClassKnown}, []string{"evil.test", "popular.test", "github.io"}})
	for _, c := range []struct {
		what    string
		subject policy.Subject
		actions map[verdict.Class]verdict.Action
		locked  bool
		observe bool
		action  verdict.Action
		class   verdict.Class
		kind    verdict.Ground
	}{
		{what: "new", subject: subject("new.test"), action: verdict.Allow, class: verdict.ClassUnknown, kind: verdict.GroundNew},
		{what: "new where unknown is blocked", subject: subject("new.test"), actions: map[verdict.Class]verdict.Action{verdict.ClassUnknown: verdict.Block}, class: verdict.ClassUnknown, kind: verdict.GroundNew},
		{what: "old where unknown is blocked", subject: subject("old.test"), actions: map[verdict.Class]verdict.Action{verdict.ClassUnknown: verdict.Block}, action: verdict.Allow, class: verdict.ClassKnown, kind: verdict.GroundSeen},
		{what: "popular where unknown is blocked", subject: subject("popular.test"), actions: map[verdict.Class]verdict.Action{verdict.ClassUnknown: verdict.Block}, action: verdict.Allow, class: verdict.ClassKnown},
		{what: "a list of known names lifts nothing that is bad", subject: subject("evil.test"), class: verdict.ClassBad},
		{what: "tenant", subject: subject("mine.github.io"), action: verdict.Allow, class: verdict.ClassShared, kind: verdict.GroundTenant},
		{what: "new tenant where unknown is blocked", subject: subject("mine.github.io"), actions: map[verdict.Class]verdict.Action{verdict.ClassUnknown: verdict.Block}, class: verdict.ClassShared, kind: verdict.GroundTenant},
		{what: "locked", subject: subject("new.test"), locked: true, class: verdict.ClassUnknown, kind: verdict.GroundNotLearnt},
		{what: "locked, observed", subject: subject("new.test"), locked: true, observe: true, action: verdict.Log, class: verdict.ClassUnknown, kind: verdict.GroundNotLearnt},
		{what: "locked, learnt", subject: subject("old.test"), locked: true, action: verdict.Allow, class: verdict.ClassKnown, kind: verdict.GroundSeen},
		{what: "locked, learnt and bad", subject: subject("evil.test"), locked: true, class: verdict.ClassBad},
		{what: "locked, target of an alias", subject: policy.Subject{Now: now, Place: verdict.PlaceCNAME, Name: hostname.MustParse("new.test")}, locked: true, action: verdict.Allow, class: verdict.ClassUnknown, kind: verdict.GroundNew},
	} {
		cfg := config(t)
		cfg.Observe, cfg.Reputation = c.observe, c.actions
		book := reputation.Config{Memory: seen, UnknownFor: 24 * time.Hour}
		if c.locked {
			book.Locks = []reputation.Lock{{Name: "servers", Until: now.Add(-time.Hour), Names: learnt}}
		}
		cfg.Standing = reputation.New(book)
		s := compile(t, cfg, set)
		v := s.Admit(&c.subject, nil).Verdict
		if v.Action != c.action || v.Class != c.class || v.Grounds.Kind != c.kind {
			t.Errorf("%s: %+v (%s)", c.what, v, s.Explain(v).Sentence)
		}
		behind := c.subject
		behind.Place, behind.Addr = verdict.PlaceDial, netip.MustParseAddr("8.8.8.8")
		if s.AdmitAddress(&behind, nil).Blocks() {
			t.Errorf("%s: the address behind it has no class of its own", c.what)
		}
		if s.Expires() != c.locked {
			t.Errorf("%s: expires %v", c.what, s.Expires())
		}
	}
}
