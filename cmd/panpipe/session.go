package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/cmd/panpipe/chat"
	"github.com/panpipe-net/panpipe/node/control/api"
)

func newSession(a *app) *cobra.Command {
	return group("session", "Sessions that run with devices of buddies, and of your own", newSessionList(a))
}

func newSessionList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List the sessions that run", Args: takes(),
		Long: "Lists the sessions that run: with whom, on which device, since when, and over what path\n" +
			"(direct, or a relay). A session of your own account brings messages to your other devices.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			buddies, err := c.Buddies(cmd.Context(), api.BuddiesQuery{})
			if err != nil {
				return err
			}
			return a.print(api.SessionList{Sessions: all}, func(w io.Writer) { printSessions(w, all, buddies) })
		}),
	}
}

func printSessions(w io.Writer, all []api.Session, buddies []api.Buddy) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no sessions; one begins by itself when a device of a buddy, or another of yours, is there")
		return
	}
	names := map[string]string{}
	for _, b := range buddies {
		names[b.Account] = chat.NameOf(b)
	}
	rows := [][]string{{"WITH", "KIND", "PATH", "SINCE", "DEVICE"}}
	for _, s := range all {
		with := names[s.Account]
		if with == "" {
			with = "own device"
		}
		rows = append(rows, []string{with, s.Kind, s.Path, s.Since.Local().Format(time.DateTime), s.Device})
	}
	table(w, rows)
}
