package discovery

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/cenkalti/backoff/v5"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Discovery keeps one node in its overlay. All methods are safe for concurrent
// use.
type Discovery struct {
	// Fixed after New.
	cfg     Config
	self    peer.ID
	kadID   protocol.ID
	kad     *dht.IpfsDHT
	alone   bool            // there is nobody to join through
	ways    []peer.AddrInfo // whom to join through, as known at the start
	servers *servers
	board   *board
	emitter event.Emitter // of EvtLocalReachabilityChanged
	memory  *memory       // owned by Run while it runs, by New before and Close after

	mu       sync.Mutex
	stop     context.CancelFunc // ends Run; nil before it
	ran      chan struct{}      // closed when Run has returned; nil before it
	closed   bool
	own      reach.Own      // written by Run
	observed netip.AddrPort // written by Run
	once     sync.Once
	err      error // of Close
}

// New makes a Discovery and starts kad-dht under it. Joining and everything
// else begins with Run. Errors are BadRequest for a Config that cannot work,
// and whatever the PeerStore says. Close must be called even without Run.
func New(ctx context.Context, cfg Config) (*Discovery, error) {
	cfg, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	d := &Discovery{
		cfg:     cfg,
		self:    cfg.Host.ID(),
		kadID:   KadProtocol(cfg.Overlay),
		servers: newServers(),
		memory:  newMemory(),
	}
	if err := d.recall(ctx); err != nil {
		return nil, err
	}
	d.ways = d.waysIn()
	d.alone = len(d.ways) == 0
	if d.emitter, err = cfg.Host.EventBus().Emitter(new(event.EvtLocalReachabilityChanged), eventbus.Stateful); err != nil {
		return nil, wire.Errorf(wire.Internal, "discovery: %w", err)
	}
	if d.kad, err = newKad(cfg); err != nil {
		d.emitter.Close()
		return nil, wire.Errorf(wire.Internal, "discovery: routing table: %w", err)
	}
	d.board = newBoard(State{Role: RoleClient, Reachability: ReachUnknown, Alone: d.alone, MDNS: cfg.MDNS})
	return d, nil
}

// Run joins the overlay and stays in it until ctx ends or Close is called. It
// returns when everything it started has ended, nil for either of these.
func (d *Discovery) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ran, err := d.begin(cancel)
	if ran == nil {
		return err
	}
	defer close(ran)
	l, err := newLoop(d)
	if err != nil {
		return err
	}
	l.run(ctx)
	return nil
}

// begin notes that Run runs. After Close there is nothing to run: ran is nil.
func (d *Discovery) begin(stop context.CancelFunc) (ran chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nil, nil
	case d.ran != nil:
		return nil, wire.Errorf(wire.BadRequest, "discovery runs once")
	}
	d.stop, d.ran = stop, make(chan struct{})
	return d.ran, nil
}

// Close ends Run and waits for it, stores the remembered servers, and ends
// kad-dht. It may be called more than once; all calls wait.
func (d *Discovery) Close() error {
	d.once.Do(func() { d.err = d.close() })
	return d.err
}

func (d *Discovery) close() error {
	d.mu.Lock()
	d.closed = true
	stop, ran := d.stop, d.ran
	d.mu.Unlock()
	if stop != nil {
		stop()
		<-ran
	}
	err := d.remember()
	d.board.close()
	return errors.Join(err, d.kad.Close(), d.emitter.Close())
}

// Ready returns nil when resolving will work: a server of the overlay is
// connected, or there is nobody to join through and this node is an overlay of
// its own. When ctx ends first the error is NotReady and names what keeps it
// from joining; after Close it is Closed.
func (d *Discovery) Ready(ctx context.Context) error {
	states, cancel := d.board.subscribe()
	defer cancel()
	for {
		select {
		case s, ok := <-states:
			if !ok {
				return wire.Errorf(wire.Closed, "discovery is closed")
			}
			if s.ready() {
				return nil
			}
		case <-ctx.Done():
			return notReady(d.board.read())
		}
	}
}

// State returns what discovery knows now.
func (d *Discovery) State() State {
	s := d.board.read()
	s.Table = d.kad.RoutingTable().Size()
	return s
}

// Subscribe returns a channel that holds the present State at once and then
// each new one; a slow reader misses some, never the last. cancel and Close
// close it.
func (d *Discovery) Subscribe() (states <-chan State, cancel func()) { return d.board.subscribe() }

// newPause makes the pauses between attempts to join through one node.
func (d *Discovery) newPause() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     d.cfg.JoinInterval,
		RandomizationFactor: 0.5,
		Multiplier:          1.5,
		MaxInterval:         d.cfg.JoinMaxInterval,
	}
}
