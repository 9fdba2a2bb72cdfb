package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"weir/internal/admin"
)

func sample(n *atomic.Uint64) []admin.Metric {
	value := func() float64 { return float64(n.Load()) }
	series := func(verdict string) admin.Metric {
		return admin.Metric{
			Name: "weir_requests_total", Help: "Transactions by protocol and verdict.", Type: admin.Counter,
			Labels: []admin.Label{{Name: "proto", Value: "http"}, {Name: "verdict", Value: verdict}}, Value: value,
		}
	}
	return []admin.Metric{
		series("allow"), series("block"),
		{Name: "weir_list_entries", Help: "Entries of a list.", Type: admin.Gauge, Labels: []admin.Label{{Name: "list", Value: "a\u202eb\n\"\xff"}}, Value: value},
		{Name: "weir_events_dropped_total", Help: "Events dropped.", Type: admin.Counter, Value: value},
		{Name: "weir_broken", Help: "Its function panics.", Type: admin.Gauge, Value: func() float64 { panic("boom") }},
	}
}

func scrape(t *testing.T, s http.Handler) string {
	t.Helper()
	w := &recorder{header: http.Header{}}
	s.ServeHTTP(w, request(t, "/metrics"))
	if w.status != http.StatusOK {
		t.Fatalf("got %d: %s", w.status, w.body.String())
	}
	return w.body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	n := new(atomic.Uint64)
	n.Store(7)
	c := base()
	c.Metrics = sample(n)
	s, err := admin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.ServeHTTP(&recorder{header: http.Header{}}, request(t, "/nothing"))
	text := scrape(t, s)
	for _, want := range []string{
		"# TYPE weir_requests_total counter\n",
		`weir_requests_total{proto="http",verdict="allow"} 7` + "\n",
		`weir_requests_total{proto="http",verdict="block"} 7` + "\n",
		"# TYPE weir_list_entries gauge\n",
		"weir_events_dropped_total 7\n",
		"weir_broken NaN\n",
		`weir_admin_refused_total{reason="path"} 1` + "\n",
		`weir_build_info{go_version="go`,
		`version="1.2.3"`,
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\u202e") || !utf8.ValidString(text) {
		t.Error("a label value is not escaped")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
}

func TestMetricsRefused(t *testing.T) {
	t.Parallel()
	one := func() float64 { return 1 }
	good := admin.Metric{Name: "weir_x_total", Help: "X.", Type: admin.Counter, Labels: []admin.Label{{Name: "a", Value: "1"}}, Value: one}
	with := func(change func(*admin.Metric)) admin.Metric {
		m := good
		change(&m)
		return m
	}
	var many []admin.Metric
	for i := range 5000 {
		many = append(many, with(func(m *admin.Metric) { m.Labels = []admin.Label{{Name: "a", Value: fmt.Sprint(i)}} }))
	}
	tests := []struct {
		name    string
		metrics []admin.Metric
		want    string
	}{
		{"zero", []admin.Metric{{}}, "name"},
		{"foreign name", []admin.Metric{with(func(m *admin.Metric) { m.Name = "requests_total" })}, "name"},
		{"upper case", []admin.Metric{with(func(m *admin.Metric) { m.Name = "weir_Requests_total" })}, "name"},
		{"no help", []admin.Metric{with(func(m *admin.Metric) { m.Help = "" })}, "help"},
		{"no type", []admin.Metric{with(func(m *admin.Metric) { m.Type = 0 })}, "type"},
		{"no value", []admin.Metric{with(func(m *admin.Metric) { m.Value = nil })}, "value function"},
		{"counter without total", []admin.Metric{with(func(m *admin.Metric) { m.Name = "weir_x" })}, "_total"},
		{"gauge with total", []admin.Metric{with(func(m *admin.Metric) { m.Type = admin.Gauge })}, "_total"},
		{"reserved label", []admin.Metric{with(func(m *admin.Metric) { m.Labels = []admin.Label{{Name: "le"}} })}, "label"},
		{"label twice", []admin.Metric{with(func(m *admin.Metric) { m.Labels = []admin.Label{{Name: "a"}, {Name: "a"}} })}, "twice"},
		{"series twice", []admin.Metric{good, good}, "twice"},
		{"help differs", []admin.Metric{good, with(func(m *admin.Metric) { m.Help = "Y." })}, "differ"},
		{"labels differ", []admin.Metric{good, with(func(m *admin.Metric) { m.Labels = nil })}, "differ"},
		{"own name", []admin.Metric{{Name: "weir_build_info", Help: "Mine.", Type: admin.Gauge, Value: one}}, "weir_build_info"},
		{"set that is not closed", many, "closed set"},
	}
	n := new(atomic.Uint64)
	c := base()
	c.Metrics = sample(n)
	s, err := admin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := s.SetMetrics(tt.metrics); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if !strings.Contains(scrape(t, s), "weir_list_entries") {
				t.Error("the old metrics are gone")
			}
		})
	}
}

// TestMetricsSwap scrapes, over the network, while metrics change.
func TestMetricsSwap(t *testing.T) {
	t.Parallel()
	n := new(atomic.Uint64)
	s, addr := start(t, base())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				n.Add(1)
				if err := s.SetMetrics(sample(n)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				resp, body := raw(t, addr, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				if resp.StatusCode != http.StatusOK || !strings.Contains(body, "weir_build_info{") {
					t.Errorf("got %d: %s", resp.StatusCode, body)
				}
			}
		})
	}
	wg.Wait()
}
