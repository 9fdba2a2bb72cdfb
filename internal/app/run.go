package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"weir/internal/admin"
	"weir/internal/ca"
)

// rotateEvery is how often the age of the ticket keys is looked at; they change after hours (package ca).
const rotateEvery = 10 * time.Minute

// Limits of the end: how long the queue of events may take to be written, and who waits for an answer of the admin listener or
// the control socket, such as that of a reload which hangs.
const (
	drainEvents = 5 * time.Second
	drainAdmin  = time.Second
)

// Run puts a weir together, starts it, and lets it run until SIGTERM or SIGINT (a second one ends it at once), then drains it.
// SIGHUP reloads, SIGUSR1 reopens the events file. Until everything is put together SIGTERM and SIGINT have their default action:
// nothing is there to be drained, and a file that hangs must not keep the process.
func Run(ctx context.Context, f *File, s Streams, version string) error {
	requests, ends := make(chan os.Signal, 4), make(chan os.Signal, 2) // apart, so that many of the first never hide one of the second
	signal.Notify(requests, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(requests)
	signal.Ignore(syscall.SIGPIPE) // a reader of our output that goes away must not end the protection
	w, err := New(ctx, f, s, version)
	if err != nil {
		return err
	}
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(ends)
	slog.SetDefault(w.log) // net/http and others write to the global log: it must pass the redactor too
	if err := w.Start(ctx); err != nil {
		now, cancel := context.WithCancel(ctx)
		cancel()
		return errors.Join(err, w.Stop(now))
	}
	if err := w.usage(s.Err); err != nil {
		w.log.Warn("could not say how to use it", "error", err)
	}
	err = obey(ctx, requests, ends, w.failed, orders{
		reload: func(ctx context.Context) { _, _ = w.Reload(ctx) }, // logged there: the old policy stays
		reopen: func(context.Context) { w.reopen() },
	})
	drain := w.started.Proxy.Limits.DrainTimeout.Std()
	w.log.Info("draining", "timeout", drain)
	return errors.Join(err, w.drain(drain, ends))
}

// drain stops within a time, which a further SIGTERM or SIGINT ends.
func (w *Service) drain(within time.Duration, ends <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var hurry sync.WaitGroup
	defer hurry.Wait()
	stopped := make(chan struct{})
	defer close(stopped)
	hurry.Go(func() {
		for {
			select {
			case <-ends:
				cancel()
			case <-stopped:
				return
			}
		}
	})
	return w.Stop(ctx)
}

// orders are what signals ask for besides the end.
type orders struct {
	reload, reopen func(context.Context)
}

// obey follows signals until one of ends, or a listener that died, ends the run. What an order takes, and be it for ever because
// a file system hangs, does not hold up the end.
func obey(ctx context.Context, requests, ends <-chan os.Signal, failed <-chan error, o orders) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reload, reopen := coalesced(ctx, o.reload), coalesced(ctx, o.reopen)
	for {
		select {
		case <-ends:
			return nil
		case sig := <-requests:
			if sig == syscall.SIGHUP {
				reload()
			} else {
				reopen()
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// coalesced returns a function that has do called soon, by a goroutine of its own: one call at a time, and one more for all that
// ask meanwhile. Nobody waits for the goroutine, which ends with ctx unless do hangs.
func coalesced(ctx context.Context, do func(context.Context)) (ask func()) {
	wake := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-wake:
				do(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		select {
		case wake <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// reopen opens the events file anew after a rotation.
func (w *Service) reopen() {
	if w.events.writer == nil {
		return
	}
	err := checkEvents(w.started.Events.File)
	if err == nil {
		err = w.events.writer.Reopen()
	}
	if err != nil {
		w.log.Error("events file was not reopened", "error", err)
	}
}

// Start listens and serves. On an error some listeners may be open: call Stop.
func (w *Service) Start(ctx context.Context) error {
	ctx, w.stop = context.WithCancel(ctx)
	w.life = ctx
	f := w.core.current()
	if err := w.listen(ctx, f); err != nil {
		return err
	}
	w.serve("proxy", func() error { return w.proxy.Serve(w.listeners.tcp...) })
	w.serve("resolver", w.resolver.Serve)
	if w.listeners.admin != nil {
		w.serve("admin", func() error { return w.admin.Serve(w.listeners.admin) })
	}
	if w.control != nil {
		w.serve("control", w.control.Serve)
	}
	w.follow(w.core.manager())
	w.running.Go(func() { w.rotate(ctx) })
	w.running.Go(w.imitate)
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	w.record("started")
	return nil
}

// imitate completes what the start did not wait for.
func (w *Service) imitate() {
	switch changed, err := w.core.imitate(); {
	case err != nil:
		w.log.Error("look-alikes of the names on popularity lists are not found", "error", err)
	case changed:
		w.swapped("popular names known")
	}
}

// serve runs one server; that it ends by itself ends the program.
func (w *Service) serve(what string, f func() error) {
	w.running.Go(func() {
		if err := f(); err != nil {
			select {
			case w.failed <- fmt.Errorf("%s: %w", what, err):
			default:
			}
		}
	})
}

func (w *Service) listen(ctx context.Context, f *File) error {
	var lc net.ListenConfig
	for _, a := range f.Proxy.Listen {
		ln, err := lc.Listen(ctx, "tcp", a.String())
		if err != nil {
			return fmt.Errorf("proxy.listen: %w", err)
		}
		w.listeners.add(func(l *listeners) { l.tcp = append(l.tcp, ln) })
	}
	if f.Admin.Listen.IsValid() {
		ln, err := lc.Listen(ctx, "tcp", f.Admin.Listen.String())
		if err != nil {
			return fmt.Errorf("admin.listen: %w", err)
		}
		w.listeners.add(func(l *listeners) { l.admin = ln })
	}
	control, err := admin.ListenControl(f.Socket(), w.controlConfig())
	switch {
	case err == nil:
		w.control = control
	case cannotWrite(err) && !writable(filepath.Dir(f.Socket())): // protection goes before control; signals work all the same
		w.log.Warn("no control socket", "error", err)
	default:
		return err
	}
	return nil
}

// rotate changes the session ticket keys when they are old.
func (w *Service) rotate(ctx context.Context) {
	t := time.NewTicker(rotateEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			w.authority.RotateTickets(now)
		case <-ctx.Done():
			return
		}
	}
}

// Stop ends everything: listeners close, what is under way may end until ctx does, the queue of events is written.
func (w *Service) Stop(ctx context.Context) error {
	w.mu.Lock()
	served := w.ready // else nothing was under way that could be lost
	w.ready, w.stopping = false, true
	w.mu.Unlock()
	lost := func(what string, err error) {
		if err != nil && served {
			w.log.Warn(what, "error", err)
		}
	}
	lost("connections were cut", w.proxy.Shutdown(ctx))
	lost("queries were abandoned", w.resolver.Shutdown(ctx))
	w.transport.Close()
	w.listeners.close()
	w.stopAdmin(lost)
	if w.stop != nil {
		w.stop()
	}
	w.running.Wait()
	lost("the memory of names was not closed", w.core.close())
	if w.events.writer == nil {
		return nil
	}
	if served {
		w.record("stopped")
	}
	end, done := context.WithTimeout(context.Background(), drainEvents)
	defer done()
	return w.events.writer.Close(end)
}

func (w *Service) stopAdmin(lost func(string, error)) {
	end, done := context.WithTimeout(context.Background(), drainAdmin)
	defer done()
	lost("answers of the admin listener were cut", w.admin.Shutdown(end))
	if w.control != nil {
		lost("orders over the control socket were cut", w.control.Shutdown(end))
	}
}

func (l *listeners) add(f func(*listeners)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

// close closes what no server has closed.
func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.tcp {
		_ = ln.Close()
	}
	if l.admin != nil {
		_ = l.admin.Close()
	}
}

// usage says in a few lines how to use what was started.
func (w *Service) usage(out io.Writer) error {
	f := w.core.current()
	cert := f.CADir() + "/" + ca.CertFile
	w.listeners.mu.Lock()
	defer w.listeners.mu.Unlock()
	text := "weir " + w.version + " is running, policy " + w.core.gate.Policy().Version() + "\n"
	if len(w.listeners.tcp) > 0 {
		at := w.listeners.tcp[0].Addr().String()
		text += fmt.Sprintf("  proxy      curl --proxy http://%s --cacert %s https://example.com/\n", at, cert)
	}
	if len(w.listeners.resolver) > 0 {
		at := w.listeners.resolver[0]
		text += fmt.Sprintf("  resolver   dig @%s -p %d example.com\n", at.Addr(), at.Port())
	}
	text += fmt.Sprintf("  blocked    curl --proxy ... http://backuprabbit.com/   (a page that says why)\n  CA         %s, sha256 %s\n", cert, w.authority.Fingerprint())
	if w.listeners.admin != nil {
		text += fmt.Sprintf("  admin      http://%s/readyz, /healthz, /metrics\n", w.listeners.admin.Addr())
	}
	_, err := io.WriteString(out, text)
	return err
}
