package control

import (
	"context"
	"log/slog"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/roster"
)

// Config says what to serve and where. Node, Pipes and Discovery are needed,
// and one of Socket and TCP.
type Config struct {
	Socket    string // path of the Unix socket; empty: none
	TCP       string // loopback host:port; empty: none
	TokenFile string // tokens for TCP, made with mode 0600 if it is not there; needed with TCP

	Profile  string        // told in the status; empty means "default"
	Version  string        // of the program; empty means that of the build
	Settings []api.Setting // the configuration that the node runs with

	Node      Node
	Pipes     Pipes
	Discovery Discovery
	Paths     Paths               // nil: no peers are told
	Doctor    Doctor              // nil: nothing is examined, and peers are not explained
	Host      host.Host           // knows more about peers; nil: they are told without
	Limits    func() []api.Limit  // nil: none are told
	Relay     bool                // the node relays for others
	Metrics   prometheus.Gatherer // nil: /metrics is empty
	Gateway   Gateway             // nil: the routes of the gateway are not offered
	Accounts  Accounts            // nil: those of the account are not
	// WatchGateway has tell called with each event of the gateway, which does not
	// block, until stop is called; nil: no events tell of it.
	WatchGateway func(tell func(gateway.Event)) (stop func())
	// Roster returns the buddies of the node's account, and wire.NotReady where it
	// has none; nil: the routes of buddies and chats are not offered.
	Roster func() (Roster, error)
	// WatchRoster has tell called with each event of the roster, one at a time,
	// until stop is called; nil: no events tell of it.
	WatchRoster func(tell func(roster.Event)) (stop func())
	Legs        func(ctx context.Context) <-chan link.Event // of links, until ctx ends; nil: no events tell of them

	Log *slog.Logger // nil discards
}

// normalize fills in what is left zero and refuses what cannot work.
func (c Config) normalize() (Config, error) {
	switch {
	case c.Node == nil || c.Pipes == nil || c.Discovery == nil:
		return c, wire.Errorf(wire.BadRequest, "the local API needs a node, its pipes and its discovery")
	case c.Socket == "" && c.TCP == "":
		return c, wire.Errorf(wire.BadRequest, "the local API has neither a socket nor a TCP address")
	case c.TCP != "" && c.TokenFile == "":
		return c, wire.Errorf(wire.BadRequest, "the local API on TCP needs a token file")
	}
	if c.Profile == "" {
		c.Profile = "default"
	}
	if c.Version == "" {
		c.Version = buildVersion()
	}
	if c.Limits == nil {
		c.Limits = func() []api.Limit { return nil }
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
