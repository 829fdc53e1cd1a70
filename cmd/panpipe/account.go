package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

func newAccount(a *app) *cobra.Command {
	cmd := group("account", "Make an account, put it on several devices, and throw devices out",
		newAccountNew(a), newAccountLink(a), newAccountImport(a), newAccountExport(a), newAccountShow(a), newAccountName(a), newAccountContact(a),
		newAccountDevices(a), newAccountRename(a), newAccountRevoke(a), newAccountLogout(a))
	cmd.Long = "An account is a person: a name, buddies, and the nodes that are its devices. Its root key\n" +
		"is on none of them, but in a recovery file that is sealed with a passphrase.\n\n" +
		"  panpipe account new --name Alice --recovery alice.recovery    the first device\n" +
		"  panpipe account link                    on a device of the account: lets another one in\n" +
		"  panpipe account link CODE               on that other one\n" +
		"  panpipe account revoke phone            throws a lost device out"
	return cmd
}

// accountCommand makes a command that changes or tells the account, and prints it.
func (a *app) accountCommand(use, short string, args cobra.PositionalArgs, act func(c *client.Client, cmd *cobra.Command, args []string) (api.Account, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: does(func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		acct, err := act(c, cmd, args)
		if err != nil {
			return err
		}
		return a.print(acct, func(w io.Writer) { printAccount(w, acct) })
	})}
}

func newAccountShow(a *app) *cobra.Command {
	return a.accountCommand("show", "Tell which account this node is a device of", takes(),
		func(c *client.Client, cmd *cobra.Command, _ []string) (api.Account, error) {
			return c.Account(cmd.Context())
		})
}

func newAccountName(a *app) *cobra.Command {
	return a.accountCommand("name NAME", "Change the name that buddies see", takes("NAME"),
		func(c *client.Client, cmd *cobra.Command, args []string) (api.Account, error) {
			return c.EditProfile(cmd.Context(), api.AccountProfileRequest{Name: &args[0]})
		})
}

func newAccountContact(a *app) *cobra.Command {
	cmd := a.accountCommand("contact on|off|direct", "Say whether strangers can ask to be buddies", takes("on, off or direct"),
		func(c *client.Client, cmd *cobra.Command, args []string) (api.Account, error) {
			return c.EditProfile(cmd.Context(), api.AccountProfileRequest{Contact: &args[0]})
		})
	cmd.Long = "Says whether people who know the account's ID can ask to be buddies. With \"on\" they\n" +
		"learn the peer IDs of its devices, and reach them over relays; with \"direct\" they\n" +
		"learn their addresses too, for people whom no relay serves; with \"off\" nobody can\n" +
		"ask. Buddies reach the account in any case."
	cmd.ValidArgs = []string{"on", "off", "direct"}
	return cmd
}

func newAccountDevices(a *app) *cobra.Command {
	return asks(a, "devices", "List the devices of the account", (*client.Client).Account, func(w io.Writer, acct api.Account) {
		rows := [][]string{{"NAME", "PRESENCE", "ADDED", "ID"}}
		for _, d := range acct.Devices {
			rows = append(rows, []string{orDash(d.Name), presenceWord(d), addedWord(d), d.ID})
		}
		table(w, rows)
	})
}

func presenceWord(d api.AccountDevice) string {
	if d.This {
		return "this one"
	}
	return d.Presence
}

func addedWord(d api.AccountDevice) string {
	if d.Added == nil {
		return "-"
	}
	return d.Added.Local().Format("2006-01-02 15:04")
}

func newAccountRename(a *app) *cobra.Command {
	return a.accountCommand("rename DEVICE NAME", "Name a device of the account", takes("DEVICE", "NAME"),
		func(c *client.Client, cmd *cobra.Command, args []string) (api.Account, error) {
			return c.NameDevice(cmd.Context(), args[0], args[1])
		})
}

func newAccountRevoke(a *app) *cobra.Command {
	cmd := a.accountCommand("revoke DEVICE", "Throw a device out of the account", takes("DEVICE"),
		func(c *client.Client, cmd *cobra.Command, args []string) (api.Account, error) {
			return c.RevokeDevice(cmd.Context(), args[0])
		})
	cmd.Long = "Throws a device out of the account, by its name or its ID. Its connections end as soon\n" +
		"as those at their other ends hear of it; it does not learn the account's new keys, and\n" +
		"keeps what it has read. It can be linked again."
	return cmd
}

func newAccountLogout(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "logout", Short: "Have this device leave the account, and forget it", Args: takes(),
		Long: "Has this device leave the account and erases what it knows of it, its conversations\n" +
			"too. The other devices have them still; without any, only the recovery file brings the\n" +
			"account back, and nothing brings back what was said.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			acct, err := c.Account(cmd.Context())
			if err != nil {
				return err
			}
			question := "this device forgets " + accountWords(acct) + " and its conversations"
			if len(acct.Devices) == 1 && !acct.Revoked {
				question += "; no other device has them: what was said is lost, and only the recovery file brings the account back"
			}
			if err := a.confirmed(cmd.Context(), yes, question); err != nil {
				return err
			}
			if err := c.LogoutAccount(cmd.Context()); err != nil {
				return err
			}
			return a.print(struct {
				Forgotten string `json:"forgotten"`
			}{acct.ID}, func(io.Writer) {})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func accountWords(acct api.Account) string {
	if acct.Name == "" {
		return acct.ID
	}
	return fmt.Sprintf("%s (%s)", acct.Name, acct.ID)
}

func printAccount(w io.Writer, acct api.Account) {
	rows := [][]string{{"account", acct.ID}, {"name", orDash(acct.Name)}, {"contact", acct.Contact}}
	for _, d := range acct.Devices {
		rows = append(rows, []string{"device", strings.TrimSpace(fmt.Sprintf("%s  %s, %s", d.Name, d.ID, presenceWord(d)))})
	}
	switch {
	case acct.Revoked:
		rows = append(rows, []string{"revoked", "the account has thrown this device out; link it again from another one, or panpipe account logout"})
	case acct.Waiting:
		rows = append(rows, []string{"waiting", "for another device of the account, which has its new key"})
	}
	table(w, rows)
}

// thisDevice is what this machine is called.
func thisDevice() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

// deviceFlag is the flag of commands that make this node a device.
func deviceFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "device", thisDevice(), "what this device is called")
}

// noAccount says before a person is asked for anything whether there is a node,
// and that it has no account yet.
func noAccount(ctx context.Context, c *client.Client) error {
	if _, err := c.ID(ctx); err != nil {
		return err
	}
	acct, err := c.Account(ctx)
	if err != nil {
		return nil // it has none, or says so when it is asked for more
	}
	if acct.Revoked {
		return nil
	}
	return errHasAccount(acct)
}

// untilText is a time of day for a person.
func untilText(t time.Time) string { return t.Local().Format("15:04") }
