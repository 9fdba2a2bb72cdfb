package app

import (
	"context"
	"net/http/httptest"
	"os"

	"weir/internal/config"
)

// Obey is obey without a Service.
func Obey(ctx context.Context, requests, ends <-chan os.Signal, reload, reopen func(context.Context)) error {
	return obey(ctx, requests, ends, nil, orders{reload, reopen})
}

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
