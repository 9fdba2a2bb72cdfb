package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/blocklists/source"
	"weir/internal/admin"
	"weir/internal/config"
	"weir/internal/event"
)

// Validate compiles the policy of a config file as run would, without starting anything, and looks at every file that the config
// names. The error holds every problem ([IsProblem], [Problems]). A list file that cannot be read is one here, while run goes on
// without it and says so.
func Validate(ctx context.Context, f *File) error {
	k, err := newCore(ctx, f, coreConfig{recorder: event.Discard{}, readOnly: true})
	if err != nil {
		return err
	}
	found := files(f)
	found = append(found, k.lockProblems(f)...)
	return inOrder(append(found, listProblems(f.File, k.lists.Status())...)).Err()
}

// files reports the files and directories of a config that run could not start with.
func files(f *File) (found config.Problems) {
	add := func(err error) {
		var p config.Problems
		if errors.As(err, &p) {
			found = append(found, p...)
		}
	}
	_, err := roots(f.File)
	add(err)
	_, err = adminToken(f)
	add(err)
	if err := checkEvents(f.Events.File); err != nil {
		add(problem(f.File, "events.file", err))
	}
	if err := admin.CheckSocket(f.Socket()); err != nil {
		path := "admin.socket"
		if f.Admin.Socket == "" {
			path = "data_dir"
		}
		add(problem(f.File, path, err))
	}
	return inOrder(found)
}

// inOrder sorts problems as they stand in the file.
func inOrder(ps config.Problems) config.Problems {
	slices.SortStableFunc(ps, func(a, b config.Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return ps
}

// listProblems reports list files that give nothing. What the copy of a remote list is like is no matter of the config file.
func listProblems(f *config.File, all []source.Status) (found config.Problems) {
	for i, l := range f.Lists {
		path := fmt.Sprintf("lists[%d].file", i)
		if l.File == "" {
			continue
		}
		for _, s := range all {
			switch {
			case s.LastError == "" || s.Name != l.Name && !strings.HasPrefix(s.Name, l.Name+"/"):
			case s.Name != l.Name:
				found = append(found, f.Problem(path, s.Source+": "+strings.ReplaceAll(s.LastError, "\n", "; ")))
			default:
				found = append(found, f.Problem(path, strings.ReplaceAll(s.LastError, "\n", "; ")))
			}
		}
	}
	return found
}

// lines splits an error into what it joins; none is empty.
func lines(err error) (out []string) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
