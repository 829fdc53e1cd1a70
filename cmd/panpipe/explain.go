package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// explainPatience is how long a person waits for an explanation without a word.
const explainPatience = 2 * time.Second

func newExplain(a *app) *cobra.Command {
	var q api.DialQuery
	cmd := &cobra.Command{
		Use:   "explain PIPE|PEER|ACCOUNT",
		Short: "Find and dial a pipe, a peer or an account, and tell how each step went",
		Long: "Resolves a pipe afresh, dials it, and tells what was found, from whom, how old\n" +
			"it is, which endpoints it names, and how each dial went. Of a peer (a peer ID,\n" +
			"peer:ID, or an address that ends in /p2p/ID) it tells who it is, how it\n" +
			"is connected, which addresses are known and where they came from, how each dial\n" +
			"went, and what stands in the way on this side; --transport and --path go with a\n" +
			"peer too. Of an account (acct:…) it explains the pipe at which it takes buddy\n" +
			"requests. Exits with the code of what is wrong.",
		Args: takes("PIPE, PEER or ACCOUNT"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			late := time.AfterFunc(explainPatience, func() {
				a.progress("no answer yet: who was killed is silent, which is told from slow within about ten seconds")
			})
			e, err := c.Explain(cmd.Context(), args[0], q)
			late.Stop()
			if err != nil {
				return err
			}
			if err := a.print(e, func(w io.Writer) { printExplanation(w, e) }); err != nil {
				return err
			}
			if err := e.Problem.Err(); err != nil {
				return errReported{err}
			}
			return nil
		}),
	}
	dialFlags(cmd, &q)
	return cmd
}

func printExplanation(w io.Writer, e api.Explanation) {
	if e.Peer != nil {
		printPeer(w, e)
		return
	}
	if e.Account != "" {
		fmt.Fprintf(w, "contact of %s\n", e.Account)
	}
	fmt.Fprintf(w, "pipe %s\n", e.Pipe)
	if e.Type != "" {
		fmt.Fprintf(w, "  type %s, public name %s\n", e.Type, orDash(e.Name))
	}
	fmt.Fprintf(w, "record found: %s (%d nodes asked, %.1f ms in all)\n", yes(e.Found), e.Asked, e.TookMS)
	for _, b := range e.Records {
		printRecord(w, b)
	}
	for _, d := range e.Dials {
		printDial(w, d)
	}
	printConnections(w, e.Connections)
	fmt.Fprintf(w, "state: %s\n", stateText(e))
	printProblem(w, e.Problem)
}

func printRecord(w io.Writer, b api.Binding) {
	age := (time.Duration(b.AgeMS) * time.Millisecond).Round(time.Millisecond)
	fmt.Fprintf(w, "  binder %s\n    from %s (%s), %s old, expires %s, seq %d, term %d\n",
		b.Binder, b.From, b.Origin, age, b.Expires.Local().Format(time.DateTime), b.Seq, b.Term)
	for i, e := range b.Endpoints {
		unproven := ""
		if slices.Contains(b.Unproven, i) {
			unproven = " (not proven to be the binder's)"
		}
		fmt.Fprintf(w, "    endpoint %s%s\n", e, unproven)
	}
}

func printDial(w io.Writer, d api.DialAttempt) {
	result := "connected"
	switch {
	case d.Punch && d.Error == "":
		result = "connected by hole punching"
	case d.Beaten:
		result = "given up, another address had answered"
	case d.Error != "":
		result = "failed: " + strings.ReplaceAll(d.Error, "\n", "\n      ")
	case d.Reused:
		result = "connection was there"
	}
	fmt.Fprintf(w, "  dial %s %s: %s (%.1f ms)\n", orDash(d.Transport), orDash(d.Endpoint), result, d.TookMS)
}

// stateText says how far the node has come, and over what.
func stateText(e api.Explanation) string {
	text := e.State
	if e.Path != "" {
		text += " (" + e.Path + ")"
	}
	if e.ReconnectingSince != nil {
		text += ", reconnecting since " + e.ReconnectingSince.Local().Format(time.DateTime)
	}
	return text
}
