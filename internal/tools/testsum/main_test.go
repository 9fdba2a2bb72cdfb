package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func line(action, pkg, test, output string) string {
	e := `{"Action":"` + action + `","Package":"` + pkg + `"`
	if test != "" {
		e += `,"Test":"` + test + `"`
	}
	if output != "" {
		e += `,"Output":"` + output + `\n"`
	}
	return e + "}\n"
}

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		in      string
		noSkips bool
		ok      bool
		has     []string
		hasNot  []string
	}{
		{
			name: "all pass", ok: true,
			in:     line("output", "p", "TestA", "noise") + line("pass", "p", "TestA", "") + line("pass", "p", "", ""),
			has:    []string{"ok  \tp", "1 passed, 0 failed, 0 skipped, 1 packages"},
			hasNot: []string{"noise"},
		},
		{
			name: "one fails",
			in:   line("output", "p", "TestA", "reason") + line("fail", "p", "TestA", "") + line("fail", "p", "", ""),
			has:  []string{"reason", "0 passed, 1 failed"},
		},
		{
			name: "package does not build",
			in:   line("build-output", "p", "", "syntax error") + line("fail", "p", "", ""),
			has:  []string{"syntax error", "0 passed, 1 failed"},
		},
		{
			name: "package dies between tests",
			in:   line("pass", "p", "TestA", "") + line("output", "p", "", "panic: x") + line("fail", "p", "", ""),
			has:  []string{"panic: x", "1 passed, 1 failed"},
		},
		{
			name: "skip is reported", ok: true,
			in:  line("pass", "p", "TestB", "") + line("output", "p", "TestA", "no chromium") + line("skip", "p", "TestA", ""),
			has: []string{"skipped: p TestA: no chromium", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name: "skip is refused", noSkips: true,
			in:  line("pass", "p", "TestB", "") + line("output", "p", "TestA", "no chromium") + line("skip", "p", "TestA", ""),
			has: []string{"1 passed, 1 failed, 1 skipped"},
		},
		{
			name: "absent data may skip", noSkips: true, ok: true,
			in:  line("pass", "p", "TestB", "") + line("output", "p", "TestA", "../shared/data is absent") + line("skip", "p", "TestA", ""),
			has: []string{"1 passed, 0 failed, 1 skipped"},
		},
		{name: "nothing ran", in: "", has: []string{"no test ran"}},
		{
			name: "figures are shown", ok: true,
			in:  line("output", "p", "TestA", "a_test.go:1: figure: 12 MB") + line("pass", "p", "TestA", ""),
			has: []string{"figure: 12 MB"},
		},
		{name: "text of go itself", in: "go: cannot find module\n", has: []string{"go: cannot find module", "no test ran"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := &summary{out: &out, slow: time.Minute, output: map[key][]string{}, broken: map[string]bool{}}
			if err := s.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if ok := s.finish(tt.noSkips); ok != tt.ok {
				t.Errorf("ok = %v\n%s", ok, out.String())
			}
			for _, h := range tt.has {
				if !strings.Contains(out.String(), h) {
					t.Errorf("no %q in:\n%s", h, out.String())
				}
			}
			for _, h := range tt.hasNot {
				if strings.Contains(out.String(), h) {
					t.Errorf("%q in:\n%s", h, out.String())
				}
			}
		})
	}
}
