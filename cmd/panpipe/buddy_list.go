package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/cmd/panpipe/chat"
	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// buddyListing is what buddy ls tells.
type buddyListing struct {
	Buddies  []api.Buddy        `json:"buddies"`
	Requests []api.BuddyRequest `json:"requests"`
}

func newBuddyList(a *app) *cobra.Command {
	var devices bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List your buddies, who is there, and the requests that wait", Args: takes(),
		Long: "Lists your buddies: what you call them (PETNAME), what they call themselves (NAME), whether\n" +
			"they are there (offline; announced: there, but not connected to; connected), messages that\n" +
			"nobody has seen here, their status, and the account's ID. Below come the requests that wait for\n" +
			"panpipe buddy accept. With --devices also each device, a line each.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			l, err := listBuddies(cmd.Context(), c)
			if err != nil {
				return err
			}
			if err := a.print(l, func(w io.Writer) { printBuddies(w, l, devices) }); err != nil {
				return err
			}
			if len(l.Buddies) == 0 && len(l.Requests) == 0 {
				a.warnContact(cmd.Context(), c)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&devices, "devices", false, "also each device")
	return cmd
}

func listBuddies(ctx context.Context, c *client.Client) (l buddyListing, err error) {
	if l.Buddies, err = c.Buddies(ctx, api.BuddiesQuery{Unread: true}); err != nil {
		return l, err
	}
	l.Requests, err = c.Requests(ctx)
	return l, err
}

// warnContact tells why nobody may be able to ask this account.
func (a *app) warnContact(ctx context.Context, c *client.Client) {
	own, err := c.Account(ctx)
	if a.quiet || a.json || err != nil {
		return
	}
	if own.Contact == "off" {
		fmt.Fprintln(a.err, "notice: nobody can ask you, since contact is off; panpipe account contact on takes requests")
		return
	}
	if st, err := c.Status(ctx); err == nil && own.Contact == "on" && len(st.Relays) == 0 {
		fmt.Fprintln(a.err, "notice: no relay is known here, and strangers are not told your addresses: who asks you has to find this node by its peer\n"+
			"  ID. If requests do not arrive, let strangers know where you are: panpipe account contact direct")
	}
}

func printBuddies(w io.Writer, l buddyListing, devices bool) {
	if len(l.Buddies) == 0 && len(l.Requests) == 0 {
		fmt.Fprintln(w, "no buddies; panpipe buddy add ACCOUNT asks somebody, panpipe account show prints your own ID")
		return
	}
	if len(l.Buddies) > 0 {
		rows := [][]string{{"PETNAME", "NAME", "PRESENCE", "UNREAD", "STATUS", "ACCOUNT"}}
		for _, b := range l.Buddies {
			rows = append(rows, []string{
				orDash(terminal.Name(b.Petname)), orDash(terminal.Name(b.Name)), presenceText(b), unreadText(b), orDash(terminal.Name(b.Status)), b.Account,
			})
			for _, d := range b.Devices {
				if devices {
					rows = append(rows, []string{"", "device", deviceText(d), "", "", d.Peer})
				}
			}
		}
		table(w, rows)
	}
	for _, q := range l.Requests {
		fmt.Fprintf(w, "request of %s, who says to be %s, %s", q.Account, orDash(terminal.Name(q.Name)), q.At.Local().Format(time.DateTime))
		if q.Note != "" {
			fmt.Fprintf(w, ": “%s”", noteText(q.Note))
		}
		fmt.Fprintf(w, "\n  panpipe buddy accept %s\n", q.Account)
	}
}

// noteText is a note in one line; it may be longer than a name.
func noteText(note string) string {
	var shown string
	for _, part := range terminal.Wrap(terminal.Text(note), 200) {
		shown += part + " "
	}
	return terminal.Cut(shown[:len(shown)-1], 200)
}

// presenceText tells how a buddy stands.
func presenceText(b api.Buddy) string {
	switch {
	case b.Blocked:
		return "blocked"
	case b.State == api.BuddyRequested:
		return "requested"
	case b.State != api.BuddyAccepted:
		return b.State
	case !b.Known && b.Presence == api.PresenceOffline:
		return "looking"
	}
	return b.Presence
}

func deviceText(d api.BuddyDevice) string {
	text := d.Presence
	if d.Path != "" {
		text += " (" + d.Path + ")"
	}
	if d.Since != nil {
		text += " since " + d.Since.Local().Format(time.DateTime)
	}
	return text
}

func unreadText(b api.Buddy) string {
	if b.Unread == nil {
		return "-"
	}
	return strconv.Itoa(*b.Unread)
}

// completeBuddy completes the first argument with what buddies are called.
func (a *app) completeBuddy(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	var names []string
	if c, err := a.client(); err == nil {
		buddies, _ := c.Buddies(ctx, api.BuddiesQuery{}) // without a node there is nothing to complete
		for _, b := range buddies {
			names = append(names, chat.NameOf(b))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
