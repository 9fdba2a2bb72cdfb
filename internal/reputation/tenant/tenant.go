// Package tenant tells the customers of shared services apart: object stores, functions, pages, pastes, chat and mail APIs, where
// anybody can write below a name that everybody trusts (ATT&CK T1102, T1567, T1583.006). What is remembered and judged there is
// the bucket, the account or the document, never the name of the service. Sans-IO; the table never changes. Layer L2.
package tenant

import (
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"weir/internal/hostname"
)

// Of says on which shared service name and path lie, and whose part of it that is. path is the canonical path as internal/weburl
// spells it, with or without query; "" when only the name is known, as in DNS. Ports and schemes make no difference.
//
// ok is false when name is not on a shared service. key is the service, "/" and the customer's part, the same for all spellings
// of one tenant; "" when the service is shared but name and path do not tell the tenant, or not yet: then the caller knows the
// service only and must take that for no tenant. The service's own name is never a key, and no secret of a path (bot tokens, web-hook
// secrets, pre-signed parts) is ever in one. A part that names the tenant and is no plain identifier is hashed; a path with ".." gives key "".
//
// Services that the table does not hold are taken from the private section of the Public Suffix List: there the service is the
// suffix and the tenant the label before it.
func Of(name hostname.Name, path string) (key, service string, ok bool) {
	if key, service, ok, _ = of(name, path); !ok {
		key = ""
	}
	return key, service, ok
}

// Door is what a path opens on the shared service that name is of: the key of [Of]; of a path that tells no tenant the service and "/" for "/"
// alone, and for others a key of just that path (its query only where parameters may tell), hashed since it may be a secret. So
// no spelling opens more than was learnt. "" when name is not on a shared service.
func Door(name hostname.Name, path string) string {
	key, service, ok := Of(name, path)
	if !ok || key != "" {
		return key
	}
	r, _, _ := find(name)
	if r == nil {
		r = &row{}
	}
	return service + "/" + r.untold(name.String(), path)
}

// OrDomain is [Of], with the registrable domain as key of what is not on a shared service (name itself where it is a public suffix). The
// Public Suffix List is asked once for both.
func OrDomain(name hostname.Name, path string) (key, service string, ok bool) {
	key, service, ok, closed := of(name, path)
	if closed {
		key = name.Registrable().String()
	}
	return key, service, ok
}

// of is Of and, but for a name that is the provider's own, OrDomain.
func of(name hostname.Name, path string) (key, service string, ok, closed bool) {
	r, left, closed := find(name)
	switch {
	case r != nil:
		key, service, ok = r.of(left, path)
	case !closed:
		key, service, ok = private(name.String())
	}
	return key, service, ok, closed
}

// Labels says how many labels, from the right, a part of name must have to name the tenant and not the service: an entry of a list
// with fewer speaks of the service. More than name has when only the path tells, 0 when name is not on a shared service.
func Labels(name hostname.Name) int {
	r, left, closed := find(name)
	switch {
	case closed:
		return 0
	case r == nil:
		if _, _, ok := private(name.String()); !ok {
			return 0
		}
		return name.Registrable().Labels()
	}
	at, _ := r.host(left)
	switch {
	case r.shorten(at.tenant) == "":
		return name.Labels() + 1
	case r.take == last:
		return strings.Count(r.suffix, ".") + 2
	default:
		return name.Labels() // "b" of a bucket "a.b" is somebody else's
	}
}

