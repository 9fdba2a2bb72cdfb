// Command testsum reads the output of `go test -json` and prints what a person needs: one line per package that failed,
// the whole output of what failed, what a test logged with the word "figure: " in front, why each skipped test was skipped, and a last line with the totals. It exits 1 when
// anything failed or when nothing ran.
//
//	go test -json ./... | testsum [-slow 5s] [-no-skips]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

type key struct{ pkg, test string }

type summary struct {
	out     io.Writer
	slow    time.Duration
	output  map[key][]string
	passed  int
	failed  int
	skipped []string
	pkgs    int
	// broken are the packages in which a test failed.
	broken map[string]bool
}

func main() {
	slow := flag.Duration("slow", 10*time.Second, "name top-level tests that take longer")
	noSkips := flag.Bool("no-skips", false, "a skipped test is a failure, unless its message names shared/data")
	flag.Parse()
	s := &summary{out: os.Stdout, slow: *slow, output: map[key][]string{}, broken: map[string]bool{}}
	if err := s.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	if !s.finish(*noSkips) {
		os.Exit(1)
	}
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.add(e)
			} else {
				fmt.Fprintf(s.out, "%s", line) // go itself speaks: downloads, broken packages
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
	}
}

func (s *summary) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		if _, figure, ok := strings.Cut(e.Output, ": figure: "); ok {
			fmt.Fprint(s.out, "    figure: ", figure)
		}
		s.output[k] = append(s.output[k], e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass":
		s.pass(e)
		delete(s.output, k)
	case "fail":
		s.fail(e, k)
	case "skip":
		if e.Test != "" {
			s.skipped = append(s.skipped, s.reason(e, k))
		}
		delete(s.output, k)
	}
}

func (s *summary) pass(e event) {
	if e.Test == "" {
		s.pkgs++
		fmt.Fprintf(s.out, "ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
		return
	}
	s.passed++
	if took := time.Duration(e.Elapsed * float64(time.Second)); took >= s.slow && !strings.Contains(e.Test, "/") {
		fmt.Fprintf(s.out, "    slow: %s %s\n", e.Test, took.Round(100*time.Millisecond))
	}
}

func (s *summary) fail(e event, k key) {
	for _, line := range s.output[k] {
		if !strings.HasPrefix(line, "=== ") { // RUN, PAUSE, CONT say nothing about the failure
			fmt.Fprint(s.out, line)
		}
	}
	delete(s.output, k)
	if e.Test != "" {
		s.failed++
		s.broken[e.Package] = true
		return
	}
	s.pkgs++
	if !s.broken[e.Package] {
		s.failed++ // it did not build, or died outside a test: nothing else counts it
	}
}

// reason finds the message of a skipped test: its last output line that is not a banner.
func (s *summary) reason(e event, k key) string {
	for _, line := range slices.Backward(s.output[k]) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return e.Package + " " + e.Test + ": " + line
		}
	}
	return e.Package + " " + e.Test
}

func (s *summary) finish(noSkips bool) bool {
	for _, line := range s.skipped {
		fmt.Fprintln(s.out, "skipped:", line)
		if noSkips && !strings.Contains(line, "shared/data") {
			s.failed++
		}
	}
	if s.passed == 0 && s.failed == 0 {
		fmt.Fprintln(s.out, "no test ran")
		return false
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped, %d packages\n", s.passed, s.failed, len(s.skipped), s.pkgs)
	return s.failed == 0
}
