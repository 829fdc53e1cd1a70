package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// newRoot makes the tree of commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "panpipe",
		Short: "Pipes between people and programs, by name instead of by address",
		Long: "Panpipe is a node of a peer-to-peer overlay. It gives programs pipes: channels\n" +
			"with a name that belongs to nobody's address.\n\n" +
			"  panpipe up                     run a node; --join ADDR or TICKET to join others\n" +
			"  panpipe pipe create hello      make a pipe\n" +
			"  panpipe pipe listen hello      serve it on stdin and stdout\n" +
			"  panpipe pipe dial ID           reach it, from any node of the overlay\n" +
			"  panpipe gateway expose 8080    publish a local TCP service; gateway forward reaches it",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print JSON with stable field names")
	f.StringVar(&a.profile, "profile", envOr("PANPIPE_PROFILE", client.DefaultProfile), "name of the node's profile (PANPIPE_PROFILE)")
	f.StringVar(&a.socket, "socket", os.Getenv("PANPIPE_SOCKET"), "path of the node's socket (PANPIPE_SOCKET)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results and errors only")
	f.CountVarP(&a.verbose, "verbose", "v", "tell more; twice for debugging")
	root.SetHelpCommand(newHelp())
	root.AddCommand(
		newUp(a), newStatus(a), newPeers(a), newTicket(a), newID(a), newRelisten(a), newLimits(a), newDoctor(a), newExplain(a),
		newPipe(a), newGateway(a), newAccount(a), newBuddy(a), newChat(a), newSession(a), newConfig(a), newDemo(a), newVersion(a), newCompletion(),
	)
	return root
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// takes makes the check of a command that takes exactly these arguments, none
// of them empty.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s needs %s", cmd.CommandPath(), names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[len(names)])
		}
		if i := slices.Index(args, ""); i >= 0 {
			return fmt.Errorf("%s: %s is empty", cmd.CommandPath(), names[i])
		}
		return nil
	}
}

// unknownCommand says which one was probably meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("unknown command %q for %q", name, cmd.CommandPath())
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

// group makes a command that only holds others.
func group(use, short string, subcommands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return fmt.Errorf("%q needs a command", cmd.CommandPath())
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(subcommands...)
	return c
}

// newHelp takes the place of cobra's, which has nothing against commands that
// are none.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about any command",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			about, rest, _ := cmd.Root().Find(args) // its error says no more than rest does
			if len(rest) > 0 {
				return wire.Errorf(wire.BadRequest, "%w", unknownCommand(about, rest[0])).WithNext("see %s --help", about.CommandPath())
			}
			return about.Help()
		}),
	}
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a script that completes commands in a shell",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(takes("the name of a shell"), cobra.OnlyValidArgs),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			default:
				return root.GenPowerShellCompletionWithDesc(out)
			}
		}),
	}
}
