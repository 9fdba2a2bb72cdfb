package format

import (
	"hash/maphash"
	"strings"

	"github.com/miekg/dns"

	"weir/blocklists/set"
)

// unboundZones knows what local zones and local data say together: data belong to the nearest zone above them, whose type says
// whether they count and what becomes of the names that have none. Both may stand in any order, so most is decided at the end;
// of what blocks by the million (always_ zones, and addresses that lead nowhere) only hashes are kept.
type unboundZones struct {
	p     *parser
	seed  maphash.Seed
	kinds map[uint64]string // by hash of the zone: its type, a constant of zoneTypes
	sunk  map[uint64]bool   // by hash of the name: it has an address that leads nowhere
	zones []heldZone
	held  []heldData
	told  map[string]bool // names that have data
}

// heldZone is a zone that data change.
type heldZone struct {
	name string
	kind string
	line uint32
}

// heldData is one record.
type heldData struct {
	name, record string
	qtype        uint16
	line         uint32
}

// zoneTypes are the types of zones that we can express, and how they answer for names without data. An unbound that refuses
// answers REFUSED, for which lists have no word: that is left to the policy, as is the null address.
var zoneTypes = map[string]Entry{
	"always_nxdomain": {Reply: set.ReplyNXDOMAIN}, "always_nodata": {Reply: set.ReplyNoData}, "always_deny": {Reply: set.ReplyDrop},
	"always_refuse": {}, "always_null": {}, "always_transparent": {Exception: true},
	"static": {Reply: set.ReplyNXDOMAIN}, "deny": {Reply: set.ReplyDrop}, "inform_deny": {Reply: set.ReplyDrop}, "refuse": {},
	"truncate": {Reply: set.ReplyTCPOnly}, "block_a": {Reply: set.ReplyNoData, Types: set.NewTypes(false, dns.TypeA)},
	"redirect": {}, "inform_redirect": {},
	"transparent": {Exception: true}, "inform": {Exception: true}, "typetransparent": {Exception: true},
}

func newUnboundZones(p *parser) unboundZones {
	return unboundZones{p: p, seed: maphash.MakeSeed(), kinds: map[uint64]string{}, sunk: map[uint64]bool{}, told: map[string]bool{}}
}

// zoneKey is one form for one name.
func zoneKey(name string) string { return strings.ToLower(strings.TrimSuffix(plainName(name), ".")) }

func (z *unboundZones) hash(key string) uint64 { return maphash.String(z.seed, key) }

// ignoresData says whether a type of zone takes no notice of data.
func ignoresData(kind string) bool { return strings.HasPrefix(kind, "always_") || kind == "truncate" }

// add takes a zone on the line that is read; ok is false for a type that neither blocks nor lets through.
func (z *unboundZones) add(name, kind string) (ok bool) {
	e, ok := zoneTypes[kind]
	if !ok {
		return false
	}
	key := zoneKey(name)
	z.kinds[z.hash(key)] = kind
	if ignoresData(kind) {
		z.put(key, e)
		return true
	}
	z.zones = append(z.zones, heldZone{strings.Clone(key), kind, z.p.line})
	z.p.held++
	return true
}

// sink takes an address that leads nowhere: it blocks the name alone, whatever zone it stands in.
func (z *unboundZones) sink(name string) {
	key := zoneKey(name)
	z.sunk[z.hash(key)] = true
	z.p.putHost(key, Entry{Scope: set.Exact})
}

// data takes any other record.
func (z *unboundZones) data(name, kind, record string) {
	key := strings.Clone(zoneKey(name))
	qtype := dns.StringToType[kind] // known: the record was read
	z.held = append(z.held, heldData{key, record, qtype, z.p.line})
	z.told[key] = true
	z.p.held++
}

// end emits what was held back.
func (z *unboundZones) end() {
	z.p.held = 0
	for _, d := range z.held {
		z.putData(d)
	}
	for _, h := range z.zones {
		z.putZone(h)
	}
}

// above finds the type of the nearest zone that holds a name, and whether it is the zone of that name; "" when there is none.
func (z *unboundZones) above(name string) (kind string, own bool) {
	for own = true; ; own = false {
		if kind, ok := z.kinds[z.hash(name)]; ok {
			return kind, own
		}
		_, rest, more := strings.Cut(name, ".")
		if !more && name == "" {
			return "", false
		}
		name = rest
	}
}

func (z *unboundZones) putData(d heldData) {
	e := Entry{Scope: set.Exact, Reply: set.ReplyData, Data: d.record, Line: d.line}
	kind, own := z.above(d.name)
	redirect := kind == "redirect" || kind == "inform_redirect"
	switch {
	case ignoresData(kind), redirect && !own:
		z.p.skipAt(d.line, ReasonShadowed, d.name+" "+d.record)
		return
	case redirect:
		e.Scope = set.Suffix
	case kind == "typetransparent", strings.HasSuffix(kind, "deny"), strings.HasSuffix(kind, "refuse"):
		e.Types = set.NewTypes(false, d.qtype)
	}
	z.p.putName(d.name, e)
}

// putZone emits what a zone says of all names in it; data, which are nearer, say more. Those of a redirected zone answer for all of it.
func (z *unboundZones) putZone(h heldZone) {
	if strings.HasSuffix(h.kind, "redirect") && z.told[h.name] && !z.sunk[z.hash(h.name)] {
		return
	}
	e := zoneTypes[h.kind]
	e.Line = h.line
	z.put(h.name, e)
}

// put emits a zone; that of the root is everything.
func (z *unboundZones) put(name string, e Entry) {
	if name == "" {
		if e.Line == 0 {
			e.Line = z.p.line
		}
		z.p.skipAt(e.Line, ReasonTooBroad, ".")
		return
	}
	z.p.putTarget(name, e)
}
