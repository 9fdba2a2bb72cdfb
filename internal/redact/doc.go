// Package redact is the one redactor and the one escaper of weir. Every output
// (events, block pages, operator logs, the terminal, samples) passes through
// it, so that a peer can neither forge a log line nor read back a secret.
//
// Two different jobs live here:
//
//   - Escaping ([Text], [Bytes], [Append], [EscapeWriter]) makes any octets
//     printable. It hides nothing.
//   - Redaction ([URL], [Header], [Scrub], [Error], [NewHandler]) removes
//     secrets, and escapes what it keeps.
//
// Neither job makes text safe for a syntax: HTML, JSON and CSV writers still
// quote what they get from here.
//
// The package is stateless and imports only the standard library.
package redact
