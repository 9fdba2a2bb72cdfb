package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultQueue holds two seconds of a busy node (30,000 transactions a second), at about 2 KiB an event.
	defaultQueue = 1 << 16
	// minQueue keeps the reserved quarter from being empty.
	minQueue = 4
	// maxBatch bounds how many events are taken from the queue, and thus lost by a failing write, at once.
	maxBatch = 256
	// reportEvery bounds how often write errors are reported: a full disk fails thousands of times a second.
	reportEvery = time.Minute
)

// Fault is a failure to write events, reported at most once a minute.
type Fault struct {
	Err    error  // the last one
	Errors uint64 // failed writes since the last report
	Lost   uint64 // events lost by them
}

// WriterOptions are the settings of a Writer; the zero value is usable.
type WriterOptions struct {
	Encoder Encoder
	// Queue is the number of events that may wait; 0 means 65536, and at least 4. The last quarter takes only blocks (also those
	// that observe mode let pass), findings, cuts and system events.
	Queue int
	// OnFault is told about write errors, the first at once and then at most once a minute. It runs on a goroutine of its own and
	// holds nothing up but Close.
	OnFault func(Fault)
	// Now is the clock of the reports; nil means time.Now.
	Now func() time.Time
}

// Stats counts what became of the events given to a Writer.
type Stats struct {
	Written     uint64 // events written
	Bytes       uint64 // octets written
	Dropped     uint64 // events lost: no room in the queue, recorded after Close, or part of a failed write
	WriteErrors uint64 // failed writes
	Queued      int    // events waiting now
	// DroppedByKind splits Dropped; the index is the Kind.
	DroppedByKind [KindSystem + 1]uint64
}

// Writer is a Recorder that writes lines from one goroutine: Record never blocks on the output, it drops and counts instead.
type Writer struct {
	queue   *queue
	options WriterOptions
	out     io.Writer // written by run only

	written, bytes, writeErrors atomic.Uint64
	dropped                     [KindSystem + 1]atomic.Uint64
	abandoned                   atomic.Bool // Close ran out of time: drop what waits

	mu      sync.Mutex
	handled uint64        // events that left the queue and were written or lost
	moved   chan struct{} // closed when handled grows; nil when nobody waits

	faults   chan Fault
	stopped  chan struct{} // closed when run and report have ended
	closeErr error         // set before stopped is closed

	// Owned by run.
	torn     bool // the last write ended inside a line
	pending  Fault
	reported time.Time
}

var _ Recorder = (*Writer)(nil)

// NewWriter returns a Writer to out and starts its goroutines, which Close stops. Every Write to out is one or more whole lines.
// A *File is closed by Close; any other output stays open.
func NewWriter(out io.Writer, o WriterOptions) *Writer {
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Writer{
		queue:   newQueue(max(o.Queue, minQueue)),
		options: o,
		out:     out,
		faults:  make(chan Fault, 1),
		stopped: make(chan struct{}),
	}
	var running sync.WaitGroup
	running.Go(w.run)
	running.Go(w.report)
	go func() {
		running.Wait()
		close(w.stopped)
	}()
	return w
}

// Record queues e; without room it drops and counts it. The event must not be changed after.
func (w *Writer) Record(e *Event) {
	if e != nil && !w.queue.push(e) {
		w.drop(e)
	}
}

func (w *Writer) drop(e *Event) { w.dropped[min(e.Kind, KindSystem)].Add(1) }

// Stats returns the counters. They are read one after the other, while events flow.
func (w *Writer) Stats() Stats {
	s := Stats{Written: w.written.Load(), Bytes: w.bytes.Load(), WriteErrors: w.writeErrors.Load()}
	_, s.Queued = w.queue.state()
	for i := range w.dropped {
		s.DroppedByKind[i] = w.dropped[i].Load()
		s.Dropped += s.DroppedByKind[i]
	}
	return s
}

// Reopen opens the file of the log anew, after a rotation; for an output that is no *File (stdout) it does nothing. It may wait for
// a write in progress; Record does not.
func (w *Writer) Reopen() error {
	if f, ok := w.out.(*File); ok {
		return f.Reopen()
	}
	return nil
}

