package reach

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// DefaultDialTimeout bounds the dialling of one Path call where Config names no other time.
const DefaultDialTimeout = 10 * time.Second

// Config is what New needs.
type Config struct {
	// Host is the node's host. Its network is a go-libp2p swarm, and its
	// AddrsFactory applies HideAdopted. A host takes one Reach in its life.
	Host host.Host

	// Gater is the connection gater that the host was built with; nil for
	// none. The swarm does not tell. A *Gate is told what reach learns of where
	// peers are, and asked why it refuses.
	Gater connmgr.ConnectionGater

	// Resolver resolves names in multiaddrs; nil is the system's.
	Resolver network.MultiaddrDNSResolver

	// Log gets a debug line for each path made; nil discards.
	Log *slog.Logger

	// Punches is what the host's hole punching was given as tracer, so that
	// errors can name the cause; nil for none.
	Punches *Punches

	// Causes watches the host, so that each address that failed has its own
	// cause when a dial ends by its deadline; nil for none.
	Causes *Causes

	// DialTimeout bounds the dialling of one Path call besides its context; 0
	// is DefaultDialTimeout.
	DialTimeout time.Duration
}

// normalize fills in what zero values stand for.
func (c *Config) normalize() {
	if c.Resolver == nil {
		c.Resolver = swarm.ResolverFromMaDNS{Resolver: madns.DefaultResolver}
	}
	if c.Punches == nil {
		c.Punches = new(Punches)
	}
	if c.Causes == nil {
		c.Causes = new(Causes)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = DefaultDialTimeout
	}
}

// Want says which path is wanted.
type Want struct {
	Peer       peer.ID        // to whom
	Addrs      []ma.Multiaddr // addresses to dial besides those in the peerstore, with or without /p2p
	Only       bool           // dial Addrs alone; a connection that exists serves all the same
	Transport  Transport      // the path must use it, and is made beside other connections; Any leaves it open
	AllowRelay bool           // a relayed path will do; Transport Relay implies it
	Explicit   bool           // a person asked now: earlier failures do not hold the dial back

	// Unproven are those of Addrs at which nobody else saw the peer, and
	// names: no more than two of them are dialled at a time.
	Unproven []ma.Multiaddr
	// Seen are those of Addrs at which somebody else, whoever that be, says to
	// have seen the peer. They may show that it is a neighbour.
	Seen []ma.Multiaddr

	// PreferDirect gives the relayed path that AllowRelay admits only after a
	// direct one was sought for PreferTime. With a required transport it bounds
	// the wait for hole punching by that time.
	PreferDirect bool

	// NoPunch does not wait for hole punching: the caller has another way.
	NoPunch bool

	wary map[string]bool // set by dialable for the race
}

// Reach makes paths on one host. Its methods are safe for concurrent use.
type Reach struct {
	// Fixed after New.
	cfg     Config
	sw      *swarm.Swarm
	adopter *adopter
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // all that Close joins: calls of Path, flights and their dials, probes
	lasting sync.WaitGroup // dials through relays, which Join joins

	keeps        keeps
	watches      watches
	disturbances disturbances
	improveDials chan struct{} // semaphore

	meters meters
	news   network.Notifiee // has the swarm tell the watches

	punchers event.Subscription // tells who takes part in hole punching

	mu        sync.Mutex
	closed    bool
	flights   map[flightKey]*flight
	probes    map[network.Conn]chan struct{} // that are under way; closed when judged
	improving map[peer.ID]*improver
	lent      map[network.Conn]lent // relayed ones
	era       context.Context       // ends with the next Disturbance
	endEra    context.CancelFunc
}

// New prepares a Reach on cfg.Host. It opens the private listener through
// which the swarm adopts connections, and watches who punches holes. A host
// whose network is no swarm is Unsupported; a second Reach on one host is Taken.
func New(cfg Config) (*Reach, error) {
	cfg.normalize()
	sw, ok := cfg.Host.Network().(*swarm.Swarm)
	if !ok {
		return nil, wire.Errorf(wire.Unsupported, "paths need a go-libp2p swarm, not a %T", cfg.Host.Network())
	}
	a, err := newAdopter()
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "private listener: %w", err)
	}
	if err := sw.AddTransport(a); err != nil {
		return nil, wire.Errorf(wire.Taken, "private listener: %w", err).WithNext("use the Reach that the host has already")
	}
	if err := sw.AddListenAddr(a.addr); err != nil {
		return nil, wire.Errorf(wire.Internal, "private listener: %w", err)
	}
	r := &Reach{
		cfg: cfg, sw: sw, adopter: a,
		flights: make(map[flightKey]*flight), probes: make(map[network.Conn]chan struct{}), improving: make(map[peer.ID]*improver),
		lent: make(map[network.Conn]lent), improveDials: make(chan struct{}, maxImproveDials),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.era, r.endEra = context.WithCancel(context.Background())
	if r.punchers, err = watchPunchers(cfg.Host); err != nil {
		return nil, wire.Errorf(wire.Internal, "watch who punches holes: %w", err)
	}
	r.running.Go(func() { r.repunch(r.punchers) })
	r.news = &network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) { r.tell(c.RemotePeer()); r.tend(c.RemotePeer()) },
		DisconnectedF: func(_ network.Network, c network.Conn) {
			r.meters.drop(c)
			r.giveBack(c)
			r.tell(c.RemotePeer())
			r.tend(c.RemotePeer())
		},
	}
	sw.Notify(r.news)
	return r, nil
}

