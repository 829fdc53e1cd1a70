package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// pipeListing is what pipe ls tells.
type pipeListing struct {
	api.PipeList
	Connections []api.Connection `json:"connections"`
}

// openConnections are those that have not ended.
func openConnections(ctx context.Context, c *client.Client) ([]api.Connection, error) {
	all, err := c.Connections(ctx)
	return slices.DeleteFunc(all, func(c api.Connection) bool {
		return c.State != api.ConnectionOpen && c.State != api.ConnectionOffered
	}), err
}

// printConnections tells about connections and their legs; nothing if there are
// none.
func printConnections(w io.Writer, all []api.Connection) {
	for _, c := range all {
		with := "to"
		if c.Direction == "in" {
			with = "from"
		}
		fmt.Fprintf(w, "connection %s of %s\n  %s %s, %s\n", c.ID, c.Pipe, with, c.Principal, whereText(c))
		for _, l := range c.Legs {
			printLeg(w, l)
		}
		if more := c.LegCount - len(c.Legs); more > 0 {
			fmt.Fprintf(w, "  and %d paths before these\n", more)
		}
	}
}

// whereText tells how a connection is carried.
func whereText(c api.Connection) string {
	where := fmt.Sprintf("%s (%s) %s", c.Transport, c.Path, c.Endpoint)
	switch {
	case c.Transport == "":
		return "within this node"
	case c.ReconnectingSince != nil:
		return "reconnecting since " + c.ReconnectingSince.Local().Format(time.DateTime) + ", before over " + where
	case c.LegCount == 0:
		return "a raw stream over " + where
	}
	return "over " + where
}

func printLeg(w io.Writer, l api.Leg) {
	fmt.Fprintf(w, "  %s %s (%s) %s: %s; %d bytes sent, %d of them again, %d received",
		l.Began.Local().Format(time.TimeOnly), l.Transport, l.Path, l.Endpoint, l.Why, l.Sent, l.Replayed, l.Received)
	if l.PauseMS > 0 {
		fmt.Fprintf(w, "; pause %.0f ms", l.PauseMS)
	}
	if l.Ended != nil {
		fmt.Fprintf(w, "; ended %s (%s)", l.Ended.Local().Format(time.TimeOnly), l.Cause)
	}
	fmt.Fprintln(w)
}
