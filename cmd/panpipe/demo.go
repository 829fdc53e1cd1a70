package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/cmd/panpipe/demo"
)

func newDemo(a *app) *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job: eight nodes on this machine, every step verified",
		Long: "Starts eight nodes as processes of their own on loopback, joins them, and lets\n" +
			"them bind, resolve, dial and move a pipe. Each step is verified; nothing is left\n" +
			"behind. With --json each line of the timeline is a line of JSON.\n\n" +
			"Steps: " + strings.Join(demo.Steps(), ", ") + " (join is always run).",
		Args: takes(),
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			return demo.Run(cmd.Context(), demo.Options{Only: only, JSON: a.json, Out: a.out})
		}),
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "run these steps alone (repeated, or with commas)")
	return cmd
}