// find looks the row of a name up, the longest suffix first, and cuts the suffix off. r is nil when no row places the name; then closed
// says that it is the provider's own.
func find(name hostname.Name) (r *row, left string, closed bool) {
	text := name.String()
	table := rows()
	for rest := text; rest != ""; {
		if r, ok := table[rest]; ok {
			left = strings.TrimSuffix(text[:len(text)-len(rest)], ".")
			if at, ok := r.host(left); ok && (left != "" || at.paths != "" || at.tenant != "") {
				return r, left, false
			}
			if r.closed {
				return nil, "", true
			}
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return nil, "", false
}

// private asks the Public Suffix List; key is the registrable domain where that has no private suffix.
func private(text string) (key, service string, ok bool) {
	suffix, icann := publicsuffix.PublicSuffix(text)
	if len(text) <= len(suffix)+1 {
		return text, "", false
	}
	left := text[:len(text)-len(suffix)-1]
	at := strings.LastIndexByte(left, '.') + 1
	if icann || !strings.Contains(suffix, ".") {
		return text[at:], "", false
	}
	return suffix + "/" + left[at:], suffix, true
}

// take says which part of the name is the tenant's.
type take uint8

const (
	exact  take = iota // none: the name is that of the service alone, the path tells the tenant
	within             // none: names below belong to the service too, the path tells the tenant
	last               // the label before the suffix; of the suffix itself, the path
	first              // the first label, whatever lies between (regions, zones); of the suffix itself, the path
	all                // all labels before the suffix; of the suffix itself, the path
	region             // all labels but the last, which is a region ("cdn" behind it left out); of a region alone, the path
	marked             // all labels before the one that marks the service; of the mark alone, the path
	own                // no tenant's: names below belong to the provider, though the Public Suffix List has the suffix
)

// row is one service.
type row struct {
	suffix  string
	service string // first part of keys; "" in marked rows of many services: the mark
	take    take
	paths   string // patterns, see [tenantOf]; the first that matches counts
	marks   string // marked: words "mark" or "mark=pattern,pattern"; a label matches that is the mark, or begins with it and a hyphen
	after   string // of the host part, only what follows the last of this
	before  string // of the host part, only what precedes the first of this
	drop    string // host part: endings to remove, separated by blanks
	labels  string // host parts that are the provider's own, separated by blanks: the path tells
	realm   string // added to the service: names are unique within it only
	cased   bool   // case matters in paths
	zoned   bool   // names are unique within a region only, which becomes part of the key
	closed  bool   // names below that the row does not place are the provider's own, whatever the Public Suffix List says
}

// rows is the table by suffix, built once.
var rows = sync.OnceValue(func() map[string]*row {
	table := make(map[string]*row, 512)
	for _, part := range [][]row{stores(), amazon(), google(), microsoft(), compute(), pages(), delivery(), tunnels(), code(), pastes(), files(), chats(), bases()} {
		for i := range part {
			table[part[i].suffix] = &part[i]
		}
	}
	return table
})

// place is what a name says: part of it may be the customer's.
type place struct {
	tenant, zone, service, paths string
}

// of judges the labels left of the suffix, and the path.
func (r *row) of(left, path string) (key, service string, ok bool) {
	at, ok := r.host(left)
	if !ok {
		return "", "", false
	}
	if at.tenant = r.shorten(at.tenant); at.tenant == "" {
		at.tenant = r.tenantOf(path, at.paths)
	}
	if at.tenant == "" {
		return "", at.service, true
	}
	if r.zoned && at.zone != "" {
		at.tenant = at.zone + "/" + at.tenant
	}
	return at.service + "/" + at.tenant, at.service, true
}

// host takes the tenant's part of the labels left of the suffix.
func (r *row) host(left string) (at place, ok bool) {
	at = place{service: r.service, paths: r.paths}
	switch r.take {
	case exact:
		return at, left == "" || left == "www"
	case within:
		return at, true
	case last:
		at.tenant = left[strings.LastIndexByte(left, '.')+1:]
	case first:
		at.tenant, _, _ = strings.Cut(left, ".")
	case all:
		at.tenant = left
	case region:
		left = strings.TrimSuffix(left, ".cdn")
		i := strings.LastIndexByte(left, '.')
		at.tenant, at.zone = left[:max(i, 0)], left[i+1:]
	case marked:
		return r.mark(left)
	default:
		return at, false
	}
	return at, true
}

// shorten leaves of a host part what stands for the customer.
func (r *row) shorten(tenant string) string {
	if r.labels != "" && word(r.labels, tenant) {
		return ""
	}
	if r.after != "" {
		if i := strings.LastIndex(tenant, r.after); i >= 0 {
			tenant = tenant[i+len(r.after):]
		}
	}
	if r.before != "" {
		tenant, _, _ = strings.Cut(tenant, r.before)
	}
	if r.drop != "" {
		for ending := range strings.FieldsSeq(r.drop) {
			tenant = strings.TrimSuffix(tenant, ending)
		}
	}
	return tenant
}

// word says whether w is one of the words of text.
func word(text, w string) bool {
	for each := range strings.FieldsSeq(text) {
		if each == w {
			return true
		}
	}
	return false
}

// mark finds the last label that marks a service, and what lies before it.
func (r *row) mark(left string) (at place, ok bool) {
	for end := len(left); end > 0; {
		start := strings.LastIndexByte(left[:end], '.') + 1
		label := left[start:end]
		for m := range strings.FieldsSeq(r.marks) {
			name, patterns, _ := strings.Cut(m, "=")
			if label != name && !(strings.HasPrefix(label, name) && label[len(name)] == '-') {
				continue
			}
			at = place{tenant: strings.TrimSuffix(left[:start], "."), zone: strings.TrimPrefix(left[end:], "."), service: r.service}
			if at.service == "" {
				at.service = name + r.realm
			}
			if name == "s3" {
				at.tenant, at.service = bucket(at.tenant, label, at.service)
			}
			at.paths = strings.ReplaceAll(patterns, ",", " ")
			return at, true
		}
		end = start - 1
	}
	return place{}, false
}

// bucket sorts the other name spaces of S3 out: an access point may be called like somebody else's bucket.
func bucket(left, mark, service string) (tenant, kind string) {
	if i := strings.Index(left, "vpce-"); i >= 0 { // bucket.vpce-1a2b.s3.eu-west-1.vpce, with or without a bucket before that
		left = strings.TrimSuffix(strings.TrimSuffix(left[:i], "."), "bucket")
		left = strings.TrimSuffix(left, ".")
	}
	switch {
	case strings.HasSuffix(left, ".accesspoint"):
		return strings.TrimSuffix(left, ".accesspoint"), service + "-accesspoint"
	case strings.HasPrefix(mark, "s3-accesspoint"):
		return left, service + "-accesspoint"
	case strings.HasPrefix(mark, "s3-object-lambda"):
		return left, service + "-object-lambda"
	case strings.HasPrefix(mark, "s3-outposts"):
		return left, service + "-outposts"
	case strings.HasPrefix(mark, "s3-control"):
		return left, service + "-control"
	}
	return left, service
}
