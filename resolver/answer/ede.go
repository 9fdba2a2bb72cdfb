package answer

import (
	"strings"

	"github.com/miekg/dns"

	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
)

// maxText bounds EXTRA-TEXT in octets, so that the reason never makes a reply truncated (RFC 8914 section 2: keep it short).
const maxText = 128

// legal is the list category that marks a block as demanded by others than the operator.
const legal = "legal"

// NoEDE is the code of "no extended error".
const NoEDE = -1

// Reason is an Extended DNS Error (RFC 8914); the zero value says "other error".
type Reason struct {
	Code int // NoEDE: none
	Text string
}

// Explain chooses the extended error of a block. 15 Blocked (section 4.16): the operator's rules, lists, reputation, detectors
// and safety refusals. 16 Censored (4.17): a list of category "legal". 17 Filtered (4.18): the rule or list speaks only to the
// client's group, so that it was asked for. 18 Prohibited (4.19): the client is not served; it learns no more. 4 Forged Answer (4.5) in place of 15: there is
// an answer, and the records of a list are in it. None: an answer that only asks to come again over a stream.
func Explain(v verdict.Verdict, r policy.Reason, scoped bool) Reason {
	if v.Ref.Safety == verdict.SafetyClient {
		return Reason{Code: int(dns.ExtendedErrorCodeProhibited)}
	}
	if v.Answer.Kind == verdict.AnswerTruncate {
		return Reason{Code: NoEDE}
	}
	e := Reason{Code: int(dns.ExtendedErrorCodeBlocked), Text: sentence(r)}
	switch {
	case r.ListCategory == legal && v.Ref.List != 0:
		e.Code = int(dns.ExtendedErrorCodeCensored)
	case scoped:
		e.Code = int(dns.ExtendedErrorCodeFiltered)
	case v.Answer.Kind == verdict.AnswerData:
		e.Code = int(dns.ExtendedErrorCodeForgedAnswer)
	}
	return e
}

// sentence is the reason with the names of the rule and the list, in which all text from files is escaped.
func sentence(r policy.Reason) string {
	text := r.Sentence
	if r.Rule != "" && !strings.Contains(text, r.Rule) {
		text += " (rule " + r.Rule + ")"
	}
	if r.List != "" && !strings.Contains(text, r.List) {
		text += " (list " + r.List + ")"
	}
	return redact.Truncate(redact.Text(text), maxText)
}
