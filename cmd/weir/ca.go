package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/app"
)

func caCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ca", Short: "The certificate authority of interception", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sub := func(use, short string, f func(cmd *cobra.Command, file *app.File) error) *cobra.Command {
		c := &cobra.Command{
			Use: use, Short: short, Args: usage(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				file, err := load(cmd)
				if err != nil {
					return err
				}
				return f(cmd, file)
			},
		}
		cmd.AddCommand(c)
		return c
	}
	sub("init", "Make the CA; refused where one exists or once existed", func(cmd *cobra.Command, file *app.File) error {
		a, err := app.InitCA(file)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), a)
		return err
	})
	var asJSON bool
	show := sub("show", "Where the CA is, its fingerprint and how long it is good", func(cmd *cobra.Command, file *app.File) error {
		a, err := app.ShowCA(file)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(cmd.OutOrStdout(), a)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), a)
		return err
	})
	show.Flags().BoolVar(&asJSON, "json", false, "JSON")
	sub("export", "The CA's certificate as PEM, for clients to trust", func(cmd *cobra.Command, file *app.File) error {
		pem, err := app.ExportCA(file)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(pem)
		return err
	})
	return cmd
}
