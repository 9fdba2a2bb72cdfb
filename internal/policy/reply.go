package policy

import (
	"cmp"
	"slices"

	"weir/blocklists"
	"weir/blocklists/set"
	"weir/internal/hostname"
	"weir/internal/verdict"
)

// answer is how a block because of m speaks: as its entry says, else as the policy does. An entry about some types of question
// alone does not deny the name: NXDOMAIN would deny the other types too (RFC 8020).
func (s *Snapshot) answer(m blocklists.Match) verdict.Answer {
	a := s.cfg.Answer
	if !m.Extra {
		return a
	}
	e := s.set.Entry(m)
	switch e.Reply {
	case set.ReplyNXDOMAIN:
		a = verdict.Answer{Kind: verdict.AnswerNXDOMAIN}
	case set.ReplyNoData:
		a = verdict.Answer{Kind: verdict.AnswerNoData}
	case set.ReplyDrop:
		a = verdict.Answer{Kind: verdict.AnswerDrop}
	case set.ReplyTCPOnly:
		a = verdict.Answer{Kind: verdict.AnswerTruncate}
	case set.ReplyData:
		a = verdict.Answer{Kind: verdict.AnswerData}
	case set.ReplyPolicy:
	}
	if e.Types != "" && a.Kind <= verdict.AnswerNXDOMAIN {
		a = verdict.Answer{Kind: verdict.AnswerNoData}
	}
	return a
}

// Records returns the records that v answers with, in the order of their list, each in presentation form without owner and TTL
// ("A 192.0.2.1", "CNAME *.walled.example."); nil when v does not answer with data.
func (s *Snapshot) Records(v verdict.Verdict) (out []string) {
	if s == nil || v.Answer.Kind != verdict.AnswerData || v.Ref.List == 0 {
		return nil
	}
	var found []blocklists.Entry
	list := v.Ref.List - 1
	e := s.set.Entry(blocklists.Match{List: list, Entry: v.Ref.Entry})
	for _, m := range s.beside(e) {
		if m.List != list {
			continue
		}
		o := s.set.Entry(m)
		if o.Reply == set.ReplyData && o.Name == e.Name && o.Prefix == e.Prefix && o.Scope == e.Scope && o.Types == e.Types {
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b blocklists.Entry) int { return cmp.Compare(a.Line, b.Line) })
	for i := range found {
		out = append(out, found[i].Data)
	}
	return out
}

// beside returns the matches of what e is about, e among them.
func (s *Snapshot) beside(e blocklists.Entry) []blocklists.Match {
	name := e.Name
	if e.Scope == blocklists.Below && !name.IsZero() {
		below, err := hostname.Parse("x." + name.String())
		if err != nil {
			return nil // a name that has none below it
		}
		name = below
	}
	switch {
	case e.Trigger == set.Client:
		return s.set.LookupClient(e.Prefix.Addr(), nil)
	case e.Trigger == set.Server && !name.IsZero():
		return s.set.LookupServer(name, nil)
	case e.Trigger == set.Server:
		return s.set.LookupServerAddr(e.Prefix.Addr(), nil)
	case !name.IsZero():
		return s.set.Lookup(name, nil)
	}
	return s.set.LookupAddr(e.Prefix.Addr(), nil)
}

// ServerTriggers says whether any list asks about the name servers of a zone: about their names (RPZ NSDNAME), about their addresses
// (RPZ NSIP). Where none does, nobody needs to find them out.
func (s *Snapshot) ServerTriggers() (names, addresses bool) {
	if s == nil {
		return false, false
	}
	return s.holds&set.KindServer != 0, s.holds&set.KindServerAddr != 0
}
