package pipe

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// bindTries is how often a bind starts over at a higher number.
const bindTries = 4

// bindPause is a quarter of the longest rest before the third try.
const bindPause = 25 * time.Millisecond

// revokedTime is how long a bind that is refused goes on asking, at most,
// whether what is in its way is revoked.
const revokedTime = 2 * time.Second

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
	if adv.Type == TypePropagate {
		return nil, wire.Errorf(wire.Unsupported, "propagate pipes are not in this version")
	}
	if o.Backlog <= 0 {
		o.Backlog = s.cfg.Limits.Backlog
	}
	l := &Listener{
		s: s, pipe: id, advertisement: adv, life: o.Life, raw: o.Raw, grace: o.Grace,
		incoming: make(chan *Conn, o.Backlog), waiting: newShares(o.Backlog, 0), next: make(chan *publication, 1),
		replaced: make(chan struct{}), over: make(chan struct{}), withdrawn: make(chan struct{}),
	}
	l.SetAllow(o.Allow)
	if adv.Owner == s.cfg.principal() {
		l.auto = adv.Binders == Exclusive && o.Term == 0
		return l, nil
	}
	grant, err := s.bindRight(id, adv, o.Capability)
	if err != nil {
		return nil, err
	}
	l.capability, l.grant = o.Capability, grant
	return l, nil
}

// bindRight checks a capability to bind.
func (s *Service) bindRight(id ID, adv Advertisement, capability []byte) (identity.Capability, error) {
	self := s.cfg.principal()
	next := func(e *wire.Error) error {
		return e.WithNext("ask the owner to run: panpipe pipe grant %s --bind --to %s", id, self)
	}
	if len(capability) == 0 {
		return identity.Capability{}, next(wire.Errorf(wire.Forbidden, "pipe %s belongs to %s", id, adv.Owner))
	}
	c, err := identity.OpenCapability(capability)
	if err != nil {
		return c, err
	}
	if c.Issuer != adv.Owner {
		return c, next(wire.Errorf(wire.Forbidden, "capability is from %s, but pipe %s belongs to %s", c.Issuer, id, adv.Owner))
	}
	if err := c.Permit(self, identity.RightBind, id.Bytes(), time.Now()); err != nil {
		return c, next(wire.Errorf(wire.CodeOf(err), "%w", err))
	}
	if s.revoked.revokes(id, c) {
		return c, next(wire.Errorf(wire.Forbidden, "capability is revoked"))
	}
	return c, nil
}

// bind signs and publishes until the binding stands, raising its numbers above
// what holders show where that is allowed.
func (l *Listener) bind(ctx context.Context, term uint64) (*publication, error) {
	term, err := l.firstTerm(ctx, term)
	if err != nil {
		return nil, err
	}
	seq := uint64(0)
	for try := range bindTries {
		if err := l.rest(ctx, try); err != nil {
			return nil, err
		}
		r, err := l.sign(ctx, term, seq, false)
		if err != nil {
			return nil, err
		}
		p := l.s.newPublication(ctx, r, publishTime)
		p.auto, p.heard = l.auto, &l.heard
		p.walk(func(int, error) {})
		o, err := l.settled(ctx, p)
		if err != nil {
			p.stop()
			return nil, err
		}
		if o == nil {
			return p, nil
		}
		again := !l.auto && l.disproved(ctx, p, o.binding)
		p.stop()
		if again {
			continue
		}
		if o.binding.Binder == r.Binding.Binder {
			seq = o.binding.Seq + 1 // of an earlier life of this node
			if l.auto {
				term = max(term, o.binding.Term)
			}
			continue
		}
		if !l.auto {
			return nil, l.taken(o.binding)
		}
		if o.binding.Term == MaxNumber {
			return nil, l.noHigherTerm(o.binding)
		}
		term = o.binding.Term + 1
	}
	return nil, wire.Errorf(wire.Taken, "pipe %s is being bound elsewhere at the same time", l.pipe).WithNext("try again")
}

