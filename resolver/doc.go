// Package resolver is the DNS data path. A query goes through these stages, in this order; the function that holds the order is
// [Resolver.Handle] in serve.go, and it says at each line why the stage stands there.
//
//	(1) listener/   UDP and TCP sockets, lengths, deadlines, connection and worker limits
//	(2) query/      one plain question, or a refusal; everything else in the packet is forgotten
//	(3) admit       the gate judges the client and the question under one policy snapshot; strangers are told so now and then
//	(4) local.go    names that must not leave the machine: localhost, resolver.arpa, the Firefox canary; ANY
//	(5) cache/      unfiltered answers by name, type, class, DO, CD
//	(6) fetch.go    the only stage that waits: a place among the client's pending queries, none among the listener's workers
//	    upstream/   a packet built from the question alone; identical questions joined; random id and port
//	(7) answer/     only the chain of the asked name; the gate judges each name and address in it, on cache hits too; a chain that the
//	                upstream cut is asked for from (4) on, behind the judgement of what is there
//	    servers.go  the name servers of the zones that the answer came from, when a list asks about them (RPZ NSDNAME, NSIP)
//	    rewrite.go  the records of the list that decided; the target of its CNAME goes through (4) to (7)
//	(8) reply.go    the reply is built from parsed records; the client's id and letter case come back; UDP size
//	(9) event       one event, in one deferred place
//
// The canary: Firefox turns its own DNS over HTTPS off when use-application-dns.net does not exist, and so does not go round this
// resolver. Stages (5) to (7) also serve the proxy through [Resolver.Addresses], whose own transaction judges what comes back.
//
// miekg/dns packs and unpacks messages here (the slow path); types of that library do not leave resolver/. Layer L5.
package resolver
