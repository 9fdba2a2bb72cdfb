package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"weir/internal/redact"
)

// Limits of the control socket. They are generous, for a list of millions of
// names takes its time, and they end.
const (
	reloadTimeout = 5 * time.Minute
	updateTimeout = 15 * time.Minute
	controlWrite  = updateTimeout + time.Minute // the answer comes after the work
	controlConns  = 32
	maxProblems   = 500 // as many as the config reports
)

// ControlConfig is what the control socket does. All functions must be set;
// they are called concurrently, except that Reload, UpdateLists and AcceptList never run at
// the same time, nor twice.
type ControlConfig struct {
	// Reload reads config and lists anew and swaps them, or changes nothing and
	// returns an error whose lines are the problems. restart names the config
	// keys that changed and that only a restart puts in force.
	Reload func(context.Context) (restart []string, err error)
	// Status and Lists return what is shown as JSON.
	Status func() any
	Lists  func() any
	// UpdateLists fetches the list of that name, or all for "".
	UpdateLists func(ctx context.Context, name string) error
	// AcceptList puts the text of a list that is held for review in force.
	AcceptList func(ctx context.Context, name string) error
	// Healthy and Ready are those of the [Server], for a healthcheck where no
	// admin listener is configured.
	Healthy func() error
	Ready   func() error
	// Log gets refusals and errors, after the redactor.
	Log *slog.Logger
}

// Control is the open control socket. It is safe for concurrent use.
type Control struct {
	cfg  ControlConfig
	log  *slog.Logger
	ln   *bound
	http *http.Server
	turn chan struct{} // holds one value while something changes state
}

// ListenControl opens the control socket at path: mode 0600, in a directory
// that is made with mode 0700 if there is none. A socket left by a process that
// died is replaced. Errors: [ErrInUse], [ErrNotSocket], those of the file system.
// What connects before [Control.Serve] waits.
func ListenControl(path string, cfg ControlConfig) (*Control, error) {
	switch {
	case cfg.Reload == nil || cfg.Status == nil || cfg.Lists == nil || cfg.UpdateLists == nil || cfg.AcceptList == nil,
		cfg.Healthy == nil || cfg.Ready == nil || cfg.Log == nil:
		return nil, errors.New("control socket: every function and Log must be set")
	}
	log := slog.New(redact.NewHandler(cfg.Log.Handler()))
	ln, err := bind(path, log)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	c := &Control{cfg: cfg, log: log, ln: ln, turn: make(chan struct{}, 1)}
	c.http = &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: headerTimeout,
		// No ReadTimeout: net/http cancels the request's context when it passes, in the midst of a long update.
		WriteTimeout:   controlWrite,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return c, nil
}

// Serve answers until [Control.Shutdown], which makes it return nil.
func (c *Control) Serve() error {
	err := c.http.Serve(&limited{Listener: c.ln, slots: make(chan struct{}, controlConns), refused: new(atomic.Uint64)})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve control socket: %w", err)
}

// Shutdown removes the socket and waits for open requests until ctx ends; then
// it cuts them and returns the error of ctx.
func (c *Control) Shutdown(ctx context.Context) error {
	err := shutdown(ctx, c.http)
	_ = c.ln.Close() // where Serve was never called; closing twice is harmless
	return err
}

func (c *Control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reload", c.change(reloadTimeout, func(ctx context.Context, _ *http.Request) ([]string, error) {
		return c.cfg.Reload(ctx)
	}))
	mux.HandleFunc("POST /lists/update", c.change(updateTimeout, func(ctx context.Context, r *http.Request) ([]string, error) {
		return nil, c.cfg.UpdateLists(ctx, r.URL.Query().Get("name"))
	}))
	mux.HandleFunc("POST /lists/accept", c.change(updateTimeout, func(ctx context.Context, r *http.Request) ([]string, error) {
		return nil, c.cfg.AcceptList(ctx, r.URL.Query().Get("name"))
	}))
	mux.HandleFunc("GET /status", c.show(c.cfg.Status))
	mux.HandleFunc("GET /lists", c.show(c.cfg.Lists))
	mux.HandleFunc("GET "+pathHealth, c.state(c.cfg.Healthy))
	mux.HandleFunc("GET "+pathReady, c.state(c.cfg.Ready))
	return c.guarded(mux)
}

// guarded refuses bodies, unread, and catches panics of the callbacks.
func (c *Control) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				c.log.Error("control socket: panic", "path", r.URL.Path, "cause", fmt.Sprint(p))
				c.write(w, http.StatusInternalServerError, result{Problems: []string{"internal error; the log says more"}})
			}
		}()
		if r.ContentLength != 0 {
			// net/http reads on after the handler, for the next request: not here.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			w.Header().Set("Connection", "close")
			c.write(w, http.StatusRequestEntityTooLarge, result{Problems: []string{"a request here has no body"}})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// result is the answer to everything that changes state or asks for health.
type result struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems,omitempty"`
	Restart  []string `json:"needs_restart,omitempty"` // config keys that changed and wait for a restart
}

// change runs one action that changes state, after those that came before it.
func (c *Control) change(limit time.Duration, do func(context.Context, *http.Request) ([]string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		select {
		case c.turn <- struct{}{}:
			defer func() { <-c.turn }()
		case <-ctx.Done():
			c.write(w, http.StatusServiceUnavailable, result{Problems: []string{"another reload or update is still at work"}})
			return
		}
		restart, err := do(ctx, r)
		if err != nil {
			c.log.Warn("control socket: refused to change anything", "path", r.URL.Path, "error", err)
			c.write(w, http.StatusUnprocessableEntity, result{Problems: problems(err)})
			return
		}
		c.write(w, http.StatusOK, result{OK: true, Restart: restart})
	}
}

// state answers a health question.
func (c *Control) state(ask func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ask(); err != nil {
			c.write(w, http.StatusServiceUnavailable, result{Problems: problems(err)})
			return
		}
		c.write(w, http.StatusOK, result{OK: true})
	}
}

// show answers with a value of app, after the redactor.
func (c *Control) show(get func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		v, err := clean(get())
		if err != nil {
			c.log.Error("control socket: encode", "error", err)
			c.write(w, http.StatusInternalServerError, result{Problems: []string{"internal error; the log says more"}})
			return
		}
		c.write(w, http.StatusOK, v)
	}
}

func (c *Control) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		c.log.Debug("control socket: write", "error", err)
	}
}

// problems turns an error into its lines, redacted; config reports one mistake
// a line.
func problems(err error) []string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(out) == maxProblems {
			return append(out, "and more")
		}
		out = append(out, redact.Scrub(line))
	}
	return out
}

// clean takes v to its JSON values and passes every text through the redactor:
// a list's URL may hold a key, a file name anything.
func clean(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, err
	}
	return scrub(out), nil
}

func scrub(v any) any {
	switch v := v.(type) {
	case string:
		return redact.Scrub(v)
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[redact.Text(key)] = scrub(value)
		}
		return out
	default:
		return v
	}
}
