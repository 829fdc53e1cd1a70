package trunk

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Trunks are the carriers to all peers of a node. Their methods are safe for
// concurrent use.
type Trunks struct {
	// Fixed after New.
	cfg    Config
	id     protocol.ID
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	running sync.WaitGroup
	counts  counts

	mu     sync.Mutex // before any carrier's
	closed bool
	lines  map[network.Conn]*line
	peers  map[peer.ID]*peerLegs
}

// New serves the protocol and takes the carriers that others open.
func New(cfg Config) (*Trunks, error) {
	if cfg.Overlay == "" || cfg.Self == "" || cfg.Reach == nil {
		return nil, wire.Errorf(wire.BadRequest, "trunks need a node, its overlay and its paths")
	}
	cfg.normalize()
	t := &Trunks{
		cfg: cfg, id: Protocol(cfg.Overlay),
		lines: make(map[network.Conn]*line), peers: make(map[peer.ID]*peerLegs),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	cfg.Reach.Handle(t.id, t.accept)
	return t, nil
}

// Close ends every carrier, tells the owners of their legs, and waits for all
// of it. It must not be called by an Owner.
func (t *Trunks) Close() error {
	t.cfg.Reach.Unhandle(t.id)
	t.mu.Lock()
	t.closed = true
	var all []*carrier
	for _, l := range t.lines {
		all = append(all, l.carriers...)
	}
	t.mu.Unlock()
	t.cancel()
	for _, c := range all {
		c.fail(errClosed())
	}
	t.running.Wait()
	return nil
}

// Attach makes a leg on p for o, on a carrier that exists or, if own or there
// is none, on a new one. Nothing is sent, so nothing is waited for but room for
// a stream: the leg is opened by the first frame that o gives. Errors are those
// of reach.Path.OpenStream, and Limit.
func (t *Trunks) Attach(ctx context.Context, p reach.Path, o Owner, own bool) (*Leg, error) {
	for {
		c, err := t.carrier(ctx, p, own)
		if err != nil {
			return nil, err
		}
		l, err := c.attach(o)
		if l != nil || err != nil {
			return l, err
		}
	}
}

// carrier gives a carrier of p that takes legs.
func (t *Trunks) carrier(ctx context.Context, p reach.Path, own bool) (*carrier, error) {
	for {
		t.mu.Lock()
		l, err := t.lineLocked(p)
		if err != nil {
			t.mu.Unlock()
			return nil, err
		}
		if !own {
			if c := l.shared(); c != nil {
				t.mu.Unlock()
				return c, nil
			}
		}
		if opening := l.opening; opening != nil && !own {
			t.mu.Unlock()
			select {
			case <-opening:
				continue
			case <-ctx.Done():
				return nil, wire.Errorf(wire.CodeOf(ctx.Err()), "opening a carrier to %s: %w", p.Peer(), ctx.Err())
			}
		}
		if most := t.cfg.Limits.Carriers; l.outgoing >= most || own && l.owned() >= most/2 {
			t.mu.Unlock()
			return nil, wire.LimitError("carriers on a path", int64(most), "")
		}
		return t.openLocked(ctx, l, own)
	}
}

// openLocked opens a carrier. It unlocks t.mu.
func (t *Trunks) openLocked(ctx context.Context, l *line, own bool) (*carrier, error) {
	l.outgoing++
	var done chan struct{}
	if !own {
		done = make(chan struct{})
		l.opening = done
	}
	t.running.Add(1)
	t.mu.Unlock()
	s, err := l.path.OpenStream(ctx, t.id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if done != nil {
		l.opening = nil
		close(done)
	}
	if err == nil && t.closed {
		_ = s.Reset()
		err = errClosed()
	}
	if err != nil {
		l.outgoing--
		t.running.Done()
		return nil, err
	}
	c := newCarrier(l, s, own, true)
	go c.run()
	return c, nil
}

// accept serves a carrier that the far side opened.
func (t *Trunks) accept(s network.Stream) {
	c, code := t.incoming(s)
	if c == nil {
		_ = s.ResetWithError(code)
		return
	}
	c.run()
}

// incoming makes a carrier of a stream, or tells with which code to reset it.
func (t *Trunks) incoming(s network.Stream) (*carrier, network.StreamErrorCode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, err := t.lineLocked(t.cfg.Reach.PathOf(s.Conn()))
	if err != nil {
		return nil, network.StreamShutdown
	}
	if l.incoming >= t.cfg.Limits.Carriers {
		t.counts.refusedCarriers.Add(1)
		return nil, network.StreamResourceLimitExceeded
	}
	l.incoming++
	t.running.Add(1)
	return newCarrier(l, s, false, false), 0
}

// drop takes a carrier that has ended off the books.
func (t *Trunks) drop(c *carrier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.line.removeLocked(c)
}

// errClosed is what a closed Trunks says.
func errClosed() error { return wire.Errorf(wire.Closed, "the node is shutting down") }
