package resolver

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/answer"
	"weir/resolver/query"
)

// localTTL is that of answers of our own: long enough to save questions, short enough that a change of ours is seen soon.
const localTTL = time.Hour

// special is a zone that is answered here.
type special struct {
	zone   hostname.Name
	answer func(query.Key) *answer.Answer
}

// specials lists the zones whose names must not leave this machine.
var specials = []special{
	{hostname.MustParse("localhost"), localhost},            // RFC 6761 section 6.3
	{hostname.MustParse("resolver.arpa"), nothing},          // RFC 9462 section 6.4: _dns.resolver.arpa would lead clients past us
	{hostname.MustParse("use-application-dns.net"), nobody}, // Firefox: no DNS over HTTPS behind our back
	{hostname.MustParse("invalid"), nobody},                 // RFC 6761 section 6.4
	{hostname.MustParse("onion"), nobody},                   // RFC 7686 section 2
}

// local returns the answer to what is not forwarded, or nil.
func local(key query.Key) *answer.Answer {
	if key.Type == dns.TypeANY {
		return answer.NoAny(key, localTTL)
	}
	for _, s := range specials {
		if key.Name.Within(s.zone) {
			return s.answer(key)
		}
	}
	return nil
}

func localhost(key query.Key) *answer.Answer {
	return answer.Literal(key, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback(), localTTL)
}

func nothing(key query.Key) *answer.Answer { return answer.Negative(key, dns.RcodeSuccess, localTTL) }

func nobody(key query.Key) *answer.Answer { return answer.Negative(key, dns.RcodeNameError, localTTL) }
