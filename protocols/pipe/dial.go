package pipe

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	maxHops     = 3               // times that one dial follows a pipe that has moved
	openingTime = 2 * time.Minute // the longest that an early connection looks for who accepts it
)

// Dial connects to a binder of the pipe: the last that worked, or the next,
// until one accepts. A record that turns out stale is looked up afresh, and a
// pipe that has moved is followed.
//
// On a unicast pipe Dial returns as soon as there is a path: what is
// written flies behind the question whether the far side accepts, and is sent
// again should the pipe turn out to be served elsewhere. A refusal is told by
// Read and Opened then. A secure pipe has accepted when Dial returns.
//
// With Wait, refusals and silence that a binder who comes later would cure are
// waited for as well: the pipe is resolved and dialled again until the time is
// over.
//
// Errors are those of Resolve, or a *DialError with every attempt.
func (s *Service) Dial(ctx context.Context, id ID, o DialOptions) (*Conn, error) {
	started := time.Now()
	c, err := s.dial(ctx, id, o)
	s.trace(EventDial, err, time.Since(started))
	return c, err
}

func (s *Service) dial(ctx context.Context, id ID, o DialOptions) (*Conn, error) {
	if o.As != nil {
		log, err := s.speakAs(o.As)
		if err != nil {
			return nil, err
		}
		o.As = log
	}
	d := newDialing(s, id, o)
	if err := d.resolve(ctx, o.Wait, false); err != nil {
		return nil, err
	}
	if d.advertisement.Type == TypePropagate {
		return nil, wire.Errorf(wire.Unsupported, "propagate pipes are not in this version")
	}
	if d.advertisement.Type == TypeUnicast && !o.accepted {
		return d.early(ctx)
	}
	call, err := d.established(ctx)
	d.release()
	if err != nil {
		return nil, err
	}
	c := newConn(id, s.cfg.Self, call.carrier, d.local(), call.remote)
	if err := s.dialled(c); err != nil {
		call.carrier.drop()
		return nil, err
	}
	c.settle(call.remote, nil)
	return c, nil
}

// early returns a connection that is still opening, and lets a task see to it.
func (d *dialing) early(ctx context.Context) (*Conn, error) {
	first, err := d.next(ctx)
	if err != nil {
		d.release()
		return nil, err
	}
	opening, abort := d.s.beyond(ctx, openingTime+d.o.Wait)
	c := newConn(d.id, d.s.cfg.Self, first.carrier, d.local(), first.remote)
	c.abort, c.room = abort, earlyRoom(d.o.Capability, d.o.As)
	if err := d.s.dialled(c); err != nil {
		first.carrier.drop()
		abort()
		d.release()
		return nil, err
	}
	if !d.s.spawn(func(context.Context) { defer abort(); d.open(opening, c, first) }) {
		abort()
		d.release()
		c.Reset()
		return nil, errClosed()
	}
	return c, nil
}

// open sees an early connection through: whoever refuses is followed by the
// next candidate, which gets all that was written so far.
func (d *dialing) open(ctx context.Context, c *Conn, call *call) {
	defer d.release()
	for {
		err := d.accepted(ctx, call)
		if err == nil {
			c.settle(call.remote, nil)
			return
		}
		again, nextErr := d.next(ctx)
		if nextErr != nil {
			c.settle(call.remote, nextErr)
			return
		}
		call = again
		c.swap(call.carrier, call.remote)
	}
}

// established goes through the candidates until one has accepted.
func (d *dialing) established(ctx context.Context) (*call, error) {
	for {
		call, err := d.next(ctx)
		if err != nil {
			return nil, err
		}
		if d.accepted(ctx, call) == nil {
			return call, nil
		}
	}
}

// dialing is one Dial: candidates, and what became of each.
type dialing struct {
	s  *Service
	id ID
	o  DialOptions

	advertisement Advertisement
	queue         []candidate
	tried         map[string]bool // envelopes
	hops          int
	searching     sync.Once // guards the three below
	search        *search   // beyond what was at hand; nil before
	wake          chan struct{}
	unwatch       func()
	resolveErr    error
	until         time.Time       // to wait so long for a binder; zero: not at all
	pause         backoff.BackOff // between rounds of resolving and dialling; nil in the first
	woken         time.Time       // when news last ended a pause
	attempts      []Attempt       // of this round
	decisive      error           // the last refusal by a binder that was reached
}

