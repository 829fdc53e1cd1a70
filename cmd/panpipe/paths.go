package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
)

func newDisconnect(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "disconnect PEER", Short: "Close every path to a peer",
		Long: "Closes every path to a peer. Connections of pipes lose nothing by it and go on over\n" +
			"a new path, and either side may connect again: this is for a path that is stuck,\n" +
			"or slower than another would be.",
		Args: takes("PEER"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.Disconnect(cmd.Context(), args[0])
		}),
	}
}

func newRelisten(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "relisten ADDR…", Short: "Listen on other addresses instead, without a restart",
		Long: "Has the running node listen on these multiaddrs instead of those it has, such as\n" +
			"/ip4/0.0.0.0/tcp/4001, and prints what it listens on then. Port 0 takes a free one.\n" +
			"Paths from and to a port that is given up are closed; connections of pipes go on\n" +
			"over others. The node's configuration says what a restarted node listens on.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s needs an address", cmd.CommandPath())
			}
			return nil
		},
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			had, err := c.Relisten(cmd.Context(), args)
			if err != nil {
				return err
			}
			return a.print(api.Listening{Addresses: had}, func(w io.Writer) { fmt.Fprintln(w, strings.Join(had, "\n")) })
		}),
	}
}