// Close ends every dial and the private listener, and waits for both, calls of
// Path included. Paths stay with the host. It is to be called before the host is
// closed, and may be called again.
func (r *Reach) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.sw.StopNotify(r.news)
	r.watches.close()
	r.disturbances.close()
	_ = r.punchers.Close()
	r.sw.ListenClose(r.adopter.addr)
	_ = r.adopter.Close() // the swarm did, unless it was closed before
	r.running.Wait()
	return nil
}

// Join waits for what only the end of the host ends: dials through relays, and
// holes punched anew. Close the Reach before, and the host.
func (r *Reach) Join() {
	r.lasting.Wait()
	r.cfg.Punches.running.Wait()
}

// enter counts a call that Close waits for, until running.Done. It is false once
// the Reach is closed.
func (r *Reach) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.running.Add(1)
	return true
}

// Path gives a live path as wanted: the best that exists, else a new one. The
// attempts say what was tried, in order; the last one without Err, if any, is
// the path. The error is a *DialError when dialling failed; BadRequest or
// Forbidden for wants that cannot be served; Closed after Close.
func (r *Reach) Path(ctx context.Context, w Want) (Path, []Attempt, error) {
	if err := r.check(w); err != nil {
		return Path{}, nil, err
	}
	if p, ok := r.take(w); ok {
		return r.given(w, p), []Attempt{reused(p)}, nil
	}
	if !r.enter() {
		return Path{}, nil, errClosed()
	}
	defer r.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	start := time.Now()
	w = r.tellGate(ctx, w)
	conn, attempts, ended := r.obtainHere(ctx, w)
	r.doubtRelays(attempts)
	if conn == nil {
		if g := r.gate(); r.ctx.Err() != nil || (g != nil && g.shut.Load()) {
			return Path{}, attempts, errClosed()
		}
		return Path{}, attempts, &DialError{Peer: w.Peer, Want: w.Transport, Attempts: attempts, Ended: ended}
	}
	r.cfg.Log.Debug("path made", "peer", w.Peer, "addr", conn.RemoteMultiaddr(), "took", time.Since(start))
	return r.given(w, Path{conn, r}), attempts, nil
}

// Paths lists the live paths to p, best first: direct before relayed, then the
// newest.
func (r *Reach) Paths(p peer.ID) []Path {
	var live []Path
	for _, c := range r.sw.ConnsToPeer(p) {
		if !c.IsClosed() {
			live = append(live, Path{c, r})
		}
	}
	slices.Reverse(live) // the swarm keeps them in the order of their coming
	slices.SortStableFunc(live, func(a, b Path) int {
		switch {
		case a.better(b):
			return -1
		case b.better(a):
			return 1
		}
		return 0
	})
	return live
}

// Connected lists the peers to which a live path exists, in no order.
func (r *Reach) Connected() []peer.ID {
	return slices.DeleteFunc(r.sw.Peers(), func(p peer.ID) bool { return len(r.Paths(p)) == 0 })
}

// Handle serves the streams of protocol id that peers open, each on a
// goroutine of its own, with the errors of the package comment.
func (r *Reach) Handle(id protocol.ID, h func(network.Stream)) {
	r.cfg.Host.SetStreamHandler(id, func(s network.Stream) { h(inbound(s, id, r.meters.of(s.Conn()))) })
}

// Unhandle ends Handle. Streams that are being served go on.
func (r *Reach) Unhandle(id protocol.ID) { r.cfg.Host.RemoveStreamHandler(id) }

// Adopted reports whether this node dialled c although the swarm, which took
// it from the private listener, calls it inbound.
func (r *Reach) Adopted(c network.Conn) bool { return adoptedOf(c) != nil }

// Speaks reports whether p's identify message listed protocol id. It is false
// while none has come; nothing is sent.
func Speaks(h host.Host, p peer.ID, id protocol.ID) bool {
	spoken, err := h.Peerstore().SupportsProtocols(p, id)
	return err == nil && len(spoken) > 0
}

// Lacks reports that p's identify message has come and did not list protocol
// id; nothing is sent.
func (r *Reach) Lacks(p peer.ID, id protocol.ID) bool {
	return Speaks(r.cfg.Host, p, identify.ID) && !Speaks(r.cfg.Host, p, id)
}

// errClosed is what a closed Reach says.
func errClosed() error { return wire.Errorf(wire.Closed, "the node is shutting down") }
