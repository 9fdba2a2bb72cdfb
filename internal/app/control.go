package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/admin"
)

var (
	errNotReady = errors.New("not listening yet, or draining")
	errNoPolicy = errors.New("no policy is in force")
	errNoToken  = errors.New("the file is empty")
)

func (w *Service) assembleAdmin(f *File) error {
	token, err := adminToken(f)
	if err != nil {
		return err
	}
	w.admin, err = admin.New(admin.Config{
		Token: token, Healthy: w.healthy, Ready: w.readyNow, Metrics: w.metrics(), Version: w.version, Log: w.log,
	})
	if err != nil {
		return err
	}
	w.showLists(w.core.manager())
	return nil
}

// adminToken reads the token; one that cannot be read or used is a problem of the config.
func adminToken(f *File) (string, error) {
	if f.Admin.TokenFile == "" {
		return "", nil
	}
	text, err := readRegular(f.Admin.TokenFile, maxToken)
	if err != nil {
		return "", problem(f.File, "admin.token_file", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", problem(f.File, "admin.token_file", fmt.Errorf("%s: %w", f.Admin.TokenFile, errNoToken))
	}
	if f.Admin.Listen.IsValid() {
		if err := admin.Check(f.Admin.Listen.AddrPort, token); err != nil {
			return "", problem(f.File, "admin.token_file", fmt.Errorf("%s: %w", f.Admin.TokenFile, err))
		}
	}
	return token, nil
}

func (w *Service) controlConfig() admin.ControlConfig {
	return admin.ControlConfig{
		Reload: w.Reload, Status: func() any { return w.status() }, Lists: func() any { return listStates(w.core.manager()) },
		UpdateLists: func(ctx context.Context, name string) error { return w.core.manager().Refresh(ctx, name) },
		AcceptList:  func(ctx context.Context, name string) error { return w.core.manager().Accept(ctx, name) },
		Healthy:     w.healthy, Ready: w.readyNow, Log: w.log,
	}
}

// healthy says whether the process lives: whoever answers does.
func (w *Service) healthy() error { return nil }

// readyNow says whether listeners are up and a policy is in force; upstreams do not count.
func (w *Service) readyNow() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.ready:
		return errNotReady
	case w.core.gate.Policy() == nil:
		return errNoPolicy
	}
	return nil
}

// Status is what `status` on the control socket shows.
type Status struct {
	Version string `json:"version"`
	Policy  string `json:"policy"`
	Mode    string `json:"mode"`
	Config  string `json:"config"`
	Live    int    `json:"live"`
	Reloads int    `json:"reloads"`
	Failed  int    `json:"failed_reloads"`
	// Restart names the keys that were changed by a reload and wait for a restart.
	Restart []string `json:"needs_restart,omitempty"`
}

func (w *Service) status() Status {
	f := w.core.current()
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{
		Version: w.version, Policy: w.core.gate.Policy().Version(), Mode: string(f.Mode), Config: f.Path, Live: w.proxy.Live(),
		Reloads: w.reloads.done, Failed: w.reloads.failed, Restart: needRestart(w.started, f.File),
	}
}

// Healthy asks the weir that runs with this config whether it is ready.
func Healthy(ctx context.Context, f *File) error {
	if !f.Admin.Listen.IsValid() {
		return admin.ProbeSocket(ctx, f.Socket())
	}
	token, err := adminToken(f)
	if err != nil {
		return err
	}
	return admin.Probe(ctx, f.Admin.Listen.AddrPort, token)
}

// controlClient returns a client of the weir that runs with this config; an error when none runs.
func controlClient(ctx context.Context, f *File) (*admin.Client, error) {
	c := admin.Dial(f.Socket())
	if _, err := c.Status(ctx); err != nil {
		return nil, err
	}
	return c, nil
}
