package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/blocklists/format"
	"weir/internal/app"
)

// maxShown is how many diagnostics of one file are printed; the counts are always whole.
const maxShown = 20

// listsTestOptions are the flags of lists test.
type listsTestOptions struct {
	app.ListTest
	check string
	json  bool
}

func listsTestCommand() *cobra.Command {
	var o listsTestOptions
	cmd := &cobra.Command{
		Use: "test FILE...", Short: "Read lists from files and say what is in them, without a config",
		Long: "Read lists from files, plain or compressed by gzip or zstd, build their snapshot, and say what is in them and what was\n" +
			"skipped, for each file and in all. No config is needed. With --check: whether they block each line of a file (- is standard\n" +
			"input) of names, addresses, URLs and fingerprints (JA3, JA4), and which entry says so. A name is judged as a DNS question\n" +
			"of type A, or of the type behind it (\"x.example AAAA\"). Exit code 1: a file is no list.",
		Example: "  weir lists test hosts.txt rpz.zone.gz\n  weir lists test --format csv --column url --json feed.csv\n  weir lists test --check names.txt --json hosts.txt",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return listsTest(cmd, args, o) },
	}
	cmd.Flags().StringVar(&o.Format, "format", "", "format of all files (default: told from their beginnings)")
	cmd.Flags().StringVar(&o.Column, "column", "", "column of CSV by name or number, key of JSON (default: the first with a usual name)")
	cmd.Flags().BoolVar(&o.GrantAllow, "grant-allow", false, "what lets through counts, as with grants: [allow]")
	cmd.Flags().BoolVar(&o.GrantRewrite, "grant-rewrite", false, "what answers with records counts, as with grants: [rewrite]")
	cmd.Flags().BoolVar(&o.GrantClients, "grant-clients", false, "what is about who asks counts (RPZ client-IP), as with grants: [clients]")
	cmd.Flags().StringVar(&o.check, "check", "", "file of names, addresses, URLs and fingerprints: print a verdict for each line instead")
	cmd.Flags().BoolVar(&o.json, "json", false, "one JSON object a file, and one for all; with --check one a line")
	return cmd
}

func listsTest(cmd *cobra.Command, files []string, o listsTestOptions) error {
	if _, err := format.ParseFormat(o.Format); err != nil {
		return fmt.Errorf("%w: --format: %w", errUsage, err)
	}
	shown := map[string]int{}
	if !o.json {
		o.Diagnostic = func(d format.Diagnostic) {
			if shown[d.File]++; shown[d.File] <= maxShown {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), d)
			}
		}
	}
	tested, err := app.TestLists(cmd.Context(), files, o.ListTest)
	if tested == nil {
		return err
	}
	for _, file := range files {
		if more := shown[file] - maxShown; more > 0 {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d more\n", file, more)
		}
	}
	printed := error(nil)
	if o.check != "" {
		printed = listsCheck(cmd, tested, o)
	} else {
		printed = printReports(cmd.OutOrStdout(), tested, o.json)
	}
	if err != nil {
		return err
	}
	return printed
}

// printReports prints a line a file, and one for all when there are several.
func printReports(out io.Writer, tested *app.TestedLists, asJSON bool) error {
	reports := tested.Files
	if len(reports) > 1 {
		reports = append(reports, tested.All)
	}
	if asJSON {
		for _, r := range reports {
			if err := printLine(out, r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "FILE\tFORMAT\tRULES\tNAMES\tADDRESSES\tURLS\tFINGERPRINTS\tSKIPPED\tSECONDS\tBYTES")
	for _, r := range reports {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%.3f\t%d\n",
			r.File, r.Format, r.Rules, r.Names, r.Addresses, r.URLs, r.Fingerprints, skipped(app.ListState{Skipped: r.Skipped}), r.Seconds, r.SnapshotBytes)
	}
	return w.Flush()
}

// listsCheck prints a verdict for each line of the file of names.
func listsCheck(cmd *cobra.Command, tested *app.TestedLists, o listsTestOptions) error {
	in, source := cmd.InOrStdin(), "standard input"
	if o.check != "-" {
		f, err := os.Open(o.check)
		if err != nil {
			return fmt.Errorf("--check: %w", err)
		}
		defer func() { _ = f.Close() }() // read only
		in, source = f, o.check
	}
	return eachLine(in, source, func(_, line string) error {
		return printVerdict(cmd.OutOrStdout(), tested.Check(line), o.json)
	}, func(_, start string) error {
		return printVerdict(cmd.OutOrStdout(), app.ListVerdict{Name: start, Error: errLongLine.Error()}, o.json)
	})
}

func printVerdict(out io.Writer, v app.ListVerdict, asJSON bool) error {
	if asJSON {
		return printLine(out, v)
	}
	text := "not listed"
	switch {
	case v.Error != "":
		text = v.Error
	case v.Listed:
		text = fmt.Sprintf("listed by %s:%d: %s", v.List, v.Line, v.Entry)
		if v.Answer != "" {
			text += strings.TrimRight(" ("+v.Answer+" "+strings.Join(v.Records, ", "), " ") + ")"
		}
	case v.Entry != "":
		text = fmt.Sprintf("let through by %s:%d: %s", v.List, v.Line, v.Entry)
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", v.Name, text)
	return err
}

// printLine prints one JSON object on a line. Entries hold '|' and '^' only, but names are the reader's: no HTML escapes.
func printLine(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
