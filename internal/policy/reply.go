package policy

import "weir/internal/verdict"

// Records returns the records that v answers with, in the order of their list, each in presentation form without owner and TTL
// ("A 192.0.2.1", "CNAME *.walled.example."); nil when v does not answer with data.
func (s *Snapshot) Records(v verdict.Verdict) []string {
	if s == nil || v.Answer.Kind != verdict.AnswerData {
		return nil
	}
	return nil
}

// ServerTriggers says whether any list asks about the name servers of a zone: about their names (RPZ NSDNAME), about their addresses
// (RPZ NSIP). Where none does, nobody needs to find them out.
func (s *Snapshot) ServerTriggers() (names, addresses bool) { return false, false }
