package main

import (
	"github.com/spf13/cobra"

	"weir/internal/app"
)

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Start the proxy and the resolver",
		Long: "Start the proxy and the resolver. With no config file: safe defaults, a proxy on 127.0.0.1:3128, a resolver on\n" +
			"127.0.0.1:1053, own CA and data under ./weir-data (or /var/lib/weir). SIGHUP reloads, SIGTERM drains, SIGUSR1 reopens\nthe events file.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := load(cmd)
			if err != nil {
				return err
			}
			return app.Run(cmd.Context(), f, app.Streams{Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr()}, version)
		},
	}
}

func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Ask the weir that runs with this config whether it is ready; exit 1 when not",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := load(cmd)
			if err != nil {
				return err
			}
			if err := app.Healthy(cmd.Context(), f); err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write([]byte("healthy\n"))
			return err
		},
	}
}
