package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, at most about 292 years. Its text is that of Go (1h30m, 100ms) with d for days of 24 hours in
// front: 14d, 1d12h. A number needs its unit; only 0 goes without.
type Duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler]. Negative durations are refused.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	var days time.Duration
	head, rest, hasDays := strings.Cut(s, "d")
	if hasDays {
		n, err := strconv.ParseUint(head, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/int64(day)) {
			return fmt.Errorf("%q is not a duration like 90s, 10m, 12h or 14d", s)
		}
		days, s = time.Duration(n)*day, rest
	}
	var clock time.Duration
	if s != "" || !hasDays {
		var err error
		if clock, err = time.ParseDuration(s); err != nil {
			return durationError(string(text))
		}
	}
	if clock < 0 || strings.ContainsAny(string(text), "+-") {
		return fmt.Errorf("%q is negative or signed", text)
	}
	if days > math.MaxInt64-clock {
		return fmt.Errorf("%q is too long", text)
	}
	*d = Duration(days + clock)
	return nil
}

func durationError(s string) error {
	if s != "" && strings.Trim(s, "0123456789.") == "" {
		return fmt.Errorf("%q has no unit: write %ss, %sm or %sh", s, s, s, s)
	}
	return fmt.Errorf("%q is not a duration like 90s, 10m, 12h or 14d", s)
}

// String returns the shortest text that means d.
func (d Duration) String() string {
	days, clock := time.Duration(d)/day, time.Duration(d)%day
	s := clock.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	switch {
	case days == 0:
		return s
	case clock == 0:
		return strconv.FormatInt(int64(days), 10) + "d"
	}
	return strconv.FormatInt(int64(days), 10) + "d" + s
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Std returns d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Size is a number of octets. Its text is a whole number, alone or with B, KiB, MiB, GiB or TiB (powers of 1024).
type Size int64

type unit struct {
	name  string
	shift uint
}

// sizeUnits is ordered from the largest.
func sizeUnits() []unit {
	return []unit{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	suffix := string(text[len(digits):])
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("%q is not a size like 65536, 64KiB or 16MiB", text)
	}
	for _, u := range sizeUnits() {
		if suffix != u.name && (suffix != "" || u.name != "B") {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64>>u.shift {
			return fmt.Errorf("%q is too large", text)
		}
		*s = Size(n << u.shift)
		return nil
	}
	return fmt.Errorf("unknown unit in %q: write B, KiB, MiB, GiB or TiB", text)
}

// String returns the text of s in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if u.shift > 0 && s != 0 && s%(1<<u.shift) == 0 {
			return strconv.FormatInt(int64(s>>u.shift), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Time is a moment, to the second, in UTC; the zero Time is "not given". Its text is that of RFC 3339.
type Time struct{ time.Time }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Time) UnmarshalText(text []byte) error {
	v, err := time.Parse(time.RFC3339, string(text))
	if err != nil || v.IsZero() {
		return fmt.Errorf("%q is not a moment like 2026-12-01T00:00:00Z", text)
	}
	*t = Time{v.UTC().Truncate(time.Second)}
	return nil
}

// String returns the text of t; "" for the zero Time.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// MarshalText implements [encoding.TextMarshaler].
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// errEmpty is what a list entry or a required text may not be.
var errEmpty = errors.New("empty text")
