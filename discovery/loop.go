package discovery

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// loop is the one owner of everything that changes while Run runs. Each event
// changes a little of it; settle then does what follows from the whole.
type loop struct {
	d       *Discovery
	sub     event.Subscription
	reached event.Subscription // apart, since this loop emits what it hears there
	book    *book
	wg      sync.WaitGroup

	// Evidence about reachability.
	sights            sightings
	listening         []ma.Multiaddr // on interfaces
	own               []netip.Addr   // the public ones
	has4, has6        bool
	verified, refuted int
	verifiedIPs       []netip.Addr // public ones
	observers         observers
	links             []netip.Prefix // of interfaces
	elsewhere         bool           // in another network than the gate was told
	verdict           verdict
	emitted           network.Reachability
	emittedAt         time.Time
	contradicted      bool // somebody else emitted another reachability since

	saveAt time.Time // when the changed memory is stored; zero for not
	saving bool

	dials chan dialled
	found chan peer.AddrInfo // from mDNS
	saved chan error
	moved chan struct{} // to mDNS: interface addresses have changed
}

// dialled is the outcome of a dial to join through a node.
type dialled struct {
	id  peer.ID
	err error
}

func newLoop(d *Discovery) (*loop, error) {
	sub, err := d.cfg.Host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtPeerConnectednessChanged),
		new(event.EvtHostReachableAddrsChanged),
		new(event.EvtLocalAddressesUpdated),
	}, eventbus.Name("discovery"), eventbus.BufSize(256))
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "discovery: %w", err)
	}
	reached, err := d.cfg.Host.EventBus().Subscribe(new(event.EvtLocalReachabilityChanged),
		eventbus.Name("discovery"), eventbus.BufSize(64))
	if err != nil {
		sub.Close()
		return nil, wire.Errorf(wire.Internal, "discovery: %w", err)
	}
	return &loop{
		d:       d,
		sub:     sub,
		reached: reached,
		book:    newBook(d.newPause),
		sights:  newSightings(),

		observers: newObservers(),
		emitted:   -1, // none yet
		dials:     make(chan dialled),
		found:     make(chan peer.AddrInfo, maxLAN),
		saved:     make(chan error),
		moved:     make(chan struct{}, 1),
	}, nil
}

// run is the loop. It returns when all that it started has.
func (l *loop) run(ctx context.Context) {
	defer l.wg.Wait()
	defer l.sub.Close()
	defer l.reached.Close()
	l.begin(ctx)
	disturbed := l.d.cfg.Reach.Disturbed(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if wake := l.settle(ctx, time.Now()); !wake.IsZero() {
			timer.Reset(time.Until(wake))
		}
		select {
		case <-ctx.Done():
			l.end()
			return
		case e := <-l.sub.Out():
			l.event(e, time.Now())
		case e := <-l.reached.Out():
			l.heardReachability(e)
		case r := <-l.dials:
			l.dialDone(r)
		case in := <-l.found:
			l.heard(in)
		case err := <-l.saved:
			l.saving = false
			if err != nil {
				l.d.cfg.Log.Warn("servers are not remembered", "error", err)
			}
		case _, open := <-disturbed:
			if open {
				l.book.hurry()
			} else {
				disturbed = nil
			}
		case <-timer.C:
		}
	}
}

// begin takes in what is there already.
func (l *loop) begin(ctx context.Context) {
	for _, in := range l.d.cfg.Join {
		if in.ID != l.d.self {
			l.book.add(in, fromJoin)
		}
	}
	for _, in := range l.d.memory.list() {
		l.book.add(in, fromMemory)
	}
	l.interfaces()
	for _, c := range l.d.cfg.Host.Network().Conns() {
		l.sight(c, time.Now())
		l.update(c.RemotePeer(), time.Now())
	}
	if l.d.cfg.MDNS {
		l.wg.Go(func() { l.listenLAN(ctx) })
	}
}

// end waits for what must not outlive the loop while its channels are drained.
func (l *loop) end() {
	ended := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(ended)
	}()
	for {
		select {
		case <-l.dials:
		case <-l.saved:
		case <-l.sub.Out():
		case <-l.reached.Out():
		case <-ended:
			l.refresh(time.Now())
			return
		}
	}
}

// event takes in one event of the host.
func (l *loop) event(e any, now time.Time) {
	switch e := e.(type) {
	case event.EvtPeerIdentificationCompleted:
		l.d.servers.clear(e.Peer)
		if e.Conn != nil {
			l.sight(e.Conn, now)
			l.observe(e, now)
		}
		l.update(e.Peer, now)
	case event.EvtPeerProtocolsUpdated:
		l.update(e.Peer, now)
	case event.EvtPeerConnectednessChanged:
		l.update(e.Peer, now)
	case event.EvtHostReachableAddrsChanged:
		l.verified, l.refuted = len(e.Reachable), len(e.Unreachable)
		l.verifiedIPs, _, _ = publicIPs(e.Reachable)
	case event.EvtLocalAddressesUpdated:
		l.interfaces()
	}
}

// update takes in that something about p has changed: connected or not, server
// or not.
func (l *loop) update(p peer.ID, now time.Time) {
	serves := l.d.serves(p)
	changed := l.d.servers.set(p, serves)
	if serves {
		l.d.memory.touch(p, l.addrsOf(p), now)
		l.d.cfg.Host.ConnManager().TagPeer(p, serverTag, worth(l.d.self, p))
	} else if changed {
		l.d.cfg.Host.ConnManager().UntagPeer(p, serverTag)
	}
	switch {
	case l.d.cfg.Host.Network().Connectedness(p) != network.NotConnected:
	case changed:
		l.book.parted(peer.AddrInfo{ID: p, Addrs: l.d.memory.met[p].addrs}, now)
	default:
		l.book.lost(p, now)
	}
}

// settle does what follows from the present state, and returns when to look
// again at the latest.
func (l *loop) settle(ctx context.Context, now time.Time) (wake time.Time) {
	l.judge(now)
	l.whereabouts(now)
	wake = earlier(l.join(ctx, now), now.Add(time.Minute))
	if l.contradicted {
		wake = earlier(wake, l.emittedAt.Add(emitPause))
	}
	if at := l.save(ctx, now); !at.IsZero() {
		wake = earlier(wake, at)
	}
	l.d.board.publish(l.state())
	return wake
}
