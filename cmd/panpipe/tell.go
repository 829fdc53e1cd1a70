package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// asks makes a command without arguments that asks the node one thing and
// prints it.
func asks[T any](a *app, use, short string, ask func(c *client.Client, ctx context.Context) (T, error), human func(w io.Writer, v T)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: takes(), RunE: does(func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		v, err := ask(c, cmd.Context())
		if err != nil {
			return err
		}
		return a.print(v, func(w io.Writer) { human(w, v) })
	})}
}

func newStatus(a *app) *cobra.Command {
	cmd := asks(a, "status", "Tell how the node is doing", (*client.Client).Status, printStatus)
	cmd.Long = "Tells how the node is doing. Exits with 0 whenever a node answers, also before it has\n" +
		"joined its overlay: that is the line \"ready\". Exits with 3 when no node runs."
	return cmd
}

func printStatus(w io.Writer, s api.Status) {
	ready := yes(s.Ready)
	if s.NotReady != nil {
		ready += ": " + s.NotReady.Detail
	}
	rows := [][]string{
		{"ready", ready},
		{"peer", s.Peer},
		{"overlay", s.Overlay},
		{"profile", s.Profile},
		{"version", s.Version},
		{"up", time.Since(s.Started).Round(time.Second).String()},
		{"role", s.Role},
		{"reachability", s.Reachability},
		{"peers", strconv.Itoa(s.Peers)},
		{"servers", strconv.Itoa(s.Servers)},
		{"pipes served", strconv.Itoa(s.Pipes)},
		{"mdns", yes(s.MDNS)},
		{"relaying", yes(s.Relay)},
	}
	for _, address := range s.Addresses {
		rows = append(rows, []string{"address", address})
	}
	for _, e := range s.JoinErrors {
		rows = append(rows, []string{"join failed", e.Address + ": " + e.Error})
	}
	table(w, rows)
}

func newPeers(a *app) *cobra.Command {
	peers := func(c *client.Client, ctx context.Context) (api.PeerList, error) {
		l, err := c.Peers(ctx)
		return api.PeerList{Peers: l}, err
	}
	return asks(a, "peers", "List the connected nodes", peers, func(w io.Writer, l api.PeerList) {
		rows := [][]string{{"PEER", "TRANSPORTS", "DIRECT", "SERVER", "LATENCY", "AGENT"}}
		for _, p := range l.Peers {
			latency := "-"
			if p.LatencyMS > 0 {
				latency = fmt.Sprintf("%.1f ms", p.LatencyMS)
			}
			rows = append(rows, []string{p.ID, strings.Join(p.Transports, ","), yes(p.Direct), yes(p.Server), latency, orDash(p.Agent)})
		}
		table(w, rows)
	})
}

func newTicket(a *app) *cobra.Command {
	return asks(a, "ticket", "Print what others need to join through this node", (*client.Client).Ticket,
		func(w io.Writer, t api.Ticket) { fmt.Fprintln(w, t.Ticket) })
}

func newID(a *app) *cobra.Command {
	return asks(a, "id", "Print who the node is", (*client.Client).ID, func(w io.Writer, id api.Identity) {
		fmt.Fprintln(w, id.Principal)
		for _, address := range id.Addresses {
			fmt.Fprintln(w, address)
		}
	})
}

func newLimits(a *app) *cobra.Command {
	limits := func(c *client.Client, ctx context.Context) (api.LimitList, error) {
		l, err := c.Limits(ctx)
		return api.LimitList{Limits: l}, err
	}
	return asks(a, "limits", "List the caps of the node, and the settings that move them", limits, func(w io.Writer, l api.LimitList) {
		rows := [][]string{{"LIMIT", "VALUE", "USED", "UNIT", "SETTING"}}
		for _, x := range l.Limits {
			used := "-"
			if x.Used != nil {
				used = strconv.FormatInt(*x.Used, 10)
			}
			rows = append(rows, []string{x.Name, strconv.FormatInt(x.Value, 10), used, x.Unit, orDash(x.Setting)})
		}
		table(w, rows)
	})
}
