// Package blocklists answers, for a name, an address, a URL or a fingerprint, which entries of which lists speak of it. A [Set] is an immutable
// snapshot of all lists; policy swaps it together with its rules by one pointer. Layer: below policy; no I/O.
//
//	blocklists/format   text of a list -> entries and diagnostics
//	blocklists/source   files and HTTPS -> last good copies on disk -> a new Set
//	blocklists/lists    the small lists that are built in
//	blocklists/set      the types of this package
//
// The types live in blocklists/set and are aliased here, so that format and source, which need them, do not import their
// parent (architecture rule: a subpackage never imports its parent, shared types sit lowest).
package blocklists

import "weir/blocklists/set"

// The vocabulary of lists; see package set for each.
type (
	Set       = set.Set
	Builder   = set.Builder
	List      = set.List
	Entry     = set.Entry
	Match     = set.Match
	Scope     = set.Scope
	Trigger   = set.Trigger
	Reply     = set.Reply
	Types     = set.Types
	Kinds     = set.Kinds
	Class     = set.Class
	Action    = set.Action
	Stats     = set.Stats
	ListStats = set.ListStats
)

// Classes of a list; the zero value is bad.
const (
	ClassBad       = set.ClassBad
	ClassUntrusted = set.ClassUntrusted
	ClassShared    = set.ClassShared
	ClassKnown     = set.ClassKnown
)

// Actions of a list; the zero value leaves it to the class.
const (
	ActionByClass = set.ActionByClass
	ActionBlock   = set.ActionBlock
	ActionLog     = set.ActionLog
	ActionAllow   = set.ActionAllow
)

// Scopes of an entry; the zero value is a name and everything below it.
const (
	Suffix = set.Suffix
	Exact  = set.Exact
	Below  = set.Below
)

// Triggers of an entry; the zero value is what the question is about.
const (
	Target = set.Target
	Client = set.Client
	Server = set.Server
)

// Replies of an entry; the zero value leaves it to list and policy.
const (
	ReplyPolicy   = set.ReplyPolicy
	ReplyNXDOMAIN = set.ReplyNXDOMAIN
	ReplyNoData   = set.ReplyNoData
	ReplyDrop     = set.ReplyDrop
	ReplyTCPOnly  = set.ReplyTCPOnly
	ReplyData     = set.ReplyData
)

// Kinds of entries, for [Set.Holds].
const (
	KindName        = set.KindName
	KindAddr        = set.KindAddr
	KindURL         = set.KindURL
	KindFingerprint = set.KindFingerprint
	KindClient      = set.KindClient
	KindServer      = set.KindServer
	KindServerAddr  = set.KindServerAddr
)

// NewTypes makes a set of DNS types; see [set.NewTypes].
func NewTypes(except bool, types ...uint16) Types { return set.NewTypes(except, types...) }

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return set.NewBuilder() }
