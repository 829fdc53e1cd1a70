package trunk

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// carrier is one stream and the legs on it. Two goroutines belong to it: run
// reads, if need be in a loop that the connection drives, and pumps writes what
// nobody else writes.
type carrier struct {
	// Fixed after newCarrier.
	t        *Trunks
	line     *line
	path     reach.Path
	s        network.Stream
	outgoing bool // this side opened it
	since    time.Time
	unhold   func()        // lets the peer go
	wake     chan struct{} // of capacity one; whoever sends gives the pump away
	dead     chan struct{} // closed when the carrier has ended
	started  chan struct{} // closed when something was written, and reading may begin
	pumped   chan struct{} // closed when pumps has returned
	batches  *sync.Pool

	in       Inbox         // owned by run
	received atomic.Uint64 // bytes of frames of legs that were read
	heard    atomic.Int64  // when something was known to have been read last, in nanoseconds since since

	out     Outbox // owned by who pumps
	began   bool   // owned by who pumps: something was written
	greeted bool   // owned by who pumps: HELLO was written

	mu      sync.Mutex
	ended   bool
	cause   error         // why; nil for a good end
	own     bool          // it is for the legs of one side's bulk
	pumping bool          // somebody pumps
	rested  chan struct{} // closed when nobody pumps any more, after the end

	legs     map[uint64]*Leg // by handle
	unopened map[*Leg]struct{}
	given    uint64 // the last handle of this side here
	highest  uint64 // the last of the far side
	turns    turns
	leaves   legQueue
	refusals int // in leaves

	due  dues // frames of the carrier's own
	life life
}

func newCarrier(l *line, s network.Stream, own, outgoing bool) *carrier {
	c := &carrier{
		t: l.t, line: l, path: l.path, s: s, own: own, outgoing: outgoing, since: time.Now(),
		unhold: l.t.cfg.Reach.Hold(l.path.Peer()),
		wake:   make(chan struct{}, 1), dead: make(chan struct{}), started: make(chan struct{}), pumped: make(chan struct{}),
		batches: batches, legs: make(map[uint64]*Leg), unopened: make(map[*Leg]struct{}),
	}
	if own && l.path.Transport() == reach.QUIC {
		c.batches = bulkBatches
	}
	c.in.src = c
	c.life.begin(c)
	if len(l.carriers) == 0 {
		l.startDatagramsLocked()
	}
	l.carriers = append(l.carriers, c)
	go c.pumps()
	return c
}

// run lives as long as the carrier. It is counted in t.running.
func (c *carrier) run() {
	defer c.t.running.Done()
	c.t.cfg.Log.Debug("carrier begins", "peer", c.path.Peer(), "outgoing", c.outgoing)
	c.fail(c.read())
	<-c.pumped
	c.mu.Lock()
	if c.pumping {
		rested := make(chan struct{})
		c.rested = rested
		c.mu.Unlock()
		<-rested
		c.mu.Lock()
	}
	c.endLegs()
	c.mu.Unlock()
	c.unhold()
	c.t.drop(c)
	c.t.cfg.Log.Debug("carrier ended", "peer", c.path.Peer(), "cause", c.cause)
}

// fail ends the carrier; nil is a good end. Whatever is blocked in the stream
// comes back: resetting it may have to wait for the connection below, so that
// is left to a goroutine.
func (c *carrier) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.cause = true, err
	c.life.end()
	close(c.dead)
	c.t.running.Go(func() {
		if err == nil {
			_ = c.s.Close()
			return
		}
		_ = c.s.SetWriteDeadline(time.Unix(1, 0))
		_ = c.s.ResetWithError(resetCode(err))
	})
}

// resetCode is how the far side is told of an end.
func resetCode(err error) network.StreamErrorCode {
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.TooLarge:
		return network.StreamProtocolViolation
	case wire.Limit:
		return network.StreamResourceLimitExceeded
	case wire.Closed:
		return network.StreamShutdown
	}
	return network.StreamNoError
}

// endLegs tells the owners that the carrier is gone.
func (c *carrier) endLegs() {
	cause := c.cause
	if cause == nil {
		cause = wire.Errorf(wire.Closed, "the carrier was closed")
	}
	all := make([]*Leg, 0, len(c.legs)+len(c.unopened))
	for _, l := range c.legs {
		all = append(all, l)
	}
	for l := range c.unopened {
		all = append(all, l)
	}
	clear(c.legs)
	clear(c.unopened)
	c.line.peer.legs.Add(int64(-len(all)))
	for _, l := range all {
		l.left = true
		c.loseLocked(l, cause)
	}
}

// takesLegs tells whether new legs of this side may begin here.
func (c *carrier) takesLegs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.own && c.openLocked() && c.legCount() < c.t.cfg.Limits.Legs
}

// openLocked reports that neither side wants the carrier to end.
func (c *carrier) openLocked() bool { return !c.ended && !c.due.going && !c.due.farGoing }

// legCount is how many legs there are. It is called with mu held.
func (c *carrier) legCount() int { return len(c.legs) + len(c.unopened) }

// leg finds a leg.
func (c *carrier) leg(handle uint64) *Leg {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.legs[handle]
}

// attach makes an outgoing leg; nil if the carrier takes none any more.
func (c *carrier) attach(o Owner) (*Leg, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.openLocked() {
		return nil, nil
	}
	limits := c.t.cfg.Limits
	if c.line.peer.legs.Load() >= int64(limits.LegsPerPeer) {
		return nil, wire.LimitError("legs with one peer", int64(limits.LegsPerPeer), "")
	}
	c.line.peer.legs.Add(1)
	l := &Leg{c: c, owner: o, outgoing: true, headSize: maxHeader}
	l.turn.leg = l
	c.unopened[l] = struct{}{}
	c.life.legsCame(c)
	return l, nil
}
