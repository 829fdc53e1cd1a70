package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newGateway(a *app) *cobra.Command {
	return group("gateway", "Carry plain TCP programs over pipes: publish a service, reach one",
		newExpose(a), newForward(a), newSocks(a), newGatewayList(a), newGatewayRemove(a), newGatewayApply(a))
}

// putRule adds a rule or changes one.
func (a *app) putRule(cmd *cobra.Command, r api.GatewayRule, q api.GatewayPutQuery, human func(w io.Writer, c api.GatewayChange)) error {
	if err := notZero(cmd.Flags(), given(cmd, "max-channels", "max-per-client")...); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	change, err := c.PutGatewayRule(cmd.Context(), r, q)
	if err != nil {
		return err
	}
	return a.print(ruleChange{change.Change, change.Status, change.Service}, func(w io.Writer) { human(w, change) })
}

// ruleChange is what expose, forward and socks tell.
type ruleChange struct {
	Change string `json:"change"`
	api.GatewayStatus
	Service *api.Problem `json:"service,omitempty"`
}

// given are those of the names that are flags of a command.
func given(cmd *cobra.Command, names ...string) (flags []string) {
	for _, name := range names {
		if cmd.Flags().Lookup(name) != nil {
			flags = append(flags, name)
		}
	}
	return flags
}

func newExpose(a *app) *cobra.Command {
	r := api.GatewayRule{Kind: "expose"}
	var noWait bool
	cmd := &cobra.Command{
		Use:   "expose ADDRESS --allow PRINCIPAL|anyone",
		Short: "Publish a local TCP or Unix service on a pipe, and print the pipe's ID",
		Long: "Publishes a local service on a pipe, until gateway rm; restarts of the node change\n" +
			"nothing. It prints the pipe's ID and what to type on the other node. ADDRESS is\n" +
			"host:port, a port (8080 and :8080 are localhost:8080), or a Unix socket (unix:/path, or\n" +
			"a path with a slash). --allow says who may connect: the principals that panpipe id\n" +
			"prints on their nodes, or anyone. To expose a pipe's service again changes the rule\n" +
			"in place; connections that are open stay. Whether the service answers is looked at once,\n" +
			"by a connection, and told; the rule is there either way.\n\n" +
			"A new pipe may be served by several nodes: its owner exposes it here, others with\n" +
			"--pipe ID and --cap from panpipe pipe grant ID --bind. Whoever forwards finds one that\n" +
			"answers, or is divided among all with --spread.",
		Example: "  panpipe gateway expose 127.0.0.1:8080 --allow anyone\n" +
			"  panpipe gateway expose 5432 --pipe db --allow peer:12D3Koo… --allow peer:12D3KooX…\n" +
			"  panpipe gateway expose /run/app.sock --allow anyone --proxy-protocol v2",
		Args: takes("ADDRESS"),
		RunE: does(func(cmd *cobra.Command, args []string) (err error) {
			if len(r.Allow) == 0 {
				return wire.Errorf(wire.BadRequest, "--allow is missing: a pipe's ID is no secret, so say who may connect to the service").
					WithNext("--allow peer:12D3KooW… (panpipe id prints it on the other node; repeat it for more), or --allow anyone")
			}
			if r.Target, err = localAddress(args[0]); err != nil {
				return err
			}
			return a.putRule(cmd, r, waiting(noWait), a.printExposed)
		}),
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.Allow, "allow", nil, "who may connect: a principal (peer:… or a peer ID), or anyone (repeated)")
	f.BoolVar(&noWait, "no-wait", false, "do not look whether the service answers")
	f.StringVar(&r.Pipe, "pipe", "", "name of the pipe on this node, made if there is none, or the ID of one (default after the address)")
	f.StringVar(&r.ProxyProtocol, "proxy-protocol", "", "tell the service who comes: v2 (PROXY protocol)")
	f.BoolVar(&r.Exclusive, "exclusive", false, "make a new pipe one that a single node serves at a time")
	f.StringVar(&r.Capability, "cap", "", "the owner's permission to bind the pipe, where it is another node's")
	capFlags(cmd, &r)
	complete(cmd, "proxy-protocol", "v2")
	complete(cmd, "allow", "anyone")
	return cmd
}

// capFlags are the limits of a rule.
func capFlags(cmd *cobra.Command, r *api.GatewayRule) {
	cmd.Flags().IntVar(&r.MaxChannels, "max-channels", 0, "connections at a time (default the setting limits.gateway_channels)")
	cmd.Flags().IntVar(&r.MaxPerClient, "max-per-client", 0, "connections at a time of one node, or of one IP address (default as many as are free)")
}

func (a *app) printExposed(w io.Writer, c api.GatewayChange) {
	s := c.Status
	fmt.Fprintln(w, s.Pipe)
	if a.quiet {
		return
	}
	fmt.Fprintf(w, "  %s; pipe %s serves %s to %s\n", changeText(c), s.Rule.Pipe, s.Rule.Target, strings.Join(s.Rule.Allow, ", "))
	fmt.Fprintf(w, "  on the other node: panpipe gateway forward 127.0.0.1:0 %s\n", s.Pipe)
	if p := c.Service; p != nil {
		fmt.Fprintf(a.err, "  notice: %s (%s); whoever dials is refused until it answers\n", p.Detail, p.Code)
		a.printNext(p)
	}
	a.warnDown(s)
}

// printNext tells what to do about a problem.
func (a *app) printNext(p *api.Problem) {
	if p.Next != "" {
		fmt.Fprintf(a.err, "  next: %s\n", p.Next)
	}
}

