package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/cmd/panpipe/chat"
	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newBuddy(a *app) *cobra.Command {
	cmd := group("buddy", "The people you talk to: ask, accept, name, block",
		newBuddyAdd(a), newBuddyAccept(a), newBuddyDecline(a), newBuddyList(a), newBuddyName(a), newBuddyStatus(a),
		newBuddyRemove(a), newBuddyBlock(a), newBuddyUnblock(a))
	cmd.Long = "Buddies are accounts that have agreed to talk. One asks, the other accepts:\n\n" +
		"  panpipe account show               prints your ID, to be given to the other\n" +
		"  panpipe buddy add acct:… --name bob\n" +
		"  panpipe buddy ls                   there: lists the request\n" +
		"  panpipe buddy accept acct:…        there\n" +
		"  panpipe chat bob"
	return cmd
}

// shownRef is how what a person has called somebody is repeated: an ID whole.
func shownRef(ref string) string {
	if strings.HasPrefix(ref, "acct:") {
		return ref
	}
	return terminal.Name(ref)
}

// whoIs is how a buddy is named, in a command's help.
const whoIs = "WHO is a petname, the name that a buddy gives itself (if one alone has it), or the\n" +
	"account's ID (acct:…)."

func newBuddyAdd(a *app) *cobra.Command {
	var q api.AskRequest
	var petname string
	cmd := &cobra.Command{
		Use:   "add ACCOUNT",
		Short: "Ask an account to be your buddy",
		Long: "Asks an account to be your buddy; ACCOUNT is what panpipe account show prints there\n" +
			"(acct:…). Both have to agree: it accepts with panpipe buddy accept. If it has asked you\n" +
			"already, you are buddies at once. If none of its devices is there, the request is kept and\n" +
			"told as soon as one is; panpipe buddy rm takes it back.",
		Example: "  panpipe buddy add acct:12D3KooW… --note \"Alice, from the chess club\" --name bob",
		Args:    takes("ACCOUNT"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			q.Account = args[0]
			answer, err := c.Ask(cmd.Context(), q)
			if err != nil {
				return err
			}
			if petname != "" {
				if err := c.SetPetname(cmd.Context(), answer.Buddy.Account, petname); err != nil {
					return err
				}
				answer.Buddy.Petname = petname
			}
			return a.print(answer, func(w io.Writer) { a.printAsked(w, answer) })
		}),
	}
	cmd.Flags().StringVar(&q.Note, "note", "", "what to say with it: one line, at most 256 bytes")
	cmd.Flags().StringVar(&petname, "name", "", "what you call it; nobody is told")
	return cmd
}

func (a *app) printAsked(w io.Writer, answer api.AskAnswer) {
	if answer.Buddy.State == api.BuddyAccepted {
		fmt.Fprintf(w, "%s is your buddy; panpipe chat talks to it\n", chat.NameOf(answer.Buddy))
		return
	}
	fmt.Fprintf(w, "asked %s, which has not accepted yet\n", chat.NameOf(answer.Buddy))
	if p := answer.Problem; p != nil && !a.quiet {
		fmt.Fprintf(a.err, "  notice: not told yet: %s (%s); it is tried again\n", p.Detail, p.Code)
		a.printNext(p)
	}
}

func newBuddyAccept(a *app) *cobra.Command {
	var petname string
	cmd := &cobra.Command{
		Use:   "accept WHO",
		Short: "Accept a buddy request",
		Long: "Accepts a request that panpipe buddy ls lists. WHO is the account's ID, or the name in the\n" +
			"request if one alone has it. Anybody can take any name: what proves who it is, is the ID.",
		Args: takes("WHO"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			b, err := c.Accept(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if petname != "" {
				if err := c.SetPetname(cmd.Context(), b.Account, petname); err != nil {
					return err
				}
				b.Petname = petname
			}
			return a.print(b, func(w io.Writer) { fmt.Fprintf(w, "%s is your buddy\n", chat.NameOf(b)) })
		}),
	}
	cmd.Flags().StringVar(&petname, "name", "", "what you call it; nobody is told")
	return cmd
}

