package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/app"
	"weir/internal/redact"
)

func validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Report every problem of a config file with line and column; exit 78 when there are any",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := load(cmd)
			if err != nil {
				return err
			}
			if err := app.Validate(cmd.Context(), f); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is fine")
			return err
		},
	}
}

// checkOptions are the flags of check and inspect.
type checkOptions struct {
	client  string
	json    bool
	resolve bool
}

func checkCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use: "check TARGET...", Short: "Verdict and trace for URLs, names and addresses, by the same gate as the data path",
		Long: "Verdict and trace for URLs, names and addresses, by the same gate as the data path, without network unless --resolve.\n" +
			"A target of - reads targets from standard input, one a line; empty lines and # comments are skipped.\n" +
			"Exit code 1: something is blocked; 2: something was no target, the others were judged all the same.",
		Example: "  weir check example.com https://example.com/path 203.0.113.7\n  weir check --json --client 10.0.0.7 - <names.txt",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return check(cmd, args, o) },
	}
	cmd.Flags().StringVar(&o.client, "client", "", "address of the client that is said to ask (default 127.0.0.1)")
	cmd.Flags().BoolVar(&o.json, "json", false, "one JSON object a target")
	cmd.Flags().BoolVar(&o.resolve, "resolve", false, "look names up, and judge where they lead to")
	return cmd
}

func check(cmd *cobra.Command, args []string, o checkOptions) error {
	judge, err := newJudge(cmd, o)
	if err != nil {
		return err
	}
	c := checker{cmd: cmd, judge: judge, o: o}
	for _, target := range args {
		if target == "-" {
			err = eachLine(cmd.InOrStdin(), "standard input", c.one, func(where, start string) error {
				c.bad = true
				return c.report(where, start, errLongLine)
			})
		} else {
			err = c.one("", target)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case c.bad:
		return fmt.Errorf("%w: %w", errUsage, errReported)
	case c.failed:
		return errReported
	case c.blocked:
		return errBlocked
	}
	return nil
}

// checker judges one target after another.
type checker struct {
	cmd   *cobra.Command
	judge *app.Judge
	o     checkOptions

	blocked bool // something is
	bad     bool // something was no target
	failed  bool // something could not be looked up
}

// one judges a target and prints the answer; where says where it was read. What cannot be judged is reported and costs no other
// target; the error is that of the output.
func (c *checker) one(where, target string) error {
	a, err := c.judge.Check(time.Now(), target)
	if err != nil {
		c.bad = true
		return c.report(where, target, err)
	}
	if c.o.resolve {
		if a, err = c.judge.Resolve(c.cmd.Context(), time.Now(), target); err != nil {
			c.failed = true
			return c.report(where, target, err)
		}
	}
	c.blocked = c.blocked || a.Blocks()
	a.Leads = a.Leads && !c.o.resolve
	return write(c.cmd.OutOrStdout(), a, c.o.json)
}

// report says what is wrong with a target: as an object in its place among the answers, or on standard error.
func (c *checker) report(where, target string, err error) error {
	if !c.o.json {
		complain(c.cmd.ErrOrStderr(), fmt.Errorf("%s%w", where, err))
		return nil
	}
	return printLine(c.cmd.OutOrStdout(), struct {
		Target string `json:"target"`
		Error  string `json:"error"`
	}{redact.Text(target), redact.Error(fmt.Errorf("%s%w", where, err))})
}

func newJudge(cmd *cobra.Command, o checkOptions) (*app.Judge, error) {
	f, err := load(cmd)
	if err != nil {
		return nil, err
	}
	var client netip.Addr
	if o.client != "" {
		if client, err = netip.ParseAddr(o.client); err != nil {
			return nil, fmt.Errorf("%w: --client: %w", errUsage, err)
		}
	}
	return app.NewJudge(cmd.Context(), f, client)
}

func write(w io.Writer, a app.Answer, asJSON bool) error {
	if asJSON {
		return printLine(w, a)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", a.Target, a.Verdict)
	if a.Would != "" {
		fmt.Fprintf(&b, " (would %s)", a.Would)
	}
	fmt.Fprintf(&b, " by %s: %s\n", a.Cause, a.Reason)
	if a.Why != "" {
		fmt.Fprintf(&b, "  class  %s: %s\n", a.Class, a.Why)
	}
	if a.Rule != "" {
		fmt.Fprintf(&b, "  rule   %s\n", a.Rule)
	}
	if a.List != "" {
		fmt.Fprintf(&b, "  list   %s line %d: %s\n", a.List, a.Line, a.Entry)
	}
	if a.Answer != "" {
		fmt.Fprintf(&b, "  answer %s\n", strings.Join(append([]string{a.Answer}, a.Records...), "; "))
	}
	for _, f := range a.Findings {
		fmt.Fprintf(&b, "  found  %s (%s, %s) in %s at %d: %s\n", f.Detector, f.Severity, f.Technique, f.Where, f.Offset, f.Detail)
	}
	for _, s := range a.Trace {
		fmt.Fprintf(&b, "  trace  %-10s %-8s %-5s %s%s\n", s.Stage, s.Place, s.Verdict, s.Subject, said(s))
	}
	if a.Leads {
		b.WriteString("  note   where the name leads to was not judged; --resolve looks it up and judges that too\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// said says which entry of which list spoke in a step of the trace, what it beat, and whether it was only tried out.
func said(s app.TraceEntry) (text string) {
	if s.List != "" {
		text = fmt.Sprintf("  (%s: %s", s.List, s.Entry)
		if s.OverList != "" {
			text += fmt.Sprintf(" over %s: %s", s.OverList, s.OverEntry)
		}
		text += ")"
	}
	if s.Would != "" {
		text += "  would " + s.Would
	}
	return text
}

func inspectCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use: "inspect FILE...", Short: "Run files and raw HTTP messages through the detectors; findings as JSON lines",
		Long: "Run raw HTTP messages, or any other files as bodies of unknown type, through the same gate as the data path.\n" +
			"A file of - reads standard input. Prints one JSON object a file. Exit code 1: something is blocked.",
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return inspectFiles(cmd, args, o) },
	}
	cmd.Flags().StringVar(&o.client, "client", "", "address of the client that is said to send requests (default 127.0.0.1)")
	cmd.Flags().BoolVar(&o.json, "json", true, "one JSON object a file; --json=false for people")
	return cmd
}

func inspectFiles(cmd *cobra.Command, args []string, o checkOptions) error {
	judge, err := newJudge(cmd, o)
	if err != nil {
		return err
	}
	blocked := false
	for _, name := range args {
		a, err := inspectFile(cmd, judge, name)
		if err != nil {
			return err
		}
		blocked = blocked || a.Blocks()
		if err := write(cmd.OutOrStdout(), a, o.json); err != nil {
			return err
		}
	}
	if blocked {
		return errBlocked
	}
	return nil
}

func inspectFile(cmd *cobra.Command, judge *app.Judge, name string) (app.Answer, error) {
	if name == "-" {
		return judge.Inspect(time.Now(), name, cmd.InOrStdin())
	}
	f, err := os.Open(name)
	if err != nil {
		return app.Answer{}, err
	}
	defer func() { _ = f.Close() }()
	return judge.Inspect(time.Now(), name, f)
}
