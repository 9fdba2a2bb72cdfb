// Package address judges IP addresses: which part of the internet they belong
// to, and which other addresses are hidden inside them. The proxy asks it
// before every dial, the resolver for every A and AAAA answer, so that a name
// cannot lead a client, or weir itself, to a private or metadata address in any
// spelling (v4-mapped, NAT64, 6to4, Teredo, ISATAP, octal, ...).
//
// Ranges come from RFC 6890 as updated by RFC 8190, and from the registries
// "IANA IPv4 Special-Purpose Address Registry" and "IANA IPv6 Special-Purpose
// Address Registry".
//
// The package is stateless, allocates nothing on the judging path and imports
// only the standard library.
package address
