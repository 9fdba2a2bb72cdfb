package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/app"
)

func listsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lists", Short: "Lists of names and addresses", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	status := &cobra.Command{
		Use: "status", Short: "Every list, as the running weir has it, else as it lies on disk: rules, age, next refresh, last error", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return listsStatus(cmd, asJSON) },
	}
	var accept bool
	update := &cobra.Command{
		Use: "update [NAME]", Short: "Refresh one list, or all, now; or take the text that is held for review", Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if accept && len(args) == 0 {
				return fmt.Errorf("%w: --accept needs the name of a list", errUsage)
			}
			f, err := load(cmd)
			if err != nil {
				return err
			}
			if accept {
				return app.AcceptList(cmd.Context(), f, args[0])
			}
			return app.UpdateLists(cmd.Context(), f, strings.Join(args, ""))
		},
	}
	update.Flags().BoolVar(&accept, "accept", false, "put in force what is held for review since it has far more or fewer entries")
	search := &cobra.Command{
		Use: "search NAME", Short: "Every list and line that holds a name or its parent, an address or network, a URL or a fingerprint", Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return listsSearch(cmd, args[0], asJSON) },
	}
	for _, c := range []*cobra.Command{status, search} {
		c.Flags().BoolVar(&asJSON, "json", false, "JSON")
	}
	cmd.AddCommand(status, update, search, listsTestCommand())
	return cmd
}

func listsStatus(cmd *cobra.Command, asJSON bool) error {
	f, err := load(cmd)
	if err != nil {
		return err
	}
	all, err := app.ListsStatus(cmd.Context(), f)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "LIST\tCLASS\tRULES\tSKIPPED\tSTATE\tAGE\tNEXT\tSOURCE\tSIZE\tERROR")
	now := time.Now()
	for _, l := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			l.Name, l.Class, l.Rules, skipped(l), state(l), span(now.Sub(l.Updated), l.Updated), span(l.Next.Sub(now), l.Next), l.Source, size(l.Bytes), l.LastError)
	}
	if err := w.Flush(); err != nil || len(all) == 0 {
		return err
	}
	m := all[0].Memory
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nmemory of all lists: %s resident, %s mapped from disk\n", size(m.Resident), size(m.Mapped))
	return err
}

// span prints a time to or from a moment; - when there is no such moment.
func span(d time.Duration, moment time.Time) string {
	if moment.IsZero() {
		return "-"
	}
	return max(d, 0).Round(time.Second).String()
}

// state says how a list fares, and what is held for review.
func state(l app.ListState) string {
	if l.Pending == nil {
		return l.State
	}
	return fmt.Sprintf("%s (%d entries, %d in force, since %s)", l.State, l.Pending.Entries, l.Pending.Had, l.Pending.Since.UTC().Format(time.RFC3339))
}

// size prints octets in the largest unit of which there is one.
func size[N int64 | uint64](n N) string {
	units := [...]string{"B", "KiB", "MiB", "GiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	return strconv.FormatFloat(f, 'f', min(i, 1), 64) + units[i]
}

// skipped tells what of a list does not count, by reason; what only a grant would let count is "no-grant".
func skipped(l app.ListState) string {
	var out []string
	for reason, n := range l.Skipped {
		out = append(out, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(out)
	if l.Refused > 0 {
		out = append(out, fmt.Sprintf("%d no-grant: allow", l.Refused))
	}
	if l.RefusedRewrites > 0 {
		out = append(out, fmt.Sprintf("%d no-grant: rewrite", l.RefusedRewrites))
	}
	if l.RefusedClients > 0 {
		out = append(out, fmt.Sprintf("%d no-grant: clients", l.RefusedClients))
	}
	if len(out) == 0 {
		return "0"
	}
	return strings.Join(out, ", ")
}

func listsSearch(cmd *cobra.Command, name string, asJSON bool) error {
	f, err := load(cmd)
	if err != nil {
		return err
	}
	hits, err := app.SearchLists(cmd.Context(), f, name)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), hits)
	}
	for _, h := range hits {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s:%d: %s (%s, %s)\n", h.List, h.Line, h.Entry, h.Class, h.Source); err != nil {
			return err
		}
	}
	if len(hits) == 0 {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is on no list\n", name)
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(text))
	return err
}
