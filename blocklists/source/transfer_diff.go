package source

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// maxDiff bounds the differences that are kept in memory, in octets; a server with more to say is asked for the whole zone.
const maxDiff = 32 << 20

// difference is what IXFR says about a zone, all its steps in one: for each record whether the zone must have held it before
// the first step, and whether it holds it after the last.
type difference struct {
	changes map[string]change
	size    int
	removed int
	added   int
}

type change struct {
	had bool // before; as the first step that speaks of it implies
	has bool // now
	ttl uint32
}

func newDifference() *difference { return &difference{changes: make(map[string]change)} }

// remove takes a record out: it must be there.
func (d *difference) remove(r zoneRecord) error {
	c, known := d.changes[r.key]
	if known && !c.has {
		return fmt.Errorf("%w: %.80q is removed twice", errInconsistent, r.key)
	}
	d.removed++
	return d.set(r.key, known, change{had: !known || c.had})
}

// add puts a record in: it must not be there.
func (d *difference) add(r zoneRecord) error {
	c, known := d.changes[r.key]
	if known && c.has {
		return fmt.Errorf("%w: %.80q is added twice", errInconsistent, r.key)
	}
	d.added++
	return d.set(r.key, known, change{had: c.had, has: true, ttl: r.ttl})
}

func (d *difference) set(key string, known bool, c change) error {
	if !known {
		if d.size += len(key) + 64; d.size > maxDiff { // 64: what the map adds, about
			return fmt.Errorf("%w: more than %d octets of them", errInconsistent, maxDiff)
		}
	}
	d.changes[key] = c
	return nil
}

// apply returns the records of the zone after the difference. Whatever does not fit, be it at the very end, is an error of next.
func (d *difference) apply(before records) records {
	out := &applied{difference: d, before: before}
	for _, key := range slices.Sorted(maps.Keys(d.changes)) {
		c := d.changes[key]
		if c.had {
			out.expected++
		} else if c.has {
			out.fresh = append(out.fresh, key)
		}
	}
	return out
}

// applied merges what stays with what is new.
type applied struct {
	*difference
	before   records
	fresh    []string // keys to put in, in order
	expected int      // records that must still be met in before
	ahead    zoneRecord
	last     string // key read last
	ended    bool
}

var _ records = (*applied)(nil)

func (a *applied) next() (zoneRecord, error) {
	if a.ahead.key == "" && !a.ended {
		if err := a.advance(); err != nil {
			return zoneRecord{}, err
		}
	}
	if len(a.fresh) > 0 && (a.ended || a.fresh[0] < a.ahead.key) {
		key := a.fresh[0]
		a.fresh = a.fresh[1:]
		return zoneRecord{key, a.changes[key].ttl}, nil
	}
	if a.ended {
		return zoneRecord{}, io.EOF
	}
	r := a.ahead
	a.ahead = zoneRecord{}
	return r, nil
}

// advance reads the next record that stays.
func (a *applied) advance() error {
	for {
		r, err := a.before.next()
		if errors.Is(err, io.EOF) {
			a.ended = true
			if a.expected > 0 {
				return fmt.Errorf("%w: %d records that they remove are not there", errInconsistent, a.expected)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if r.key <= a.last {
			return fmt.Errorf("%w: the copy is not in order", errInconsistent)
		}
		a.last = r.key
		c, changed := a.changes[r.key]
		switch {
		case !changed:
			a.ahead = r
			return nil
		case !c.had:
			return fmt.Errorf("%w: %.80q is added and there already", errInconsistent, r.key)
		}
		a.expected--
		if c.has {
			a.ahead = zoneRecord{r.key, c.ttl}
			return nil
		}
	}
}
