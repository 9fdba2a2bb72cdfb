package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/internal/redact"
)

// MetricType says how a value moves.
type MetricType uint8

// The types of metrics. The zero MetricType is refused.
const (
	Counter MetricType = iota + 1 // only rises; its name ends in _total
	Gauge                         // rises and falls
)

// maxSeries bounds the metrics of one server: labels come from closed sets, and
// a set that has grown past this is not closed.
const maxSeries = 4096

// Label is one name and value. Values come from closed sets: never a domain, a
// URL, a client or the text of a rule.
type Label struct{ Name, Value string }

// Metric is one series. Metrics of one name share Help, Type and the label
// names in their order, and differ in label values.
type Metric struct {
	Name   string // weir_requests_total: snake case, base unit last, _total for counters
	Help   string // one sentence
	Type   MetricType
	Labels []Label
	// Value is called at each scrape, concurrently with anything; it must not
	// block. A panic shows as NaN.
	Value func() float64
}

var (
	metricName = regexp.MustCompile(`^weir(_[a-z0-9]+)+$`)
	labelName  = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

// exposition is one generation of metrics with the handler that shows them.
type exposition struct{ handler http.Handler }

// SetMetrics replaces the metrics of [Config.Metrics], as a reload may want
// that changes the lists that there are. On an error, which names the metric,
// the old ones stay.
func (s *Server) SetMetrics(metrics []Metric) error {
	all := append(slices.Clone(metrics), s.ownMetrics()...)
	c, err := newCollector(all, s.log)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	for _, part := range []prometheus.Collector{
		c,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := reg.Register(part); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	s.metrics.Store(&exposition{handler: promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:            promLog{s.log},
		ErrorHandling:       promhttp.ContinueOnError, // a bad metric costs itself, not the others
		DisableCompression:  true,
		MaxRequestsInFlight: maxScrapes,
	})})
	return nil
}

// maxScrapes bounds the scrapes at work at the same time; more get a 503.
const maxScrapes = 8

// promLog lets the exposition's errors reach slog.
type promLog struct{ log *slog.Logger }

var _ promhttp.Logger = promLog{}

// Println writes one error.
func (l promLog) Println(v ...any) {
	l.log.Error("admin: metrics", "error", strings.TrimSpace(fmt.Sprintln(v...)))
}

// ownMetrics are those of the listener itself.
func (s *Server) ownMetrics() []Metric {
	out := []Metric{{
		Name: "weir_build_info", Help: "Always 1; the labels say what is running.", Type: Gauge,
		Labels: []Label{{"version", s.cfg.Version}, {"revision", s.cfg.Revision}, {"go_version", runtime.Version()}},
		Value:  func() float64 { return 1 },
	}}
	for _, reason := range refusals() {
		n := s.refused[reason]
		out = append(out, Metric{
			Name: "weir_admin_refused_total", Help: "Requests and connections that the admin listener refused.", Type: Counter,
			Labels: []Label{{"reason", reason}},
			Value:  func() float64 { return float64(n.Load()) },
		})
	}
	return out
}

// collector shows a fixed set of metrics. It is a checked collector: Describe
// tells of all of them, so that the registry finds clashes at once.
type collector struct {
	metrics []described
	descs   []*prometheus.Desc
}

type described struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	values []string
	value  func() float64
	log    *slog.Logger
}

var _ prometheus.Collector = (*collector)(nil)

// newCollector checks everything that would otherwise fail at scrape time.
func newCollector(metrics []Metric, log *slog.Logger) (*collector, error) {
	if len(metrics) > maxSeries {
		return nil, fmt.Errorf("%d metrics, at most %d: a label holds text that is not from a closed set", len(metrics), maxSeries)
	}
	c := &collector{}
	first := map[string]Metric{}
	descs := map[string]*prometheus.Desc{}
	seen := map[string]bool{}
	for _, m := range metrics {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("metric %q: %w", m.Name, err)
		}
		names, values := m.split()
		if one, ok := first[m.Name]; !ok {
			first[m.Name], descs[m.Name] = m, prometheus.NewDesc(m.Name, m.Help, names, nil)
			c.descs = append(c.descs, descs[m.Name])
		} else if oneNames, _ := one.split(); one.Help != m.Help || one.Type != m.Type || !slices.Equal(oneNames, names) {
			return nil, fmt.Errorf("metric %q: help, type or label names differ between its series", m.Name)
		}
		series := m.Name + "\x00" + strings.Join(values, "\x00")
		if seen[series] {
			return nil, fmt.Errorf("metric %q: series %q is given twice", m.Name, values)
		}
		seen[series] = true
		kind := prometheus.GaugeValue
		if m.Type == Counter {
			kind = prometheus.CounterValue
		}
		c.metrics = append(c.metrics, described{desc: descs[m.Name], kind: kind, values: values, value: m.Value, log: log})
	}
	return c, nil
}

// check holds a metric against the rules of promlint that its parts can break
// (https://prometheus.io/docs/practices/naming/).
func (m Metric) check() error {
	total := strings.HasSuffix(m.Name, "_total")
	switch {
	case !metricName.MatchString(m.Name):
		return errors.New("the name is not weir_ and lower-case words joined by _")
	case m.Help == "":
		return errors.New("no help text")
	case m.Type != Counter && m.Type != Gauge:
		return errors.New("the type is neither counter nor gauge")
	case (m.Type == Counter) != total:
		return errors.New("counters, and nothing else, end in _total")
	case m.Value == nil:
		return errors.New("no value function")
	}
	for i, l := range m.Labels {
		if !labelName.MatchString(l.Name) || l.Name == "le" || l.Name == "quantile" {
			return fmt.Errorf("bad label name %q", l.Name)
		}
		if slices.ContainsFunc(m.Labels[:i], func(o Label) bool { return o.Name == l.Name }) {
			return fmt.Errorf("label %q is given twice", l.Name)
		}
	}
	return nil
}

func (m Metric) split() (names, values []string) {
	for _, l := range m.Labels {
		names = append(names, l.Name)
		values = append(values, redact.Scrub(l.Value))
	}
	return names, values
}

// Describe sends all descriptions.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect sends all values.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.read(), m.values...)
	}
}

// read calls the value function. The collector runs in goroutines of the
// registry, where a panic would end the process.
func (m described) read() (v float64) {
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("admin: panic in a metric", "metric", m.desc.String(), "cause", fmt.Sprint(p))
			v = math.NaN()
		}
	}()
	return m.value()
}
