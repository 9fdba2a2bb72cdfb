package app

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"time"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/reputation/lookalike"
)

// Obey is obey without a Service.
func Obey(ctx context.Context, requests, ends <-chan os.Signal, reload, reopen func(context.Context)) error {
	return obey(ctx, requests, ends, nil, orders{reload, reopen})
}

// DNSServers is dnsServers.
func DNSServers(f *config.File, file string) ([]netip.Addr, string) { return dnsServers(f, file) }

// CheckEvents is checkEvents.
func CheckEvents(path string) error { return checkEvents(path) }

// RestartKeys are the keys that only a restart puts in force.
func RestartKeys(f *config.File) (keys []string) {
	for _, s := range restartOnly(f) {
		keys = append(keys, s.key)
	}
	return keys
}

// Scrape returns what the admin listener shows as metrics.
func (w *Service) Scrape() string {
	r := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil)
	a := httptest.NewRecorder()
	w.admin.ServeHTTP(a, r)
	return a.Body.String()
}

// CheckOn says why a Service decides as it does about a query for a name.
func CheckOn(w *Service, text string) (string, error) {
	n, err := hostname.Parse(text)
	if err != nil {
		return "", err
	}
	x := w.core.gate.Begin(inspect.DNS, &inspect.Flow{Client: w.core.gate.Policy().Client(netip.MustParseAddr("127.0.0.1"))}, time.Now())
	defer x.Done(time.Now())
	x.Query(time.Now(), inspect.Question{Name: n, Type: 1, Class: 1})
	return x.Reason().Why, nil
}

// Imitate does what the start did not wait for; it may be doing it at the same time.
func Imitate(t *testing.T, w *Service) {
	t.Helper()
	m := w.core.manager()
	if err := w.core.relist(m, m.Set()); err != nil {
		t.Fatal(err)
	}
}

// Imitated is the index of the names that others imitate.
func Imitated(w *Service) *lookalike.Index { return w.core.imitated.index }

// AskOn has a client on this machine ask for a name, which is answered unless it is blocked; filtered says whether a block is one for some
// clients only.
func AskOn(w *Service, text string) (blocked, filtered bool, err error) {
	n, err := hostname.Parse(text)
	if err != nil {
		return false, false, err
	}
	x := w.core.gate.Begin(inspect.DNS, &inspect.Flow{Client: w.core.gate.Policy().Client(netip.MustParseAddr("127.0.0.1"))}, time.Now())
	v := x.Query(time.Now(), inspect.Question{Name: n, Type: 1, Class: 1})
	x.Note(func(e *event.Event) { e.DNS = &event.DNS{RCod: "NOERROR"} })
	x.Done(time.Now())
	return v.Blocks(), x.Policy().Scoped(v), nil
}
