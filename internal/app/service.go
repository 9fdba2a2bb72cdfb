package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"reflect"
	"sync"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/admin"
	"weir/internal/ca"
	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/proxy"
	"weir/proxy/upstream"
	"weir/resolver"
)

// Service is a weir put together. Start makes it run, Reload swaps its policy, Stop drains it.
type Service struct {
	core      *core
	started   *config.File // what was in force at the start
	version   string
	log       *slog.Logger
	events    recorder
	authority *ca.Authority
	resolver  *resolver.Resolver
	transport *upstream.Transport
	proxy     *proxy.Server
	admin     *admin.Server
	control   *admin.Control

	listeners listeners
	reloading chan struct{}   // holds one value during a reload
	running   sync.WaitGroup  // every goroutine that this package starts
	life      context.Context // from Start to Stop: what is begun by a request outlives it
	stop      context.CancelFunc
	failed    chan error // the first listener that died

	mu       sync.Mutex         // guards what follows
	stopList context.CancelFunc // ends the refreshing of the lists now in force
	ready    bool
	stopping bool
	reloads  counters
}

// counters of what only the composition root sees.
type counters struct {
	done, failed int
	last         time.Time
}

// New puts a weir together from a config file; nothing listens yet. What can fail fails here: data directory, certificate
// authority, policy, roots.
func New(ctx context.Context, f *File, s Streams, version string) (*Service, error) {
	log := newLogger(f.Log, s.Err)
	if found := files(f); len(found) > 0 {
		return nil, found
	}
	f.dir = f.DataDir()
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if warning := checkDataDir(f.dir); warning != "" {
		log.Warn("data directory", "dir", f.dir, "warning", warning)
	}
	authority, err := caOptions(f.File).Open(f.CADir())
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	events, err := newRecorder(f.Events, version, log)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	k, err := newCore(ctx, f, coreConfig{recorder: events, log: log, clock: time.Now})
	if err != nil {
		return nil, err
	}
	return assemble(f, &Service{core: k, version: version, log: log, events: events, authority: authority})
}

// assemble completes a Service: it makes the data paths and the admin listener.
func assemble(f *File, w *Service) (*Service, error) {
	w.started, w.failed, w.reloading = f.File, make(chan error, 8), make(chan struct{}, 1)
	if err := w.assemble(f); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Service) assemble(f *File) error {
	pool, err := roots(f.File)
	if err != nil {
		return err
	}
	if w.resolver, err = newResolver(f.File, w.core.gate, w.log, true); err != nil {
		return err
	}
	w.listeners.resolver = w.resolver.Addrs()
	l := &f.Proxy.Limits
	w.transport = upstream.New(upstream.Config{
		Resolver: addresses{w.resolver}, Roots: pool, MinTLS: minTLS(f.Proxy.Upstream.MinTLS), DialTimeout: l.DialTimeout.Std(),
		TLSTimeout: l.TLSHandshakeTimeout.Std(), HeaderTimeout: l.ResponseHeaderTimeout.Std(), StreamTimeout: l.TunnelIdleTimeout.Std(),
		OwnAddrs: w.listeners.addrs,
	})
	w.proxy, err = proxy.New(proxy.Config{
		Gate: w.core.gate, Authority: w.authority, Upstream: w.transport, OwnAddrs: w.listeners.addrs, MaxConns: l.MaxConnections,
		MaxPerClient: l.MaxConnectionsPerClient, Log: w.log,
		Timeouts: proxy.Timeouts{
			Header: l.HeaderTimeout.Std(), Idle: l.IdleTimeout.Std(), Handshake: l.TLSHandshakeTimeout.Std(),
			TunnelIdle: l.TunnelIdleTimeout.Std(), TunnelLife: l.TunnelLifetime.Std(),
		},
	})
	if err != nil {
		return err
	}
	return w.assembleAdmin(f)
}

// addresses lets the proxy use our own resolver.
type addresses struct{ *resolver.Resolver }

// Addresses implements [upstream.Resolver].
func (a addresses) Addresses(ctx context.Context, name hostname.Name) (upstream.Answer, error) {
	out, err := a.Resolver.Addresses(ctx, name)
	return upstream.Answer{Addrs: out.Addrs, Chain: out.Chain}, err
}

var _ upstream.Resolver = addresses{}