// disproved reports that a binding that a holder shows rests on a capability
// that others know to be revoked: a holder that has not heard of that yet, or
// lies, may be the first to answer. The rest of the publication tells.
func (l *Listener) disproved(ctx context.Context, p *publication, b Binding) bool {
	if _, granted := b.Grant(); !granted || b.Binder == l.s.cfg.principal() {
		return false
	}
	enough := time.NewTimer(revokedTime)
	defer enough.Stop()
	select {
	case <-p.over:
	case <-enough.C:
	case <-l.over:
	case <-ctx.Done():
	}
	return l.s.revoked.voids(b)
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

// firstTerm is the capability's, or what the owner asks for, or the highest
// that this node has bound itself, or one above the highest of another binder.
func (l *Listener) firstTerm(ctx context.Context, asked uint64) (uint64, error) {
	switch {
	case l.advertisement.Binders != Exclusive:
		return l.grant.Term, nil
	case l.capability != nil:
		return l.grant.Term, nil
	case asked > 0:
		return asked, nil
	}
	st, err := l.s.cfg.Store.State(ctx, l.pipe)
	if err != nil {
		return 0, err
	}
	term := st.Term
	if st.Successor != nil {
		term++
	} else if term, err = l.belowGrant(ctx, term); err != nil {
		return 0, err
	}
	k := l.s.cache.records(l.pipe)
	for _, f := range k.records {
		if f.Binding.Binder != l.s.cfg.principal() {
			term = max(term, f.Binding.Term+1)
		}
	}
	return min(max(term, k.highestTerm(), 1), MaxNumber), nil // who has that one is told by the holders
}

// belowGrant takes one off a term that this node has granted and that nobody is
// known to have used: an owner that starts again must not be in the way of whom
// it has let bind the pipe. If that term was used, the holders show it.
func (l *Listener) belowGrant(ctx context.Context, term uint64) (uint64, error) {
	grants, err := l.s.cfg.Store.Grants(ctx, l.pipe)
	now := time.Now()
	granted := func(g GrantRecord) bool {
		return g.Right == identity.RightBind && g.Term == term && now.Before(g.Expiry) &&
			!l.s.revoked.revokes(l.pipe, identity.Capability{Nonce: g.Nonce, Expiry: g.Expiry})
	}
	if err == nil && term > 1 && slices.ContainsFunc(grants, granted) {
		term--
	}
	return term, err
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

func (l *Listener) taken(by Binding) error {
	own := l.Status().Binding.Term
	err := wire.Errorf(wire.Taken, "term %d of pipe %s, above this node's %d, was used by %s, whether it serves now or not", by.Term, l.pipe, own, by.Binder)
	if l.capability != nil {
		return err.WithNext("ask the owner for a new grant: panpipe pipe grant %s --bind --to %s", l.pipe, l.s.cfg.principal())
	}
	return err.WithNext("bind under a higher term, or leave the term open")
}

// noHigherTerm says that a binder has the highest term there is.
func (l *Listener) noHigherTerm(by Binding) error {
	err := wire.Errorf(wire.Taken, "pipe %s is served by %s under the highest term there is, %d", l.pipe, by.Binder, by.Term)
	if grant, ok := by.Grant(); ok {
		return err.WithNext("revoke its capability: panpipe pipe revoke %s", grant.Nonce)
	}
	return err.WithNext("make a new pipe")
}

// permitted asks once more whether the right to bind is revoked. Whoever learns
// of it from now on finds the listener.
func (l *Listener) permitted() error {
	if l.capability != nil && l.s.revoked.revokes(l.pipe, l.grant) {
		return wire.Errorf(wire.Forbidden, "the capability to bind pipe %s is revoked", l.pipe).WithNext("ask the owner for a new one")
	}
	return nil
}

// register makes the listener known, so that dialers reach it as soon as its
// record is out.
func (s *Service) register(l *Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return errClosed()
	}
	if s.listeners[l.pipe] != nil {
		return wire.Errorf(wire.Taken, "this node serves pipe %s already", l.pipe).WithNext("close the other listener first")
	}
	s.listeners[l.pipe], s.byKey[l.pipe.Key()] = l, l
	l.unkeep = s.revoked.keep(l.pipe)
	return nil
}

func (s *Service) forget(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[l.pipe] == l {
		l.unkeep()
		delete(s.listeners, l.pipe)
		delete(s.byKey, l.pipe.Key())
	}
}

// Listeners returns the pipes that this node serves now, in no order.
func (s *Service) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Listener, 0, len(s.listeners))
	for _, l := range s.listeners {
		all = append(all, l)
	}
	return all
}
