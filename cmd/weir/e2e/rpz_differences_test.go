package e2e_test

import "regexp"

// rpzDifference is a reason for which weir and a peer answer differently.
type rpzDifference struct {
	peers string         // "unbound", "bind" or "both"
	about *regexp.Regexp // of the part of the test and the question
	why   string
}

func (d rpzDifference) covers(r rpzRow, peer string) bool {
	return (d.peers == "both" || d.peers == peer) && d.about.MatchString(r.id+" | "+r.question())
}

// rpzDifferences lists every difference; the first that covers a row gives its reason.
func rpzDifferences() []rpzDifference {
	is := regexp.MustCompile
	return []rpzDifference{
		{
			"unbound", is(`^(NSDNAME|NSIP).* tcp-only|to a listed name, tcp-only`),
			"unbound ends with a segmentation fault: TCP-only by a trigger on name servers, or on the target of a CNAME. weir and BIND truncate over UDP and let through over TCP, as the draft says.",
		},
		{
			"unbound", is(`^response-IP v[46] drop|to a listed name, drop`),
			"unbound lets through what is to be dropped because of an address or of the target of a CNAME. weir and BIND drop it.",
		},
		{
			"unbound", is(`^(client-IP|NSDNAME wildcard|NSIP) (cname|wildcard-cname) `),
			"unbound answers without data where the list has a CNAME, if the trigger is the client or the name servers. weir and BIND answer with the CNAME and resolve its target.",
		},
		{
			"unbound", is(`^NSDNAME wildcard data`),
			"unbound has no data for a wildcard NSDNAME rule with local data. weir and BIND answer with the data.",
		},
		{
			"unbound", is(`^(client-IP|NSIP) data \| .* A$`),
			"unbound gives one of two records: it keeps the last one of the type. weir and BIND give all.",
		},
		{
			"unbound", is(`^(response-IP|NSDNAME).* wildcard-cname|to a listed name, wildcard-cname`),
			"unbound gives the target with its asterisk, and resolves that. weir and BIND put the asked name in its place. Where the listed name is the target of a CNAME, weir puts the asked name there, BIND the listed one: the garden learns what was asked for.",
		},
		{
			"unbound", is(`^NSDNAME cname`),
			"unbound gives the CNAME and does not resolve its target. weir and BIND do.",
		},
		{
			"unbound", is(`^QNAME passthru, response-IP block`),
			"unbound lets the name pass until its answer is cached, and then applies the rule on the address. weir keeps answers unfiltered and judges hits as misses, with QNAME before response-IP, as BIND does.",
		},
		{
			"unbound", is(`^client-IP passthru, QNAME block`),
			"unbound goes on with the other triggers after it let a client pass. In weir and BIND the client's rule settles what the zone says.",
		},
		{
			"unbound", is(`^response-IP passthru, NSIP block`),
			"unbound applies NSIP before the answer is there. In weir and BIND response-IP goes before NSIP.",
		},
		{
			"both", is(`to a listed name, (nxdomain|nodata|data|cname|wildcard-cname)|^CNAME chain|^DNAME to listed|^CNAME into a zone|^CNAME to data`),
			"What is blocked behind a CNAME is answered for the asked name alone: weir does not send the chain, which would tell the client names that it may not reach. The code, and the data of a list, are the same. unbound, moreover, filters such an answer only while it is not cached: the second time (here over TCP) the client gets the blocked address; weir and BIND filter hits too.",
		},
		{
			"both", is(`^HTTPS with|^MX with`),
			"Stricter than the draft, which knows only A and AAAA records: a client goes to the targets of HTTPS, SVCB, MX and SRV records, and to the addresses in their hints, as it goes to those of A records. So weir judges them.",
		},
		{
			"both", is(`^question for ANY`),
			"weir answers ANY as RFC 8482 says, whatever the lists say. BIND gives all records, unbound none.",
		},
		{
			"both", is(`^below an exact|^beside a name below|^empty non-terminal below|^name of the deeper wildcard`),
			"In a zone a name hides the wildcard above it from all that is below (RFC 4592 section 3.3.1), and so does a name that exists only because others lie below it; unbound and BIND agree on the former and not on the latter. A list of weir is no tree: the nearest entry that covers a name counts, and a rule about one name says nothing of others. So an exception for ok.example does not let through what is below it: that needs *.ok.example, as in every other list.",
		},
		{
			"bind", is(`^response-IP, longest prefix: (both|mixed)`),
			"Several addresses in one answer: BIND lets the longest prefix among all addresses decide for all. weir, as unbound, judges each address by its longest prefix, and one that is blocked condemns the answer: a client may pick any of them.",
		},
		{
			"unbound", is(`^CNAME to itself`),
			"A CNAME to itself is how the first drafts wrote PASSTHRU. weir and BIND let pass; unbound sends the loop.",
		},
		{
			"unbound", is(`^CNAME to a listed address`),
			"A list's own CNAME is not judged by the same list again, in weir as in BIND; unbound judges the address. (What other lists say of the target holds in weir.)",
		},
	}
}
