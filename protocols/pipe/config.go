package pipe

import (
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// DefaultOverlay prefixes the protocol IDs of a node that names no overlay.
const DefaultOverlay = "panpipe"

// Config is what a Service is made of. Key, Reach, Router and Store must be
// set; every other field has a useful zero value.
type Config struct {
	// Overlay prefixes the protocol IDs; empty means DefaultOverlay.
	Overlay string
	// Key is the node's identity key. It signs bindings and proofs.
	Key crypto.PrivKey
	// Self is the node's peer ID; empty means the one of Key, another is refused.
	Self peer.ID
	// Reach opens and accepts streams.
	Reach *reach.Reach
	// Links carries connections; their Redial is the Service's. Nil makes every
	// connection a raw stream.
	Links *link.Links
	// Router knows the overlay's nodes.
	Router Router
	// Store keeps pipes, grants, revocations and binding numbers.
	Store Store
	// Endpoints returns the addresses at which this node can be dialled now,
	// without /p2p; nil means none, so that nobody can dial what it binds.
	Endpoints func() []ma.Multiaddr
	// AddrsChanged tells that Endpoints has a new answer; nil means it never does.
	AddrsChanged <-chan struct{}
	// Log is told what a person may want to know; nil discards.
	Log *slog.Logger
	// Tracer is told what happens, for metrics and tests; nil discards.
	Tracer Tracer
	// Limits caps what peers and pipes may use; zero fields mean the defaults.
	Limits ServiceLimits
}

// ServiceLimits caps what a Service spends on others and on itself. Zero means
// the default told in each comment.
type ServiceLimits struct {
	RequestTimeout time.Duration // a whole binding request, either side; 10 s
	OpenTimeout    time.Duration // opening a connection, from dialled path to reply; 10 s
	RequestRate    float64       // requests, and records of a Store, per second and peer; 50. An address group has four times as much
	RequestBurst   int           // of a peer at once, before RequestRate counts; 200
	Requests       int           // binding requests served at the same time; 256. A peer may have as many as are free
	Cache          int           // pipes whose bindings are cached; 4096
	Backlog        int           // connections that wait for Accept, each listener; 128. A peer may have as many as are free
	Conns          int           // pipe connections open at the same time, both directions; 32768, as many as there may be links. A peer that dials may have as many as are free, an eighth is kept for own dials
	Holder         HolderLimits  // records held for others
}

func (l *ServiceLimits) normalize() {
	setDefault(&l.RequestTimeout, 10*time.Second)
	setDefault(&l.OpenTimeout, 10*time.Second)
	setDefault(&l.RequestRate, 50)
	setDefault(&l.RequestBurst, 200)
	setDefault(&l.Requests, 256)
	setDefault(&l.Cache, 4096)
	setDefault(&l.Backlog, 128)
	setDefault(&l.Conns, 32768)
}

func setDefault[T int | float64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// normalize fills defaults in and refuses, as BadRequest, what cannot work.
func (c *Config) normalize() error {
	if c.Key == nil || c.Reach == nil || c.Router == nil || c.Store == nil {
		return wire.Errorf(wire.BadRequest, "pipe service: key, reach, router and store must be set")
	}
	id, err := peer.IDFromPrivateKey(c.Key)
	if err != nil {
		return wire.Errorf(wire.BadRequest, "pipe service: key: %w", err)
	}
	if c.Self == "" {
		c.Self = id
	}
	if c.Self != id {
		return wire.Errorf(wire.BadRequest, "pipe service: peer ID %s is not the key's, %s", c.Self, id)
	}
	if c.Overlay == "" {
		c.Overlay = DefaultOverlay
	}
	if c.Endpoints == nil {
		c.Endpoints = func() []ma.Multiaddr { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tracer == nil {
		c.Tracer = noTracer{}
	}
	c.Limits.normalize()
	return nil
}

// principal is the node's own principal.
func (c *Config) principal() identity.Principal { return identity.PeerPrincipal(c.Self) }
