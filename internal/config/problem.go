package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a config file.
type Problem struct {
	File    string // as given to [Parse]
	Line    int    // from 1; 0 when unknown
	Column  int    // in characters, from 1; 0 when unknown
	Path    string // rules[0].action; "" for the file as a whole
	Message string
}

// Error returns "file:line:column: path: message" on one line, without what is unknown.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems are all mistakes of a config file, in the order of the file. As an error it must not be empty: use [Problems.Err].
type Problems []Problem

// Error returns one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns ps as an error; nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Problem returns a problem with the value at path (such as "lists[0].file"), for what only shows outside the file: a path that
// leads nowhere. It stands at the value, else at what is closest around it.
func (f *File) Problem(path, message string) Problem {
	p := Problem{File: f.Name(), Path: path, Message: message}
	if f.src != nil {
		pos := f.src.position(path)
		p.Line, p.Column = pos.line, pos.column
	}
	return p
}

var (
	_ error = Problem{}
	_ error = Problems(nil)
)

// maxProblems bounds what one file can make us print.
const maxProblems = 500

// position is a place in the file; the zero position is unknown.
type position struct{ line, column int }

// source remembers where the values of a file stood.
type source struct {
	name   string
	values map[string]position // by path
	keys   map[string]position // by path
	bad    map[string]bool     // paths that already have a problem: nothing more is said about them
	found  Problems
}

func newSource(name string) *source {
	return &source{name: name, values: map[string]position{}, keys: map[string]position{}, bad: map[string]bool{}}
}

// at reports a problem at a known place.
func (s *source) at(pos position, path, format string, args ...any) {
	s.bad[path] = true
	switch len(s.found) {
	case maxProblems:
		s.found = append(s.found, Problem{File: s.name, Message: "more problems are not shown"})
		return
	case maxProblems + 1:
		return
	}
	s.found = append(s.found, Problem{s.name, pos.line, pos.column, path, fmt.Sprintf(format, args...)})
}

// report reports a problem with the value at path; unless the value, or what it is part of, already has one.
func (s *source) report(path, format string, args ...any) {
	if !s.isBad(path) {
		s.at(s.position(path), path, format, args...)
	}
}

// reportKey is report for a problem with the key.
func (s *source) reportKey(path, format string, args ...any) {
	pos, ok := s.keys[path]
	if !ok {
		pos = s.position(path)
	}
	if !s.isBad(path) {
		s.at(pos, path, format, args...)
	}
}

func (s *source) isBad(path string) bool {
	for ; path != ""; path = parent(path) {
		if s.bad[path] {
			return true
		}
	}
	return false
}

// position returns where path stands, or the closest thing around it that stands somewhere.
func (s *source) position(path string) position {
	for ; path != ""; path = parent(path) {
		if pos, ok := s.values[path]; ok {
			return pos
		}
	}
	return s.values[""]
}

// given says whether the file has something at path.
func (s *source) given(path string) bool {
	_, ok := s.values[path]
	return ok
}

// parent cuts the last key or index off a path.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// sorted returns the problems in the order of the file.
func (s *source) sorted() Problems {
	slices.SortStableFunc(s.found, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) { // "not shown" stays last
			return b.Line - a.Line
		}
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return s.found
}

// hint returns " (did you mean X?)" when one of words is close to s, else " (one of A, B, C)".
func hint(s string, words []string) string {
	if w := closest(s, words); w != "" {
		return fmt.Sprintf(" (did you mean %q?)", w)
	}
	return " (one of " + strings.Join(words, ", ") + ")"
}

// closest returns the word with the least edit distance to s, if that is small for its length; of equals, the first in order.
func closest(s string, words []string) string {
	best, least := "", 1+max(1, min(3, len(s)/3))
	if len(s) > 64 { // no key is that long, and the distance costs the product of the lengths
		return ""
	}
	for _, w := range slices.Sorted(slices.Values(words)) {
		if d := distance(strings.ToLower(s), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is the edit distance with swaps of neighbours counted once (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
