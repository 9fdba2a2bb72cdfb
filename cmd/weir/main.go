// Command weir is a TLS-intercepting forward proxy and a filtering DNS resolver in one program.
//
//	weir run          start everything; with no file: safe defaults, own CA and data under ./weir-data
//	weir validate     every problem of a config file with line and column
//	weir check        verdict and trace for URLs, names and addresses
//	weir inspect      files and raw HTTP messages through the detectors
//	weir lists        status, update, search, test
//	weir ca           init, show, export
//	weir healthcheck  ask a running weir whether it is ready
//	weir version
//
// Exit codes: 0 fine, 1 policy says block or a check failed, 2 usage, 78 a config file with problems (EX_CONFIG of sysexits.h).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/app"
	"weir/internal/redact"
)

// version is stamped by the build: -ldflags "-X main.version=...".
var version = "dev"

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// errUsage marks errors of the command line itself; errBlocked is a check that said block; errReported marks what was told when
// it happened.
var (
	errUsage    = errors.New("usage")
	errBlocked  = errors.New("blocked")
	errReported = errors.New("some targets could not be judged")
)

func main() {
	os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns the exit code.
func execute(args []string, in io.Reader, out, errOut io.Writer) int {
	safeOut, safeErr := redact.Writer(out), redact.Writer(errOut)
	defer func() { _ = safeOut.Flush(); _ = safeErr.Flush() }()
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(safeOut)
	cmd.SetErr(safeErr)
	err := cmd.ExecuteContext(context.Background())
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errBlocked):
		return exitFailed
	case app.IsProblem(err):
		for _, p := range app.Problems(err) {
			_, _ = fmt.Fprintln(safeErr, p)
		}
		return exitConfig
	case errors.Is(err, errReported):
	default:
		complain(safeErr, err)
	}
	switch {
	case errors.Is(err, app.ErrConfigFile):
		return exitConfig
	case errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

// complain prints an error, one line for each that it joins.
func complain(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			_, _ = fmt.Fprintln(w, "weir:", line)
		}
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "weir",
		Short:         "Forward proxy and DNS resolver that stop command-and-control and hidden data",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringP("config", "c", "", "config file (default: the built-in defaults)")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	cmd.AddCommand(runCommand(), validateCommand(), checkCommand(), inspectCommand(), listsCommand(), caCommand(), healthCommand(), versionCommand())
	return cmd
}

// usage turns the errors of an argument check into usage errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%w: %s: %w", errUsage, cmd.CommandPath(), err)
		}
		return nil
	}
}

// load reads the config file that the command line names.
func load(cmd *cobra.Command) (*app.File, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return app.Load(path)
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]string{"version": version, "go_version": runtime.Version()})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "weir", version)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return cmd
}
