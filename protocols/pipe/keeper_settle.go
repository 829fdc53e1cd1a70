package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// mindAfter is how long a binder may have been without a path before a call is
// given up for another, and how often that is looked at.
const mindAfter = time.Second

// settle sees the connection through: whoever refuses is followed by the next.
func (d *keptDial) settle(ctx context.Context, c *Conn, call *call) error {
	for {
		err := d.answer(call)
		if err == nil {
			d.prefer()
			c.settle(call.remote, nil)
			return nil
		}
		call.carrier.drop()
		if wire.CodeOf(err) == wire.Reset { // it had accepted: what was written may have had its effect
			c.settle(call.remote, err)
			return err
		}
		d.refused(call, err)
		next, err := d.another(ctx)
		if err != nil {
			c.settle(call.remote, err)
			return err
		}
		call = next
		c.swap(call.carrier, call.remote)
	}
}

// answer reads what the binder says.
func (d *keptDial) answer(call *call) error {
	defer d.mind(call)()
	moved, err := call.reply(d.k.s, d.secure, false)
	if wire.CodeOf(err) == wire.Moved {
		if _, ok := d.k.s.movedTo(d.k.id, moved, call.to.Found); !ok {
			return call.movedNowhere()
		}
	}
	return err
}

// mind has a call given up when its binder seems to have died and another is
// there, until stopped. Not before: a link goes on where it was when its path
// comes back, while another binder gets for a second time what this one may have
// taken already.
func (d *keptDial) mind(call *call) (stop func()) {
	k := d.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.binders) < 2 {
		return func() {}
	}
	d.minding = time.AfterFunc(mindAfter, func() {
		k.mu.Lock()
		if d.minding == nil { // stopped just now
			k.mu.Unlock()
			return
		}
		others := slices.ContainsFunc(k.binders, func(b *keptBinder) bool {
			_, ok := b.usableLocked()
			return ok && b != d.at && !slices.Contains(d.over, b)
		})
		since := call.carrier.waiting()
		dead := d.at != nil && !d.at.up || !since.IsZero() && time.Since(since) >= mindAfter
		if !dead || !others {
			d.minding.Reset(mindAfter)
		}
		k.mu.Unlock()
		if dead && others {
			call.carrier.resetWith(wire.Unreachable, "another binder is dialled instead")
		}
	})
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		d.minding.Stop()
		d.minding = nil
	}
}

// another finds the next binder for a connection, unless it was reset.
func (d *keptDial) another(ctx context.Context) (*call, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.k.mu.Lock()
	d.cancel = cancel
	if d.aborted {
		cancel()
	}
	d.k.mu.Unlock()
	return d.next(ctx)
}

// abort ends a connection that is still opening, whose carrier is dropped.
func (d *keptDial) abort() {
	d.k.mu.Lock()
	defer d.k.mu.Unlock()
	d.aborted = true
	if d.cancel != nil {
		d.cancel()
	}
}
