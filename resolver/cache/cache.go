// Package cache keeps unfiltered answers, and joins identical questions that are under way. It knows no policy: the filter runs on
// what comes out of it, for every client, every time. Layer L5.
package cache

import (
	"fmt"
	"hash/maphash"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"weir/resolver/answer"
	"weir/resolver/query"
)

// maxShards bounds how finely the lock is split: well above the cores of the machines meant, and a power of two.
const maxShards = 32

// perShard is the least size worth a shard of its own.
const perShard = 256

// MaxWire is the largest answer kept, in octets of the upstream's packet: longer ones are rare, and a hostile zone must not turn
// entries into gigabytes.
const MaxWire = 4096

// Entry is an answer with its life.
type Entry struct {
	Answer  *answer.Answer
	Stored  time.Time
	Expires time.Time
}

// Age returns how long ago the entry was stored, in seconds.
func (e Entry) Age(now time.Time) uint32 {
	return uint32(max(now.Sub(e.Stored), 0) / time.Second)
}

// Cache maps questions to answers. Each shard is an LRU with a lock of its own; expiry is in the value. The nil Cache keeps nothing.
// It is safe for concurrent use.
type Cache struct {
	seed   maphash.Seed
	shards []*lru.Cache[query.Key, Entry]
}

// New makes a Cache of about so many answers; nil for 0 or less.
func New(entries int) (*Cache, error) {
	if entries <= 0 {
		return nil, nil
	}
	n := 1
	for n < maxShards && entries/(n*2) >= perShard {
		n *= 2
	}
	c := &Cache{seed: maphash.MakeSeed()}
	for range n {
		shard, err := lru.New[query.Key, Entry]((entries + n - 1) / n)
		if err != nil {
			return nil, fmt.Errorf("cache of %d entries: %w", entries, err)
		}
		c.shards = append(c.shards, shard)
	}
	return c, nil
}

func (c *Cache) shard(key query.Key) *lru.Cache[query.Key, Entry] {
	return c.shards[maphash.Comparable(c.seed, key)%uint64(len(c.shards))]
}

// Get returns a live answer. One whose time is over is forgotten.
func (c *Cache) Get(key query.Key, now time.Time) (Entry, bool) {
	if c == nil {
		return Entry{}, false
	}
	shard := c.shard(key)
	e, ok := shard.Get(key)
	if ok && !now.Before(e.Expires) {
		shard.Remove(key)
		return Entry{}, false
	}
	return e, ok
}

// Put keeps an answer for as long as its TTL says, and returns its entry. What has no TTL, or is larger than [MaxWire], is not kept.
func (c *Cache) Put(key query.Key, a *answer.Answer, now time.Time) Entry {
	e := Entry{Answer: a, Stored: now, Expires: now.Add(a.TTL)}
	if c != nil && a.TTL > 0 && a.Wire <= MaxWire {
		c.shard(key).Add(key, e)
	}
	return e
}

// Purge forgets everything.
func (c *Cache) Purge() {
	if c == nil {
		return
	}
	for _, shard := range c.shards {
		shard.Purge()
	}
}

// Len counts the answers kept, those whose time is over included.
func (c *Cache) Len() int {
	n := 0
	if c != nil {
		for _, shard := range c.shards {
			n += shard.Len()
		}
	}
	return n
}