// Flush waits until everything recorded before was written or lost. Its error wraps that of ctx.
func (w *Writer) Flush(ctx context.Context) error {
	target, _ := w.queue.state()
	for {
		w.mu.Lock()
		if w.handled >= target {
			w.mu.Unlock()
			return nil
		}
		if w.moved == nil {
			w.moved = make(chan struct{})
		}
		moved := w.moved
		w.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("flush events: %w", ctx.Err())
		}
	}
}

// Close writes what waits, stops the goroutines and closes a *File. Events recorded later are dropped. When ctx ends first, the
// events that still wait are dropped and counted, and the goroutines end as soon as the write in progress does; the error then
// wraps that of ctx. It may be called again.
func (w *Writer) Close(ctx context.Context) error {
	w.queue.close()
	select {
	case <-w.stopped:
		return w.closeErr
	case <-ctx.Done():
		w.abandoned.Store(true)
		_, waiting := w.queue.state()
		return fmt.Errorf("close event log with %d events waiting: %w", waiting, ctx.Err())
	}
}

// run is the goroutine that writes; it ends when the queue is closed and empty.
func (w *Writer) run() {
	defer w.finish()
	batch := make([]*Event, 0, maxBatch)
	var buf []byte
	for {
		var done bool
		batch, done = w.queue.pop(batch)
		if done {
			return
		}
		if len(batch) == 0 {
			<-w.queue.wake
			continue
		}
		buf = w.writeBatch(buf[:0], batch)
		w.advance(len(batch))
		clear(batch)
	}
}

// writeBatch writes the lines of batch with one Write; buf is room to build them in.
func (w *Writer) writeBatch(buf []byte, batch []*Event) []byte {
	if w.torn {
		buf = append(buf, '\n') // what follows a torn line must not become part of it
	}
	prefix := len(buf)
	kept := batch[:0]
	for _, e := range batch {
		if w.abandoned.Load() {
			w.drop(e)
			continue
		}
		next, err := w.encode(buf, e)
		if err != nil {
			w.drop(e)
			w.fault(err, 1)
			continue
		}
		buf, kept = next, append(kept, e)
	}
	if len(kept) == 0 {
		return buf
	}
	n, err := w.out.Write(buf)
	n = max(0, min(n, len(buf)))
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	w.bytes.Add(uint64(n))
	if n > 0 {
		w.torn = buf[n-1] != '\n'
	}
	whole := bytes.Count(buf[min(prefix, n):n], []byte{'\n'})
	w.written.Add(uint64(whole))
	for _, e := range kept[whole:] {
		w.drop(e)
	}
	if err != nil {
		w.fault(err, uint64(len(kept)-whole))
	}
	return buf
}

// errPanic marks an event that the encoder could not bear.
var errPanic = errors.New("encoder panic")

// encode appends the line of e. A panic costs this one event.
func (w *Writer) encode(buf []byte, e *Event) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = buf, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return w.options.Encoder.Append(buf, e), nil
}

// fault counts a failure and hands it to report, unless one was reported within the minute.
func (w *Writer) fault(err error, lost uint64) {
	w.writeErrors.Add(1)
	w.pending.Err = fmt.Errorf("write events: %w", err)
	w.pending.Errors++
	w.pending.Lost += lost
	now := w.options.Now()
	if !w.reported.IsZero() && now.Sub(w.reported) < reportEvery {
		return
	}
	select {
	case w.faults <- w.pending:
		w.pending, w.reported = Fault{}, now
	default: // the last report is still being told
	}
}

// report is the goroutine that tells OnFault; it ends when run does.
func (w *Writer) report() {
	for f := range w.faults {
		if w.options.OnFault != nil {
			w.options.OnFault(f)
		}
	}
}

// advance wakes those who wait in Flush.
func (w *Writer) advance(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handled += uint64(n)
	if w.moved != nil {
		close(w.moved)
		w.moved = nil
	}
}

func (w *Writer) finish() {
	if f, ok := w.out.(*File); ok {
		if err := f.Close(); err != nil {
			w.closeErr = fmt.Errorf("close event log: %w", err)
		}
	}
	close(w.faults)
}
