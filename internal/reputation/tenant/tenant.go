// Package tenant tells the customers of shared services apart: object stores, functions, pages, pastes, chat and mail APIs, where
// anybody can write below a name that everybody trusts (ATT&CK T1102, T1567, T1583.006). What is remembered and judged there is
// the bucket, the account or the document, never the name of the service. Sans-IO, no state. Layer L2.
package tenant

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"weir/internal/hostname"
)

// Of says on which shared service name and path lie, and whose part of it that is. path is the canonical path as internal/weburl
// spells it, with or without query; "" when only the name is known, as in DNS. ok is false when name is not on a shared service.
// key is service, "/" and the customer's part, and the same for all spellings of one tenant; "" when the service is shared but
// name and path do not tell the tenant (yet): the caller must not take that for a tenant. Neither the service's own name nor a
// secret of the path (bot tokens, web-hook secrets) is ever part of a key.
func Of(name hostname.Name, path string) (key, service string, ok bool) {
	text := name.String()
	suffix, icann := publicsuffix.PublicSuffix(text)
	if icann || !strings.Contains(suffix, ".") || len(text) == len(suffix) {
		return "", "", false
	}
	return suffix + "/" + name.Registrable().String(), suffix, true
}
