package event_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a writer whose Write the test governs.
type output struct {
	write func(p []byte) (int, error)

	mu  sync.Mutex
	got bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if o.write != nil {
		n, err = o.write(p)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got.Write(p[:n])
	return n, err
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.SplitAfter(strings.TrimSuffix(o.got.String(), "\n"), "\n")
}

// gate is an output that stands still until opened, and tells when the first Write has come.
func gate() (o *output, arrived, open chan struct{}) {
	arrived, open = make(chan struct{}), make(chan struct{})
	var once sync.Once
	o = &output{write: func(p []byte) (int, error) {
		once.Do(func() { close(arrived) })
		<-open
		return len(p), nil
	}}
	return o, arrived, open
}

func closed(t *testing.T, w *event.Writer) {
	t.Helper()
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func allowed() *event.Event { return &event.Event{Kind: event.KindDNS, Verdict: "allow"} }

func TestWriterWritesInOrder(t *testing.T) {
	t.Parallel()
	o := &output{}
	w := event.NewWriter(o, event.WriterOptions{Encoder: *encoder()})
	var want []string
	for _, e := range samples() {
		w.Record(e)
		want = append(want, string(encoder().Append(nil, e)))
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.lines(); strings.Join(got, "")+"\n" != strings.Join(want, "") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	closed(t, w)
	closed(t, w)
	w.Record(allowed())
	s := w.Stats()
	if s.Written != uint64(len(want)) || s.Dropped != 1 || s.DroppedByKind[event.KindDNS] != 1 || s.Bytes != uint64(len(strings.Join(want, ""))) || s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWriterUnderLoad(t *testing.T) {
	t.Parallel()
	o := &output{}
	w := event.NewWriter(o, event.WriterOptions{Queue: 64})
	const producers, each = 8, 500
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range each {
				w.Record(&event.Event{ID: event.NewID(), Kind: event.KindHTTP, Verdict: "block"})
			}
		})
	}
	wg.Wait()
	closed(t, w)
	s := w.Stats()
	if s.Written+s.Dropped != producers*each || s.Dropped != s.DroppedByKind[event.KindHTTP] || uint64(len(o.lines())) != s.Written {
		t.Errorf("%+v, %d lines", s, len(o.lines()))
	}
}

// TestReservedQuarter fills the queue behind an output that stands still.
func TestReservedQuarter(t *testing.T) {
	t.Parallel()
	o, arrived, open := gate()
	w := event.NewWriter(o, event.WriterOptions{Queue: 8})
	w.Record(allowed())
	<-arrived // this one has left the queue
	for range 20 {
		w.Record(allowed())
	}
	if s := w.Stats(); s.Queued != 6 || s.Dropped != 14 {
		t.Errorf("allowed traffic may fill three quarters: %+v", s)
	}
	w.Record(&event.Event{Kind: event.KindHTTP, Verdict: "block"})
	w.Record(&event.Event{Kind: event.KindFinding, Verdict: "log"})
	if s := w.Stats(); s.Queued != 8 || s.Dropped != 14 {
		t.Errorf("the last quarter is for what matters: %+v", s)
	}
	w.Record(&event.Event{Kind: event.KindCut})
	if s := w.Stats(); s.DroppedByKind[event.KindCut] != 1 {
		t.Errorf("a full queue drops everything: %+v", s)
	}
	close(open)
	closed(t, w)
	if s := w.Stats(); s.Written != 9 || s.Dropped != 15 {
		t.Errorf("%+v", s)
	}
}

func TestFlushAndCloseGiveUp(t *testing.T) {
	t.Parallel()
	o, arrived, open := gate()
	w := event.NewWriter(o, event.WriterOptions{})
	w.Record(allowed())
	<-arrived
	w.Record(allowed())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("flush: %v", err)
	}
	if err := w.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	close(open)
	closed(t, w) // waits for the goroutines
	if s := w.Stats(); s.Written != 1 || s.Dropped != 1 {
		t.Errorf("what waited is dropped and counted: %+v", s)
	}
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	var fail atomic.Bool
	fail.Store(true)
	var cutAt atomic.Int64 // octets that a failing write still takes
	o := &output{write: func(p []byte) (int, error) {
		if fail.Load() {
			return int(cutAt.Load()), full
		}
		return len(p), nil
	}}
	var clock atomic.Int64
	faults := make(chan event.Fault, 10)
	w := event.NewWriter(o, event.WriterOptions{
		OnFault: func(f event.Fault) { faults <- f },
		Now:     func() time.Time { return time.Unix(1e9+clock.Load(), 0) },
	})
	one := func() {
		w.Record(allowed())
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	one()
	if f := <-faults; !errors.Is(f.Err, full) || f.Errors != 1 || f.Lost != 1 {
		t.Errorf("the first error is told at once: %+v", f)
	}
	one()
	one()
	clock.Store(60)
	cutAt.Store(20)
	one()
	if f := <-faults; f.Errors != 3 || f.Lost != 3 {
		t.Errorf("the rest of the minute is told together: %+v", f)
	}
	fail.Store(false)
	one()
	closed(t, w)
	if len(faults) != 0 {
		t.Errorf("%d reports too many", len(faults))
	}
	if s := w.Stats(); s.WriteErrors != 4 || s.Dropped != 4 || s.Written != 1 {
		t.Errorf("%+v", s)
	}
	if got := o.lines(); len(got) != 2 || len(got[0]) != 21 || !strings.HasSuffix(got[1], "}") {
		t.Errorf("a torn line must not swallow the next one: %q", got)
	}
}

// TestFaultCallbackMayHang proves that a callback that hangs stops neither Record nor the writing.
func TestFaultCallbackMayHang(t *testing.T) {
	t.Parallel()
	var failed atomic.Bool
	o := &output{write: func(p []byte) (int, error) {
		if failed.CompareAndSwap(false, true) {
			return 0, errors.New("once")
		}
		return len(p), nil
	}}
	release := make(chan struct{})
	w := event.NewWriter(o, event.WriterOptions{OnFault: func(event.Fault) { <-release }})
	for range 3 {
		w.Record(allowed())
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.Stats(); s.Written != 2 {
		t.Errorf("%+v", s)
	}
	close(release)
	closed(t, w)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, old := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "events.jsonl.1")
	f, err := event.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := event.NewWriter(f, event.WriterOptions{})
	write := func(name string) {
		w.Record(&event.Event{ID: name})
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	write("two")
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("three")
	closed(t, w)
	for file, want := range map[string][]string{old: {"one", "two"}, path: {"three"}} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%s: %q", file, lines)
		}
		for i, id := range want {
			if !strings.Contains(lines[i], `"id":"`+id+`"`) {
				t.Errorf("%s line %d: %s", file, i, lines[i])
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o027 != 0 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if _, err := f.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
}

func TestReopenFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := event.OpenFile(filepath.Join(dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	w := event.NewWriter(f, event.WriterOptions{})
	if err := w.Reopen(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reopen: %v", err)
	}
	w.Record(allowed())
	closed(t, w)
	if s := w.Stats(); s.Written != 1 {
		t.Errorf("the old file must stay in use: %+v", s)
	}
	if _, err := event.OpenFile(filepath.Join(dir, "events")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	var m event.Memory
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				m.Record(allowed())
				runtime.Gosched()
			}
		})
	}
	got, err := m.Wait(t.Context(), 100)
	wg.Wait()
	if err != nil || len(got) != 100 || len(m.Events()) != 100 {
		t.Errorf("%d events, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := m.Wait(ctx, 101); !errors.Is(err, context.Canceled) || len(got) != 100 {
		t.Errorf("%d events, %v", len(got), err)
	}
	m.Reset()
	if len(m.Events()) != 0 {
		t.Error("events after Reset")
	}
	event.Discard{}.Record(allowed())
}

func TestNewIDSortsByTime(t *testing.T) {
	t.Parallel()
	last := ""
	for range 1000 {
		id := event.NewID()
		if len(id) != 36 || id[14] != '7' || id <= last {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}

func BenchmarkRecord(b *testing.B) {
	w := event.NewWriter(&output{write: func(p []byte) (int, error) { return 0, nil }}, event.WriterOptions{})
	e := dnsAllowed()
	b.ReportAllocs()
	for b.Loop() {
		w.Record(e)
	}
	_ = w.Close(b.Context())
}
