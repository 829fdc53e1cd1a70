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
	var watch bool
	cmd := asks(a, "status", "Tell how the node is doing", (*client.Client).Status, printStatus)
	cmd.Long = "Tells how the node is doing. Exits with 0 whenever a node answers, also before it has\n" +
		"joined its overlay: that is the line \"ready\". Exits with 3 when no node runs.\n\n" +
		"With --watch it goes on: a terminal shows the present status, anything else gets a\n" +
		"line for each change, with --json an object of the event stream. Ctrl-C ends it with\n" +
		"0; when the node leaves or dies it exits with 3."
	once := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if watch {
			return does(func(cmd *cobra.Command, _ []string) error { return a.watchStatus(cmd.Context()) })(cmd, args)
		}
		return once(cmd, args)
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on telling what changes")
	return cmd
}

func printStatus(w io.Writer, s api.Status) { table(w, statusRows(s)) }

// statusRows are the lines of a status: what, and how it is.
func statusRows(s api.Status) [][]string {
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
		{"router", routerText(s.NAT)},
		{"relayed connections", strconv.Itoa(s.Circuits)},
	}
	for _, c := range s.Connections {
		if c.ReconnectingSince != nil {
			rows = append(rows, []string{"reconnecting", "connection " + c.ID + " since " + c.ReconnectingSince.Local().Format(time.DateTime)})
		}
	}
	for _, r := range s.Gateway {
		rows = append(rows, []string{"gateway", ruleText(r)})
	}
	for _, relay := range s.Relays {
		rows = append(rows, []string{"reached through relay", relay})
	}
	for _, address := range s.NAT.Public {
		rows = append(rows, []string{"seen from outside as", address})
	}
	for _, address := range s.Addresses {
		rows = append(rows, []string{"address", address})
	}
	for _, e := range s.JoinErrors {
		rows = append(rows, []string{"join failed", e.Address + ": " + e.Error})
	}
	return rows
}

// routerText tells what the router does for the node.
func routerText(n api.NAT) string {
	switch {
	case n.Double && len(n.Mapped) == 0:
		return "forwards nothing, behind another NAT"
	case n.Double:
		return "forwards " + strings.Join(n.Mapped, ", ") + ", behind another NAT"
	case len(n.Mapped) > 0:
		return "forwards " + strings.Join(n.Mapped, ", ")
	case n.Router:
		return "forwards nothing"
	}
	if !n.Asked {
		return "not asked"
	}
	return "none has answered"
}

func newPeers(a *app) *cobra.Command {
	peers := func(c *client.Client, ctx context.Context) (api.PeerList, error) {
		l, err := c.Peers(ctx)
		return api.PeerList{Peers: l}, err
	}
	cmd := asks(a, "peers", "List the connected nodes", peers, func(w io.Writer, l api.PeerList) {
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
	cmd.AddCommand(newDisconnect(a))
	return cmd
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
