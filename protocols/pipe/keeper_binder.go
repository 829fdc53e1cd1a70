package pipe

import (
	"context"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// A binder that was lost, or refused, is tried again after pauses from the
	// first to the last of these.
	firstRetry   = 100 * time.Millisecond
	longestRetry = 15 * time.Second
	// Whoever wants it sooner waits so long at least.
	leastRetry = 50 * time.Millisecond
	// One that has refused a dial is the last that is tried for so long.
	shunTime = time.Second
)

// keptBinder is one binder of a Keeper.
type keptBinder struct {
	// Fixed after it was made.
	k      *Keeper
	who    identity.Principal
	peer   peer.ID
	cancel context.CancelFunc
	retry  chan struct{} // of capacity one: somebody wants it

	// Guarded by k.mu.
	found    Found
	up       bool
	watch    carrier   // while up
	raw      bool      // it takes raw streams alone
	err      error     // why it is not up
	tries    uint64    // that have ended
	fellAt   time.Time // when it was up last, or was tried in vain
	shunned  time.Time // it is the last to be tried until then
	channels int
}

// want has a binder that is down tried again now.
func (b *keptBinder) want() {
	select {
	case b.retry <- struct{}{}:
	default:
	}
}

// run keeps a watch at the binder.
func (b *keptBinder) run(ctx context.Context) {
	defer b.cancel()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstRetry, longestRetry
	for ctx.Err() == nil {
		watch, raw, err := b.connect(ctx)
		if err == nil {
			begun := time.Now()
			err = b.hold(ctx, watch, raw)
			if time.Since(begun) > longestRetry {
				pause.Reset()
			}
		}
		if ctx.Err() != nil {
			return
		}
		b.fell(err)
		b.rest(ctx, pause.NextBackOff())
	}
}

// rest waits before a binder is tried again, shorter if somebody wants it.
func (b *keptBinder) rest(ctx context.Context, pause time.Duration) {
	least, again := time.NewTimer(min(pause, leastRetry)), time.NewTimer(pause)
	defer least.Stop()
	defer again.Stop()
	select {
	case <-least.C:
	case <-ctx.Done():
		return
	}
	select {
	case <-again.C:
	case <-b.retry:
	case <-ctx.Done():
	}
}

// connect asks the binder whether it accepts this node, and to tell when it does
// no more.
func (b *keptBinder) connect(ctx context.Context) (watch carrier, raw bool, err error) {
	o := b.k.dialOptions()
	o.probe, o.watch, o.Binders = true, true, []peer.ID{b.peer}
	d := newDialing(b.k.s, b.k.id, o)
	defer d.release()
	b.k.mu.Lock()
	d.advertisement = b.k.adv
	d.enqueue(b.found)
	b.k.mu.Unlock()
	c, err := d.established(ctx)
	if err != nil {
		return carrier{}, false, err
	}
	return c.carrier, c.to.raw || o.Raw || c.carrier.link == nil, nil
}

// hold has the binder dialled until its watch ends, and returns why it did.
func (b *keptBinder) hold(ctx context.Context, watch carrier, raw bool) error {
	stop := context.AfterFunc(ctx, watch.drop)
	defer stop()
	defer watch.drop()
	watch.until(time.Time{}, time.Time{})
	b.k.mu.Lock()
	b.up, b.watch, b.raw, b.err = true, watch, raw, nil
	b.k.err = nil
	b.k.changeLocked()
	b.k.mu.Unlock()
	news := make(chan struct{})
	defer close(news)
	if b.peer != b.k.s.cfg.Self {
		paths := b.k.s.cfg.Reach.Watch(ctx, b.k.way.wants(reach.Want{Peer: b.peer})[0])
		b.k.running.Go(func() { b.tell(paths, news) })
	}
	_, err := watch.Read(make([]byte, 1))
	switch {
	case wire.CodeOf(err) == wire.Gone:
		return wire.Errorf(wire.Unreachable, "binder %s is lost: %w", b.who, err)
	case err == nil:
		return wire.Errorf(wire.BadRequest, "binder %s sends data where there is none", b.who)
	case err == io.EOF: // one that does not know what a watch is; a dial shows how it is
		select {
		case <-b.retry:
		case <-ctx.Done():
		}
	}
	return err
}

// tell has those who wait for a path look, until over.
func (b *keptBinder) tell(paths <-chan reach.Path, over <-chan struct{}) {
	for {
		select {
		case _, ok := <-paths:
			if !ok {
				return
			}
			b.k.change()
		case <-over:
			return
		}
	}
}

// fell notes that the binder is not to be dialled, and why.
func (b *keptBinder) fell(why error) {
	b.k.mu.Lock()
	b.up, b.watch, b.err = false, carrier{}, why
	b.tries, b.fellAt = b.tries+1, time.Now()
	b.k.changeLocked()
	b.k.mu.Unlock()
	b.k.ask()
}

// usableLocked is the path on which a connection to the binder may be opened; a
// node needs none to itself.
func (b *keptBinder) usableLocked() (reach.Path, bool) {
	switch {
	case !b.up:
		return reach.Path{}, false
	case b.peer == b.k.s.cfg.Self:
		return reach.Path{}, true
	case b.watch.link != nil:
		if p := b.watch.link.Path(); !p.IsZero() {
			return p, true
		}
	}
	return b.k.s.standing(b.peer, b.k.way)
}

func (b *keptBinder) stateLocked() KeptBinder {
	told := KeptBinder{Principal: b.who, Peer: b.peer, Channels: b.channels, Err: b.err}
	p, ok := b.usableLocked()
	switch {
	case !ok && b.err == nil:
		told.Err = wire.Errorf(wire.Unreachable, "no path to binder %s, it is being reconnected", b.who).
			WithNext("see that the node runs and has a network; connections that are open wait for it")
	case ok && !p.IsZero():
		told.Transport, told.Direct, told.RTT = p.Transport(), p.Direct(), p.RTT()
	case ok:
		told.Direct = true
	}
	return told
}
