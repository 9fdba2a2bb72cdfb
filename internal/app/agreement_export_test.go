package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
)

// NewRecording is [New] with events that go to rec, and a log that goes nowhere.
func NewRecording(ctx context.Context, f *File, rec event.Recorder) (*Service, error) {
	log := slog.New(slog.DiscardHandler)
	authority, err := caOptions(f.File).Open(f.CADir())
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	k, err := newCore(ctx, f, coreConfig{recorder: rec, log: log, clock: time.Now})
	if err != nil {
		return nil, err
	}
	return assemble(f, &Service{core: k, version: "test", log: log, events: recorder{Recorder: rec}, authority: authority})
}

// ProxyAddr is where the proxy listens; Start must have been called.
func (w *Service) ProxyAddr() string { return w.listeners.tcp[0].Addr().String() }

// ResolverAddr is where the resolver listens.
func (w *Service) ResolverAddr() string { return w.listeners.resolver[0].String() }

// Gate is the gate that a Judge asks.
func (j *Judge) Gate() *gate.Gate { return j.core.gate }

// Describe says what an Exchange of the Judge's gate decided.
func (j *Judge) Describe(target string, x *gate.Exchange) Answer { return j.answer(target, x) }
