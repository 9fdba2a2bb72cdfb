package app

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"weir/blocklists"
	"weir/blocklists/source"
	"weir/internal/admin"
	"weir/internal/event"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// number is a counter or gauge of a data path.
type number interface {
	*atomic.Uint64 | *atomic.Int64
}

func counter[N number](name, help string, n N, labels ...admin.Label) admin.Metric {
	return admin.Metric{Name: name, Help: help, Type: admin.Counter, Labels: labels, Value: func() float64 { return load64(n) }}
}

func gauge[N number](name, help string, n N, labels ...admin.Label) admin.Metric {
	m := counter(name, help, n, labels...)
	m.Type = admin.Gauge
	return m
}

func load64[N number](n N) float64 {
	switch v := any(n).(type) {
	case *atomic.Uint64:
		return float64(v.Load())
	case *atomic.Int64:
		return float64(v.Load())
	}
	return 0
}

func label(name, value string) admin.Label { return admin.Label{Name: name, Value: value} }

// metrics names every counter of the parts. Labels come from closed sets.
func (w *Service) metrics() []admin.Metric {
	out := w.gateMetrics()
	out = append(out, w.proxyMetrics()...)
	out = append(out, w.resolverMetrics()...)
	out = append(out, w.eventMetrics()...)
	out = append(out, w.reputationMetrics()...)
	return append(out, w.selfMetrics()...)
}

func (w *Service) gateMetrics() []admin.Metric {
	s := w.core.gate.Stats()
	var out []admin.Metric
	for p := inspect.HTTP; p <= inspect.DNS; p++ {
		for a := verdict.Block; a <= verdict.Allow; a++ {
			out = append(out, counter("weir_transactions_total", "Finished transactions by protocol and verdict.", &s.Verdicts[p][a],
				label("protocol", p.String()), label("verdict", a.String())))
		}
	}
	return append(out,
		counter("weir_findings_total", "Findings of detectors.", &s.Findings),
		counter("weir_safety_refusals_total", "Transactions refused for safety, whatever the policy.", &s.Safety),
		counter("weir_cut_total", "Live connections cut after a change of policy.", &s.Cut))
}

func (w *Service) proxyMetrics() []admin.Metric {
	s, c, h, u := w.proxy.Stats(), w.proxy.Connections(), w.proxy.Handshakes(), w.transport.Stats()
	return []admin.Metric{
		counter("weir_proxy_requests_total", "Requests that reached the filters.", &s.Requests),
		counter("weir_proxy_connects_total", "CONNECT requests.", &s.Connects),
		counter("weir_proxy_websockets_total", "WebSocket sessions.", &s.WebSockets),
		gauge("weir_proxy_tunnels", "Tunnels open now.", &s.Tunnels),
		counter("weir_proxy_panics_total", "Panics; each cost one transaction.", &s.Panics),
		counter("weir_proxy_anomalies_total", "Violations of HTTP/1 framing.", &s.Anomalies),
		counter("weir_proxy_connections_total", "Client connections accepted.", &c.Accepted),
		counter("weir_proxy_connections_refused_total", "Client connections above a limit.", &c.Refused),
		gauge("weir_proxy_connections", "Client connections open now.", &c.Open),
		counter("weir_proxy_handshakes_total", "TLS handshakes with clients.", &h.Handshakes),
		counter("weir_proxy_handshake_failures_total", "TLS handshakes with clients that failed.", &h.Failures),
		counter("weir_upstream_requests_total", "Requests sent to origins.", &u.Requests),
		counter("weir_upstream_dials_total", "Connections to origins that were tried.", &u.Dials),
		counter("weir_upstream_reused_total", "Requests on a pooled connection.", &u.Reused),
	}
}

func (w *Service) eventMetrics() []admin.Metric {
	if w.events.writer == nil {
		return nil
	}
	stat := func(f func(event.Stats) float64) func() float64 {
		return func() float64 { return f(w.events.writer.Stats()) }
	}
	return []admin.Metric{
		{Name: "weir_events_written_total", Help: "Events written.", Type: admin.Counter, Value: stat(func(s event.Stats) float64 { return float64(s.Written) })},
		{Name: "weir_events_dropped_total", Help: "Events lost.", Type: admin.Counter, Value: stat(func(s event.Stats) float64 { return float64(s.Dropped) })},
		{Name: "weir_events_queued", Help: "Events waiting to be written.", Type: admin.Gauge, Value: stat(func(s event.Stats) float64 { return float64(s.Queued) })},
	}
}

// maxListSeries is how many lists have metrics of their own: 500 of five series each leave room under the bound of the admin listener
// for all series, 4096.
const maxListSeries = 500

// showLists puts the metrics of the lists now in force into the place of those before. What cannot be shown costs itself only.
func (w *Service) showLists(m *source.Manager) {
	all := w.metrics()
	err := w.admin.SetMetrics(append(append(all, w.lockMetrics()...), listMetrics(m, w.core.tally)...))
	if err == nil {
		return
	}
	w.log.Warn("lists have no metrics of their own", "error", err)
	if err := w.admin.SetMetrics(all); err != nil {
		w.log.Error("old metrics are shown", "error", err)
	}
}

