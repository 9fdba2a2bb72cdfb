// Package ca is weir's certificate authority: it keeps the CA on disk, mints
// and caches the leaf certificates that intercepted clients see, and names what
// is wrong with the certificate of an upstream server.
//
//   - [Open], [Init] and [Load] keep key and certificate in a directory. A CA is
//     made once: where one has been, a new one is refused, because every client
//     that trusts the old one would fail and nobody would know why.
//   - [New] takes any crypto.Signer, so that a KMS or an HSM can hold the key.
//   - [Authority] is one generation of the CA. Its leaf keys, leaf cache and
//     session ticket keys live and die with it; a rotated CA is a new Authority.
//   - [Authority.TLSConfig] gives the one tls.Config for all client connections.
//   - [DescribeError] turns an error of an upstream handshake into one code of a
//     closed set and a sentence.
//
// All randomness comes from crypto/rand. No key is ever logged or printed: an
// Authority formats as its fingerprint.
package ca
