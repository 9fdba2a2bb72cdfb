package listener

import (
	"net/netip"
	"sync"
	"time"
)

// networkBits is what one IPv6 client has to itself: it may use any address in its /64 (RFC 8981, RFC 6177).
const networkBits = 64

// Client returns what counts as one client: an IPv4 address, or the /64 of an IPv6 address.
func Client(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	p, _ := addr.Prefix(min(addr.BitLen(), networkBits)) // an invalid address is the zero Prefix: one client
	return p
}

// routeShare: one route may hold three times what is left, which is three quarters of all when it is alone, so that servers that
// went silent leave room for the names that others answer.
const routeShare = 3

// Fair bounds work under way, in all, for each route and for each client. The fuller it is, the less each may hold (the dynamic
// thresholds of Choudhury and Hahne, 1998): a few greedy clients never leave a newcomer without a place. It is safe for concurrent
// use.
type Fair struct {
	total, perClient int

	mu      sync.Mutex
	used    int
	clients map[netip.Prefix]int
	routes  map[int]int
}

// NewFair makes a Fair of so many places in all, and at most so many for one client.
func NewFair(total, perClient int) *Fair {
	return &Fair{total: total, perClient: perClient, clients: map[netip.Prefix]int{}, routes: map[int]int{}}
}

// Enter takes a place for a client on a route, and says whether there was one. Each true must be followed by one Leave with the
// same arguments.
func (f *Fair) Enter(client netip.Prefix, route int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := routeShare*(f.total-f.used) - f.routes[route]
	if f.clients[client] >= min(f.perClient, room, f.total-f.used) {
		return false
	}
	f.used++
	f.clients[client]++
	f.routes[route]++
	return true
}

// Leave gives a place back.
func (f *Fair) Leave(client netip.Prefix, route int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used--
	if f.clients[client]--; f.clients[client] <= 0 {
		delete(f.clients, client)
	}
	if f.routes[route]--; f.routes[route] <= 0 {
		delete(f.routes, route)
	}
}

// Used counts the places taken.
func (f *Fair) Used() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// Rate allows something so many times in each second of the clock. It is safe for concurrent use; the zero Rate allows nothing.
type Rate struct {
	PerSecond int

	mu     sync.Mutex
	second int64
	done   int
}

// Allow says whether it may be done once more now.
func (r *Rate) Allow(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := now.Unix(); s != r.second {
		r.second, r.done = s, 0
	}
	if r.done >= r.PerSecond {
		return false
	}
	r.done++
	return true
}

// maxClients bounds what Once remembers, and with it what it allows in one minute. It is no LRU on purpose: one that forgets would
// allow everything to whoever changes his address faster than it fills.
const maxClients = 256

// Once allows something once for each client in each minute of the clock, and at most 256 times in all. The zero Once is ready; it
// is safe for concurrent use.
type Once struct {
	mu     sync.Mutex
	minute int64
	seen   map[netip.Prefix]struct{}
}

// Allow says whether it is this client's first time in this minute.
func (o *Once) Allow(client netip.Prefix, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := now.Unix() / 60; m != o.minute || o.seen == nil {
		o.minute, o.seen = m, map[netip.Prefix]struct{}{}
	}
	if _, again := o.seen[client]; again || len(o.seen) >= maxClients {
		return false
	}
	o.seen[client] = struct{}{}
	return true
}
