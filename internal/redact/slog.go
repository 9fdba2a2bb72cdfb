package redact

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// handler passes every text of a record through the redactor.
type handler struct{ inner slog.Handler }

var _ slog.Handler = (*handler)(nil)

// NewHandler wraps a slog handler so that nothing reaches it unredacted: the
// message, every key, and every value (strings, errors, Stringers, any other
// type, inside groups, With attributes and LogValuers) pass [Scrub] or [Text];
// a key that names a secret (password, token, cookie, ...) shows *** whatever
// its value; maps of the shape of http.Header go through [Header]. Numbers,
// booleans, times and durations pass as they are; values of other types become
// strings. A ReplaceAttr function of the inner handler runs after the
// redaction and must not bring secrets back.
func NewHandler(inner slog.Handler) slog.Handler { return &handler{inner: inner} }

// Enabled asks the inner handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle redacts the record and hands it on.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, Scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(redactAttr(a))
		return true
	})
	return h.inner.Handle(ctx, clean)
}

// WithAttrs redacts the attributes once, at the time of the call.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{inner: h.inner.WithAttrs(redactAttrs(attrs))}
}

// WithGroup escapes the name of the group.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{inner: h.inner.WithGroup(Text(name))}
}

func redactAttrs(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = redactAttr(a)
	}
	return out
}

func redactAttr(a slog.Attr) slog.Attr {
	if a.Equal(slog.Attr{}) {
		return a // the empty attribute is dropped by handlers
	}
	if secretKey(a.Key) {
		return slog.String(Text(a.Key), mask)
	}
	return slog.Attr{Key: Text(a.Key), Value: redactValue(a.Value)}
}

func redactValue(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(Scrub(v.String()))
	case slog.KindGroup:
		return slog.GroupValue(redactAttrs(v.Group())...)
	case slog.KindAny:
		return slog.StringValue(anyText(v.Any()))
	}
	return v // numbers, booleans, times and durations carry no text
}

// anyText prints a value of any type. fmt catches panics of Error and String.
func anyText(x any) string {
	switch t := x.(type) {
	case []byte:
		return Scrub(string(t))
	case *url.URL:
		if t != nil {
			return URL(t.String())
		}
	case url.URL:
		return URL(t.String())
	case url.Values:
		return redactQuery(t.Encode())
	}
	if s, ok := headerText(x); ok {
		return s
	}
	return Scrub(fmt.Sprintf("%+v", x))
}

// headerText prints a map[string][]string of any named type (http.Header,
// textproto.MIMEHeader) by the rules of Header, keys in order.
func headerText(x any) (string, bool) {
	v := reflect.ValueOf(x)
	want := reflect.TypeFor[map[string][]string]()
	if !v.IsValid() || v.Kind() != reflect.Map || !v.Type().ConvertibleTo(want) {
		return "", false
	}
	m := v.Convert(want).Interface().(map[string][]string)
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(' ')
		}
		values := make([]string, len(m[name]))
		for j, value := range m[name] {
			values[j] = Header(name, value)
		}
		fmt.Fprintf(&b, "%s:[%s]", Text(name), strings.Join(values, ", "))
	}
	return b.String(), true
}
