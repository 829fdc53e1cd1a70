package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

func newDial(a *app) *cobra.Command {
	var q api.DialQuery
	cmd := &cobra.Command{
		Use:   "dial PIPE",
		Short: "Connect standard input and output to whoever serves a pipe",
		Long: "Connects standard input and output to whoever serves a pipe. The end of standard\n" +
			"input is told to the far side; dial exits when the far side has ended too. If\n" +
			"the path is lost, the connection goes on over another one; panpipe pipe ls tells\n" +
			"how it fares. If none is found in time (--grace) before both sides have ended\n" +
			"their data, dial fails; a far side that dies after that is not noticed. With\n" +
			"--json or -v, what happens is told on standard error.",
		Args: takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			conn, err := c.Dial(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			a.tellConnection(cmd.Context(), "connected", conn)
			defer a.tellPaths(cmd.Context(), c, conn)()
			return a.plumb(cmd.Context(), conn, a.in, nil)
		}),
	}
	dialFlags(cmd, &q)
	return cmd
}

// tellPaths says on stderr, with -v, when a connection loses its path and when
// it goes on over another, until stop.
func (a *app) tellPaths(ctx context.Context, c *client.Client, conn *client.Conn) (stop func()) {
	if a.quiet || a.verbose == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for e, err := range c.Events(ctx, 0) {
			if err != nil {
				return // the connection itself will tell
			}
			if e.Connection == nil || e.Connection.ID != conn.ID() {
				continue
			}
			switch e.Kind {
			case api.EventConnectionWaiting:
				a.progress("reconnecting: the path over %s was lost", e.Connection.Transport)
			case api.EventConnectionMoved:
				a.progress("goes on %s", whereText(*e.Connection))
			}
		}
	}()
	return func() {
		cancel()
		<-told
	}
}

// tellConnection says on stderr whom a connection reaches, if anybody wants to
// know.
func (a *app) tellConnection(ctx context.Context, what string, conn *client.Conn) {
	if a.quiet || !a.json && a.verbose == 0 && !isTerminal(a.err) {
		return
	}
	about, err := conn.About(ctx)
	if err != nil {
		return // the connection itself will tell
	}
	if a.json {
		a.printJSON(a.err, struct { //nolint:errcheck // stderr has gone; there is nobody to tell
			Event      string         `json:"event"`
			Connection api.Connection `json:"connection"`
		}{what, about})
		return
	}
	a.progress("%s: %s over %s (%s, %s)", what, about.Principal, about.Transport, about.Path, about.Endpoint)
}