// newResolver makes the resolver of a config file and binds its sockets; listening says whether it serves clients.
func newResolver(f *config.File, g *gate.Gate, log *slog.Logger, listening bool) (*resolver.Resolver, error) {
	r := &f.Resolver
	cfg := resolver.Config{
		Upstreams: upstreams(f), Timeout: r.Timeout.Std(), CacheEntries: r.Cache.Entries, MinTTL: r.Cache.MinTTL.Std(),
		MaxTTL: r.Cache.MaxTTL.Std(), NegativeTTL: r.Cache.NegativeTTL.Std(), Log: log,
		Scoped: func(s *policy.Snapshot, v verdict.Verdict) bool { return s.Scoped(v) },
	}
	if listening {
		for _, a := range r.Listen {
			cfg.Listen = append(cfg.Listen, a.AddrPort)
		}
	}
	return resolver.New(g, cfg)
}

func upstreams(f *config.File) resolver.Upstreams {
	var u resolver.Upstreams
	for _, a := range f.Resolver.Upstreams {
		u.Servers = append(u.Servers, a.AddrPort)
	}
	for _, n := range f.Internal.Zones {
		u.InternalZones = append(u.InternalZones, n.Name)
	}
	for _, a := range f.Internal.Upstreams {
		u.Internal = append(u.Internal, a.AddrPort)
	}
	return u
}

// follow keeps the lists now in force current until they are replaced or the service stops.
func (w *Service) follow(m *source.Manager) {
	ctx, cancel := context.WithCancel(w.life)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping { // a reload that came too late
		cancel()
		return
	}
	if w.stopList != nil {
		w.stopList()
	}
	w.stopList = cancel
	w.running.Go(func() {
		err := m.Run(ctx, func(set *blocklists.Set) {
			if err := w.core.relist(m, set); err != nil {
				w.log.Error("new lists do not fit the policy: the old ones stay", "error", err)
				return
			}
			w.showLists(m) // the files of a directory come and go
			w.swapped("lists changed")
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			w.log.Error("lists are no longer refreshed", "error", err)
		}
	})
}

// swapped admits what is live again under the policy now in force.
func (w *Service) swapped(why string) {
	cut := w.proxy.Recheck(time.Now())
	w.log.Info("policy swapped", "why", why, "version", w.core.gate.Policy().Version(), "cut", cut)
}

// Reload reads the config file again and swaps policy and lists, without touching a connection that is still allowed. When
// anything is wrong nothing changes, and the error says what. restart names the keys that differ from what the process started
// with and wait for a restart.
func (w *Service) Reload(ctx context.Context) (restart []string, err error) {
	select { // one at a time
	case w.reloading <- struct{}{}:
		defer func() { <-w.reloading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	restart, err = w.reload(ctx)
	w.mu.Lock()
	w.reloads.last = time.Now()
	if err != nil {
		w.reloads.failed++
	} else {
		w.reloads.done++
	}
	w.mu.Unlock()
	if err != nil {
		for _, p := range Problems(err) {
			w.log.Error("reload refused, the old policy stays", "problem", p)
		}
	}
	return restart, err
}

func (w *Service) reload(ctx context.Context) (restart []string, err error) {
	old := w.core.current()
	f, err := Load(old.Path)
	if err != nil {
		return nil, err
	}
	f.dir = old.dir
	next, err := w.core.prepare(ctx, f, false)
	if err != nil {
		return nil, err
	}
	restart = needRestart(w.started, f.File)
	for _, key := range restart {
		w.log.Warn("this key changes with the next start only", "key", key)
	}
	w.core.commit(next)
	if !reflect.DeepEqual(upstreams(old.File), upstreams(f.File)) {
		if err := w.resolver.SetUpstreams(upstreams(f.File)); err != nil {
			w.log.Warn("no DNS upstream", "error", err)
		}
	}
	w.showLists(next.lists)
	w.follow(next.lists)
	w.swapped("reload")
	w.record("reloaded the policy")
	return restart, nil
}

// record writes an event about the program itself.
func (w *Service) record(message string) {
	w.core.gate.Record(&event.Event{
		ID: event.NewID(), Kind: event.KindSystem, Time: time.Now(), Policy: w.core.gate.Policy().Version(), Message: message,
	})
}

// listeners are the sockets that a Service listens on.
type listeners struct {
	mu       sync.Mutex
	tcp      []net.Listener // of the proxy
	admin    net.Listener
	resolver []netip.AddrPort
}

// addrs returns every address that is listened on: none of them is a target.
func (l *listeners) addrs() (out []netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.tcp
	if l.admin != nil {
		all = append(all[:len(all):len(all)], l.admin)
	}
	for _, one := range all {
		if a, err := netip.ParseAddrPort(one.Addr().String()); err == nil {
			out = append(out, a)
		}
	}
	return append(out, l.resolver...)
}