// changeText tells what became of a rule.
func changeText(c api.GatewayChange) string {
	switch c.Change {
	case api.GatewayChanged:
		return "rule " + c.Status.Rule.ID + " was there and is changed in place"
	case api.GatewayKept:
		return "rule " + c.Status.Rule.ID + " was there already and says the same"
	}
	return "rule " + c.Status.Rule.ID + " added"
}

// warnDown tells why a rule that is saved does not work yet.
func (a *app) warnDown(s api.GatewayStatus) {
	for _, p := range []*api.Problem{s.Problem, s.Unbound} {
		if p == nil || a.quiet {
			continue
		}
		switch {
		case p == s.Unbound && p.Code == wire.NotReady.String():
			fmt.Fprintf(a.err, "  connecting: %s; clients wait for it\n", p.Detail)
		case p == s.Unbound:
			fmt.Fprintf(a.err, "  not yet: clients are refused, as %s: %s; it is tried again\n", p.Code, p.Detail)
		default:
			fmt.Fprintf(a.err, "  not yet: %s (%s); it is tried again\n", p.Detail, p.Code)
		}
		a.printNext(p)
	}
}

// firstStateTime is how long expose and forward wait to tell whether what they
// lead to answers.
const firstStateTime = 5 * time.Second

func waiting(not bool) (q api.GatewayPutQuery) {
	if !not {
		q.Wait = api.Duration(firstStateTime)
	}
	return q
}

func newForward(a *app) *cobra.Command {
	r := api.GatewayRule{Kind: "forward"}
	var noWait bool
	cmd := &cobra.Command{
		Use:   "forward ADDRESS PIPE",
		Short: "Listen locally, and carry each client to a pipe",
		Long: "Listens at a local address and carries each client to the service that a pipe leads\n" +
			"to, until gateway rm; restarts of the node change nothing. It prints where it\n" +
			"listens. ADDRESS is host:port (port 0 takes a free one, which is another one after\n" +
			"each restart), or a Unix socket. Connections outlive the path that carries them: they\n" +
			"go on over another one. While nobody serves the pipe clients are refused. It waits up to\n" +
			"5 s to tell whether somebody does; the rule works meanwhile.",
		Example: "  panpipe gateway forward 127.0.0.1:0 bafkrei…\n" +
			"  panpipe gateway forward 127.0.0.1:5432 bafkrei… --transport quic-v1\n" +
			"  panpipe gateway forward unix:/run/user/1000/db.sock bafkrei…",
		Args:              takes("ADDRESS", "PIPE"),
		ValidArgsFunction: a.completePipe,
		RunE: does(func(cmd *cobra.Command, args []string) (err error) {
			r.Pipe = args[1]
			if r.Listen, err = listenAddress(args[0]); err != nil {
				return err
			}
			return a.putRule(cmd, r, waiting(noWait), a.printListening)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.Transport, "transport", "", "the transport that must carry it (default any)")
	f.BoolVar(&r.Spread, "spread", false, "divide clients among all who serve the pipe")
	f.BoolVar(&noWait, "no-wait", false, "do not wait to tell whether somebody serves the pipe")
	f.StringVar(&r.Capability, "cap", "", "the owner's permission to dial, where one is needed")
	capFlags(cmd, &r)
	complete(cmd, "transport", "tcp", "quic-v1", "ws", "webtransport", "webrtc-direct", "relay")
	return cmd
}

func newSocks(a *app) *cobra.Command {
	r := api.GatewayRule{Kind: "socks"}
	cmd := &cobra.Command{
		Use:   "socks ADDRESS",
		Short: "Listen for SOCKS5 and HTTP CONNECT, and carry each client to the pipe that it names",
		Long: "Listens for SOCKS5 and HTTP CONNECT at one local address, until gateway rm. Clients\n" +
			"ask for the host <pipe ID>.pipe, or <name>.pipe with a name that a pipe has on this\n" +
			"node; the port does not matter. Nothing else is led to: it is no open proxy.",
		Example: "  panpipe gateway socks 127.0.0.1:1080\n" +
			"  curl --proxy socks5h://127.0.0.1:1080 http://bafkrei….pipe/\n" +
			"  curl --proxytunnel --proxy http://127.0.0.1:1080 http://web.pipe/",
		Args: takes("ADDRESS"),
		RunE: does(func(cmd *cobra.Command, args []string) (err error) {
			if r.Listen, err = listenAddress(args[0]); err != nil {
				return err
			}
			return a.putRule(cmd, r, api.GatewayPutQuery{}, a.printListening)
		}),
	}
	cmd.Flags().StringVar(&r.Transport, "transport", "", "the transport that must carry it (default any)")
	capFlags(cmd, &r)
	complete(cmd, "transport", "tcp", "quic-v1", "ws", "webtransport", "webrtc-direct", "relay")
	return cmd
}

func (a *app) printListening(w io.Writer, c api.GatewayChange) {
	s := c.Status
	at := s.Addr
	if at == "" {
		at = s.Rule.Listen
	}
	fmt.Fprintln(w, at)
	if a.quiet {
		return
	}
	to := "what clients name"
	if s.Rule.Pipe != "" {
		to = "pipe " + s.Rule.Pipe
	}
	fmt.Fprintf(w, "  %s; it leads to %s\n", changeText(c), to)
	if !private(at) {
		fmt.Fprintf(a.err, "  notice: everybody who can reach %s can use it, as this node\n", at)
	}
	a.warnDown(s)
}
