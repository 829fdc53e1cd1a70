package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/node/config"
	"github.com/panpipe-net/panpipe/node/control"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// upFlags are the flags of up. Those that stand for a setting are laid over
// the configuration if they are given.
type upFlags struct {
	file       string
	join       []string
	listen     []string
	overlay    string
	stateDir   string
	role       string
	api        string
	logLevel   string
	noMDNS     bool
	noPortMap  bool
	relayServe bool
}

func newUp(a *app) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a node, until it is told to leave",
		Long: "Runs a node in the foreground: joins the overlay, serves the local API, and leaves\n" +
			"cleanly at SIGTERM or Ctrl-C. It prints where it listens, the ticket with which\n" +
			"others can join, and a line \"ready\" when resolving works; with --json each of\n" +
			"these is a line of JSON. Its log goes to standard error.",
		Args: takes(),
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			return a.up(cmd.Context(), f.file, f.settings(cmd))
		}),
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.join, "join", nil, "multiaddr (…/p2p/ID) or ticket to join through (repeated)")
	fs.StringArrayVar(&f.listen, "listen", nil, "multiaddr to listen on (repeated)")
	fs.StringVar(&f.overlay, "overlay", "", "name of the overlay (default panpipe)")
	fs.BoolVar(&f.noMDNS, "no-mdns", false, "do not look for nodes on the LAN")
	fs.BoolVar(&f.noPortMap, "no-portmap", false, "do not ask the router for ports")
	fs.BoolVar(&f.relayServe, "relay-serve", false, "relay for others")
	fs.StringVar(&f.role, "role", "", "server or client, instead of finding out")
	fs.StringVar(&f.stateDir, "state-dir", "", "folder of key and store, instead of the profile's")
	fs.StringVar(&f.api, "api-tcp", "", "serve the API on this loopback host:port too, with tokens")
	fs.StringVar(&f.logLevel, "log-level", "", "debug, info, warn or error")
	configFlag(cmd, &f.file)
	return cmd
}

// settings are the flags that were given, by the keys of the configuration.
func (f *upFlags) settings(cmd *cobra.Command) map[string]any {
	given := map[string]any{}
	for _, s := range []struct {
		flag, key string
		value     any
	}{
		{"join", "join", f.join},
		{"listen", "listen", f.listen},
		{"overlay", "overlay", f.overlay},
		{"no-mdns", "mdns", !f.noMDNS},
		{"no-portmap", "port_mapping", !f.noPortMap},
		{"relay-serve", "relay.serve", f.relayServe},
		{"role", "role", f.role},
		{"state-dir", "state_dir", f.stateDir},
		{"api-tcp", "api.tcp", f.api},
		{"log-level", "log.level", f.logLevel},
	} {
		if cmd.Flags().Changed(s.flag) {
			given[s.key] = s.value
		}
	}
	return given
}

