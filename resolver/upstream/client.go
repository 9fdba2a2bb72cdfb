// Package upstream asks the servers that queries are forwarded to. What is sent is built from a query.Key alone: nothing of a
// client's packet gets through it. Layer L5.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/query"
)

// Errors of [Client.Exchange].
var (
	// ErrNone means that no server is configured, or that all of them are ourselves.
	ErrNone = errors.New("no upstream server")
	// ErrMismatch means that replies came that do not belong to the query.
	ErrMismatch = errors.New("reply does not belong to the query")
)

// The health of a server.
const (
	// failuresToRest: two lost queries in a row are no chance.
	failuresToRest = 2
	// restFor is how long a failing server is asked last only; then one query tries it in its place, and when that fails too it rests
	// again: all others never wait for it.
	restFor = 10 * time.Second
)

// Zone sends names at and below some zones to servers of their own.
type Zone struct {
	Names   []hostname.Name
	Servers []netip.AddrPort
}

// Servers say where queries go. The first zone that holds a name takes it; names of no zone go to Default.
type Servers struct {
	Default []netip.AddrPort
	Zones   []Zone
}

// Config is what a Client is made of.
type Config struct {
	Servers Servers
	Timeout time.Duration    // for one query at all servers together; 0: 3 s
	Now     func() time.Time // nil: time.Now
}

// defaultTimeout is that of most stubs for a first try, less some time for our own answer (glibc waits 5 s).
const defaultTimeout = 3 * time.Second

// Client asks upstream servers. It is safe for concurrent use.
type Client struct {
	timeout time.Duration
	now     func() time.Time
	routes  atomic.Pointer[routes]
	stats   Stats
}

// Stats counts what happened. Every field only grows.
type Stats struct {
	Queries  atomic.Uint64 // sent, retries included
	Failures atomic.Uint64 // no usable reply from one server
	Mismatch atomic.Uint64 // replies ignored because they belong to no query
	TCP      atomic.Uint64 // queries sent over TCP
}

type server struct {
	addr     netip.AddrPort
	failures atomic.Int32 // in a row
	resting  atomic.Int64 // until, in Unix nanoseconds
}

type routes struct {
	zones []route
	rest  []*server
}

type route struct {
	names   []hostname.Name
	servers []*server
}

// New makes a Client.
func New(cfg Config) *Client {
	c := &Client{timeout: cfg.Timeout, now: cfg.Now}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.Set(cfg.Servers)
	return c
}

// Set replaces the servers for queries that begin from now on.
func (c *Client) Set(s Servers) {
	r := &routes{rest: wrap(s.Default)}
	for _, z := range s.Zones {
		r.zones = append(r.zones, route{names: z.Names, servers: wrap(z.Servers)})
	}
	c.routes.Store(r)
}

func wrap(addrs []netip.AddrPort) []*server {
	out := make([]*server, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, &server{addr: a})
	}
	return out
}

// Timeout is how long one query may take at all servers together.
func (c *Client) Timeout() time.Duration { return c.timeout }

// Stats returns the counters.
func (c *Client) Stats() *Stats { return &c.stats }

// Reply is what a server answered.
type Reply struct {
	Msg    *dns.Msg
	Wire   int    // octets
	Server string // address and port
}

// Exchange asks the servers of the name, healthy ones first, until one answers with something other than a failure. When all of
// them fail, the last failure that came as a reply is returned, or an error.
func (c *Client) Exchange(ctx context.Context, key query.Key) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	servers := c.order(key.Name)
	if len(servers) == 0 {
		return Reply{}, ErrNone
	}
	if len(servers) == 1 {
		servers = append(servers, servers[0]) // for a datagram that is lost
	}
	var failed Reply
	var problems []error
	for i, s := range servers {
		reply, err := c.try(ctx, s, key, len(servers)-i)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", s.addr, err))
		case usable(reply.Msg.Rcode):
			return reply, nil
		default:
			failed = reply
		}
		if ctx.Err() != nil || failed.Server == servers[len(servers)-1].addr.String() {
			break
		}
	}
	if failed.Msg != nil {
		return failed, nil
	}
	return Reply{}, errors.Join(problems...)
}

func usable(rcode int) bool { return rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError }

// try gives one server its share of the time that is left.
func (c *Client) try(ctx context.Context, s *server, key query.Key, left int) (Reply, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	m, size, err := c.ask(ctx, s.addr.String(), key)
	if err != nil {
		c.stats.Failures.Add(1)
		if s.failures.Add(1) >= failuresToRest {
			s.resting.Store(c.now().Add(restFor).UnixNano())
		}
		return Reply{}, err
	}
	s.failures.Store(0)
	s.resting.Store(0)
	return Reply{Msg: m, Wire: size, Server: s.addr.String()}, nil
}

// order lists the servers for a name: those that rest come last, for a tired server is better than none.
func (c *Client) order(name hostname.Name) []*server {
	r := c.routes.Load()
	all := r.rest
	if i := r.find(name); i > 0 {
		all = r.zones[i-1].servers
	}
	now := c.now()
	out := make([]*server, 0, len(all)+1)
	var tired []*server
	for _, s := range all {
		if s.rests(now) {
			tired = append(tired, s)
		} else {
			out = append(out, s)
		}
	}
	return append(out, tired...)
}

// rests says whether a server is to be asked last. Of the queries that come when its rest is over, one is told that it does not.
func (s *server) rests(now time.Time) bool {
	until := s.resting.Load()
	return until != 0 && (until > now.UnixNano() || !s.resting.CompareAndSwap(until, now.Add(restFor).UnixNano()))
}

// Route says which servers a name goes to: 0 for the default ones, otherwise the number of its zone, from 1. The numbers hold until
// the next Set.
func (c *Client) Route(name hostname.Name) int { return c.routes.Load().find(name) }

func (r *routes) find(name hostname.Name) int {
	return 1 + slices.IndexFunc(r.zones, func(z route) bool { return covers(z.names, name) })
}

func covers(zones []hostname.Name, name hostname.Name) bool {
	return slices.ContainsFunc(zones, name.Within)
}
