package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newPipe(a *app) *cobra.Command {
	return group("pipe", "Make, find, serve and reach pipes",
		newCreate(a), newList(a), newRemove(a), newResolve(a), newListen(a), newDial(a), newGrant(a), newGrants(a), newRevoke(a))
}

func newCreate(a *app) *cobra.Command {
	var q api.CreateRequest
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a pipe owned by this node, and print its ID",
		Long:  "Makes a pipe owned by this node and prints its ID. NAME is a local name: it is\nnever sent to anybody. Others reach the pipe by its ID.",
		Args:  takes("NAME"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			q.Name = args[0]
			p, err := c.CreatePipe(cmd.Context(), q)
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) { fmt.Fprintln(w, p.ID) })
		}),
	}
	f := cmd.Flags()
	f.StringVar(&q.Type, "type", "unicast", "unicast, or secure: both sides prove who they are before data")
	f.StringVar(&q.Binders, "binders", "exclusive", "exclusive (one binder at a time) or many")
	f.StringVar(&q.DialPolicy, "dial", "open", "who may dial: open, listed or capability")
	f.StringSliceVar(&q.Transports, "transport", nil, "allow this transport only (repeated)")
	f.StringVar(&q.PublicName, "public-name", "", "name told to everyone who resolves the pipe")
	return cmd
}

func newList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List the pipes that this node keeps, and the connections that are open", Args: takes(),
		Long: "Lists the pipes that this node keeps, and the connections that are open, of other\n" +
			"nodes' pipes too, each with the paths that have carried it: how each began and\n" +
			"ended, bytes, bytes sent once more, and how long the connection stood still.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			pipes, err := c.Pipes(cmd.Context())
			if err != nil {
				return err
			}
			conns, err := openConnections(cmd.Context(), c)
			if err != nil {
				return err
			}
			return a.print(pipeListing{api.PipeList{Pipes: pipes}, conns}, func(w io.Writer) {
				rows := [][]string{{"NAME", "ID", "TYPE", "BINDERS", "DIAL", "LISTENING"}}
				for _, p := range pipes {
					rows = append(rows, []string{orDash(p.Name), p.ID, p.Type, p.Binders, p.DialPolicy, yes(p.Listening)})
				}
				table(w, rows)
				printConnections(w, conns)
			})
		}),
	}
}

func newRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm PIPE", Short: "Forget a pipe", Args: takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.RemovePipe(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.print(struct {
				Removed string `json:"removed"`
			}{args[0]}, func(io.Writer) {})
		}),
	}
}

func newResolve(a *app) *cobra.Command {
	var q api.ResolveQuery
	cmd := &cobra.Command{
		Use: "resolve PIPE", Short: "Find who serves a pipe, and where", Args: takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.Resolve(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { printResolution(w, r) })
		}),
	}
	f := cmd.Flags()
	f.StringVar(&q.Transport, "transport", "", "only endpoints of this transport")
	f.BoolVar(&q.NoCache, "no-cache", false, "only what the binders themselves say now")
	f.BoolVar(&q.Fresh, "fresh", false, "ask the overlay even if the answer is at hand")
	f.StringSliceVar(&q.Ask, "ask", nil, "ask this peer and nobody else (repeated)")
	spanVar(f, &q.Wait, "wait", "how long to wait for a binder, such as 30s")
	return cmd
}

func printResolution(w io.Writer, r api.Resolution) {
	fmt.Fprintf(w, "pipe %s\n  type %s, %s, dial %s, public name %s\n  owner %s\n", r.Pipe.ID, r.Pipe.Type, r.Pipe.Binders,
		r.Pipe.DialPolicy, orDash(r.Pipe.PublicName), r.Pipe.Owner)
	for _, b := range r.Bindings {
		printRecord(w, b)
	}
	fmt.Fprintf(w, "%d nodes asked, %.1f ms\n", r.Asked, r.TookMS)
}

func newGrant(a *app) *cobra.Command {
	var q api.GrantRequest
	var bind, dial bool
	cmd := &cobra.Command{
		Use:   "grant PIPE --bind|--dial --to PRINCIPAL --for DURATION",
		Short: "Permit somebody to bind or dial a pipe, and print the capability",
		Args:  takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			if err := notZero(cmd.Flags(), "for", "term"); err != nil {
				return err
			}
			if bind == dial {
				return wire.Errorf(wire.BadRequest, "a grant is for one right: --bind or --dial")
			}
			if q.To == "" {
				return wire.Errorf(wire.BadRequest, "a grant needs --to: who gets it").WithNext("take the principal from panpipe id, on the node that gets it")
			}
			if dial && cmd.Flags().Changed("term") {
				return wire.Errorf(wire.BadRequest, "--term goes with --bind: a right to dial has no term").WithNext("leave --term out")
			}
			q.Right = "dial"
			if bind {
				q.Right = "bind"
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			g, err := c.Grant(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			return a.print(g, func(w io.Writer) { fmt.Fprintln(w, g.Capability) })
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&bind, "bind", false, "the right to serve the pipe")
	f.BoolVar(&dial, "dial", false, "the right to dial it")
	f.StringVar(&q.To, "to", "", "principal that gets it: peer:… or a peer ID")
	spanVar(f, &q.For, "for", "how long it is good, such as 24h (default 30 days)")
	f.Uint64Var(&q.Term, "term", 0, "term of a bind right (default above all known, so that it moves the pipe)")
	return cmd
}

func newGrants(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "grants PIPE", Short: "List the capabilities that this node has given for a pipe", Args: takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			grants, err := c.Grants(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(api.GrantList{Grants: grants}, func(w io.Writer) {
				if len(grants) == 0 {
					fmt.Fprintln(w, "none given; panpipe pipe grant gives one")
					return
				}
				rows := [][]string{{"NONCE", "RIGHT", "TO", "TERM", "EXPIRES", "STATE"}}
				for _, g := range grants {
					rows = append(rows, []string{g.Nonce, g.Right, g.To, fmt.Sprint(g.Term), g.Expires.Local().Format("2006-01-02 15:04:05"), g.State})
				}
				table(w, rows)
			})
		}),
	}
}

func newRevoke(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "revoke CAPABILITY", Short: "Void a capability that this node has given, by its text or nonce", Args: takes("CAPABILITY"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.Revoke(cmd.Context(), strings.TrimSpace(args[0])); err != nil {
				return err
			}
			return a.print(struct {
				Revoked string `json:"revoked"`
			}{args[0]}, func(io.Writer) {})
		}),
	}
}

// dialFlags are the flags of everything that dials.
func dialFlags(cmd *cobra.Command, q *api.DialQuery) {
	f := cmd.Flags()
	f.StringVar(&q.Transport, "transport", "", "the transport that must carry the connection")
	f.StringSliceVar(&q.Binder, "binder", nil, "dial this peer only (repeated)")
	spanVar(f, &q.Wait, "wait", "how long to wait for a binder, such as 30s")
	f.StringVar(&q.Capability, "cap", "", "the owner's permission to dial")
	f.BoolVar(&q.NoCache, "no-cache", false, "only what the binders themselves say now")
	f.BoolVar(&q.Spread, "spread", false, "pick among several binders at random")
	f.StringVar(&q.Path, "path", "", "relay-ok, prefer-direct or direct-only")
	f.BoolVar(&q.Raw, "raw", false, "a raw stream, which ends with its path")
	spanVar(f, &q.Grace, "grace", "how long to wait for another path when the path is lost (default the setting links.grace)")
}
