package answer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/query"
)

// Errors of [Data].
var (
	// ErrRecord means a record of a list that is none.
	ErrRecord = errors.New("list gives a record that is none")
	// ErrLong means that the asked name in front of the target of a wildcard CNAME is longer than a name may be (RFC 1035 section 3.1). DNS says
	// YXDOMAIN to that (RFC 6672 section 2.2).
	ErrLong = errors.New("name too long behind the asked one")
)

// maxRecord bounds one record of a list in octets: that of the longest line that is a rule, and more than fits into a message.
const maxRecord = 65535

// Data makes the answer that a list gives to a question. Each text is one record in presentation form without owner and TTL. Of them
// those of the asked type are the answer; a CNAME is one for every type and leaves the answer [Answer.Cut] at its target, for whoever
// asks to complete. Where the list has only other types, there is no data. "CNAME *.walled.example." has the asked name in place of the asterisk
// (RPZ, draft-vixie-dnsop-dns-rpz-00).
//
// What is no record is left out; the error, which wraps [ErrRecord], says what, and the Answer holds the rest. An error that wraps
// [ErrLong], [ErrName] or [ErrLoop] comes with a nil Answer.
func Data(key query.Key, texts []string, ttl time.Duration) (*Answer, error) {
	out := &Answer{TTL: ttl, Chain: []hostname.Name{key.Name}}
	var problems []error
	var alias *dns.CNAME
	for _, text := range texts {
		rr, err := record(key, text, ttl)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if c, ok := rr.(*dns.CNAME); ok && alias == nil {
			alias = c
		} else if rr.Header().Rrtype == key.Type {
			out.Records = append(out.Records, rr)
		}
	}
	if alias != nil {
		return out.aliased(key, alias, problems)
	}
	if len(out.Records) == 0 {
		out = Negative(key, dns.RcodeSuccess, ttl)
	}
	return out, errors.Join(problems...)
}

// aliased makes a CNAME the answer.
func (a *Answer) aliased(key query.Key, c *dns.CNAME, problems []error) (*Answer, error) {
	if rest, ok := strings.CutPrefix(c.Target, "*."); ok {
		c.Target = strings.TrimSuffix(key.FQDN(), ".") + "." + rest
	}
	target, err := nameOf(c.Target)
	switch {
	case errors.Is(err, hostname.ErrTooLong):
		return nil, fmt.Errorf("%s: %w", key.FQDN(), ErrLong)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", key.FQDN(), ErrName, err)
	case target == key.Name, target.IsZero():
		return nil, fmt.Errorf("%s: %w", key.FQDN(), ErrLoop)
	}
	c.Target = target.String() + "."
	a.Records = []dns.RR{c}
	if key.Type != dns.TypeCNAME {
		a.Negative, a.Chain = true, append(a.Chain, target)
	}
	return a, errors.Join(problems...)
}

// record reads one record of a list.
func record(key query.Key, text string, ttl time.Duration) (dns.RR, error) {
	if len(text) > maxRecord || strings.ContainsAny(text, "\r\n\x00") {
		return nil, fmt.Errorf("%w: longer than a line", ErrRecord)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s", key.FQDN(), seconds(ttl), text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %q: %w", ErrRecord, text, err)
	case rr == nil || rr.Header().Class != dns.ClassINET || rr.Header().Name != key.FQDN():
		return nil, fmt.Errorf("%w: %q", ErrRecord, text)
	}
	rr.Header().Ttl = seconds(ttl)
	// The library takes a record without content for one of a dynamic update (RFC 2136 section 2.5), and some that no packet holds.
	if _, err := dns.PackRR(rr, make([]byte, dns.MaxMsgSize), 0, nil, false); err != nil || rr.Header().Rdlength == 0 {
		return nil, fmt.Errorf("%w: %q", ErrRecord, text)
	}
	return rr, nil
}
