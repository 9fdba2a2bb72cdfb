package resolver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/resolver/answer"
	"weir/resolver/cache"
	"weir/resolver/listener"
	"weir/resolver/upstream"
)

// Config is what a Resolver is made of. Numbers and times that are zero take the default, but for those of the cache.
type Config struct {
	Listen    []netip.AddrPort // UDP and TCP each; empty: nobody is served, Addresses still works
	Upstreams Upstreams
	Timeout   time.Duration // for one query at all upstreams together; default 3 s

	CacheEntries int           // answers kept; 0: none
	MinTTL       time.Duration // answers are kept at least so long; 0: their own TTL
	MaxTTL       time.Duration // and at most so long; default a day
	NegativeTTL  time.Duration // answers without records at most so long; 0: not kept

	MaxPending          int // queries that wait for upstreams at once, in all; default 2048. Those beyond get SERVFAIL at once
	MaxPendingPerClient int // and of one IPv4 address or IPv6 /64; default 256

	// Limits of the listener; Listen and Handler in it are ignored.
	Limits listener.Config
	// Scoped says whether the rule, list or lock of a verdict speaks to some groups of clients only: its blocks are then "filtered"
	// (RFC 8914 section 4.18) instead of "blocked". Nil: never.
	Scoped func(*policy.Snapshot, verdict.Verdict) bool
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
}

// Upstreams say who answers what we do not know. Servers that are ourselves are left out.
type Upstreams struct {
	Servers       []netip.AddrPort // empty: those of SystemFile
	SystemFile    string           // in the form of resolv.conf(5); empty: /etc/resolv.conf
	InternalZones []hostname.Name  // names at and below go to InternalServers
	Internal      []netip.AddrPort // empty: the internal zones have no servers of their own
}

// defaultMaxTTL: a longer life helps nobody and keeps mistakes alive (RFC 8767 section 4 caps at a week).
const defaultMaxTTL = 24 * time.Hour

// Limits of those who ask.
const (
	// defaultPending holds about 64 MB of goroutines, sockets and buffers at the most.
	defaultPending = 2048
	// defaultPendingPerClient: a network behind one address has so many pages opening at once; of the 1536 for one set of servers it
	// leaves 5 out of 6 to others.
	defaultPendingPerClient = 256
	// refusalsPerSecond bounds what strangers are told, all together: enough for who asks why, too little for reflection.
	refusalsPerSecond = 20
)

// Stats counts queries. Every field only grows.
type Stats struct {
	Queries   atomic.Uint64 // all that came, whatever became of them
	Hits      atomic.Uint64 // answered from the cache
	Misses    atomic.Uint64 // not in the cache
	Shared    atomic.Uint64 // misses that joined another one's upstream query
	Local     atomic.Uint64 // answered from our own knowledge
	Blocked   atomic.Uint64 // refused or rewritten by the gate
	Malformed atomic.Uint64 // not one plain question
	Failed    atomic.Uint64 // no usable answer from any upstream
	OverLimit atomic.Uint64 // misses beyond MaxPending or MaxPendingPerClient
	Followed  atomic.Uint64 // further questions for chains that an upstream did not follow to their end
	Rewritten atomic.Uint64 // blocked with records of a list
	Servers   atomic.Uint64 // questions about name servers, for lists that ask about them
	// ServersUnknown counts zones and name servers that could not be found, and were let through.
	ServersUnknown atomic.Uint64
	Strangers      atomic.Uint64 // of clients that are not served
	Dropped        atomic.Uint64 // left without a reply on purpose
	Panics         atomic.Uint64
}

// Resolver answers DNS queries. It is safe for concurrent use.
type Resolver struct {
	gate  *gate.Gate
	cfg   Config
	now   func() time.Time
	log   *slog.Logger
	times answer.Times
	cache *cache.Cache
	// sought holds what was learnt about name servers a moment ago and is not in the cache.
	sought *cache.Cache
	flight cache.Flight
	client *upstream.Client
	server *listener.Server
	stats  Stats
	count  atomic.Int64 // upstream servers

	pending   *listener.Fair // queries that wait for upstreams
	seeking   *listener.Fair // questions about name servers under way
	refusals  listener.Rate  // replies to strangers
	strangers listener.Once  // events about them
	excess    listener.Once  // events that say that a client is over its limit

	ctx    context.Context // of upstream queries, which outlive the client that asked first
	cancel context.CancelFunc
}