// onBuddy makes a command that does one thing to one account, and says what was
// done.
func onBuddy(a *app, use, short, long, done string, do func(c *client.Client, cmd *cobra.Command, who string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " WHO", Short: short, Long: long, Args: takes("WHO"), ValidArgsFunction: a.completeBuddy,
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := do(c, cmd, args[0]); err != nil {
				return err
			}
			return a.print(struct {
				Done string `json:"done"`
			}{use}, func(w io.Writer) { fmt.Fprintf(w, done+"\n", shownRef(args[0])) })
		}),
	}
}

func newBuddyDecline(a *app) *cobra.Command {
	return onBuddy(a, "decline", "Forget a buddy request; who asked hears nothing",
		"Forgets a request. Who asked hears nothing, and can ask again; panpipe buddy block keeps it out.",
		"the request of %s is forgotten",
		func(c *client.Client, cmd *cobra.Command, who string) error { return c.Decline(cmd.Context(), who) })
}

func newBuddyRemove(a *app) *cobra.Command {
	return onBuddy(a, "rm", "End a friendship, or take a request back",
		"Ends a friendship, or takes a request back. What was said stays; whether you are there is not\n"+
			"shown to it any more. "+whoIs,
		"%s is no buddy any more",
		func(c *client.Client, cmd *cobra.Command, who string) error {
			return c.RemoveBuddy(cmd.Context(), who)
		})
}

func newBuddyBlock(a *app) *cobra.Command {
	return onBuddy(a, "block", "Keep an account out, buddy or not; it hears nothing of that",
		"Keeps an account out: nothing of it arrives, and to it you are away. It is not told. A block\n"+
			"holds on all your devices, whatever they do at the same time. "+whoIs,
		"%s is blocked",
		func(c *client.Client, cmd *cobra.Command, who string) error { return c.Block(cmd.Context(), who) })
}

func newBuddyUnblock(a *app) *cobra.Command {
	return onBuddy(a, "unblock", "Lift a block",
		"Lifts a block. It does not make a buddy: one of the two has to ask again. "+whoIs,
		"%s is not blocked any more",
		func(c *client.Client, cmd *cobra.Command, who string) error { return c.Unblock(cmd.Context(), who) })
}

func newBuddyName(a *app) *cobra.Command {
	var clear bool
	cmd := &cobra.Command{
		Use:   "name WHO PETNAME",
		Short: "Give a buddy a name of your own",
		Long: "Gives a buddy a petname: a name that all your devices have, and that nobody else is told.\n" +
			"It goes before the name that the buddy gives itself, so nobody can pass for somebody by\n" +
			"taking a name. --clear takes it away. " + whoIs,
		ValidArgsFunction: a.completeBuddy,
		Args: func(cmd *cobra.Command, args []string) error {
			if clear {
				return takes("WHO")(cmd, args)
			}
			if len(args) == 2 && args[1] == "" {
				return wire.Errorf(wire.BadRequest, "the petname is empty").WithNext("--clear takes a petname away")
			}
			return takes("WHO", "PETNAME")(cmd, args)
		},
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			b, err := c.Buddy(cmd.Context(), args[0], api.BuddiesQuery{})
			if err != nil {
				return err
			}
			if b.Petname = ""; !clear {
				b.Petname = args[1]
			}
			if err := c.SetPetname(cmd.Context(), b.Account, b.Petname); err != nil {
				return err
			}
			return a.print(b, func(w io.Writer) { fmt.Fprintf(w, "%s is called %s\n", b.Account, chat.NameOf(b)) })
		}),
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "take the petname away")
	return cmd
}

func newBuddyStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status TEXT",
		Short: "Say what buddies see beside your name",
		Long: "Shows your buddies a text of one line beside your name, as long as this device is there.\n" +
			"An empty text (\"\") takes it away.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "" {
				return nil
			}
			return takes("TEXT")(cmd, args)
		},
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			q := api.PresenceRequest{Status: args[0]}
			if err := c.SetPresence(cmd.Context(), q); err != nil {
				return err
			}
			return a.print(q, func(w io.Writer) {
				if q.Status == "" {
					fmt.Fprintln(w, "your buddies see no status")
					return
				}
				fmt.Fprintf(w, "your buddies see “%s”\n", terminal.Name(q.Status))
			})
		}),
	}
}
