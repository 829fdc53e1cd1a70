package call

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Options say what is called for.
type Options struct {
	Kind  buddy.Kind
	Topic string // at most buddy.MaxTopic bytes of one line
	// Ringing is told of each device on which a person is asked. It must not
	// block. May be nil.
	Ringing func(device peer.ID)
}

// leg is what became of the call on one device: a line, if it answered, else
// why not.
type leg struct {
	device peer.ID
	line   Line
	err    error
}

// Call calls an account on all of its devices that are there, and returns the
// session with the first that answers; the others stop ringing. ctx bounds the
// ringing, which takes 70 s at most. Errors: those of Reach; Refused when a
// person said no; Busy; Timeout when nobody answered; Unsupported when no
// application serves the topic; Unreachable.
func (c *Calls) Call(ctx context.Context, account identity.Principal, o Options) (*Session, error) {
	offer := buddy.Offer{Session: buddy.NewSessionID(), Kind: o.Kind, Topic: o.Topic}
	if err := offer.Check(); err != nil {
		return nil, err
	}
	devices, err := c.cfg.Reach(account)
	if err != nil {
		return nil, err
	}
	ctx, patience := context.WithTimeoutCause(ctx, waitTime, errMissed)
	defer patience()
	ctx, cancel, done, err := c.cancellable(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	legs := make(chan leg, len(devices))
	for _, device := range devices {
		c.tasks.Go(func() {
			line, err := c.ring(ctx, account, device, offer, o.Ringing)
			legs <- leg{device, line, err}
		})
	}
	won, left, err := first(legs, len(devices))
	if err == nil {
		err = say(won.line, buddy.Say{Word: buddy.Go})
	}
	if err == nil {
		cancel(errTaken)
	} else {
		cancel(errCancel)
	}
	c.tasks.Go(func() { refuse(ctx, legs, left) })
	if err != nil {
		return nil, err
	}
	s := c.begin(Info{ID: offer.Session, Kind: o.Kind, Topic: o.Topic, Account: account, Device: won.device, Mine: true}, won.line)
	if s == nil {
		return nil, errClosed
	}
	return s, nil
}

// cancellable is a context that Close ends too; Close waits for done.
func (c *Calls) cancellable(ctx context.Context) (_ context.Context, cancel context.CancelCauseFunc, done func(), err error) {
	ctx, cancel = context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		cancel(errClosed)
		return nil, nil, nil, errClosed
	}
	c.cancels[&cancel] = true
	c.tasks.Add(1)
	return ctx, cancel, func() {
		c.mu.Lock()
		delete(c.cancels, &cancel)
		c.mu.Unlock()
		c.tasks.Done()
	}, nil
}

// first returns the first leg that has answered, and how many have yet to end. A
// person who says no says it for all devices.
func first(legs <-chan leg, n int) (won leg, left int, err error) {
	for left = n; left > 0; {
		l := <-legs
		left--
		if l.err == nil {
			return l, left, nil
		}
		if rank(l.err) > rank(err) {
			err = l.err
		}
		if wire.CodeOf(l.err) == wire.Refused {
			break
		}
	}
	return leg{}, left, err
}

// rank orders the reasons of legs by how much they tell.
func rank(err error) int {
	if err == nil {
		return 0
	}
	switch wire.CodeOf(err) {
	case wire.Refused:
		return 5
	case wire.Busy:
		return 4
	case wire.Timeout:
		return 3
	case wire.Unsupported:
		return 2
	}
	return 1
}

// refuse ends the legs that answer after ctx is over.
func refuse(ctx context.Context, legs <-chan leg, left int) {
	for range left {
		if l := <-legs; l.line != nil {
			farewell(ctx, l.line)
		}
	}
}

// farewell tells a device why nobody needs to answer there any more: ctx is over.
func farewell(ctx context.Context, l Line) {
	word := buddy.Cancel
	if context.Cause(ctx) == errTaken {
		word = buddy.Taken
	}
	finish(l, buddy.Say{Word: word})
}

// ring offers the call to one device, and returns its line once it has answered.
func (c *Calls) ring(ctx context.Context, account identity.Principal, device peer.ID, o buddy.Offer, ringing func(peer.ID)) (Line, error) {
	line, err := c.cfg.Dial(ctx, account, device)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = line.SetReadDeadline(time.Now()) })
	defer stop()
	_ = line.SetWriteDeadline(time.Now().Add(sayTime))
	err = buddy.WriteOffer(line, o)
	for err == nil {
		var s buddy.Say
		if s, err = buddy.ReadSay(line); err != nil {
			break
		}
		switch s.Word {
		case buddy.Ringing:
			if ringing != nil {
				ringing(device)
			}
			continue
		case buddy.Answered:
			if stop() {
				return line, nil
			} // else too late, and ctx is over
		}
		err = refusal(s)
	}
	if ctx.Err() == nil {
		line.ResetWith(wire.CodeOf(err), "")
		return nil, err
	}
	farewell(ctx, line)
	why := context.Cause(ctx)
	return nil, wire.Errorf(wire.CodeOf(why), "call: %w", why)
}

// refusal is why a device does not take the call.
func refusal(s buddy.Say) error {
	switch s.Word {
	case buddy.No:
		if s.Reason != "" {
			return wire.Errorf(wire.Refused, "the call was declined: %s", s.Reason)
		}
		return wire.Errorf(wire.Refused, "the call was declined")
	case buddy.Missed:
		return errMissed
	case buddy.Busy:
		return wire.Errorf(wire.Busy, "too many calls ring there")
	case buddy.Nobody:
		return wire.Errorf(wire.Unsupported, "no application there serves this topic")
	}
	return wire.Errorf(wire.BadRequest, "call: the far side says %d out of turn", s.Word)
}

func say(l Line, s buddy.Say) error {
	_ = l.SetWriteDeadline(time.Now().Add(sayTime))
	return buddy.WriteSay(l, s)
}