// New makes a Resolver and binds its sockets, so that a port that is taken is an error before anything runs. A system without
// upstream servers is none: queries are then answered with SERVFAIL and an extended error until SetUpstreams finds one.
func New(g *gate.Gate, cfg Config) (*Resolver, error) {
	r := &Resolver{gate: g, cfg: cfg, now: cfg.Now, log: cfg.Log, refusals: listener.Rate{PerSecond: refusalsPerSecond}}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxTTL <= 0 {
		cfg.MaxTTL = defaultMaxTTL
	}
	r.times = answer.Times{Min: cfg.MinTTL, Max: cfg.MaxTTL, Negative: cfg.NegativeTTL}
	var err error
	if r.cache, err = cache.New(cfg.CacheEntries); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	if r.sought, err = cache.New(soughtEntries); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	if cfg.MaxPending <= 0 {
		cfg.MaxPending = defaultPending
	}
	if cfg.MaxPendingPerClient <= 0 {
		cfg.MaxPendingPerClient = defaultPendingPerClient
	}
	r.pending = listener.NewFair(cfg.MaxPending, cfg.MaxPendingPerClient)
	r.seeking = listener.NewFair(seekingTotal, seekingPerClient)
	limits := cfg.Limits
	limits.Listen, limits.Handler = cfg.Listen, r.Handle
	if r.server, err = listener.New(limits); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.client = upstream.New(upstream.Config{Timeout: cfg.Timeout, Now: cfg.Now})
	if err := r.SetUpstreams(cfg.Upstreams); err != nil {
		r.log.Warn("no DNS upstream", "error", err)
	}
	return r, nil
}

// ErrNoUpstream means that there is nobody to forward queries to. Queries are answered with SERVFAIL then.
var ErrNoUpstream = errors.New("no DNS upstream: none is configured and the system names none but ourselves")

// SetUpstreams replaces the upstream servers and forgets the answers of the old ones. On ErrNoUpstream the new state holds: there
// is none.
func (r *Resolver) SetUpstreams(u Upstreams) error {
	servers := u.Servers
	var problem error
	if len(servers) == 0 {
		servers, problem = upstream.System(u.SystemFile)
	}
	own := r.server.Addrs()
	set := upstream.Servers{Default: upstream.Without(servers, own)}
	if internal := upstream.Without(u.Internal, own); len(internal) > 0 && len(u.InternalZones) > 0 {
		set.Zones = []upstream.Zone{{Names: u.InternalZones, Servers: internal}}
	}
	r.client.Set(set)
	r.cache.Purge()
	r.sought.Purge()
	r.count.Store(int64(len(set.Default)))
	if len(set.Default) == 0 {
		return errors.Join(ErrNoUpstream, problem)
	}
	return nil
}

// Ready says whether there is an upstream to forward queries to.
func (r *Resolver) Ready() bool { return r.count.Load() > 0 }

// Addrs returns the addresses listened on.
func (r *Resolver) Addrs() []netip.AddrPort { return r.server.Addrs() }

// Serve answers queries until Shutdown, which must be called in any case.
func (r *Resolver) Serve() error { return r.server.Serve() }

// Shutdown stops taking queries and waits for those under way. When ctx ends first they are abandoned and its error is returned.
func (r *Resolver) Shutdown(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	r.cancel()
	r.flight.Wait()
	return err
}

// Stats returns the counters.
func (r *Resolver) Stats() *Stats { return &r.stats }

// ListenerStats returns the counters of the sockets.
func (r *Resolver) ListenerStats() *listener.Stats { return r.server.Stats() }

// UpstreamStats returns the counters of the upstream client.
func (r *Resolver) UpstreamStats() *upstream.Stats { return r.client.Stats() }

// Pending counts the queries that wait for upstreams now.
func (r *Resolver) Pending() int { return r.pending.Used() }

// CacheLen counts the answers kept.
func (r *Resolver) CacheLen() int { return r.cache.Len() }

// scoped asks the config's hook about a verdict.
func (r *Resolver) scoped(s *policy.Snapshot, v verdict.Verdict) bool {
	return r.cfg.Scoped != nil && s != nil && r.cfg.Scoped(s, v)
}
