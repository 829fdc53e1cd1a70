package call

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ring is a call that waits for a person here.
type ring struct {
	info    Info
	answer  chan chan<- outcome // somebody wants it
	stopped chan error          // why it is over; the first counts
}

type outcome struct {
	session *Session
	err     error
}

// stop ends a ring, unless it is over.
func (r *ring) stop(why error) {
	select {
	case r.stopped <- why:
	default:
	}
}

// Take has a line that another device has dialled for a call, and returns when
// it is answered or over.
func (c *Calls) Take(account identity.Principal, device peer.ID, l Line) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.tasks.Add(1)
		defer c.tasks.Done()
	}
	c.mu.Unlock()
	if closed {
		l.ResetWith(wire.Closed, "the device goes offline")
		return
	}
	_ = l.SetDeadline(time.Now().Add(sayTime))
	o, err := buddy.ReadOffer(l)
	if err != nil {
		l.ResetWith(wire.CodeOf(err), err.Error())
		return
	}
	info := Info{ID: o.Session, Kind: o.Kind, Topic: o.Topic, Account: account, Device: device, Since: c.cfg.Now()}
	if o.Kind == buddy.Data {
		c.serve(info, l)
		return
	}
	c.ask(info, l)
}

// serve has a data session handled by the application that serves its topic.
func (c *Calls) serve(info Info, l Line) {
	c.mu.Lock()
	f := c.topics[info.Topic]
	c.mu.Unlock()
	if f == nil {
		finish(l, buddy.Say{Word: buddy.Nobody})
		return
	}
	if err := say(l, buddy.Say{Word: buddy.Answered}); err != nil {
		l.ResetWith(wire.CodeOf(err), "")
		return
	}
	_ = l.SetReadDeadline(time.Now().Add(sayTime))
	if err := hear(l); err != nil {
		l.ResetWith(wire.CodeOf(err), "")
		return
	}
	if s := c.begin(info, l); s != nil {
		f(s)
	}
}

// hear reads the one word that the dialer says, nil for GO.
func hear(l Line) error {
	s, err := buddy.ReadSay(l)
	if err != nil {
		return err
	}
	return verdict(s)
}

// verdict is what a word of the dialer means here.
func verdict(s buddy.Say) error {
	switch s.Word {
	case buddy.Go:
		return nil
	case buddy.Taken:
		return errTaken
	case buddy.Cancel:
		return errCancel
	}
	return wire.Errorf(wire.BadRequest, "call: the far side says %d out of turn", s.Word)
}

// ask lets a call ring until a person, or the far side, has decided.
func (c *Calls) ask(info Info, l Line) {
	r := &ring{info: info, answer: make(chan chan<- outcome), stopped: make(chan error, 1)}
	if err := c.admit(r); err != nil {
		finish(l, buddy.Say{Word: buddy.Busy})
		return
	}
	heard := make(chan error, 1)
	_ = l.SetReadDeadline(time.Time{})
	var reading sync.WaitGroup
	reading.Go(func() { heard <- hear(l) })
	defer reading.Wait()
	err := say(l, buddy.Say{Word: buddy.Ringing})
	if err == nil {
		c.tell(Event{Kind: Rings, Info: info})
		err = c.await(r, l, heard)
	}
	c.dismiss(r, err)
	c.tell(Event{Kind: Stopped, Info: info, Err: err})
	switch {
	case err == nil:
		return // the session has the line
	case err == errMissed:
		finish(l, buddy.Say{Word: buddy.Missed})
	case wire.CodeOf(err) == wire.Refused:
		finish(l, buddy.Say{Word: buddy.No})
	default:
		l.ResetWith(wire.CodeOf(err), "")
	}
}

// await returns nil once the call was answered here, and else why it was not.
func (c *Calls) await(r *ring, l Line, heard <-chan error) error {
	patience := time.NewTimer(RingTime)
	defer patience.Stop()
	select {
	case err := <-heard:
		if err == nil {
			err = wire.Errorf(wire.BadRequest, "call: GO without an answer")
		}
		return err
	case why := <-r.stopped:
		return why
	case <-patience.C:
		return errMissed
	case reply := <-r.answer:
		_ = l.SetReadDeadline(time.Now().Add(sayTime))
		failed := say(l, buddy.Say{Word: buddy.Answered})
		err := <-heard // what the far side has said counts, also if it does not listen any more
		if err == nil {
			err = failed
		}
		var s *Session
		if err == nil {
			if s = c.begin(r.info, l); s == nil {
				err = errClosed
			}
		}
		reply <- outcome{s, err}
		return err
	}
}

// admit lets a call ring, if there is room.
func (c *Calls) admit(r *ring) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := 0
	for _, other := range c.rings {
		if other.info.Account == r.info.Account {
			of++
		}
	}
	if c.rings[r.info.ID] != nil || len(c.rings) >= maxRings || of >= maxRingsOf {
		return wire.Errorf(wire.Busy, "too many calls ring")
	}
	if c.closed {
		return errClosed
	}
	c.rings[r.info.ID] = r
	return nil
}

// dismiss ends a ring. Whoever is about to answer hears why.
func (c *Calls) dismiss(r *ring, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rings, r.info.ID)
	if why == nil {
		why = errHere
	}
	r.stop(why)
}

// Answer takes a call that rings here. Errors: Unknown where it does not ring
// (any more), Taken when it was answered elsewhere first, Closed when it was
// taken back.
func (c *Calls) Answer(ctx context.Context, id buddy.SessionID) (*Session, error) {
	r, err := c.ringing(id)
	if err != nil {
		return nil, err
	}
	reply := make(chan outcome, 1)
	select {
	case r.answer <- reply:
	case why := <-r.stopped:
		r.stop(why) // others wait for it too
		return nil, wire.Errorf(wire.CodeOf(why), "call %s rings no more: %w", id, why)
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(ctx.Err()), "answer: %w", ctx.Err())
	}
	o := <-reply
	return o.session, o.err
}

// Decline says no to a call, on behalf of all devices. Unknown where it does not
// ring.
func (c *Calls) Decline(id buddy.SessionID) error {
	r, err := c.ringing(id)
	if err != nil {
		return err
	}
	r.stop(wire.Errorf(wire.Refused, "the call was declined"))
	return nil
}

func (c *Calls) ringing(id buddy.SessionID) (*ring, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rings[id]; r != nil {
		return r, nil
	}
	return nil, wire.Errorf(wire.Unknown, "no call %s rings here", id)
}

// finish says a last word, which is still delivered.
func finish(l Line, s buddy.Say) {
	if err := say(l, s); err != nil {
		l.ResetWith(wire.CodeOf(err), "")
		return
	}
	_ = l.Close()
}