// listMetrics are about each list; their names are those of the config, a closed set.
func listMetrics(m *source.Manager, tally *policy.Tally) (out []admin.Metric) {
	for i, s := range m.Status() {
		if i == maxListSeries {
			break
		}
		add := func(name, help string, value func(source.Vitals) float64) {
			out = append(out, admin.Metric{
				Name: name, Help: help, Type: admin.Gauge, Labels: []admin.Label{label("list", s.Name)}, Value: func() float64 { return value(m.Vitals(s.Name)) },
			})
		}
		add("weir_list_rules", "Entries of one list in force.", func(v source.Vitals) float64 { return float64(v.Rules) })
		counts := tally.List(s.Name)
		out = append(out,
			counter("weir_list_hits_total", "Transactions in which an entry of one list spoke.", &counts.Hits, label("list", s.Name)),
			counter("weir_list_would_block_total", "Transactions that one list would have blocked, were it, the rule or the policy not only tried out.", &counts.Would, label("list", s.Name)))
		if s.BuiltIn || s.Directory {
			continue
		}
		add("weir_list_age_seconds", "Time since a list was last seen to be current; +Inf when it was never loaded.", listAge)
		add("weir_list_failing", "1 when the last attempt to have a newer text of a list failed.", func(v source.Vitals) float64 { return truth(v.Failing) })
		add("weir_list_held", "1 when a text of a list is held for review.", func(v source.Vitals) float64 { return truth(v.Held) })
		add("weir_list_expired", "1 when a list is too old and no longer counts.", func(v source.Vitals) float64 { return truth(v.Expired) })
	}
	return out
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func listAge(v source.Vitals) float64 {
	if !v.Loaded || v.Updated.IsZero() {
		return math.Inf(1)
	}
	return time.Since(v.Updated).Seconds()
}

// selfMetrics are about lists, policy and certificate authority.
func (w *Service) selfMetrics() []admin.Metric {
	locked := func(f func() float64) func() float64 {
		return func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			return f()
		}
	}
	stat := func(f func(blocklists.Stats) float64) func() float64 {
		return func() float64 { return f(w.core.manager().Set().Stats()) }
	}
	return []admin.Metric{
		{Name: "weir_list_entries", Help: "Entries of all lists in force.", Type: admin.Gauge, Value: stat(func(s blocklists.Stats) float64 { return float64(s.Rules) })},
		{Name: "weir_list_resident_bytes", Help: "Memory that the lists in force always take.", Type: admin.Gauge, Value: stat(func(s blocklists.Stats) float64 { return float64(s.Bytes) })},
		{Name: "weir_list_mapped_bytes", Help: "File that the lists in force are mapped from; only what is touched takes memory.", Type: admin.Gauge, Value: stat(func(s blocklists.Stats) float64 { return float64(s.Mapped) })},
		{Name: "weir_reloads_total", Help: "Reloads by result.", Type: admin.Counter, Labels: []admin.Label{label("ok", strconv.FormatBool(true))}, Value: locked(func() float64 { return float64(w.reloads.done) })},
		{Name: "weir_reloads_total", Help: "Reloads by result.", Type: admin.Counter, Labels: []admin.Label{label("ok", strconv.FormatBool(false))}, Value: locked(func() float64 { return float64(w.reloads.failed) })},
		{Name: "weir_ca_not_after_seconds", Help: "End of the certificate authority, Unix time.", Type: admin.Gauge, Value: func() float64 { return float64(w.authority.Certificate().NotAfter.Unix()) }},
	}
}

func (w *Service) resolverMetrics() []admin.Metric {
	s, l, u := w.resolver.Stats(), w.resolver.ListenerStats(), w.resolver.UpstreamStats()
	return []admin.Metric{
		counter("weir_dns_queries_total", "DNS queries.", &s.Queries),
		counter("weir_dns_cache_hits_total", "DNS queries answered from the cache.", &s.Hits),
		counter("weir_dns_cache_misses_total", "DNS queries that were not in the cache.", &s.Misses),
		counter("weir_dns_shared_total", "DNS misses that joined another one's upstream query.", &s.Shared),
		counter("weir_dns_local_total", "DNS queries answered from own knowledge.", &s.Local),
		counter("weir_dns_blocked_total", "DNS queries refused or rewritten.", &s.Blocked),
		counter("weir_dns_rewritten_total", "DNS queries answered with the records of a list.", &s.Rewritten),
		counter("weir_dns_server_queries_total", "Questions about name servers, for lists that ask about them.", &s.Servers),
		counter("weir_dns_server_unknown_total", "Zones and name servers that could not be found, and were let through.", &s.ServersUnknown),
		counter("weir_dns_malformed_total", "DNS packets that are not one plain question.", &s.Malformed),
		counter("weir_dns_failed_total", "DNS queries without a usable answer from any upstream.", &s.Failed),
		counter("weir_dns_dropped_total", "DNS queries left without a reply on purpose.", &s.Dropped),
		counter("weir_dns_panics_total", "Panics; each cost one query.", &s.Panics),
		counter("weir_dns_upstream_queries_total", "Queries sent to upstreams, retries included.", &u.Queries),
		counter("weir_dns_upstream_failures_total", "Queries without a usable reply from one upstream.", &u.Failures),
		counter("weir_dns_upstream_mismatches_total", "Replies ignored because they belong to no query.", &u.Mismatch),
		counter("weir_dns_listener_dropped_total", "UDP queries dropped because all workers were busy.", &l.Dropped),
		counter("weir_dns_listener_refused_total", "TCP connections of DNS clients above a limit.", &l.Refused),
		counter("weir_dns_listener_timed_out_total", "TCP connections of DNS clients that were too slow.", &l.TimedOut),
		counter("weir_dns_listener_oversize_total", "DNS queries that were too long, or came without a length.", &l.Oversize),
		gauge("weir_dns_listener_connections", "TCP connections of DNS clients open now.", &l.Conns),
		{Name: "weir_dns_cache_entries", Help: "Answers kept.", Type: admin.Gauge, Value: func() float64 { return float64(w.resolver.CacheLen()) }},
	}
}
