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
	"sync"
	"syscall"
	"time"

	"weir/internal/admin"
	"weir/internal/ca"
)

// rotateEvery is how often the age of the ticket keys is looked at; they change after hours (package ca).
const rotateEvery = 10 * time.Minute

// drainEvents is how long the queue of events may take to be written at the end.
const drainEvents = 5 * time.Second

// Run puts a weir together, starts it, and lets it run until SIGTERM or SIGINT (a second one ends it at once), then drains it.
// SIGHUP reloads, SIGUSR1 reopens the events file.
func Run(ctx context.Context, f *File, s Streams, version string) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	defer signal.Stop(signals)
	signal.Ignore(syscall.SIGPIPE) // a reader of our output that goes away must not end the protection
	w, err := New(ctx, f, s, version)
	if err != nil {
		return err
	}
	slog.SetDefault(w.log) // net/http and others write to the global log: it must pass the redactor too
	if err := w.Start(ctx); err != nil {
		now, cancel := context.WithCancel(ctx)
		cancel()
		return errors.Join(err, w.Stop(now))
	}
	if err := w.usage(s.Err); err != nil {
		w.log.Warn("could not say how to use it", "error", err)
	}
	err = w.obey(ctx, signals)
	drain := w.core.current().Proxy.Limits.DrainTimeout.Std()
	w.log.Info("draining", "timeout", drain)
	return errors.Join(err, w.drain(drain, signals))
}

// drain stops within a time, which a further SIGTERM or SIGINT ends.
func (w *Service) drain(within time.Duration, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var hurry sync.WaitGroup
	defer hurry.Wait()
	stopped := make(chan struct{})
	defer close(stopped)
	hurry.Go(func() {
		for {
			select {
			case sig := <-signals:
				if sig == syscall.SIGTERM || sig == syscall.SIGINT {
					cancel()
				}
			case <-stopped:
				return
			}
		}
	})
	return w.Stop(ctx)
}

// obey follows signals until one of them, or a listener that died, ends the run.
func (w *Service) obey(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				_ = w.Reload(ctx) // logged there: the old policy stays
			case syscall.SIGUSR1:
				if w.events.writer != nil {
					if err := w.events.writer.Reopen(); err != nil {
						w.log.Error("events file was not reopened", "error", err)
					}
				}
			default:
				return nil
			}
		case err := <-w.failed:
			return err
		case <-ctx.Done():
			return nil
		}
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
	w.serve("control", w.control.Serve)
	w.follow(w.core.manager())
	w.running.Go(func() { w.rotate(ctx) })
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	w.record("started")
	return nil
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
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	w.control = control
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
	w.ready = false
	w.mu.Unlock()
	var failed []error
	if err := w.proxy.Shutdown(ctx); err != nil {
		w.log.Warn("connections were cut", "error", err)
	}
	if err := w.resolver.Shutdown(ctx); err != nil {
		w.log.Warn("queries were abandoned", "error", err)
	}
	w.transport.Close()
	w.listeners.close()
	end, done := context.WithTimeout(context.Background(), drainEvents)
	defer done()
	failed = append(failed, w.admin.Shutdown(end))
	if w.control != nil {
		failed = append(failed, w.control.Shutdown(end))
	}
	if w.stop != nil {
		w.stop()
	}
	w.running.Wait()
	if w.events.writer != nil {
		w.record("stopped")
		failed = append(failed, w.events.writer.Close(end))
	}
	return errors.Join(failed...)
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
