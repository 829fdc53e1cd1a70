package node

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// userAgent is what identify tells others.
const userAgent = "panpipe"

// Node is one running node. Its methods are safe for concurrent use.
type Node struct {
	// fixed after Start
	cfg      Config
	reg      *prometheus.Registry
	store    *store.Store
	host     host.Host
	gate     *reach.Gate
	reach    *reach.Reach
	disc     *discovery.Discovery
	trunks   *trunk.Trunks
	links    *link.Links
	pipes    *pipe.Service
	gateway  *gateway.Gateway
	join     []peer.AddrInfo // that a person named
	started  time.Time
	refusals *refusals

	answered atomic.Int64 // when a node of the overlay last answered, in Unix ns; 0: none did

	mapper *portMapper // nil when no ports are mapped
	place  place       // of this machine in the network
	legs   legWatches  // who watches legs

	gatewayWatches watches[gateway.Event] // who is told of the gateway's events

	people people // the account, and what lives as long as it

	relisten sync.Mutex // held while the node changes where it listens
	givenUp  givenUp    // ports

	closers   []func() error // in the order in which things were made
	closeOnce sync.Once
	closeErr  error
}

// Ready returns nil as soon as resolving will work. When ctx ends before that
// it returns wire.NotReady with the cause.
func (n *Node) Ready(ctx context.Context) error { return n.disc.Ready(ctx) }

// ID is the node's peer ID.
func (n *Node) ID() peer.ID { return n.host.ID() }

// Principal is the node as a principal.
func (n *Node) Principal() identity.Principal { return identity.PeerPrincipal(n.host.ID()) }

// Overlay is the overlay's prefix.
func (n *Node) Overlay() string { return n.cfg.Overlay }

// Addrs are the addresses that others can dial, without /p2p.
func (n *Node) Addrs() []ma.Multiaddr { return n.host.Addrs() }

// Host is the libp2p host.
func (n *Node) Host() host.Host { return n.host }

// Reach makes paths to other nodes.
func (n *Node) Reach() *reach.Reach { return n.reach }

// Discovery keeps the node in its overlay.
func (n *Node) Discovery() *discovery.Discovery { return n.disc }

// Pipes is the pipe service.
func (n *Node) Pipes() *pipe.Service { return n.pipes }

// Gateway carries plain TCP clients over pipes.
func (n *Node) Gateway() *gateway.Gateway { return n.gateway }

// Links carries the node's connections.
func (n *Node) Links() *link.Links { return n.links }

// Registry holds the node's metrics.
func (n *Node) Registry() *prometheus.Registry { return n.reg }

// CreatePipe makes a pipe owned by this node and stores it under a local name.
func (n *Node) CreatePipe(ctx context.Context, name string, o pipe.CreateOptions) (pipe.Pipe, error) {
	return n.pipes.Create(ctx, name, o)
}

// ListenPipe binds the pipe ref, an ID or a local name, to this node and
// accepts its connections. The listener is a *pipe.Listener.
func (n *Node) ListenPipe(ctx context.Context, ref string, o pipe.ListenOptions) (net.Listener, error) {
	id, adv, err := n.pipes.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	if o.Advertisement == nil {
		o.Advertisement = adv
	}
	l, err := n.pipes.Listen(ctx, id, o)
	if err != nil {
		return nil, n.nameLimit(err)
	}
	return l, nil
}

// DialPipe connects to whoever serves the pipe ref, an ID or a local name. The
// connection is a *pipe.Conn.
func (n *Node) DialPipe(ctx context.Context, ref string, o pipe.DialOptions) (net.Conn, error) {
	id, _, err := n.pipes.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, err := n.pipes.Dial(ctx, id, o)
	if err != nil {
		return nil, n.nameLimit(err)
	}
	return c, nil
}
