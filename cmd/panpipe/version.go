package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control"
	"github.com/panpipe-net/panpipe/node/control/api"
)

// version is the release; the linker sets it (-X main.version=…).
var version string

// buildInfo is the version of this program.
func buildInfo() api.Version {
	v := control.BuildInfo()
	if version != "" {
		v.Version = version
	}
	return v
}

// versionWait bounds the question to the node, which may not be there.
const versionWait = 2 * time.Second

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program, and of the node if one is running", Args: takes(),
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			versions := struct {
				Client api.Version  `json:"client"`
				Node   *api.Version `json:"node,omitempty"`
			}{Client: buildInfo()}
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), versionWait)
			defer cancel()
			if v, err := c.Version(ctx); err == nil {
				versions.Node = &v
			}
			return a.print(versions, func(w io.Writer) {
				fmt.Fprintf(w, "panpipe %s, API %s, %s, %s\n", versions.Client.Version, versions.Client.API, versions.Client.Go, versions.Client.Platform)
				if n := versions.Node; n != nil {
					fmt.Fprintf(w, "the running node is %s\n", n.Version)
				}
			})
		}),
	}
}
