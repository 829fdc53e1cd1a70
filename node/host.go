package node

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/connections"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// hostParts is what a libp2p host is made of besides the Config.
type hostParts struct {
	key      crypto.PrivKey
	reg      prometheus.Registerer
	relays   autorelay.PeerSource // candidates, when this node needs a relay
	refusals *refusals            // told what the limits refuse
	punches  *reach.Punches       // how hole punches fail
	causes   *reach.Causes        // told what dials fail of
	mapper   func(*portMapper)    // takes what maps ports, if the node does
	place    *place               // puts right what the host knows of this machine's addresses
}

// dialTimeout ends one dial before reach gives up on the peer, so that the
// silence of an address is told.
const dialTimeout = 9 * time.Second

// newHost makes a libp2p host that does not listen yet, and the gate that all
// its dials pass. It wraps the gater of an embedder, if there is one.
func newHost(cfg Config, parts hostParts) (host.Host, *reach.Gate, error) {
	base, err := newBase(cfg, parts)
	if err != nil {
		return nil, nil, err
	}
	var gate *reach.Gate
	gated := func(c *libp2p.Config) error {
		gate = reach.NewGate(c.ConnectionGater)
		c.ConnectionGater = gate
		if c.DialRanker == nil {
			c.DialRanker = reach.Rank
		}
		return nil
	}
	h, err := libp2p.New(slices.Concat(
		base.options(),
		fixedOptions(parts),
		transportOptions(cfg.Transports),
		natOptions(cfg, parts),
		relayOptions(cfg, parts.relays),
		cfg.Libp2p,
		[]libp2p.Option{parts.place.option, hideAdopted, gated},
	)...)
	if err != nil {
		return nil, nil, errors.Join(wire.Errorf(wire.Internal, "libp2p host: %w", err), base.Close())
	}
	if err := parts.causes.Watch(h, swarm.NewMetricsTracer(swarm.WithRegisterer(parts.reg))); err != nil {
		return nil, nil, errors.Join(wire.Errorf(wire.Internal, "watch what dials fail of: %w", err), h.Close())
	}
	return h, gate, nil
}

// base is what a host is built on, and closes when it is closed.
type base struct {
	resources network.ResourceManager
	conns     connmgr.ConnManager
	peers     peerstore.Peerstore
	made      []io.Closer
}

// newBase makes a base, or leaves nothing.
func newBase(cfg Config, parts hostParts) (b *base, err error) {
	b = new(base)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.resources, err = newResourceManager(cfg.Overlay, cfg.Limits, parts.refusals); err != nil {
		return b, wire.Errorf(wire.Internal, "resource manager: %w", err)
	}
	b.made = append(b.made, b.resources)
	b.conns = connections.New(cfg.MaxConnections, discovery.KadProtocol(cfg.Overlay))
	b.made = append(b.made, b.conns)
	if b.peers, err = pstoremem.NewPeerstore(); err != nil {
		return b, wire.Errorf(wire.Internal, "peerstore: %w", err)
	}
	b.made = append(b.made, b.peers)
	return b, nil
}

// options hand the base to a host.
func (b *base) options() []libp2p.Option {
	return []libp2p.Option{libp2p.ResourceManager(b.resources), libp2p.ConnectionManager(b.conns), libp2p.Peerstore(b.peers)}
}

// Close closes what was made, where no host does.
func (b *base) Close() (err error) {
	for _, c := range b.made {
		err = errors.Join(err, c.Close())
	}
	return err
}