// up runs a node until ctx ends.
func (a *app) up(ctx context.Context, file string, flags map[string]any) (err error) {
	if a.socket != "" {
		flags["api.socket"] = a.socket
	}
	cfg, err := config.Load(config.Options{Profile: a.profile, File: file, Flags: flags})
	if err != nil {
		return err
	}
	socket, err := a.socketFor(ctx, cfg)
	if err != nil {
		return err
	}
	logger := a.logger(cfg)
	// Libraries that know only the standard logger end up in ours.
	log.SetOutput(slog.NewLogLogger(logger.Handler(), slog.LevelDebug).Writer())
	n, err := node.Start(ctx, cfg.Node(logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	srv, err := a.serve(ctx, cfg, socket, n, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	if err := a.announce(n, srv); err != nil {
		return err
	}
	a.awaitReady(ctx, n)
	<-ctx.Done()
	a.progress("leaving")
	return nil
}

// socketFor is the path of the API's socket. What cannot become one is refused
// here, before the node starts.
func (a *app) socketFor(ctx context.Context, cfg *config.Config) (socket string, err error) {
	if socket = cfg.Values.API.Socket; socket == "" {
		if socket, err = client.SocketPath(a.profile); err != nil {
			return "", err
		}
	}
	return socket, control.CheckSocket(ctx, socket)
}

// serve starts the local API.
func (a *app) serve(ctx context.Context, cfg *config.Config, socket string, n *node.Node, logger *slog.Logger) (*control.Server, error) {
	v := cfg.Values
	return control.Start(ctx, control.Config{
		Socket: socket, TCP: v.API.TCP, TokenFile: filepath.Join(v.StateDir, "tokens"),
		Profile: a.profile, Version: buildInfo().Version, Settings: apiSettings(cfg),
		Node: n, Pipes: n.Pipes(), Discovery: n.Discovery(), Paths: n.Reach(), Host: n.Host(), Doctor: n,
		Limits: func() []api.Limit { return apiLimits(n) }, Relay: v.Relay.Serve, Metrics: n.Registry(), Legs: n.Legs,
		Gateway: n.Gateway(), WatchGateway: n.WatchGateway,
		Roster: func() (control.Roster, error) { return rosterOf(n) }, WatchRoster: n.WatchRoster,
		Accounts: n,
		Log:      logger.With("subsystem", "control"),
	})
}

// rosterOf is the roster of the node's account, and no interface of a nil one.
func rosterOf(n *node.Node) (control.Roster, error) {
	r, err := n.Roster()
	if err != nil {
		return nil, err
	}
	return r, nil
}

func apiLimits(n *node.Node) []api.Limit {
	var all []api.Limit
	for _, l := range n.Limits() {
		x := api.Limit{Name: l.Name, Value: l.Value, Unit: l.Unit, Setting: l.Setting}
		if l.Used >= 0 {
			x.Used = &l.Used
		}
		all = append(all, x)
	}
	return all
}

// logger writes the daemon's log to stderr.
func (a *app) logger(cfg *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.Values.Log.Level}
	switch {
	case a.verbose > 0:
		o.Level = slog.LevelDebug
	case a.quiet:
		o.Level = slog.LevelError
	}
	if a.json || cfg.Values.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}

// upEvent is one line of what up prints with --json.
type upEvent struct {
	Event     string   `json:"event"` // listening, ticket, ready
	Peer      string   `json:"peer,omitempty"`
	Overlay   string   `json:"overlay,omitempty"`
	Profile   string   `json:"profile,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	API       []string `json:"api,omitempty"`
	Ticket    string   `json:"ticket,omitempty"`
}

// announce prints where the node is and how to join it.
func (a *app) announce(n *node.Node, srv *control.Server) error {
	listening := upEvent{Event: "listening", Peer: n.ID().String(), Overlay: n.Overlay(), Profile: a.profile}
	for _, address := range n.Addrs() {
		listening.Addresses = append(listening.Addresses, address.String()+"/p2p/"+listening.Peer)
	}
	for _, address := range srv.Addrs() {
		listening.API = append(listening.API, apiURL(address))
	}
	err := a.print(listening, func(w io.Writer) {
		fmt.Fprintf(w, "node %s in overlay %s\n", listening.Peer, listening.Overlay)
		for _, address := range listening.Addresses {
			fmt.Fprintf(w, "listening on %s\n", address)
		}
		for _, url := range listening.API {
			fmt.Fprintf(w, "API at %s\n", url)
		}
	})
	if err != nil {
		return err
	}
	invitation := n.Ticket()
	if len(invitation.Peers) == 0 {
		return nil // nobody could join with it
	}
	ticket := upEvent{Event: "ticket", Ticket: invitation.String()}
	return a.print(ticket, func(w io.Writer) { fmt.Fprintln(w, ticket.Ticket) })
}

func apiURL(address net.Addr) string {
	if address.Network() == "unix" {
		return "unix:" + address.String()
	}
	return "http://" + address.String()
}

// A person is told that nothing has answered yet after firstPatience, and then
// at growing intervals up to lastPatience.
const (
	firstPatience = 5 * time.Second
	lastPatience  = 5 * time.Minute
)

// awaitReady prints the line "ready" when resolving works, and now and then why
// it does not yet. The node goes on trying.
func (a *app) awaitReady(ctx context.Context, n *node.Node) {
	for patience := firstPatience; ctx.Err() == nil; patience = min(2*patience, lastPatience) {
		try, cancel := context.WithTimeout(ctx, patience)
		err := n.Ready(try)
		cancel()
		if err == nil {
			a.print(upEvent{Event: "ready"}, func(w io.Writer) { fmt.Fprintln(w, "ready") })
			return
		}
		if ctx.Err() == nil && !a.quiet {
			a.report(wire.Errorf(wire.CodeOf(err), "%w; still trying", err))
		}
	}
}
