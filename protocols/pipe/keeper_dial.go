package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Dial connects to one of the binders. On a unicast pipe it returns as soon as
// Open has been written, without a round trip; a secure pipe has accepted when it
// returns. When a binder refuses, or is lost before it has answered, the next one
// gets all that was written so far, then those that a new look at the overlay
// finds. While nobody serves the pipe it fails within the time of one such look,
// which begins once a second at most. While a binder is being connected to, or
// has lost its path, Dial waits for it, no longer than for an answer.
//
// Errors: those of Resolve, of the binders, Unreachable and Timeout.
func (k *Keeper) Dial(ctx context.Context, o ChannelOptions) (*Conn, error) {
	started := time.Now()
	c, err := k.dial(ctx, o)
	k.s.trace(EventDial, err, time.Since(started))
	return c, err
}

func (k *Keeper) dial(ctx context.Context, o ChannelOptions) (*Conn, error) {
	d := &keptDial{k: k, o: o, begun: time.Now()}
	call, err := d.next(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(k.id, k.s.cfg.Self, call.carrier, k.s.cfg.principal(), call.remote)
	c.abort, c.room = d.abort, earlyRoom(k.o.Capability, nil)
	if err := k.s.dialled(c); err != nil {
		d.leave()
		call.carrier.drop()
		return nil, err
	}
	forget := c.onClose
	c.onClose = func() { d.leave(); forget() }
	if d.secure {
		if err := d.settle(ctx, c, call); err != nil {
			c.Reset()
			return nil, err
		}
		return c, nil
	}
	if !k.s.spawn(func(ctx context.Context) { _ = d.settle(ctx, c, call) }) {
		c.Reset()
		return nil, errClosed()
	}
	return c, nil
}

// keptDial is one Dial of a Keeper.
type keptDial struct {
	// Fixed after Dial.
	k     *Keeper
	o     ChannelOptions
	begun time.Time

	// Owned by whoever dials.
	secure bool
	over   []*keptBinder          // which have refused, or said nothing
	failed []reach.Path           // on which nothing could be opened
	seen   map[*keptBinder]uint64 // tries of those that are waited for
	lost   int                    // times that a binder was lost before it answered
	round  uint64                 // of resolving, that must end before it gives up; 0 while none
	why    error                  // the last failure at a binder
	doubt  bool                   // a failure was such that others may serve the pipe

	// Guarded by k.mu.
	at      *keptBinder // whose channel it is; nil for none
	aborted bool
	cancel  func()      // ends the waiting
	minding *time.Timer // nil unless there are other binders
}

// next opens a carrier to the next binder, and sends Open.
func (d *keptDial) next(ctx context.Context) (*call, error) {
	for {
		if ctx.Err() != nil {
			return nil, d.ended(ctx.Err())
		}
		b, found, path, wait, err := d.pick()
		switch {
		case err != nil:
			return nil, err
		case b == nil:
			if err := d.rest(ctx, wait); err != nil {
				return nil, err
			}
			continue
		}
		call, err := d.open(ctx, b, found, path)
		if err == nil {
			return call, nil
		}
		d.leave()
		d.why, d.doubt = err, true
		if wire.CodeOf(err) == wire.Limit {
			return nil, err // no other way leads past it
		}
		d.failed = append(d.failed, path)
	}
}

// rest waits for a change, as long as there is time for an answer.
func (d *keptDial) rest(ctx context.Context, change <-chan struct{}) error {
	late := time.NewTimer(time.Until(d.begun.Add(d.k.s.cfg.Limits.OpenTimeout)))
	defer late.Stop()
	select {
	case <-change:
		return nil
	case <-late.C:
		return d.ended(wire.Timeout)
	case <-ctx.Done():
		return d.ended(ctx.Err())
	case <-d.k.ctx.Done():
		return errClosed()
	}
}

// ended says what was waited for when there was no more time.
func (d *keptDial) ended(why error) error {
	if d.why != nil {
		return d.why
	}
	return wire.Errorf(wire.CodeOf(why), "no binder of pipe %s could be reached in time: %w", d.k.id, why)
}

// open opens a carrier to a binder, and sends Open.
func (d *keptDial) open(ctx context.Context, b *keptBinder, f candidate, path reach.Path) (*call, error) {
	s := d.k.s
	var c carrier
	var err error
	switch o := (streamOptions{way: d.k.way, grace: d.k.o.Grace, lasting: true, late: !d.secure}); {
	case path.IsZero():
		c, _, err = s.openLocal()
	case f.raw:
		c, err = s.openRaw(ctx, path, o)
	default:
		c, err = s.openLink(ctx, path, o)
	}
	if err != nil {
		return nil, err
	}
	return s.sendOpen(c, f, &pb.Open{
		Pipe: d.k.id.Bytes(), Capability: d.k.o.Capability, Term: f.Binding.Term, Hops: uint32(d.o.Hops),
	})
}
