package app

import (
	"io"
	"log/slog"
	"os"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/redact"
)

// Streams are the terminal that a running weir writes to. Both must already escape what they print.
type Streams struct {
	Out io.Writer // how to use it, and events when the config says "-"
	Err io.Writer // the operators' log
}

// newLogger makes the operators' log; every message and attribute passes the redactor.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	levels := map[config.LogLevel]slog.Level{
		config.LevelDebug: slog.LevelDebug, config.LevelInfo: slog.LevelInfo, config.LevelWarn: slog.LevelWarn, config.LevelError: slog.LevelError,
	}
	o := &slog.HandlerOptions{Level: levels[c.Level]}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if c.Format == config.FormatJSON {
		h = slog.NewJSONHandler(w, o)
	}
	return slog.New(redact.NewHandler(h))
}

// recorder is where events go, and how that ends.
type recorder struct {
	event.Recorder
	writer *event.Writer // nil: events are discarded
}

func newRecorder(c config.Events, version string, log *slog.Logger) (recorder, error) {
	var out io.Writer
	switch c.File {
	case "":
		return recorder{Recorder: event.Discard{}}, nil
	case "-":
		out = os.Stdout // lines are escaped already, and many
	default:
		if err := checkEvents(c.File); err != nil {
			return recorder{}, err
		}
		f, err := event.OpenFile(c.File)
		if err != nil {
			return recorder{}, err
		}
		out = f
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	w := event.NewWriter(out, event.WriterOptions{
		Encoder: event.Encoder{Observer: event.Observer{Vendor: "weir", Product: "weir", Version: version, Hostname: host}},
		Queue:   c.Queue,
		OnFault: func(f event.Fault) { log.Error("events are lost", "error", f.Err, "errors", f.Errors, "lost", f.Lost) },
	})
	return recorder{Recorder: w, writer: w}, nil
}