func newDialing(s *Service, id ID, o DialOptions) *dialing {
	d := &dialing{s: s, id: id, o: o, tried: make(map[string]bool)}
	if o.Wait > 0 && !o.probe {
		d.until = time.Now().Add(o.Wait)
	}
	return d
}

// candidate is a binding to be dialled.
type candidate struct {
	Found
	patient bool // it was given up once, to try the others
	again   bool // it was lost with its path once
	raw     bool // it takes raw streams alone
}

// Why a try of a candidate is ended early.
var (
	errPatience   = wire.Errorf(wire.Timeout, "no answer within %s, another binder is tried", patience)
	errSuperseded = wire.Errorf(wire.Moved, "a newer record says otherwise")
)

// later puts a candidate that was given up for the others behind them.
func (d *dialing) later(tried context.Context, f candidate) {
	if context.Cause(tried) == error(errPatience) {
		f.patient = true
		d.queue = append(d.queue, f)
	}
}

// anew puts a candidate in front again, once, that was lost with the path to it:
// the path may have been dead for long, and the binder is well. So it does with
// one that takes no link.
func (d *dialing) anew(c *call, err error) {
	if err == error(errRaw) {
		c.to.raw = true
		d.queue = append([]candidate{c.to}, d.queue...)
		return
	}
	path := c.carrier.path
	lost := wire.CodeOf(err) == wire.Unreachable // the link may hear of it before the path does
	if !c.to.again && !path.IsZero() && (lost || !path.Live()) {
		c.to.again = true
		d.queue = append([]candidate{c.to}, d.queue...)
	}
}

// call is a carrier on which Open has been sent.
type call struct {
	carrier  carrier
	to       candidate
	remote   identity.Principal // the binder, or on a secure pipe the account that it speaks for
	shake    Handshake
	answered bool // by an OpenReply
}

// resolve fills the queue, in the order in which binders are to be tried.
func (d *dialing) resolve(ctx context.Context, wait time.Duration, fresh bool) error {
	r, err := d.s.Resolve(ctx, d.id, ResolveOptions{
		Transport: d.o.Transport, NoCache: d.o.NoCache, Wait: wait, Fresh: fresh, Binders: d.o.Binders,
	})
	if err != nil {
		return err
	}
	if r.Asked == 0 && !r.own(d.s.cfg.principal()) {
		d.s.confirm(ctx, d.id)
	}
	d.advertisement = r.Advertisement
	d.enqueue(d.ordered(r.Bindings)...)
	return nil
}

func (d *dialing) enqueue(all ...Found) {
	for _, f := range all {
		if !d.tried[string(f.Envelope)] {
			d.tried[string(f.Envelope)] = true
			d.queue = append(d.queue, candidate{Found: f})
		}
	}
}

// next returns the next candidate that could be reached, with Open sent. When
// all have failed, the overlay is asked for what is newer until it has no more;
// then, while there is time to wait, all begins anew.
func (d *dialing) next(ctx context.Context) (*call, error) {
	for {
		for len(d.queue) > 0 {
			f := d.queue[0]
			d.queue = d.queue[1:]
			if call, err := d.call(ctx, f); err == nil {
				return call, nil
			}
			if ctx.Err() != nil {
				return nil, d.failure(ctx.Err())
			}
		}
		if !d.more(ctx) && !d.again(ctx) {
			return nil, d.failure(ctx.Err())
		}
	}
}

// failure tells why nobody could be reached: what a binder itself said counts
// most, then that nobody serves the pipe, then what the paths failed of.
func (d *dialing) failure(ended error) error {
	err := ended
	for _, why := range []error{d.decisive, d.resolveErr} {
		if err == nil {
			err = why
		}
	}
	if err == nil {
		err = wire.Errorf(wire.Unreachable, "no binder of the pipe could be reached")
	}
	if next := d.advice(wire.CodeOf(err)); wire.NextOf(err) == "" && next != "" {
		err = wire.Errorf(wire.CodeOf(err), "%w", err).WithNext("%s", next)
	}
	return &DialError{Pipe: d.id, Attempts: d.attempts, Err: err}
}

// note adds what became of a candidate that was reached.
func (d *dialing) note(err error) {
	if n := len(d.attempts); n > 0 {
		a := &d.attempts[n-1]
		a.Err, a.Took = err, time.Since(a.Started)
	}
	if code := wire.CodeOf(err); err != error(errRaw) && code != wire.Timeout && code != wire.Unreachable && !errors.Is(err, context.Canceled) {
		d.decisive = err
	}
}
