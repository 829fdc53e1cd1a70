package pipe

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// bindTries is how often a bind starts over at a higher number.
const bindTries = 4

// bindPause is a quarter of the longest rest before the third try.
const bindPause = 25 * time.Millisecond

// Listen binds a pipe and serves it until the Listener is closed. It returns
// when five of the nodes closest to the pipe's key, or all there are, hold the
// binding; alone, this node holds it itself. A binder that it displaces has
// acknowledged that by then, or was silent for two seconds.
//
// Errors: Unknown when the pipe's advertisement is nowhere to be found,
// Forbidden and Expired without the right to bind, Taken when this node or a
// binder of a higher term serves it, Unsupported when this node is on none of
// its transports.
func (s *Service) Listen(ctx context.Context, id ID, o ListenOptions) (*Listener, error) {
	adv, err := s.advertisementFor(ctx, id, o)
	if err != nil {
		return nil, err
	}
	l, err := s.newListener(id, adv, o)
	if err != nil {
		return nil, err
	}
	if err := s.register(l); err != nil {
		l.dropList()
		return nil, err
	}
	p, err := (*publication)(nil), l.permitted()
	if err == nil {
		p, err = l.bind(ctx, o.Term)
	}
	if err == nil {
		l.stands()
	}
	if err == nil && !s.spawn(func(ctx context.Context) { l.keep(ctx, p) }) {
		err = errClosed()
	}
	if err != nil {
		l.abandon(err)
		return nil, err
	}
	return l, nil
}

// abandon ends a listener whose bind failed, and takes back what was published.
func (l *Listener) abandon(why error) {
	l.end(why)
	if signed := l.Status().Binding.Seq > 0; signed && wire.CodeOf(why) != wire.Taken {
		l.s.spawn(func(ctx context.Context) { l.withdraw(ctx) })
	}
}

// newListener checks the right to bind and makes a Listener that serves nothing yet.
func (s *Service) newListener(id ID, adv Advertisement, o ListenOptions) (*Listener, error) {
	if o.Life == 0 {
		o.Life = DefaultLife
	}
	if o.Life < MinLife || o.Life > MaxLife {
		return nil, wire.Errorf(wire.BadRequest, "life of a binding: %s, expected %s to %s", o.Life, MinLife, MaxLife)
	}
	if o.Term > MaxNumber {
		return nil, wire.Errorf(wire.BadRequest, "term %d is above %d", o.Term, uint64(MaxNumber))
	}
	if adv.Type == TypePropagate {
		return nil, wire.Errorf(wire.Unsupported, "propagate pipes are not in this version")
	}
	if o.Backlog <= 0 {
		o.Backlog = s.cfg.Limits.Backlog
	}
	l := &Listener{
		s: s, pipe: id, advertisement: adv, life: o.Life, raw: o.Raw, grace: o.Grace, handler: o.Handler,
		as: o.As, relayedOnly: o.RelayedOnly,
		incoming: make(chan *Conn, o.Backlog), waiting: newShares(o.Backlog, 0), next: make(chan *publication, 1),
		replaced: make(chan struct{}), over: make(chan struct{}), withdrawn: make(chan struct{}),
	}
	back := wayOf(id, adv, DialOptions{})
	back.accepted = true
	l.back, l.fits = back, func(p reach.Path) bool { return adv.Allows(p.Transport()) }
	if err := l.authorise(o); err != nil {
		return nil, err
	}
	l.SetAllow(o.Allow, o.AllowAnyone)
	return l, nil
}

// numbers are what a record of a bind is signed with.
type numbers struct{ term, seq uint64 }

// bind signs and publishes until the binding stands, raising its numbers above
// what holders show where that is allowed.
func (l *Listener) bind(ctx context.Context, term uint64) (*publication, error) {
	term, err := l.firstTerm(ctx, term)
	if err != nil {
		return nil, err
	}
	n := numbers{term: term}
	for try := range bindTries {
		if err := l.rest(ctx, try); err != nil {
			return nil, err
		}
		p, o, err := l.attempt(ctx, n)
		if err != nil || o == nil {
			return p, err
		}
		again := !l.auto && l.disproved(ctx, p, o.binding)
		p.stop()
		if again {
			continue
		}
		if n, err = l.overcome(n, o.binding); err != nil {
			return nil, err
		}
	}
	return nil, wire.Errorf(wire.Taken, "pipe %s is being bound elsewhere at the same time", l.pipe).WithNext("try again")
}

// attempt publishes one record and waits until it is safe, or somebody shows
// what is in its way.
func (l *Listener) attempt(ctx context.Context, n numbers) (*publication, *obstacle, error) {
	r, err := l.sign(ctx, n.term, n.seq, false)
	if err != nil {
		return nil, nil, err
	}
	p := l.s.newPublication(ctx, r, publishTime)
	p.auto, p.heard = l.auto, &l.heard
	p.walk(func(int, error) {})
	o, err := l.settled(ctx, p)
	if err != nil {
		p.stop()
		return nil, nil, err
	}
	return p, o, nil
}

// overcome raises the numbers above those of a binding that is in the way, as
// far as this node may.
func (l *Listener) overcome(n numbers, by Binding) (numbers, error) {
	if by.Binder == l.s.cfg.principal() {
		n.seq = by.Seq + 1 // of an earlier life of this node
		if l.auto {
			n.term = max(n.term, by.Term)
		}
		return n, nil
	}
	if !l.auto {
		return n, l.taken(by)
	}
	term, err := l.above(by)
	return numbers{term: term, seq: n.seq}, err
}

// rest lets a moment pass, by chance, before a bind starts over for the second
// time: whoever binds at the same time must not stay in step.
func (l *Listener) rest(ctx context.Context, try int) error {
	if try < 2 {
		return nil
	}
	moment := time.NewTimer(rand.N(bindPause << try))
	defer moment.Stop()
	select {
	case <-moment.C:
		return nil
	case <-l.over:
		return l.failure()
	case <-ctx.Done():
		return wire.Errorf(wire.CodeOf(ctx.Err()), "binding pipe %s: %w", l.pipe, ctx.Err())
	}
}

// settled waits until the record is safe, or is in somebody's way.
func (l *Listener) settled(ctx context.Context, p *publication) (*obstacle, error) {
	select {
	case <-p.done:
	case <-p.blocked:
	case <-p.over:
	case <-l.over:
		return nil, l.failure()
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(ctx.Err()), "binding pipe %s: %w", l.pipe, ctx.Err())
	}
	if o := p.obstacle(); o != nil {
		return o, nil
	}
	if isClosed(l.over) {
		return nil, l.failure()
	}
	l.mu.Lock()
	l.holders = p.copies()
	l.mu.Unlock()
	if err := p.result(); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "binding pipe %s: %w", l.pipe, err)
	}
	return nil, nil
}
